"""What users mistype: said with the key, what it takes, and the command that works. No word of Hydra's, nothing twice."""

import errno
import subprocess
import sys
from pathlib import Path
from tempfile import gettempdir

import pytest
from click import ClickException
from click.testing import CliRunner
from hydra.core.override_parser.overrides_parser import OverridesParser

from benchmarks.cli import main
from benchmarks.cli.errors import user_errors
from benchmarks.cli.overrides import arranged
from benchmarks.config.overrides import quoted
from tests.conftest import PROJECT

CELL = ["method=variation_model", "category=bottle"]


def said(*arguments: str, verb: str = "run") -> str:
    """The message of a command that is refused."""
    result = CliRunner().invoke(main, [verb, *arguments])
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output and "Error executing job" not in result.output
    assert "full_key" not in result.output and result.output.count("Error:") == 1
    return result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sed=1"], ["There is no setting sed", "seed"]),
        (["save_map=true"], ["save_map", "save_maps"]),
        (["method.train.batchsize=4"], ["method.train.batch_size"]),
        (["category=botle"], ["bottle"]),
        (["method=variation_modle"], ["variation_model"]),
        (["category=bottle,pill"], ["category=bottle,pill", "-m"]),
        (["seed=-1"], ["seed=-1", "a whole number of 0 or more"]),
        (["seed=one"], ["seed=one", "a whole number"]),
        (["seed=1.5"], ["seed=1.5", "a whole number"]),
        (["threads=0"], ["threads=0", "from 1 on"]),
        (["save_maps=maybe"], ["save_maps=maybe", "true or false"]),
        (["budget.samples=many"], ["budget.samples=many", "a whole number"]),
        (["protocol.minimum_area=big"], ["protocol.minimum_area=big", "a number"]),
        (["protocol.area_grid=0.1"], ["protocol.area_grid=0.1", "a list"]),
        (["trainer.devices=2"], ["trainer.devices=2", "hydra/launcher=ray_gpus"]),
        (["budget.name=null"], ["budget.name"]),
        (["data.name=null"], ["data.name"]),
        (["method.name=null"], ["method.name"]),
        (["category.name=null"], ["category.name"]),
        (["data=folder"], ["data.root=DIR"]),
        (["category="], ["category=: say a name"]),
        (["method=null"], ["method=null: say a name, method=NAME", "ae_l2"]),
        (["budget=[smoke,paper]"], ["several are swept over: -m budget=smoke,paper"]),
        (["experiment=nope"], ["There is no experiment=nope", "table2"]),
        (["SEED=1"], ["There is no setting SEED. Did you mean seed?"]),
        (["seed"], ["seed: settings are written KEY=VALUE"]),
        (["--seed=1"], ["There is no option --seed", "seed=VALUE"]),
        (["=1"], ["=1: there is no setting ''"]),
        (["größe=1"], ["there is no setting 'größe'"]),
        (["~seed"], ["~seed: no setting can be taken out"]),
        (["-m", "seed=0,,1"], ["seed=0,,1: a list with a gap. Write seed=0,1."]),
        (["-m", "seed=interval(0,3)"], ["seed=interval(0,3): sweep over a list, such as seed=1,2,3"]),
        (["data.root=${oc.env:NO_SUCH_VARIABLE}"], ["data.root=${oc.env:NO_SUCH_VARIABLE}: ", "not found"]),
        (["data.root=${no.such.key}"], ["data.root=${no.such.key}: Interpolation key 'no.such.key' not found"]),
    ],
)
def test_a_mistake_in_one_run(arguments: list[str], words: list[str]) -> None:
    message = said(*CELL, *arguments)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            f"No space left on device where results.dir, data.cache_dir or the temporary files are (TMPDIR, now {gettempdir()}).",
        ),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "results/runs"), "Not a directory (results/runs)."),
        (PermissionError(errno.EROFS, "Read-only file system", "data/cache"), "Read-only file system (data/cache)."),
    ],
)
def test_what_the_system_refuses_is_a_sentence_with_its_place(error: OSError, words: str) -> None:
    with pytest.raises(ClickException) as told, user_errors():
        raise error
    assert told.value.message == words
    with pytest.raises(ClickException) as told, user_errors(keeps_runs=True):
        raise error
    assert told.value.message == f"{words} Finished runs are kept: fix this and re-run the same command."


def test_a_setting_of_one_method_of_a_sweep(tmp_path: Path) -> None:
    message = said("-m", "method=variation_model,cnn_feature_dictionary", "category=bottle", "method.layer=layer2")
    assert "defectbench run method=cnn_feature_dictionary -m category=bottle method.layer=layer2" in message
    assert "defectbench run method=variation_model -m category=bottle\n" in message


def test_what_every_cell_needs_is_missing_once(tmp_path: Path) -> None:
    sweep = ["-m", "method=variation_model,ae_l2", "category=bottle,pill", "seed=0,1", f"results.dir={tmp_path}"]
    absent = tmp_path / "absent"
    assert said(*sweep, "data=mvtec_ad", f"data.root={absent}").count(str(absent)) == 1
    weights = said(*sweep, "method=cnn_feature_dictionary", f"method.weights={absent}.pth")
    assert weights.count("absent.pth") == 1 and "no such file" in weights
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["/x/a=b", "/x/data (1)", "/x/数据,2", "/x/it's", "/x/{1}", "a\\'b", "end\\"])
def test_values_that_need_quotes(value: str) -> None:
    parser = OverridesParser.create()
    assert parser.parse_override(quoted("data.root", value)).value() == value
    if "(" in value or "," in value or "'" in value[:6] or "{" in value:
        assert quoted("data.root", value) in said(*CELL, "data=folder", f"data.root={value}")


def test_options_may_stand_anywhere_and_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    typed = ["method=a", "-m", "data.root=~/data", "--cfg", "job", "~hydra"]
    assert arranged(typed) == ["-m", "--cfg", "job", "method=a", "data.root=/home/somebody/data", "~hydra"]


def test_globs_sweep_over_the_names_that_they_match() -> None:
    assert arranged(["-m", "method=glob(ae*)", "seed=0"]) == ["-m", "method=ae_l2,ae_ssim", "seed=0"]
    for wrong, words in (
        ("method=glob(zz*)", "method=glob(zz*): none of ae_l2, ae_ssim"),
        ("category=glob(b*)", "category=glob(b*): name them, separated by commas"),
        ("method=glob([ae*,p*])", "name them, separated by commas"),
    ):
        assert words in said("-m", *(["method=ae_l2"] if "category" in wrong else []), wrong)


def test_a_list_of_categories_in_brackets_is_refused_and_brackets_in_a_name_are_not() -> None:
    assert "several are swept over: -m category=a,b" in said("method=ae_l2", "category=[a,b]")
    for name in ("part [v2]", "[v2]"):
        assert arranged([f"category={name}"]) == [quoted("category", name)]


@pytest.mark.parametrize("option", ["--info", "-i"])
def test_hydras_info_may_go_without_its_value(option: str) -> None:
    assert arranged(["method=ae_l2", option]) == ["--info=all", "method=ae_l2"]
    assert arranged([option, "method=ae_l2"]) == ["--info=all", "method=ae_l2"]
    assert arranged(["method=ae_l2", option, "defaults"])[:2] == [option, "defaults"]


@pytest.mark.parametrize("value", ["/x/a=b", "/x/lösung", "数据", "part #1"])
def test_values_that_can_mean_one_thing_only_need_no_quotes(value: str) -> None:
    assert arranged([f"category={value}"]) == [quoted("category", value)]
    assert arranged(["category=a,b", "data.drop=[a]"]) == ["category=a,b", "data.drop=[a]"]


def test_names_are_printed_as_they_are() -> None:
    from benchmarks.common.console import PlainConsole

    with (screen := PlainConsole(width=80)).capture() as shown:
        screen.print("part [v1] [/b] :smile: \x1b[2Jcleared")
    assert shown.get() == "part [v1] [/b] :smile: \\x1b[2Jcleared\n"


@pytest.mark.parametrize("redirect", [">&-", "| true"])
def test_an_output_that_is_closed_is_no_error(redirect: str) -> None:
    command = f"set -o pipefail; {sys.executable} -m benchmarks list methods {redirect}"
    ended = subprocess.run(["bash", "-c", command], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0 and not ended.stderr


def test_an_output_that_takes_ascii_only() -> None:
    command = [sys.executable, "-c", "from benchmarks.cli import main; main(['run', 'sed=ü', 'method=ae_l2'])"]
    environment = {"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, env=environment)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr and "There is no setting sed" in ended.stderr


def test_a_setting_of_the_swept_methods_is_given_to_each_of_them(tmp_path: Path) -> None:
    """`weights` is a setting of both methods, and none of the default one, which Hydra composes first."""
    settings = ["category=bottle", "budget=smoke", "method.weights=absent.pth", f"results.dir={tmp_path}"]
    output = said("-m", "method=dfm,padim", *settings)
    assert "absent.pth" in output and "is a setting of" not in output
    assert arranged(["-m", "method=a,b", "method.x=1", "seed=0"]) == [
        "-m",
        "method=a,b",
        "method.x=choice(1)",
        "seed=0",
    ]
    assert arranged(["method=a,b", "method.x=1"], sweep=True) == ["method=a,b", "method.x=choice(1)"]
    assert arranged(["method=a,b", "method.x=1"]) == ["method=a,b", "method.x=1"]
    assert arranged(["-m", "method=a", "method.x=1", "seed=0,1"]) == ["-m", "method=a", "method.x=1", "seed=0,1"]


def test_a_remedy_is_for_the_command_that_was_given() -> None:
    assert "  defectbench estimate method=dfm " in said("method=dfm,ae_l2", "method.weights=x", verb="estimate")

"""What a newcomer meets: `defectbench` alone, `doctor`, tab completion, `run` without a method."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from benchmarks.cli import main
from benchmarks.cli.application import interrupted
from benchmarks.cli.welcome import next_steps
from benchmarks.config.catalogue import method_names

Tree = Callable[..., Path]


def test_an_empty_folder_gets_a_first_run(tmp_path: Path) -> None:
    assert "experiment=quickstart" in next_steps(tmp_path)


def test_a_dataset_gets_commands_with_its_categories(tree: Tree, tmp_path: Path) -> None:
    tree("widget")
    assert "category=widget data=folder data.root=data" in next_steps(tmp_path)
    assert "category=widget data=folder data.root=." in next_steps(tmp_path / "data")
    assert "category=widget data=folder data.root=.." in next_steps(tmp_path / "data" / "widget")


def test_loose_images_get_choose(tree: Tree, tmp_path: Path) -> None:
    assert "defectbench choose ." in next_steps(tree("widget") / "widget" / "train" / "good")


def test_results_get_the_report(tmp_path: Path) -> None:
    run = tmp_path / "results" / "runs" / "ae_l2" / "bottle" / "seed=0"
    run.mkdir(parents=True)
    (run / "run.json").touch()
    assert "results/ holds 1 run.\n  defectbench report" in next_steps(tmp_path)


def test_defectbench_alone_prints_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(main, [])
    assert said.exit_code == 0 and said.output == next_steps(tmp_path) + "\n"


def test_doctor_finds_datasets_and_extras(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree("widget")
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(main, ["doctor"])
    assert "data: 1 category (widget)" in said.output and "mlflow: " in said.output
    assert said.exit_code == (0 if "none found" in said.output else 1)


def test_doctor_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    doctor = sys.modules["benchmarks.cli.doctor"]  # the name in the package is the command
    monkeypatch.setattr(doctor, "_version", lambda package: "1.0")  # both of faiss
    monkeypatch.setattr(doctor, "_free_gib", lambda folder: 0.5)
    said = CliRunner().invoke(main, ["doctor"])
    assert said.exit_code == 1 and "overwrite each other" in said.output and "only 0.5 GiB free" in said.output


def completed(*words: str, incomplete: str) -> list[str]:
    shell = ShellComplete(main, {}, "defectbench", "_DEFECTBENCH_COMPLETE")
    return [item.value for item in shell.get_completions(list(words), incomplete)]


def test_completion_of_commands_and_options() -> None:
    assert {"run", "report", "doctor"} <= set(completed(incomplete=""))
    assert completed("report", incomplete="--int") == ["--interval"]
    assert completed("report", "--interval", incomplete="b") == ["bootstrap"]


@pytest.mark.parametrize("words, incomplete", [(("method", "="), "vari"), (("method",), "="), ((), "method=vari")])
def test_completion_of_methods(words: tuple[str, ...], incomplete: str) -> None:
    """bash cuts words at `=`; zsh and fish do not."""
    found = completed("run", "-m", *words, incomplete=incomplete)
    assert [name.removeprefix("method=") for name in found] == (
        method_names() if incomplete == "=" else ["variation_model"]
    )


def test_completion_of_lists_settings_and_own_categories(tree: Tree) -> None:
    assert completed("run", "-m", incomplete="method=ae_l2,anog") == ["method=ae_l2,anogan"]
    assert "protocol.minimum_area=" in completed("run", incomplete="protocol.mini")
    assert completed("run", f"data.root={tree('widget')}", incomplete="category=wid") == ["category=widget"]


def test_ctrl_c_says_how_to_resume(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(2, None)
    assert "re-run the same command to resume" in capsys.readouterr().err


def test_run_asks_for_a_method() -> None:
    said = CliRunner().invoke(main, ["run", "category=bottle"])
    assert said.exit_code == 1 and "Add method=NAME" in said.output and "ae_l2" in said.output

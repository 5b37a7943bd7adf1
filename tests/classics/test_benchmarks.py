"""The two classics as users drive them, on the embedded data: run, figures, record, skip, report, lists, bad input."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from benchmarks.classics.digit_figures import odd_shapes, with_noise
from benchmarks.cli import main
from benchmarks.store.runs import RunStore
from tests.conftest import PROJECT, compose

FAST = ["budget=smoke", "trainer=cpu", "progress=false", "logger=none"]
QUIET = ["benchmark.figures=false"]
CARDS = PROJECT.parent / "shared" / "data" / "creditcard" / "creditcard_sample.csv"


def defectbench(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


def run(results: Path, *overrides: str) -> Result:
    return defectbench("run", *overrides, *FAST, f"results.dir={results}")


def test_digits_from_command_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr("benchmarks.classics.measure.tell_result", lambda _, result, __: told.append(result.threshold))
    sweep = [
        "-m",
        "benchmark=mnist",
        "method=dense_ae,isolation_forest",
        "category=digit_3",
        "seed=0,1",
        *QUIET,
    ]
    result = run(tmp_path, *sweep)
    assert result.exit_code == 0, result.output
    assert len(told) == 4  # loggers get the final numbers
    assert "0 cells to run, 4 finished already" in run(tmp_path, *sweep).output
    one = ["benchmark=mnist", "method=dense_ae", "category=digit_3", "seed=0", *QUIET, "score_at_epochs=[1]"]
    assert "score_at_epochs=[1]: digits and tables have no anomaly maps" in run(tmp_path, *one).output
    report = defectbench("report", "--results", str(tmp_path))
    assert report.exit_code == 0 and "digit_3" in report.output and "nan" not in report.output
    with (tmp_path / "report" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["category"], row["seeds"], row["dataset"], row["kind"]) for row in rows] == [
        (method, "digit_3", "0 1", "digits", "digit") for method in ("dense_ae", "isolation_forest")
    ]
    assert all(float(row["image_auroc"]) > 0 and row["minimum_area"] == row["aupro"] == "" for row in rows)
    assert "finished" in defectbench("list", "runs", "--results", str(tmp_path)).output


def test_pictures_of_digits_and_of_what_was_never_seen(tmp_path: Path) -> None:
    result = run(tmp_path, "benchmark=mnist", "category=digit_4", "method=conv_ae", "save_checkpoint=true")
    folder = tmp_path / "runs" / "conv_ae" / "digit_4" / "seed=0"
    assert result.exit_code == 0 and f"figures: {folder / 'figures'}" in result.output
    assert {path.name for path in (folder / "figures").iterdir()} == {"reconstructions.png", "errors.png", "unseen.csv"}
    unseen = pd.read_csv(folder / "figures" / "unseen.csv").set_index("what")
    assert {"good", "digit_4", "noise 0.8", "triangle"} <= set(unseen.index)
    assert unseen["mean_score"]["noise 0.8"] > unseen["mean_score"]["noise 0"]
    assert (folder / "method.ckpt").is_file()


def test_a_method_that_reconstructs_nothing_has_errors_only(tmp_path: Path) -> None:
    assert run(tmp_path, "benchmark=mnist", "method=isolation_forest").exit_code == 0
    folder = tmp_path / "runs" / "isolation_forest" / "digit_0" / "seed=0" / "figures"
    assert {path.name for path in folder.iterdir()} == {"errors.png", "unseen.csv"}


def test_rows_from_command_to_record(tmp_path: Path) -> None:
    result = run(tmp_path, "benchmark=creditcard", "protocol.false_alarm_rate=0.05")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "runs" / "tabular_ae" / "transactions" / "seed=0"
    assert {path.name for path in (folder / "figures").iterdir()} == {"errors.png", "precision_recall.png"}
    (record,) = RunStore(tmp_path).records()
    scores = pd.read_csv(folder / "scores.csv")
    held_out, test = (scores[scores["split"] == split] for split in ("validation", "test"))
    assert record.dataset == "breast_cancer" and record.result is not None and record.result.minimum_area is None
    assert len(held_out) == 57 and (held_out["score"] > record.result.threshold).sum() == 2  # 5 % of 57, rounded down
    found = (test["score"] > record.result.threshold)[test["defective"]].sum()
    assert record.result.defective is not None and record.result.defective.correct == found
    assert record.result.image is not None and record.result.image.auroc > 0.9


def table(path: Path, anomaly: float, label: str = "fraud", normal: str = "no") -> Path:
    rng = np.random.default_rng(0)
    lines = [f"a,b,c,{label}", *(",".join(f"{v:.4f}" for v in rng.normal(size=3)) + f",{normal}" for _ in range(60))]
    path.write_text("\n".join([*lines, *[f"{anomaly},{anomaly},{-anomaly},yes"] * 5]) + "\n")
    return path


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    own = [
        "benchmark=creditcard",
        "method=pca_reconstruction",
        "category=mine",
        "data.label=fraud",
        "data.normal=no",
        *QUIET,
    ]
    texts = []
    for anomaly in (4.0, 9.0):
        result = run(tmp_path, *own, f"data.csv={table(tmp_path / 'my.csv', anomaly)}")
        assert result.exit_code == 0, result.output
        texts.append((tmp_path / "runs" / "pca_reconstruction" / "mine" / "seed=0" / "scores.csv").read_text())
    assert "changed since: test_data" in result.output
    held_out = [[line for line in text.splitlines() if "validation" in line] for text in texts]
    assert texts[0] != texts[1] and held_out[0] == held_out[1], "test rows had a say in what was fitted"
    (record,) = RunStore(tmp_path).records()
    assert (record.dataset, record.kind) == ("my", "table")


def test_a_table_without_anomalies_has_a_false_alarm_rate_only(tmp_path: Path) -> None:
    path = table(tmp_path / "my.csv", 4.0)
    path.write_text(path.read_text().replace("yes", "no"))
    result = run(tmp_path, "benchmark=creditcard", f"data.csv={path}", "data.label=fraud", "data.normal=no")
    assert result.exit_code == 0 and "defective -, image AUROC -" in result.output


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["benchmark=mnist", "method=ae_l2"], "ae_l2 does not apply to digit_0: it takes textures and objects."),
        (["benchmark=mnist", "method=tabular_ae"], "tabular_ae does not apply to digit_0: it takes tables."),
        (["method=dense_ae"], "dense_ae does not apply to bottle: it takes digits."),
        (["method=dense_ae", "category=digit_3", "data=mnist"], "add benchmark=mnist for digits"),
        (["benchmark=mnist", "data=folder", "data.root=."], "holds images of products"),
        (["benchmark=mnist", "data=mnist", "data.root=/no/such"], "No MNIST files in /no/such"),
        (["benchmark=mnist", "protocol.false_alarm_rate=2"], "false_alarm_rate=2 is no share"),
        (["benchmark=creditcard", "data.csv=/no/such.csv"], "No file /no/such.csv"),
        (
            ["benchmark=mnist", "protocol.held_out=cross"],
            "protocol.held_out=cross: digits and tables have no anomaly maps",
        ),
        (["benchmark=mnist", "protocol.threshold=conformal:0.05"], "protocol.false_alarm_rate decides. Leave it out."),
        (["benchmark=mnist", "protocol.minimum_area=0.01"], "protocol.minimum_area=0.01: digits and tables"),
        (["benchmark=mnist", "save_maps=yes"], "save_maps=yes: digits and tables have no anomaly maps"),
        (
            ["benchmark=creditcard", "data.drop=[nope]"],
            "data.drop=['nope']: columns of a table of yours, which data.csv",
        ),
        (["benchmark=minst"], "There is no benchmark=minst. Did you mean mnist?"),
    ],
)
def test_bad_input_is_answered_in_words(tmp_path: Path, overrides: list[str], message: str) -> None:
    result = run(tmp_path, *overrides)
    assert result.exit_code in {1, 2} and message in result.output
    assert "Traceback" not in result.output


def test_every_digit_has_its_category_and_a_sweep_takes_all() -> None:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    from benchmarks.config.catalogue import CONF

    for digit in range(10):
        assert compose("benchmark=mnist", f"category=digit_{digit}").category.digit == digit
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra_compose("config", ["benchmark=mnist"], return_hydra_config=True)
    assert config.hydra.sweeper.params.category.split(",") == [f"digit_{digit}" for digit in range(10)]


def test_shapes_and_noise() -> None:
    import torch

    shapes = odd_shapes(28)
    assert all(shape.shape == (28, 28) and set(np.unique(shape)) <= {0.0, 1.0} for shape in shapes.values())
    assert len({shape.tobytes() for shape in shapes.values()}) == len(shapes)
    pictures = torch.full((3, 1, 28, 28), 0.5)
    errors = [(with_noise(pictures, s, 0) - pictures).square().mean().item() for s in (0.0, 0.1, 0.3)]
    assert errors[0] == 0 and errors[1] == pytest.approx(0.01, rel=0.1) and errors[2] > errors[1]


def test_references_find_real_frauds(tmp_path: Path) -> None:
    if not CARDS.is_file():
        pytest.skip(f"needs the card fraud sample (looked in {CARDS})")
    cards = ["benchmark=creditcard", "budget=paper", f"data.csv={CARDS}", *QUIET]
    result = run(tmp_path, "-m", *cards, "method=pca_reconstruction,isolation_forest")
    assert result.exit_code == 0, result.output
    for path in tmp_path.glob("runs/*/*/*/run.json"):
        assert json.loads(path.read_text())["result"]["image"]["auroc"] > 0.9

"""All threshold rules on stored scores, against counting."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.cli import main
from benchmarks.protocol.cross import cross_promise
from benchmarks.store.identity import PROJECT
from benchmarks.store.runs import RunStore
from benchmarks.study.curves import _declared_share
from benchmarks.study.grid import read_grids
from benchmarks.study.thresholds import build
from tests.study.stored import scores, store

BOTTLE = PROJECT / "results" / "published" / "bottle"


def test_rates_are_counts_of_the_stored_scores(tmp_path: Path) -> None:
    built = build(BOTTLE, tmp_path)
    row = built.runs[(built.runs["method"] == "variation_model") & (built.runs["seed"] == 1)].set_index("rule")
    scores = pd.read_csv(next(BOTTLE.glob("runs/variation_model/bottle/seed=1/scores.csv")))
    held_out = np.sort(scores[scores["split"] == "validation"]["score_0.001"])
    test = scores[scores["split"] == "test"]
    good = test[~test["defective"]]["score_0.001"]
    assert len(held_out) == 21
    for rule, rank in (("maximum", 21), ("conformal:0.05", 21), ("conformal:0.1", 20), ("conformal:0.2", 18)):
        assert row.loc[rule, "false_alarms"] == (good > held_out[rank - 1]).sum(), rule
        assert row.loc[rule, "good_total"] == len(good)
    assert row.loc["conformal:0.02", "needed"] == 49 and pd.isna(row.loc["conformal:0.02", "threshold"])
    rules = built.rules.set_index("rule")
    runs = built.runs[built.runs["rule"] == "maximum"]
    assert rules.loc["maximum", "false_alarms"] == runs["false_alarms"].mean()
    assert rules.loc["conformal:0.01", "runs"] == 0
    quoted = (PROJECT / "results" / "thresholds.md").read_text(encoding="utf-8")
    lines = (tmp_path / "thresholds.md").read_text(encoding="utf-8").splitlines()
    assert all(line in quoted for line in lines if line.startswith("|"))


def test_the_command_says_what_cannot_be_promised(tmp_path: Path) -> None:
    ended = CliRunner().invoke(main, ["study", "thresholds", "--results", str(BOTTLE), "--out", str(tmp_path)])
    assert ended.exit_code == 0 and "needs 49 held-out images" in ended.output
    assert "needs 99 held-out images" in (tmp_path / "thresholds.md").read_text(encoding="utf-8")
    empty = CliRunner().invoke(main, ["study", "thresholds", "--results", str(tmp_path)])
    assert empty.exit_code == 1 and "No finished run" in empty.output


def test_a_run_that_holds_out_every_good_image_promises_less(tmp_path: Path) -> None:
    """As its own record does: `held_out=cross` compares no score across its models."""
    store(tmp_path, scores(0, validation=100), seed=0)
    store(tmp_path, scores(0, validation=100), seed=1, protocol={"held_out": "cross", "folds": 5})
    promised = build(tmp_path, tmp_path / "study").runs.pivot(index="rule", columns="seed", values="promised")
    assert promised.loc["conformal:0.02"].tolist() == pytest.approx([0.02, cross_promise(0.02, 100, 5)], rel=1e-5)
    assert promised.loc["maximum"].tolist() == pytest.approx([1 / 101, cross_promise(1 / 101, 100, 5)], rel=1e-5)
    assert _declared_share(read_grids(tmp_path, RunStore(tmp_path).records())[1]) == 1


def test_a_method_that_uses_the_held_out_images_itself_is_promised_nothing_and_left_out_of_what_is_kept(
    tmp_path: Path,
) -> None:
    table = scores(0, validation=30).assign(**{"score_0.001": lambda found: found.index.to_series().astype(float)})
    for seed, target in enumerate(("methods.padim.PaDiM", "methods.stfpm.STFPM", "somebody.elses.Method")):
        store(tmp_path, table, seed=seed, target=target)  # each of the eight good test images is a false alarm
    built = build(tmp_path, tmp_path / "study")
    runs = built.runs[built.runs["rule"] == "conformal:0.1"].set_index("seed")
    assert runs["promised"].fillna(-1).to_dict() == {0: 0.1, 1: -1, 2: 0.1}
    rule = built.rules.set_index("rule").loc["conformal:0.1"]
    assert (rule["runs"], rule["runs_promised"], rule["runs_above_promise"]) == (3, 2, 2)
    assert (rule["promised"], rule["false_alarm_rate"]) == (pytest.approx(0.1), 1)
    assert "| 2 of 2 runs |" in (tmp_path / "study" / "thresholds.md").read_text(encoding="utf-8")

    store(tmp_path / "alone", table, target="methods.texture_inspection.TextureInspection")
    build(tmp_path / "alone", tmp_path / "alone")
    said = (tmp_path / "alone" / "thresholds.md").read_text(encoding="utf-8")
    assert "| conformal:0.1 | 30 | - | 8.0/8 = 1.000 |" in said

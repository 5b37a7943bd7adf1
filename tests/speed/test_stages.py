"""Every stage on small inputs: both ways give the values that the table vouches for. Nothing is timed here."""

import csv
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks.speed import harness, stages_protocol
from benchmarks.speed.__main__ import STAGES, main
from benchmarks.speed.growth import Growth, growth_table, sizes, spend
from benchmarks.speed.harness import Setting, Stage
from benchmarks.speed.inputs import anomaly_maps, picture_files
from benchmarks.speed.stages_training import Job, plain_samples, rendered, train_by_lightning, train_plainly

COMPARED = [name for name in STAGES if name not in {"training", "commands"}]  # training: below, with fewer samples


def stages(name: str, folder: Path) -> list[Stage]:
    of = getattr(import_module(f"benchmarks.speed.{STAGES[name]}"), name)
    return list(of(Setting(quick=True, folder=folder)))


@pytest.mark.parametrize("name", COMPARED)
def test_ours_and_the_alternatives_give_the_same_values(name: str, tmp_path: Path) -> None:
    for stage in stages(name, tmp_path):
        ours = stage.ours()
        assert stage.alternatives or stage.missing
        for other, alternative in stage.alternatives.items():
            difference = (alternative.compare or stage.compare)(ours, alternative.run())
            assert difference <= stage.tolerance, f"{stage.name}: {other}"


@pytest.mark.parametrize("patch", [128, None])
def test_the_plain_way_sees_the_same_samples_and_losses(patch: int | None, tmp_path: Path) -> None:
    """Equal but for what Pillow rounds to 8 bits, and how it treats the border that was turned into the image."""
    files = picture_files(tmp_path / "pictures", 8, 256)
    job = Job(files, 256, patch, batch=2, steps=1, cache=tmp_path / "cache", device="cpu")
    (batch_BCHW,) = rendered(job)
    plain = plain_samples(job)
    samples = torch.stack([plain[index] for index in range(2)])
    nearest = [
        (sample - batch_BCHW).abs().flatten(1).median(dim=1).values.min() for sample in samples
    ]  # the order is random
    assert max(nearest) < 2 / 255
    assert train_plainly(job) == pytest.approx(train_by_lightning(job), rel=0.02)


def test_the_sorted_reference_is_scikit_learns_auroc() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    pairs = anomaly_maps(4, 64)
    scores = np.concatenate([map_HW.ravel() for map_HW, _ in pairs])
    truth = np.concatenate([np.zeros(64 * 64, bool) if mask is None else mask.ravel() for _, mask in pairs])
    assert stages_protocol.sorted_of(pairs)[0] == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-12)


def test_the_command_writes_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "ROUNDS", (1, 1))
    told = CliRunner().invoke(main, ["--quick", "--stage", "area_score", "--device", "cpu", "--out", str(tmp_path)])
    assert told.exit_code == 0, told.output
    assert "score_A" in told.output and "scipy" in told.output
    with (tmp_path / "stages_cpu_quick.csv").open() as file:
        read = list(csv.DictReader(file))
    assert read[0]["outcome"] in {"met", "short"} and float(read[0]["difference"]) == 0


def test_a_tool_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages_protocol, "installed", lambda *_: False)
    assert [list(stage.missing) for stage in stages("area_score", tmp_path)] == [["skimage"]]
    assert [list(stage.missing) for stage in stages("pixel_metrics", tmp_path)] == [[], ["adeval"]]


def test_the_peak_is_the_runs_own() -> None:
    """Not that of this process, which has torch in memory, and which a child would inherit."""
    small, large = spend([sys.executable, "-c", "pass"]), spend([sys.executable, "-c", f"b'1' * {200 << 20}"])
    assert small.peak_mib < 60 and 200 < large.peak_mib < 260
    assert 0 < small.cpu_seconds < 10


def test_growth_is_told_as_ratios() -> None:
    assert sizes(512) == [(1, 512), (1, 1024), (4, 512), (2, 512)]
    small = Growth("ae_l2", "texture", 10, 4, 512, 20.0, 5.0, 100.0, 1000.0)
    large = Growth("ae_l2", "texture", 10, 4, 1024, 60.0, 5.0, 400.0, 3000.0)
    shown = growth_table([large, small])
    assert [list(column.cells)[1] for column in shown.columns][4:] == ["400 (x4.00)", "3000 (x3.00)", "above"]

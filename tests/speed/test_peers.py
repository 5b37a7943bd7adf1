"""The comparison with peers: each side by itself on small pixels, the row that is written, and what is said without the peer."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torchvision.models import resnet18

from benchmarks.speed import peers
from benchmarks.speed.peer_side import Batches, Spent, Task, spend
from methods.padim import PaDiM
from tests.conftest import compose
from tests.methods.feature_methods import stripes
from tests.store.test_runs import RESULT

MODEL = {"backbone": "resnet18", "layers": ["layer1", "layer2", "layer3"], "dimensions": 20}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(resnet18().state_dict(), path)
    return path


def task(folder: Path, weights: Path, side: str, method: str, **changes: object) -> Task:
    settings = {
        "dfm": {"backbone": "resnet18", "layer": "layer2", "pool": 2, "variance": 0.9},
        "padim": MODEL | {"regularisation": 0.01, "sigma": 0},
        "patchcore": {
            "backbone": "resnet18",
            "layers": ["layer2", "layer3"],
            "share": 0.2,
            "max_bank": 99,
            "projection": 64,
        }
        | {"neighbours": 1, "reweight": 0, "memory_mib": 9, "sigma": 0},
    }[method]
    pixels = (255 * torch.cat([stripes(8), stripes(3, seed=1)])).byte().permute(0, 2, 3, 1).numpy()
    np.savez(folder / "pixels.npz", train=pixels[:8], shown=pixels[8:])
    target = {"dfm": "methods.dfm.DFM", "padim": "methods.padim.PaDiM", "patchcore": "methods.patchcore.PatchCore"}[
        method
    ]
    files = {"pixels": str(folder / "pixels.npz"), "maps": str(folder / f"{side}.npy")}
    return Task(side, method, target, settings | {"weights": str(weights)}, str(weights), 0, 4, **(files | changes))


def test_our_side_makes_the_methods_own_maps(tmp_path: Path, weights: Path) -> None:
    asked = task(tmp_path, weights, "ours", "padim")
    spent = spend(asked)
    torch.manual_seed(0)
    method, pixels = PaDiM(**asked.settings), np.load(asked.pixels)
    method.training_images = 8
    with torch.no_grad():
        for images_BCHW in Batches(pixels["train"], 4):
            method.observe(images_BCHW)
        method.fit()
        (images_BCHW,) = Batches(pixels["shown"], 4)
        assert np.array_equal(np.load(asked.maps), method.anomaly_map(images_BCHW).numpy())
    assert spent.drawn == method.drawn_K.tolist()
    assert spent.fit_s > 0 and spent.ms_per_image > 0 and spent.peak_mib > 50


@pytest.mark.skipif(find_spec("anomalib") is None, reason="anomalib is not installed: nox -s peers")
@pytest.mark.parametrize("method", ["dfm", "padim"])
def test_both_sides_make_the_same_maps_from_the_same_settings(tmp_path: Path, weights: Path, method: str) -> None:
    ours = task(tmp_path, weights, "ours", method)
    theirs = task(tmp_path, weights, "anomalib", method, drawn=spend(ours).drawn)
    spend(theirs)
    maps = [np.load(one.maps) for one in (ours, theirs)]
    assert maps[0].shape == maps[1].shape == (3, 64, 64)
    middle = np.s_[:, 20:-20, 20:-20]  # at the border, they smooth otherwise
    np.testing.assert_allclose(maps[0][middle], maps[1][middle], rtol=0.02)


def test_a_row_holds_medians_and_the_ratios_of_the_rounds() -> None:
    spent = {
        "ours": [Spent(1.0, 10.0, 100.0, 900.0, None), Spent(3.0, 10.0, 100.0, 900.0, None)],
        "anomalib": [Spent(8.0, 20.0, 300.0, 900.0, None), Spent(12.0, 40.0, 500.0, 900.0, None)],
    }
    images = peers.Images(type("Named", (), {"name": "bottle", "test": ()})(), [], [], Path())  # type: ignore[arg-type]
    row = peers.row_of(compose("method=dfm", "category=bottle"), "anomalib 0", 0, images, spent, [RESULT, RESULT])
    assert (row.ours_fit_s, row.peer_fit_s, row.fit_ratio) == (2.0, 10.0, 6.0)
    assert (row.image_ratio, row.fit_memory_ratio, row.rounds, row.px) == (3.0, 4.0, 2, 256)
    assert "fit 2.0 / 10.0 s (6.0 times)" in peers.in_words(row)


@pytest.mark.skipif(find_spec("anomalib") is not None, reason="anomalib is installed")
def test_without_the_peer_the_session_that_installs_it_is_named(tmp_path: Path) -> None:
    run = CliRunner().invoke(peers.main, ["--root", str(tmp_path), "--weights", "random"])
    assert run.exit_code == 1 and "nox -s peers" in run.output


def test_batches_hold_every_image_once_as_floats() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 6, 3), dtype=np.uint8)
    parts = list(Batches(pixels, 3))
    assert [len(part) for part in parts] == [3, 3, 1]
    np.testing.assert_allclose(torch.cat(parts).permute(0, 2, 3, 1).numpy() * 255, pixels, atol=1e-4)

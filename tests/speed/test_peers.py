"""The comparison with peers: each side by itself on small pixels, the row that is written, and what is said without the peer."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torchvision.models import resnet18

from benchmarks.speed import peers
from benchmarks.speed.peer_side import Anomalib, Batches, Ours, Spent, Task, spend
from methods.padim import PaDiM
from methods.stfpm import STFPM, feature_differences, product_map
from tests.conftest import compose
from tests.methods.feature_methods import stripes
from tests.store.test_runs import RESULT

MODEL = {"backbone": "resnet18", "layers": ["layer1", "layer2", "layer3"], "dimensions": 20}
STUDENT = {
    "backbone": "resnet18",
    "layers": ["layer1", "layer2", "layer3"],
    "learning_rate": 0.4,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "feature_cache_mib": 9,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(resnet18().state_dict(), path)
    return path


def task(folder: Path, weights: Path, side: str, method: str, **changes: object) -> Task:
    settings = {
        "dfm": {"backbone": "resnet18", "layer": "layer2", "pool": 2, "variance": 0.9},
        "padim": MODEL | {"regularisation": 0.01, "sigma": 4},
        "patchcore": {
            "backbone": "resnet18",
            "layers": ["layer2", "layer3"],
            "share": 0.2,
            "max_bank": 99,
            "projection": 64,
        }
        | {"neighbours": 1, "reweight": 0, "memory_mib": 9, "sigma": 0},
        "stfpm": STUDENT,
    }[method]
    pixels = (255 * torch.cat([stripes(8), stripes(3, seed=1)])).byte().permute(0, 2, 3, 1).numpy()
    np.savez(folder / "pixels.npz", train=pixels[:8], shown=pixels[8:])
    name = {"dfm": "DFM", "padim": "PaDiM", "patchcore": "PatchCore", "stfpm": "STFPM"}[method]
    files = {"pixels": str(folder / "pixels.npz"), "maps": str(folder / f"{side}.npy")}
    both = {"settings": settings | {"weights": str(weights)}, "weights": str(weights), "seed": 0, "batch_size": 4}
    return Task(side, method, f"methods.{method}.{name}", **(both | files | {"held_out": 1} | changes))  # type: ignore[arg-type]


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


def test_our_side_trains_on_each_image_once_an_epoch_and_keeps_the_best_epoch_of_the_held_out_images(
    tmp_path: Path, weights: Path
) -> None:
    asked = task(tmp_path, weights, "ours", "stfpm", epochs=2, student=str(tmp_path / "student.pt"))
    spend(asked)
    untrained = torch.load(tmp_path / "student.pt")
    torch.manual_seed(0)
    method, pixels = STFPM(**asked.settings), np.load(asked.pixels)
    assert all(torch.equal(tensor, method.student.state_dict()[name]) for name, tensor in untrained.items())
    sgd, order = method.configure_optimizers(), torch.Generator().manual_seed(0)
    (shown_BCHW,) = Batches(pixels["shown"], 4)
    errors = []
    for _ in range(2):
        for places_B in torch.randperm(8, generator=order).split(4):
            sgd.zero_grad()
            method.loss(next(iter(Batches(pixels["train"][places_B.numpy()], 4)))).backward()
            sgd.step()
        method.eval().best_student.load_state_dict(method.student.state_dict())
        with torch.no_grad():
            maps_BHW = method.anomaly_map(shown_BCHW).numpy()
            errors.append((product_map_mean(method, shown_BCHW[:1]), maps_BHW))
        method.train()
    np.testing.assert_array_equal(np.load(asked.maps), min(errors, key=lambda pair: pair[0])[1])


def product_map_mean(method: STFPM, images_BCHW: torch.Tensor) -> float:
    """Mean of the map before it is enlarged: what STFPM chooses its epoch by."""
    teacher = list(method.source(images_BCHW).values())
    student = list(method.student(method.source.normalised(images_BCHW)).values())
    return float(product_map(feature_differences(teacher, student)).mean())


@pytest.mark.skipif(find_spec("anomalib") is None, reason="anomalib is not installed: nox -s peers")
def test_the_peer_trains_the_same_student(tmp_path: Path, weights: Path) -> None:
    tasks = [
        task(tmp_path, weights, side, "stfpm", epochs=1, student=str(tmp_path / "student.pt"))
        for side in ("ours", "anomalib")
    ]
    ours, theirs = Ours(tasks[0]), Anomalib(tasks[1])
    ours.method.eval()
    theirs.model.eval()
    pixels = np.load(tasks[0].pixels)
    train, shown = (Batches(pixels[name], 4) for name in ("train", "shown"))
    (shown_BCHW,) = shown

    def resemblance() -> float:  # not equal: it multiplies the layers' maps at full size
        return float(np.corrcoef(*(side.maps(shown_BCHW).numpy().ravel() for side in (ours, theirs)))[0, 1])

    with torch.no_grad():
        assert resemblance() > 0.95
        untrained = theirs.maps(shown_BCHW)
        theirs.fit(train, shown)
        assert theirs.maps(shown_BCHW).mean() < 0.8 * untrained.mean()


@pytest.mark.skipif(find_spec("anomalib") is None, reason="anomalib is not installed: nox -s peers")
@pytest.mark.parametrize(("method", "tolerance"), [("dfm", 0.05), ("padim", 0.001)])  # its DFM keeps a component fewer
def test_both_sides_make_the_same_maps_from_the_same_settings(
    tmp_path: Path, weights: Path, method: str, tolerance: float
) -> None:
    ours = task(tmp_path, weights, "ours", method)
    theirs = task(tmp_path, weights, "anomalib", method, drawn=spend(ours).drawn)
    spend(theirs)
    maps = [np.load(one.maps) for one in (ours, theirs)]
    assert maps[0].shape == maps[1].shape == (3, 64, 64)
    middle = np.s_[:, 20:-20, 20:-20]  # at the border, they smooth otherwise
    np.testing.assert_allclose(maps[0][middle], maps[1][middle], rtol=tolerance)


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

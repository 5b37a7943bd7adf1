"""What several tests share: small trees of images, and where the real ones are."""

import builtins
import io
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Several test processes share the cores; float32 is float32, as in a run."""
    torch.backends.cudnn.allow_tf32 = False
    torch.set_num_threads(1)


@pytest.fixture
def heard_hangup() -> Iterator[None]:
    """Processes that a test starts hear SIGHUP, also where the tests themselves run under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(autouse=True)
def own_logger() -> Iterator[None]:
    """Runs give the project's logger handlers of its own; the next test finds it as it was."""
    yield
    logger = logging.getLogger("benchmarks")
    logger.handlers, logger.propagate = [], True


@pytest.fixture(scope="session")
def mvtec_ad() -> Path:
    """The folder that holds the real category `bottle`."""
    root = Path(os.environ.get("MVTEC_AD_ROOT", PROJECT.parent / "shared" / "data" / "mvtec_ad"))
    if not (root / "bottle").is_dir():
        pytest.skip(f"needs the real MVTec AD category bottle: set MVTEC_AD_ROOT (looked in {root})")
    return root


def noise(seed: int, height: int = 24, width: int = 24, channels: int = 3) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """Makes `<tmp>/data/<name>` in the MVTec AD layout from noise images; returns the root."""

    def make(
        name: str = "parts", train: int = 10, good: int = 3, bad: int = 3, masks: bool = True, px: int = 24
    ) -> Path:
        folder = tmp_path / "data" / name
        for index in range(train):
            save(folder / "train" / "good" / f"{index:03}.png", noise(index, px, px))
        for index in range(good):
            save(folder / "test" / "good" / f"{index:03}.png", noise(100 + index, px, px))
        for index in range(bad):
            save(folder / "test" / "scratch" / f"{index:03}.png", noise(200 + index, px, px))
            if masks:
                mask = np.zeros((px, px), np.uint8)
                mask[2:6, 3:9] = 255
                save(folder / "ground_truth" / "scratch" / f"{index:03}_mask.png", mask)
        return tmp_path / "data"

    return make


@pytest.fixture
def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that are opened from now on, by Python or Pillow, in their order."""
    opened: list[str] = []
    for module, name in ((builtins, "open"), (io, "open"), (Image, "open")):
        original = getattr(module, name)

        def spy(file: Any, *args: Any, original: Any = original, **kwargs: Any) -> Any:
            opened.append(str(file))
            return original(file, *args, **kwargs)

        monkeypatch.setattr(module, name, spy)
    return opened


@pytest.fixture
def decoded_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all image files whose pixels are decoded from now on, in their order."""
    decoded: list[str] = []
    original = ImageFile.ImageFile.load

    def spy(file: Any) -> Any:
        if file.fp is not None:  # Pillow asks again for pixels that it has
            decoded.append(str(file.fp.name))
        return original(file)

    monkeypatch.setattr(ImageFile.ImageFile, "load", spy)
    return decoded


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
ACCELERATORS = ["cpu", pytest.param("gpu", marks=needs_gpu)]
TORCH_DEVICE = {"cpu": "cpu", "gpu": "cuda"}


def compose(*overrides: str) -> Any:
    """The configuration of one run, as `defectbench run` composes it."""
    from benchmarks.config.compose import composed

    return composed([*overrides, "progress=false", "trainer=cpu"])

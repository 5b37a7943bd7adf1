"""One side of a comparison with a peer, in a process of its own: fit to pixels, map pixels, tell what it took.

`python -m benchmarks.speed.peer_side TASK.json`: parent and child speak through files, so that neither library is loaded into the
other's memory.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.common.provenance import peak_memory_mib, reset_peak_memory

MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


@dataclass(frozen=True)
class Task:
    """What a child is asked for."""

    side: str
    """`ours` or `anomalib`."""
    method: str
    target: str
    """Our method's class."""
    settings: dict[str, Any]
    """Its arguments; the other side takes what it shares."""
    weights: str
    seed: int
    batch_size: int
    pixels: str
    """`.npz` with `train` and `shown`, uint8 (N, H, W, C)."""
    maps: str
    """`.npy` to write: maps of `shown`, float32 (N, H, W)."""
    drawn: list[int] | None = None
    """PaDiM's dimensions, so that both sides have the same."""


@dataclass(frozen=True)
class Spent:
    """What a side took. Seconds of its one thread's processor time, which other programs on the machine do not lengthen much."""

    fit_s: float
    ms_per_image: float
    fit_mib: float
    """Peak memory while fitting, beyond what the process held before."""
    peak_mib: float
    drawn: list[int] | None


class Side(Protocol):
    def __init__(self, task: Task) -> None: ...
    def fit(self, train: "Batches") -> None: ...
    def maps(self, images_BCHW: Tensor) -> Tensor: ...
    def drawn(self) -> list[int] | None: ...


class Batches:
    """Float images in [0, 1] from 8-bit pixels, a batch at a time."""

    def __init__(self, pixels_NHWC: NDArray[np.uint8], batch_size: int) -> None:
        self.pixels_NHWC, self.batch_size = pixels_NHWC, batch_size

    def __len__(self) -> int:
        return len(self.pixels_NHWC)

    def __iter__(self) -> Iterator[Tensor]:
        for first in range(0, len(self), self.batch_size):
            batch_BHWC = torch.from_numpy(self.pixels_NHWC[first : first + self.batch_size])
            yield batch_BHWC.permute(0, 3, 1, 2).float().div_(255)


class Ours:
    """A closed-form method of this project, without a trainer."""

    def __init__(self, task: Task) -> None:
        module, _, name = task.target.rpartition(".")
        self.method = getattr(import_module(module), name)(**task.settings)

    def fit(self, train: Batches) -> None:
        self.method.training_images = len(train)
        for images_BCHW in train:
            self.method.observe(images_BCHW)
        self.method.fit()

    def maps(self, images_BCHW: Tensor) -> Tensor:
        maps_BHW: Tensor = self.method.anomaly_map(images_BCHW)
        return maps_BHW

    def drawn(self) -> list[int] | None:
        return self.method.drawn_K.tolist() if hasattr(self.method, "drawn_K") else None


class Anomalib:
    """The same method of anomalib: its torch model alone, which its own trainer would only slow down."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.model = getattr(self, f"_{task.method}")(task.settings)
        extractor = self.model.feature_extractor.feature_extractor
        state = torch.load(task.weights, map_location="cpu", weights_only=True)
        missing = extractor.load_state_dict(state, strict=False).missing_keys
        if any(not name.endswith("num_batches_tracked") for name in missing):
            raise ValueError(f"{task.weights} lacks {', '.join(missing)}")

    def _patchcore(self, settings: dict[str, Any]) -> Any:
        model = import_module("anomalib.models.image.patchcore.torch_model").PatchcoreModel
        return model(settings["layers"], settings["backbone"], pre_trained=False, num_neighbors=1)

    def _padim(self, settings: dict[str, Any]) -> Any:
        model = import_module("anomalib.models.image.padim.torch_model").PadimModel
        padim = model(settings["backbone"], settings["layers"], pre_trained=False, n_features=settings["dimensions"])
        padim.idx = torch.tensor(self.task.drawn)
        return padim

    def _dfm(self, settings: dict[str, Any]) -> Any:
        model = import_module("anomalib.models.image.dfm.torch_model").DFMModel
        return model(
            settings["backbone"],
            settings["layer"],
            pre_trained=False,
            pooling_kernel_size=settings["pool"],
            n_comps=settings["variance"],
        )

    def fit(self, train: Batches) -> None:
        self.model.train()
        for images_BCHW in train:
            self.model(_normalised(images_BCHW))  # keeps the features
        if self.task.method == "patchcore":
            self.model.subsample_embedding(self.task.settings["share"])
        else:
            self.model.fit()
        self.model.eval()

    def maps(self, images_BCHW: Tensor) -> Tensor:
        maps_B1HW: Tensor = self.model(_normalised(images_BCHW)).anomaly_map
        return maps_B1HW[:, 0]

    def drawn(self) -> list[int] | None:
        return self.task.drawn


def _normalised(images_BCHW: Tensor) -> Tensor:
    """As anomalib's preprocessing does it, in the layout that its DFM needs."""
    return ((images_BCHW - MEAN) / STD).contiguous()


SIDES: dict[str, type[Side]] = {"ours": Ours, "anomalib": Anomalib}


@torch.no_grad()
def spend(task: Task) -> Spent:
    """Fit and map; the maps go to the task's file."""
    pixels = np.load(task.pixels)
    train, shown = (Batches(pixels[name], task.batch_size) for name in ("train", "shown"))
    torch.manual_seed(task.seed)
    side = SIDES[task.side](task)
    reset_peak_memory()
    before_mib, start = peak_memory_mib(), time.process_time()
    side.fit(train)
    fit_s, fit_mib = time.process_time() - start, peak_memory_mib() - before_mib
    start = time.process_time()
    maps = [side.maps(images_BCHW).numpy() for images_BCHW in shown]
    ms_per_image = 1000 * (time.process_time() - start) / len(shown)
    np.save(task.maps, np.concatenate(maps).astype(np.float32))
    return Spent(fit_s, ms_per_image, fit_mib, peak_memory_mib(), side.drawn())


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(asdict(spend(Task(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))))

"""One side of a comparison with a peer, in a process of its own: fit to pixels, map pixels, tell what it took.

`python -m benchmarks.speed.peer_side TASK.json`: parent and child speak through files, so that neither library is loaded into the
other's memory.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.common.provenance import peak_memory_mib, reset_peak_memory
from methods.contract import FittedMethod

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
    held_out: int
    """How many of `shown` are held-out good images; they come first."""
    epochs: int = 0
    """Of training; 0 for a method in closed form."""
    drawn: list[int] | None = None
    """PaDiM's dimensions, so that both sides have the same."""
    student: str = ""
    """STFPM's untrained student, for the same reason: a file that our side writes and the other reads."""


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
    def fit(self, train: "Batches", held_out: "Batches") -> None: ...
    def maps(self, images_BCHW: Tensor) -> Tensor: ...
    def drawn(self) -> list[int] | None: ...


class Batches:
    """Float images in [0, 1] from 8-bit pixels, a batch at a time; each time in another order, where a generator draws one."""

    def __init__(
        self, pixels_NHWC: NDArray[np.uint8], batch_size: int, shuffled_by: torch.Generator | None = None
    ) -> None:
        self.pixels_NHWC, self.batch_size, self.shuffled_by = pixels_NHWC, batch_size, shuffled_by

    def __len__(self) -> int:
        return len(self.pixels_NHWC)

    def __iter__(self) -> Iterator[Tensor]:
        generator = self.shuffled_by
        order_N = torch.arange(len(self)) if generator is None else torch.randperm(len(self), generator=generator)
        for first in range(0, len(self), self.batch_size):
            batch_BHWC = torch.from_numpy(self.pixels_NHWC[order_N[first : first + self.batch_size].numpy()])
            yield batch_BHWC.permute(0, 3, 1, 2).float().div_(255)


class Ours:
    """A method of this project, without a trainer."""

    def __init__(self, task: Task) -> None:
        module, _, name = task.target.rpartition(".")
        self.task, self.method = task, getattr(import_module(module), name)(**task.settings)
        if task.student:
            torch.save(self.method.student.state_dict(), task.student)

    def fit(self, train: Batches, held_out: Batches) -> None:
        if not isinstance(self.method, FittedMethod):
            optimizer = self.method.configure_optimizers()
            train_epochs(self.task, train, optimizer, self.method.loss, lambda: self._validate(held_out))
            self.method.on_fit_end()
            self.method.eval()
            return
        self.method.training_images = len(train)
        for images_BCHW in train:
            self.method.observe(images_BCHW)
        self.method.fit()

    def _validate(self, held_out: Batches) -> None:
        self.method.eval()
        self.method.on_validation_epoch_start()
        for images_BCHW in held_out:
            self.method.validation_step(images_BCHW)
        self.method.on_validation_epoch_end()
        self.method.train()

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
        frozen = self.model.teacher_model if task.student else self.model.feature_extractor
        extractor = frozen.feature_extractor
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

    def _stfpm(self, settings: dict[str, Any]) -> Any:
        module: Any = import_module("anomalib.models.image.stfpm.torch_model")
        extractor = module.TimmFeatureExtractor
        # The teacher would be downloaded; its weights come from the task's file.
        module.TimmFeatureExtractor = lambda **asked: extractor(**asked | {"pre_trained": False})
        stfpm = module.STFPMModel(settings["layers"], settings["backbone"])
        stfpm.student_model.feature_extractor.load_state_dict(torch.load(self.task.student), strict=False)
        return stfpm

    def _train_student(self, train: Batches) -> None:
        """With the loss and the optimizer of anomalib's Lightning module."""
        distance = import_module("anomalib.models.image.stfpm.loss").STFPMLoss()
        student = self.model.student_model.parameters()
        optimizer = torch.optim.SGD(student, lr=0.4, momentum=0.9, weight_decay=1e-3)
        train_epochs(self.task, train, optimizer, lambda images_BCHW: distance(*self.model(_normalised(images_BCHW))))

    def fit(self, train: Batches, held_out: Batches) -> None:
        self.model.train()
        if self.task.epochs:
            self._train_student(train)
            self.model.eval()
            return
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


def train_epochs(
    task: Task,
    train: Batches,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Tensor], Tensor],
    after_epoch: Callable[[], None] = lambda: None,
) -> None:
    """The same loop for both sides: the same images in the same order."""
    shuffled = Batches(train.pixels_NHWC, train.batch_size, torch.Generator().manual_seed(task.seed))
    for _ in range(task.epochs):
        for images_BCHW in shuffled:
            with torch.enable_grad():
                optimizer.zero_grad()
                torch.autograd.backward(loss(images_BCHW))
            optimizer.step()
        after_epoch()


def _normalised(images_BCHW: Tensor) -> Tensor:
    """As anomalib's preprocessing does it, in the layout that its DFM needs."""
    return ((images_BCHW - MEAN) / STD).contiguous()


SIDES: dict[str, type[Side]] = {"ours": Ours, "anomalib": Anomalib}


@torch.no_grad()
def spend(task: Task) -> Spent:
    """Fit and map; the maps go to the task's file."""
    pixels = np.load(task.pixels)
    train, shown = (Batches(pixels[name], task.batch_size) for name in ("train", "shown"))
    held_out = Batches(shown.pixels_NHWC[: task.held_out], task.batch_size)
    torch.manual_seed(task.seed)
    side = SIDES[task.side](task)
    reset_peak_memory()
    before_mib, start = peak_memory_mib(), time.process_time()
    side.fit(train, held_out)
    fit_s, fit_mib = time.process_time() - start, peak_memory_mib() - before_mib
    start = time.process_time()
    maps = [side.maps(images_BCHW).numpy() for images_BCHW in shown]
    ms_per_image = 1000 * (time.process_time() - start) / len(shown)
    np.save(task.maps, np.concatenate(maps).astype(np.float32))
    return Spent(fit_s, ms_per_image, fit_mib, peak_memory_mib(), side.drawn())


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(asdict(spend(Task(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))))

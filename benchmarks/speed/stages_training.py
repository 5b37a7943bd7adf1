"""Training of the autoencoder, from the image files to the weights, and its SSIM."""

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

from benchmarks.common.seeding import stream, stream_seed
from benchmarks.config.catalogue import options
from benchmarks.data.augmentation import Augmentation, Views, draw_views
from benchmarks.data.datamodule import DefectData, Input, Training
from benchmarks.data.datasets import ViewBatch
from benchmarks.data.index import ImageFile
from benchmarks.speed.harness import Alternative, Setting, Stage, installed
from benchmarks.speed.inputs import picture_files, texture
from methods.ae import LAYERS, AutoencoderL2
from methods.blocks.chunks import images_at_once
from methods.blocks.ssim import SSIM

SEED = 0
IMAGES = 8
AUGMENTATION = Augmentation(
    rotation_deg=10, translation=0.02, mirror=(), border="zeros"
)  # Pillow fills with zeros, too
WINDOW, SIGMA, C1, C2 = 11, 1.5, 1e-4, 9e-4


@dataclass(frozen=True)
class Job:
    """A few training steps: patches of 512 px images, or whole images at the network's size."""

    files: tuple[ImageFile, ...]
    source_px: int
    patch: int | None
    batch: int
    steps: int
    cache: Path
    device: str

    @property
    def half_precision(self) -> bool:
        """On a GPU as `trainer=gpu_fast` trains."""
        return self.device == "cuda"

    @property
    def px(self) -> int:
        return self.patch or self.source_px

    def data(self) -> DefectData:
        return DefectData(
            self.files,
            Input(self.source_px, "rgb", self.patch),
            Training(self.batch, 1, None, self.batch * self.steps),
            AUGMENTATION,
            validation_share=1 / IMAGES,
            predict_batch_size=8,
            seed=SEED,
            cache_dir=self.cache,
        )

    def method(self) -> AutoencoderL2:
        torch.manual_seed(SEED)
        stated = options("method")["ae_l2"].model
        settings: dict[str, Any] = {name: stated[name] for name in stated if name not in {"_target_", "channels", "px"}}
        return AutoencoderL2(channels=3, px=self.px, **settings)


def _job(setting: Setting, patch: int | None, steps: int) -> Job:
    source_px = 512 if patch else 256
    files = picture_files(setting.folder / "pictures", IMAGES, source_px)
    return Job(files, source_px, patch, setting.size(128, 16), steps, setting.folder / "cache", setting.device)


def training(setting: Setting) -> Iterator[Stage]:
    """Data path, augmentation and training step; losses may differ by what Pillow rounds, down, to 8 bits, and bfloat16."""
    for patch in (128, None):
        job = _job(setting, patch, steps=2)
        yield Stage(
            f"AE training at {job.px} px, batch {job.batch}, {job.steps} steps with data and augmentation",
            partial(train_by_lightning, job),
            {"default layout, DataLoader workers, Pillow, torchvision": Alternative(partial(train_plainly, job))},
            tolerance=0.02,
            aim=setting.aim(4, 5),
            arithmetic=True,
        )


def overhead(setting: Setting) -> Iterator[Stage]:
    """Lightning, data and augmentation against the same steps on tensors that are there already."""
    full = 6 if setting.device == "cpu" else 200  # a GPU makes 200 steps while Lightning starts up
    job = _job(setting, 128, steps=setting.size(full, 2))
    resident = rendered(job)
    yield Stage(
        f"AE training with Lightning, data and augmentation, {job.px} px, batch {job.batch}, {job.steps} steps",
        lambda: train_by_lightning(job),
        {"bare steps on resident tensors": Alternative(lambda: train_barely(job, resident))},
        tolerance=1e-4,
        aim=1 / 1.1,  # an overhead of up to 10 %
    )


class _Losses(pl.Callback):
    def __init__(self) -> None:
        self.losses: list[Tensor] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: Any) -> None:
        self.losses.append(outputs["loss"])


def train_by_lightning(job: Job) -> list[float]:
    """As a run trains: losses of all steps."""
    losses = _Losses()
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        trainer = pl.Trainer(
            accelerator="gpu" if job.device == "cuda" else "cpu",
            devices=1,
            max_epochs=1,
            precision="bf16-mixed" if job.half_precision else "32-true",
            limit_val_batches=0,
            callbacks=[losses],
            **quiet,  # type: ignore[arg-type]
        )
        trainer.fit(job.method(), datamodule=job.data())
    return torch.stack(losses.losses).tolist()


def rendered(job: Job) -> list[Tensor]:
    """All training batches of a job, augmented, on its device."""
    data = job.data()
    batches = (ViewBatch(*(part.to(job.device) for part in batch)) for batch in data.train_dataloader())
    return [data.on_after_batch_transfer(batch, 0) for batch in batches]


def train_barely(job: Job, batches: list[Tensor]) -> list[float]:
    """Forward, backward, Adam, of as many images at once as our training."""
    method = job.method().to(job.device)
    return _steps(method, batches, images_at_once(job.px, LAYERS[0][2], method.device), job.half_precision)


def train_plainly(job: Job) -> list[float]:
    """The default layout, nothing in place, a batch in one piece, samples decoded and augmented in two worker processes."""
    method = job.method().to(job.device, memory_format=torch.contiguous_format)
    for layer in method.modules():
        if isinstance(layer, nn.LeakyReLU):
            layer.inplace = False
    order = torch.Generator().manual_seed(stream_seed(SEED, "order"))
    loader = DataLoader(plain_samples(job), job.batch, shuffle=True, generator=order, num_workers=2)
    return _steps(method, (batch.to(job.device) for batch in loader), job.batch)


def _steps(method: AutoencoderL2, batches: Any, at_once: int, half_precision: bool = False) -> list[float]:
    adam = method.configure_optimizers()
    losses = []
    for batch_BCHW in batches:
        adam.zero_grad()
        batch_loss = torch.zeros((), device=method.device)
        for part_BCHW in torch.split(batch_BCHW, at_once):
            with torch.autocast(method.device.type, torch.bfloat16, enabled=half_precision):
                loss = method.loss(part_BCHW, method(part_BCHW)) * (len(part_BCHW) / len(batch_BCHW))
            loss.backward()  # type: ignore[no-untyped-call]
            batch_loss += loss.detach()
        adam.step()
        losses.append(batch_loss)
    return torch.stack(losses).tolist()


def plain_samples(job: Job) -> "PlainSamples":
    """The samples of the job's data, before they are put in order."""
    files = job.data().fit_files
    size, rng = (job.source_px, job.source_px), stream(SEED, "augmentation")
    views = draw_views(AUGMENTATION, job.batch * job.steps, len(files), size, job.patch, rng)
    return PlainSamples([file.path for file in files], views, job.patch)


class PlainSamples(Dataset[Tensor]):
    """The same views, one at a time: open the file, turn and shift the image, cut the patch from its centre."""

    def __init__(self, paths: list[Path], views: Views, patch: int | None) -> None:
        self.paths, self.views, self.patch = paths, views, patch

    def __len__(self) -> int:
        return len(self.views.image_N)

    def __getitem__(self, index: int) -> Tensor:
        image = Image.open(self.paths[self.views.image_N[index]]).convert("RGB")
        turn_22 = self.views.turn_N22[index]
        middle_2 = (np.array(image.size) - 1) / 2
        shift_2 = np.linalg.inv(turn_22) @ (middle_2 - self.views.centre_N2[index])
        angle = -math.degrees(math.atan2(turn_22[1, 0], turn_22[0, 0]))
        moved = TF.affine(image, angle, shift_2.tolist(), 1.0, [0.0, 0.0], InterpolationMode.BILINEAR)
        sample: Tensor = TF.to_tensor(TF.center_crop(moved, [self.patch] * 2) if self.patch else moved)
        return sample


def ssim(setting: Setting) -> Iterator[Stage]:
    """The loss with its gradient, and the map alone, on gray images."""
    batch, px = setting.size(16, 2), setting.size(128, 64)
    a_BCHW, b_BCHW = (
        torch.from_numpy(np.stack([texture(px, seed + 100 * which) for seed in range(batch)]))[:, None].to(
            setting.device
        )
        for which in range(2)
    )
    ours = SSIM(WINDOW, SIGMA, C1, C2)
    maps, means, missing = _ssim_libraries()
    size = f"{batch}x1x{px}x{px}"
    yield Stage(
        f"SSIM loss and gradient, {size}",
        partial(_loss_and_gradient, ours, a_BCHW, b_BCHW),
        {name: Alternative(partial(_loss_and_gradient, of, a_BCHW, b_BCHW)) for name, of in (maps | means).items()},
        missing,
        tolerance=1e-4,
        aim=setting.aim(2, 2),
    )
    alternatives = {name: Alternative(partial(_without_gradient, of, a_BCHW, b_BCHW)) for name, of in maps.items()}
    for name, of in means.items():
        of_means = partial(_without_gradient, of, a_BCHW, b_BCHW)
        alternatives[f"{name} (means alone)"] = Alternative(of_means, compare=_difference_of_means)
    yield Stage(
        f"SSIM map, {size}",
        partial(_without_gradient, ours, a_BCHW, b_BCHW),
        alternatives,
        missing,
        tolerance=1e-3,  # where the images are flat, float32 leaves each of them some 1e-4 from float64
        aim=setting.aim(5, 2),
    )


Pair = Callable[[Tensor, Tensor], Tensor]


def _ssim_libraries() -> tuple[dict[str, Pair], dict[str, Pair], list[str]]:
    """Those that give maps, those that give each image's mean alone, and those that are not installed."""
    from kornia.metrics import ssim as kornia_ssim

    maps: dict[str, Pair] = {"kornia": lambda a, b: kornia_ssim(a, b, WINDOW)}
    means: dict[str, Pair] = {}
    missing = []
    if installed("torchmetrics"):
        maps["torchmetrics"] = _torchmetrics_map
    else:
        missing.append("torchmetrics")
    if installed("pytorch_msssim"):
        means["pytorch-msssim"] = _msssim_means
    else:
        missing.append("pytorch-msssim")
    return maps, means, missing


def _torchmetrics_map(a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
    from torchmetrics.functional.image import structural_similarity_index_measure

    _, map_BCHW = structural_similarity_index_measure(
        a_BCHW, b_BCHW, sigma=SIGMA, kernel_size=WINDOW, data_range=1.0, return_full_image=True
    )
    assert isinstance(map_BCHW, Tensor)
    return map_BCHW


def _msssim_means(a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
    """It windows without a border, so the images are reflected first, as ours and the others do."""
    from pytorch_msssim import ssim

    a_BCHW, b_BCHW = (F.pad(images, [WINDOW // 2] * 4, mode="reflect") for images in (a_BCHW, b_BCHW))
    means_B: Tensor = ssim(a_BCHW, b_BCHW, data_range=1.0, size_average=False, win_size=WINDOW, win_sigma=SIGMA)
    return means_B


def _difference_of_means(map_BCHW: NDArray[np.float32], mean_B: NDArray[np.float32]) -> float:
    return float(abs(map_BCHW.mean((1, 2, 3)) - mean_B).max())


def _loss_and_gradient(ssim_of: Pair, a_BCHW: Tensor, b_BCHW: Tensor) -> Any:
    b_BCHW = b_BCHW.clone().requires_grad_()
    loss = 1 - ssim_of(a_BCHW, b_BCHW).mean()
    (gradient_BCHW,) = torch.autograd.grad(loss, b_BCHW)
    # scaled by the number of pixels, the gradient is of the loss' order, so that both are compared
    return torch.cat([loss.detach()[None], gradient_BCHW.flatten() * gradient_BCHW.numel()]).cpu().numpy()


@torch.no_grad()
def _without_gradient(ssim_of: Pair, a_BCHW: Tensor, b_BCHW: Tensor) -> Any:
    return ssim_of(a_BCHW, b_BCHW).cpu().numpy()

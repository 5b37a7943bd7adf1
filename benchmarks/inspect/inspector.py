"""The inspector: one image in, one verdict out, by exactly the steps of the run that it was saved by."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.common.errors import UserError
from benchmarks.data.cache import Decoding
from benchmarks.data.datasets import to_float
from benchmarks.data.images import open_image
from benchmarks.data.placement import area_on_image, map_on_image
from benchmarks.inspect.frozen import share_frozen
from benchmarks.inspect.specification import Specification, fitted_methods, read_specification
from benchmarks.protocol.area_score import area_in_pixels, area_scores
from benchmarks.protocol.cross import cross_scores
from benchmarks.protocol.regions import bounding_box, label_regions
from methods.contract import Method

ImageLike = Path | str | Image.Image | NDArray[np.uint8]


@dataclass(frozen=True)
class Region:
    """A region of the map above the threshold, as its bounding box in pixels of the image file."""

    left: int
    top: int
    width: int
    height: int
    area: float
    """Share of the image that the region itself covers."""
    peak: float
    """Highest value of the map in it."""


@dataclass(frozen=True)
class Verdict:
    """What an inspector says of one image."""

    name: str
    defective: bool
    score: float
    threshold: float
    regions: tuple[Region, ...]
    """Of a defective image, largest first; a good one has none."""
    milliseconds: float
    """Decoding, map and score."""
    size: tuple[int, int]
    """Height and width of the image."""
    notes: tuple[str, ...]
    """What is unlike the training images: size, colour, bit depth."""
    map_HW: NDArray[np.float32] = field(repr=False, compare=False)


class Inspector:
    """A fitted method with its preprocessing and threshold. `Inspector.load(folder)` reads one.

    Args:
        specification: everything but the weights.
        methods: the fitted members, on the device where maps are to be computed.
    """

    def __init__(self, specification: Specification, methods: Sequence[Method]) -> None:
        self.specification, self.methods = specification, list(methods)
        self.decoding = Decoding(**specification.decoding)
        self._held_out_V = np.array(specification.held_out_scores)
        self._fold_V = np.array(specification.folds)
        share_frozen(self.methods)

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> "Inspector":
        """Read what `defectbench choose` or `run save_inspector=true` left.

        Args:
            device: where maps are computed, such as "cpu" or "cuda".

        Raises:
            UserError: the folder is no inspector, damaged, or the device is not there.
        """
        specification = read_specification(Path(folder))
        methods = fitted_methods(Path(folder), specification)
        return cls(specification, [method.to(_device(device)) for method in methods])

    def __call__(self, image: ImageLike) -> Verdict:
        """Inspect one image: a path, a Pillow image, or uint8 pixels of shape (H, W) or (H, W, C).

        Raises:
            UserError: the image cannot be read, or the method needs another size.
        """
        start = time.perf_counter()
        opened = self._opened(image)
        pixels_HWC = self.decoding.of(opened.image, opened.name)
        maps_KHW, own_K = self.maps(pixels_HWC)
        return self._verdict(opened, maps_KHW, self.score(maps_KHW, own_K), start)

    def pixels(self, path: Path) -> NDArray[np.uint8]:
        """An image file as the method takes it, (H, W, C)."""
        return self.decoding.of(open_image(path), str(path))

    def maps(self, pixels_HWC: NDArray[np.uint8]) -> tuple[NDArray[np.float32], list[float]]:
        """Anomaly maps of decoded pixels by the K members, (K, H, W), and the members' own image scores, if they have any."""
        images_BCHW = to_float(torch.tensor(pixels_HWC)[None]).to(self.methods[0].device)
        with torch.inference_mode():
            predicted = [method.predict_step(images_BCHW) for method in self.methods]
        both = [one if isinstance(one, tuple) else (one, None) for one in predicted]
        maps_KHW = np.stack([maps_BHW[0].float().cpu().numpy() for maps_BHW, _ in both])
        return maps_KHW, [float(scores_B[0]) for _, scores_B in both if scores_B is not None]

    def score(self, maps_KHW: NDArray[np.float32], own_K: Sequence[float] = ()) -> float:
        """The score that decides, as the run decided by it."""
        score_K = self.member_scores(maps_KHW, own_K)
        if len(score_K) == 1:
            return float(score_K[0])
        return float(cross_scores(self._held_out_V, self._fold_V, score_K[:, None])[0])

    def member_scores(self, maps_KHW: NDArray[np.float32], own_K: Sequence[float] = ()) -> NDArray[np.float64]:
        """The K members' scores: score_A of their maps, or their own ones where these decide."""
        if self.specification.score == "own":
            return np.array(own_K, dtype=np.float64)
        area = area_in_pixels(self.specification.area, maps_KHW[0].size)
        return np.array([area_scores(map_HW, [area])[0] for map_HW in maps_KHW], dtype=np.float64)

    def _opened(self, image: ImageLike) -> "_Opened":
        if isinstance(image, str | Path):
            path = Path(image)
            return _Opened(str(path), open_image(path))
        return _Opened("image", image if isinstance(image, Image.Image) else _from_array(image))

    def _verdict(self, opened: "_Opened", maps_KHW: NDArray[np.float32], score: float, start: float) -> Verdict:
        size = (opened.image.height, opened.image.width)
        map_HW = maps_KHW.mean(axis=0) if len(maps_KHW) > 1 else maps_KHW[0]
        area, fit = self.specification.area, self.decoding.fit if self.decoding.px else "squash"
        if fit != "squash":  # padding is no part of the image
            map_HW, area = map_on_image(map_HW, size, fit), area_on_image(area, size, fit)
        defective = score > self.specification.threshold
        return Verdict(
            name=opened.name,
            defective=defective,
            score=score,
            threshold=self.specification.threshold,
            regions=self._regions(map_HW, area, size) if defective else (),
            milliseconds=1000 * (time.perf_counter() - start),
            size=size,
            notes=self._unlike_training(size, opened.image.mode),
            map_HW=map_HW,
        )

    def _regions(self, map_HW: NDArray[np.float32], area: float, size: tuple[int, int]) -> tuple[Region, ...]:
        """Where a defective image deviates: above the threshold or, if members or an own score decided otherwise, where most."""
        highest = float(area_scores(map_HW, [area_in_pixels(area, map_HW.size)])[0])
        return regions_of(map_HW, min(self.specification.map_threshold, np.nextafter(highest, -np.inf)), area, size)

    def _unlike_training(self, size: tuple[int, int], mode: str) -> tuple[str, ...]:
        """What sets a file apart from those that the method was fitted to."""
        known = self.specification.trained_on
        notes = []
        if tuple(known["size"]) != size:
            there = f"{known['size'][1]} x {known['size'][0]}"
            notes.append(f"{size[1]} x {size[0]} pixels, the training images had {there}")
        if known["mode"] != mode:
            notes.append(f"{MODES.get(mode, mode)}, the training images were {MODES.get(known['mode'], known['mode'])}")
        return tuple(notes)


def _from_array(array: NDArray[np.uint8]) -> Image.Image:
    try:
        return Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"An array of {array.dtype} and shape {array.shape} is no image: give uint8 pixels of shape (H, W) or (H, W, 3)."
        ) from error


@dataclass(frozen=True)
class _Opened:
    name: str
    image: Image.Image


MODES = {
    "1": "black and white",
    "L": "8-bit gray",
    "LA": "8-bit gray with alpha",
    "I;16": "16-bit gray",
    "I": "32-bit gray",
    "P": "palette colour",
    "RGB": "8-bit colour",
    "RGBA": "8-bit colour with alpha",
}


def regions_of(map_HW: NDArray[np.float32], threshold: float, area: float, size: tuple[int, int]) -> tuple[Region, ...]:
    """Regions of at least the minimum area above the threshold, largest first, in pixels of an image of `size` (height, width)."""
    least = area_in_pixels(area, map_HW.size)
    labels_HW, count = label_regions(map_HW > np.float64(threshold))
    sizes = np.bincount(labels_HW.ravel(), minlength=count + 1)
    kept = [number for number in range(1, count + 1) if sizes[number] >= least]
    kept.sort(key=lambda number: -sizes[number])
    return tuple(_region(labels_HW == number, map_HW, size) for number in kept)


def _region(mask_HW: NDArray[np.bool_], map_HW: NDArray[np.float32], size: tuple[int, int]) -> Region:
    rows, columns = bounding_box(mask_HW)
    down, across = size[0] / map_HW.shape[0], size[1] / map_HW.shape[1]
    top, left = int(rows.start * down), int(columns.start * across)
    return Region(
        left=left,
        top=top,
        width=round(columns.stop * across) - left,
        height=round(rows.stop * down) - top,
        area=float(mask_HW.mean()),
        peak=float(map_HW[mask_HW].max()),
    )


def _device(name: str) -> torch.device:
    kinds = ("cpu", "cuda", "mps") if torch.backends.mps.is_available() else ("cpu", "cuda")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")  # which computes nothing
    if device.type not in kinds:
        raise UserError(f"There is no device {name!r} here: say cpu, cuda, or cuda:1.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"There is no GPU {name} here ({torch.cuda.device_count()} found): say --device cpu.")
    return device

"""How the scores of good images move when the image is a little brighter, blurred, shifted or turned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.inspect import Inspector

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Move:
    """What a change of the image does to the good images' decisions."""

    change: str
    alarms: int
    images: int
    score: float
    """Median of the images' scores."""
    threshold: float


def _brighter(share: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: ImageEnhance.Brightness(image).enhance(1 + share)


def _blurred(radius: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.filter(ImageFilter.GaussianBlur(radius * image.width / 256))


def _moved(share: float, angle: float) -> Callable[[Image.Image], Image.Image]:
    """Shifted to the right and turned about the centre; the nearest pixels fill what comes in."""

    def change(image: Image.Image) -> Image.Image:
        pad = image.width // 8
        padded = Image.fromarray(
            np.pad(np.asarray(image), ((pad, pad), (pad, pad), *([(0, 0)] * (len(image.getbands()) > 1))), mode="edge")
        )
        turned = padded.rotate(angle, Image.Resampling.BILINEAR, translate=(round(share * image.width), 0))
        return turned.crop((pad, pad, pad + image.width, pad + image.height))

    return change


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "5 % brighter": _brighter(0.05),
    "5 % darker": _brighter(-0.05),
    "20 % brighter": _brighter(0.2),
    "20 % darker": _brighter(-0.2),
    "slightly out of focus (blur of 0.4 % of the width)": _blurred(1),
    "out of focus (blur of 0.8 % of the width)": _blurred(2),
    "shifted by 1 % of the width": _moved(0.01, 0),
    "shifted by 3 % of the width": _moved(0.03, 0),
    "turned by 1 degree": _moved(0, 1),
    "turned by 3 degrees": _moved(0, 3),
}


def moves(inspector: Inspector, images: Sequence[Pixels]) -> list[Move]:
    """Scores and false alarms of good images (decoded, (H, W, C)) under each change, one change at a time."""
    return [_move(name, inspector, [change(_image(pixels)) for pixels in images]) for name, change in CHANGES.items()]


def _move(name: str, inspector: Inspector, images: Sequence[Image.Image]) -> Move:
    threshold = inspector.specification.threshold
    scores = np.array([_score(inspector, np.asarray(image)) for image in images])
    return Move(name, int((scores > threshold).sum()), len(images), float(np.median(scores)), threshold)


def _image(pixels_HWC: Pixels) -> Image.Image:
    return Image.fromarray(pixels_HWC[..., 0] if pixels_HWC.shape[2] == 1 else pixels_HWC)


def _score(inspector: Inspector, pixels: Pixels) -> float:
    return inspector.score(*inspector.maps(pixels[..., None] if pixels.ndim == 2 else pixels))

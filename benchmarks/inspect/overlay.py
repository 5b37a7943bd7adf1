"""Pictures of verdicts: the image, and beside it the anomaly map on one colour scale that is anchored at the threshold."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.data.images import to_pixels
from benchmarks.inspect.inspector import Region

PX = 480  # longer side of a panel
GAP = 8
BELOW, ABOVE = (
    np.array([255, 200, 40]),
    np.array([200, 0, 60]),
)  # what comes near the threshold is yellow, what exceeds it red
BOX = (0, 229, 255)


def overlay(
    image: Image.Image,
    map_HW: NDArray[np.float32],
    usual: float,
    threshold: float,
    regions: tuple[Region, ...] = (),
    bits: int | None = None,
) -> Image.Image:
    """The image with the regions' boxes, and beside it the image under its map.

    Args:
        image: in any mode.
        map_HW: its anomaly map, of any size.
        usual: value of the map that is shown as nothing; `threshold` is where yellow turns to red. Both are the inspector's,
            so that pictures of different images compare.
        bits: of 16-bit gray images, how many are used; None takes all 16.
    """
    panel = Image.fromarray(to_pixels(image, "rgb", bits=bits))
    panel.thumbnail((PX, PX))
    boxed = panel.copy()
    _draw_boxes(boxed, regions, panel.width / image.width)
    both = Image.new("RGB", (2 * panel.width + GAP, panel.height), "white")
    both.paste(boxed, (0, 0))
    both.paste(_coloured(panel, map_HW, usual, threshold), (panel.width + GAP, 0))
    return both


def _draw_boxes(panel: Image.Image, regions: tuple[Region, ...], scale: float) -> None:
    draw = ImageDraw.Draw(panel)
    for region in regions:
        left, top = region.left * scale - 2, region.top * scale - 2
        right, bottom = (region.left + region.width) * scale + 2, (region.top + region.height) * scale + 2
        draw.rectangle((left, top, right, bottom), outline=BOX, width=2)


def _coloured(panel: Image.Image, map_HW: NDArray[np.float32], usual: float, threshold: float) -> Image.Image:
    resized = Image.fromarray(map_HW).resize(panel.size, Image.Resampling.BILINEAR)
    level_HW = (np.asarray(resized, np.float64) - usual) / max(threshold - usual, 1e-12)
    opacity_HW1 = np.clip(0.75 * level_HW, 0, 0.75)[..., None]
    colour_HW3 = np.where(level_HW[..., None] > 1, ABOVE, BELOW)
    gray_HW3 = np.asarray(panel.convert("L").convert("RGB"), np.float64)
    mixed = gray_HW3 * (1 - opacity_HW1) + colour_HW3 * opacity_HW1
    return Image.fromarray(np.round(mixed).astype(np.uint8))

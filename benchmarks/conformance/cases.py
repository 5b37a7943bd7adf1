"""The golden cases: small maps and masks, each with one thing that libraries treat differently."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from PIL import Image

from benchmarks.common.files import write_text
from benchmarks.conformance import exact

METRICS = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro", "regions")
README = """# Golden cases for metrics of anomaly detection

Each folder is one case: `maps/NNN.tiff` (32-bit float, higher = more anomalous), `masks/NNN.png` (0 = normal, any other value =
defect) and `images.csv` (image, defective, score: the map's maximum). `answers.json` holds the exact answers, as fractions and as
numbers; null where a metric is not defined, as one class is missing.

image_auroc, image_ap: of the column `score`. pixel_auroc, pixel_ap: of all pixels of the case. AUROC counts equal pairs half; AP is
the sum over thresholds of recall gained times precision. aupro: mean covered share of the 8-connected regions over the
false-positive rate of all normal pixels, integrated from 0 to `limit`, divided by it, straight between points and at the limit.
regions: how many there are. Judge answers with `defectbench conformance --check ANSWERS.json`:
`{"library": "name", "version": "1.2", "answers": {"ties": {"image_auroc": 0.5, ...}, ...}}`.
"""


@dataclass(frozen=True)
class Case:
    """Maps and masks of one case; the limit of its AU-PRO."""

    name: str
    about: str
    maps_NHW: NDArray[np.floating]
    masks_NHW: NDArray[np.uint8]
    limit: Fraction = Fraction(3, 10)

    @property
    def scores(self) -> list[float]:
        return [float(map_HW.max()) for map_HW in self.maps_NHW]

    @property
    def defective(self) -> list[bool]:
        return [bool(mask_HW.any()) for mask_HW in self.masks_NHW]

    def answers(self) -> dict[str, Fraction | None]:
        """By definition, in rational arithmetic."""
        pixels, marked = self.maps_NHW.ravel().tolist(), (self.masks_NHW.ravel() > 0).tolist()
        masks = (self.masks_NHW > 0).astype(int).tolist()
        return {
            "image_auroc": exact.auroc(self.scores, self.defective),
            "image_ap": exact.average_precision(self.scores, self.defective),
            "pixel_auroc": exact.auroc(pixels, marked),
            "pixel_ap": exact.average_precision(pixels, marked),
            "aupro": exact.aupro(self.maps_NHW.tolist(), masks, self.limit),
            "regions": Fraction(sum(len(exact.regions_of(mask)) for mask in masks)),
        }


def cases() -> list[Case]:
    """All of them, the same at every call."""
    noise, masks = _noise(), _masks()
    corner = np.zeros_like(masks)
    corner[2, 2:4, 2:4] = corner[2, 4:7, 4:7] = 255
    dots = np.zeros_like(masks)
    dots[2, 1, 1] = dots[2, 5, 6] = dots[3, 3, 3] = 255
    return [
        Case("plain", "no ties, two regions of differing size", noise, masks),
        Case("ties", "scores of four values", np.round(noise * 3) / 3, masks),
        Case("constant", "every pixel scores the same", np.full_like(noise, 0.5), masks),
        Case("perfect", "every defect pixel above every normal one", np.where(masks > 0, noise + 2, noise), masks),
        Case("inverted", "every defect pixel below every normal one", np.where(masks > 0, noise - 2, noise), masks),
        Case("offset_20", "the plain case plus 20: a sigmoid in 32 bits makes them all 1", noise + np.float32(20), masks),
        Case("negative", "log-likelihoods: all scores far below 0", noise - np.float32(1000), masks),
        Case("quantised", "scores in 8 bits", np.floor(noise * 255), masks),
        Case("corner", "two regions that touch by a corner are one (8-connected)", noise, corner),
        Case("one_pixel", "regions of one pixel", noise, dots),
        Case("empty_masks", "no defect: nothing but the number of regions is defined", noise, np.zeros_like(masks)),
        Case("masks_of_1", "the plain case, masks of 0 and 1 instead of 255", noise, masks // 255),
        Case("limit_between", "between two points of the curve", np.round(noise * 2) / 2, masks, Fraction(1, 7)),
        Case("low_limit", "below the first point", np.round(noise * 2) / 2, masks, Fraction(1, 100)),
    ]  # fmt: skip


def _noise() -> NDArray[np.float32]:
    """Four maps of 8 x 8 px with distinct multiples of 2^-10, so that no sum or difference above is rounded."""
    values = np.random.default_rng(5).permutation(1024)[: 4 * 64].reshape(4, 8, 8)
    return (values / 1024).astype(np.float32)


def _masks() -> NDArray[np.uint8]:
    """Two good images, and two with a region of 6 and of 12 pixels."""
    masks = np.zeros((4, 8, 8), np.uint8)
    masks[2, 1:3, 2:5] = masks[3, 3:7, 4:7] = 255
    return masks


def write(folder: Path) -> Iterator[Path]:
    """Write all cases and their answers; returns the paths as they are written."""
    answers = {}
    for case in cases():
        place = folder / case.name
        for part in ("maps", "masks"):
            (place / part).mkdir(parents=True, exist_ok=True)
        for index, (map_HW, mask_HW) in enumerate(zip(case.maps_NHW, case.masks_NHW, strict=True)):
            tifffile.imwrite(place / "maps" / f"{index:03}.tiff", map_HW.astype(np.float32))
            Image.fromarray(mask_HW).save(place / "masks" / f"{index:03}.png")
        images = {
            "image": [f"{i:03}" for i in range(len(case.scores))],
            "defective": case.defective,
            "score": case.scores,
        }
        write_text(place / "images.csv", pd.DataFrame(images).to_csv(index=False))
        values = {
            name: None if v is None else {"exact": str(v), "value": float(v)} for name, v in case.answers().items()
        }
        answers[case.name] = {"about": case.about, "limit": str(case.limit), **values}
        yield place
    for name, text in (("answers.json", json.dumps(answers, indent=2) + "\n"), ("README.md", README)):
        write_text(folder / name, text)
        yield folder / name

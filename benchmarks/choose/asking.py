"""What an inspector is asked beyond its test scores: which drawn defects it finds in good images."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.choose.contenders import StandInResult
from benchmarks.choose.stand_in import stand_ins
from benchmarks.common.seeding import stream
from benchmarks.data.index import ImageFile
from benchmarks.inspect import Inspector

ASKED_IMAGES = 20
"""Good images that are asked about: enough for a share, few enough for seconds."""

TIMED_IMAGES = 3


def decoded(inspector: Inspector, images: Sequence[ImageFile]) -> list[NDArray[np.uint8]]:
    """The first of the images, as the method takes them."""
    return [inspector.decoding.read(image) for image in images[:ASKED_IMAGES]]


def milliseconds(inspector: Inspector, images: Sequence[ImageFile]) -> float:
    """From file to verdict, the median of a few images; the first warms up."""
    took = [inspector(image.path).milliseconds for image in images[: TIMED_IMAGES + 1]]
    return float(np.median(took[1:] or took))


def drawn(inspector: Inspector, good: Sequence[ImageFile]) -> Iterator[StandInResult]:
    """What is found of the defects drawn into good images. They are the same for all methods of one size."""
    for one in stand_ins(decoded(inspector, good), stream(0, "stand-in")):
        score = inspector.score(*inspector.maps(one.pixels_HWC))
        yield StandInResult(one.kind, one.size, one.contrast, score > inspector.specification.threshold, score)

"""Which good training images are fitted to, and which are held out for the threshold."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.common.seeding import stream

T = TypeVar("T")


class Fold(NamedTuple):
    """One of the fits of `protocol.held_out=cross`."""

    number: int
    of: int


IMAGES = "good training image(s)", "good images to train/good"
SAMPLES = "normal sample(s)", "normal rows or digits"
Words = tuple[str, str]
"""What is split, and what to add where there is too little of it."""


def split(train: Sequence[T], validation_share: float, seed: int, words: Words = IMAGES) -> tuple[list[T], list[T]]:
    """Draw the validation images from the good training images; both parts keep the given order.

    Returns:
        (images to fit to, held-out images).

    Raises:
        UserError: either part would be empty.
    """
    held_out = round(validation_share * len(train))
    if not 1 <= held_out < len(train):
        raise UserError(
            f"{len(train)} {words[0]} and protocol.validation_share={validation_share} leave "
            f"{len(train) - held_out} to fit to and {held_out} for the threshold; both need at least one. "
            f"Add {words[1]} or change the share."
        )
    chosen = set(stream(seed, "split").permutation(len(train))[:held_out].tolist())
    fit_part = [image for index, image in enumerate(train) if index not in chosen]
    return fit_part, [image for index, image in enumerate(train) if index in chosen]


def fold_split(train: Sequence[T], fold: Fold, seed: int) -> tuple[list[T], list[T]]:
    """Hold out one fold: over all folds every image is held out once. Both parts keep the given order.

    Returns:
        (images to fit to, held-out images).

    Raises:
        UserError: fewer than two folds, or fewer images than folds.
    """
    if not 2 <= fold.of <= len(train):
        raise UserError(
            f"{len(train)} good training image(s) cannot be held out in {fold.of} folds: set protocol.folds to a number from 2 to "
            f"{len(train)}."
            if len(train) > 1
            else "protocol.held_out=cross needs at least two good training images."
        )
    place = stream(seed, "folds").permutation(len(train)) % fold.of
    fit_part = [image for image, own in zip(train, place, strict=True) if own != fold.number]
    return fit_part, [image for image, own in zip(train, place, strict=True) if own == fold.number]


def draw(images: Sequence[T], count: int | None, seed: int) -> list[T]:
    """`count` random images for the methods that the paper fits to a few only; all of them if there are no more, or for None."""
    if count is None or count >= len(images):
        return list(images)
    return [images[index] for index in sorted(stream(seed, "fit images").permutation(len(images))[:count])]


def hold_out(count: int, share: float, seed: int) -> NDArray[np.bool_]:
    """Which of `count` normal samples become test samples, where a dataset has no test part of its own.

    The draw is the dataset's, not the run's: seeds of a cell share their test samples.
    """
    chosen = np.zeros(count, dtype=bool)
    chosen[stream(seed, "test samples").permutation(count)[: round(share * count)]] = True
    return chosen

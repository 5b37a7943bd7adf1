"""Metrics by their definitions, in rational arithmetic: slow, and without any rounding."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

Grid = Sequence[Sequence[float]]
Mask = Sequence[Sequence[int]]


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> Fraction | None:
    """The share of pairs (defective, good) in which the defective one scores higher, equal ones counting half."""
    bad = [score for score, label in zip(scores, labels, strict=True) if label]
    good = [score for score, label in zip(scores, labels, strict=True) if not label]
    if not bad or not good:
        return None
    doubled = sum(2 * (b > g) + (b == g) for b in bad for g in good)
    return Fraction(doubled, 2 * len(bad) * len(good))


def average_precision(scores: Sequence[float], labels: Sequence[bool]) -> Fraction | None:
    """The sum over all thresholds of the gain in recall times the precision (no interpolation)."""
    positives = sum(labels)
    if not positives or positives == len(labels):
        return None
    total, found_before = Fraction(0), 0
    for threshold in sorted(set(scores), reverse=True):
        flagged = [label for score, label in zip(scores, labels, strict=True) if score >= threshold]
        found = sum(flagged)
        total += Fraction(found - found_before, positives) * Fraction(found, len(flagged))
        found_before = found
    return total


def aupro(maps: Sequence[Grid], masks: Sequence[Mask], limit: Fraction) -> Fraction | None:
    """The area below the curve of the mean covered share of all 8-connected regions over the false-positive rate, up to `limit`.

    Divided by `limit`. Points of equal scores are one; between points the curve is straight, at `limit` too.
    """
    regions = [[maps[i][r][c] for r, c in region] for i, mask in enumerate(masks) for region in regions_of(mask)]
    normal = [
        score
        for map_, mask in zip(maps, masks, strict=True)
        for score_row, mask_row in zip(map_, mask, strict=True)
        for score, marked in zip(score_row, mask_row, strict=True)
        if not marked
    ]
    if not regions or not normal:
        return None
    points = [(Fraction(0), Fraction(0))]
    for threshold in sorted({*normal, *(score for region in regions for score in region)}, reverse=True):
        covered = sum((Fraction(sum(s >= threshold for s in region), len(region)) for region in regions), Fraction(0))
        points.append((Fraction(sum(score >= threshold for score in normal), len(normal)), covered / len(regions)))
    return sum(_areas(points, limit), Fraction(0)) / limit


def _areas(points: Sequence[tuple[Fraction, Fraction]], limit: Fraction) -> Iterator[Fraction]:
    for (x1, y1), (x2, y2) in pairwise(points):
        if x1 >= limit or x1 == x2:
            continue
        end = min(x2, limit)
        at_end = y1 + (y2 - y1) * (end - x1) / (x2 - x1)
        yield (end - x1) * (y1 + at_end) / 2


def regions_of(mask: Mask) -> list[list[tuple[int, int]]]:
    """The pixels of each 8-connected region."""
    waiting = {(r, c) for r, row in enumerate(mask) for c, marked in enumerate(row) if marked}
    found = []
    while waiting:
        region, border = [], [waiting.pop()]
        while border:
            r, c = border.pop()
            region.append((r, c))
            near = {(r + dr, c + dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1)} & waiting
            waiting -= near
            border += near
        found.append(region)
    return found

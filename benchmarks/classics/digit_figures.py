"""What a fitted method makes of digits and of what it has never seen: noise of rising strength, odd shapes, the left-out digit."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.classics.plots import NORMAL, THRESHOLD, UNSEEN, error_histogram, figure, save
from benchmarks.common.seeding import stream
from benchmarks.data.samples import SampleData
from methods.blocks.reconstruction import ReconstructionMethod
from methods.contract import SampleMethod

NOISE = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)  # standard deviations, in units of the gray range
COLUMNS = len(NOISE)
NOISY_DIGITS = 200  # that the curve over the noise is averaged over


class Group(NamedTuple):
    """Pictures of one kind, each with a short caption."""

    title: str
    pictures_NCHW: Tensor
    captions: list[str]


def draw(method: SampleMethod, data: SampleData, scores: pd.DataFrame, threshold: float, folder: Path) -> None:
    """Write `reconstructions.png` (for methods that reconstruct), `errors.png` and `unseen.csv`."""
    groups = [*_digits(data), _noise(data), _shapes(data.shape[-1])]
    if isinstance(method, ReconstructionMethod):
        _draw_reconstructions(method, groups, threshold, folder / "reconstructions.png")
    unseen = _unseen(method, data, groups[-1], scores, threshold)
    _draw_errors(scores, unseen, threshold, folder / "errors.png")
    unseen.to_csv(folder / "unseen.csv", index=False, float_format="%.6g")


def odd_shapes(px: int) -> dict[str, NDArray[np.float32]]:
    """White shapes that are no digits, (px, px) each."""
    y, x = np.mgrid[:px, :px] / (px - 1) * 2 - 1  # from -1 to 1
    radius, side = np.hypot(x, y), np.maximum(np.abs(x), np.abs(y))
    shapes = {
        "square": side < 0.5,
        "frame": (side < 0.7) & (side > 0.5),
        "disc": radius < 0.6,
        "triangle": (y < 0.6) & (y > 2 * np.abs(x) - 0.7),
        "cross": (np.minimum(np.abs(x), np.abs(y)) < 0.12) & (side < 0.7),
        "stripes": (np.floor((y + 1) * 4) % 2 == 0) & (side < 0.8),
        "checkers": ((np.floor((x + 1) * 4) + np.floor((y + 1) * 4)) % 2 == 0) & (side < 0.8),
        "all white": side <= 1,
    }
    return {name: shape.astype(np.float32) for name, shape in shapes.items()}


def _digits(data: SampleData) -> Iterator[Group]:
    anomalous = data.samples.anomalous
    for title, which in (("digits it knows", ~anomalous), ("the left-out digit", anomalous)):
        chosen = np.flatnonzero(which)[:COLUMNS]
        yield Group(title, data.prepared(data.samples.test[chosen]), [""] * len(chosen))


def _noise(data: SampleData) -> Group:
    clean_1CHW = data.prepared(data.samples.test[np.flatnonzero(~data.samples.anomalous)[:1]])
    noisy = torch.cat([with_noise(clean_1CHW, strength, data.seed) for strength in NOISE])
    return Group("noise", noisy, [f"σ {strength:g}" for strength in NOISE])


def with_noise(pictures_NCHW: Tensor, strength: float, seed: int) -> Tensor:
    """Gaussian noise of the given standard deviation, clipped to [0, 1]; the same pattern at every strength."""
    pattern = stream(seed, "noise").standard_normal(pictures_NCHW.shape).astype(np.float32)
    return (pictures_NCHW + strength * torch.from_numpy(pattern)).clamp(0, 1)


def _shapes(px: int) -> Group:
    shapes = odd_shapes(px)
    return Group("odd shapes", torch.from_numpy(np.stack(list(shapes.values())))[:, None], list(shapes))


@torch.no_grad()
def _score(method: SampleMethod, pictures_NCHW: Tensor) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = method.anomaly_score(pictures_NCHW.to(method.device)).double().cpu().numpy()
    return scores


def _unseen(
    method: SampleMethod, data: SampleData, shapes: Group, scores: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """Columns what, mean_score, share_above_threshold: for known digits, the left-out one, each noise and each shape."""
    test = scores[scores["split"] == "test"]
    found = {str(kind): part["score"].to_numpy() for kind, part in test.groupby("defect_type")}
    known = np.flatnonzero(~data.samples.anomalous)[:NOISY_DIGITS]
    clean = data.prepared(data.samples.test[known])
    for strength in NOISE:
        found[f"noise {strength:g}"] = _score(method, with_noise(clean, strength, data.seed))
    for name, picture_CHW in zip(shapes.captions, shapes.pictures_NCHW, strict=True):
        found[name] = _score(method, picture_CHW[None])
    rows = [(what, values.mean(), (values > threshold).mean()) for what, values in found.items()]
    return pd.DataFrame(rows, columns=["what", "mean_score", "share_above_threshold"])


@torch.no_grad()
def _draw_reconstructions(method: ReconstructionMethod, groups: list[Group], threshold: float, path: Path) -> None:
    """For each kind of picture a row of inputs above their reconstructions, with the errors beneath."""
    drawn = figure(width=COLUMNS * 1.05 + 0.4, height=len(groups) * 2.5 + 0.4)
    axes = drawn.subplots(len(groups), COLUMNS, squeeze=False)
    for row, group in enumerate(groups):
        pictures = group.pictures_NCHW.to(method.device)
        pairs = torch.cat([pictures, torch.full_like(pictures[:, :, :1], 0.5), method.reconstruct(pictures)], dim=2)
        axes[row, 0].set_ylabel(group.title)
        for axis in axes[row]:
            axis.set(xticks=[], yticks=[])
        shown = zip(axes[row], pairs[:, 0].cpu().numpy(), _score(method, pictures), group.captions, strict=False)
        for axis, pair, error, caption in shown:
            axis.imshow(pair, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_title(caption, fontsize=9, pad=3)
            alarm = error > threshold
            axis.set_xlabel(f"{error:.3f}", color=UNSEEN if alarm else NORMAL, weight="bold" if alarm else "normal")
    drawn.suptitle(f"Inputs above their reconstructions; mean squared error, bold above the threshold {threshold:.3f}")
    save(drawn, path)


def _draw_errors(scores: pd.DataFrame, unseen: pd.DataFrame, threshold: float, path: Path) -> None:
    """Scores of known and left-out digits; of digits with noise; of odd shapes: each with the threshold."""
    drawn = figure(width=14, height=4)
    digits, noise, shapes = drawn.subplots(1, 3)
    error_histogram(digits, scores, threshold, normal="digits it knows", logarithmic=False)
    score_of = unseen.set_index("what")["mean_score"]
    noise.plot(NOISE, [score_of[f"noise {strength:g}"] for strength in NOISE], "o-", color=UNSEEN)
    noise.axhline(threshold, color=THRESHOLD, ls="--")
    noise.set(xlabel="standard deviation of the noise", ylabel="mean anomaly score", title="Digits with noise")
    of_shapes = score_of[list(odd_shapes(2))].sort_values()
    shapes.barh(of_shapes.index, of_shapes, color=[UNSEEN if score > threshold else NORMAL for score in of_shapes])
    shapes.axvline(threshold, color=THRESHOLD, ls="--")
    shapes.set(xlabel="anomaly score", xscale="log", title="Odd shapes")
    save(drawn, path)

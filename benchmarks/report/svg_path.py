"""Lines in SVG's commands, to a tenth of a unit and without what no eye sees: a plot's bytes are mostly these."""

import numpy as np
from numpy.typing import NDArray


def path(x: NDArray[np.float64], y: NDArray[np.float64], closed: bool) -> str:
    """Straight lines between places to a tenth; one that is not finite starts anew."""
    place_N2 = np.rint(10 * np.column_stack([x, y]))
    gap_N = ~np.isfinite(place_N2).all(axis=1)
    parts = np.split(place_N2, np.flatnonzero(gap_N)) if gap_N.any() else [place_N2]
    drawn = [_line(_without_needless(part[np.isfinite(part).all(axis=1)])) for part in parts]
    return "".join(drawn) + ("z" if closed else "")


def _without_needless(place_N2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without places that repeat the last, or lie on an upright or level line that goes on."""
    if len(place_N2) < 2:
        return place_N2
    moves = (np.diff(place_N2, axis=0) != 0).any(axis=1)
    place_N2 = place_N2[np.concatenate([[True], moves])]
    step_N2 = np.sign(np.diff(place_N2, axis=0))
    goes_on = (step_N2[1:] == step_N2[:-1]).all(axis=1) & (step_N2[1:] == 0).any(axis=1)
    return place_N2[~np.concatenate([[False], goes_on, [False]])] if len(place_N2) > 2 else place_N2


def _line(place_N2: NDArray[np.float64]) -> str:
    """A line through places in tenths, in SVG's commands."""
    parts: list[str] = []
    last: tuple[float, float] | None = None
    for px, py in place_N2.tolist():
        if last is None:
            parts.append(f"M{px / 10:g} {py / 10:g}")
        elif py == last[1]:
            parts.append(f"H{px / 10:g}")
        else:
            parts.append(f"V{py / 10:g}" if px == last[0] else f"L{px / 10:g} {py / 10:g}")
        last = px, py
    return "".join(parts)


def tenth(place: float) -> str:
    """A place, rounded."""
    return f"{round(place, 1):g}"

"""Stand-in defects change a small place, by about their contrast, and nothing else."""

import numpy as np
import pytest

from benchmarks.choose.stand_in import CONTRASTS, KINDS, SIZES, stand_ins


def part(channels: int = 1, px: int = 128) -> np.ndarray:
    y, x = np.mgrid[:px, :px]
    disc = np.hypot(y - px / 2, x - px / 2) < px / 3
    noise = np.random.default_rng(0).normal(0, 3, (px, px))
    gray = np.clip(60 + 110 * disc + noise, 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], channels, axis=2)


def test_every_kind_size_and_contrast_comes_once() -> None:
    drawn = list(stand_ins([part(), part()], np.random.default_rng(0)))
    assert (
        len(drawn)
        == len({(one.kind, one.size, one.contrast) for one in drawn})
        == len(KINDS) * len(SIZES) * len(CONTRASTS)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_defect_is_local_and_larger_ones_change_more(kind: str, channels: int) -> None:
    good = part(channels)
    shares = []
    for size in SIZES:
        changed = [
            (KINDS[kind](good, size, 0.8, np.random.default_rng(seed)).astype(int) - good != 0).any(axis=2).mean()
            for seed in range(6)
        ]
        shares.append(float(np.mean(changed)))
        assert max(changed) < 0.12
    assert shares[0] > 0 and shares == sorted(shares)


def test_a_stronger_contrast_changes_the_pixels_more() -> None:
    good = part()
    weak, strong = (
        KINDS["spot"](good, 0.16, contrast, np.random.default_rng(3)).astype(int) - good for contrast in (0.1, 0.4)
    )
    assert np.abs(strong).max() > 2 * np.abs(weak).max() > 0


def test_equal_seeds_draw_equal_defects() -> None:
    first, second = (list(stand_ins([part()], np.random.default_rng(5))) for _ in range(2))
    assert all((a.pixels_HWC == b.pixels_HWC).all() for a, b in zip(first, second, strict=True))

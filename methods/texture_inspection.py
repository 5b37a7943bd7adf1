"""Texture inspection: how unlikely is each small patch, at several scales, under a mixture fitted to good patches?

Paper: Bergmann et al., MVTec AD, CVPR 2019, section 4.1; HALCON's texture inspection, after Boettger and Ulrich, Real-time
Texture Error Detection on Textured Surfaces with Compressed Sensing, Pattern Recognition and Image Analysis, 2016.
Idea: a texture is the same everywhere, so the patches of a few good images say what it looks like. An image pyramid lets one
small patch size see fine and coarse defects.
Cost: EM on all patches of ten images takes minutes on two CPU cores; a map takes some tenths of a second.
Shapes: L pyramid levels, finest first; N patches of D = patch x patch pixels.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.blocks.gaussian_mixture import GaussianMixture
from methods.contract import FittedMethod, MethodError

MIN_STD = 1e-6  # nats; only a texture without any variation has less


class TextureInspection(FittedMethod):
    """Map = negative log-likelihood of the patch around each pixel, standardised per level, combined over the levels.

    Args:
        levels: number of pyramid levels; each has half the resolution of the one before.
        patch: side of the patches, in pixels of their level.
        patches: random training patches per level; None takes all.
        mixture: arguments of `GaussianMixture`; gray values are in [0, 1].
        combination: "average", or "halcon" (see `adjacent_levels_agree`).
        novelty_quantile: the share of training patches that a level's novelty threshold lets pass ("halcon" alone).
    """

    mean_L: Tensor
    std_L: Tensor
    threshold_L: Tensor

    def __init__(
        self,
        levels: int,
        patch: int,
        patches: int | None,
        mixture: dict[str, Any],
        combination: Literal["average", "halcon"],
        novelty_quantile: float,
    ) -> None:
        super().__init__()
        self.patch, self.patches = patch, patches
        if combination not in ("average", "halcon"):
            raise MethodError(f"method.model.combination is '{combination}': it must be average or halcon.")
        self.combination, self.novelty_quantile = combination, novelty_quantile
        mixtures = [GaussianMixture(dimensions=patch**2, **mixture) for _ in range(levels)]
        self.mixtures: Sequence[GaussianMixture] = nn.ModuleList(mixtures)  # type: ignore[assignment]  # not generic
        for name in ("mean_L", "std_L", "threshold_L"):
            self.register_buffer(name, torch.ones(levels, dtype=torch.float64))
        self._images: list[Tensor] = []

    def observe(self, images_BCHW: Tensor) -> None:
        self._images.append(images_BCHW)

    def fit(self) -> None:
        """One mixture for each level; then what the training images' own scores say, until validation images say it better."""
        images_BCHW = torch.cat(self._images)
        self._images = []
        for level_BCHW, mixture in zip(self._pyramid(images_BCHW), self.mixtures, strict=True):
            patches_ND = random_patches(windows(level_BCHW, self.patch), self.patches)
            mixture.fit(patches_ND, seed=int(torch.randint(2**31 - 1, ())))
        maps = self.nll_maps(images_BCHW)
        thresholds = [_quantile(map_BHW, self.novelty_quantile) for map_BHW in maps]
        self.threshold_L = self.threshold_L.new_tensor(thresholds)
        self._standardise_by(_moments(maps))

    def on_validation_epoch_start(self) -> None:
        self._moments_3L = torch.zeros(3, len(self.mixtures), dtype=torch.float64, device=self.mean_L.device)

    def validation_step(self, batch: Tensor, batch_idx: int = 0) -> None:
        with torch.autocast(self.device.type, enabled=False):  # float32, as maps are made
            self._moments_3L += _moments(self.nll_maps(batch))

    def on_validation_epoch_end(self) -> None:
        self._standardise_by(self._moments_3L)

    def _standardise_by(self, moments_3L: Tensor) -> None:
        count_L, sum_L, squares_L = moments_3L
        self.mean_L = sum_L / count_L
        self.std_L = (squares_L / count_L - self.mean_L.square()).clamp(min=MIN_STD**2).sqrt()

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        if self.combination == "halcon":
            return adjacent_levels_agree(self._level_scores(images_BCHW, zero_L=self.threshold_L))
        return self._level_scores(images_BCHW, zero_L=self.mean_L).mean(dim=0)

    def _level_scores(self, images_BCHW: Tensor, zero_L: Tensor) -> Tensor:
        """Each level's scores in standard deviations above its zero, at the images' resolution, (L, B, H, W), float32."""
        size = images_BCHW.shape[2:]
        scores = [
            F.interpolate(((map_BHW - zero) / std)[:, None], size, mode="bilinear")[:, 0]
            for map_BHW, zero, std in zip(self.nll_maps(images_BCHW), zero_L, self.std_L, strict=True)
        ]
        return torch.stack(scores)

    def nll_maps(self, images_BCHW: Tensor) -> list[Tensor]:
        """Negative log-likelihood in nats around each pixel of each level: (B, H, W), (B, H/2, W/2), ...

        Where a patch would reach over the border, the nearest whole patch counts (ours): reflected patches would look novel.
        """
        levels = zip(self._pyramid(images_BCHW), self.mixtures, strict=True)
        return [self._nll_map(level_BCHW, mixture) for level_BCHW, mixture in levels]

    def _nll_map(self, level_BCHW: Tensor, mixture: GaussianMixture) -> Tensor:
        """One image at a time: that bounds the memory, and keeps a map independent of its batch."""
        maps = [
            mixture.nll(windows_HWPP.reshape(-1, self.patch**2)).view(windows_HWPP.shape[:2])
            for windows_HWPP in windows(level_BCHW, self.patch)
        ]
        before, after = (self.patch - 1) // 2, self.patch // 2
        return F.pad(torch.stack(maps), (before, after, before, after), mode="replicate")

    def _pyramid(self, images_BCHW: Tensor) -> list[Tensor]:
        """The images' gray values at each level.

        Raises:
            MethodError: the coarsest level is smaller than a patch.
        """
        levels, (height, width) = len(self.mixtures), images_BCHW.shape[2:]
        least = self.patch << (levels - 1)
        if min(height, width) < least:
            raise MethodError(
                f"Images of {height} x {width} px are too small for {levels} pyramid levels of {self.patch} px patches: "
                f"raise method.inputs.texture.px to {least} at least, or lower method.model.levels."
            )
        return gray_pyramid(images_BCHW, levels)

    def facts(self) -> dict[str, str | int | float]:
        return {f"em_iterations_level_{level}": mixture.iterations_run for level, mixture in enumerate(self.mixtures)}


def gray_pyramid(images_BCHW: Tensor, levels: int) -> list[Tensor]:
    """The first channel at full, half, quarter, ... resolution; each pixel the mean of the four below it."""
    pyramid_BCHW = [images_BCHW[:, :1]]
    for _ in range(levels - 1):
        pyramid_BCHW.append(F.avg_pool2d(pyramid_BCHW[-1], 2))
    return pyramid_BCHW


def windows(level_BCHW: Tensor, patch: int) -> Tensor:
    """All patches of a one-channel level, as a view of it: (B, H - patch + 1, W - patch + 1, patch, patch)."""
    return level_BCHW[:, 0].unfold(1, patch, 1).unfold(2, patch, 1)


def random_patches(windows_BHWPP: Tensor, count: int | None) -> Tensor:
    """`count` different patches drawn at random, flattened, (N, D); all where there are no more, or None."""
    places = windows_BHWPP.shape[:3]
    if count is None or count >= places.numel():
        return windows_BHWPP.flatten(0, 2).flatten(1)
    chosen_N = torch.randperm(places.numel())[:count].to(windows_BHWPP.device)
    return windows_BHWPP[torch.unravel_index(chosen_N, places)].flatten(1)


def adjacent_levels_agree(scores_LBHW: Tensor) -> Tensor:
    """HALCON's combination: regions of adjacent levels intersected, the intersections united; a single level stands alone.

    Where level l's novel region is {s_l > 0}, {min(s_l, s_l+1) > 0} is an intersection, and the maximum over l unites them: the
    map is positive exactly on HALCON's region, and thresholds other than 0 move all novelty thresholds together.
    """
    if len(scores_LBHW) == 1:
        return scores_LBHW[0]
    return torch.minimum(scores_LBHW[:-1], scores_LBHW[1:]).amax(dim=0)


def _quantile(values: Tensor, share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    rank = max(1, math.ceil(share * values.numel()))
    return values.flatten().sort().values[rank - 1].item()


def _moments(maps: list[Tensor]) -> Tensor:
    """Number, sum and sum of squares of each level's values, (3, L), float64."""
    moments_L3 = [(map_BHW.numel(), map_BHW.double().sum(), map_BHW.double().square().sum()) for map_BHW in maps]
    return torch.tensor(moments_L3, dtype=torch.float64, device=maps[0].device).T

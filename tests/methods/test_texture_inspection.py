"""Texture inspection: pyramid, patches, standardisation and the two ways to combine the levels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from methods.contract import MethodError
from methods.texture_inspection import (
    TextureInspection,
    adjacent_levels_agree,
    gray_pyramid,
    random_patches,
    windows,
)

PX = 64


def texture(count: int, seed: int) -> torch.Tensor:
    """Diagonal stripes at random phases, with noise, (count, 1, PX, PX)."""
    generator = torch.Generator().manual_seed(seed)
    phase = 6 * torch.rand(count, 1, 1, 1, generator=generator)
    y, x = torch.meshgrid(torch.arange(PX), torch.arange(PX), indexing="ij")
    noise = torch.randn(count, 1, PX, PX, generator=generator)
    return 0.5 + 0.2 * torch.sin(0.7 * x + 0.4 * y + phase) + 0.03 * noise


def method(**changes: Any) -> TextureInspection:
    mixture = {"components": 3, "iterations": 5, "tolerance": 1e-3, "regularisation": 1e-6}
    settings: dict[str, Any] = {
        "levels": 3,
        "patch": 7,
        "patches": 2000,
        "combination": "average",
        "novelty_quantile": 0.99,
    }
    return TextureInspection(mixture=mixture, **(settings | changes))


def fitted(validation: torch.Tensor | None = None, **changes: Any) -> TextureInspection:
    pl.seed_everything(1, verbose=False)
    loaders = [DataLoader(list(texture(4, seed=0)), 2)] + (
        [] if validation is None else [DataLoader(list(validation), 2)]
    )
    trained = method(**changes)
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, deterministic=True,
    )  # fmt: skip
    trainer.fit(trained, *loaders)
    return trained.eval()


@pytest.fixture(scope="module")
def validated() -> TextureInspection:
    return fitted(texture(3, seed=1))


def with_defect() -> torch.Tensor:
    """One texture whose stripes are crossed by a bright bar in rows 24..31, columns 20..43."""
    image = texture(1, seed=2)
    image[..., 24:32, 20:44] = 0.9
    return image


def test_pyramid_halves_and_averages() -> None:
    images = torch.rand(2, 3, 400, 400)
    levels = gray_pyramid(images, 4)
    assert [tuple(level.shape) for level in levels] == [
        (2, 1, 400, 400),
        (2, 1, 200, 200),
        (2, 1, 100, 100),
        (2, 1, 50, 50),
    ]
    torch.testing.assert_close(levels[2][1, 0, 3, 5], images[1, 0, 12:16, 20:24].mean())


def test_windows_and_all_patches_are_the_pixels_around_each_place() -> None:
    level = torch.rand(2, 1, 10, 12)
    patches = random_patches(windows(level, 7), None)
    assert patches.shape == (2 * 4 * 6, 49)
    torch.testing.assert_close(patches[24 + 2 * 6 + 5], level[1, 0, 2:9, 5:12].flatten())


def test_random_patches_are_different_ones_of_all_and_follow_the_seed() -> None:
    every = random_patches(windows(torch.rand(2, 1, 10, 12), 7), None)
    draws = []
    for _ in range(2):
        torch.manual_seed(4)
        draws.append(random_patches(every.view(2, 4, 6, 7, 7), 20))
    assert torch.equal(*draws)
    matches = (draws[0][:, None] == every[None]).all(dim=2)
    assert matches.sum() == 20 and matches.any(dim=0).sum() == 20


def test_nll_map_is_that_of_the_patch_around_each_pixel_and_continues_over_the_border(
    validated: TextureInspection,
) -> None:
    image = with_defect()
    maps = validated.nll_maps(image)
    assert [tuple(m.shape) for m in maps] == [(1, 64, 64), (1, 32, 32), (1, 16, 16)]
    half = gray_pyramid(image, 2)[1][0, 0]
    patch = half[10 - 3 : 10 + 4, 21 - 3 : 21 + 4].reshape(1, 49)
    torch.testing.assert_close(maps[1][0, 10, 21], validated.mixtures[1].nll(patch)[0], rtol=1e-4, atol=1e-3)
    assert torch.equal(maps[1][0, :4, 20], maps[1][0, 3:4, 20].expand(4))


def test_validation_maps_have_mean_0_and_deviation_1_at_each_level(validated: TextureInspection) -> None:
    maps = validated.nll_maps(texture(3, seed=1))
    for level, mean, std in zip(maps, validated.mean_L, validated.std_L, strict=True):
        standard = (level.double() - mean) / std
        assert standard.mean().item() == pytest.approx(0, abs=1e-5)
        assert standard.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_without_validation_images_the_training_images_standardise() -> None:
    maps = fitted().anomaly_map(texture(4, seed=0))
    assert maps.mean().item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("combination", ["average", "halcon"])
def test_a_defect_stands_out(combination: str) -> None:
    found = fitted(texture(3, seed=1), combination=combination).anomaly_map(with_defect())[0]
    defect = torch.zeros(PX, PX, dtype=torch.bool)
    defect[24:32, 20:44] = True
    assert found[defect].median() > found[~defect].quantile(0.95)


def test_halcon_map_is_positive_exactly_on_the_united_intersections() -> None:
    scores = torch.randn(4, 2, 9, 11, generator=torch.Generator().manual_seed(0))
    novel = (scores > 0).numpy()
    region = np.logical_or.reduce([novel[level] & novel[level + 1] for level in range(3)])
    assert 0 < region.mean() < 1
    assert np.array_equal((adjacent_levels_agree(scores) > 0).numpy(), region)
    assert torch.equal(adjacent_levels_agree(scores[:1]), scores[0])


def test_halcon_zero_is_each_levels_novelty_threshold() -> None:
    """A map by hand: novelty regions of upsampled levels, thresholded one by one."""
    trained = fitted(texture(3, seed=1), combination="halcon")
    image = with_defect()
    novel = []
    for level, threshold in zip(trained.nll_maps(image), trained.threshold_L, strict=True):
        upsampled = torch.nn.functional.interpolate(level[:, None], (PX, PX), mode="bilinear")[0, 0]
        novel.append((upsampled > threshold).numpy())
    region = (novel[0] & novel[1]) | (novel[1] & novel[2])
    assert region.any() and np.mean((trained.anomaly_map(image)[0] > 0).numpy() == region) > 0.999  # but for rounding


def test_novelty_threshold_lets_the_stated_share_of_training_patches_pass() -> None:
    trained = fitted(novelty_quantile=0.9)
    for level, threshold in zip(trained.nll_maps(texture(4, seed=0)), trained.threshold_L, strict=True):
        assert (level <= threshold).double().mean().item() == pytest.approx(0.9, abs=0.02)


def test_map_is_independent_of_its_batch(validated: TextureInspection) -> None:
    batch = torch.cat([texture(2, seed=3), with_defect()])
    torch.testing.assert_close(validated.anomaly_map(batch)[2:], validated.anomaly_map(batch[2:]), atol=1e-5, rtol=0)


def test_checkpoint_round_trip(validated: TextureInspection, tmp_path: Path) -> None:
    torch.save(validated.state_dict(), tmp_path / "state.pt")
    reloaded = method()
    reloaded.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(reloaded.anomaly_map(with_defect()), validated.anomaly_map(with_defect()))


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_constant_training_images_give_finite_maps_that_show_a_defect() -> None:
    plain = method()
    plain.observe(torch.full((2, 1, PX, PX), 0.4))
    plain.fit()
    image = torch.full((1, 1, PX, PX), 0.4)
    image[..., 30, 30] = 0.8
    found = plain.anomaly_map(image)[0]
    assert torch.isfinite(found).all() and found[30, 30] > found[0, 0]


def test_images_too_small_for_the_pyramid_are_refused() -> None:
    tiny = method()
    tiny.observe(torch.rand(2, 1, 27, 40))
    with pytest.raises(MethodError, match=r"27 x 40 px.*to 28 at least"):
        tiny.fit()


def test_an_unknown_combination_is_refused() -> None:
    with pytest.raises(MethodError, match="average or halcon"):
        method(combination="median")


def test_held_out_images_are_measured_in_float32() -> None:
    """Whatever training is done in (`trainer=gpu_fast`): they set the mean and deviation that maps are divided by."""
    method, found = fitted(), []
    for half in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            method.on_validation_epoch_start()
            method.validation_step(texture(3, seed=1))
            method.on_validation_epoch_end()
        found.append(torch.stack([method.mean_L, method.std_L]))
    assert torch.equal(*found)

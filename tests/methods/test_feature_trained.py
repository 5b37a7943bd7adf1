"""Frozen features that are kept from epoch to epoch change nothing but the time."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from methods.blocks.feature_trained import FeatureCache
from methods.blocks.features import FeatureSource
from methods.contract import Method, MethodError
from methods.rd4ad import RD4AD
from methods.stfpm import STFPM
from methods.supersimplenet import SuperSimpleNet
from tests.methods.training import fit, noise_images

pytestmark = pytest.mark.filterwarnings("ignore")

SSN = {
    "noise": 0.015, "perlin_threshold": 0.2, "margin": 0.5, "adaptor_learning_rate": 1e-4, "adaptor_weight_decay": 0.01,
    "learning_rate": 2e-4, "weight_decay": 1e-5, "learning_rate_fall": 0.4, "sigma": 4.0, "layers": ["layer2", "layer3"],
}  # fmt: skip
SETTINGS: dict[type[Method], dict[str, Any]] = {
    STFPM: {"layers": ["layer1", "layer2"], "learning_rate": 0.4, "momentum": 0.9, "weight_decay": 1e-4},
    RD4AD: {"learning_rate": 0.005, "betas": [0.5, 0.999], "sigma": 4.0},
    SuperSimpleNet: SSN,
}


def made(kind: type[Method], mib: int = 64) -> Method:
    pl.seed_everything(0, verbose=False)
    return kind(backbone="resnet18", weights="random", feature_cache_mib=mib, **SETTINGS[kind])


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_same_numbers_with_and_without_kept_features(kind: type[Method]) -> None:
    images = noise_images()
    with_cache, without = (fit(made(kind, mib), images, epochs=2) for mib in (64, 0))
    for name, tensor in with_cache.state_dict().items():
        assert torch.equal(tensor, without.state_dict()[name]), name


class Counting(torch.nn.Module):
    """Counts the images that pass."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, images_BCHW: torch.Tensor) -> dict[str, torch.Tensor]:
        self.seen += len(images_BCHW)
        return {"mean": images_BCHW.mean(dim=1, keepdim=True), "pooled": images_BCHW.mean(dim=(2, 3), keepdim=True)}


@pytest.mark.parametrize(
    ("limit", "passes"), [(10**6, 4), (0, 8), (3 * (64 * 64 + 3) * 4, 5)], ids=["all", "none", "three"]
)
def test_an_image_passes_the_network_once_where_memory_allows(limit: int, passes: int) -> None:
    source, images = Counting(), noise_images()
    cache = FeatureCache(source, limit)  # type: ignore[arg-type]
    first, again = cache(images), cache(images[[2, 0, 3, 1]])
    assert source.seen == passes
    for layer, shuffled, expected in zip(first, again, source(images).values(), strict=True):
        assert torch.equal(layer, expected) and torch.equal(shuffled, expected[[2, 0, 3, 1]])


def test_kept_features_go_when_training_ends() -> None:
    method = fit(made(STFPM), noise_images())
    assert method._cache._kept == {}  # type: ignore[attr-defined]


def test_features_do_not_come_from_training_mode() -> None:
    source = FeatureSource("resnet18", "random", ["layer1"])
    cache, images = FeatureCache(source, 10**8), noise_images()
    torch.testing.assert_close(cache(images)[0], source.eval()(images)["layer1"])


def test_a_diverged_loss_is_told() -> None:
    method = made(STFPM)
    method.learning_rate = 1e30
    with pytest.raises(MethodError, match=r"The loss became nan in epoch \d: lower method\.model\.learning_rate"):
        fit(method, noise_images(), epochs=3)

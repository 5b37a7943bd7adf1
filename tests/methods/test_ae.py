"""The autoencoders: architecture by the protocol's counts, losses and maps by hand, and a training that learns."""

import copy
import math
from typing import Any

import hydra.utils
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from benchmarks.config.compose import composed
from methods.ae import Autoencoder, AutoencoderL2, AutoencoderSSIM
from methods.blocks.diversity import diversity
from methods.contract import MethodError

ARCHITECTURE = {
    "latent": 100, "stride": 30, "learning_rate": 2e-4, "weight_decay": 1e-5, "last_layer": 0.02, "output_start": 0.5,
}  # fmt: skip
SSIM = {"window": 11, "sigma": 1.5, "constants": (1e-4, 9e-4)}


def l2(channels: int = 3, px: int = 128, **changes: float) -> AutoencoderL2:
    return AutoencoderL2(channels=channels, px=px, **ARCHITECTURE | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("channels", "px", "parameters"), [(1, 128, 1_048_549), (1, 256, 1_081_381), (3, 256, 1_083_431)]
)
def test_parameter_counts_of_the_protocol(channels: int, px: int, parameters: int) -> None:
    assert sum(p.numel() for p in l2(channels, px).parameters()) == parameters


@pytest.mark.parametrize("px", [128, 256])
def test_latent_and_output_shapes(px: int) -> None:
    method = l2(px=px)
    images = torch.rand(2, 3, px, px)
    assert method.encoder(images).shape == (2, 100, 1, 1)
    assert method(images).shape == images.shape


def test_latent_and_output_are_linear() -> None:
    assert isinstance(l2().encoder[-1], torch.nn.Conv2d)
    assert isinstance(l2().decoder[-1], torch.nn.ConvTranspose2d)


@pytest.mark.parametrize("px", [128, 256])
def test_an_untrained_networks_signal_keeps_its_size(px: int) -> None:
    """Mean square before each convolution's activation against the one at the input: He et al. want them equal."""
    torch.manual_seed(0)
    method, sizes = l2(px=px, last_layer=1, output_start=0), []
    for layer in [*method.encoder, *method.decoder]:
        if not isinstance(layer, torch.nn.LeakyReLU):
            layer.register_forward_hook(lambda layer, seen, made: sizes.append(made.square().mean().item()))
    images = torch.randn(8, 3, px, px)  # mean square 1
    with torch.no_grad():
        made = method(images)
    # the first layer doubles it, as no activation halved its input before; then level, but for the zeros around the borders
    assert len(sizes) == 2 * (9 + px // 256)
    assert min(sizes) > 0.2 and max(sizes) < 4
    differences = (made[:4] - made[4:]).square().mean()
    assert differences > 0.02 * made.square().mean(), "the output shows nothing of the image"


@pytest.mark.parametrize("px", [100, 192, 64])
def test_other_input_sizes_are_refused(px: int) -> None:
    with pytest.raises(MethodError, match=f"not {px}"):
        l2(px=px)


def test_l2_loss_and_map_by_hand() -> None:
    images, reconstructions = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    reconstructions[0, :, 1, 0] = torch.tensor([1.0, 2.0, 3.0])
    assert l2().error_map(images, reconstructions).tolist() == [[[0, 0], [14, 0]]]
    assert l2().loss(images, reconstructions).item() == pytest.approx(14 / 12)


def test_ssim_map_is_zero_for_a_perfect_reconstruction() -> None:
    method = AutoencoderSSIM(channels=1, px=128, **SSIM, **ARCHITECTURE)  # type: ignore[arg-type]
    images = torch.rand(1, 1, 128, 128)
    torch.testing.assert_close(method.error_map(images, images), torch.zeros(1, 128, 128), atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", range(6))
def test_ssim_training_starts_where_it_can_learn(seed: int) -> None:
    pl.seed_everything(seed, verbose=False)
    method = AutoencoderSSIM(channels=1, px=128, **SSIM, **ARCHITECTURE)  # type: ignore[arg-type]
    images = torch.rand(2, 1, 128, 128)
    assert method.loss(images, method(images)) < 1


def stripes(count: int, rng: torch.Generator) -> torch.Tensor:
    """A periodic texture, each patch at a phase of its own: with no phase known, one gray is the best image."""
    phases = torch.rand(count, 1, 1, 1, generator=rng) * 32
    return 0.5 + 0.25 * torch.sin(2 * math.pi * (torch.arange(128.0) + phases) / 32).sign().expand(-1, 1, 128, 128)


@pytest.mark.parametrize("method", ["ae_ssim", "ae_l2"])
def test_the_declared_initialisation_leaves_the_plateau_of_one_gray(method: str) -> None:
    """At last_layer=1 the outputs of SSIM vary by 0.0001 after 280 steps."""
    pl.seed_everything(0, verbose=False)
    autoencoder = hydra.utils.instantiate(composed([f"method={method}", "category=grid", "channels=1"]).method.model)
    adam, rng = autoencoder.configure_optimizers(), torch.Generator().manual_seed(0)
    for _ in range(200):
        patches = stripes(1, rng).contiguous(memory_format=torch.channels_last)
        adam.zero_grad()
        autoencoder.loss(patches, autoencoder(patches)).backward()
        adam.step()
    patches = stripes(8, rng)
    with torch.no_grad():
        made = diversity(autoencoder(patches)) / diversity(patches)
    assert made > 0.04


def facts_after_an_epoch(images: torch.Tensor, batch_size: int, last_layer: float = 0) -> dict[str, Any]:
    torch.manual_seed(0)
    changes = {"last_layer": last_layer, "learning_rate": 0}
    method = AutoencoderSSIM(channels=1, px=128, **SSIM, **ARCHITECTURE | changes)  # type: ignore[arg-type]
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(method, DataLoader(images, batch_size=batch_size))  # type: ignore[arg-type]
    return method.facts()


def test_facts_show_a_collapse_where_the_last_batch_is_a_single_image() -> None:
    images = torch.rand(4, 1, 128, 128)
    facts = facts_after_an_epoch(images, batch_size=3)
    assert facts["output_diversity"] == 0 and "does not vary" in str(facts["warning"])
    expected = images[:3].std(0, correction=0).mean().item()
    assert facts["training_diversity"] == pytest.approx(expected, rel=1e-5)


def test_variety_is_that_of_the_whole_batch_however_few_pass_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(3, 1, 128, 128)
    whole = facts_after_an_epoch(images, batch_size=3, last_layer=1)
    monkeypatch.setattr(Autoencoder, "_at_once", 1)
    assert facts_after_an_epoch(images, batch_size=3, last_layer=1) == pytest.approx(whole, rel=1e-3)
    assert whole["output_diversity"] > 0.01


def test_of_one_image_at_a_time_no_variety_is_told() -> None:
    assert facts_after_an_epoch(torch.rand(2, 1, 128, 128), batch_size=1) == {}


@pytest.mark.parametrize("method_class", [AutoencoderL2, AutoencoderSSIM])
def test_training_lowers_the_loss_and_a_spot_stands_out(method_class: type[Autoencoder]) -> None:
    pl.seed_everything(0, verbose=False)
    extra = SSIM if method_class is AutoencoderSSIM else {}
    changes = {"learning_rate": 5e-4, "last_layer": 1, "output_start": 0.5 if extra else 0}  # starts far from the ramp
    method = method_class(channels=1, px=128, **extra, **ARCHITECTURE | changes)  # type: ignore[arg-type]
    ramp = torch.linspace(0.2, 0.8, 128).expand(1, 128, 128)
    images = [ramp + 0.05 * torch.randn(1, 1, 1) for _ in range(32)]
    before = method.loss(torch.stack(images), method(torch.stack(images))).item()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=12, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(method, DataLoader(images, batch_size=8))
    with torch.no_grad():
        after = method.loss(torch.stack(images), method(torch.stack(images))).item()
        spotted = torch.stack(images[:1])
        spotted[..., 40:56, 70:86] = 0.0
        found = method.anomaly_map(spotted)[0]
    assert after < 0.5 * before
    assert found[40:56, 70:86].mean() > 2 * found.mean()


@pytest.mark.parametrize("method_class", [AutoencoderL2, AutoencoderSSIM])
def test_a_step_follows_the_gradient_of_the_whole_batch(method_class: type[Autoencoder]) -> None:
    torch.manual_seed(0)
    extra = SSIM if method_class is AutoencoderSSIM else {}
    method = method_class(channels=1, px=256, **extra, **ARCHITECTURE)  # type: ignore[arg-type]
    images = torch.rand(11, 1, 256, 256)  # on a CPU a part of 8 and one of 3
    whole = copy.deepcopy(method)
    expected = whole.loss(images, whole(images))
    expected.backward()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(method, DataLoader(images, batch_size=11))  # type: ignore[arg-type]
    assert trainer.global_step == 1
    assert trainer.callback_metrics["train_loss"].item() == pytest.approx(expected.item(), rel=1e-6)
    for ours, theirs in zip(method.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5 * theirs.grad.abs().max().item())


def test_a_loss_that_is_not_finite_ends_the_run() -> None:
    method = l2(px=128, learning_rate=1e-3)
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    with pytest.raises(MethodError, match="The loss became nan in epoch 0"):
        trainer.fit(method, DataLoader([torch.full((3, 128, 128), math.nan)] * 2, batch_size=2))

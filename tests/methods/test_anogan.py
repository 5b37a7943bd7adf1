"""AnoGAN: the alternation of training, and a search of many images at once that is a search of each by itself."""

import math
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from methods.anogan import AnoGAN, LatentSearch
from methods.blocks.diversity import diversity
from methods.contract import MethodError

PX = 32
SEARCH = LatentSearch(steps=20, learning_rate=0.05, beta1=0.5, feature_weight=0.1)
SETTINGS = {
    "stride": PX,
    "latent": 8,
    "width": 4,
    "learning_rate": 2e-4,
    "beta1": 0.5,
    "generator_updates": 2,
    "search": SEARCH,
}


def gan(channels: int = 3, px: int = PX, **changes: Any) -> AnoGAN:
    return AnoGAN(channels=channels, px=px, **SETTINGS | changes)


def images(count: int, channels: int = 3, px: int = PX) -> torch.Tensor:
    """Discs of random colour and place."""
    rng = torch.Generator().manual_seed(5)
    y, x = torch.meshgrid(torch.arange(px), torch.arange(px), indexing="ij")
    centre = px * (0.4 + 0.2 * torch.rand(count, 2, 1, 1, generator=rng))
    disc = ((y - centre[:, 0]).square() + (x - centre[:, 1]).square() < (px / 4) ** 2)[:, None]
    return 0.2 + disc * (0.3 + 0.4 * torch.rand(count, channels, 1, 1, generator=rng))


def trainer(**settings: Any) -> pl.Trainer:
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(accelerator="cpu", **{"max_epochs": 1} | quiet | settings)


def fit(method: AnoGAN, count: int = 24, **settings: Any) -> AnoGAN:
    training = list(images(count, px=method.px))
    trainer(**settings).fit(method, DataLoader(training, batch_size=8, collate_fn=torch.stack))
    return method


@pytest.fixture(scope="module")
def fitted() -> AnoGAN:
    """Trained long enough for the search to have something to find."""
    pl.seed_everything(0, verbose=False)
    return fit(gan(width=8, learning_rate=1e-3), 64, max_epochs=24)


def mean_search_loss(method: AnoGAN, tiles: torch.Tensor, z: torch.Tensor) -> float:
    with torch.no_grad():
        features = method.discriminator.features(tiles)
        return method.search.loss(method.generator, method.discriminator, tiles, features, z).mean().item()


# -- training


def test_losses_are_the_cross_entropies_of_the_logits() -> None:
    method = gan()
    real, z = images(4) * 2 - 1, torch.rand(4, 8)
    fake = method.generator(z)
    d_real, d_fake = method.discriminator(real), method.discriminator(fake)
    entropy, one, zero = F.binary_cross_entropy_with_logits, torch.ones(4), torch.zeros(4)
    torch.testing.assert_close(method.discriminator_loss(real, z), entropy(d_real, one) + entropy(d_fake, zero))
    torch.testing.assert_close(method.generator_loss(z), entropy(d_fake, one))


class CountUpdates(pl.Callback):
    """Which optimiser moved, in order."""

    def __init__(self) -> None:
        self.order = ""

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: Any, optimizer: Any) -> None:
        self.order += "DG"[trainer.optimizers.index(optimizer)]


def test_a_step_updates_the_discriminator_once_and_the_generator_twice() -> None:
    method, count = gan(), CountUpdates()
    before = {name: value.clone() for name, value in method.named_parameters()}
    fit(method, 16, callbacks=[count])
    assert count.order == "DGG" * 2
    still = [
        name
        for name, value in method.named_parameters()
        if name.endswith("weight") and torch.equal(value, before[name])
    ]
    assert still == []


def test_an_update_leaves_the_other_network_alone() -> None:
    method = gan()
    method.discriminator_loss(images(4) * 2 - 1, torch.rand(4, 8)).backward()
    assert all(p.grad is None for p in method.generator.parameters())
    assert [group["betas"][0] for adam in method.configure_optimizers() for group in adam.param_groups] == [0.5, 0.5]


def test_training_makes_images_like_the_training_images(fitted: AnoGAN) -> None:
    def distance(method: AnoGAN) -> float:
        made = method.generated(method.shown_z_ND)
        assert made.min() >= 0 and made.max() <= 1
        return (made.mean(0) - images(64).mean(0)).abs().mean().item()

    assert distance(fitted) < 0.5 * distance(gan(width=8))


def test_facts_show_a_collapse(fitted: AnoGAN) -> None:
    facts = fitted.facts()
    first_batch = images(64)[:8]
    assert facts["training_diversity"] == pytest.approx(first_batch.std(0, correction=0).mean().item(), rel=1e-5)
    assert 0 < facts["generated_diversity"] <= 0.5
    collapsed = gan()
    torch.nn.init.zeros_(collapsed.generator[0].weight)
    collapsed.training_diversity.fill_(0.1)
    assert collapsed.facts()["generated_diversity"] == pytest.approx(0, abs=1e-6)
    assert "does not vary" in str(collapsed.facts()["warning"]) and "warning" not in facts
    collapsed.training_diversity = diversity(images(1))  # in batches of one image nothing is known
    assert collapsed.facts() == {}


def test_a_loss_that_is_not_finite_ends_the_run() -> None:
    nan = [torch.full((3, PX, PX), math.nan)] * 4
    with pytest.raises(MethodError, match="diverged in epoch 0"):
        trainer().fit(gan(), DataLoader(nan, batch_size=4))


def test_it_shows_what_it_generates(fitted: AnoGAN) -> None:
    shown = fitted.pictures()
    assert list(shown) == ["generated"] and torch.equal(shown["generated"], fitted.generated(fitted.shown_z_ND))


# -- search


def test_gradient_of_the_search_loss_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    method = gan(1, px=16, latent=3).double().eval()
    tiles = torch.rand(2, 1, 16, 16, dtype=torch.float64) * 2 - 1
    for bn in (m for m in method.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        bn.running_var.uniform_(0.001, 0.01)  # so that the features are not all but constant
    features = method.discriminator.features(tiles).detach()
    z = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda z: SEARCH.loss(method.generator, method.discriminator, tiles, features, z), z, eps=1e-7, atol=1e-4
    )


def test_search_loss_by_hand() -> None:
    """|1 - 0| over 4 pixels and |3 - 1| over 2 features, at 0.9 and 0.1; the second image is met exactly."""

    class Features(torch.nn.Module):
        features = staticmethod(lambda x: 1 + 2 * x.mean((1, 2, 3))[:, None].expand(-1, 2))

    tiles = torch.tensor([1.0, 0.0])[:, None, None, None].expand(2, 1, 2, 2)
    black = torch.nn.Flatten(0)  # any module
    black.forward = lambda z: torch.zeros(2, 1, 2, 2)  # type: ignore[method-assign]
    loss = SEARCH.loss(black, Features(), tiles, Features.features(tiles), torch.zeros(2, 3))  # type: ignore[arg-type]
    assert loss.tolist() == pytest.approx([0.9 * 4 + 0.1 * 2 * 2, 0])


def test_search_lowers_the_loss_and_leaves_the_networks_as_they_were(fitted: AnoGAN) -> None:
    method = fitted.eval()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    tiles, start = images(4) * 2 - 1, torch.rand(4, 8) * 2 - 1
    found = method.search(method.generator, method.discriminator, tiles, start)
    assert mean_search_loss(method, tiles, found) < 0.9 * mean_search_loss(method, tiles, start)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    method.train()
    method.anomaly_map(images(2))
    assert method.training
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


def test_search_equals_a_loop_over_images_each_with_its_own_adam(fitted: AnoGAN) -> None:
    method = fitted.eval()
    g, d, tiles, start = method.generator, method.discriminator, images(3) * 2 - 1, torch.rand(3, 8) * 2 - 1
    together = SEARCH(g, d, tiles, start)
    for index in range(3):
        z = start[index : index + 1].clone().requires_grad_()
        adam = torch.optim.Adam([z], 0.05, betas=(0.5, 0.999))
        for _ in range(SEARCH.steps):
            made, tile = g(z), tiles[index : index + 1]
            loss = 0.9 * (tile - made).abs().sum() + 0.1 * (d.features(tile) - d.features(made)).abs().sum()
            (z.grad,) = torch.autograd.grad(loss, z)
            adam.step()
        torch.testing.assert_close(together[index], z[0].detach(), atol=1e-4, rtol=0)


# -- maps


def test_map_is_the_distance_to_the_nearest_image_found(fitted: AnoGAN) -> None:
    test = images(2)
    start = torch.stack([fitted._start(image) for image in test])
    found = fitted.eval().search(fitted.generator, fitted.discriminator, test * 2 - 1, start)
    difference = test - fitted.generated(found)
    expected = difference.square().sum(dim=1).sqrt()
    torch.testing.assert_close(fitted.anomaly_map(test), expected, atol=1e-5, rtol=0)


def test_a_map_depends_neither_on_the_batch_nor_on_its_order(fitted: AnoGAN) -> None:
    test = images(5)
    together = fitted.anomaly_map(test)
    alone = torch.cat([fitted.anomaly_map(test[index : index + 1]) for index in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    order = torch.tensor([3, 0, 4, 2, 1])
    torch.testing.assert_close(fitted.anomaly_map(test[order]), together[order], atol=1e-5, rtol=0)


def test_every_image_has_a_start_of_its_own(fitted: AnoGAN) -> None:
    first, second = images(2)
    start = fitted._start(first)
    assert start.shape == (8,) and start.abs().max() <= 1
    assert torch.equal(start, fitted._start(first.contiguous(memory_format=torch.contiguous_format) + 1e-4))
    assert not torch.equal(start, fitted._start(second))


def test_large_images_are_tiled_without_overlap(fitted: AnoGAN) -> None:
    tiles = images(4)
    image = torch.cat([torch.cat([tiles[0], tiles[1]], 2), torch.cat([tiles[2], tiles[3]], 2)], 1)
    found, each = fitted.anomaly_map(image[None])[0], fitted.anomaly_map(tiles)
    assert found.shape == (2 * PX, 2 * PX)
    torch.testing.assert_close(found[:PX, PX:], each[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(found[PX:, :PX], each[2], atol=1e-5, rtol=0)


def test_lightnings_prediction_without_gradients_gives_the_same_maps(fitted: AnoGAN) -> None:
    test = images(3)
    (predicted,) = trainer().predict(fitted, DataLoader(list(test), batch_size=3, collate_fn=torch.stack))
    torch.testing.assert_close(predicted, fitted.anomaly_map(test), atol=1e-5, rtol=0)


def test_a_reloaded_method_gives_the_same_maps(fitted: AnoGAN) -> None:
    torch.manual_seed(99)
    other = gan(width=8)
    other.load_state_dict(fitted.state_dict())
    assert torch.equal(other.anomaly_map(images(2)), fitted.anomaly_map(images(2)))


def test_weights_that_are_not_finite_are_named() -> None:
    method = gan()
    torch.nn.init.constant_(method.discriminator.features[0].weight, math.nan)
    with pytest.raises(MethodError, match="training diverged"):
        method.anomaly_map(images(1))


def test_scoring_leaves_the_global_generator_alone(fitted: AnoGAN) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    fitted.anomaly_map(images(1))
    fitted.facts()
    assert torch.equal(before, torch.get_rng_state())

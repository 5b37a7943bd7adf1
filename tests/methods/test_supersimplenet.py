"""SuperSimpleNet's losses and pooling against loops in float64; its noise, schedule, map and score."""

import math

import pytest
import pytorch_lightning as pl
import torch

from methods.supersimplenet import SuperSimpleNet, focal_loss, pooled, truncated_l1
from tests.methods.test_feature_trained import made
from tests.methods.training import fit, noise_images

pytestmark = pytest.mark.filterwarnings("ignore")


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_truncated_l1_stops_at_the_margin_and_averages_each_side() -> None:
    logits = drawn(2, 1, 3, 4)
    masks = (drawn(2, 1, 3, 4, seed=1) > 0.3).double()
    sides: dict[float, list[float]] = {0.0: [], 1.0: []}
    for logit, noisy in zip(logits.flatten().tolist(), masks.flatten().tolist(), strict=True):
        sides[noisy].append(max(0.0, 0.5 - logit if noisy else 0.5 + logit))
    expected = sum(sum(side) / len(side) for side in sides.values())
    assert truncated_l1(logits, masks, 0.5).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("noisy", [0.0, 1.0])
def test_a_batch_without_noise_or_nothing_but_noise_has_a_loss(noisy: float) -> None:
    logits = drawn(2, 1, 3, 4)
    expected = (logits * (1 - 2 * noisy) + 0.5).clamp(min=0).mean()
    torch.testing.assert_close(truncated_l1(logits, torch.full_like(logits, noisy), 0.5), expected)


def test_the_focal_loss_weighs_by_what_is_missing_to_the_fourth() -> None:
    logits, targets = drawn(20), (drawn(20, seed=1) > 0).double()
    expected = 0.0
    for logit, target in zip(logits.tolist(), targets.tolist(), strict=True):
        noisy = 1 / (1 + math.exp(-logit))
        right = noisy if target else 1 - noisy
        expected -= (1 - right) ** 4 * math.log(right) / 20
    assert focal_loss(logits, targets).item() == pytest.approx(expected, rel=1e-9)


def test_layers_meet_on_twice_the_first_ones_grid_and_take_in_their_neighbours() -> None:
    layers = [drawn(1, 2, 4, 4), drawn(1, 3, 2, 2, seed=1)]
    found = pooled(layers)
    assert found.shape == (1, 5, 8, 8)

    def upsampled(layer: torch.Tensor, row: int, column: int) -> torch.Tensor:
        """Bilinear with corners aligned; zero beyond the border."""
        if not (0 <= row < 8 and 0 <= column < 8):
            return torch.zeros(layer.shape[1], dtype=torch.float64)
        y, x = (place * (layer.shape[2] - 1) / 7 for place in (row, column))
        total = torch.zeros(layer.shape[1], dtype=torch.float64)
        for j in {math.floor(y), math.ceil(y)}:
            for i in {math.floor(x), math.ceil(x)}:
                total += (1 - abs(y - j)) * (1 - abs(x - i)) * layer[0, :, j, i]
        return total

    for row, column in ((0, 0), (3, 5), (7, 2)):
        around = [(row + j, column + i) for j in (-1, 0, 1) for i in (-1, 0, 1)]
        expected = torch.cat([sum(upsampled(layer, *at) for at in around) / 9 for layer in layers])  # type: ignore[arg-type]
        torch.testing.assert_close(found[0, :, row, column], expected)


def test_noise_lies_where_the_masks_are_and_its_truth_is_what_the_heads_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stand-in for the heads sees the features; those of the two copies differ exactly where a mask is."""
    method = made(SuperSimpleNet)
    seen: list[torch.Tensor] = []
    told: list[torch.Tensor] = []

    def heads(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(features)
        return torch.zeros(len(features), 1, *features.shape[2:]), torch.zeros(len(features))

    def told_focal(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        told.append(targets)
        return focal_loss(logits, targets)

    monkeypatch.setattr(method, "_heads", heads)
    monkeypatch.setattr("methods.supersimplenet.focal_loss", told_focal)
    images = noise_images(6)
    method.loss(images)  # type: ignore[operator]
    clean = method.adaptor(pooled(method.fit_features(images)))  # type: ignore[operator]
    difference = seen[0] - torch.cat([clean, clean])
    masks, labels = told
    assert 0 < labels.sum() < 12 and torch.equal(labels, masks.amax(dim=(1, 2, 3)))
    assert torch.equal((difference != 0).any(dim=1, keepdim=True).float(), masks)
    assert difference[masks.expand_as(difference) == 1].std().item() == pytest.approx(0.015, rel=0.05)


def test_the_learning_rates_fall_at_80_and_90_percent_of_the_epochs() -> None:
    rates: list[list[float]] = []

    class Watch(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])

    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=10, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[Watch()],
    )  # fmt: skip
    trainer.fit(made(SuperSimpleNet), torch.utils.data.DataLoader(list(noise_images(2, 32)), 2))
    assert [heads / 2e-4 for _, heads in rates] == pytest.approx([1] * 8 + [0.4, 0.16])
    assert [adaptor / 1e-4 for adaptor, _ in rates] == pytest.approx([1] * 8 + [0.4, 0.16])


def test_one_pass_gives_map_and_score_and_the_score_does_not_train_the_map() -> None:
    method = fit(made(SuperSimpleNet), noise_images())
    images = noise_images(2)
    maps, scores = method.predict_step(images)
    assert maps.shape == (2, 64, 64) and scores.shape == (2,) and method.has_own_score()
    assert torch.equal(method.anomaly_map(images), maps)
    method.train().zero_grad()
    _, score = method._heads(method.adaptor(pooled(method.fit_features(images))))  # type: ignore[operator]
    score.sum().backward()
    assert all(parameter.grad is None for parameter in method.segmentation.parameters())  # type: ignore[union-attr,operator]

"""The autoencoders of single samples: parameter counts, training against a plain loop, the penalty by hand."""

import math
from collections.abc import Callable

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from methods.blocks.reconstruction import SmallAutoencoder
from methods.contract import MethodError
from methods.conv_ae import ConvAutoencoder
from methods.dense_ae import DenseAutoencoder
from methods.tabular_ae import TabularAutoencoder

RATE = 1e-3


def dense() -> SmallAutoencoder:
    return DenseAutoencoder(px=28, latent=32, learning_rate=RATE)


def conv() -> SmallAutoencoder:
    return ConvAutoencoder(px=28, widths=(16, 8, 8), learning_rate=RATE)


def tabular(penalty: float = 1e-5) -> TabularAutoencoder:
    return TabularAutoencoder(columns=30, hidden=14, latent=7, activity_penalty=penalty, learning_rate=RATE)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (dense, 784 * 32 + 32 + 32 * 784 + 784),
        (conv, 4385),  # as the summary of the Keras network says
        (tabular, (30 * 14 + 14) + (14 * 7 + 7) + (7 * 7 + 7) + (7 * 30 + 30)),
    ],
)
def test_parameter_counts(build: Callable[[], SmallAutoencoder], parameters: int) -> None:
    assert sum(weights.numel() for weights in build().parameters()) == parameters


def test_shapes() -> None:
    pictures = torch.rand(3, 1, 28, 28)
    assert dense().encoder(pictures).shape == (3, 32)  # type: ignore[operator]
    assert conv().encoder(pictures).shape == (3, 8, 4, 4)  # type: ignore[operator]
    for method in (dense(), conv()):
        reconstructions = method(pictures)
        assert reconstructions.shape == pictures.shape and 0 <= reconstructions.min() <= reconstructions.max() <= 1


def test_other_sizes_are_refused() -> None:
    with pytest.raises(MethodError, match="28 px, not 32"):
        ConvAutoencoder(px=32, widths=(16, 8, 8), learning_rate=RATE)


def test_the_score_is_the_mean_squared_error_of_a_sample() -> None:
    method, rows = tabular(), torch.randn(4, 30)
    pairs = zip(rows.tolist(), method(rows).tolist(), strict=True)
    expected = [sum((a - b) ** 2 for a, b in zip(row, output, strict=True)) / 30 for row, output in pairs]
    torch.testing.assert_close(method.anomaly_score(rows), torch.tensor(expected))


def test_the_penalty_by_hand() -> None:
    rows = torch.randn(5, 30)
    method = tabular(penalty=0.5)
    norms = [sum(map(abs, hidden)) for hidden in method.outer(rows).tolist()]
    expected = torch.nn.functional.mse_loss(method(rows), rows).item() + 0.5 * sum(norms) / 5
    assert method.loss(rows).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_training_is_that_of_a_plain_loop() -> None:
    batches = list(torch.randn(6, 16, 30, generator=torch.Generator().manual_seed(0)))
    pl.seed_everything(1, verbose=False)
    method = tabular()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=3, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(method, DataLoader(batches, batch_size=None))

    torch.manual_seed(1)
    layers = [torch.nn.Linear(*sizes) for sizes in ((30, 14), (14, 7), (7, 7), (7, 30))]
    optimizer = torch.optim.Adam([weights for layer in layers for weights in layer.parameters()], lr=RATE)
    for _ in range(3):
        for rows in batches:
            hidden = torch.tanh(layers[0](rows))
            output = layers[3](torch.tanh(layers[2](torch.relu(layers[1](hidden)))))
            loss = ((output - rows) ** 2).mean() + 1e-5 * hidden.abs().sum() / len(rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    plain = torch.cat([weights.flatten() for layer in layers for weights in layer.parameters()])
    torch.testing.assert_close(torch.nn.utils.parameters_to_vector(method.parameters()), plain, atol=1e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("build", [dense, conv])
def test_pictures_do_not_all_come_back_black(build: Callable[[], SmallAutoencoder], seed: int) -> None:
    """Thin strokes on black, on which training by squared error ends at black pictures."""
    pl.seed_everything(seed, verbose=False)
    pictures = torch.zeros(64, 1, 28, 28)
    for index, picture in enumerate(pictures[:, 0]):
        picture[4:24, 6 + index % 4 * 5 : 9 + index % 4 * 5] = 1
    method = build()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=25, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(method, DataLoader(list(pictures.split(8)) * 2, batch_size=None))
    with torch.no_grad():
        assert method.anomaly_score(pictures).mean() < 0.3 * pictures.square().mean()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("build", [dense, conv])
def test_the_loss_is_computed_in_float32(
    build: Callable[[], SmallAutoencoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA refuses this one in half precision (`trainer=gpu_fast`)."""
    kept, real = [], torch.nn.functional.binary_cross_entropy

    def loss(restored: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        kept.append((restored.dtype, torch.is_autocast_enabled("cpu")))
        return real(restored, samples)

    monkeypatch.setattr(torch.nn.functional, "binary_cross_entropy", loss)
    with torch.autocast("cpu", torch.bfloat16):
        build().loss(torch.rand(2, 1, 28, 28)).backward()
    assert kept == [(torch.float32, False)]


def test_a_loss_that_is_not_finite_ends_the_run() -> None:
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    with pytest.raises(MethodError, match="The loss became nan in epoch 0"):
        trainer.fit(tabular(), DataLoader([torch.full((4, 30), math.nan)], batch_size=None))

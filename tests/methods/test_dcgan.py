"""The networks of AnoGAN: shapes, counts written out, initial weights, TensorFlow's padding, rounding."""

import pytest
import torch
from torch.nn import functional as F

from methods.blocks.dcgan import Discriminator, RowwiseLinear, generator
from methods.contract import MethodError


def layer_counts(channels: int) -> tuple[int, int]:
    """Weights and biases of both networks at 128 px, written out; batch normalisation has two numbers a channel."""
    kernels = 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * channels)
    linear_g, linear_d = 64 * 8 * 8 * 512 + 8 * 8 * 512, 8 * 8 * 512 + 1
    generator_rest = (256 + 128 + 64 + channels) + 2 * (512 + 256 + 128 + 64)
    discriminator_rest = (64 + 128 + 256 + 512) + 2 * (128 + 256 + 512)
    return linear_g + kernels + generator_rest, linear_d + kernels + discriminator_rest


@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_ranges_and_parameter_counts_at_the_papers_size(channels: int) -> None:
    g, d = generator(64, channels, 128, 64), Discriminator(channels, 128, 64)
    with torch.no_grad():
        made = g(torch.rand(2, 64) * 2 - 1)
        assert made.shape == (2, channels, 128, 128)
        assert g[1](g[0](torch.zeros(2, 64))).shape == (2, 512, 8, 8)
        assert d(made).shape == (2,)
        assert d.features(made).shape == (2, 512, 8, 8)
    assert made.abs().max() <= 1 and made.min() < 0 < made.max()
    assert tuple(sum(p.numel() for p in network.parameters()) for network in (g, d)) == layer_counts(channels)


def test_weights_start_as_stated() -> None:
    for network in (generator(64, 3, 128, 64), Discriminator(3, 128, 64)):
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:
                assert parameter.std().item() == pytest.approx(0.02, rel=0.05), name
                assert abs(parameter.mean().item()) < 0.001
            elif "bias" in name:
                assert not parameter.any()


def test_layers_are_tensorflows_same_padding_seen_in_a_mirror() -> None:
    """TensorFlow pads one pixel before and two after; its transposed convolution is the adjoint of that."""
    conv = Discriminator(2, 16, 3).double().features[0]
    x = torch.randn(1, 2, 16, 16, dtype=torch.float64, requires_grad=True)
    same = F.conv2d(F.pad(x, (1, 2, 1, 2)), mirror(conv.weight), stride=2)
    torch.testing.assert_close(mirror(conv(mirror(x))), same)

    deconv = generator(4, 2, 16, 3)[-2].double()
    signal = torch.randn(1, 3, 8, 8, dtype=torch.float64)
    forward = F.conv2d(F.pad(x, (1, 2, 1, 2)), mirror(deconv.weight), stride=2)
    (same_transposed,) = torch.autograd.grad(forward, x, signal)
    torch.testing.assert_close(mirror(deconv(mirror(signal))), same_transposed)


def mirror(x: torch.Tensor) -> torch.Tensor:
    return x.flip(-1, -2)


def test_a_row_by_itself_is_the_same_bit_for_bit_as_among_others() -> None:
    layer, rows = RowwiseLinear(64, 4096), torch.rand(7, 64)
    trained = layer(rows)
    together = layer.eval()(rows)
    torch.testing.assert_close(together, trained)
    assert all(torch.equal(together[first : first + 2], layer(rows[first : first + 2])) for first in range(6))


def test_a_size_that_cannot_be_doubled_into_is_refused() -> None:
    with pytest.raises(MethodError, match="multiple of 16 px, not 100 px"):
        generator(64, 3, 100, 64)

"""RD4AD's loss and map against loops in float64; shapes and sizes of what is trained."""

import math

import pytest
import torch
from scipy.ndimage import gaussian_filter

from methods.blocks.reverse_resnet import FusedCode, ReverseResNet
from methods.contract import MethodError
from methods.rd4ad import RD4AD, cosine_loss, cosine_map
from tests.methods.test_feature_trained import made
from tests.methods.test_stfpm import pyramids
from tests.methods.training import fit, noise_images

pytestmark = pytest.mark.filterwarnings("ignore")


def cosine_by_loops(a: torch.Tensor, b: torch.Tensor) -> float:
    first, second = a.flatten().tolist(), b.flatten().tolist()
    product = sum(x * y for x, y in zip(first, second, strict=True))
    return product / math.sqrt(sum(x * x for x in first) * sum(y * y for y in second))


def test_the_loss_compares_whole_maps_and_is_summed_over_layers() -> None:
    original, restored = pyramids(0), pyramids(1)
    expected = sum(
        sum(1 - cosine_by_loops(o[image], r[image]) for image in range(len(o))) / len(o)
        for o, r in zip(original, restored, strict=True)
    )
    assert cosine_loss(original, restored).item() == pytest.approx(expected, rel=1e-12)


def test_the_map_adds_distances_at_each_position_with_corners_aligned() -> None:
    original, restored = pyramids(2), pyramids(3)
    found = cosine_map(original, restored, (11, 7))
    corners = (((0, 0), (0, 0), (0, 0)), ((10, 6), (5, 3), (2, 1)), ((10, 0), (5, 0), (2, 0)))
    for (row, column), fine, coarse in corners:
        expected = sum(
            1 - cosine_by_loops(o[1, :, y, x], r[1, :, y, x])
            for o, r, (y, x) in zip(original, restored, (fine, coarse), strict=True)
        )
        assert found[1, row, column].item() == pytest.approx(expected, rel=1e-9)


def test_the_anomaly_map_is_smoothed() -> None:
    method, images = fit(made(RD4AD), noise_images()), noise_images(2)
    with torch.no_grad():
        features = list(method.source(images).values())  # type: ignore[operator]
        rough = cosine_map(features, method.restored(features), (64, 64))  # type: ignore[operator]
        found = method.anomaly_map(images)
    expected = torch.stack([torch.from_numpy(gaussian_filter(one, 4)) for one in rough.numpy()])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("backbone", "expansion"), [("resnet18", 1), ("resnet50", 4)])
def test_the_decoder_gives_back_the_shapes_of_the_encoder(backbone: str, expansion: int) -> None:
    shapes = [(2, planes * expansion, 16 // halved, 16 // halved) for planes, halved in ((64, 1), (128, 2), (256, 4))]
    features = [torch.rand(shape) for shape in shapes]
    code = FusedCode(backbone)(features)
    assert code.shape == (2, 512 * expansion, 2, 2)
    assert [tuple(restored.shape) for restored in ReverseResNet(backbone)(code)] == shapes


def test_the_trained_networks_have_the_size_of_the_authors() -> None:
    """Counted by hand from the layers: bottleneck and decoder of their ResNet-18, less a layer that they never use."""

    def norm(width: int) -> int:
        return 2 * width

    def block(before: int, after: int, taps: int, shortcut: int) -> int:
        first = before * after * taps + norm(after) + 9 * after * after + norm(after)
        return first + (before * after * shortcut + norm(after) if shortcut else 0)

    halved = 9 * 64 * 128 + norm(128) + 9 * 128 * 256 + norm(256)
    bottleneck = halved + 9 * 128 * 256 + norm(256) + block(768, 512, 9, 1) + block(512, 512, 9, 0)
    stages = ((512, 256), (256, 128), (128, 64))
    decoder = sum(block(before, after, 4, 4) + block(after, after, 9, 0) for before, after in stages)
    count = [sum(p.numel() for p in part("resnet18").parameters()) for part in (FusedCode, ReverseResNet)]
    assert count == [bottleneck, decoder]


def test_training_brings_the_loss_down_and_leaves_the_encoder() -> None:
    images = noise_images()
    method = made(RD4AD)
    encoder = {name: tensor.clone() for name, tensor in method.source.state_dict().items()}  # type: ignore[operator,union-attr]
    before = method.loss(images).item()  # type: ignore[operator]
    fit(method, images, epochs=4)
    assert method.train().loss(images).item() < 0.8 * before  # type: ignore[operator]
    assert all(torch.equal(tensor, encoder[name]) for name, tensor in method.source.state_dict().items())  # type: ignore[operator,union-attr]


def test_sizes_that_the_decoder_cannot_give_back_are_refused() -> None:
    with pytest.raises(MethodError, match="multiples of 32 px"):
        made(RD4AD).loss(noise_images(2, px=72))  # type: ignore[operator]

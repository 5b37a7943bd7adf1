"""ResNet-18 features against torchvision's own network on cut patches, and the ways of getting weights."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models import ResNet, resnet18
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.transforms import Normalize

from benchmarks.data.datasets import to_float
from benchmarks.data.images import decode
from methods.blocks import resnet_features
from methods.blocks.resnet_features import ResNetFeatures
from methods.contract import MethodError

SHARED = Path(__file__).resolve().parents[3] / "shared"
REAL_WEIGHTS = SHARED / "weights" / "resnet18_imagenet_without_layer4_convs.pth"
PATCH = 16


@pytest.fixture(scope="module")
def torchvision_network() -> ResNet:
    """Random weights, and batch norms that are not the identity."""
    torch.manual_seed(0)
    network = resnet18()
    network.train()(torch.rand(8, 3, 64, 64))
    return network.eval()


@pytest.fixture(scope="module")
def weight_file(torchvision_network: ResNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(torchvision_network.state_dict(), path)
    return path


def cut(image_CHW: Tensor, corners_N2: Tensor) -> Tensor:
    return torch.stack([image_CHW[:, y : y + PATCH, x : x + PATCH] for y, x in corners_N2.tolist()])


@pytest.mark.parametrize("input_px", [16, 32])
@pytest.mark.parametrize("layer", ["layer3", "avgpool"])
def test_features_are_those_of_torchvision_on_cut_patches(
    torchvision_network: ResNet, weight_file: Path, layer: str, input_px: int
) -> None:
    image_CHW = torch.rand(3, 40, 50)
    corners_N2 = torch.cartesian_prod(torch.arange(0, 25, 4), torch.arange(0, 35, 4))
    features_ND = ResNetFeatures(str(weight_file), layer, input_px).of_patches(image_CHW, corners_N2, PATCH)

    patches_NCHW = F.interpolate(cut(image_CHW, corners_N2), size=(input_px, input_px), mode="bilinear")
    patches_NCHW = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(patches_NCHW)
    with torch.no_grad():
        expected_NDHW = create_feature_extractor(torchvision_network, [layer])(patches_NCHW)[layer]
    torch.testing.assert_close(features_ND, expected_NDHW.mean(dim=(2, 3)), rtol=1e-5, atol=1e-5)


def test_real_features_are_those_of_torchvision_on_cut_patches(mvtec_ad: Path) -> None:
    """Trained weights on a real bottle, against torchvision's own layers one after the other."""
    if not REAL_WEIGHTS.exists():
        pytest.skip(f"needs {REAL_WEIGHTS}")
    pixels_HWC = decode(mvtec_ad / "bottle" / "test" / "broken_large" / "000.png", "rgb", px=256)
    image_CHW = to_float(torch.from_numpy(pixels_HWC[None]))[0]
    corners_N2 = torch.cartesian_prod(torch.arange(0, 241, 48), torch.arange(0, 241, 48))
    features_ND = ResNetFeatures(str(REAL_WEIGHTS), "layer3", PATCH).of_patches(image_CHW, corners_N2, PATCH)

    network = resnet18().eval()
    network.load_state_dict(torch.load(REAL_WEIGHTS, weights_only=True), strict=False)
    x = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(cut(image_CHW, corners_N2))
    with torch.no_grad():
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3"):
            x = network.get_submodule(name)(x)
    torch.testing.assert_close(features_ND, x.mean(dim=(2, 3)), rtol=1e-4, atol=1e-4)


def test_network_sees_a_bounded_number_of_pixels_at_once(weight_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = ResNetFeatures(str(weight_file), "layer1", 32)
    monkeypatch.setattr(resnet_features, "PIXELS_AT_ONCE", 10 * 32**2)
    sizes: list[int] = []
    features.body.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    corners_N2 = torch.randint(0, 30, (25, 2))
    image_CHW = torch.rand(3, 46, 46)
    chunked_ND = features.of_patches(image_CHW, corners_N2, PATCH)
    assert sizes == [10, 10, 5]
    torch.testing.assert_close(chunked_ND, features(cut(image_CHW, corners_N2)))


def test_stays_in_evaluation_mode_without_gradients(weight_file: Path) -> None:
    features = ResNetFeatures(str(weight_file), "layer1", PATCH).train()
    assert not any(module.training for module in features.modules())
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_random_weights_warn_and_follow_the_seed() -> None:
    patches = torch.rand(2, 3, PATCH, PATCH)
    features = []
    for _ in range(2):
        torch.manual_seed(3)
        with pytest.warns(UserWarning, match="RANDOM weights"):
            network = ResNetFeatures("random", "layer2", PATCH)
        assert network.weights_mark == "random"
        features.append(network(patches))
    assert torch.equal(*features)


def test_a_partial_file_serves_the_layers_it_covers_and_names_what_others_lack(
    torchvision_network: ResNet, tmp_path: Path
) -> None:
    absent = ["layer4.0.conv2.weight", "layer4.1.bn1.running_mean"]
    path = tmp_path / "partial.pth"
    torch.save({k: v for k, v in torchvision_network.state_dict().items() if k not in absent}, path)
    assert ResNetFeatures(str(path), "layer3", PATCH).weights_mark.startswith("partial.pth (sha256 ")
    with pytest.raises(
        MethodError, match=r"layer=avgpool needs: layer4\.0\.conv2\.weight, layer4\.1\.bn1\.running_mean\."
    ):
        ResNetFeatures(str(path), "avgpool", PATCH)


@pytest.mark.skipif(not REAL_WEIGHTS.is_file(), reason=f"no {REAL_WEIGHTS}")
def test_imagenet_weights_without_layer4_serve_layer3_only() -> None:
    assert ResNetFeatures(str(REAL_WEIGHTS), "layer3", PATCH)(torch.rand(2, 3, PATCH, PATCH)).shape == (2, 256)
    with pytest.raises(MethodError, match=r"layer4\.0\.conv1\.weight, .*layer4\.1\.conv2\.weight"):
        ResNetFeatures(str(REAL_WEIGHTS), "avgpool", PATCH)


def test_a_failed_download_says_what_was_tried_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(MethodError) as caught:
        ResNetFeatures("imagenet", "avgpool", PATCH)
    for part in ("download.pytorch.org", "no route to host", "method.weights=PATH", "method.weights=random"):
        assert part in str(caught.value)


def test_unusable_files_are_named(tmp_path: Path) -> None:
    absent, broken, other = tmp_path / "absent.pth", tmp_path / "broken.pth", tmp_path / "other.pth"
    broken.write_bytes(b"not a checkpoint")
    torch.save({"conv1.weight": torch.zeros(1)}, other)
    for path, reason in ((absent, "No weight file"), (broken, "cannot be read"), (other, "does not hold weights")):
        with pytest.raises(MethodError, match=reason) as caught:
            ResNetFeatures(str(path), "layer1", PATCH)
        assert str(path) in str(caught.value)


def test_an_unknown_layer_is_refused_with_the_known_ones() -> None:
    with pytest.raises(MethodError, match="layer1, layer2, layer3, avgpool, not fc"):
        ResNetFeatures("random", "fc", PATCH)

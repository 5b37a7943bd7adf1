"""Features against the libraries' own networks, whole images and cut patches, and the ways of getting weights."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from torch import Tensor
from torch.nn import functional as F
from torchvision.models import ResNet, ResNet18_Weights, resnet18
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.transforms import Normalize

from benchmarks.data.datasets import to_float
from benchmarks.data.images import decode
from methods.blocks import patch_features
from methods.blocks.features import FeatureSource
from methods.blocks.patch_features import features_of_patches
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


def of_patches(weights: str, layer: str, image_CHW: Tensor, corners_N2: Tensor, input_px: int = PATCH) -> Tensor:
    source = FeatureSource("resnet18", weights, [layer])
    return features_of_patches(source, image_CHW, corners_N2, PATCH, input_px)


def cut(image_CHW: Tensor, corners_N2: Tensor) -> Tensor:
    return torch.stack([image_CHW[:, y : y + PATCH, x : x + PATCH] for y, x in corners_N2.tolist()])


@pytest.mark.parametrize("input_px", [16, 32])
@pytest.mark.parametrize("layer", ["layer3", "avgpool"])
def test_features_are_those_of_torchvision_on_cut_patches(
    torchvision_network: ResNet, weight_file: Path, layer: str, input_px: int
) -> None:
    image_CHW = torch.rand(3, 40, 50)
    corners_N2 = torch.cartesian_prod(torch.arange(0, 25, 4), torch.arange(0, 35, 4))
    features_ND = of_patches(str(weight_file), layer, image_CHW, corners_N2, input_px)

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
    features_ND = of_patches(str(REAL_WEIGHTS), "layer3", image_CHW, corners_N2)

    network = resnet18().eval()
    network.load_state_dict(torch.load(REAL_WEIGHTS, weights_only=True), strict=False)
    x = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(cut(image_CHW, corners_N2))
    with torch.no_grad():
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3"):
            x = network.get_submodule(name)(x)
    torch.testing.assert_close(features_ND, x.mean(dim=(2, 3)), rtol=1e-4, atol=1e-4)


def test_network_sees_a_bounded_number_of_pixels_at_once(weight_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FeatureSource("resnet18", str(weight_file), ["layer1"])
    monkeypatch.setattr(patch_features, "PIXELS_AT_ONCE", 10 * 32**2)
    sizes: list[int] = []
    source.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    corners_N2 = torch.randint(0, 30, (25, 2))
    image_CHW = torch.rand(3, 46, 46)
    chunked_ND = features_of_patches(source, image_CHW, corners_N2, PATCH, 32)
    assert sizes == [10, 10, 5]
    whole_ND = source(F.interpolate(cut(image_CHW, corners_N2), size=32, mode="bilinear"))["layer1"].mean(dim=(2, 3))
    torch.testing.assert_close(chunked_ND, whole_ND)


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_layers_of_gray_images_are_torchvisions(backbone: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = torchvision.models.get_model(backbone)
    network.train()(torch.rand(4, 3, 64, 64))  # so that the batch norms are not the identity
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    source = FeatureSource(backbone, str(tmp_path / "weights.pth"), ["layer3", "layer1"])
    gray_BCHW = torch.rand(2, 1, 70, 64)
    found = source(gray_BCHW)

    normalised = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(gray_BCHW.repeat(1, 3, 1, 1))
    with torch.no_grad():
        expected = create_feature_extractor(network.eval(), ["layer1", "layer3"])(normalised)
    assert list(found) == ["layer1", "layer3"]
    for layer, features_BCHW in found.items():
        torch.testing.assert_close(features_BCHW, expected[layer], rtol=1e-4, atol=1e-4)
        assert features_BCHW.shape[1] == source.channels[layer]


def test_stays_in_evaluation_mode_without_gradients(weight_file: Path) -> None:
    source = FeatureSource("resnet18", str(weight_file), ["layer1"]).train()
    assert not any(module.training for module in source.modules())
    assert not any(parameter.requires_grad for parameter in source.parameters())


def test_random_weights_warn_and_follow_the_seed() -> None:
    images = torch.rand(2, 3, 32, 32)
    features = []
    for _ in range(2):
        torch.manual_seed(3)
        with pytest.warns(UserWarning, match="RANDOM weights"):
            source = FeatureSource("resnet18", "random", ["layer2"])
        assert source.identity["weights"] == "random"
        features.append(source(images)["layer2"])
    assert torch.equal(*features)


def test_the_identity_is_of_the_tensors_that_were_used(torchvision_network: ResNet, tmp_path: Path) -> None:
    state = torchvision_network.state_dict()
    torch.save(state, tmp_path / "whole.pth")
    torch.save({key: value for key, value in state.items() if "layer4" not in key}, tmp_path / "partial.pth")
    torch.save(state | {"conv1.weight": state["conv1.weight"] + 1}, tmp_path / "other.pth")
    whole, partial, other = (
        FeatureSource("resnet18", str(tmp_path / f"{name}.pth"), ["layer3"]).identity
        for name in ("whole", "partial", "other")
    )
    assert whole["weights_sha256"] == partial["weights_sha256"] != other["weights_sha256"]
    assert (whole["backbone"], whole["weights"], partial["weights"]) == ("resnet18", "whole.pth", "partial.pth")
    assert whole["library"].startswith("torchvision ")


def test_published_weights_are_one_named_set(torchvision_network: ResNet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load(url: str, **settings: object) -> dict[str, Tensor]:
        asked.append(url)
        return torchvision_network.state_dict()

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", load)
    identity = FeatureSource("resnet18", "imagenet", ["layer1"]).identity
    assert asked == [ResNet18_Weights.IMAGENET1K_V1.url]
    assert identity["weights"] == "ResNet18_Weights.IMAGENET1K_V1"


def test_a_partial_file_serves_the_layers_it_covers_and_names_what_others_lack(
    torchvision_network: ResNet, tmp_path: Path
) -> None:
    absent = ["layer4.0.conv2.weight", "layer4.1.bn1.running_mean"]
    path = tmp_path / "partial.pth"
    torch.save({k: v for k, v in torchvision_network.state_dict().items() if k not in absent}, path)
    FeatureSource("resnet18", str(path), ["layer3"])
    with pytest.raises(
        MethodError, match=r"avgpool .* needs: layer4\.0\.conv2\.weight, layer4\.1\.bn1\.running_mean\."
    ):
        FeatureSource("resnet18", str(path), ["layer1", "avgpool"])


@pytest.mark.skipif(not REAL_WEIGHTS.is_file(), reason=f"no {REAL_WEIGHTS}")
def test_imagenet_weights_without_layer4_serve_layer3_only() -> None:
    source = FeatureSource("resnet18", str(REAL_WEIGHTS), ["layer3"])
    assert source(torch.rand(2, 3, 64, 64))["layer3"].shape == (2, 256, 4, 4)
    with pytest.raises(MethodError, match=r"layer4\.0\.conv1\.weight, .*layer4\.1\.conv2\.weight"):
        FeatureSource("resnet18", str(REAL_WEIGHTS), ["layer4"])


def test_a_file_of_another_network_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(torchvision.models.resnet50().state_dict(), path)
    with pytest.raises(MethodError, match=r"layer1\.0\.conv1\.weight of shape 64x64x1x1, not .*holds resnet50"):
        FeatureSource("resnet18", str(path), ["layer1"])
    torch.save({"encoder.weight": torch.zeros(1)}, path)
    with pytest.raises(MethodError, match=r"lacks .* conv1\.weight, bn1\.weight, .* and \d+ more"):
        FeatureSource("resnet18", str(path), ["layer1"])


def test_a_failed_download_says_what_was_tried_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(MethodError) as caught:
        FeatureSource("resnet50", "imagenet", ["avgpool"])
    for part in ("download.pytorch.org", "no route to host", "method.weights=PATH", "method.weights=random"):
        assert part in str(caught.value)


def test_unusable_files_are_named(tmp_path: Path) -> None:
    absent, broken, other, wrapped = (tmp_path / f"{name}.pth" for name in ("absent", "broken", "other", "wrapped"))
    broken.write_bytes(b"not a checkpoint")
    torch.save({"conv1.weight": torch.zeros(1)}, other)
    torch.save({"state_dict": {"conv1.weight": torch.zeros(1)}, "epoch": 3}, wrapped)
    reasons = {absent: "No weight file", broken: "cannot be read", other: "does not hold weights", wrapped: "no plain"}
    for path, reason in reasons.items():
        with pytest.raises(MethodError, match=reason) as caught:
            FeatureSource("resnet18", str(path), ["layer1"])
        assert str(path) in str(caught.value)


def test_unknown_networks_and_layers_are_refused_with_the_known_ones() -> None:
    with pytest.raises(MethodError, match="layer1, layer2, layer3, layer4, avgpool, not fc"):
        FeatureSource("resnet18", "random", ["layer1", "fc"])
    with pytest.raises(MethodError, match="resnet18, resnet50, wide_resnet50_2 or timm:<full tag>, not vgg11"):
        FeatureSource("vgg11", "random", ["layer1"])

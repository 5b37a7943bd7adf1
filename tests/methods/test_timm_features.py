"""Networks of timm: layers by name, ViT tokens as maps, files and tags that cannot be used. Nothing is downloaded."""

from pathlib import Path

import pytest
import torch

from methods.blocks.features import FeatureSource
from methods.blocks.timm_features import TimmFeatures
from methods.contract import MethodError

timm = pytest.importorskip("timm")
pytestmark = pytest.mark.filterwarnings("ignore:.*RANDOM weights")


def test_a_convolutional_nets_layers_are_those_of_timms_own_extractor(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = timm.create_model("resnet18.tv_in1k", features_only=True, out_indices=(1, 3)).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")  # conv1 to layer3: the others are not needed
    source = FeatureSource("timm:resnet18.tv_in1k", str(tmp_path / "weights.pth"), ["layer3", "layer1"])
    images_BCHW = torch.rand(2, 3, 64, 64)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = network((images_BCHW - mean) / std)
    found = source(images_BCHW)
    assert list(found) == ["layer1", "layer3"] and source.channels == {"layer1": 64, "layer3": 256}
    for features_BCHW, expected_BCHW in zip(found.values(), expected, strict=True):
        torch.testing.assert_close(features_BCHW, expected_BCHW, rtol=1e-4, atol=1e-4)


def test_a_vits_patch_tokens_lie_where_their_patches_do() -> None:
    """Without attention a token depends on its own patch alone, so a changed patch changes exactly its cell."""
    source = FeatureSource("timm:vit_tiny_patch16_224", "random", ["blocks.1"])
    for block in source.body.network.blocks:
        block.forward = lambda tokens_BTD, **_: tokens_BTD + 1
    image_BCHW = torch.rand(1, 1, 64, 96)
    changed_BCHW = image_BCHW.clone()
    changed_BCHW[:, :, 16:32, 64:80] = 0
    before, after = (source(images)["blocks.1"] for images in (image_BCHW, changed_BCHW))
    assert before.shape == (1, 192, 4, 6)
    different = (before != after).any(dim=1)[0]
    assert different.nonzero().tolist() == [[1, 4]]


def test_images_that_do_not_divide_into_patches_are_refused_with_sizes_that_do() -> None:
    source = FeatureSource("timm:vit_small_patch14_dinov2.lvd142m", "random", ["blocks.0"])
    with pytest.raises(MethodError, match=r"256 x 256 px .* 14 px.* 252 or 266"):
        source(torch.rand(1, 3, 256, 256))


def test_random_weights_follow_the_seed_and_the_identity_names_library_and_tag() -> None:
    identities = []
    for _ in range(2):
        torch.manual_seed(5)
        identities.append(FeatureSource("timm:resnet18.tv_in1k", "random", ["layer1"]).identity)
    assert identities[0] == identities[1]
    assert identities[0]["backbone"] == "timm:resnet18.tv_in1k" and identities[0]["weights"] == "random"
    assert identities[0]["library"] == f"timm {timm.__version__}"


@pytest.mark.parametrize(
    ("tag", "weights", "layer", "message"),
    [
        ("resnet18", "imagenet", "layer1", "full tag, one of .*resnet18.tv_in1k"),  # the default has changed before
        ("resnet18.nobody", "random", "layer1", "no resnet18.nobody.*resnet18.a1_in1k"),
        ("no_such_net", "random", "layer1", "no no_such_net"),
        ("resnet18", "random", "blocks.1", "act1, layer1, layer2, layer3, layer4, not blocks.1"),
        ("resnet18", "absent.pth", "layer1", "No weight file absent.pth"),
    ],
)
def test_what_cannot_be_had_is_refused_with_what_can(tag: str, weights: str, layer: str, message: str) -> None:
    with pytest.raises(MethodError, match=message):
        TimmFeatures(tag, weights, [layer])


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(MethodError, match=r"no route to host.*method\.weights=PATH"):
        TimmFeatures("resnet18.tv_in1k", "imagenet", ["layer1"])


def test_safetensors_files_are_read(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    network = timm.create_model("resnet18")
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    torch.save(network.state_dict(), tmp_path / "model.pth")
    marks = {
        FeatureSource("timm:resnet18", str(tmp_path / f"model.{ending}"), ["layer1"]).identity["weights_sha256"]
        for ending in ("safetensors", "pth")
    }
    assert len(marks) == 1

"""What a frozen network remembers is what it would compute."""

import pytest
import torch

from benchmarks.choose import remembered as module
from benchmarks.choose.remembered import remembered
from methods.blocks.features import FeatureSource
from methods.dfm import DFM
from tests.methods.feature_methods import NETWORK, fit, stripes

pytestmark = pytest.mark.filterwarnings("ignore:.*RANDOM weights")


def dfm() -> DFM:
    torch.manual_seed(0)
    return DFM(**NETWORK, layer="layer3", pool=1, variance=0.97)


def test_fitted_and_predicted_to_the_last_bit() -> None:
    images_BCHW = stripes(4)
    with remembered(), torch.inference_mode():
        dfm().eval().source(images_BCHW[:1])  # asked first while predicting
    maps = []
    for context in (remembered(), torch.no_grad()):
        with context:
            method = fit(dfm(), images_BCHW, batch_size=1)
            with torch.inference_mode():
                maps.append([method.predict_step(image_CHW[None])[0] for image_CHW in images_BCHW])
    assert all(torch.equal(one, other) for one, other in zip(*maps, strict=True))


def test_each_image_passes_once_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    source, passes = FeatureSource(**NETWORK, layers=["layer1"]), []
    source.body.register_forward_hook(lambda *_: passes.append(1))
    images_BCHW = stripes(3)

    def ask() -> int:
        passes.clear()
        with remembered():
            for image_CHW in [*images_BCHW, *images_BCHW]:
                source(image_CHW[None])
        return len(passes)

    assert ask() == 3
    monkeypatch.setattr(module, "LIMIT_BYTES", 0)
    assert ask() == 6

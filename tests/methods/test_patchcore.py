"""PatchCore: its patches, scores and image score against slow references, and the limits of bank and memory."""

import pytest
import torch
from torch import Tensor

from methods.contract import MethodError
from methods.patchcore import PatchCore
from tests.methods.feature_methods import NETWORK, fit, stripes

pytestmark = pytest.mark.filterwarnings("ignore:.*RANDOM weights")


def build(**changes: object) -> PatchCore:
    torch.manual_seed(0)
    settings = dict(NETWORK, layers=["layer2", "layer3"], share=0.1, max_bank=100, projection=32, neighbours=1)
    settings |= {"reweight": 0, "memory_mib": 64, "sigma": 0}
    return PatchCore(**(settings | changes))


@pytest.fixture(scope="module")
def method() -> PatchCore:
    return fit(build(), stripes(6))


def test_a_patch_is_the_mean_of_3_by_3_features_of_both_layers() -> None:
    method = build()
    image_BCHW = stripes(1)
    layer2_CPQ, layer3_CPQ = (features[0].double() for features in method.source(image_BCHW).values())
    patches_PQD = method.patches(image_BCHW)[0]
    assert patches_PQD.shape == (8, 8, 128 + 256)

    def mean_around(features_CPQ: Tensor, p: int, q: int) -> Tensor:
        near = [(y, x) for y in (p - 1, p, p + 1) for x in (q - 1, q, q + 1)]
        rows, columns = features_CPQ.shape[1:]
        return sum(features_CPQ[:, y, x] for y, x in near if 0 <= y < rows and 0 <= x < columns) / 9

    for p, q in ((0, 0), (3, 4), (7, 2)):
        torch.testing.assert_close(
            patches_PQD[p, q, :128].double(), mean_around(layer2_CPQ, p, q), rtol=1e-5, atol=1e-6
        )
    # layer3 has 4 x 4 cells: (3, 3) of 8 x 8 lies a quarter of a cell before the centre of (2, 2) ... 1.25 cells from (0, 0)
    corners = [(y, x, wy * wx) for y, wy in ((1, 0.75), (2, 0.25)) for x, wx in ((1, 0.75), (2, 0.25))]
    expected_C = sum(weight * mean_around(layer3_CPQ, y, x) for y, x, weight in corners)
    torch.testing.assert_close(patches_PQD[3, 3, 128:].double(), expected_C, rtol=1e-5, atol=1e-6)


def test_the_bank_holds_training_patches_its_share_of_them(method: PatchCore) -> None:
    patches_ND = method.patches(stripes(6)).flatten(0, 2)
    assert method.bank_MD.shape == (38, 384)  # 10 % of 6 x 64
    assert torch.cdist(method.bank_MD, patches_ND, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1).max() < 1e-4
    assert method.facts() == {**method.source.identity, "bank": 38, "patches_seen": 384, "patches_held": 384}


@pytest.mark.parametrize("neighbours", [1, 3])
def test_scores_are_mean_distances_to_the_nearest_patches(neighbours: int) -> None:
    method = fit(build(neighbours=neighbours), stripes(6))
    image_BCHW = stripes(1, seed=1)
    map_HW = method.anomaly_map(image_BCHW)[0]
    distances_NM = torch.cdist(method.patches(image_BCHW).flatten(0, 2).double(), method.bank_MD.double())
    scores_PQ = distances_NM.sort(dim=1).values[:, :neighbours].mean(dim=1).view(1, 1, 8, 8)
    expected = torch.nn.functional.interpolate(scores_PQ, (64, 64), mode="bilinear")[0, 0]
    torch.testing.assert_close(map_HW.double(), expected, rtol=1e-4, atol=1e-5)


def test_the_image_score_is_the_largest_and_reweighted_by_the_papers_equation_7() -> None:
    plain, reweighted = (fit(build(reweight=reweight), stripes(6)) for reweight in (0, 3))
    images_BCHW = stripes(3, seed=1)
    images_BCHW[1, :, 20:40, 20:40] = 0
    _, plain_B = plain.map_and_score(images_BCHW)
    _, reweighted_B = reweighted.map_and_score(images_BCHW)
    bank_MD = plain.bank_MD.double()
    for image, patches_ND in enumerate(plain.patches(images_BCHW).flatten(1, 2).double()):
        distances_NM = torch.cdist(patches_ND, bank_MD)
        patch = int(distances_NM.amin(dim=1).argmax())
        entry = int(distances_NM[patch].argmin())
        largest = distances_NM[patch, entry]
        around = torch.cdist(bank_MD[entry][None], bank_MD)[0].argsort()[:3]
        share = largest.exp() / distances_NM[patch, around].exp().sum()
        assert plain_B[image].item() == pytest.approx(largest.item(), rel=1e-4)
        assert reweighted_B[image].item() == pytest.approx(((1 - share) * largest).item(), rel=1e-4)
    assert plain_B.argmax() == 1


def test_a_score_that_nothing_can_reweight_stands_as_it_is() -> None:
    images_BCHW = stripes(2, seed=1)
    (_, plain_B), (_, reweighted_B) = (
        fit(build(max_bank=1, reweight=reweight), stripes(6)).map_and_score(images_BCHW) for reweight in (0, 3)
    )
    assert torch.equal(reweighted_B, plain_B) and plain_B.min() > 0
    with pytest.raises(MethodError, match="reweight=1: it is 0 or a number from 2 on"):
        build(reweight=1)


def test_bank_and_memory_are_bounded_and_the_record_says_so() -> None:
    method = build(max_bank=20, projection=16, memory_mib=0.5)
    assert method.facts() == method.source.identity
    fit(method, stripes(12))
    held = 2**19 // (4 * (384 + 16))
    assert method.bank_MD.shape == (20, 384)
    assert method.facts() == {**method.source.identity, "bank": 20, "patches_seen": 12 * 64, "patches_held": held}


def test_same_seed_same_maps_whatever_the_batch_size(method: PatchCore) -> None:
    images_BCHW = stripes(3, seed=1)
    maps_BHW = method.anomaly_map(images_BCHW)
    assert torch.equal(maps_BHW, fit(build(), stripes(6)).anomaly_map(images_BCHW))
    other = fit(build(), stripes(6), batch_size=4).anomaly_map(images_BCHW)
    torch.testing.assert_close(maps_BHW, other, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(maps_BHW[1:2], method.anomaly_map(images_BCHW[1:2]), rtol=1e-4, atol=1e-5)

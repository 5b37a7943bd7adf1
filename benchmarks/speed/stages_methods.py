"""The methods' inner parts: patch features, latent search, mixtures, shape matching."""

import math
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.transforms.functional import normalize

from benchmarks.speed.harness import Alternative, Setting, Stage, installed
from benchmarks.speed.inputs import object_picture, picture, texture
from methods.anogan import AnoGAN, LatentSearch
from methods.blocks.features import FeatureSource
from methods.blocks.gaussian_mixture import GaussianMixture
from methods.blocks.patch_features import features_of_patches
from methods.blocks.resnet_stages import ResNetStages
from methods.blocks.rigid_warp import Pose
from methods.blocks.shape_matching import ShapeMatcher
from methods.contract import MethodError
from methods.texture_inspection import random_patches, windows

PATCH, STRIDE = 16, 4
PATCHES_AT_ONCE = 1024


def feature_dictionary(setting: Setting) -> Iterator[Stage]:
    """Features of all patches of one image. A weight file that lacks layer4 is measured up to layer3."""
    px = setting.size(512, 64)
    image_CHW = torch.from_numpy(picture(px, 0)).permute(2, 0, 1).float().div(255).to(setting.device)
    features, layer = _features(setting.weights)
    features.to(setting.device)
    plain = _torchvision_network(features, layer).to(setting.device)
    starts = torch.arange(0, px - PATCH + 1, STRIDE)
    corners_N2 = torch.cartesian_prod(starts, starts)
    yield Stage(
        f"patch features of a {px} px image, stride {STRIDE}, up to {layer}, {features.identity['weights']} weights",
        lambda: features_of_patches(features, image_CHW, corners_N2, PATCH, PATCH).cpu(),
        {"patches cut, torchvision's network in batches": Alternative(lambda: _cut_and_run(plain, image_CHW))},
        tolerance=1e-5,
        aim=setting.aim(2, 3),
    )


def _features(weights: str) -> tuple[FeatureSource, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that random weights mean nothing
        torch.manual_seed(0)
        try:
            return FeatureSource("resnet18", weights, ["avgpool"]), "avgpool"
        except MethodError:
            return FeatureSource("resnet18", weights, ["layer3"]), "layer3"


def _torchvision_network(features: FeatureSource, layer: str) -> nn.Module:
    """The whole network as torchvision builds it, in the default layout, with the same weights, cut off after the layer."""
    network = resnet18()
    network.load_state_dict(features.body.state_dict(), strict=False)
    if layer != "avgpool":
        network.layer4 = nn.Identity()
    network.fc = nn.Identity()
    plain: nn.Module = network.eval().to(memory_format=torch.contiguous_format)
    return plain


@torch.no_grad()
def _cut_and_run(network: nn.Module, image_CHW: Tensor) -> Tensor:
    normalised_CHW = normalize(image_CHW, ResNetStages.mean, ResNetStages.std)
    windows_CYXPP = normalised_CHW.unfold(1, PATCH, STRIDE).unfold(2, PATCH, STRIDE)
    patches_NCHW = windows_CYXPP.permute(1, 2, 0, 3, 4).flatten(0, 1)
    return torch.cat([network(batch.contiguous()) for batch in patches_NCHW.split(PATCHES_AT_ONCE)]).cpu()


def latent_search(setting: Setting) -> Iterator[Stage]:
    """AnoGAN's maps of a batch against those of its images, one by one."""
    images, steps = setting.size(64, 4), setting.size(5, 2)
    torch.manual_seed(0)
    search = LatentSearch(steps, learning_rate=0.02, beta1=0.5, feature_weight=0.1)
    method = AnoGAN(3, 128, 128, 64, setting.size(64, 8), 2e-4, 0.5, 2, search).to(setting.device)
    pictures = np.stack([picture(128, seed) for seed in range(images)])
    images_NCHW = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(255).to(setting.device)
    yield Stage(
        f"AnoGAN search of {images} images, {steps} steps",
        lambda: method.anomaly_map(images_NCHW).cpu(),
        {
            "one image at a time": Alternative(
                lambda: torch.cat([method.anomaly_map(one[None]) for one in images_NCHW]).cpu()
            )
        },
        tolerance=0.0 if setting.device == "cpu" else 1e-3,
        aim=setting.aim(5, 30),
        arithmetic=True,
    )


def texture_mixture(setting: Setting) -> Iterator[Stage]:
    """Texture inspection's mixture: EM from k-means, then the scores of all patches of an image.

    Both make the same number of iterations: where they stop by themselves depends on how they round their sums.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture as Reference

    count, px, side, components = setting.size(50_000, 2000), setting.size(400, 64), 7, 10
    torch.manual_seed(0)
    image_HW = torch.from_numpy(texture(px, 0)).to(setting.device)
    windows_HWPP = windows(image_HW[None, None], side)
    samples_ND, all_ND = (
        random_patches(windows_HWPP, count).contiguous(),
        windows_HWPP.flatten(0, 2).flatten(1).contiguous(),
    )
    iterations = setting.size(20, 5)
    settings: dict[str, Any] = {"iterations": iterations, "tolerance": 0.0, "regularisation": 1e-6}

    def ours() -> float:
        mixture = GaussianMixture(components, side**2, **settings).to(setting.device)
        mixture.fit(samples_ND, seed=0)
        return float(-mixture.nll(all_ND).double().mean())

    def reference() -> float:
        mixture = Reference(components, tol=0.0, max_iter=iterations, reg_covar=1e-6, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(samples_ND.cpu().numpy())
        return float(mixture.score_samples(all_ND.cpu().numpy()).mean())

    yield Stage(
        f"texture inspection: mixture of {components}, {iterations} iterations on {len(samples_ND)} patches, {len(all_ND)} scored",
        ours,
        {
            "scikit-learn GaussianMixture, float32 as ours": Alternative(reference)
        },  # in float64 its k-means starts elsewhere
        tolerance=1e-4,  # of the mean log-likelihood
        aim=setting.aim(3, 10),
    )


ANGLE, SHIFT_Y, SHIFT_X = 30.0, 0.01, -0.0156  # of the object to be found; shifts as shares of the image's side
MAX_SHIFT = 0.05
SKIMAGE_STEP = 10  # skimage tries only every tenth angle, the right one among them


def shape_matching(setting: Setting) -> Iterator[Stage]:
    """The pose of an object in an image of 900 px, every angle searched, against matching at every whole degree."""
    px = setting.size(900, 200)
    reference_HW, image_HW = object_picture(px), object_picture(px, ANGLE, (round(SHIFT_Y * px), round(SHIFT_X * px)))
    matcher = ShapeMatcher(max_angle_deg=180, max_shift=MAX_SHIFT).to(setting.device)
    matcher.learn(torch.from_numpy(reference_HW).to(setting.device))
    image = torch.from_numpy(image_HW).to(setting.device)
    loops: dict[str, Alternative] = {}
    missing = []
    if installed("cv2"):
        every_angle = partial(_best, _OpenCV(reference_HW, image_HW), step=1)
        loops["OpenCV: warpAffine and matchTemplate at each degree"] = Alternative(every_angle)
    else:
        missing.append("OpenCV")
    if installed("skimage"):
        some = partial(_best, _Skimage(reference_HW, image_HW), step=SKIMAGE_STEP)
        name = f"skimage: rotate and match_template at each degree (every {SKIMAGE_STEP}th tried, time x{SKIMAGE_STEP})"
        loops[name] = Alternative(some, share=1 / SKIMAGE_STEP)
    else:
        missing.append("skimage")
    yield Stage(
        f"shape matching at {px} px, all angles",
        lambda: _numbers(matcher.match(image)),
        loops,
        missing,
        tolerance=1.0,  # degrees and pixels: the loops know whole ones
        compare=lambda ours, theirs: float(abs(ours - theirs).max()),
        aim=setting.aim(5),
    )


def _numbers(pose: Pose | None) -> NDArray[np.float64]:
    return np.full(3, np.nan) if pose is None else np.array([pose.angle_deg, pose.shift_y, pose.shift_x])


class _RotationLoop:
    """The reference, turned by an angle, its middle found in the image by normalised cross-correlation."""

    def __init__(self, reference_HW: NDArray[np.float32], image_HW: NDArray[np.float32]) -> None:
        self.reference_HW, self.image_HW = reference_HW, image_HW
        self.margin = math.ceil(MAX_SHIFT * len(reference_HW))

    def turned(self, degrees: float) -> NDArray[np.float32]:
        raise NotImplementedError

    def correlation(self, template_HW: NDArray[np.float32]) -> NDArray[np.float32]:
        raise NotImplementedError

    def at(self, degrees: float) -> tuple[float, float, float]:
        """Correlation, shift y and shift x of the best place."""
        template_HW = self.turned(degrees)[self.margin : -self.margin, self.margin : -self.margin]
        correlation = self.correlation(template_HW)
        y, x = np.unravel_index(correlation.argmax(), correlation.shape)
        return float(correlation[y, x]), float(y - self.margin), float(x - self.margin)


class _OpenCV(_RotationLoop):
    def __init__(self, reference_HW: NDArray[np.float32], image_HW: NDArray[np.float32]) -> None:
        import cv2

        super().__init__(reference_HW, image_HW)
        cv2.setNumThreads(torch.get_num_threads())  # as many as ours

    def turned(self, degrees: float) -> NDArray[np.float32]:
        import cv2

        middle = (len(self.reference_HW) - 1) / 2
        matrix = cv2.getRotationMatrix2D((middle, middle), -degrees, 1.0)  # its positive angles turn the other way
        size = self.reference_HW.shape[::-1]
        return np.asarray(cv2.warpAffine(self.reference_HW, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.float32)

    def correlation(self, template_HW: NDArray[np.float32]) -> NDArray[np.float32]:
        import cv2

        template_HW = np.ascontiguousarray(template_HW)
        return np.asarray(cv2.matchTemplate(self.image_HW, template_HW, cv2.TM_CCOEFF_NORMED), np.float32)


class _Skimage(_RotationLoop):
    def turned(self, degrees: float) -> NDArray[np.float32]:
        from skimage.transform import rotate

        turned_HW = rotate(self.reference_HW, -degrees, mode="edge", preserve_range=True)  # type: ignore[no-untyped-call]
        return np.asarray(turned_HW, np.float32)

    def correlation(self, template_HW: NDArray[np.float32]) -> NDArray[np.float32]:
        from skimage.feature import match_template

        correlation = match_template(self.image_HW, template_HW)  # type: ignore[no-untyped-call]
        return np.asarray(correlation, np.float32)


def _best(loop: _RotationLoop, step: int) -> NDArray[np.float64]:
    """The angle with the highest correlation, and its shift."""
    found = [(angle, *loop.at(float(angle))) for angle in range(-180, 180, step)]
    angle, _, shift_y, shift_x = max(found, key=lambda candidate: candidate[1])
    return np.array([angle, shift_y, shift_x], np.float64)

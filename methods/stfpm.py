"""STFPM: a student network learns to give the features of a pretrained teacher; on a defect, which it never saw, it does not.

Paper: Wang, Han, Ding, Huang, Student-Teacher Feature Pyramid Matching for Anomaly Detection, BMVC 2021 (arXiv 2103.04257);
settings as in the authors' code (gdwang08/STFPM).
Idea: teacher and student are the same ResNet, one with ImageNet weights, one from scratch. Features are normalised to length 1 at
each position; the map multiplies the squared differences of three layers, so that a defect must show at each scale.
Cost of the paper's 100 epochs: about 2 h for 200 images on one CPU core (0.42 s an image and epoch).
Published (authors' README, ResNet-18, mean of 15 categories): image AUROC 0.955, pixel AUROC 0.970; bottle 1.000 and 0.988.
Not known to reproduce: transistor's pixel AUROC of 0.82 is the method's own weakness (misplaced parts), not a failed run.
anomalib's version sums its loss over the batch instead of averaging it, and fails to train on some categories.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from methods.blocks.feature_trained import FeatureTrained
from methods.blocks.feature_weights import RANDOM
from methods.blocks.features import FeatureSource
from methods.blocks.resnet_stages import ResNetStages, require_resnet


class STFPM(FeatureTrained):
    """Map = product over the layers of the squared difference of teacher and student, of unit features.

    Args:
        backbone, weights, layers: of the teacher, see `FeatureSource`; torchvision's ResNets only.
        learning_rate, momentum, weight_decay: of SGD.
        feature_cache_mib: see `FeatureTrained`.
    """

    def __init__(
        self,
        backbone: str,
        weights: str,
        layers: Sequence[str],
        learning_rate: float,
        momentum: float,
        weight_decay: float,
        feature_cache_mib: int,
    ) -> None:
        require_resnet(backbone, "STFPM")
        super().__init__(FeatureSource(backbone, weights, layers), feature_cache_mib)
        self.learning_rate, self.momentum, self.weight_decay = learning_rate, momentum, weight_decay
        self.student = ResNetStages(backbone, RANDOM, layers)
        self.best_student = copy.deepcopy(self.student).requires_grad_(False)
        self.best_error: Tensor
        self.register_buffer("best_error", torch.tensor(torch.inf))

    def loss(self, images_BCHW: Tensor) -> Tensor:
        differences = feature_differences(self.fit_features(images_BCHW), self._features(self.student, images_BCHW))
        return torch.stack([difference_BHW.mean() for difference_BHW in differences]).sum()

    def on_validation_epoch_start(self) -> None:
        self._errors: list[Tensor] = []

    def validation_step(self, batch: Tensor, batch_idx: int = 0) -> None:
        """The mean of each held-out good image's map, by which the authors choose the epoch."""
        with torch.autocast(self.device.type, enabled=False):  # float32, as maps are made
            differences = feature_differences(self.fit_features(batch), self._features(self.student, batch))
            self._errors.append(product_map(differences).mean(dim=(1, 2)))

    def on_validation_epoch_end(self) -> None:
        error = torch.cat(self._errors).mean()
        self.log("validation_error", error)
        if error < self.best_error:
            self.best_error = error
            self.best_student.load_state_dict(self.student.state_dict())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            self.student.parameters(), self.learning_rate, self.momentum, weight_decay=self.weight_decay
        )

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        teacher = list(self.source(images_BCHW).values())
        map_BHW = product_map(feature_differences(teacher, self._features(self.best_student, images_BCHW)))
        return F.interpolate(map_BHW[:, None], images_BCHW.shape[2:], mode="bilinear")[:, 0]

    def _features(self, student: ResNetStages, images_BCHW: Tensor) -> list[Tensor]:
        return list(student(self.source.normalised(images_BCHW)).values())


def feature_differences(teacher: Sequence[Tensor], student: Sequence[Tensor]) -> list[Tensor]:
    """For each layer the squared distance of the unit features at each position, (B, h, w), 0 to 4."""
    return [
        (F.normalize(t_BCHW) - F.normalize(s_BCHW)).square().sum(dim=1)
        for t_BCHW, s_BCHW in zip(teacher, student, strict=True)
    ]


def product_map(differences: Sequence[Tensor]) -> Tensor:
    """The product of the layers' differences on the grid of the first, (B, h, w)."""
    grid = differences[0].shape[1:]
    return torch.stack(
        [F.interpolate(layer_BHW[:, None], grid, mode="bilinear")[:, 0] for layer_BHW in differences]
    ).prod(dim=0)

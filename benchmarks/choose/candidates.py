"""Which methods are tried on a folder, in which order, and at which size."""

from dataclasses import dataclass

from benchmarks.config.catalogue import applies, options

ORDER = (
    "dfm",
    "padim",
    "patchcore",
    "variation_model",
    "texture_inspection",
    "cnn_feature_dictionary",
    "stfpm",
    "rd4ad",
    "ae_l2",
)
"""Cheapest first, by their measured cost per image. AnoGAN and AE (SSIM) are left out: on every real category that was
measured another method is better and faster (results/README.md). So is SuperSimpleNet: an evening on a CPU teaches it nothing."""
STEPS = {"stfpm": 2.5, "rd4ad": 3.0, "ae_l2": 0.8}
"""Methods that are trained by gradients, and what a step of training costs for each image: so many looks of DFM at an image, from
file to verdict. Measured on one CPU core at 256 px, rounded up."""
UNKNOWN_LOOK_MS = 200
"""Taken for DFM's look where DFM could not be run: a little more than on the slowest core that was measured."""


@dataclass(frozen=True)
class Candidate:
    """A method to be tried."""

    method: str
    title: str
    needs_weights: bool
    """Whether it stands on a network trained on ImageNet."""

    @property
    def is_trained(self) -> bool:
        return self.method in STEPS


def candidates(kind: str) -> list[Candidate]:
    """Methods that suit a kind of category, cheapest first."""
    known = options("method")
    suited = [known[name] for name in ORDER if name in known and applies(known[name], kind)]
    return [Candidate(str(method.name), str(method.title), "weights" in method) for method in suited]


def training_minutes(method: str, shown: float, scored: int, look_ms: float) -> float:
    """What one fit of a trained method takes, with its maps.

    Args:
        shown: how often an image is shown to it in training, all epochs together.
        scored: images that it makes maps of; one costs at most two looks.
        look_ms: what a look of DFM at one image takes here.
    """
    return (STEPS[method] * shown + 2 * scored) * look_ms / 60_000

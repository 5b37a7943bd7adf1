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
    "supersimplenet",
    "stfpm",
    "rd4ad",
    "ae_l2",
)
"""Cheapest first, by their measured cost per image. AnoGAN and AE (SSIM) are left out: on every real category that was
measured another
method is better and faster (results/README.md)."""
TRAINED = frozenset({"supersimplenet", "stfpm", "rd4ad", "ae_l2"})
"""Trained by gradients: tried only if the time that is left allows it."""
TRAINED_MINUTES = 12
"""Ours: what a trained method takes at budget=short on two CPU cores, at most."""


@dataclass(frozen=True)
class Candidate:
    """A method to be tried."""

    method: str
    title: str
    needs_weights: bool
    """Whether it stands on a network trained on ImageNet."""

    @property
    def is_trained(self) -> bool:
        return self.method in TRAINED


def candidates(kind: str) -> list[Candidate]:
    """Methods that suit a kind of category, cheapest first."""
    known = options("method")
    suited = [known[name] for name in ORDER if name in known and applies(known[name], kind)]
    return [Candidate(str(method.name), str(method.title), "weights" in method) for method in suited]


def fits_in(candidate: Candidate, minutes_left: float, last_minutes: float) -> bool:
    """Whether there is time to try a method: what the last, cheaper one took, or enough for a trained one."""
    return minutes_left >= (TRAINED_MINUTES if candidate.is_trained else last_minutes)

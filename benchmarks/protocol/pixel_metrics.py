"""Metrics of a category's pixels and defect regions (PROTOCOL: MVTec AD, CVPR 2019, Table 3; journal version, IJCV 2021)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PixelMetrics:
    """Of all test pixels of a category, at the masks' own resolution."""

    auroc: float
    average_precision: float
    region_overlap: float
    """At the protocol's threshold: mean over all defect regions of the share that is covered (Table 3, upper value)."""
    iou: float
    """At the protocol's threshold: intersection over union of found and true defect pixels, over the whole category."""
    aupro: float
    aupro_limit: float
    """The false-positive rate up to which the PRO curve is integrated."""
    regions: int
    """Number of 8-connected defect regions."""

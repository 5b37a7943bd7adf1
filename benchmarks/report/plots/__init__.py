"""The plots of one cell, in the order in which the page shows them."""

from benchmarks.report.plots import curves, histogram, learning_curve, over_area, training

PLOTS = (
    histogram.PLOT,
    over_area.PLOT,
    curves.ROC,
    curves.PRECISION_RECALL,
    curves.PRO,
    training.PLOT,
    learning_curve.PLOT,
)

"""How well scores set drawn defects apart from good images, and whether two methods differ in that by more than chance."""

import numpy as np
from numpy.typing import NDArray


def wins(good_G: NDArray[np.float64], drawn_D: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whether each drawn defect scores above each good image, (D, G): 1, 0, or 0.5 where they are equal. The mean is the AUROC."""
    return np.heaviside(drawn_D[:, None] - good_G, 0.5)


def same_auroc_p(first_DG: NDArray[np.float64], other_DG: NDArray[np.float64]) -> float:
    """Two-sided probability of such a difference of AUROC by chance, from the `wins` of two methods over the same images.

    DeLong's test for paired curves (DeLong, DeLong and Clarke-Pearson, Biometrics 1988), with Welch's degrees of freedom instead of
    the normal distribution, as there may be three good images. With a single one nothing is told apart.
    """
    change_DG = first_DG - other_DG
    by_drawn_D, by_good_G = change_DG.mean(axis=1), change_DG.mean(axis=0)
    if len(by_good_G) < 2:
        return 1.0
    drawn_sd, good_sd = by_drawn_D.std(ddof=1), by_good_G.std(ddof=1)
    if drawn_sd == good_sd == 0:  # all images alike: all the same way, or no difference at all
        return float(change_DG.mean() == 0)
    from scipy.stats import ttest_ind_from_stats  # a second to import

    sides = (change_DG.mean(), drawn_sd, len(by_drawn_D)), (0, good_sd, len(by_good_G))
    return float(ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False).pvalue)

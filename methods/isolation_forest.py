"""Isolation forest: how few random splits set a sample apart from the others.

Paper: Liu, Ting, Zhou, Isolation Forest, ICDM 2008. scikit-learn grows the trees; they are kept as tensors, so that a fitted forest
lands in a checkpoint like any other method, and are walked for a whole batch at once.
Cost: seconds; every tree sees 256 samples, whatever the size of the data.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from methods.contract import FittedMethod, SampleMethod


class IsolationForest(SampleMethod, FittedMethod):
    """Score = 2^(-mean path length / that of an unsuccessful search among as many samples), in (0, 1).

    Args:
        trees: how many.
        samples: that each tree is grown from.
    """

    feature_TM: Tensor
    split_TM: Tensor
    left_TM: Tensor
    right_TM: Tensor
    path_TM: Tensor
    """Expected path length of a sample that ends at a node."""
    norm: Tensor

    def __init__(self, trees: int, samples: int) -> None:
        super().__init__()
        self.trees, self.samples = trees, samples
        for name, kind in (("feature", torch.long), ("left", torch.long), ("right", torch.long)):
            self.register_buffer(f"{name}_TM", torch.empty(0, 0, dtype=kind))
        for name in ("split", "path"):
            self.register_buffer(f"{name}_TM", torch.empty(0, 0, dtype=torch.float64))
        self.register_buffer("norm", torch.ones((), dtype=torch.float64))
        self._observed: list[Tensor] = []

    def observe(self, images_BCHW: Tensor) -> None:
        self._observed.append(images_BCHW.flatten(1))

    def fit(self) -> None:
        """Grow the trees and keep them as tensors, all of one size."""
        from sklearn.ensemble import IsolationForest as Grown

        samples_ND = torch.cat(self._observed).cpu().numpy()
        self._observed.clear()
        seed = int(torch.randint(2**31 - 1, ()))
        grown = Grown(n_estimators=self.trees, max_samples=min(self.samples, len(samples_ND)), random_state=seed)
        grown.fit(samples_ND)
        trees = [_as_arrays(tree.tree_) for tree in grown.estimators_]
        nodes = max(len(tree["left"]) for tree in trees)
        for name in ("feature", "split", "left", "right", "path"):
            padded = np.stack([np.pad(tree[name], (0, nodes - len(tree[name]))) for tree in trees])
            setattr(self, f"{name}_TM", torch.from_numpy(padded).to(self.device))
        self.norm = torch.tensor(mean_path_length(grown.max_samples_), dtype=torch.float64, device=self.device)

    def anomaly_score(self, samples: Tensor) -> Tensor:
        values_BD = samples.flatten(1)
        tree_T = torch.arange(len(self.left_TM), device=samples.device)
        node_BT = torch.zeros(len(samples), len(tree_T), dtype=torch.long, device=samples.device)
        for _ in range(math.ceil(math.log2(max(self.samples, 2)))):  # trees grow no deeper
            goes_left_BT = values_BD.gather(1, self.feature_TM[tree_T, node_BT]) <= self.split_TM[tree_T, node_BT]
            node_BT = torch.where(goes_left_BT, self.left_TM[tree_T, node_BT], self.right_TM[tree_T, node_BT])
        return torch.exp2(-self.path_TM[tree_T, node_BT].mean(dim=1) / self.norm).float()


def mean_path_length(samples: int) -> float:
    """Mean path length of an unsuccessful search in a binary search tree of so many samples (paper, equation 1)."""
    if samples <= 2:
        return float(samples == 2)
    return 2 * (math.log(samples - 1) + np.euler_gamma) - 2 * (samples - 1) / samples


def _as_arrays(tree: Any) -> dict[str, NDArray[Any]]:
    """A tree of scikit-learn; leaves lead to themselves."""
    here = np.arange(tree.node_count)
    leaf = tree.children_left < 0
    depth = np.zeros(tree.node_count)
    for node in here[~leaf]:  # parents come before their children
        depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
    return {
        "feature": np.where(leaf, 0, tree.feature),
        "split": np.where(leaf, 0.0, tree.threshold),
        "left": np.where(leaf, here, tree.children_left),
        "right": np.where(leaf, here, tree.children_right),
        "path": depth + [mean_path_length(count) for count in tree.n_node_samples],
    }

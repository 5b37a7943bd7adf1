"""A few points that cover many: the greedy k-centre algorithm, and a uniform sample of a stream."""

import math

import torch
from torch import Tensor


def greedy_k_centre(points_ND: Tensor, count: int) -> Tensor:
    """Indices (count,) of points, the first drawn at random, each next one the farthest from all before it.

    At most twice the optimal radius (Gonzalez 1985). One matrix-vector product per point that is chosen: distances are never held
    for more than one of them. The points are shifted to mean 0 in place, as they may fill most of the memory.
    """
    points_ND -= points_ND.mean(dim=0)  # small norms: |a|^2 - 2ab + |b|^2 keeps more digits
    squares_N = torch.linalg.vector_norm(points_ND, dim=1).square()
    chosen_M = torch.empty(count, dtype=torch.long, device=points_ND.device)
    chosen_M[0] = torch.randint(len(points_ND), ())
    to_nearest_N = torch.full_like(squares_N, math.inf)
    for step in range(1, count):
        newest = chosen_M[step - 1]
        to_newest_N = torch.addmv(squares_N, points_ND, points_ND[newest], alpha=-2).add_(squares_N[newest])
        torch.minimum(to_nearest_N, to_newest_N, out=to_nearest_N)
        to_nearest_N[newest] = -math.inf  # rounding must not choose it again
        chosen_M[step] = to_nearest_N.argmax()
    return chosen_M


def random_projection(values: int, dimensions: int) -> Tensor:
    """A Gaussian matrix (values, dimensions) that keeps distances in expectation (Johnson, Lindenstrauss 1984)."""
    return torch.randn(values, dimensions) / math.sqrt(dimensions)


class Reservoir:
    """A uniform random sample, of bounded size, of all rows that were added: Vitter's algorithm R, 1985.

    Args:
        capacity: rows that are kept at most; memory for them is taken at once.
        like_ND: rows of the kind that will be added.
    """

    def __init__(self, capacity: int, like_ND: Tensor) -> None:
        self.seen = 0
        self._rows_ND = like_ND.new_empty(capacity, like_ND.shape[1])

    @property
    def rows_ND(self) -> Tensor:
        return self._rows_ND[: self.seen]

    def add(self, rows_ND: Tensor) -> None:
        """Keep all rows while there is room; after that, each replaces a random one with the chance that keeps all equal."""
        room = max(0, len(self._rows_ND) - self.seen)
        self._rows_ND[self.seen : self.seen + room][: len(rows_ND)] = rows_ND[:room]
        self.seen += len(rows_ND[:room])
        if len(rows_ND) > room:
            self._replace(rows_ND[room:])

    def _replace(self, rows_ND: Tensor) -> None:
        counts_N = self.seen + 1 + torch.arange(len(rows_ND))
        slots = (torch.rand(len(rows_ND), dtype=torch.float64) * counts_N).long().tolist()
        last_in = {slot: row for row, slot in enumerate(slots) if slot < len(self._rows_ND)}
        self._rows_ND[list(last_in)] = rows_ND[list(last_in.values())]
        self.seen += len(rows_ND)

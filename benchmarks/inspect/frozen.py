"""One frozen network for all members of an inspector: asked once for an image, it answers all of them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from methods.contract import Method

SOURCE = "source"
"""The attribute under which methods keep their frozen network."""


def share_frozen(methods: Sequence[Method]) -> None:
    """Give members whose frozen networks are the same a common one, which holds the features of the last image."""
    first, *others = methods
    source = getattr(first, SOURCE, None)
    if others and source is not None and all(_are_same(source, getattr(other, SOURCE)) for other in others):
        shared = _Asked(source)
        for method in methods:
            setattr(method, SOURCE, shared)


def _are_same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(here, there) for here, there in pairs)


class _Asked(nn.Module):
    """A frozen network that gives the features of the same tensor without computing them again."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        self.source = source
        self._last: tuple[Tensor, dict[str, Tensor]] | None = None

    def forward(self, images_BCHW: Tensor) -> dict[str, Tensor]:
        last = self._last
        if last is None or last[0] is not images_BCHW:
            self._last = last = images_BCHW, self.source(images_BCHW)
        return last[1]  # not of `self`, where another thread may have put its own

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("source"), name)

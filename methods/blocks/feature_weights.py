"""Weights of a frozen network: read from a file, fitted to the network, and told by what they hold."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from methods.contract import MethodError

IMAGENET, RANDOM = "imagenet", "random"  # what `weights` may be, beside a path
NAMED = 8  # tensors that an error names at most

State = Mapping[str, Tensor]


def read_weights(path: Path) -> State:
    """The state dict in a PyTorch or safetensors file.

    Raises:
        MethodError: no such file, or it does not hold named tensors.
    """
    if not path.is_file():
        raise MethodError(f"No weight file {path}: method.weights takes a path, {IMAGENET} or {RANDOM}.")
    try:
        state = _safetensors(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # what a broken file raises depends on where it is broken
        reason = str(error).splitlines()[0]
        raise MethodError(f"{path} cannot be read as a file of PyTorch weights ({reason}).") from error
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise MethodError(f"{path} holds no plain state dict (names and their tensors).")
    return state


def _safetensors(path: Path) -> State:
    from safetensors.torch import load_file  # comes with the extra `timm`

    state: State = load_file(path)
    return state


def fill(body: nn.Module, state: State, path: Path, network: str, layers: Sequence[str], found: str | None) -> None:
    """Load what the body needs from a state dict; what it does not need is left aside.

    Args:
        path, network, layers, found: what an error says: the file, what it should hold, for what, and what it seems to hold.

    Raises:
        MethodError: a tensor is missing or has another shape.
    """
    wanted = {name: tensor for name, tensor in body.state_dict().items() if not name.endswith("num_batches_tracked")}
    other = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    hint = f" It holds {found}." if found else ""
    if other:
        shapes = f"{other[0]} of shape {_shape(state[other[0]])}, not {_shape(wanted[other[0]])}"
        raise MethodError(f"{path} does not hold weights of {network}: it has {shapes}.{hint}")
    if missing := [name for name in wanted if name not in state]:
        raise MethodError(
            f"{path} lacks tensors that {', '.join(layers)} of {network} needs: {_some(missing)}.{hint} "
            "Give a complete file, or choose an earlier layer."
        )
    body.load_state_dict(state, strict=False)


def _shape(tensor: Tensor) -> str:
    return "x".join(str(length) for length in tensor.shape)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def fingerprint(state: State) -> str:
    """sha256 of the names, shapes and values of tensors, whatever file they came in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        if name.endswith("num_batches_tracked"):  # plays no part, and some files lack it
            continue
        digest.update(f"{name} {_shape(tensor)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()

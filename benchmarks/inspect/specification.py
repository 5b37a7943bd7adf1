"""What an inspector's folder holds: `inspector.json`, `weights.npz` and, for people, `about.html`. No pickles."""

import copy
import importlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.common.files import replacing, write_text
from benchmarks.inspect.about import about
from benchmarks.inspect.frozen import SOURCE
from methods.contract import Method

FORMAT = 1  # raise it when a field changes its meaning
INSPECTOR = "inspector"
"""The folder's name in the folder of the run that left it."""
SPECIFICATION = "inspector.json"
WEIGHTS = "weights.npz"
ABOUT = "about.html"
METHODS = "methods."
"""The package whose classes an inspector may name: a folder that somebody sent must not run other code."""


@dataclass(frozen=True)
class Specification:
    """Everything but the weights that turns an image into a decision."""

    method: str
    title: str
    model: dict[str, Any]
    """`_target_` and arguments of the method's class, resolved; frozen networks start from the stored weights."""
    decoding: dict[str, Any]
    """How files become pixels, see `benchmarks.data.cache.Decoding`."""
    area: float
    """Minimum defect area, as a share of the image."""
    threshold: float
    """Of the score that decides."""
    rule: str
    """Where the threshold comes from: `maximum`, `conformal:0.02`, ..."""
    score: str
    """`map_area` (score_A of the map) or `own` (the method's own image score)."""
    map_threshold: float
    """Of score_A: regions of a defective image above it are shown."""
    usual: float
    """Median value of the held-out images' maps, the lower end of the colour scale."""
    held_out_scores: list[float]
    """Deciding scores of the held-out good images."""
    folds: list[int]
    """Which of the members was fitted without each of them: all 0 with one member (`protocol.held_out=split`)."""
    held_out_files: list[str]
    """Where they lie, in the order of the scores."""
    trained_on: dict[str, Any]
    """category, dataset, images, fingerprint, and the first file's size (height, width) and mode."""
    versions: dict[str, str]
    revision: str
    created: str
    format: int = FORMAT

    @property
    def members(self) -> int:
        """Number of fitted methods: one, or one for each fold of `protocol.held_out=cross`."""
        return max(self.folds) + 1

    def write(self, folder: Path, methods: Sequence[Method]) -> None:
        """Write the folder's files, the specification last: a folder with one is whole."""
        arrays: dict[str, NDArray[Any]] = {}
        for number, method in enumerate(methods):
            for name, tensor in method.state_dict().items():
                array = tensor.detach().cpu().numpy()
                if number == 0 or not np.array_equal(array, arrays[f"0.{name}"]):  # a frozen network is stored once
                    arrays[f"{number}.{name}"] = array
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / WEIGHTS) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        write_text(folder / ABOUT, about(asdict(self)))
        write_text(folder / SPECIFICATION, json.dumps(asdict(self), indent=2) + "\n")


def read_specification(folder: Path) -> Specification:
    """The specification in an inspector's folder.

    Raises:
        UserError: there is none, or it was written by another version.
    """
    path = folder / SPECIFICATION
    if not path.is_file():
        raise UserError(
            f"{folder} is no inspector: it has no {SPECIFICATION}. `defectbench choose DIR` makes one, and so does "
            "`defectbench run ... save_inspector=true`, in the run's folder."
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise UserError(f"{path} has format {found['format']}, this version reads format {FORMAT}: make it again.")
        return Specification(**{field.name: found[field.name] for field in fields(Specification)})
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(
            f"{path} cannot be read ({type(error).__name__}: {error}). Make the inspector again."
        ) from error


def fitted_methods(folder: Path, specification: Specification) -> list[Method]:
    """The members with their stored weights, in evaluation mode.

    Raises:
        UserError: the weights are missing, damaged or those of another method.
    """
    path = folder / WEIGHTS
    try:
        with np.load(path, allow_pickle=False) as stored:
            return _members(specification, stored)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, ImportError, BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        raise UserError(
            f"{path} cannot be used ({type(error).__name__}: {reason}). Make the inspector again."
        ) from error


def _members(specification: Specification, stored: Mapping[str, NDArray[Any]]) -> list[Method]:
    """The first is built, the others are copies of it; a frozen network that they have in common is there once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of random weights: the stored ones follow
        first: Method = _instantiated(specification.model).eval()
    first.load_state_dict(_tensors(stored, 0))
    return [first, *(_other(first, _tensors(stored, number)) for number in range(1, specification.members))]


def _other(first: Method, tensors: Mapping[str, torch.Tensor]) -> Method:
    """A copy of the first member with the tensors of its own."""
    frozen = getattr(first, SOURCE, None)
    own_frozen = any(name.startswith(f"{SOURCE}.") for name in tensors)
    other = copy.deepcopy(first, {} if own_frozen else {id(frozen): frozen})
    other.load_state_dict({**first.state_dict(), **tensors})
    return other


def _tensors(stored: Mapping[str, NDArray[Any]], number: int) -> dict[str, torch.Tensor]:
    """Those of one member, read from the file only now: all members' at once would take twice the memory."""
    prefix = f"{number}."
    return {name.removeprefix(prefix): torch.from_numpy(stored[name]) for name in stored if name.startswith(prefix)}


def _instantiated(model: Mapping[str, Any]) -> Any:
    """The object that a mapping with `_target_` describes, nested ones first."""
    target = str(model["_target_"])
    module, _, name = target.rpartition(".")
    if not target.startswith(METHODS):
        raise ValueError(f"{target} is not one of this benchmark's methods")
    arguments = {
        key: _instantiated(value) if isinstance(value, Mapping) and "_target_" in value else value
        for key, value in model.items()
        if key != "_target_"
    }
    return getattr(importlib.import_module(module), name)(**arguments)

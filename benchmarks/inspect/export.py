"""An inspector as one ONNX file: pixels in, maps out, checked at once against the inspector itself.

In the graph: conversion to float, the network with its normalisation, the map, and the method's own image score where it decides;
of each member, if the inspector has several (`protocol.held_out=cross`). Beside it, in the file's metadata and in a JSON file: how
an image file becomes the input (Pillow's filters have no ONNX operator that gives the same bytes), the area rule (ONNX has no
connected components), and the threshold, settled anew from the file's own scores of the held-out images: the threshold is one of
these scores, and a difference in the last bit would turn that image's decision.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.common.errors import UserError
from benchmarks.common.files import replacing, write_text
from benchmarks.inspect.inspector import Inspector
from benchmarks.inspect.operators import expressible
from benchmarks.inspect.specification import Specification
from benchmarks.protocol.area_score import area_in_pixels
from benchmarks.protocol.thresholds import Rule

OPSET = 18
TOLERANCE = 1e-4
"""Of map values, relative to the highest one of the image's map."""
GRAPH_BYTES = 2**31
"""An ONNX file is a protocol buffer, which holds less than this."""
WHY_NOT = {
    "anogan": "it searches each image's latent vector by gradient descent, and ONNX has no gradients",
    "variation_model": "it searches the part's pose by shape matching, which ONNX has no operators for",
    "texture_inspection": "it combines the levels of a pyramid in double precision, by steps that were not written as operators",
    "cnn_feature_dictionary": "it cuts an image into thousands of patches, each of which passes the network by itself",
}
RANKED = ("maximum", "conformal")
"""Rules whose threshold is one of the held-out scores: what several members decide is then a comparison of ranks."""


@dataclass(frozen=True)
class Parity:
    """How the exported file compares with the inspector on the held-out images; all decisions are the same."""

    images: int
    largest_difference: float
    """Of map values, relative to the highest value of the image's map."""


class _Graph(nn.Module):
    """uint8 pixels (1, H, W, C) -> the members' maps (K, H, W), and their own scores (K,) where these decide."""

    def __init__(self, inspector: Inspector) -> None:
        super().__init__()
        self.members = nn.ModuleList(inspector.methods)
        self.own = inspector.specification.score == "own"

    def forward(self, image_1HWC: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        images_BCHW = image_1HWC.permute(0, 3, 1, 2).float() / 255
        predicted: list[Any] = [member.predict_step(images_BCHW) for member in self.members]  # type: ignore[operator]
        if not isinstance(predicted[0], tuple):
            return torch.cat(predicted)
        maps, scores = zip(*predicted, strict=True)
        return (torch.cat(maps), torch.cat(scores)) if self.own else torch.cat(maps)


def export_onnx(inspector: Inspector, path: Path) -> Parity:
    """Write `path` and, beside it, the same name with .json added; both only if the file gives the inspector's maps and decisions.

    Raises:
        UserError: the method cannot be expressed; the `onnx` extra is missing; maps or decisions differ on a held-out image.
    """
    _refuse(inspector)
    runtime, files = _runtime(), _held_out_files(inspector.specification)
    with replacing(path) as temporary:
        _write_graph(inspector, temporary)
        session = runtime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        compared = [
            _compare(inspector, session, file, fold)
            for file, fold in zip(files, inspector.specification.folds, strict=True)
        ]
        facts = description(inspector, [one.there_K for one in compared])
        _check_decisions(inspector, facts, files, compared)
        _describe(temporary, facts)
    write_text(beside(path), json.dumps(facts, indent=2) + "\n")
    return Parity(len(files), max(one.difference for one in compared))


def beside(path: Path) -> Path:
    """Where the description of an exported file lies. Never `inspector.json`, which is the inspector's own."""
    return path.with_name(f"{path.name}.json")


def is_defective(score_K: Sequence[float] | NDArray[np.float64], decision: Mapping[str, Any]) -> bool:
    """The rule that stands beside the graph, for the members' scores of one image; `decision` is of the description."""
    if "threshold" in decision:
        return bool(score_K[0] > decision["threshold"])
    below = [np.searchsorted(held_out, score) for held_out, score in zip(decision["held_out"], score_K, strict=True)]
    return bool(sum(below) >= decision["least_rank"])


def description(inspector: Inspector, scores: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    """What a program needs beside the graph.

    Args:
        scores: of each held-out image those of the K members, as the graph gives them.
    """
    specification, decoding = inspector.specification, inspector.decoding
    members, is_own = len(inspector.methods), specification.score == "own"
    return {
        "method": specification.method,
        "input": {
            "name": "image",
            "shape": [1, decoding.height, decoding.width, decoding.channels],
            "type": "uint8",
            "resized_with": "Pillow",
            **specification.decoding,
        },
        "output": {"maps": [members, decoding.height, decoding.width]} | ({"scores": [members]} if is_own else {}),
        "score": (
            "of each member, the output `scores`"
            if is_own
            else "of each map, the highest value v for which an 8-connected region of at least minimum_area_px pixels is >= v"
        ),
        "minimum_area_px": area_in_pixels(specification.area, decoding.height * decoding.width),
        "rule": (
            "defective if the score exceeds the threshold"
            if members == 1
            else "defective if at least least_rank of the held-out scores lie below the score that their own member gives"
        ),
        "decision": _decision(specification, scores),
        "threshold_rule": specification.rule,
    }


def _decision(specification: Specification, scores: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    """The threshold by the inspector's rule from the graph's own scores; with several members, the same as a rank."""
    folds = np.array(specification.folds)
    held_out_V = np.array([score_K[fold] for score_K, fold in zip(scores, folds, strict=True)])
    threshold = Rule.of(specification.rule).threshold(held_out_V)
    if specification.members == 1:
        return {"threshold": threshold}
    each = [np.sort(held_out_V[folds == fold]).tolist() for fold in range(specification.members)]
    return {"held_out": each, "least_rank": int((held_out_V <= threshold).sum())}


# -- before -----------------------------------------------------------------------------------------------------------------------


def _refuse(inspector: Inspector) -> None:
    specification = inspector.specification
    if specification.method in WHY_NOT:
        raise UserError(f"{specification.title} cannot be exported: {WHY_NOT[specification.method]}.")
    if specification.members > 1 and Rule.of(specification.rule).kind not in RANKED:
        raise UserError(
            f"This inspector has {specification.members} members (protocol.held_out=cross) and protocol.threshold="
            f"{specification.rule}, which no rank expresses. Make it with conformal:ALPHA or maximum, or with held_out=split."
        )
    size = sum(tensor.nbytes for method in inspector.methods for tensor in method.state_dict().values())
    if size >= GRAPH_BYTES:
        raise UserError(
            f"{specification.title} with {specification.members} members has {size / 2**30:.1f} GiB of weights, and one ONNX file "
            "holds less than 2. Make the inspector with protocol.held_out=split, or at fewer pixels."
        )


def _runtime() -> Any:
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError:
        raise UserError('Exporting needs the extra "onnx": pip install "defectbench[onnx]".') from None
    return onnxruntime


def _held_out_files(specification: Specification) -> list[Path]:
    files = [Path(name) for name in specification.held_out_files]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise UserError(
            f"{missing[0]} is gone ({len(missing)} of {len(files)} held-out images): without them the export cannot be checked."
        )
    return files


# -- the graph --------------------------------------------------------------------------------------------------------------------


def _write_graph(inspector: Inspector, path: Path) -> None:
    decoding = inspector.decoding
    example = torch.zeros(1, decoding.height, decoding.width, decoding.channels, dtype=torch.uint8)
    names = ["maps", "scores"] if inspector.specification.score == "own" else ["maps"]
    try:
        with torch.no_grad(), _silence(), expressible():
            torch.onnx.export(
                _Graph(inspector).eval(),
                (example,),
                str(path),
                input_names=["image"],
                output_names=names,
                opset_version=OPSET,
                dynamo=False,  # the tracer: it needs a tenth of the time, and shapes are fixed anyway
            )
    except Exception as error:  # the tracer raises whatever it meets
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{inspector.specification.title} cannot be exported: {reason}") from error


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing of the tracer about Python code that is meant to run once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _describe(path: Path, facts: Mapping[str, Any]) -> None:
    import onnx

    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in facts.items()})
    onnx.save(model, str(path))


# -- the check --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Compared:
    """One held-out image: scores of the inspector's members and of the graph's, and how their maps differ."""

    is_defective: bool
    there_K: NDArray[np.float64]
    difference: float


def _compare(inspector: Inspector, session: Any, file: Path, fold: int) -> _Compared:
    """Compare the maps of one held-out image by the member that has not seen it, and note the scores of all."""
    pixels_HWC = inspector.pixels(file)
    outputs = session.run(None, {"image": pixels_HWC[None]})
    maps_KHW, own_K = inspector.maps(pixels_HWC)
    there_KHW: NDArray[np.float32] = outputs[0]
    scale = float(np.abs(maps_KHW[fold]).max()) or 1.0
    difference = float(np.abs(there_KHW[fold] - maps_KHW[fold]).max()) / scale
    if not difference <= TOLERANCE:
        raise UserError(
            f"The exported map of {file} differs by {difference:.1e} of its highest value, more than {TOLERANCE:g}."
        )
    there_K = inspector.member_scores(there_KHW, outputs[1] if len(outputs) > 1 else ())
    decision = inspector.score(maps_KHW, own_K) > inspector.specification.threshold
    return _Compared(decision, there_K, difference)


def _check_decisions(
    inspector: Inspector, facts: Mapping[str, Any], files: Sequence[Path], compared: Sequence[_Compared]
) -> None:
    for file, one in zip(files, compared, strict=True):
        if is_defective(one.there_K, facts["decision"]) != one.is_defective:
            raise UserError(
                f"The exported file decides {file} otherwise than the inspector: its score lies within rounding of the threshold."
            )

"""An inspector as one ONNX file: pixels in, map and threshold out, checked at once against the inspector itself.

In the graph: conversion to float, the ImageNet normalisation, the network, the map, and the method's own image score if it
has one. Beside it,
in the file's metadata and in a JSON file: how an image file becomes the input (Pillow's filters have no ONNX operator that
gives the same
bytes), and the area rule (ONNX has no connected components).
"""

import json
import warnings
from collections.abc import Callable, Sequence
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
from benchmarks.protocol.area_score import area_in_pixels

OPSET = 18
TOLERANCE = 1e-4
"""Of map values, relative to the highest one of the image's map."""
WHY_NOT = {
    "anogan": "it searches each image's latent vector by gradient descent, and ONNX has no gradients",
    "variation_model": "it searches the part's pose by shape matching, which ONNX has no operators for",
    "texture_inspection": "it standardises and combines the levels of a pyramid by steps that were not written as operators",
    "cnn_feature_dictionary": "it cuts an image into thousands of patches whose number depends on the image",
}


@dataclass(frozen=True)
class Parity:
    """How the exported file compares with the inspector on the held-out images."""

    images: int
    largest_difference: float
    """Of map values, relative to the highest value of the image's map."""


class _Graph(nn.Module):
    """uint8 pixels (B, H, W, C) -> map (B, H, W), and the method's own score (B,) where it decides."""

    def __init__(self, inspector: Inspector) -> None:
        super().__init__()
        self.method, self.own = inspector.methods[0], inspector.specification.score == "own"

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        images_BCHW = image.permute(0, 3, 1, 2).float() / 255
        predicted: Any = self.method.predict_step(images_BCHW)
        if isinstance(predicted, tuple):
            return predicted if self.own else predicted[0]
        return predicted  # type: ignore[no-any-return]


def export_onnx(inspector: Inspector, path: Path, tell: Callable[[str], None] = lambda text: None) -> Parity:
    """Write `path` and, beside it, the same name with .json; both only if the file gives the inspector's maps and decisions.

    Raises:
        UserError: the method cannot be expressed; the `onnx` extra is missing; maps or decisions differ on a held-out image.
    """
    specification = inspector.specification
    if specification.method in WHY_NOT:
        raise UserError(f"{specification.title} cannot be exported: {WHY_NOT[specification.method]}.")
    if specification.members > 1:
        raise UserError(
            f"This inspector has {specification.members} members (protocol.held_out=cross), and their common rank is "
            f"no ONNX graph. "
            "Run the method with protocol.held_out=split save_inspector=true and export that inspector."
        )
    runtime = _runtime()
    with replacing(path) as temporary:
        _write_graph(inspector, temporary)
        _describe(temporary, description(inspector))
        parity = _checked(inspector, runtime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"]), tell)
    write_text(path.with_suffix(".json"), json.dumps(description(inspector), indent=2) + "\n")
    return parity


def description(inspector: Inspector) -> dict[str, Any]:
    """What a program needs beside the graph."""
    specification, decoding = inspector.specification, inspector.decoding
    pixels = decoding.height * decoding.width
    return {
        "method": specification.method,
        "input": {
            "name": "image",
            "shape": [1, decoding.height, decoding.width, decoding.channels],
            "type": "uint8",
            "colour": decoding.colour,
            "resized_with": f"Pillow, {decoding.resample}",
            **specification.decoding,
        },
        "output": {"map": [1, decoding.height, decoding.width]}
        | ({"score": [1]} if specification.score == "own" else {}),
        "score": specification.score,
        "rule": (
            "defective if score exceeds the threshold"
            if specification.score == "own"
            else "defective if the map has an 8-connected region of at least minimum_area_px pixels above the threshold"
        ),
        "minimum_area_px": area_in_pixels(specification.area, pixels),
        "threshold": specification.threshold,
        "threshold_rule": specification.rule,
    }


def _write_graph(inspector: Inspector, path: Path) -> None:
    decoding = inspector.decoding
    example = torch.zeros(1, decoding.height, decoding.width, decoding.channels, dtype=torch.uint8)
    names = ["map", "score"] if inspector.specification.score == "own" else ["map"]
    try:
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about Python code that is meant to run once
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


def _describe(path: Path, facts: dict[str, Any]) -> None:
    import onnx

    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in facts.items()})
    onnx.save(model, str(path))


def _checked(inspector: Inspector, session: Any, tell: Callable[[str], None]) -> Parity:
    """Compare maps and decisions on all held-out images."""
    files = [Path(name) for name in inspector.specification.held_out_files]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise UserError(
            f"{missing[0]} is gone ({len(missing)} of {len(files)} held-out images): without them the export cannot be checked."
        )
    largest = 0.0
    for number, file in enumerate(files, 1):
        largest = max(largest, _difference(inspector, session, file))
        tell(f"checked {number} of {len(files)}")
    return Parity(len(files), largest)


def _difference(inspector: Inspector, session: Any, file: Path) -> float:
    pixels_HWC = inspector.pixels(file)
    outputs = session.run(None, {"image": pixels_HWC[None]})
    maps_KHW, own_K = inspector.maps(pixels_HWC)
    there_HW: NDArray[np.float32] = outputs[0][0]
    scale = float(np.abs(maps_KHW[0]).max()) or 1.0
    difference = float(np.abs(there_HW - maps_KHW[0]).max()) / scale
    if difference > TOLERANCE:
        raise UserError(
            f"The exported map of {file} differs by {difference:.1e} of its highest value, more than {TOLERANCE:g}."
        )
    own: Sequence[float] = [float(outputs[1][0])] if len(outputs) > 1 else ()
    limit = inspector.specification.threshold
    if (inspector.score(there_HW[None], own) > limit) != (inspector.score(maps_KHW, own_K) > limit):
        raise UserError(f"The exported file decides {file} otherwise: its score lies within rounding of the threshold.")
    return difference


def _runtime() -> Any:
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError:
        raise UserError('Exporting needs the extra "onnx": pip install "defectbench[onnx]".') from None
    return onnxruntime

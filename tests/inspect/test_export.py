"""An exported file gives the inspector's maps and decisions, whatever operators it needs for them; what cannot be said is said."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.common.errors import UserError
from benchmarks.common.project import CODE
from benchmarks.config.compose import composed
from benchmarks.data.cache import Decoding
from benchmarks.data.images import ORIENTATION, Fit
from benchmarks.inspect import Inspector, export, operators
from benchmarks.inspect.export import beside, export_onnx, is_defective
from benchmarks.inspect.specification import Specification
from benchmarks.run.method import make_method
from methods.blocks.ssim import SSIM
from methods.contract import FittedMethod, Method

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytestmark = pytest.mark.filterwarnings("ignore:.*RANDOM weights")

ON_FEATURES = ("dfm", "padim", "patchcore", "stfpm", "rd4ad", "supersimplenet")
RANDOM = ["method.weights=random"]
HELD_OUT, TRAIN = 4, 8
Make = Callable[..., Inspector]
SHOWN_BY_A_QUARTER_TURN = 6  # of EXIF's orientations


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """An inspector of a method with random weights, at a small size, with members that saw other images."""

    @cache
    def made(
        name: str,
        *overrides: str,
        px: int = 64,
        members: int = 1,
        score: str = "map_area",
        width: int | None = None,
        fit: Fit = "squash",
        bits: int | None = None,
    ) -> Inspector:
        folder = tmp_path_factory.mktemp(name)
        files = [_stripes(folder / f"{number}.png", number, px, width, bits) for number in range(HELD_OUT + TRAIN)]
        config = composed([f"method={name}", *overrides])
        decoding = Decoding(px, px, "gray" if config.input.colour == "gray" else "rgb", px, "bilinear", fit, bits)
        images_BCHW = (
            torch.stack([torch.tensor(decoding.of(Image.open(f), "")) for f in files]).permute(0, 3, 1, 2) / 255
        )
        methods = [_fitted(config, decoding.channels, images_BCHW[HELD_OUT + member :]) for member in range(members)]
        specification = Specification(
            method=name, title=config.method.title, model={}, decoding=asdict(decoding), area=0.001, threshold=0.0,
            rule="maximum", score=score, map_threshold=0.0, usual=0.0, held_out_scores=[0.0] * HELD_OUT,
            folds=[number % members for number in range(HELD_OUT)], held_out_files=[str(file) for file in files[:HELD_OUT]],
            trained_on={"size": [px, px], "mode": "RGB"}, versions={}, revision="", created="",
        )  # fmt: skip
        return _with_threshold(specification, methods)

    return made


def _stripes(path: Path, number: int, px: int, width: int | None = None, bits: int | None = None) -> Path:
    """In colour, or with that many bits in 16-bit gray."""
    noise_HWC = np.random.default_rng(number).normal(0, 12, (px, width or px, 3))
    pixels_HWC = (128 + 60 * np.sin(0.4 * np.arange(width or px))[None, :, None] + noise_HWC).clip(0, 255)
    gray_HW = (pixels_HWC[..., 0] * 2 ** ((bits or 8) - 8)).astype(np.uint16)
    Image.fromarray(gray_HW if bits else pixels_HWC.astype(np.uint8)).save(path)
    return path


@torch.no_grad()
def _fitted(config: Any, channels: int, images_BCHW: torch.Tensor) -> Method:
    torch.manual_seed(0)  # the frozen network of all members is the same
    method = make_method(config, channels=channels)
    if isinstance(method, FittedMethod):
        method.training_images = len(images_BCHW)
        method.observe(images_BCHW)
        method.fit()
    return method.eval()


def _with_threshold(specification: Specification, methods: list[Method]) -> Inspector:
    """The highest held-out score, as a run settles it: one image lies on the threshold exactly."""
    inspector, scores = Inspector(specification, methods), []
    for name, fold in zip(specification.held_out_files, specification.folds, strict=True):
        scores.append(float(inspector.member_scores(*inspector.maps(inspector.pixels(Path(name))))[fold]))
    return Inspector(replace(specification, held_out_scores=scores, threshold=max(scores)), methods)


def decisions(inspector: Inspector, path: Path, pixels: list[np.ndarray[Any, Any]]) -> list[bool]:
    """By the exported file and what stands beside it."""
    facts = json.loads(beside(path).read_text())
    session = onnxruntime.InferenceSession(str(path))
    outputs = [session.run(None, {"image": pixels_HWC[None]}) for pixels_HWC in pixels]
    scores = [inspector.member_scores(maps_KHW, *own) for maps_KHW, *own in outputs]
    return [is_defective(score_K, facts["decision"]) for score_K in scores]


@pytest.mark.parametrize("name", [*ON_FEATURES, "ae_l2", "ae_ssim"])
def test_every_method_that_is_promised_can_be_exported(name: str, make: Make, tmp_path: Path) -> None:
    on_features = name in ON_FEATURES
    inspector = make(name, *(RANDOM if on_features else ["method.inputs.object.px=128"]), px=64 if on_features else 128)
    parity = export_onnx(inspector, tmp_path / "a.onnx")
    assert parity.images == HELD_OUT and parity.largest_difference < 1e-4
    facts = json.loads(beside(tmp_path / "a.onnx").read_text())
    assert facts["decision"]["threshold"] == pytest.approx(inspector.specification.threshold, rel=1e-3)


def test_textures_in_tiles(make: Make, tmp_path: Path) -> None:
    inspector = make("ae_l2", "category.kind=texture", "method.model.stride=16", px=144)
    assert export_onnx(inspector, tmp_path / "a.onnx").largest_difference < 1e-4


def test_members_decide_together_by_their_own_scores_on_one_frozen_network(make: Make, tmp_path: Path) -> None:
    inspector = make("dfm", *RANDOM, members=2, score="own")
    export_onnx(inspector, tmp_path / "a.onnx")
    weights = sum(tensor.nbytes for tensor in inspector.methods[0].state_dict().values())
    assert (tmp_path / "a.onnx").stat().st_size < 1.5 * weights

    rng, good = np.random.default_rng(0), inspector.pixels(Path(inspector.specification.held_out_files[0]))
    pixels = [np.clip(good + rng.normal(0, s, good.shape), 0, 255).astype(np.uint8) for s in np.linspace(0, 12, 13)]
    expected = [inspector.score(*inspector.maps(p)) > inspector.specification.threshold for p in pixels]
    assert 2 < sum(expected) < 11, "some are defective, some are not"
    assert decisions(inspector, tmp_path / "a.onnx", pixels) == expected


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"members": 2},
        {"members": 2, "score": "own"},
        {"width": 96, "fit": "pad"},
        {"width": 40, "fit": "pad"},
        {"width": 96, "fit": "crop"},
        {"bits": 12},
    ],
    ids=["one", "two", "own score", "wide, padded", "high, padded", "wide, cropped", "12 bits"],
)
def test_the_program_in_the_documentation_decides_so_too(
    settings: dict[str, Any],
    make: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    inspector = make("dfm", *RANDOM, **settings)
    export_onnx(inspector, tmp_path / "parts.onnx")
    page = (CODE / "docs/own-images.md").read_text(encoding="utf-8")
    program = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[-1]
    monkeypatch.chdir(tmp_path)
    said = []
    exif = Image.Exif()
    exif[ORIENTATION] = SHOWN_BY_A_QUARTER_TURN
    for number in (0, 1, 50):
        path = _stripes(Path("part.png"), number, 64, settings.get("width"), settings.get("bits"))
        with Image.open(path) as image:
            image.rotate(number).transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
        exec(program, {})
        verdict = "defective" if inspector("part.png").defective else "good"
        assert capsys.readouterr().out.strip() == verdict
        said.append(verdict)
    assert set(said) == {"good", "defective"}


def test_a_graph_that_differs_is_not_written(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "nearest", lambda queries, points, count: torch.zeros(len(queries), count).long())
    inspector = make("patchcore", *RANDOM)
    with pytest.raises(UserError, match=r"The exported map of .*0\.png differs by"):
        export_onnx(inspector, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_says_why(make: Make, tmp_path: Path) -> None:
    known = make("ae_l2", "method.inputs.object.px=128", px=128)
    for name in export.WHY_NOT:
        other = Inspector(replace(known.specification, method=name, title=name), known.methods)
        with pytest.raises(UserError, match=f"{name} cannot be exported: it "):
            export_onnx(other, tmp_path / "a.onnx")


def test_held_out_images_that_are_gone_are_named(make: Make, tmp_path: Path) -> None:
    known = make("ae_l2", "method.inputs.object.px=128", px=128)
    files = [*known.specification.held_out_files[:3], str(tmp_path / "gone.png")]
    with pytest.raises(UserError, match=r"gone\.png is gone \(1 of 4 held-out images\)"):
        export_onnx(Inspector(replace(known.specification, held_out_files=files), known.methods), tmp_path / "a.onnx")


def test_ssim_by_operators_is_the_kernels_to_the_last_bit() -> None:
    """On a processor that multiplies and adds at once; flat bright images are where any other order differs most."""
    torch.manual_seed(0)
    a_BCHW = (0.9 + 0.01 * torch.randn(1, 2, 40, 48)).clamp(0, 1)
    b_BCHW = (a_BCHW + 0.01 * torch.randn(1, 2, 40, 48)).clamp(0, 1)
    ssim = SSIM(11, 1.5, 1e-4, 9e-4)
    torch.testing.assert_close(operators.similarity(ssim, a_BCHW, b_BCHW), ssim(a_BCHW, b_BCHW), rtol=0, atol=1e-6)

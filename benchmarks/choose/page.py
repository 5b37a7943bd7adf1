"""The page that `defectbench choose` writes: the answer first, then what it rests on. It opens offline."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from PIL import Image

from benchmarks.choose.contenders import Contender, StandInResult
from benchmarks.choose.runner import Findings, Request
from benchmarks.choose.stand_in import CONTRASTS, SIZES
from benchmarks.common.files import write_text
from benchmarks.data.index import ImageFile
from benchmarks.inspect.specification import INSPECTOR
from benchmarks.protocol.decision import Share

if TYPE_CHECKING:
    from benchmarks.inspect import Inspector

PICTURES = 8
"""Of each side: missed defects, false alarms; where nothing is wrong, found defects."""
BAR_REM = 8


def write_page(path: Path, findings: Findings, request: Request, summary: str) -> None:
    """Write the page. Its pictures show the folder's images: mind who gets to see them."""
    answer, shown = findings.answer, findings.answer.shown
    pictures, any_wrong = _pictures(shown, request)
    environment = jinja2.Environment(loader=jinja2.PackageLoader("benchmarks.choose"), autoescape=True)
    page = environment.get_template("choose.html").render(
        name=request.category.name,
        sentences=answer.sentences,
        stand_in=answer.stand_in,
        inspector=path.parent / INSPECTOR if answer.best else None,
        rows=[_row(one) for one in answer.ranking],
        skipped=findings.skipped,
        pictures=pictures,
        any_wrong=any_wrong,
        shown=shown.title,
        grids=_grids(shown.stand_ins),
        light=findings.light,
        moves=findings.moves,
        curve=findings.curve,
        summary=summary,
        provenance=_provenance(shown),
    )
    write_text(path, page)


def _provenance(one: Contender) -> str:
    record = one.record
    return f"{record.device}, {record.threads} threads, revision {record.revision[:12]}, seed {record.seed}."


def _row(one: Contender) -> dict[str, str]:
    result = one.result
    return {
        "title": one.title,
        "found": _share(one.found),
        "found_width": f"{BAR_REM * one.found.ratio:.2f}" if one.found else "0",
        "alarms": _share(one.false_alarms),
        "alarms_width": f"{BAR_REM * one.false_alarms.ratio:.2f}" if one.false_alarms else "0",
        "auroc": "-" if one.auroc is None else f"{one.auroc:.3f}",
        "ms": f"{one.milliseconds:.0f}",
        "fit": f"{result.fit_seconds or 0:.0f} s",
    }


def _share(share: Share | None) -> str:
    if share is None:
        return "-"
    return f"{share.correct} of {share.total} [{share.interval[0]:.2f}, {share.interval[1]:.2f}]"


def _grids(results: Sequence[StandInResult]) -> list[dict[str, Any]]:
    """For each kind of drawn defect, found or not by size and contrast."""
    grids = []
    for kind in dict.fromkeys(result.kind for result in results):
        here = {(r.size, r.contrast): r.found for r in results if r.kind == kind}
        rows = [
            {"size": f"{size:.0%}", "cells": [_cell(here[size, contrast]) for contrast in CONTRASTS]} for size in SIZES
        ]
        grids.append({"kind": kind, "contrasts": [f"{contrast:.0%}" for contrast in CONTRASTS], "rows": rows})
    return grids


def _cell(found: bool) -> dict[str, Any]:
    return {"percent": 60 if found else 0, "text": "found" if found else "missed"}


def _pictures(one: Contender, request: Request) -> tuple[list[dict[str, str]], bool]:
    """Missed defects and false alarms, the most certain mistakes first; where there are none, what was found."""
    from benchmarks.inspect import Inspector

    test = one.test.assign(alarm=one.test["score"] > one.threshold)
    missed = test[test["defective"] & ~test["alarm"]].sort_values("score")
    false = test[~test["defective"] & test["alarm"]].sort_values("score", ascending=False)
    wrong = [(row, "missed") for row in missed.head(PICTURES).to_dict("records")]
    wrong += [(row, "false alarm") for row in false.head(PICTURES).to_dict("records")]
    found = test[test["defective"] & test["alarm"]].sort_values("score")
    chosen = wrong or [(row, "found") for row in found.head(PICTURES).to_dict("records")]
    files = {image.name: image for image in request.category.test}
    inspector = Inspector.load(one.folder / INSPECTOR)
    return [_picture(inspector, files[str(row["path"])], what) for row, what in chosen], bool(wrong)


def _picture(inspector: "Inspector", file: ImageFile, what: str) -> dict[str, str]:
    from benchmarks.data.images import open_image
    from benchmarks.inspect.overlay import overlay

    verdict, specification = inspector(file.path), inspector.specification
    picture = overlay(
        open_image(file.path),
        verdict.map_HW,
        specification.usual,
        specification.map_threshold,
        verdict.regions,
        inspector.decoding.bits,
    )
    return {
        "data": _data_uri(picture),
        "caption": f"{what}: {file.name}, score {verdict.score:.4g}, threshold {verdict.threshold:.4g}",
    }


def _data_uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"

"""What the page's dialog shows of one cell: its plots and pictures, its seeds, and where its numbers come from."""

import shlex
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report.cells import Cell, Run
from benchmarks.report.html import template
from benchmarks.report.page_tables import Number
from benchmarks.report.plots import PLOTS
from benchmarks.store.record import EXTERNAL, Record
from benchmarks.store.runs import RunStore

if TYPE_CHECKING:
    from benchmarks.report.pictures import Picture

DETAILS = "details.html"
LICENCE_REASON = (
    "Pictures are left out unless asked for: they show images of the dataset, and most licences, MVTec AD's among them, "
    "do not allow to pass those on. For your own use, defectbench report --images embeds them, from runs with save_maps=true."
)
NO_MAPS_REASON = "No pictures: no seed of this cell kept its anomaly maps (save_maps=true)."
OF_THE_MACHINE = (
    "data.cache_dir=",
    "results.dir=",
    "progress=",
)  # decide no number, and a command is right without them


@dataclass(frozen=True)
class Figure:
    """A plot or a picture with its title and its words."""

    title: str
    words: str
    svg: str = ""
    image: str = ""


@dataclass(frozen=True)
class Details:
    """What the dialog of a cell shows."""

    key: str
    """Stands in the page's address."""
    title: str
    numbers: list[Number]
    """Of all tables."""
    cell: Cell
    figures: list[Figure]
    pictures: list[Figure]
    no_pictures: str
    config: str
    provenance: dict[str, str]
    errors: list[tuple[int, str, str]]
    """Seed, message and traceback of each failed run."""

    @property
    def seeds(self) -> list[list[str]]:
        """A row of text for each finished seed: seed, counts, AUROC, threshold, costs; a dash for what it does not have."""
        return [_seed(run) for run in self.cell.runs]

    def counts(self, side: str) -> str:
        """`19, 20, 18 of 20 images`: one count for each seed; empty for what is not counted."""
        shares = [share for run in self.cell.runs if (share := getattr(run.result, side, None))]
        if not shares:
            return ""
        counts = f"{', '.join(str(share.correct) for share in shares)} of {shares[0].total} images"
        rate = 1 - sum(share.ratio for share in shares) / len(shares)
        return f"{counts}; {'false-alarm rate' if side == 'good' else 'missed'} {rate:.0%}"


def details_html(
    key: str,
    title: str,
    numbers: list[Number],
    cell: Cell,
    store: RunStore,
    images: bool = False,
    dataset_root: Path | None = None,
) -> str:
    """The dialog's content.

    Args:
        numbers: of the cell in all tables.
        images: embed pictures, of images in `dataset_root` if that is not the folder that the runs used.

    Raises:
        UserError: what lies beside a record cannot be read, or pictures are wanted and their images are not found.
    """
    drawn = [Figure(plot.title, plot.words(cell), svg=plot.svg(cell)) for plot in PLOTS if plot.is_possible(cell)]
    found, reason = _pictures(cell, images, dataset_root)
    first = cell.runs[0].record if cell.runs else cell.failed[0]
    one = Details(
        key,
        title,
        numbers,
        cell,
        drawn,
        [Figure(picture.choice.title, picture.words, image=picture.data_uri()) for picture in found],
        reason,
        _config(first),
        _provenance(cell),
        [(record.seed, record.error, _traceback(store, record)) for record in cell.failed],
    )
    return str(template(DETAILS).render(one=one))


def _pictures(cell: Cell, images: bool, dataset_root: Path | None) -> "tuple[list[Picture], str]":
    """Pictures, or why there are none."""
    if not images:
        return [], LICENCE_REASON
    from benchmarks.report.pictures import pictures, run_with_maps  # numba, which takes seconds

    run = run_with_maps(cell)
    found = [] if run is None else pictures(run, dataset_root)
    return found, "" if found else NO_MAPS_REASON


def _seed(run: Run) -> list[str]:
    result = run.result
    counts = [f"{share.correct}/{share.total}" if share else "–" for share in (result.good, result.defective)]
    auroc = None if result.deciding_image is None else result.deciding_image.auroc
    numbers = (
        (auroc, ".3f"),
        (result.deciding_threshold, ".4g"),
        (result.fit_seconds, ".1f"),
        (result.ms_per_image, ".1f"),
        (run.record.seconds, ".1f"),
    )
    shown = ["–" if value is None else format(value, form) for value, form in numbers]
    return [str(run.record.seed), *counts, *shown]


def _config(record: Record) -> str:
    """What decided the numbers, resolved; where things lie is no part of it."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as fast, where PyYAML was built with it
    text: str = yaml.dump(record.identity.get("config", {}), Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text


def _provenance(cell: Cell) -> dict[str, str]:
    """Facts that the runs share, or all their values."""
    records = [*[run.record for run in cell.runs], *cell.failed]
    results = [run.result for run in cell.runs]
    versions = [" ".join(f"{k} {v}" for k, v in record.identity.get("versions", {}).items()) for record in records]
    found = {
        "command": _distinct(_command(record) for record in records[:1]),
        "standing": _distinct(record.standing for record in records),
        "revision": _distinct(record.revision for record in records),
        "code": _distinct(_code(record.identity.get("code", "")) for record in records),
        "versions": _distinct(versions),
        "training data": _distinct(record.identity.get("train_data", "") for record in records),
        "test data": _distinct(record.test_data for record in records),
        "device": _distinct(f"{record.device}, CPU threads: {record.threads}" for record in records),
        "visible GPUs": _distinct(record.visible_gpus for record in records),
        "the method says": _distinct(" ".join(f"{k}={v}" for k, v in result.facts.items()) for result in results),
        "map size": _distinct(f"{w} × {h} px" for result in results if result.map_size for h, w in [result.map_size]),
        "minimum area": _distinct(f"{r.minimum_area_px} px of the map" for r in results if r.minimum_area_px),
        "validation images": _distinct(str(result.validation_images) for result in results),
    }
    return {name: value for name, value in found.items() if value}


def _code(hashes: Any) -> str:
    """One hash for the page, of those of all modules."""
    return hashes if isinstance(hashes, str) else f"{zlib.crc32(repr(sorted(hashes.items())).encode()):08x}"


def _command(record: Record) -> str:
    """What was typed; maps of another program have no run that can be repeated."""
    if record.budget == EXTERNAL:
        return ""
    kept = [text for text in record.overrides if not text.startswith(OF_THE_MACHINE)]
    return shlex.join(["defectbench", "run", *kept]) if kept else ""


def _traceback(store: RunStore, record: Record) -> str:
    path = store.where(record) / "error.txt"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(value for value in dict.fromkeys(values) if value)

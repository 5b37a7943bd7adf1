"""`defectbench publish`: a results folder as others may cite it: checked, numbers only, and with the standing of its numbers."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.common.files import write_text
from benchmarks.common.yaml import read_foreign_yaml
from benchmarks.report.build import build, read_contents
from benchmarks.report.cells import LOSSES
from benchmarks.report.compare import compare
from benchmarks.report.folders import without_folders
from benchmarks.store.epochs import EPOCHS, RESULT
from benchmarks.store.identity import deciding
from benchmarks.store.record import CONFIG, EXTERNAL, RECORD, Cell, Record
from benchmarks.store.runs import Contents, RunStore
from benchmarks.store.scores import decisions

KEPT = (CONFIG, "*.csv", str(LOSSES), f"{EPOCHS}/*/*.csv", f"{EPOCHS}/*/{RESULT}")
"""What a published run holds beside its record: numbers and settings, never an image, a map or a fitted method."""
SELF_REPORTED, IMPORTED = "self-reported", "imported"


def publish(source: Path, target: Path, rerun: Path | None = None, by: str = "") -> list[Path]:
    """Check a store, copy its numbers to a new folder with their standing, and write the report there.

    Absolute paths in records and settings are cut to their last part.

    Args:
        source: the results folder, which holds `runs/`.
        target: the folder to make, such as `results/published/NAME`.
        rerun: a results folder in which somebody else ran at least one of the cells again: the numbers become verified.
        by: who that was.

    Returns:
        The files of the report.

    Raises:
        UserError: a run cannot be believed as it stands, the re-run does not confirm it, or the target exists.
    """
    if target.exists():
        raise UserError(f"{target} exists already. Choose another name, or remove it first.")
    contents = read_contents(source)
    check(RunStore(source), contents)
    records = contents.records
    confirmed = [] if rerun is None else _confirmed(source, rerun, records)
    standing = f"verified: {', '.join(map(str, confirmed))} re-run by {by}" if confirmed else SELF_REPORTED
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.tmp-"))
    try:
        for record in records:
            own = IMPORTED if record.budget == EXTERNAL and record.cell not in confirmed else standing
            _copy(RunStore(source).folder(record.cell), RunStore(temporary).folder(record.cell), own)
        build(temporary, temporary / "report")
        temporary.chmod(0o755)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return sorted((target / "report").iterdir())


def check(store: RunStore, contents: Contents) -> None:
    """What every reader would ask: did it finish, from which code, and do the scores give the record's counts?

    Raises:
        UserError: names every run that fails, and why.
    """
    wrong = [f"  {record.cell}: {reason}" for record in contents.records if (reason := _reason(store, record))]
    wrong += [f"  {found.reason}" for found in contents.unreadable]
    if wrong:
        raise UserError("Not published, because of these runs:\n" + "\n".join(wrong))
    if not contents.records:
        raise UserError(f"No run in {store.root}.")


def _reason(store: RunStore, record: Record) -> str:
    if record.result is None:
        return "it failed; run it again, or remove its folder"
    if not record.revision or record.revision == "unknown":
        return "its revision is unknown; run it from a git checkout or an installed wheel"
    if record.revision.endswith("+changes"):
        return "the code differed from its revision; commit, then run it again with force=true"
    try:
        decisions(store.where(record), record)
    except UserError as error:
        return str(error)
    return ""


def _confirmed(source: Path, rerun: Path, records: Sequence[Record]) -> list[Cell]:
    """The cells that the re-run confirms, at least one.

    Raises:
        UserError: no cell in common, a copy instead of a re-run, the same maps evaluated twice, other data or settings, or a
            difference beyond chance.
    """
    contents = read_contents(rerun)
    again = {record.cell: record for record in contents.records}
    common = [record for record in records if record.cell in again and again[record.cell].result is not None]
    if not common:
        unread = "".join(f" {found.reason}" for found in contents.unreadable)
        raise UserError(f"{rerun} holds no finished run of a cell in {source}: same method, category and seed.{unread}")
    for record in common:
        if again[record.cell].started == record.started:
            raise UserError(f"{rerun} holds a copy of {record.cell}, not a re-run: both started at {record.started}.")
        if (maps := _maps(record)) is not None and maps == _maps(again[record.cell]):
            raise UserError(
                f"{rerun} holds {record.cell} of the same maps as {source}: to evaluate them twice confirms no map. Make the maps "
                "again with the other program, and evaluate those."
            )
        if _inputs(again[record.cell]) != _inputs(record):
            raise UserError(f"{record.cell} ran on other data or with another configuration in {rerun}.")
    if compare(source, rerun).exceeds:
        raise UserError(f"{rerun} differs from {source} beyond chance: see `defectbench compare {source} {rerun}`.")
    return [record.cell for record in common]


def _maps(record: Record) -> str | int | float | None:
    """The hash of the maps that another program made; None of a run of ours."""
    return None if record.result is None else record.result.facts.get("maps_hash")


def _inputs(record: Record) -> tuple[Any, ...]:
    settings = {
        name: value for name, value in deciding(record.identity["config"]).items() if name != "trainer.accelerator"
    }
    return settings, record.identity.get("train_data"), record.test_data


def _copy(source: Path, target: Path, standing: str) -> None:
    for pattern in KEPT:
        for file in sorted(source.glob(pattern)):
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
    settings = target / CONFIG
    record, shown = without_folders(
        json.loads((source / RECORD).read_text(encoding="utf-8")),
        OmegaConf.to_container(read_foreign_yaml(settings)) if settings.exists() else {},
    )
    if settings.exists():
        write_text(settings, OmegaConf.to_yaml(shown))
    write_text(target / RECORD, json.dumps(record | {"standing": standing}, indent=2, allow_nan=False) + "\n")

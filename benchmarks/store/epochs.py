"""`epochs/<n>/` in a run's folder: what its training was worth on the way (`score_at_epochs`)."""

import json
from pathlib import Path

from benchmarks.common.errors import UserError
from benchmarks.common.files import read_file
from benchmarks.store import schema
from benchmarks.store.record import RANGES, Record, Result

EPOCHS = "epochs"
RESULT = "result.json"


def learning_curve(record: Record, folder: Path) -> dict[int, Result]:
    """Results by the number of epochs, the run's own at the last; empty where none was scored on the way.

    Args:
        folder: of the run.

    Raises:
        UserError: a result cannot be read.
    """
    on_the_way = sorted(int(place.name) for place in (folder / EPOCHS).glob("*") if place.name.isdigit())
    if record.result is None or not on_the_way:
        return {}
    found = {epoch: _read(folder / EPOCHS / str(epoch) / RESULT) for epoch in on_the_way}
    return found | {int(record.identity["config"]["method"]["train"]["epochs"]): record.result}


def _read(path: Path) -> Result:
    try:
        return schema.build(Result, json.loads(read_file(path)), RANGES)
    except (OSError, ValueError) as error:
        raise UserError(
            f"Cannot read {path} ({error}). Remove its folder, or run its cell again with force=true."
        ) from error

"""How time and memory grow with the number of stored runs: of reading a store, and of the commands that do."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

from rich.table import Table

from benchmarks.common.project import project_file
from benchmarks.speed.growth import spend
from benchmarks.store.identity import PROJECT
from benchmarks.store.lookup import Lookup
from benchmarks.store.record import CONFIG, PRO_CURVE, RECORD, SCORES, Cell, Record, read_record
from benchmarks.store.runs import RunStore

RUN = ("results", "published", "bottle", "runs", "patchcore", "bottle", "seed=0")
"""A run as others have it, with its curve, and without maps."""
FILES = (SCORES, PRO_CURVE, CONFIG)
METHODS, CATEGORIES = 25, 15  # of a table; what is more than one table are further seeds
SIZES = (75, 750, 7500)
FOLDERS = 100_000
"""So many are listed, and no more: their records alone would be read for minutes."""

LIST = """
import sys
from pathlib import Path
from benchmarks.store.folders import cell_folders
print(sum(1 for _ in cell_folders(Path(sys.argv[1]) / "runs", "seed=")))
"""
READ = """
import sys
from pathlib import Path
from benchmarks.store.runs import RunStore
print(len(RunStore(Path(sys.argv[1])).contents().records))
"""
FIND = """
import sys
from pathlib import Path
from benchmarks.store.folders import cell_folders
from benchmarks.store.lookup import Lookup
lookup = Lookup(Path(sys.argv[1]))
for folder in cell_folders(lookup.store.root, "seed="):
    method, category, seed = folder.parts[-3:]
    assert lookup.answered([f"method={method}", f"category={category}", seed])
"""
COMMANDS = {
    "list the folders": ("-c", LIST, "RESULTS"),
    "read and check the records": ("-c", READ, "RESULTS"),
    "find finished cells, as a sweep does": ("-c", FIND, "RESULTS"),
    "defectbench list runs": ("-m", "benchmarks", "list", "runs", "--results", "RESULTS"),
    "defectbench report": ("-m", "benchmarks", "report", "--results", "RESULTS"),
    "defectbench report, once more": ("-m", "benchmarks", "report", "--results", "RESULTS"),
    "defectbench study area": ("-m", "benchmarks", "study", "area", "--results", "RESULTS"),
}


@dataclass(frozen=True)
class StoreGrowth:
    """One command on one store. Its seconds are of the processor, start and imports of its process included."""

    command: str
    runs: int
    cells: int
    """Methods and categories; the rest are seeds."""
    cpu_seconds: float
    peak_mib: float


def grow_stores(sizes: Sequence[int], folders: int, base: Path) -> Iterator[StoreGrowth]:
    """List a store of folders alone; then write a store of each size, and give what each command takes on it."""
    for cell in _cells(folders):
        RunStore(base / "folders").folder(cell).mkdir(parents=True)
    name = next(iter(COMMANDS))
    yield _measured(name, COMMANDS[name], base / "folders", folders, min(folders, METHODS * CATEGORIES))
    for runs in sizes:
        cells = write_runs(base / str(runs), runs)
        for name, arguments in COMMANDS.items():
            yield _measured(name, arguments, base / str(runs), runs, cells)


def _measured(name: str, arguments: Sequence[str], results: Path, runs: int, cells: int) -> StoreGrowth:
    command = [sys.executable, *(str(results) if text == "RESULTS" else text for text in arguments)]
    spent = spend(command)
    return StoreGrowth(name, runs, cells, spent.cpu_seconds, spent.peak_mib)


def write_runs(results: Path, count: int) -> int:
    """Copies of one run under other names, each with the request that it answers; returns the number of cells."""
    source = project_file(*RUN)
    record = read_record(source / RECORD)
    contents = {name: (source / name).read_bytes() for name in FILES}
    requests = Lookup(results)
    with chdir(PROJECT):  # a request is of the folder that it is asked in
        for cell in _cells(count):
            folder = requests.store.folder(cell)
            folder.mkdir(parents=True)
            copy = _of(record, cell)
            (folder / RECORD).write_text(copy.to_json(), encoding="utf-8")
            for name, content in contents.items():
                (folder / name).write_bytes(content)
            requests.keep(requests.asked(copy.overrides, []), copy)
    return min(count, METHODS * CATEGORIES)


def _cells(count: int) -> Iterator[Cell]:
    """All methods and categories with seed 0, then with seed 1, and so on."""
    seeds = range(-(-count // (METHODS * CATEGORIES)))
    for seed, method, category in islice(product(seeds, range(METHODS), range(CATEGORIES)), count):
        yield Cell(f"method_{method:02}", f"category_{category:02}", seed)


def _of(record: Record, cell: Cell) -> Record:
    words = (f"method={cell.method}", f"category={cell.category}", f"seed={cell.seed}")
    identity = json.loads(json.dumps(record.identity))
    identity["config"]["seed"] = cell.seed
    return replace(
        record,
        method=cell.method,
        category=cell.category,
        seed=cell.seed,
        identity=identity,
        overrides=words,
        standing="",
        as_read={},
    )


def store_table(rows: Sequence[StoreGrowth]) -> Table:
    """The measurements by command, each with its seconds for a run."""
    shown = Table()
    for name in ("command", "runs", "CPU s", "ms per run", "peak MiB"):
        shown.add_column(name, justify="left" if name == "command" else "right")
    for row in sorted(rows, key=lambda row: ([*COMMANDS].index(row.command), row.runs)):
        per_run = f"{1000 * row.cpu_seconds / row.runs:.2f}"
        shown.add_row(row.command, f"{row.runs:,}", f"{row.cpu_seconds:.2f}", per_run, f"{row.peak_mib:.0f}")
    return shown

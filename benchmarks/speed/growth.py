"""How time and memory grow with the number of images and with their pixels: whole runs, each in a process of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks.common.errors import UserError
from benchmarks.config.compose import composed
from benchmarks.data.layouts import read_category
from benchmarks.data.synthetic.write import SyntheticSpec, write_dataset
from benchmarks.store.identity import PROJECT
from benchmarks.store.record import RECORD

BOUND_MIB = 2048
CATEGORIES = {"texture": "carpet", "object": "bottle"}
KINDS = {
    "ae_l2": "texture",
    "ae_ssim": "texture",
    "anogan": "texture",
    "cnn_feature_dictionary": "texture",
    "texture_inspection": "texture",
    "variation_model": "object",
    "patchcore": "texture",
    "padim": "texture",
    "dfm": "texture",
    "stfpm": "texture",
    "rd4ad": "texture",
    "supersimplenet": "texture",
}


@dataclass(frozen=True)
class Growth:
    """One run: its size, its time and its peak of resident memory, the interpreter and its libraries included."""

    method: str
    kind: str
    train_images: int
    test_images: int
    px: int
    seconds: float
    fit_seconds: float
    ms_per_image: float
    peak_mib: float
    bound_mib: int = BOUND_MIB

    @property
    def within(self) -> bool:
        return self.peak_mib <= self.bound_mib


def sizes(px: int) -> list[tuple[int, int]]:
    """(times the images, side in px), what tells most first: pixels x1 and x4, then images x4 and x2."""
    return [(1, px), (1, 2 * px), (4, px), (2, px)]


def grow(methods: Sequence[str], wanted: Sequence[tuple[int, int]], folder: Path, device: str) -> Iterator[Growth]:
    """Run each method at each size, budget smoke, at the images' own resolution."""
    for times, px in wanted:
        for method in methods:
            yield _run(method, times, px, folder, device)


def _run(method: str, times: int, px: int, folder: Path, device: str) -> Growth:
    kind = KINDS[method]
    category = CATEGORIES[kind]
    spec = SyntheticSpec(px=px, train_good=10 * times, test_good=2 * times, per_defect=times)
    write_dataset(spec, folder / spec.key(), [category], progress=False)
    images = read_category(folder / spec.key(), category)
    results = folder / "results" / spec.key()
    overrides = [
        f"method={method}",
        f"category={category}",
        f"category.kind={kind}",  # else it is guessed from the images
        "data=folder",
        f"data.root={folder / spec.key()}",
        f"data.cache_dir={folder / 'cache'}",
        f"results.dir={results}",
        f"method.inputs.{kind}.px={px}",
        "budget=smoke",
        f"trainer={'gpu' if device == 'cuda' else 'cpu'}",
        "logger=none",
        "progress=false",
    ]
    if "weights" in composed([f"method={method}"]).method:
        overrides.append("method.weights=random")  # time and memory are those of any weights
    spent = spend([sys.executable, "-m", "benchmarks", "run", *overrides])
    record = json.loads((results / "runs" / method / category / "seed=0" / RECORD).read_text(encoding="utf-8"))
    costs = record["result"]
    return Growth(
        method,
        kind,
        len(images.train),
        len(images.test),
        px,
        spent.seconds,
        costs["fit_seconds"],
        costs["ms_per_image"],
        spent.peak_mib,
    )


# A process starts with the peak of the one that it is forked from: this small one stands between, and tells its child's.
WATCH = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
spent = resource.getrusage(resource.RUSAGE_CHILDREN)
print(spent.ru_utime + spent.ru_stime, spent.ru_maxrss / 1024)
sys.exit(code)
"""


@dataclass(frozen=True)
class Spent:
    """What a process took, its children included."""

    seconds: float
    """By the clock."""
    cpu_seconds: float
    """Of the processor."""
    peak_mib: float


def spend(command: Sequence[str]) -> Spent:
    """Run a process to its end.

    Raises:
        UserError: it failed.
    """
    start = time.perf_counter()
    watched = subprocess.run([sys.executable, "-c", WATCH, *command], cwd=PROJECT, capture_output=True, text=True)
    if watched.returncode:
        raise UserError(f"This run failed; start it by hand to see why: {' '.join(command)}")
    return Spent(time.perf_counter() - start, *map(float, watched.stdout.split()))


def growth_table(rows: Sequence[Growth]) -> Table:
    """The runs by method, each with its ratio to the smallest of its method."""
    shown = Table()
    for name in ("method", "images (train + test)", "px", "fit s", "ms per image", "peak MiB", f"{BOUND_MIB} MiB"):
        shown.add_column(name, justify="left" if name == "method" else "right")
    first: dict[str, Growth] = {}
    for row in sorted(rows, key=lambda row: (row.method, row.px, row.train_images)):
        base = first.setdefault(row.method, row)
        shown.add_row(
            row.method,
            f"{row.train_images} + {row.test_images}",
            str(row.px),
            _beside(row.fit_seconds, base.fit_seconds),
            _beside(row.ms_per_image, base.ms_per_image),
            _beside(row.peak_mib, base.peak_mib),
            "within" if row.within else "above",
        )
    return shown


def _beside(value: float, base: float) -> str:
    return f"{value:.4g} (x{value / base:.2f})"

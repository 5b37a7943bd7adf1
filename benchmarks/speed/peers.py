"""Our methods beside anomalib's: `nox -s peers -- --root DIR --weights FILE`.

Both sides get the same pixels of the same files (our split, decoded once), the same weights and settings, and one thread each, in
processes of their own that take turns. Both sides' maps go through `defectbench evaluate`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from omegaconf import DictConfig, OmegaConf

from benchmarks.cli.errors import user_errors
from benchmarks.common.errors import UserError
from benchmarks.config.compose import composed
from benchmarks.data.augmentation import Augmentation
from benchmarks.data.cache import load_images
from benchmarks.data.datamodule import DefectData, Input, Training
from benchmarks.data.images import size_of
from benchmarks.data.index import Category, ImageFile
from benchmarks.data.layouts import read_category
from benchmarks.data.map_files import StoredMap, map_path, write_map
from benchmarks.protocol.pixel_metrics import resize_map
from benchmarks.run.evaluate import MapFolder, Request, evaluate
from benchmarks.speed.harness import circumstances, write_csv
from benchmarks.speed.peer_side import Spent, Task
from benchmarks.store.record import Result

METHODS = ("dfm", "padim", "patchcore", "stfpm")
OURS, PEER = "ours", "anomalib"
PEER_BATCH = 32  # anomalib's default; ours is that of the method's YAML. What is trained has the same on both sides


@dataclass(frozen=True)
class PeerRow:
    """One method by both sides; ratios are peer / ours, times seconds of processor time."""

    method: str
    peer: str
    category: str
    seed: int
    training_images: int
    mapped_images: int
    px: int
    rounds: int
    ours_image_auroc: float
    peer_image_auroc: float
    ours_maximum_auroc: float
    """By the maximum of the map, as the peers score an image."""
    peer_maximum_auroc: float
    ours_pixel_auroc: float
    peer_pixel_auroc: float
    ours_fit_s: float
    peer_fit_s: float
    fit_ratio: float
    ours_ms_per_image: float
    peer_ms_per_image: float
    image_ratio: float
    ours_fit_mib: float
    peer_fit_mib: float
    """Beyond what the process held before."""
    fit_memory_ratio: float


@dataclass(frozen=True)
class Images:
    """The files of one category as both sides get them."""

    category: Category
    train: Sequence[ImageFile]
    held_out: Sequence[ImageFile]
    pixels: Path

    @property
    def shown(self) -> list[ImageFile]:
        return [*self.held_out, *self.category.test]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--root", type=click.Path(path_type=Path), required=True, help="The dataset, such as MVTec AD.")
@click.option("--weights", type=click.Path(path_type=Path), required=True, help="File of the ResNet-18.")
@click.option("--method", "names", multiple=True, type=click.Choice(METHODS), help="These alone (may be repeated).")
@click.option("--category", default="bottle", show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--rounds", default=1, show_default=True, help="Turns of each side; figures are medians.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/speed"), show_default=True)
def main(root: Path, weights: Path, names: tuple[str, ...], category: str, seed: int, rounds: int, out: Path) -> None:
    """Measure our methods and anomalib's on the same images; write OUT/peers_cpu.csv."""
    with user_errors(), tempfile.TemporaryDirectory() as folder:
        peer = _installed()
        rows: list[PeerRow] = []
        for name in names or METHODS:
            asked = [f"method={name}", f"category={category}", "data=mvtec_ad", f"method.weights={weights}"]
            config = composed([*asked, "budget=evening"])  # STFPM's own takes hours; the others have but one
            rows.append(_compare(config, root, seed, rounds, peer, Path(folder)))
            write_csv(out / "peers_cpu.csv", rows, _circumstances())  # after each: what is measured is kept
            click.echo(in_words(rows[-1]))


def in_words(row: PeerRow) -> str:
    return (
        f"{row.method}: image AUROC {row.ours_image_auroc:.4f} / {row.peer_image_auroc:.4f}, pixel AUROC "
        f"{row.ours_pixel_auroc:.4f} / {row.peer_pixel_auroc:.4f}; fit {row.ours_fit_s:.1f} / {row.peer_fit_s:.1f} s "
        f"({row.fit_ratio:.1f} times), {row.ours_ms_per_image:.0f} / {row.peer_ms_per_image:.0f} ms per image "
        f"({row.image_ratio:.1f} times), fit memory {row.ours_fit_mib:.0f} / {row.peer_fit_mib:.0f} MiB"
    )


def _installed() -> str:
    try:
        return f"anomalib {version('anomalib')}"
    except PackageNotFoundError:
        raise UserError("anomalib is not installed here: nox -s peers makes an environment that has it.") from None


def _circumstances() -> dict[str, str]:
    found = circumstances("cpu") | {"threads": "1"}
    more = " ".join(f"{name}={version(name)}" for name in ("anomalib", "timm"))
    return found | {"versions": f"{found['versions']} {more}"}


def _compare(config: DictConfig, root: Path, seed: int, rounds: int, peer: str, folder: Path) -> PeerRow:
    images = _images(config, root, seed, folder)
    ours, theirs = _tasks(config, images, seed, folder)
    spent: dict[str, list[Spent]] = {OURS: [], PEER: []}
    for _ in range(rounds):
        spent[OURS].append(_spend(ours, folder))
        spent[PEER].append(_spend(replace(theirs, drawn=spent[OURS][-1].drawn), folder))
    results = [_evaluated(task, images, root, folder) for task in (ours, theirs)]
    return row_of(config, peer, seed, images, spent, results)


def _images(config: DictConfig, root: Path, seed: int, folder: Path) -> Images:
    """Our split, and all pixels that a side sees, decoded once."""
    category = read_category(root, config.category.name)
    data = DefectData(
        category.train,
        Input(**{name: config.input[name] for name in Input.__dataclass_fields__}),
        Training(**config.method.train),
        Augmentation(**config.category.augmentation),
        validation_share=config.protocol.validation_share,
        predict_batch_size=1,
        seed=seed,
        cache_dir=None,
    )
    images = Images(category, data.fit_files, data.validation_files, folder / f"{config.method.name}.npz")
    train, shown = (load_images(files, data.decoding, None) for files in (images.train, images.shown))
    np.savez(images.pixels, train=train, shown=shown)
    return images


def _tasks(config: DictConfig, images: Images, seed: int, folder: Path) -> tuple[Task, Task]:
    settings: dict[str, Any] = OmegaConf.to_container(config.method.model, resolve=True)  # type: ignore[assignment]
    name, target = config.method.name, settings.pop("_target_")
    weights = str(Path(config.method.weights).resolve())
    epochs = config.method.train.get("epochs", 0)
    ours = Task(
        side=OURS,
        method=name,
        target=target,
        settings=settings | {"weights": weights},
        weights=weights,
        seed=seed,
        batch_size=config.method.train.batch_size,
        pixels=str(images.pixels),
        maps=str(folder / f"{OURS}_{name}.npy"),
        held_out=len(images.held_out),
        epochs=epochs,
        student=str(folder / "student.pt") if epochs else "",
    )
    batch_size = ours.batch_size if epochs else PEER_BATCH
    return ours, replace(ours, side=PEER, batch_size=batch_size, maps=str(folder / f"{PEER}_{name}.npy"))


def _spend(task: Task, folder: Path) -> Spent:
    """Run one side in a process of its own.

    Raises:
        UserError: it failed.
    """
    file = folder / "task.json"
    file.write_text(json.dumps(asdict(task)), encoding="utf-8")
    one_thread = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}
    command = [sys.executable, "-m", "benchmarks.speed.peer_side", str(file)]
    run = subprocess.run(command, env=os.environ | one_thread, capture_output=True, text=True)
    if run.returncode:
        raise UserError(f"{task.method} of {task.side} failed:\n{run.stderr[-2000:]}")
    return Spent(**json.loads(run.stdout.splitlines()[-1]))


def _evaluated(task: Task, images: Images, root: Path, folder: Path) -> Result:
    """The maps through `defectbench evaluate`."""
    name = f"{task.side}_{task.method}"
    place = folder / "maps" / name / images.category.name
    for image, map_HW in zip(images.shown, np.load(task.maps), strict=True):
        write_map(place / map_path(image), StoredMap(resize_map(map_HW, *size_of(image.path)), map_HW))
    request = Request(root, "mvtec_ad", folder / "results", task.seed, None, ())
    result = evaluate(MapFolder(name, images.category.name, place), request).result
    assert result is not None
    return result


def row_of(
    config: DictConfig,
    peer: str,
    seed: int,
    images: Images,
    spent: dict[str, list[Spent]],
    results: Sequence[Result],
) -> PeerRow:
    """Medians over the rounds, and the median of each round's ratio."""
    ours, theirs = results
    assert ours.pixel and theirs.pixel and ours.image and theirs.image  # a category with defects and masks
    assert ours.image_of_maximum and theirs.image_of_maximum

    def of(side: str, name: str) -> float:
        return float(median(getattr(one, name) for one in spent[side]))

    def ratio(name: str) -> float:
        pairs = zip(spent[OURS], spent[PEER], strict=True)
        return float(median(getattr(theirs, name) / getattr(ours, name) for ours, theirs in pairs))

    return PeerRow(
        method=config.method.name,
        peer=peer,
        category=images.category.name,
        seed=seed,
        training_images=len(images.train),
        mapped_images=len(images.shown),
        px=config.input.px,
        rounds=len(spent[OURS]),
        ours_image_auroc=ours.image.auroc,
        peer_image_auroc=theirs.image.auroc,
        ours_maximum_auroc=ours.image_of_maximum.auroc,
        peer_maximum_auroc=theirs.image_of_maximum.auroc,
        ours_pixel_auroc=ours.pixel.auroc,
        peer_pixel_auroc=theirs.pixel.auroc,
        ours_fit_s=of(OURS, "fit_s"),
        peer_fit_s=of(PEER, "fit_s"),
        fit_ratio=ratio("fit_s"),
        ours_ms_per_image=of(OURS, "ms_per_image"),
        peer_ms_per_image=of(PEER, "ms_per_image"),
        image_ratio=ratio("ms_per_image"),
        ours_fit_mib=of(OURS, "fit_mib"),
        peer_fit_mib=of(PEER, "fit_mib"),
        fit_memory_ratio=ratio("fit_mib"),
    )


if __name__ == "__main__":
    main()

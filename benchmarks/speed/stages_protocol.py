"""From maps to numbers, from files to pixels, and the commands that need neither."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmarks.data.cache import Decoding, load_images
from benchmarks.data.index import ImageFile
from benchmarks.protocol.area_score import area_scores
from benchmarks.protocol.pixel_metrics import PixelScores
from benchmarks.protocol.regions import EIGHT_CONNECTED
from benchmarks.speed.harness import Alternative, Setting, Stage, installed
from benchmarks.speed.inputs import anomaly_maps, picture_files, texture
from benchmarks.store.identity import PROJECT

AUPRO_LIMIT = 0.3  # the one that adeval knows

MapsAndMasks = Sequence[tuple[NDArray[np.float32], NDArray[np.bool_] | None]]


def area_score(setting: Setting) -> Iterator[Stage]:
    """`score_A` of one map for 16 areas."""
    px = setting.size(1024, 128)
    map_HW = texture(px, 0, sigma=4.0) + 0.02 * np.random.default_rng(1).standard_normal((px, px), np.float32)
    areas = np.unique(np.geomspace(1e-5, 5e-2, 16) * px**2 + 1).astype(int).tolist()
    alternatives = {
        "scipy: labelling, bisection per area": Alternative(lambda: [bisected(map_HW, area) for area in areas])
    }
    if installed("skimage"):
        alternatives["skimage: area opening per area"] = Alternative(lambda: [opened(map_HW, area) for area in areas])
    yield Stage(
        f"score_A, {len(areas)} areas, {px}x{px} map",
        lambda: area_scores(map_HW, areas),
        alternatives,
        () if installed("skimage") else ["skimage"],
        aim=setting.aim(20),
    )


def bisected(map_HW: NDArray[np.float32], area: int) -> float:
    """The largest value at which a component has the area, by bisection over the map's own values."""
    values = np.unique(map_HW)
    reached, missed = 0, len(values)
    while missed - reached > 1:
        middle = (reached + missed) // 2
        labels_HW, _ = ndimage.label(map_HW >= values[middle], EIGHT_CONNECTED)
        if np.bincount(labels_HW.ravel())[1:].max() >= area:
            reached = middle
        else:
            missed = middle
    return float(values[reached])


def opened(map_HW: NDArray[np.float32], area: int) -> float:
    """The maximum of the map's area opening."""
    from skimage.morphology import area_opening

    opened_HW = area_opening(map_HW, area, connectivity=2)  # type: ignore[no-untyped-call]
    return float(opened_HW.max())


def pixel_metrics(setting: Setting) -> Iterator[Stage]:
    """Pixel AUROC and AU-PRO of a category's maps."""
    count, px = setting.size(83, 8), setting.size(900, 300)
    pairs = anomaly_maps(count, px)
    exact = Stage(
        f"pixel AUROC and AU-PRO, {count} maps {px}x{px}",
        lambda: ours_of(pairs),
        {"exact: NumPy, all pixels sorted": Alternative(lambda: sorted_of(pairs))},
        tolerance=1e-6,
        aim=setting.aim(1),
    )
    yield exact
    binned: dict[str, Alternative] = {}
    if installed("adeval", "cv2"):
        binned = {f"adeval, {bins} bins": Alternative(partial(adeval_of, pairs, bins)) for bins in (1000, 100_000)}
    if binned:
        yield Stage(exact.name, exact.ours, binned, tolerance=2e-3, aim=exact.aim)
    else:
        yield Stage(exact.name, exact.ours, {}, ["adeval"])


def ours_of(pairs: MapsAndMasks) -> tuple[float, float]:
    pixels = PixelScores()
    for map_HW, mask_HW in pairs:
        pixels.add(map_HW, mask_HW)
    gathered = pixels.sorted()
    assert gathered is not None
    metrics = gathered.metrics(0.0, AUPRO_LIMIT)
    return metrics.auroc, metrics.aupro


def sorted_of(pairs: MapsAndMasks) -> tuple[float, float]:
    """The definition: sort all pixels, sum up false positives, true positives and covered shares, integrate by trapezoids."""
    score_N = np.concatenate([map_HW.ravel() for map_HW, _ in pairs])
    share_N = np.concatenate(
        [_shares(map_HW, mask_HW) for map_HW, mask_HW in pairs]
    )  # of its region; 0: a normal pixel
    order = np.argsort(score_N)[::-1]
    score_N, share_N = score_N[order], share_N[order]
    del order
    ends = np.append(np.flatnonzero(np.diff(score_N)), len(score_N) - 1)  # equal scores are one threshold
    normal_N = share_N == 0
    false, true, covered = (np.cumsum(part, dtype=np.float64)[ends] for part in (normal_N, ~normal_N, share_N))
    fpr, tpr, pro = (np.concatenate([[0], part / part[-1]]) for part in (false, true, covered))
    auroc = np.trapezoid(tpr, fpr)
    inside = fpr <= AUPRO_LIMIT
    fpr_in, pro_in = (
        np.append(fpr[inside], AUPRO_LIMIT),
        np.append(pro[inside], np.interp(AUPRO_LIMIT, fpr, pro)),
    )
    return float(auroc), float(np.trapezoid(pro_in, fpr_in) / AUPRO_LIMIT)


def _shares(map_HW: NDArray[np.float32], mask_HW: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    if mask_HW is None:
        return np.zeros(map_HW.size, np.float32)
    labels_HW, _ = ndimage.label(mask_HW, EIGHT_CONNECTED)
    sizes = np.bincount(labels_HW.ravel()).astype(np.float64)
    share = 1 / sizes
    share[0] = 0
    return share.astype(np.float32)[labels_HW].ravel()


def adeval_of(pairs: MapsAndMasks, bins: int) -> tuple[float, float]:
    import adeval

    if not hasattr(np, "trapz"):
        np.trapz = np.trapezoid  # type: ignore[attr-defined]  # gone since NumPy 2.4; adeval 1.1.0 still calls it so
    maps = [map_HW for map_HW, _ in pairs]
    masks = [np.zeros(map_HW.shape, np.uint8) if mask is None else mask.astype(np.uint8) for map_HW, mask in pairs]
    auroc, _, aupro = adeval.auroc_aupr_aupro(maps, masks, nstrips=bins)
    return float(auroc), float(aupro)


def cache(setting: Setting) -> Iterator[Stage]:
    """Pixels of a category at its second start."""
    count, px, to_px = setting.size(60, 5), setting.size(900, 128), setting.size(256, 32)
    files = picture_files(setting.folder / "pictures", count, px)
    decoding = Decoding.for_category(files, to_px, "rgb", "bilinear")
    folder = setting.folder / "cache"
    yield Stage(
        f"second start: {count} images of {px} px, used at {to_px} px",
        lambda: np.array(load_images(files, decoding, folder)),  # a copy, so that every pixel is read
        {
            "decoded anew, in threads (cache_dir=null)": Alternative(lambda: load_images(files, decoding, None)),
            "decoded anew, Pillow, one by one": Alternative(lambda: _decoded_plainly(files, to_px)),
        },
        aim=setting.aim(10),
    )


def _decoded_plainly(files: Sequence[ImageFile], px: int) -> NDArray[np.uint8]:
    images = (Image.open(file.path).convert("RGB").resize((px, px), Image.Resampling.BILINEAR) for file in files)
    return np.stack([np.asarray(image) for image in images])


def commands(setting: Setting) -> Iterator[Stage]:
    """What a user waits for who trains nothing: whole processes, from start to end."""
    yield Stage("defectbench --help", _command("--help"), limit_s=setting.aim(1))
    yield Stage("defectbench list methods", _command("list", "methods"), limit_s=setting.aim(1))
    if not (PROJECT / "tests" / "report" / "stores.py").exists():
        return
    seeds = [0] if setting.quick else [0, 1]
    write_store = import_module("tests.report.stores").write_store  # only a clone of the repository has tests
    results = write_store(setting.folder / "results", seeds=seeds)
    report = _command("report", "--results", str(results))
    yield Stage(f"defectbench report, 75 cells, {len(seeds)} seeds", report, limit_s=setting.aim(10))


def _command(*arguments: str) -> Callable[[], Any]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return lambda: subprocess.run(command, cwd=PROJECT, check=True, capture_output=True).returncode

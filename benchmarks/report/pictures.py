"""Pictures of what a method got right and wrong: the image with its ground truth, beside it the anomaly map on the image.

They show the dataset's images, which most licences forbid to pass on: made only on request, for the reader's own eyes.
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks.common.errors import UserError
from benchmarks.common.yaml import read_foreign_yaml
from benchmarks.data.images import Fit, decode, size_of
from benchmarks.data.index import ImageFile
from benchmarks.data.layouts import read_category, with_bad_parts
from benchmarks.data.masks import read_mask
from benchmarks.data.names import Layout
from benchmarks.protocol.area_score import area_in_pixels
from benchmarks.protocol.regions import label_regions
from benchmarks.report.cells import Cell, Run
from benchmarks.store.record import CONFIG, MAPS, Result
from benchmarks.store.scores import area_column, deciding_column, is_defective, of_split

if TYPE_CHECKING:
    from benchmarks.data.map_files import StoredMap

PX = 240  # longer side of a panel
GAP = 6
TRUTH = np.array([0, 229, 255], np.uint8)  # cyan: stands out on the gray image and on the heat map's purple to yellow
FOUND = np.array([255, 255, 255], np.uint8)
OPACITY = 0.75


@dataclass(frozen=True)
class Choice:
    """A test image worth looking at, and why."""

    name: str
    """Path inside the category: `test/good/000.png`."""
    side: str
    correct: bool
    score: float

    @property
    def title(self) -> str:
        return f"{self.side}, {'most confidently right' if self.correct else 'most confidently wrong'}"


@dataclass(frozen=True)
class Picture:
    """A choice as an image, and in words."""

    choice: Choice
    pixels: Image.Image
    words: str

    def data_uri(self) -> str:
        """WebP, to be embedded."""
        buffer = io.BytesIO()
        self.pixels.save(buffer, format="WEBP", quality=80, method=4)
        return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def run_with_maps(cell: Cell) -> Run | None:
    """The first seed that kept its maps (save_maps=true)."""
    return next((run for run in cell.scored if maps_folder(run).is_dir()), None)


def maps_folder(run: Run) -> Path:
    """Where the run's maps lie, `test/<type>/NNN.tiff` below it."""
    return run.folder / MAPS / run.record.method / run.record.category


def choices(run: Run, images: Mapping[str, ImageFile]) -> list[Choice]:
    """Per side the most confident correct image and the most confident mistake, among those that have a map.

    Args:
        images: as `images_of` gives them.
    """
    assert run.scores is not None
    limit, column = run.result.deciding_threshold, deciding_column(run.result)
    test = of_split(run.scores, "test")
    found = []
    for side, defective in (("defective", True), ("good", False)):
        part = test[is_defective(test) == defective]
        scored = sorted(zip(part[column].tolist(), part["path"].tolist(), strict=True), reverse=defective)
        shown = [(score, name) for score, name in scored if _map_of(run, images[name]).is_file()]
        right = [image for image in shown if (image[0] > limit) == defective]
        wrong = [image for image in shown if (image[0] > limit) != defective]
        for correct, chosen in ((True, right[:1]), (False, wrong[-1:])):
            found += [Choice(name, side, correct, score) for score, name in chosen]
    return found


def pictures(run: Run, dataset_root: Path | None) -> list[Picture]:
    """The run's choices, drawn; `dataset_root` as in `images_of`.

    Raises:
        UserError: an image, its mask or its map is missing or cannot be read, or they differ in size.
    """
    from benchmarks.data.map_files import read_map  # half a second to import

    images = images_of(run, dataset_root)
    chosen = choices(run, images)
    if not chosen:
        return []
    files = [images[choice.name] for choice in chosen]
    maps = [read_map(_map_of(run, file), size_of(file.path)) for file in files]
    usual = float(np.median(np.concatenate([stored.own_HW.ravel() for stored in maps])))
    triples = zip(chosen, files, maps, strict=True)
    return [_picture(run, choice, file, stored, usual) for choice, file, stored in triples]


def images_of(run: Run, dataset_root: Path | None) -> dict[str, ImageFile]:
    """The test images of the run by name, read as it read them, below the given root or where the run found them.

    Raises:
        UserError: they are not there.
    """
    assert run.scores is not None
    name, data = run.record.category, _data_of(run)
    root = dataset_root or _root_of(run, data)
    try:
        category = read_category(root, name, data["layout"])
        if data.get("bad"):
            category = with_bad_parts(category, Path(data["bad"]), data["layout"])
        images = {image.name: image for image in category.test}
        missing = [path for path in of_split(run.scores, "test")["path"].tolist() if path not in images]
        if missing:
            raise UserError(f"{run.record.cell} scored {missing[0]}, and there is no such test image.")
    except UserError as error:
        raise UserError(
            f"Pictures need the images of {name}, and {root} does not hold them. {error} Say where they are: --data-root DIR, the "
            "folder of the categories."
        ) from error
    return images


def _data_of(run: Run) -> dict[str, Any]:
    """`data` of the run's configuration, with its `Layout`; nothing else where that is not kept (maps of other programs)."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    path = _config_of(run)
    try:
        data: Any = OmegaConf.to_container(read_foreign_yaml(path).get("data", OmegaConf.create({})))
        return {**data, "layout": Layout(**data.get("layout") or {})}
    except (OSError, ValueError, TypeError, AttributeError, OmegaConfBaseException) as error:
        raise UserError(
            f"{path} does not say how the images lie ({error}). Run {run.record.cell} again with force=true."
        ) from error


def _root_of(run: Run, data: Mapping[str, Any]) -> Path:
    try:
        root = Path(data["root"])
        if "spec" in data:  # the built-in dataset keeps each kind of itself in a folder of its own
            from benchmarks.data.synthetic import SyntheticSpec

            return (
                root / SyntheticSpec(**{key: value for key, value in data["spec"].items() if key != "_target_"}).key()
            )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{_config_of(run)} does not say where the images are ({error}). Pass --data-root DIR."
        ) from error
    return root


def _config_of(run: Run) -> Path:
    return run.folder / CONFIG


def _map_of(run: Run, image: ImageFile) -> Path:
    from benchmarks.data.map_files import map_path

    return maps_folder(run) / map_path(image)


def _picture(run: Run, choice: Choice, file: ImageFile, stored: "StoredMap", usual: float) -> Picture:
    height, width = stored.at_image_size_HW.shape
    scale = PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pixels = decode(file.path, "rgb", bits=_input_of(run).get("bits"))
    plain = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    map_HW = np.asarray(Image.fromarray(stored.at_image_size_HW).resize(size, Image.Resampling.BILINEAR))
    limit, area = run.result.threshold, run.result.minimum_area
    assert area is not None and run.scores is not None  # samples without maps have none
    high = float(of_split(run.scores, "test")[area_column(area)].max())
    heat = _heat(plain, map_HW, usual, limit, high)
    if run.result.map_threshold is not None:
        found = _on_image(run, _regions(stored.own_HW > limit, area), (height, width))
        heat = _outlined(heat, _small(found, size), FOUND, 3)
    if file.mask is not None:
        defect = _small(read_mask(file.mask), size)
        plain, heat = _outlined(plain, defect, TRUTH, 5), _outlined(heat, defect, TRUTH, 5)
    gap = np.full((size[1], GAP, 3), 255, np.uint8)
    words = _in_words(choice, run.result, file)
    return Picture(choice, Image.fromarray(np.hstack([plain, gap, heat])), words)


def _input_of(run: Run) -> Mapping[str, Any]:
    """`input` of the run's configuration; empty for maps that another program made."""
    given: Mapping[str, Any] = run.record.identity["config"].get("input", {})
    return given


def _on_image(run: Run, shape: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A shape in a method's map on its image of (height, width), of which padding is no part."""
    from benchmarks.data.placement import map_on_image

    given = _input_of(run)
    fit: Fit = given.get("fit", "squash") if given.get("px") else "squash"
    return shape if fit == "squash" else map_on_image(shape.astype(np.float32), size, fit) > 0.5


def _regions(shape: NDArray[np.bool_], minimum_area: float) -> NDArray[np.bool_]:
    """Those 8-connected parts that are large enough to count as a defect: some in an image that is flagged, none in another."""
    labels, _ = label_regions(shape)
    large = np.bincount(labels.ravel()) >= area_in_pixels(minimum_area, shape.size)
    large[0] = False
    return large[labels]


def _small(shape: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A shape at the picture's size (width, height); however thin, it stays."""
    return np.asarray(Image.fromarray(shape.astype(np.float32)).resize(size, Image.Resampling.BOX)) > 0


def _heat(
    image: NDArray[np.uint8], map_HW: NDArray[np.float32], usual: float, limit: float, high: float
) -> NDArray[np.uint8]:
    """The map on the gray image: nothing at the usual value, half of the scale at the threshold, all of it at the highest score."""
    import matplotlib

    levels = [min(usual, np.nextafter(limit, -np.inf)), limit, max(high, np.nextafter(limit, np.inf))]
    level = np.interp(map_HW, levels, [0, 0.5, 1])
    colours = matplotlib.colormaps["inferno"](level)[..., :3] * 255
    gray = np.asarray(Image.fromarray(image).convert("L"), float)[..., None]
    opacity = OPACITY * np.clip(2 * level, 0, 1)[..., None]
    overlaid: NDArray[np.uint8] = np.rint((1 - opacity) * gray + opacity * colours).astype(np.uint8)
    return overlaid


def _outlined(
    image: NDArray[np.uint8], shape: NDArray[np.bool_], colour: NDArray[np.uint8], width: int
) -> NDArray[np.uint8]:
    """A line around a shape, outside it, so that nothing of it is hidden."""
    grown = np.asarray(Image.fromarray(shape.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(width))) > 0
    lined = image.copy()
    lined[grown & ~shape] = colour
    return lined


def _in_words(choice: Choice, result: Result, file: ImageFile) -> str:
    limit = result.deciding_threshold
    decision = "flagged" if choice.score > limit else "passed"
    truth = "; cyan: the true defect" if file.mask else "; no mask of its defect" if file.is_defective else ""
    words = f"{choice.name}: score {choice.score:.4g}, threshold {limit:.4g}, so it is {decision}{truth}."
    if result.map_threshold is None:
        words += " No white line: its folds decided together, and this is their mean map."
    return words

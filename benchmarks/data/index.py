"""The index of a category: which files it has, from their names alone. No image is opened here.

Layout (MVTec AD)::

    <root>/<category>/train/good/NNN.png
    <root>/<category>/test/good/NNN.png
    <root>/<category>/test/<defect>/NNN.png
    <root>/<category>/ground_truth/<defect>/NNN_mask.png      (optional)
"""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.errors import UserError, nearest

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
GOOD = "good"


@dataclass(frozen=True)
class ImageFile:
    """One image of a category: its file, its defect type (`good` if none) and its mask, if there is one."""

    path: Path
    name: str
    """Path inside the category, with forward slashes: `test/good/000.png`."""
    defect_type: str = GOOD
    mask: Path | None = None

    @property
    def is_defective(self) -> bool:
        return self.defect_type != GOOD


@dataclass(frozen=True)
class Category:
    """The files of one category, in a fixed order."""

    name: str
    root: Path
    train: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...]

    @property
    def has_masks(self) -> bool:
        """Whether every defective test image has a ground-truth mask, as pixel metrics need."""
        defective = [image for image in self.test if image.is_defective]
        return bool(defective) and all(image.mask for image in defective)


def category_names(root: Path) -> list[str]:
    """The folders under `root` that look like a category, sorted."""
    if not root.is_dir():
        return []
    return sorted(folder.name for folder in root.iterdir() if (folder / "train").is_dir())


def read_category(root: Path, name: str) -> Category:
    """Index one category.

    Raises:
        UserError: no such folder, no good training image, no test image, a mask without its image, or masks for some
            images of a defect type but not for all.
    """
    folder = _category_folder(root, name)
    train = _image_files(folder, folder / "train" / GOOD)
    if not train:
        raise UserError(
            f"{folder / 'train' / GOOD} holds no image: every method is fitted to good training images there."
        )
    test: list[ImageFile] = []
    for defect_type in _defect_types(folder):
        test += _test_images(folder, defect_type)
    if not test:
        raise UserError(
            f"{folder / 'test'} holds no image: put good ones into test/good, defective ones into test/<defect>."
        )
    return Category(name, folder, tuple(train), tuple(test))


def _category_folder(root: Path, name: str) -> Path:
    if not root.is_dir():
        raise UserError(f"No folder {root}. Set data.root to the folder that holds the categories (data.root=DIR).")
    if not (root / name / "train").is_dir():
        known = category_names(root)
        hint = nearest(name, known) or "It holds no category at all: a category is a folder with train/good in it."
        raise UserError(f"No category '{name}' in {root}. {hint}")
    return root / name


def _defect_types(folder: Path) -> list[str]:
    """Of images or of masks: masks without images are a mistake that must not go unnoticed."""
    parents = [folder / "test", folder / "ground_truth"]
    return sorted({sub.name for parent in parents if parent.is_dir() for sub in parent.iterdir() if sub.is_dir()})


def _paths(folder: Path) -> list[Path]:
    """Image paths in a folder, sorted by name; hidden files (as macOS leaves them) are passed over."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))


def _image_files(category: Path, folder: Path) -> list[ImageFile]:
    return [ImageFile(path, path.relative_to(category).as_posix()) for path in _paths(folder)]


def _test_images(category: Path, defect_type: str) -> list[ImageFile]:
    """The test images of one type, those of defects with their masks."""
    type_folder, mask_folder = category / "test" / defect_type, category / "ground_truth" / defect_type
    if defect_type == GOOD:
        return _image_files(category, type_folder)
    masks = {path.stem.removesuffix("_mask"): path for path in _paths(mask_folder)}
    images = [
        ImageFile(path, path.relative_to(category).as_posix(), defect_type, masks.get(path.stem))
        for path in _paths(type_folder)
    ]
    without_image = sorted(set(masks) - {image.path.stem for image in images})
    if without_image:
        raise UserError(
            f"{masks[without_image[0]]} is the mask of no image: {type_folder} has no '{without_image[0]}'."
        )
    without_mask = [image for image in images if image.mask is None]
    if masks and without_mask:
        raise UserError(
            f"{without_mask[0].path} has no mask, but other images of '{defect_type}' have one: add "
            f"{mask_folder / (without_mask[0].path.stem + '_mask.png')}, or remove {mask_folder} to go without pixel metrics."
        )
    return images


def categories_in(root: Path) -> list[tuple[str, str]]:
    """Name and image counts of each category in a dataset folder."""
    found = []
    for name in category_names(root):
        category = read_category(root, name)
        good = sum(not image.is_defective for image in category.test)
        counts = f"{len(category.train)} train, {good} good and {len(category.test) - good} defective test images"
        found.append((name, f"{counts}, {'with' if category.has_masks else 'without'} masks"))
    return found

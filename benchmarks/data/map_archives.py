"""All maps of a method in one file: `.pt` (a dictionary as the AUPIMO study and anomalib's users save it) and `.npz`.

Both hold the maps, (N, H, W), and the path of each map's image; what lies above `<category>/<split>/<type>/NNN` in a path is of the
machine that it was made on, and does not count.
"""

import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.data.images import size_of
from benchmarks.data.layouts import read_category
from benchmarks.data.map_files import StoredMap, map_path, write_map
from benchmarks.protocol.pixel_metrics import resize_map

SUFFIXES = (".pt", ".npz")
MAPS = ("maps", "asmaps", "anomaly_maps", "anomaly_map")
PATHS = ("paths", "image_path", "image_paths")
FORM = f"It holds the maps (N, H, W) as one of {', '.join(MAPS)} and the N paths of their images as one of {', '.join(PATHS)}"


def unpack(archive: Path, root: Path, folder: Path) -> None:
    """Write the maps of an archive as `<category>/test/<type>/NNN.tiff` and `<category>/validation/NNN.tiff` below `folder`.

    Each map at its image's size, resized bilinearly, and as the method made it.

    Args:
        root: the folder of the categories.

    Raises:
        UserError: the file cannot be read or has another form, a path is that of no image below `root`, or two are of one image.
    """
    maps_NHW, paths = _read(archive)
    categories = {name: read_category(root, name) for name in sorted({_parts(archive, path)[0] for path in paths})}
    first: dict[tuple[str, str], str] = {}
    for path, map_HW in zip(paths, maps_NHW, strict=True):
        name, image_name = _parts(archive, path)
        images = {image.name: image for image in (*categories[name].train, *categories[name].test)}
        if image_name not in images:
            raise UserError(f"{archive}: the path {path} is of no image: {root / name} has no {image_name}.")
        if (name, image_name) in first:
            both = f"by the paths {first[name, image_name]} and {path}"
            raise UserError(f"{archive} holds two maps of {root / name / image_name}, {both}: keep one of them.")
        first[name, image_name] = path
        image = images[image_name]
        write_map(folder / name / map_path(image), StoredMap(resize_map(map_HW, *size_of(image.path)), map_HW))


def _parts(archive: Path, path: str) -> tuple[str, str]:
    """Category and name of an image within it."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if len(parts) < 4:
        raise UserError(f"{archive}: the path {path} does not end in <category>/<split>/<type>/NNN.")
    return parts[-4], "/".join(parts[-3:])


def _read(archive: Path) -> tuple[NDArray[np.float32], list[str]]:
    try:
        found = _torch(archive) if archive.suffix.lower() == ".pt" else dict(np.load(archive, allow_pickle=False))
        maps = next(found[name] for name in MAPS if name in found)
        paths = [str(path) for path in next(found[name] for name in PATHS if name in found)]
        maps_NHW = np.asarray(maps, dtype=np.float32)
    except (OSError, EOFError, ValueError, TypeError, StopIteration, RuntimeError, zipfile.BadZipFile) as error:
        raise UserError(f"{archive} is no archive of maps ({type(error).__name__}: {error}). {FORM}.") from error
    maps_NHW = maps_NHW[:, 0] if maps_NHW.ndim == 4 and maps_NHW.shape[1] == 1 else maps_NHW
    if maps_NHW.ndim != 3 or len(maps_NHW) != len(paths):
        raise UserError(f"{archive} holds maps of shape {maps_NHW.shape} and {len(paths)} paths. {FORM}.")
    if not np.isfinite(maps_NHW).all():
        raise UserError(
            f"{archive}: {np.count_nonzero(~np.isfinite(maps_NHW))} values of its maps are NaN or infinite."
        )
    return maps_NHW, paths


def _torch(archive: Path) -> dict[str, Any]:
    """Tensors and text alone: nothing in the file is run."""
    import pickle

    import torch
    from torchvision import tv_tensors  # in which anomalib wraps its maps

    try:
        with torch.serialization.safe_globals([tv_tensors.Image, tv_tensors.Mask]):
            found = torch.load(archive, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError("it holds objects; save a dictionary of tensors and lists of text") from error
    if not isinstance(found, dict):
        raise TypeError(f"it holds a {type(found).__name__}")
    return {str(key): value.numpy() if isinstance(value, torch.Tensor) else value for key, value in found.items()}

"""A category from a tree of folders; `layouts` says which trees are read."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from benchmarks.common.errors import UnusableData
from benchmarks.common.words import printable
from benchmarks.data.index import GOOD, Category, Finding, ImageFile, counted
from benchmarks.data.listing import Listing, images_below, in_one_form, listing, stem_of, unread
from benchmarks.data.mask_files import attach, mask_stem, one_place_each
from benchmarks.data.names import GOOD_NAMES, TEST_NAMES, TRAIN_NAMES, Layout
from benchmarks.data.split import hold_out


class _Found(NamedTuple):
    """An image in a folder of one kind."""

    kind: str
    path: Path
    inside: str
    """Its path inside the folder of its kind."""


def is_category(folder: Path, layout: Layout) -> bool:
    """Whether a folder holds `train` or a folder of good images."""
    names = [sub.name for sub in listing(folder).folders]
    return any(name.casefold() in TRAIN_NAMES or layout.is_good(name) for name in names)


def read_tree(folder: Path, name: str, layout: Layout) -> Category:
    """The category that a folder holds.

    Raises:
        UnusableData: it has no good image to fit to, or an empty test folder.
    """
    return _Tree(folder, layout).category(name)


class _Tree:
    """One reading of a folder; gathers what is to be said of it."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder, self.layout = folder, layout
        self.others: list[Path] = []
        self.below: list[Path] = []
        self.findings: list[Finding] = []
        self.ways: dict[Path, str] = {}

    def category(self, name: str) -> Category:
        top = listing(self.folder)
        folders = [sub for sub in top.folders if sub.name not in self.layout.ignore]
        train_folders = [sub for sub in folders if sub.name.casefold() in TRAIN_NAMES]
        test_folders = [sub for sub in folders if sub.name.casefold() in TEST_NAMES]
        mask_folders = [sub for sub in folders if self.layout.is_masks(sub.name)]
        beside = [sub for sub in folders if sub not in [*train_folders, *test_folders, *mask_folders]]

        train, test = self._part(train_folders), self._part(test_folders)
        if train_folders and test_folders:
            self._left_out([*top.images, *_images(beside)], "lie beside train and test")
            layout, good = "MVTec AD's", _of(train, GOOD)
        elif train_folders or test_folders:
            self._left_out(top.images, "lie beside the folders")
            more = [found for sub in beside for found in self._in(sub)]
            layout, good = f"{'train' if train_folders else 'test'} beside defects", _of([*train, *more], GOOD)
            test += [found for found in more if found.kind != GOOD]
        else:
            kinds = [found for sub in beside for found in self._in(sub)]
            good = [*(_Found(GOOD, path, path.name) for path in top.images), *_of(kinds, GOOD)]
            test = [found for found in kinds if found.kind != GOOD]
            layout = "folders of good and of bad images" if test else "good images alone"
        if not good:
            raise UnusableData(self._no_good(bool(train_folders), beside))
        test = self._with_bad_of(train, test)
        split = ""
        if not test_folders:
            good, drawn, split = self._drawn(good)
            test = [*drawn, *test]
        if not test:
            raise UnusableData(
                f"{test_folders[0]} holds no image: put good ones into test/good, defective ones into test/<defect>."
            )
        self._say_good_names(good, test)
        images = self._with_masks([self._file("test", found) for found in sorted(test, key=_order)], mask_folders)
        trained = [self._file("train", found) for found in good]
        self.findings += counted(
            "warning", self.below, "{n} image(s) in folders below a kind are left out ({first}): move them up."
        )
        self.findings += unread(self.others)
        files = one_place_each([*trained, *images], self.findings)
        train_part, test_part = tuple(files[: len(trained)]), tuple(files[len(trained) :])
        return Category(name, self.folder, train_part, test_part, tuple(self.findings), layout, split)

    def _part(self, folders: Iterable[Path]) -> list[_Found]:
        """What lies in `train`, or in `test`."""
        found: list[_Found] = []
        for folder in folders:
            here = self._listing(folder)
            if folder.name.casefold() in TRAIN_NAMES:
                found += [_Found(GOOD, path, path.name) for path in here.images]
            else:
                self._left_out(here.images, "lie in test itself, so that nobody can tell whether they are good")
            for sub in here.folders:
                if sub.name not in self.layout.ignore:
                    found += self._in(sub)
        return found

    def _in(self, folder: Path, kind: str | None = None) -> Iterator[_Found]:
        """The images of a folder of one kind. One that holds only folders is read through: `bad/scratch` is the kind scratch."""
        kind = kind or (GOOD if self.layout.is_good(folder.name) else folder.name)
        here = self._listing(folder)
        if here.images or not here.folders:
            self.below += _images(here.folders)
            yield from (_Found(kind, path, path.name) for path in here.images)
            return
        for sub in here.folders:
            for found in self._in(sub, GOOD if kind == GOOD else sub.name):
                yield found._replace(inside=f"{sub.name}/{found.inside}") if kind == GOOD else found

    def _listing(self, folder: Path) -> Listing:
        here = listing(folder)
        self.others += here.others
        return here

    def _left_out(self, paths: Iterable[Path], why: str) -> None:
        self.findings += counted(
            "warning", list(paths), f"{{n}} image(s) {why} and are left out ({{first}}): move or remove them."
        )

    def _with_bad_of(self, train: list[_Found], test: list[_Found]) -> list[_Found]:
        """Defective images among those for training are tested, where there are no others."""
        bad = [found for found in train if found.kind != GOOD]
        if not bad or any(found.kind != GOOD for found in test):
            self._left_out([found.path for found in bad], "are defective, but lie among those for training,")
            return test
        text = "{n} defective image(s) lie among those for training ({first}): they are tested, never fitted to."
        self.findings += counted("note", [found.path for found in bad], text)
        return [*test, *bad]

    def _drawn(self, good: list[_Found]) -> tuple[list[_Found], list[_Found], str]:
        share, seed = self.layout.test_share, self.layout.test_seed
        chosen = hold_out(len(good), share, seed)
        kept = [found for found, tested in zip(good, chosen, strict=True) if not tested]
        drawn = [found for found, tested in zip(good, chosen, strict=True) if tested]
        split = f"{len(drawn)} of {len(good)} good images drawn for testing (share {share:g}, seed {seed})"
        return kept, drawn, split

    def _no_good(self, has_train: bool, beside: list[Path]) -> str:
        if has_train:
            return (
                f"{self.folder / 'train' / GOOD} holds no image: every method is fitted to good training images there."
            )
        names = ", ".join(sub.name for sub in beside) or "no folder"
        return (
            f"{self.folder} holds no good image that could be told from the others: found {names}. Say which folder is good: "
            "data.layout.good=[NAME]."
        )

    def _say_good_names(self, *parts: list[_Found]) -> None:
        """Folders that are called otherwise, but read as good."""
        folders = Counter(
            path.parent.relative_to(self.folder).as_posix()
            for part in parts
            for kind, path, inside in part
            if kind == GOOD and "/" not in inside and path.parent != self.folder and path.parent.name != GOOD
        )
        self.findings += [
            Finding(
                "note" if PurePosixPath(name).name.casefold() in GOOD_NAMES else "warning",
                f"the {count} image(s) in {name} are read as good; if they are not, say data.layout.good=[NAME].",
            )
            for name, count in folders.items()
            if PurePosixPath(name).name.casefold() not in TRAIN_NAMES
        ]

    def _file(self, part: str, found: _Found) -> ImageFile:
        kind, path, inside = found
        name = f"{self._inside(path.parent)}{path.name}"
        place = f"{part}/{kind}/{inside.removesuffix(path.suffix)}"
        return ImageFile(path, printable(name), kind, place=printable(place))

    def _inside(self, folder: Path) -> str:
        """The way from the category to a folder in it, worked out once for each."""
        if folder not in self.ways:
            self.ways[folder] = "".join(f"{part}/" for part in folder.relative_to(self.folder).parts)
        return self.ways[folder]

    def _with_masks(self, images: list[ImageFile], folders: Iterable[Path]) -> list[ImageFile]:
        """The test images with their masks, those that turned out to be masks taken out."""
        masks = self._masks(folders)
        stems = {(in_one_form(image.defect_type), stem_of(image.path)) for image in images}
        for image in images:
            key = in_one_form(image.defect_type), stem_of(image.path).removesuffix("_mask")
            if image.is_defective and key in stems and stem_of(image.path) != key[1]:
                masks[key].append(image.path)
        beside = {path for paths in masks.values() for path in paths}
        images = [image for image in images if image.path not in beside]
        return [*attach(images, masks, self.findings)]

    def _masks(self, folders: Iterable[Path]) -> dict[tuple[str, str], list[Path]]:
        """Masks by kind (empty: of any) and the stem of their image."""
        masks: dict[tuple[str, str], list[Path]] = defaultdict(list)
        for folder in folders:
            for path in images_below(folder):
                kind = in_one_form(path.parent.name) if path.parent != folder else ""
                if kind == "" or not self.layout.is_good(kind):
                    masks[kind, mask_stem(path)].append(path)
        return masks


def _of(found: Iterable[_Found], kind: str) -> list[_Found]:
    return [one for one in found if one.kind == kind]


def _order(found: _Found) -> tuple[str, str]:
    return found.kind, found.inside


def _images(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders for path in images_below(folder)]

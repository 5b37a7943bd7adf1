"""A category from a tree of folders; `layouts` says which trees are read."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from benchmarks.common.errors import UnusableData
from benchmarks.common.words import printable
from benchmarks.data.index import GOOD, Category, Finding, ImageFile, counted
from benchmarks.data.listing import UNREAD_IMAGES, Listing, images_below, listing, unread
from benchmarks.data.mask_files import MaskFolders, masks_beside, one_place_each, with_masks
from benchmarks.data.names import GOOD_NAMES, IMAGE_NAMES, TEST_NAMES, TRAIN_NAMES, Layout
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
        UnusableData: it has no good image to fit to, no image to test, or several categories in it.
    """
    return _Tree(folder, layout).category(name)


def read_bad(folder: Path, layout: Layout) -> tuple[list[tuple[str, Path]], list[Finding]]:
    """Kind and path of each image in a folder of bad parts, and what is to be said of the folder.

    Raises:
        UnusableData: a folder in it is good by its name.
    """
    tree = _Tree(folder, layout)
    return tree.bad(), tree.findings


class _Tree:
    """One reading of a folder; gathers what is to be said of it."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder, self.layout = folder, layout
        self.others: list[Path] = []
        self.below: list[Path] = []
        self.masks: MaskFolders = []
        self.findings: list[Finding] = []
        self.ways: dict[Path, str] = {}

    def category(self, name: str) -> Category:
        top = self._top()
        folders = self._folders(top)
        train_folders = [sub for sub in folders if sub.name.casefold() in TRAIN_NAMES]
        test_folders = [sub for sub in folders if sub.name.casefold() in TEST_NAMES]
        beside = [sub for sub in folders if sub not in [*train_folders, *test_folders]]

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
            self._refuse_several(beside)
            kinds = [found for sub in beside for found in self._in(sub)]
            good = [*(_Found(GOOD, path, path.name) for path in top.images), *_of(kinds, GOOD)]
            test = [found for found in kinds if found.kind != GOOD]
            layout = "folders of good and of bad images" if test else "good images alone"
        if not good:
            raise UnusableData(self._no_good(bool(train_folders), beside))
        test = self._with_bad_of(train, self._without_masks(test))
        good, split = self._without_masks(good), ""
        if not test_folders:
            kept, drawn, split = self._drawn(good)
            if not drawn and not test:
                raise self.layout.nothing_drawn(self.folder, len(good))
            good, test = kept, [*drawn, *test]
        if not test:
            raise UnusableData(
                f"{test_folders[0]} holds no image: put good ones into test/good, defective ones into test/<defect>."
            )
        self._say_good_names(good, test)
        trained = [self._file("train", found) for found in good]
        tested = [self._file("test", found) for found in sorted(test, key=_order)]
        images = with_masks([*trained, *tested], self.masks, self.layout, self.findings)
        self._say_left_out()
        files = one_place_each(images, self.findings)
        train_part, test_part = tuple(files[: len(trained)]), tuple(files[len(trained) :])
        return Category(name, self.folder, train_part, test_part, tuple(self.findings), layout, split)

    def bad(self) -> list[tuple[str, Path]]:
        """Of a folder that holds bad parts alone: the images in itself are `bad`, those in folders of that kind."""
        top = self._top()
        found = [*(_Found("bad", path, path.name) for path in top.images)]
        found += [one for sub in self._folders(top, "bad") for one in self._in(sub, self._kind_in("bad", sub))]
        if good := _of(found, GOOD):
            raise UnusableData(
                f"{good[0].path.parent} is good by its name, and {self.folder} should hold bad parts alone: move its images to the "
                "good ones of the category, or name a folder without it."
            )
        beside = masks_beside(path for _, path, _ in found)
        masks = [*beside, *_images(folder for _, folder in self.masks)]
        self._left_out(masks, "are masks, which are read with the category's own images alone,")
        self._say_left_out()
        out = set(beside)
        return [(kind, path) for kind, path, _ in found if path not in out]

    def _top(self) -> Listing:
        """What lies in the folder itself, where a licence or a table of measurements is at home."""
        top = listing(self.folder)
        self.others += [path for path in top.others if path.suffix.lower() in UNREAD_IMAGES]
        return top

    def _folders(self, here: Listing, kind: str = "") -> list[Path]:
        """The folders in a folder, those of masks put aside."""
        folders = [sub for sub in here.folders if sub.name not in self.layout.ignore]
        self.masks += [(kind, sub) for sub in folders if self.layout.is_masks(sub.name)]
        return [sub for sub in folders if not self.layout.is_masks(sub.name)]

    def _refuse_several(self, folders: Iterable[Path]) -> None:
        """The folder of several categories, whose good images would be taken for those of one."""
        several = [sub.name for sub in folders if not self.layout.is_good(sub.name) and is_category(sub, self.layout)]
        if len(several) > 1 and not is_category(self.folder, self.layout):
            raise UnusableData(
                f"{self.folder} holds {len(several)} categories ({', '.join(several)}): give one of them. If they are one, move "
                f"them into {self.folder / 'test'}, and good images to fit to into {self.folder / 'train' / GOOD}."
            )

    def _part(self, folders: Iterable[Path]) -> list[_Found]:
        """What lies in `train`, or in `test`."""
        found: list[_Found] = []
        for folder in folders:
            here = self._listing(folder)
            is_train = folder.name.casefold() in TRAIN_NAMES
            if is_train:
                found += [_Found(GOOD, path, path.name) for path in here.images]
            else:
                self._left_out(here.images, "lie in test itself, so that nobody can tell whether they are good")
            for sub in self._folders(here, GOOD if is_train else ""):  # train/masks are of good images
                found += self._in(sub)
        return found

    def _in(self, folder: Path, kind: str | None = None) -> Iterator[_Found]:
        """The images of a folder of one kind. One that holds only folders is read through: `bad/scratch` is the kind scratch,
        `day1/OK` is good."""
        kind = kind or (GOOD if self.layout.is_good(folder.name) else folder.name)
        here = self._listing(folder)
        folders = self._folders(here, kind)
        if here.images or not folders:
            self.below += _images(folders)
            yield from (_Found(kind, path, path.name) for path in here.images)
            return
        if kind == GOOD and not self.layout.good:
            self._refuse_mixed(folder, folders)
        for sub in folders:
            for found in self._in(sub, self._kind_in(kind, sub)):
                yield found._replace(inside=f"{sub.name}/{found.inside}") if kind == GOOD else found

    def _kind_in(self, kind: str, folder: Path) -> str:
        """What a folder holds that lies in one of a kind."""
        if kind == GOOD or self.layout.is_good(folder.name):
            return GOOD
        return kind if folder.name.casefold() in IMAGE_NAMES else folder.name

    def _refuse_mixed(self, folder: Path, folders: Iterable[Path]) -> None:
        """`ok_line/OK` beside `ok_line/NG`: the outer name is good by its first word, and the inner ones say otherwise."""
        named: dict[bool, str] = {self.layout.is_good(sub.name): sub.name for sub in folders}
        if len(named) == 2:
            raise UnusableData(
                f"{folder} is good by its name and holds {named[True]} beside {named[False]}, so that nobody can tell whether the "
                f"latter is good. Say which names are: data.layout.good=[{folder.name}] if all of it is, else "
                f"data.layout.good=[{named[True]}]."
            )

    def _listing(self, folder: Path) -> Listing:
        here = listing(folder)
        self.others += here.others
        return here

    def _left_out(self, paths: Iterable[Path], why: str) -> None:
        self.findings += counted(
            "warning", list(paths), f"{{n}} image(s) {why} and are left out ({{first}}): move or remove them."
        )

    def _say_left_out(self) -> None:
        self.findings += counted(
            "warning", self.below, "{n} image(s) in folders below a kind are left out ({first}): move them up."
        )
        self.findings += unread(self.others)

    def _without_masks(self, images: list[_Found]) -> list[_Found]:
        """Good images without their masks, which must not be fitted to; those of defective images are attached to them."""
        masks = masks_beside(path for kind, path, _ in images if kind == GOOD)
        self._left_out(masks, "beside good images are masks by their names")
        out = set(masks)
        return [found for found in images if found.path not in out]

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


def _of(found: Iterable[_Found], kind: str) -> list[_Found]:
    return [one for one in found if one.kind == kind]


def _order(found: _Found) -> tuple[str, str]:
    return found.kind, found.inside


def _images(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders for path in images_below(folder)]

"""Fetching and unpacking the official archive of MVTec AD: resumed when interrupted, checked by its hash, all or nothing."""

import hashlib
import logging
import lzma
import shutil
import tarfile
from collections.abc import Sequence, Set
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import requests
from tqdm import tqdm

from benchmarks.common.errors import UserError
from benchmarks.data.layouts import category_names

LICENCE_NOTE = """\
MVTec AD is copyright MVTec Software GmbH and licensed under CC BY-NC-SA 4.0: non-commercial use only, credit the authors,
share what you derive from it under the same licence. https://creativecommons.org/licenses/by-nc-sa/4.0/
If you use it, cite
  Bergmann, Fauser, Sattlegger, Steger: MVTec AD - A Comprehensive Real-World Dataset for Unsupervised Anomaly Detection,
  CVPR 2019
  Bergmann, Batzner, Fauser, Sattlegger, Steger: The MVTec Anomaly Detection Dataset: A Comprehensive Real-World Dataset for
  Unsupervised Anomaly Detection, IJCV 129, 2021
The images come from MVTec's own server; this project never redistributes them."""
PAGE = "https://www.mvtec.com/company/research/datasets/mvtec-ad"
TIMEOUT = (10, 60)
"""Seconds to connect, and to wait for the next bytes."""
CHUNK = 1 << 16
"""Bytes; no more than this is lost at a cut."""
UNPACKING = ".unpacking"
TEXTS = ("license.txt", "readme.txt")
"""Files that may lie beside the categories in an archive."""

log = logging.getLogger("benchmarks")


class _SourceError(Exception):
    """Why one source did not deliver; the next one is tried."""


class _TooLong(Exception):
    """What had arrived earlier was longer than the archive; it is gone, and the download begins anew."""


def download_archive(sources: Sequence[str], sha256: str, folder: Path, file_name: str, progress: bool = True) -> Path:
    """Fetch an archive into `folder` from the first source that has it, and return its path.

    What has arrived is kept in `<file_name>.part`, and the next call resumes from there. The archive gets its name
    only with the right hash; one that is there already is not fetched again.

    Raises:
        UserError: no source delivered (with each one's reason and the steps by hand), the disk is too small, or `file_name` is
            there with another hash.
    """
    archive, part = folder / file_name, folder / f"{file_name}.part"
    if archive.exists():
        return _as_expected(archive, sha256)
    folder.mkdir(parents=True, exist_ok=True)
    reasons = []
    for source in sources:
        try:
            _fetch(source, part, progress)
            _check_part(part, sha256)
        except (requests.RequestException, _SourceError) as error:
            reasons.append(f"  {source}\n    {_in_words(error, source)}")
        else:
            return part.replace(archive)
    raise UserError(_by_hand(file_name, reasons, part))


def _as_expected(archive: Path, sha256: str) -> Path:
    got = _sha256(archive)
    if got != sha256:
        raise UserError(
            f"{archive} is not the archive that was asked for: its sha256 is {got}, expected {sha256}. "
            "Move it away to fetch it anew, or unpack it as it is with --archive."
        )
    return archive


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_part(part: Path, sha256: str) -> None:
    got = _sha256(part)
    if got != sha256:
        part.unlink()  # nothing to go on from: it is not known which bytes are wrong
        raise _SourceError(f"delivered another file: its sha256 is {got}, expected {sha256}; it was deleted")


def _fetch(source: str, part: Path, progress: bool) -> None:
    """Complete `part` from one source, beginning again where a cut left it as long as each attempt gets further."""
    while True:
        before = _size(part)
        try:
            _append(source, part, progress)
            return
        except _TooLong:
            continue
        except requests.RequestException:
            if _size(part) <= before:
                raise


def _append(source: str, part: Path, progress: bool) -> None:
    """One request for what `part` lacks; a source that cannot begin in the middle sends the whole file anew."""
    start = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(source, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if _has_no_more(response, start):
            return
        if start and response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # longer than the archive: of another one, or damaged
            raise _TooLong
        response.raise_for_status()
        _refuse_web_page(response)
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            _check_range(response, start, part)
        else:
            start = 0
        total = start + int(response.headers["Content-Length"]) if "Content-Length" in response.headers else None
        if total is not None:
            _check_space(part.parent, total - start + total)
        _write(response, part, start, total, progress)


def _has_no_more(response: requests.Response, start: int) -> bool:
    """Whether `part` was complete already, as after a stop between the last byte and the hash."""
    complete = response.headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{start}"
    return response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and complete


def _refuse_web_page(response: requests.Response) -> None:
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise _SourceError("answered with a web page instead of the archive: the link is no longer valid")


def _check_range(response: requests.Response, start: int, part: Path) -> None:
    sent = response.headers.get("Content-Range", "")
    if not sent.startswith(f"bytes {start}-"):
        raise _SourceError(f"was asked to resume at byte {start} and sent '{sent}'; remove {part} to begin anew")


def _check_space(folder: Path, needed: int) -> None:
    """The archive holds compressed images, so unpacked it takes about its own size once more."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"The disk of {folder.resolve()} has {_gib(free)} free, {_gib(needed)} are needed. "
            "Make room, or choose another place with --root."
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _write(response: requests.Response, part: Path, start: int, total: int | None, progress: bool) -> None:
    bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.stem, disable=not progress)
    with bar, part.open("ab" if start else "wb") as file:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and _size(part) < total:  # older urllib3 does not notice
        raise requests.exceptions.ChunkedEncodingError(f"{part} ends before byte {total}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _in_words(error: Exception, source: str) -> str:
    if isinstance(error, requests.HTTPError):
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "cut the connection before the end"
    if (
        type(error) is requests.ConnectionError
    ):  # not its subclasses, which say what is wrong with a proxy or a certificate
        return f"no connection to {urlsplit(source).netloc}: offline, behind a proxy, or the server is down"
    return str(error)


def _by_hand(file_name: str, reasons: Sequence[str], part: Path) -> str:
    kept = f"\nWhat has arrived is kept in {part}: re-run the same command to resume." if part.exists() else ""
    return (
        f"Could not fetch {file_name}:\n" + ("\n".join(reasons) or "  no source is configured") + kept + "\n"
        "Such links die about once a year. By hand: fetch the archive from the dataset's page,\n"
        f"  {PAGE}\n"
        "then give\n"
        "  defectbench data download --archive FILE --root DIR\n"
        "A new link can be entered under download.sources in conf/data/mvtec_ad.yaml."
    )


class UnsafeMember(Exception):
    """Of an archive, as tarfile.FilterError."""


UNSAFE: tuple[type[Exception], ...] = (UnsafeMember, getattr(tarfile, "FilterError", UnsafeMember))


def unpack(archive: Path, root: Path, progress: bool = True) -> list[str]:
    """Unpack the categories of a .tar.xz archive into `root` and return the names of those that are new there.

    A category whose folder is there already is left as it is, and a warning is logged. Everything is unpacked into a temporary
    folder first, so that no half category is ever in `root`; what a killed call leaves of it, the next call removes.

    Raises:
        UserError: no such file, a damaged or unsafe archive, one without categories, or too little room on the disk.
    """
    if not archive.is_file():
        raise UserError(f"No file {archive}. Give the archive that was fetched from {PAGE}.")
    root.mkdir(parents=True, exist_ok=True)
    _check_space(root, archive.stat().st_size)
    temporary = root / UNPACKING
    shutil.rmtree(temporary, ignore_errors=True)
    present = {path.name for path in root.iterdir()}
    try:
        kept = _extract(archive, temporary, present, progress) & present
        for name in sorted(kept.difference(TEXTS)):
            log.warning("%s is there already and was left as it is.", root / name)
        return _move(archive, temporary, root, nothing_kept=not kept)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(archive: Path, temporary: Path, present: Set[str], progress: bool) -> set[str]:
    """Extract what is not `present`, in one pass; returns the names of all files and folders at the archive's top."""
    tops: set[str] = set()
    try:
        with (
            archive.open("rb") as file,
            tqdm(total=archive.stat().st_size, unit="B", unit_scale=True, desc="unpack", disable=not progress) as bar,
            lzma.open(file) as decompressed,
            tarfile.open(fileobj=decompressed, mode="r|", bufsize=CHUNK) as tar,
        ):
            for member in tar:
                top = PurePosixPath(member.name).parts[:1]  # empty for a leading "./"
                tops.update(top)
                if present.isdisjoint(top):
                    _extract_safely(tar, member, temporary)
                bar.update(file.tell() - bar.n)
            while decompressed.read(CHUNK):  # to the end, where the last checksum is
                pass
    except UNSAFE as error:
        raise UserError(
            f"{archive} is not safe to unpack ({error}). Fetch the official archive from {PAGE}."
        ) from error
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise UserError(f"{archive} is damaged or no .tar.xz archive ({error}). Fetch it again: {PAGE}.") from error
    return tops


def _extract_safely(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """As tarfile's filter `data`, which Python before 3.11.4 lacks, as Debian 12's does: there, files and folders alone."""
    if hasattr(tarfile, "data_filter"):
        tar.extract(member, folder, filter="data")
        return
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isreg() or member.isdir()):
        raise UnsafeMember(f"{member.name!r} would land outside, or is neither a file nor a folder")
    tar.extract(member, folder)


def _move(archive: Path, temporary: Path, root: Path, nothing_kept: bool) -> list[str]:
    """Give each unpacked category its place in `root`: a rename, which is done or not done."""
    names = category_names(temporary)
    if not names and nothing_kept:
        raise UserError(f"{archive} holds no category (a folder with train/good). Fetch the archive from {PAGE}.")
    papers = [name for name in TEXTS if (temporary / name).is_file()]
    for name in [*papers, *names]:
        (temporary / name).rename(root / name)
    return names

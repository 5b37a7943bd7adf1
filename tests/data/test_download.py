"""Fetching from a server on this machine that cuts, lies or is not there; unpacking archives that are whole, damaged or unsafe."""

import hashlib
import io
import logging
import re
import shutil
import socket
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from benchmarks.common.errors import UserError
from benchmarks.data import download
from benchmarks.data.download import LICENCE_NOTE, PAGE, download_archive, unpack

BODY = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
CUT_AT = 20 * download.CHUNK


class Request(NamedTuple):
    path: str
    range: str | None
    sent: int


class Server(ThreadingHTTPServer):
    """Behaves by path: /ranges and /whole (cut once, with and without Range support), /broken (always cut), ..."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[Request] = []

    def handle_error(self, *_: object) -> None:
        """A client that hangs up on a useless answer is expected."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked, path = self.headers["Range"], self.path.strip("/")
        start = int(re.findall(r"\d+", asked)[0]) if asked and path in {"ranges", "wrong_range"} else 0
        if path == "gone":
            return self.send_error(410)
        if start >= len(BODY):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(BODY)}")
            return self.end_headers()
        is_first = not any(request.path == path for request in self.server.seen)
        cuts = path == "broken" or (is_first and start == 0 and path in {"ranges", "whole"})
        stop = CUT_AT if cuts else len(BODY)
        self.server.seen.append(Request(path, asked, stop - start))
        self.send_response(206 if start else 200)
        if start:
            first = start + (path == "wrong_range")
            self.send_header("Content-Range", f"bytes {first}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Content-Type", "text/html" if path == "page" else "application/x-xz")
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        self.wfile.write(b"x" * len(BODY) if path == "other_file" else BODY[start:stop])
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def fetch(folder: Path, *sources: str) -> Path:
    return download_archive(sources, SHA256, folder, "a.tar.xz", progress=False)


def dead_source() -> str:
    with socket.socket() as closed:  # a port that nobody listens on
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}/a.tar.xz"


def test_a_cut_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    archive = fetch(tmp_path / "new", server.url("ranges"))
    assert archive.read_bytes() == BODY
    assert server.seen == [
        ("ranges", None, CUT_AT),
        ("ranges", f"bytes={CUT_AT}-", len(BODY) - CUT_AT),
    ]
    assert [path.name for path in archive.parent.iterdir()] == ["a.tar.xz"]


def test_what_an_earlier_call_left_is_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.tar.xz.part").write_bytes(BODY[:2_000_000])
    assert fetch(tmp_path, server.url("ranges")).read_bytes() == BODY
    assert server.seen == [("ranges", "bytes=2000000-", 1_000_000)]


def test_a_part_that_was_complete_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.tar.xz.part").write_bytes(BODY)
    assert fetch(tmp_path, server.url("ranges")).read_bytes() == BODY
    assert server.seen == []


def test_a_part_longer_than_the_archive_begins_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.tar.xz.part").write_bytes(BODY + b"more")
    assert fetch(tmp_path, server.url("ranges")).read_bytes() == BODY


def test_without_range_support_it_begins_anew(server: Server, tmp_path: Path) -> None:
    assert fetch(tmp_path, server.url("whole")).read_bytes() == BODY
    assert [request.sent for request in server.seen] == [CUT_AT, len(BODY)]


def test_a_source_that_always_cuts_at_the_same_byte_is_given_up(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cut the connection before the end\nWhat has arrived is kept in .*part"):
        fetch(tmp_path, server.url("broken"))
    assert len(server.seen) == 2
    assert (tmp_path / "a.tar.xz.part").read_bytes() == BODY[:CUT_AT]


def test_a_finished_archive_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "a.tar.xz").write_bytes(BODY)
    assert fetch(tmp_path, dead_source()) == tmp_path / "a.tar.xz"


def test_another_archive_of_that_name_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "a.tar.xz").write_bytes(b"mine")
    with pytest.raises(UserError, match=f"sha256 is {hashlib.sha256(b'mine').hexdigest()}, expected {SHA256}"):
        fetch(tmp_path, dead_source())
    assert (tmp_path / "a.tar.xz").read_bytes() == b"mine"


def test_a_wrong_hash_is_told_and_nothing_is_left(server: Server, tmp_path: Path) -> None:
    got = hashlib.sha256(b"x" * len(BODY)).hexdigest()
    with pytest.raises(UserError, match=f"its sha256 is {got}, expected {SHA256}; it was deleted"):
        fetch(tmp_path, server.url("other_file"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", ["gone", "page", "other_file", "wrong_range", "nobody"])
def test_a_source_that_fails_is_followed_by_the_next(server: Server, tmp_path: Path, bad: str) -> None:
    (tmp_path / "a.tar.xz.part").write_bytes(BODY[:CUT_AT])
    first = dead_source() if bad == "nobody" else server.url(bad)
    assert fetch(tmp_path, first, server.url("ranges")).read_bytes() == BODY
    if bad != "other_file":  # the others have not touched what was there
        assert server.seen[-1].range == f"bytes={CUT_AT}-"


def test_all_dead_lists_each_reason_and_the_steps_by_hand(server: Server, tmp_path: Path) -> None:
    dead = dead_source()
    with pytest.raises(UserError) as caught:
        fetch(tmp_path, dead, server.url("gone"), server.url("page"), "no-address")
    message = str(caught.value)
    for source in (dead, server.url("gone"), server.url("page"), "no-address", PAGE):
        assert source in message
    for text in ("no connection to 127.0.0.1", "answered 410 Gone", "a web page", "--archive FILE --root DIR"):
        assert text in message


def test_too_small_a_disk_is_told_before(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=len(BODY))  # room for the archive, none for what is in it
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"has 0\.0 GiB free, 0\.0 GiB are needed"):
        fetch(tmp_path, server.url("whole"))
    assert list(tmp_path.iterdir()) == []


def packed(archive: Path, *names: str, kind: bytes = tarfile.REGTYPE, bytes_each: int = 40_000) -> Path:
    """A .tar.xz archive of files that cannot be compressed."""
    with tarfile.open(archive, "w:xz") as tar:
        for seed, name in enumerate(names):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = bytes_each if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(np.random.default_rng(seed).bytes(bytes_each)))
    return archive


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


BOTTLE, CABLE = "bottle/train/good/000.png", "cable/train/good/000.png"


@pytest.mark.parametrize("prefix", ["", "./"])
def test_categories_and_texts_come_into_place(tmp_path: Path, prefix: str) -> None:
    members = [f"{prefix}{name}" for name in (BOTTLE, "bottle/license.txt", CABLE, "license.txt", "readme.txt")]
    root = tmp_path / "new" / "root"
    assert unpack(packed(tmp_path / "a.tar.xz", *members), root, progress=False) == ["bottle", "cable"]
    assert names_in(root) == ["bottle", "cable", "license.txt", "readme.txt"]
    assert names_in(root / "bottle") == ["license.txt", "train"]
    assert (root / BOTTLE).read_bytes() == np.random.default_rng(0).bytes(40_000)


def test_a_category_that_is_there_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root, archive = tmp_path / "root", packed(tmp_path / "a.tar.xz", BOTTLE, CABLE, "readme.txt")
    (root / "bottle").mkdir(parents=True)
    (root / "bottle" / "mine.txt").write_text("mine")
    with caplog.at_level(logging.WARNING, "benchmarks"):
        assert unpack(archive, root, progress=False) == ["cable"]
    assert names_in(root / "bottle") == ["mine.txt"]
    (warning,) = caplog.messages
    assert warning == f"{root / 'bottle'} is there already and was left as it is."
    assert unpack(archive, root, progress=False) == []


def test_an_archive_cut_anywhere_is_damaged(tmp_path: Path) -> None:
    archive, root = packed(tmp_path / "a.tar.xz", BOTTLE, CABLE, bytes_each=3000), tmp_path / "root"
    whole = archive.read_bytes()
    for length in range(0, len(whole), 97):
        archive.write_bytes(whole[:length])
        with pytest.raises(UserError, match=f"{archive} is damaged or no .tar.xz archive"):
            unpack(archive, root, progress=False)
        assert names_in(root) == []


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.tar.xz", BOTTLE)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        unpack(archive, tmp_path / "root", progress=False)


def test_an_interrupted_extraction_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, root = packed(tmp_path / "a.tar.xz", BOTTLE, CABLE), tmp_path / "root"
    extract = tarfile.TarFile.extract

    def interrupted(tar: tarfile.TarFile, member: tarfile.TarInfo, *args: object, **more: object) -> None:
        if member.name == CABLE:
            raise KeyboardInterrupt
        extract(tar, member, *args, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tarfile.TarFile, "extract", interrupted)
        unpack(archive, root, progress=False)
    assert names_in(root) == []
    half = root / download.UNPACKING / "bottle" / "train"  # as a killed process leaves it
    half.mkdir(parents=True)
    (half / "half.png").write_text("half")
    assert unpack(archive, root, progress=False) == ["bottle", "cable"]
    assert names_in(root) == ["bottle", "cable"] and not (root / "bottle" / "train" / "half.png").exists()


@pytest.mark.parametrize("name", ["../outside.txt", "bottle/../../outside.txt"])
def test_a_member_that_would_land_outside_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="not safe to unpack"):
        unpack(packed(tmp_path / "a.tar.xz", BOTTLE, name), tmp_path / "root", progress=False)
    assert names_in(tmp_path) == ["a.tar.xz", "root"] and names_in(tmp_path / "root") == []


def test_a_link_to_the_outside_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not safe to unpack"):
        unpack(packed(tmp_path / "a.tar.xz", BOTTLE, kind=tarfile.SYMTYPE), tmp_path / "root", progress=False)


def test_archives_without_categories_and_missing_ones_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no category"):
        unpack(packed(tmp_path / "a.tar.xz", "notes/a.txt"), tmp_path / "root", progress=False)
    with pytest.raises(UserError, match=r"No file .*b\.tar\.xz"):
        unpack(tmp_path / "b.tar.xz", tmp_path / "root")


def test_the_licence_is_named() -> None:
    for text in ("CC BY-NC-SA 4.0", "MVTec Software GmbH", "https://creativecommons.org/licenses/by-nc-sa/4.0/"):
        assert text in LICENCE_NOTE

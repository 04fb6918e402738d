# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files over SFTP connections that break, and what is built upon when they are taken up."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import types
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils import _reconnect
from ansible_collections.siteops.upgrades.plugins.module_utils._dump import DumpChangedError, Moved, Prefix, open_dump
from ansible_collections.siteops.upgrades.plugins.module_utils._errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._part_file import open_part
from ansible_collections.siteops.upgrades.plugins.module_utils._sftp_protocol import (
    Entry,
    SftpBrokenError,
    SftpError,
    SftpSession,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._sftp_transfer import NOTHING, SftpUpload, fetch
from ansible_collections.siteops.upgrades.tests.unit.fake_sftp import FakeChannel

if t.TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 2**20
CONTENT = random.Random(7).randbytes(9 * MEBIBYTE)
WRITES, EMPTIES = 2, 2 | 8 | 16


class FakeServer:
    """Stands for SftpServer; ``breaks`` are the bytes after which its connections break, one after the other."""

    def __init__(self, content: bytes = b"", *breaks: int | None, **channel: t.Any) -> None:
        self.access = types.SimpleNamespace(shared_file="f")
        self.files = {"f": bytearray(content)}
        self.breaks = list(breaks)
        self.channels: list[FakeChannel] = []
        self.options = channel

    @contextlib.contextmanager
    def session(self) -> t.Iterator[SftpSession]:
        break_after = self.breaks.pop(0) if self.breaks else None
        if break_after == 0:
            raise SftpBrokenError("refused")
        self.channels.append(FakeChannel(self.files, break_after=break_after, **self.options))
        yield SftpSession(self.channels[-1])

    @property
    def flags(self) -> list[int]:
        return [flags for channel in self.channels for _name, flags in channel.opened]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reconnect, "FIRST_PAUSE", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "dump"
    file.write_bytes(CONTENT)
    return file


def send(
    path: Path, server: FakeServer, kept: list[Prefix | None], earlier: Prefix | None = None, retries: int = 3
) -> Moved:
    with open_dump(str(path), "src") as dump:
        return SftpUpload(dump, t.cast(t.Any, server), "f", kept.append, retries).run(earlier)


def no_prefixes() -> list[Prefix | None]:
    return []


def prefix_of(size: int) -> Prefix:
    return Prefix(size, hashlib.sha256(CONTENT[:size]).hexdigest())


def test_what_is_there_is_emptied_first_and_that_is_kept(path: Path) -> None:
    server, kept = FakeServer(b"foreign" * 3_000_000), no_prefixes()
    moved = send(path, server, kept)
    assert server.files["f"] == CONTENT
    assert server.flags == [EMPTIES]
    assert kept[:2] == [None, NOTHING]
    assert all(prefix == prefix_of(prefix.size) for prefix in kept[1:] if prefix)
    assert (moved.size, moved.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert (moved.moved, moved.resumed_from, moved.breaks) == (len(CONTENT), 0, 0)


@pytest.mark.parametrize("shuffle", (False, True))
def test_breaks_are_taken_up(path: Path, shuffle: bool) -> None:
    server, kept = FakeServer(b"", 2 * MEBIBYTE, 0, 3 * MEBIBYTE, shuffle=shuffle), no_prefixes()
    moved = send(path, server, kept)
    assert server.files["f"] == CONTENT
    assert server.flags == [EMPTIES, WRITES, WRITES]
    assert moved.breaks == 3
    assert moved.moved <= len(CONTENT) + 2 * 255 * 1024


def test_breaks_without_progress_end_it(path: Path) -> None:
    server, kept = FakeServer(b"", 2 * MEBIBYTE, 0, 0, 0, 0), no_prefixes()
    with pytest.raises(SftpBrokenError):
        send(path, server, kept, retries=3)
    assert server.breaks == [0]
    assert kept[-1] and kept[-1].size >= 2 * MEBIBYTE
    assert kept[-1] == prefix_of(kept[-1].size)


def test_what_an_earlier_run_proved_is_built_upon(path: Path) -> None:
    server, kept = FakeServer(CONTENT[: 5 * MEBIBYTE]), no_prefixes()
    moved = send(path, server, kept, prefix_of(4 * MEBIBYTE))
    assert server.files["f"] == CONTENT
    assert server.flags == [WRITES]
    assert (moved.resumed_from, moved.moved) == (4 * MEBIBYTE, 5 * MEBIBYTE)
    assert moved.sha256 == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("there", "earlier"),
    (
        (CONTENT[:MEBIBYTE], prefix_of(4 * MEBIBYTE)),
        (CONTENT[: 4 * MEBIBYTE], Prefix(4 * MEBIBYTE, "0" * 64)),
        (CONTENT, Prefix(len(CONTENT) + 1, "0" * 64)),
    ),
    ids=("less is there than was proven", "another content", "more than the whole"),
)
def test_what_is_not_proven_is_not(path: Path, there: bytes, earlier: Prefix) -> None:
    server, kept = FakeServer(there), no_prefixes()
    assert send(path, server, kept, earlier).resumed_from == 0
    assert server.flags == [EMPTIES]
    assert server.files["f"] == CONTENT


def test_everything_was_sent_and_only_the_end_is_missing(path: Path) -> None:
    server, kept = FakeServer(CONTENT), no_prefixes()
    assert send(path, server, kept, prefix_of(len(CONTENT))).moved == 0
    assert server.files["f"] == CONTENT


def test_a_dump_that_changes_leaves_no_trust(path: Path) -> None:
    server, kept = FakeServer(), no_prefixes()

    def change_at_the_first_checkpoint(prefix: Prefix | None) -> None:
        kept.append(prefix)
        if prefix and prefix.size:
            os.utime(path, (1, 1))

    with open_dump(str(path), "src") as dump, pytest.raises(DumpChangedError):
        SftpUpload(dump, t.cast(t.Any, server), "f", change_at_the_first_checkpoint, 3).run(None)
    assert kept[-1] is None
    assert len(server.files["f"]) < len(CONTENT)


def test_a_full_server_says_so_and_the_rest_stays(path: Path) -> None:
    server, kept = FakeServer(status_of_write=4), no_prefixes()
    with pytest.raises(SftpError, match="No space left"):
        send(path, server, kept)
    assert kept[-1] == NOTHING
    assert len(server.channels) == 1


def test_another_name_after_a_break(path: Path) -> None:
    server = FakeServer(b"", 2 * MEBIBYTE)

    def rename(_prefix: Prefix | None) -> None:
        server.access.shared_file = "g"

    with open_dump(str(path), "src") as dump, pytest.raises(SftpError, match="another file"):
        SftpUpload(dump, t.cast(t.Any, server), "f", rename, 3).run(None)


class Download:
    """One fetch into a part, and what it kept."""

    def __init__(self, dest: Path) -> None:
        self.dest = dest
        self.kept: list[tuple[str, int, Prefix]] = []

    def run(self, server: FakeServer, earlier: Prefix | None = None, retries: int = 3) -> Moved:
        with open_part(str(self.dest)) as part:

            def keep(entity: str, size: int) -> None:
                self.kept.append((entity, size, part.prefix))

            def choose(entries: list[Entry]) -> Entry:
                return entries[0]

            return fetch(part, t.cast(t.Any, server), choose, lambda _entity, _size: earlier, keep, retries)

    @property
    def content(self) -> bytes:
        return self.dest.with_name("dump.part").read_bytes()


@pytest.fixture
def download(tmp_path: Path) -> Download:
    return Download(tmp_path / "dump")


def test_a_file_comes_down_over_breaks(download: Download) -> None:
    server = FakeServer(CONTENT, 3 * MEBIBYTE, 0, 3 * MEBIBYTE)
    moved = download.run(server)
    assert download.content == CONTENT
    assert moved.breaks == 3
    assert (moved.moved, moved.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert all(kept == ("sftp 1 f", len(CONTENT), prefix_of(kept[2].size)) for kept in download.kept)


class ChangingServer(FakeServer):
    """Serves CONTENT from the second connection on."""

    def session(self) -> contextlib._GeneratorContextManager[SftpSession]:
        if self.channels:
            self.files["f"][:] = CONTENT
            self.options["mtime"] = 2
        return super().session()


def test_a_file_that_changes_between_two_connections_starts_anew(download: Download) -> None:
    moved = download.run(ChangingServer(b"old" * 2 * MEBIBYTE, 3 * MEBIBYTE))
    assert moved.breaks == 1
    assert moved.moved > len(CONTENT)
    assert download.content == CONTENT


def test_an_earlier_part_is_taken_up_if_it_is_proven(download: Download) -> None:
    with pytest.raises(SftpBrokenError):
        download.run(FakeServer(CONTENT, 6 * MEBIBYTE), retries=0)
    prefix = download.kept[-1][2]
    assert 0 < prefix.size == len(download.content)
    moved = download.run(FakeServer(CONTENT), prefix)
    assert (moved.resumed_from, moved.moved) == (prefix.size, len(CONTENT) - prefix.size)
    assert download.content == CONTENT
    assert download.run(FakeServer(CONTENT), Prefix(5, "0" * 64)).resumed_from == 0
    assert download.content == CONTENT


def test_no_room_is_seen_before_the_first_byte(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fstatvfs", lambda descriptor: types.SimpleNamespace(f_bavail=1, f_frsize=1))
    server = FakeServer(CONTENT)
    with pytest.raises(UpgradeError, match="not enough room"):
        download.run(server)
    assert server.flags == []
    assert download.content == b""

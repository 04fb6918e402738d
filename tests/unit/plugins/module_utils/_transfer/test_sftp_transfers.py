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

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.progress import Progress
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer import (
    resume,
    sftp_connections,
    sftp_download,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump import (
    DumpChangedError,
    TransferStats,
    open_dump,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.part_file import open_part
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ranges import Held, Prefix, Segment
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp_download import SftpDownload
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp_protocol import (
    Entry,
    SftpBrokenError,
    SftpError,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp_session import SftpSession
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp_upload import NOTHING_SENT, SftpUpload
from ansible_collections.siteops.upgrades.tests.unit.fake_sftp import FakeChannel

if t.TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 2**20
CONTENT = random.Random(7).randbytes(9 * MEBIBYTE)
WRITES, EMPTIES = 2, 2 | 8 | 16


class FakeServer:
    """Stands for SftpServer; ``breaks`` are the bytes after which its connections break, one after the other."""

    def __init__(self, content: bytes = b"", *breaks: int | None, **channel: t.Any) -> None:
        self.wanted: set[int] = set()
        self.access = types.SimpleNamespace(shared_file="f")
        self.files = {"f": bytearray(content)}
        self.breaks = list(breaks)
        self.channels: list[FakeChannel] = []
        self.options = channel

    def another(self, sessions: int) -> t.ContextManager[SftpSession]:
        return self.session(sessions)

    @contextlib.contextmanager
    def session(self, sessions: int = 1) -> t.Iterator[SftpSession]:
        self.wanted.add(sessions)
        break_after = self.breaks.pop(0) if self.breaks else None
        if break_after == 0:
            raise SftpBrokenError("refused")
        channel = FakeChannel(self.files, break_after=break_after, **self.options)
        self.channels.append(channel)
        yield SftpSession(channel)

    @property
    def flags(self) -> list[int]:
        return [flags for channel in self.channels for _name, flags in channel.opened]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(sftp_connections, "WORTH_A_LOGIN", MEBIBYTE)
    monkeypatch.setattr(sftp_connections, "NEAR_SECONDS", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "dump"
    file.write_bytes(CONTENT)
    return file


Keep = t.Callable[[t.Optional[Held]], None]


def send(
    path: Path,
    server: FakeServer,
    keep: Keep,
    earlier: Held | None = None,
    retries: int = 3,
    connections: int = 1,
) -> TransferStats:
    with open_dump(str(path), "src") as dump:
        upload = SftpUpload(
            dump,
            t.cast(t.Any, server),
            "f",
            keep,
            retries=retries,
            connections=connections,
            progress=Progress(None),
        )
        return upload.run(earlier)


def nothing_held() -> list[Held | None]:
    return []


def prefix_of(size: int) -> Held:
    return Held(Prefix(size, hashlib.sha256(CONTENT[:size]).hexdigest()))


def is_true(held: Held) -> bool:
    """Whether what is kept is proven by the content."""
    return held.prefix == prefix_of(held.prefix.size).prefix


def test_what_is_there_is_emptied_first_and_that_is_kept(path: Path) -> None:
    server, kept = FakeServer(b"foreign" * 3_000_000), nothing_held()
    moved = send(path, server, kept.append)
    assert server.files["f"] == CONTENT
    assert server.flags == [EMPTIES]
    assert kept[:2] == [None, NOTHING_SENT]
    assert all(is_true(held) for held in kept if held)
    assert (moved.size, moved.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert (moved.moved, moved.resumed_from, moved.breaks) == (len(CONTENT), 0, 0)


@pytest.mark.parametrize("shuffle", (False, True))
def test_breaks_are_resumed(path: Path, shuffle: bool) -> None:
    server, kept = FakeServer(b"", 2 * MEBIBYTE, 0, 3 * MEBIBYTE, shuffle=shuffle), nothing_held()
    moved = send(path, server, kept.append)
    assert server.files["f"] == CONTENT
    assert server.flags == [EMPTIES, WRITES, WRITES]
    assert moved.breaks == 3
    assert moved.moved <= len(CONTENT) + 2 * 255 * 1024


def test_breaks_without_progress_end_it(path: Path) -> None:
    server, kept = FakeServer(b"", 2 * MEBIBYTE, 0, 0, 0, 0), nothing_held()
    with pytest.raises(SftpBrokenError):
        send(path, server, kept.append, retries=3)
    assert server.breaks == [0]
    assert kept[-1] and is_true(kept[-1])
    assert sum(part.end - part.start for part in kept[-1].beyond) + kept[-1].prefix.size >= 2 * MEBIBYTE


def test_what_an_earlier_run_proved_is_built_upon(path: Path) -> None:
    server, kept = FakeServer(CONTENT[: 5 * MEBIBYTE]), nothing_held()
    moved = send(path, server, kept.append, prefix_of(4 * MEBIBYTE))
    assert server.files["f"] == CONTENT
    assert server.flags == [WRITES]
    assert (moved.resumed_from, moved.moved) == (4 * MEBIBYTE, 5 * MEBIBYTE)
    assert moved.sha256 == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("there", "earlier"),
    (
        (CONTENT[:MEBIBYTE], prefix_of(4 * MEBIBYTE)),
        (CONTENT[: 4 * MEBIBYTE], Held(Prefix(4 * MEBIBYTE, "0" * 64))),
        (CONTENT, Held(Prefix(len(CONTENT) + 1, "0" * 64))),
    ),
    ids=("less is there than was proven", "another content", "more than the whole"),
)
def test_what_is_not_proven_is_not(path: Path, there: bytes, earlier: Held) -> None:
    server, kept = FakeServer(there), nothing_held()
    assert send(path, server, kept.append, earlier).resumed_from == 0
    assert server.flags == [EMPTIES]
    assert server.files["f"] == CONTENT


def test_everything_was_sent_and_only_the_end_is_missing(path: Path) -> None:
    server, kept = FakeServer(CONTENT), nothing_held()
    assert send(path, server, kept.append, prefix_of(len(CONTENT))).moved == 0
    assert server.files["f"] == CONTENT


def test_a_dump_that_changes_leaves_no_trust(path: Path) -> None:
    server, kept = FakeServer(), nothing_held()

    def change_when_it_begins(held: Held | None) -> None:
        kept.append(held)
        if held == NOTHING_SENT:
            os.utime(path, (1, 1))

    with pytest.raises(DumpChangedError):
        send(path, server, change_when_it_begins)
    assert kept[-1] is None
    assert len(server.files["f"]) < len(CONTENT)


def test_a_full_server_says_so_and_the_rest_stays(path: Path) -> None:
    server, kept = FakeServer(status_of_write=4), nothing_held()
    with pytest.raises(SftpError, match="No space left"):
        send(path, server, kept.append)
    assert kept[-1] == NOTHING_SENT
    assert len(server.channels) == 1


def test_another_name_after_a_break(path: Path) -> None:
    server = FakeServer(b"", 2 * MEBIBYTE)

    def rename(_held: Held | None) -> None:
        server.access.shared_file = "g"

    with pytest.raises(SftpError, match="another file"):
        send(path, server, rename)


@pytest.mark.parametrize("connections", (2, 4, 8))
@pytest.mark.parametrize("shuffle", (False, True))
def test_several_connections_send_one_file_once(path: Path, connections: int, shuffle: bool) -> None:
    server, kept = FakeServer(b"", shuffle=shuffle), nothing_held()
    moved = send(path, server, kept.append, connections=connections)
    assert server.files["f"] == CONTENT
    assert server.wanted == {connections}
    assert sorted(server.flags, reverse=True)[0] == EMPTIES
    assert server.flags.count(EMPTIES) == 1
    assert (moved.moved, moved.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert 1 <= moved.connections <= connections
    assert all(is_true(held) for held in kept if held)


@pytest.mark.parametrize("breaks", ((None, 0, 0, 0), (None, 300_000, 600_000, 0), (300_000, 300_000, 300_000, 300_000)))
def test_what_some_connections_do_not_finish_others_do(path: Path, breaks: tuple[int | None, ...]) -> None:
    server, kept = FakeServer(b"", *breaks), nothing_held()
    moved = send(path, server, kept.append, connections=4)
    assert server.files["f"] == CONTENT
    assert moved.moved <= len(CONTENT) + 16 * MEBIBYTE
    assert all(is_true(held) for held in kept if held)


def test_segments_of_an_earlier_run_are_not_sent_again(path: Path) -> None:
    there = bytearray(len(CONTENT) - 1)
    parts = ((0, 4 * MEBIBYTE), (5 * MEBIBYTE, 6 * MEBIBYTE), (8 * MEBIBYTE, len(CONTENT) - 1))
    for start, end in parts:
        there[start:end] = CONTENT[start:end]
    server, kept = FakeServer(bytes(there)), nothing_held()
    earlier = Held(prefix_of(4 * MEBIBYTE).prefix, tuple(Segment(start, end) for start, end in parts[1:]))
    moved = send(path, server, kept.append, earlier, connections=2)
    assert server.files["f"] == CONTENT
    held = sum(end - start for start, end in parts)
    assert (moved.resumed_from, moved.moved) == (held, len(CONTENT) - held)
    assert moved.sha256 == hashlib.sha256(CONTENT).hexdigest()


class LockingServer(FakeServer):
    """Lets one connection at a time write: the others open the file, and each of their blocks is refused."""

    @contextlib.contextmanager
    def another(self, sessions: int) -> t.Iterator[SftpSession]:
        channel = FakeChannel(self.files, status_of_write=4)
        self.channels.append(channel)
        yield SftpSession(channel)


def test_a_server_that_lets_one_write_at_a_time(path: Path) -> None:
    server, kept = LockingServer(), nothing_held()
    moved = send(path, server, kept.append, connections=4)
    assert server.files["f"] == CONTENT
    assert moved.connections == 1
    assert all(is_true(held) for held in kept if held)


class Download:
    """One fetch into a part, and what it kept."""

    def __init__(self, dest: Path) -> None:
        self.dest = dest
        self.kept: list[tuple[str, int, Held]] = []

    def run(
        self,
        server: FakeServer,
        earlier: Held | None = None,
        retries: int = 3,
        connections: int = 1,
        likely: tuple[str, ...] = (),
    ) -> TransferStats:
        def keep(entity: str, size: int, held: Held) -> None:
            self.kept.append((entity, size, held))

        def choose(entries: list[Entry]) -> Entry:
            return entries[0]

        with open_part(str(self.dest)) as part:
            download = SftpDownload(
                part,
                t.cast(t.Any, server),
                choose,
                keep,
                retries=retries,
                connections=connections,
                progress=Progress(None),
                likely=likely,
            )
            moved = download.run(lambda _entity, _size: earlier)
            part.finish()
            return moved

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
    assert all(kept[:2] == ("sftp 1 f", len(CONTENT)) and is_true(kept[2]) for kept in download.kept)


@pytest.mark.parametrize("connections", (2, 4, 8))
@pytest.mark.parametrize("breaks", ((), (None, 0, 0, 0), (None, 300_000, 600_000, 0), (300_000,) * 4))
def test_several_connections_fetch_one_file_once(
    download: Download, monkeypatch: pytest.MonkeyPatch, connections: int, breaks: tuple[int | None, ...]
) -> None:
    monkeypatch.setattr(sftp_download, "PIECE", MEBIBYTE)
    server = FakeServer(CONTENT, *breaks)
    moved = download.run(server, connections=connections)
    assert download.content == CONTENT
    assert server.wanted == {connections}
    assert (moved.moved, moved.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert 1 <= moved.connections <= connections


def test_a_near_server_is_asked_over_few_connections(
    download: Download, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sftp_connections, "NEAR_SECONDS", 60.0)
    server = FakeServer()
    assert send(path, server, nothing_held().append, connections=4).connections <= 2
    assert len(server.channels) <= 2
    server = FakeServer(CONTENT)
    assert download.run(server, connections=4).connections == 1
    assert len(server.channels) == 1


def test_a_server_that_gives_no_list_is_asked_for_the_likely_names(download: Download) -> None:
    server = FakeServer(CONTENT, lists=False)
    with pytest.raises(SftpError, match="does not list its files: not here"):
        download.run(server, likely=("upgraded_f",))
    download.run(server, likely=("upgraded_f", "f"))
    assert download.content == CONTENT


def test_what_lies_behind_a_gap_is_resumed(download: Download) -> None:
    parts = ((0, 2 * MEBIBYTE), (3 * MEBIBYTE, 5 * MEBIBYTE))
    content = bytearray(5 * MEBIBYTE)
    for start, end in parts:
        content[start:end] = CONTENT[start:end]
    download.dest.with_name("dump.part").write_bytes(content)
    beyond = Segment(*parts[1], hashlib.sha256(CONTENT[parts[1][0] : parts[1][1]]).hexdigest())
    moved = download.run(FakeServer(CONTENT), Held(prefix_of(2 * MEBIBYTE).prefix, (beyond,)))
    assert download.content == CONTENT
    assert (moved.resumed_from, moved.moved) == (4 * MEBIBYTE, 5 * MEBIBYTE)
    assert moved.sha256 == hashlib.sha256(CONTENT).hexdigest()


class ChangingServer(FakeServer):
    """Serves CONTENT from the second connection on."""

    def session(self, sessions: int = 1) -> t.ContextManager[SftpSession]:  # type: ignore[override]
        if self.channels:
            self.files["f"][:] = CONTENT
            self.options["mtime"] = 2
        return super().session(sessions)


def test_a_file_that_changes_between_two_connections_starts_anew(download: Download) -> None:
    moved = download.run(ChangingServer(b"old" * 2 * MEBIBYTE, 3 * MEBIBYTE))
    assert moved.breaks == 1
    assert moved.moved > len(CONTENT)
    assert download.content == CONTENT


def test_an_earlier_part_is_resumed_if_it_is_proven(download: Download) -> None:
    with pytest.raises(SftpBrokenError):
        download.run(FakeServer(CONTENT, 6 * MEBIBYTE), retries=0)
    held = download.kept[-1][2]
    assert 0 < held.prefix.size == len(download.content)
    moved = download.run(FakeServer(CONTENT), held)
    assert (moved.resumed_from, moved.moved) == (held.prefix.size, len(CONTENT) - held.prefix.size)
    assert download.content == CONTENT
    assert download.run(FakeServer(CONTENT), Held(Prefix(5, "0" * 64))).resumed_from == 0
    assert download.content == CONTENT


def test_no_room_is_seen_before_the_first_byte(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda folder: types.SimpleNamespace(f_bavail=1, f_frsize=1))
    server = FakeServer(CONTENT)
    with pytest.raises(UpgradeError, match="not enough room"):
        download.run(server)
    assert server.flags == []
    assert download.content == b""

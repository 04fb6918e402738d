# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is believed of a file that is half here."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import stat
import types
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.part_file import open_part
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ranges import Held, Prefix, Segment

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "shop.dump"


def part_of(dest: Path) -> Path:
    return dest.with_name(dest.name + ".part")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def prefix_of(content: bytes) -> Prefix:
    return Prefix(len(content), sha256(content))


def test_a_file_gets_its_name_and_permissions_at_the_end(dest: Path) -> None:
    before = os.umask(0)
    try:
        with open_part(str(dest), 0o640) as part:
            assert stat.S_IMODE(part_of(dest).stat().st_mode) == 0o600
            part.write(b"one")
            part.write(b"two")
            assert part.prefix == prefix_of(b"onetwo")
            part.finish()
            mark = part.mark
            part.promote()
    finally:
        os.umask(before)
    assert dest.read_bytes() == b"onetwo"
    assert stat.S_IMODE(dest.stat().st_mode) == 0o640
    assert (mark.size, mark.inode, mark.mtime_ns) == (6, dest.stat().st_ino, dest.stat().st_mtime_ns)
    assert not part_of(dest).exists()


def test_a_proven_beginning_is_resumed(dest: Path) -> None:
    part_of(dest).write_bytes(b"proven, and more that is not")
    with open_part(str(dest)) as part:
        assert part.resume(Held(prefix_of(b"proven")))
        part.write(b"!")
        part.finish()
        assert part.sha256 == hashlib.sha256(b"proven!").hexdigest()
    assert part_of(dest).read_bytes() == b"proven!"


@pytest.mark.parametrize("content", (b"", b"prov", b"Proven"))
def test_any_other_beginning_is_not(dest: Path, content: bytes) -> None:
    part_of(dest).write_bytes(content)
    with open_part(str(dest)) as part:
        assert not part.resume(Held(prefix_of(b"proven")))
        part.restart()
        part.write(b"anew")
        part.finish()
    assert part_of(dest).read_bytes() == b"anew"


def test_two_runs_at_once(dest: Path) -> None:
    with (
        open_part(str(dest)),
        pytest.raises(UpgradeError, match="Another run"),
        open_part(str(dest)),
    ):
        pass


def test_parts_that_are_not_ours(dest: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("precious")
    part = part_of(dest)
    for make in (
        lambda: part.symlink_to(tmp_path / "other"),
        lambda: os.link(tmp_path / "other", part),
        lambda: os.mkfifo(part),
        part.mkdir,
    ):
        make()
        with pytest.raises(UpgradeError), open_part(str(dest)):
            pass
        part.rmdir() if part.is_dir() else part.unlink()
    assert (tmp_path / "other").read_text() == "precious"


def test_room_is_checked(dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = types.SimpleNamespace(f_bavail=10, f_frsize=100)
    with open_part(str(dest)) as part:
        part.write(b"x" * 500)
        monkeypatch.setattr(os, "statvfs", lambda folder: system)
        part.require_space(1500)
        with pytest.raises(UpgradeError, match="not enough room") as caught:
            part.require_space(1501)
    assert caught.value.result == {"needed": 1001, "free": 1000}


def test_a_full_disk_keeps_what_is_there(dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite

    def full(descriptor: int, data: t.Any, place: int) -> int:
        if place >= 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[:3], place)

    with open_part(str(dest)) as part:
        part.write(b"12345")
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(UpgradeError, match=r"first 5 bytes.*No space left.*run again"):
            part.write(b"67890")
        monkeypatch.undo()
        part.finish()
        assert part.prefix == prefix_of(b"12345")
    assert part_of(dest).read_bytes() == b"12345"


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UpgradeError, match="cannot be made"), open_part(str(tmp_path / "missing/shop.dump")):
        pass


def test_blocks_may_come_in_any_order(dest: Path) -> None:
    with open_part(str(dest)) as part:
        part.write(b"two", 3)
        part.write(b"four", 10)
        assert part.prefix == prefix_of(b"")
        part.write(b"one", 0)
        assert part.prefix == prefix_of(b"onetwo")
        held = part.held()
        assert held == Held(prefix_of(b"onetwo"), (Segment(10, 14, sha256(b"four")),))
        assert (part.total, part.missing(0, 20)) == (10, (6, 10))
        part.sync()
    with open_part(str(dest)) as part:
        assert part.resume(held)
        assert part.missing(0, 14) == (6, 10)
        part.write(b"tres", 6)
        assert part.prefix == prefix_of(b"onetwotresfour")


def test_what_lies_behind_a_gap_is_proven_too(dest: Path) -> None:
    part_of(dest).write_bytes(b"proven....tampered")
    with open_part(str(dest)) as part:
        assert part.resume(Held(prefix_of(b"proven"), (Segment(10, 18, sha256(b"original")),)))
        assert part.missing(0, 18) == (6, 18)


def test_many_threads_write_one_file(dest: Path) -> None:
    content = os.urandom(2_000_000)
    places = list(range(0, len(content), 1000))
    random.Random(1).shuffle(places)
    with open_part(str(dest)) as part, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda place: part.write(content[place : place + 1000], place), places))
        part.hash_rest()
        assert part.prefix == prefix_of(content)


def test_a_thread_that_is_left_behind_writes_into_no_other_file(dest: Path, tmp_path: Path) -> None:
    with open_part(str(dest)) as part:
        part.write(b"whole")
    with (tmp_path / "other").open("w+b") as other:
        with pytest.raises(UpgradeError):
            part.write(b"late", 0)
        assert other.read() == b""

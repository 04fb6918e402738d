# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock that one process at a time has, and writes that take effect in one step."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core import files
from ansible_collections.siteops.upgrades.plugins.module_utils._core.files import (
    BusyError,
    locked_file,
    rename_durably,
    write_atomically,
    write_into_room,
)

if t.TYPE_CHECKING:
    from pathlib import Path

LONG = 60.0


@pytest.fixture(autouse=True)
def looks_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOOK_AGAIN_AFTER", 0.01)


def test_a_new_file_is_private_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked_file(str(path), 0, "busy") as file:
        file.write("kept")
    assert (path.read_text(encoding="utf-8"), stat.S_IMODE(path.stat().st_mode)) == ("kept", 0o600)


def test_a_second_process_is_refused_with_the_given_words(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    refused = pytest.raises(BusyError, match="^another run has it$")
    with locked_file(path, 0, ""), refused, locked_file(path, 0.05, "another run has it"):
        raise AssertionError("two had the lock")
    with locked_file(path, 0, ""):
        pass


def test_a_second_process_waits_for_the_first(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    locked = threading.Event()

    def wait_for_it() -> None:
        with locked_file(path, LONG, "busy"):
            locked.set()

    thread = threading.Thread(target=wait_for_it)
    with locked_file(path, 0, ""):
        thread.start()
        assert not locked.wait(0.1)
    thread.join(LONG)
    assert locked.is_set()


def test_who_waits_for_a_file_that_is_unlinked_locks_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    same: list[bool] = []

    def wait_for_it() -> None:
        with locked_file(str(path), LONG, "busy") as file:
            same.append(os.path.samestat(os.stat(path), os.fstat(file.fileno())))

    thread = threading.Thread(target=wait_for_it)
    with locked_file(str(path), 0, ""):
        thread.start()
        path.unlink()
    thread.join(LONG)
    assert same == [True]


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    program = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
        "print('locked', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(BusyError), locked_file(path, 0, "busy"):
            raise AssertionError("two had the lock")
    finally:
        holder.kill()
        holder.communicate()
    with locked_file(path, LONG, "busy"):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious", encoding="utf-8")
    (tmp_path / "lock").symlink_to(target)
    with pytest.raises(OSError, match="lock"), locked_file(str(tmp_path / "lock"), 0, "busy"):
        raise AssertionError("followed")


# --- one step ---


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "record.json"


def leave_nothing_but(folder: Path, *names: str) -> None:
    assert sorted(os.listdir(folder)) == sorted(names)


def test_a_file_is_written_with_its_mode_whatever_the_umask_is(path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(str(path), "Zürich", mode=0o644)
    finally:
        os.umask(before)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == ("Zürich".encode(), 0o644)
    leave_nothing_but(path.parent, "record.json")


def test_a_file_is_private_by_default_and_so_is_what_it_is_written_to(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    monkeypatch.setattr(files.os, "replace", lambda new, _path: modes.append(stat.S_IMODE(os.stat(new).st_mode)))
    write_atomically(str(path), b"secret")
    assert modes == [0o600]


def test_an_existing_file_is_replaced_with_its_mode(path: Path) -> None:
    path.write_text("a longer text", encoding="utf-8")
    path.chmod(0o666)
    write_atomically(str(path), b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)


def test_an_existing_file_can_be_kept(path: Path) -> None:
    write_atomically(str(path), b"first", overwrite=False)
    with pytest.raises(FileExistsError):
        write_atomically(str(path), b"second", overwrite=False)
    assert path.read_bytes() == b"first"
    leave_nothing_but(path.parent, "record.json")


def test_a_link_at_the_path_is_replaced_and_one_at_the_temporary_path_too(path: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    path.symlink_to(precious)
    (tmp_path / "record.json.new").symlink_to(precious)
    write_atomically(str(path), b"new")
    assert (path.is_symlink(), path.read_bytes(), precious.read_bytes()) == (False, b"new", b"precious")


def test_what_a_killed_process_left_is_replaced(path: Path, tmp_path: Path) -> None:
    (tmp_path / "record.json.new").write_bytes(b"half of a recor")
    write_atomically(str(path), b"whole")
    leave_nothing_but(tmp_path, "record.json")


def test_another_temporary_name_can_be_given(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(files.os, "replace", lambda new, _path: seen.append(new))
    write_atomically(str(path), b"", temporary=str(tmp_path / ".record.1a2b.new"))
    assert seen == [str(tmp_path / ".record.1a2b.new")]


@pytest.mark.parametrize("call", ["fsync", "replace", "fchmod"])
def test_a_disk_that_fails_leaves_the_old_content_and_no_other_file(
    path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: t.Any) -> t.NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path.write_bytes(b"old")
    monkeypatch.setattr(files.os, call, full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(str(path), b"new")
    assert path.read_bytes() == b"old"
    leave_nothing_but(path.parent, "record.json")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a device that is always full")
def test_a_full_disk_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open
    monkeypatch.setattr(files.os, "open", lambda _name, flags, *_mode: real("/dev/full", flags & ~os.O_EXCL))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(str(path), b"new" * 10_000)
    assert not path.exists()


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(str(tmp_path / "missing" / "file"), b"")


def test_file_and_folder_are_on_disk_unless_that_does_not_matter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    monkeypatch.setattr(files.os, "fsync", fsync)
    write_atomically(str(path), b"x", sync=False)
    assert synced == []
    write_atomically(str(path), b"x")
    assert synced == ["file", "folder"]


def test_a_relative_path_is_written_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_atomically("record.json", b"x")
    assert (tmp_path / "record.json").read_bytes() == b"x"


def test_room_takes_a_longer_record_without_another_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomically(str(path), "{}", room=10)
    assert path.read_bytes() == b"{}" + b" " * 10
    inode = path.stat().st_ino
    assert write_into_room(str(path), '{"id": 1}')
    assert (path.read_bytes(), path.stat().st_ino) == (b'{"id": 1}   ', inode)
    assert not write_into_room(str(path), b"x" * 13)
    assert path.read_bytes() == b'{"id": 1}   '


def test_there_is_no_room_in_a_file_that_is_missing_or_a_link(path: Path, tmp_path: Path) -> None:
    assert not write_into_room(str(path), b"x")
    (tmp_path / "precious").write_bytes(b"precious")
    path.symlink_to(tmp_path / "precious")
    assert not write_into_room(str(path), b"x")
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_rename_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"new")
    (tmp_path / "dest").write_bytes(b"old")
    rename_durably(str(tmp_path / "part"), str(tmp_path / "dest"))
    assert (tmp_path / "dest").read_bytes() == b"new"
    leave_nothing_but(tmp_path, "dest")

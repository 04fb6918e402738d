# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that must not be half written or used by two at once: a lock, and a write that takes effect in one step.

The lock is the kernel's: it ends with the process that had it, however that process ended.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t

from .errors import UpgradeError

LOOK_AGAIN_AFTER = 0.2


class BusyError(UpgradeError):
    """Another process had the file locked until the wait was over."""


@contextlib.contextmanager
def locked_file(path: str, seconds: float, busy: str) -> t.Iterator[t.IO[str]]:
    """Open a file of mode 0600, create it if it is missing, and lock it for the body.

    The body may unlink the file: whoever waits for the lock notices and creates a new file.

    :param seconds: how long to wait for another process.
    :param busy: the message of the failure after that time.
    :raises BusyError: another process still has it locked.
    :raises OSError: the file cannot be opened or created.
    """
    give_up = time.monotonic() + seconds
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
            if _lock(file) and is_still_at(path, file):
                yield file
                return
        if time.monotonic() >= give_up:
            raise BusyError(busy)
        time.sleep(LOOK_AGAIN_AFTER)


def is_locked(path: str) -> bool:
    """Whether a process has the file of :func:`locked_file` locked; a missing file is not created.

    :raises OSError: the file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    with os.fdopen(descriptor, encoding="utf-8") as file:
        return not _lock(file, fcntl.LOCK_SH)


def _lock(file: t.IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_still_at(path: str, file: t.IO[str]) -> bool:
    """Whether the path still names this file; another process may have unlinked it since."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def write_atomically(
    path: str,
    content: bytes | str,
    *,
    mode: int = 0o600,
    overwrite: bool = True,
    room: int = 0,
    temporary: str = "",
    sync: bool = True,
) -> None:
    """Write a whole file in one step: whoever reads the path finds the old content or the new, whenever this is killed.

    The content goes to a temporary file in the same folder, which then takes the name. A symbolic link at the path is
    replaced, not followed. What a killed process left under the temporary name is replaced.

    :param content: text is written as UTF-8.
    :param mode: the permissions of the file, whatever the umask is.
    :param overwrite: whether an existing file may be replaced.
    :param room: bytes of white space to add, for a later :func:`write_into_room`.
    :param temporary: the path of the temporary file, in the same folder; ``<path>.new`` if not given. Processes that
        write files of one name at the same time need a temporary name each.
    :param sync: whether file and folder are on disk when this returns.
    :raises FileExistsError: the path exists and ``overwrite`` is false.
    :raises OSError: the file cannot be written, for example because the disk is full. The path is as it was, and the
        temporary file is removed.
    """
    temporary = temporary or f"{path}.new"
    remove_if_exists(temporary)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content.encode() if isinstance(content, str) else content)
            file.write(b" " * room)
            file.flush()
            if sync:
                os.fsync(descriptor)
        if overwrite:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
    finally:
        remove_if_exists(temporary)
    if sync:
        sync_folder_of(path)


def write_into_room(path: str, content: bytes | str) -> bool:
    """Write into the room that a file has, without another file; the rest of its room becomes white space.

    For what must not be lost when the disk is full. A power failure during the write can damage the file.

    :return: whether all of the content is on disk; false also where the room is too small.
    """
    content = content.encode() if isinstance(content, str) else content
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            room = os.fstat(descriptor).st_size
            if len(content) > room:
                return False
            written = file.write(content.ljust(room))
            os.fsync(descriptor)
            return written == room
    except OSError:
        return False


def rename_durably(path: str, dest: str) -> None:
    """Rename a file or folder, replacing a file, and have the new name on disk when this returns.

    :raises OSError: it cannot be renamed.
    """
    os.replace(path, dest)
    sync_folder_of(dest)


def remove_if_exists(path: str) -> None:
    """Unlink a file or link, if there is one.

    :raises OSError: it cannot be unlinked, for example because it is a folder.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def sync_folder_of(path: str) -> None:
    """Have the folder of a path on disk: the names in it, and the names that were removed from it.

    :raises OSError: the disk fails.
    """
    descriptor = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that is being fetched: written as ``.part`` beside its destination, trusted as far as that is proven.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import typing as t

from ._dump import HEAD, FileMark, Prefix, format_of, hash_of
from ._errors import UpgradeError

SUFFIX = ".part"


class PartFile:
    """The ``.part`` of a destination; see :func:`open_part`. ``offset`` bytes are in it, hashed."""

    def __init__(self, dest: str, descriptor: int) -> None:
        self.dest = dest
        self.path = dest + SUFFIX
        self.offset = 0
        self._descriptor = descriptor
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The hash of all that is in it."""
        return self._digest.hexdigest()

    @property
    def prefix(self) -> Prefix:
        """All that is in it, so that it can be proven later."""
        return Prefix(self.offset, self.sha256)

    @property
    def mark(self) -> FileMark:
        """By what it is known again, also under its final name."""
        return FileMark.of_status(os.fstat(self._descriptor))

    @property
    def format(self) -> str:
        """What it seems to be, by its first bytes."""
        return format_of(os.pread(self._descriptor, HEAD, 0))

    def take_up(self, prefix: Prefix) -> bool:
        """Keep what an earlier run fetched, if the file still begins with it; everything behind that is cut off."""
        if self.mark.size < prefix.size:
            return False
        with open(self._descriptor, "rb", closefd=False) as file:
            file.seek(0)
            digest = hash_of(file, prefix.size)
        if digest.hexdigest() != prefix.sha256:
            return False
        os.ftruncate(self._descriptor, prefix.size)
        self.offset, self._digest = prefix.size, digest
        return True

    def restart(self) -> None:
        """Throw away what is in it."""
        os.ftruncate(self._descriptor, 0)
        self.offset, self._digest = 0, hashlib.sha256()

    def require_space(self, size: int) -> None:
        """Refuse to begin what cannot be finished.

        :param size: bytes of the whole file.
        :raises UpgradeError: the file system has less room than is still needed.
        """
        system = os.fstatvfs(self._descriptor)
        free = system.f_bavail * system.f_frsize
        needed = size - self.offset
        if free < needed:
            raise UpgradeError(
                f"There is not enough room for {self.dest}: {needed} bytes are still needed, and {free} are free in "
                f"{os.path.dirname(self.dest)}. Nothing was fetched now; make room or give another 'dest'.",
                needed=needed,
                free=free,
            )

    def write(self, block: bytes) -> None:
        """Append a block.

        :raises UpgradeError: the disk is full or fails; what is in the file so far stays good.
        """
        view = memoryview(block)
        try:
            place = self.offset
            while view:
                written = os.pwrite(self._descriptor, view, place)
                view, place = view[written:], place + written
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            hint = " Make room and run again: it goes on from there." if full else ""
            raise UpgradeError(
                f"{self.path} cannot be written behind its first {self.offset} bytes: {error.strerror}.{hint}"
            ) from error
        self._digest.update(block)
        self.offset += len(block)

    def sync(self, mode: int | None = None) -> None:
        """Have everything on disk, with its final permissions where they are given.

        :raises UpgradeError: the disk fails.
        """
        try:
            os.ftruncate(self._descriptor, self.offset)
            if mode is not None:
                os.fchmod(self._descriptor, mode)
            os.fsync(self._descriptor)
        except OSError as error:
            raise UpgradeError(f"{self.path} cannot be written: {error.strerror}.") from error

    def promote(self) -> None:
        """Give the file its name, in one step, and have that on disk.

        :raises UpgradeError: that is not possible.
        """
        give_name(self.path, self.dest)

    def discard(self) -> None:
        """Remove the file."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


@contextlib.contextmanager
def open_part(dest: str) -> t.Iterator[PartFile]:
    """The ``.part`` beside a destination, made where it is missing, of mode 0600 and held until the body ends.

    What is in it counts for nothing until :meth:`PartFile.take_up`.

    :raises UpgradeError: it cannot be made, is not ours, or another run is at it.
    """
    path = dest + SUFFIX
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise UpgradeError(f"{path} cannot be made: {reason}.") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink > 1:
            raise UpgradeError(f"{path} was not made by this user's earlier run; move it away.")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UpgradeError(f"Another run is fetching into {path}.") from error
        os.fchmod(descriptor, 0o600)
        yield PartFile(dest, descriptor)
    finally:
        os.close(descriptor)


def give_name(path: str, dest: str) -> None:
    """Rename a file, replacing another one, and have that on disk.

    :raises UpgradeError: that is not possible.
    """
    try:
        os.rename(path, dest)
        folder = os.open(os.path.dirname(dest), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise UpgradeError(f"{path} cannot be renamed to {dest}: {error.strerror}.") from error

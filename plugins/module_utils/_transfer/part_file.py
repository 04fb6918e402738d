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
import threading
import typing as t

from .._core.errors import UpgradeError
from .._core.files import remove_if_exists, rename_durably
from .dump import MEBIBYTE, FileMark, hash_of
from .dump_forms import HEAD, kind_of
from .ranges import Held, Prefix, Range, Ranges, Segment
from .room import require_room

SUFFIX = ".part"
CLOSED = -1


class PartFile:
    """The ``.part`` of a destination; see :func:`open_part`.

    Blocks may be written anywhere, by several threads. ``offset`` bytes are in it without a gap, hashed as they came;
    ``written`` counts all that were ever written, also those that were thrown away.
    """

    def __init__(self, dest: str, descriptor: int, mode: int = 0o600) -> None:
        self.dest = dest
        self._mode = mode
        self.path = dest + SUFFIX
        self.offset = 0
        self.written = 0
        self._descriptor = descriptor
        self._digest = hashlib.sha256()
        self._there = Ranges()
        self._lock = threading.Lock()
        self._hashing = threading.Lock()

    @property
    def sha256(self) -> str:
        """The hash of all that is in it without a gap."""
        return self._digest.hexdigest()

    @property
    def prefix(self) -> Prefix:
        """What is in it without a gap, so that it can be proven later."""
        with self._hashing:
            return Prefix(self.offset, self.sha256)

    def held(self) -> Held:
        """All that is in it, so that it can be proven later. What lies behind a gap is read for it."""
        prefix = self.prefix
        with self._lock:
            behind = [(max(start, prefix.size), end) for start, end in self._there if end > prefix.size]
        return Held(prefix, tuple(Segment(start, end, self._hash(start, end).hexdigest()) for start, end in behind))

    @property
    def total(self) -> int:
        """Bytes that are in it."""
        with self._lock:
            return self._there.total

    def missing(self, start: int, end: int) -> Range | None:
        """The first part of a range that is not in it."""
        with self._lock:
            return self._there.missing(start, end)

    @property
    def mark(self) -> FileMark:
        """What identifies it, also under its final name."""
        return FileMark.of_status(os.fstat(self._descriptor))

    @property
    def format(self) -> str:
        """What it seems to be, by its first bytes."""
        return kind_of(os.pread(self._descriptor, HEAD, 0))

    def resume(self, held: Held) -> bool:
        """Keep what an earlier run fetched, if the file still begins with it; what is not proven is cut off."""
        prefix = held.prefix
        if self.mark.size < prefix.size:
            return False
        digest = self._hash(0, prefix.size)
        if digest.hexdigest() != prefix.sha256:
            return False
        self.offset, self._digest = prefix.size, digest
        proven = [part for part in held.beyond if self._hash(part.start, part.end).hexdigest() == part.sha256]
        self._there = Ranges([(0, prefix.size), *((part.start, part.end) for part in proven)])
        os.ftruncate(self._descriptor, self._there.end)
        return True

    def restart(self) -> None:
        """Throw away what is in it."""
        os.ftruncate(self._descriptor, 0)
        self.offset, self._digest, self._there = 0, hashlib.sha256(), Ranges()

    def require_space(self, size: int) -> None:
        """Refuse to begin what cannot be finished.

        :param size: bytes of the whole file.
        :raises UpgradeError: the file system has less room than is still needed.
        """
        require_room(self.dest, size - self.total)

    def write(self, block: bytes | memoryview, place: int | None = None) -> None:
        """Put a block at a place, behind what is there without a gap unless it is given.

        :raises UpgradeError: the disk is full or fails; what is in the file so far stays good.
        """
        start = place = self.offset if place is None else place
        view = memoryview(block)
        # Held also while writing, so that no thread that was left behind writes after the file is closed.
        with self._lock:
            try:
                while view:
                    written = os.pwrite(self._descriptor, view, place)
                    view, place = view[written:], place + written
            except OSError as error:
                full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                hint = " Make room and run again: it goes on from there." if full else ""
                raise UpgradeError(
                    f"{self.path} cannot be written behind its first {self.offset} bytes: {error.strerror}.{hint}"
                ) from error
            self._there.add(start, place)
            self.written += len(block)
        self._hash_on(start, block)

    def close(self) -> None:
        """Write and read nothing more."""
        with self._hashing, self._lock:
            os.close(self._descriptor)
            self._descriptor = CLOSED

    def _hash_on(self, start: int, block: bytes | memoryview) -> None:
        """Hash as far as there is no gap. A thread that comes while another one hashes leaves it to that one."""
        while self._follows:
            if not self._hashing.acquire(blocking=False):
                return
            try:
                if self.offset == start:
                    self._digest.update(block)
                    self.offset += len(block)
                self._read_and_hash()
            finally:
                self._hashing.release()

    def hash_rest(self) -> None:
        """Have everything hashed that is there without a gap."""
        with self._hashing:
            self._read_and_hash()

    def _read_and_hash(self) -> None:
        while self._follows:
            read = os.pread(self._descriptor, min(MEBIBYTE, self._end_of_prefix - self.offset), self.offset)
            if not read:
                raise UpgradeError(f"{self.path} was cut short by another program. Run this again.")
            self._digest.update(read)
            self.offset += len(read)

    @property
    def _end_of_prefix(self) -> int:
        with self._lock:
            return self._there.prefix

    @property
    def _follows(self) -> bool:
        return self.offset < self._end_of_prefix

    def _hash(self, start: int, end: int) -> t.Any:
        with open(self._descriptor, "rb", closefd=False) as file:
            file.seek(start)
            return hash_of(file, end - start)

    def sync(self) -> None:
        """Have everything on disk.

        :raises UpgradeError: the disk fails.
        """
        with self._disk_faults():
            os.fsync(self._descriptor)

    def finish(self) -> None:
        """Cut off what lies behind the last byte, give the file its permissions, and have all of that on disk.

        :raises UpgradeError: the disk fails.
        """
        with self._disk_faults():
            os.ftruncate(self._descriptor, self._there.end)
            os.fchmod(self._descriptor, self._mode)
            os.fsync(self._descriptor)

    @contextlib.contextmanager
    def _disk_faults(self) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UpgradeError(f"{self.path} cannot be written: {error.strerror}.") from error

    def promote(self) -> None:
        """Give the file its name, in one step, and have that on disk.

        :raises UpgradeError: that is not possible.
        """
        give_name(self.path, self.dest)

    def discard(self) -> None:
        """Remove the file."""
        remove_if_exists(self.path)


@contextlib.contextmanager
def open_part(dest: str, mode: int = 0o600) -> t.Iterator[PartFile]:
    """The ``.part`` beside a destination, made where it is missing, of mode 0600 and locked until the body ends.

    :param mode: the permissions that :meth:`PartFile.finish` gives.

    What is in it counts for nothing until :meth:`PartFile.resume`.

    :raises UpgradeError: it cannot be made, is not ours, or another run is at it.
    """
    path = dest + SUFFIX
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise UpgradeError(f"{path} cannot be made: {reason}.") from error
    part = PartFile(dest, descriptor, mode)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink > 1:
            raise UpgradeError(f"{path} was not made by this user's earlier run; move it away.")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UpgradeError(f"Another run is fetching into {path}. Run this again once it has ended.") from error
        os.fchmod(descriptor, 0o600)
        yield part
    finally:
        part.close()


def give_name(path: str, dest: str) -> None:
    """Rename a file, replacing another one, and have that on disk.

    :raises UpgradeError: that is not possible.
    """
    try:
        rename_durably(path, dest)
    except OSError as error:
        raise UpgradeError(f"{path} cannot be renamed to {dest}: {error.strerror}.") from error

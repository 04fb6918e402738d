# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database dump as a file: recognised again, read while it may change, hashed on the way.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError
from .._core.progress import Progress
from .ranges import Prefix

MEBIBYTE = 1024 * 1024
FIRST_CHECKPOINT = 4 * MEBIBYTE
CHECKPOINT_BYTES = 64 * MEBIBYTE
CHECKPOINT_SECONDS = 1.0


class DumpChangedError(UpgradeError):
    """The dump is no longer the file that was opened."""


@dataclass(frozen=True)
class FileMark:
    """What identifies a file without reading it: size in bytes, modification time, and inode on its device."""

    size: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of_status(cls, status: os.stat_result) -> FileMark:
        """The mark of a file whose status was read."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


@dataclass
class TransferStats:
    """What a transfer did: ``moved`` bytes went over the network in this run, the first ``resumed_from`` before it.

    ``entity`` identifies the file on the server, ``breaks`` how often a connection broke off,
    ``length_known`` whether the server stated the length, which then is what arrived, ``end_known`` whether it at least
    marked the end, and ``connections`` the most that were used at a time.
    """

    size: int = 0
    sha256: str = ""
    entity: str = ""
    moved: int = 0
    resumed_from: int = 0
    breaks: int = 0
    length_known: bool = True
    end_known: bool = True
    connections: int = 1


class DumpFile:
    """A dump that is being sent; see :func:`open_dump`. Blocks may be read at any place and more than once."""

    def __init__(self, path: str, file: t.IO[bytes]) -> None:
        self.path = path
        self._file = file
        self.mark = FileMark.of_status(os.fstat(file.fileno()))

    @property
    def size(self) -> int:
        """Bytes in it when it was opened."""
        return self.mark.size

    def block(self, offset: int, length: int) -> bytes:
        """The bytes at a place, fewer only at the end. The last ones are given out only if nothing has changed.

        So a file that changes while it is sent never arrives whole.

        :raises DumpChangedError: the file is no longer what was opened.
        """
        wanted = min(length, self.size - offset)
        parts: list[bytes] = []
        while wanted > 0:
            try:
                part = os.pread(self._file.fileno(), wanted, offset)
            except OSError as error:
                raise UpgradeError(f"The dump {self.path} cannot be read: {error.strerror}.") from error
            offset, wanted = offset + len(part), wanted - len(part)
            parts.append(part)
            if not part or offset >= self.size:
                self.require_unchanged()
            if not part:
                raise DumpChangedError(f"The dump {self.path} ends before its {self.size} bytes.")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def blocks(self, offset: int, length: int) -> t.Iterator[tuple[int, bytes]]:
        """Everything from a place on, in blocks with the place of each."""
        while offset < self.size:
            block = self.block(offset, length)
            yield offset, block
            offset += len(block)

    def read_sha256(self) -> str:
        """The hash of the whole, which is read for it.

        :raises DumpChangedError: as :meth:`block`.
        """
        digest = hashlib.sha256()
        for _offset, block in self.blocks(0, MEBIBYTE):
            digest.update(block)
        return digest.hexdigest()

    def has(self, prefix: Prefix) -> t.Any:
        """A hash object fed with the prefix if the file begins with it, else None. Reads so much of the file."""
        if prefix.size > self.size:
            return None
        digest, offset = hashlib.sha256(), 0
        while offset < prefix.size:
            block = self.block(offset, min(MEBIBYTE, prefix.size - offset))
            digest.update(block)
            offset += len(block)
        return digest if digest.hexdigest() == prefix.sha256 else None

    def require_unchanged(self) -> None:
        """:raises DumpChangedError: size or time of the file are no longer those that it was opened with."""
        if FileMark.of_status(os.fstat(self._file.fileno())) != self.mark:
            raise DumpChangedError(
                f"The dump {self.path} changed while it was being sent. Wait until it is written, and run again."
            )


class HashedBody:
    """A dump as the body of one request: read once from start to end, and hashed while it is.

    A thread of its own for the hash was slower on two cores (measured): it costs more to wait for each other than it
    saves where the server has the other core.
    """

    def __init__(self, dump: DumpFile, progress: Progress) -> None:
        self._dump = dump
        self._progress = progress
        self._digest = hashlib.sha256()
        self.offset = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes; none at the end.

        :raises DumpChangedError: as :meth:`DumpFile.block`.
        """
        block = self._dump.block(self.offset, size if size >= 0 else self._dump.size)
        self._digest.update(block)
        self.offset += len(block)
        self._progress.moved(self.offset, self._dump.size)
        return block

    @property
    def sha256(self) -> str:
        """The hash of what was read."""
        return self._digest.hexdigest()


class CheckpointPace:
    """How often progress is put on disk: after 4 MiB, then as often as it doubles, at least each 64 MiB or second.

    A run that is killed loses at most half of a short transfer and one second, or 64 MiB, of a long one.
    """

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._time = time.monotonic()

    def due(self, offset: int) -> bool:
        """Whether to save now; if so, counts from here."""
        step = min(max(self._offset, FIRST_CHECKPOINT), CHECKPOINT_BYTES)
        if offset - self._offset < step and time.monotonic() - self._time < CHECKPOINT_SECONDS:
            return False
        self._offset, self._time = offset, time.monotonic()
        return True


@contextlib.contextmanager
def open_dump(path: str, option: str) -> t.Iterator[DumpFile]:
    """A dump to read, open until the body ends.

    :param option: the option that names it.
    :raises OptionError: it is missing, unreadable, empty or no ordinary file.
    """
    try:
        file = open(path, "rb", buffering=0, opener=_without_waiting)  # noqa: SIM115 - closed below
    except OSError as error:
        raise OptionError(option, f"the file {path} cannot be read: {error.strerror}.") from error
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OptionError(option, f"{path} is not a regular file; give the path of one dump in one file.")
        if not status.st_size:
            raise OptionError(option, f"the file {path} is empty.")
        yield DumpFile(path, file)


def _without_waiting(path: str, flags: int) -> int:
    """Open without waiting for the other end of a named pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def hash_of(file: t.IO[bytes], size: int | None = None) -> t.Any:
    """A hash object fed with a file from its present place on, to its end or for so many bytes."""
    digest = hashlib.sha256()
    while size is None or size > 0:
        block = file.read(MEBIBYTE if size is None else min(MEBIBYTE, size))
        if not block:
            break
        digest.update(block)
        size = None if size is None else size - len(block)
    return digest

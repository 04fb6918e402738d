# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a file that are still to be sent or fetched, handed out to several connections.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import threading
import typing as t

from .dump import MEBIBYTE, DumpFile
from .part_file import PartFile
from .ranges import Held, Prefix, Range, Ranges, Segment

MARK_EVERY = 4 * MEBIBYTE
"""Bytes between two places whose hash is remembered: what is proven of a dump ends at one of them."""

NOTHING = Prefix(0, hashlib.sha256().hexdigest())


class Outgoing:
    """Blocks are handed out in the order of the file, so that it is read and hashed once, whoever sends them.

    What is not confirmed is given back, and handed out again before anything else. For several threads.
    """

    def __init__(self, dump: DumpFile) -> None:
        self._dump = dump
        self._lock = threading.Lock()
        self.moved = 0
        self.turn = 0
        self.restart()

    def restart(self) -> None:
        """Nothing of it is there."""
        with self._lock:
            self._there = Ranges()
            self._again: list[Range] = []
            self._digest = hashlib.sha256()
            self._position = 0
            self._marks = collections.deque([NOTHING])

    def resume(self, held: Held) -> bool:
        """Count what the server has as sent, if the dump still begins with what is proven of it."""
        digest = self._dump.has(held.prefix)
        if digest is None:
            return False
        with self._lock:
            self._digest, self._position = digest, held.prefix.size
            self._marks = collections.deque([held.prefix])
            self._there = Ranges([(0, held.prefix.size), *((part.start, part.end) for part in held.beyond)])
        return True

    def take(self, length: int, turn: int) -> tuple[int, bytes] | None:
        """A block that nobody else sends, of at most so many bytes, with its place; None where nothing is left.

        :param turn: what the attribute ``turn`` was when the connections were opened; there is nothing for older ones.
        :raises DumpChangedError: the dump is no longer what was opened.
        """
        with self._lock:
            if self.turn != turn:
                return None
            if self._again:
                start, end = self._again.pop()
                if end - start > length:
                    self._again.append((start + length, end))
                block = self._dump.block(start, min(length, end - start))
                self.moved += len(block)
                return start, block
            while self._position < self._dump.size:
                start, block, missing = self._next(length)
                if missing:
                    self.moved += len(block)
                    return start, block
            return None

    def _next(self, length: int) -> tuple[int, bytes, bool]:
        """Read and hash on; the block ends where what is there already begins or ends."""
        start = self._position
        missing = self._there.missing(start, self._dump.size)
        is_missing = bool(missing and missing[0] == start)
        if missing:
            length = min(length, (missing[1] if is_missing else missing[0]) - start)
        block = self._dump.block(start, length)
        self._digest.update(block)
        self._position = end = start + len(block)
        if end - self._marks[-1].size >= MARK_EVERY or end == self._dump.size:
            self._marks.append(Prefix(end, self._digest.copy().hexdigest()))
        return start, block, is_missing

    def confirm(self, start: int, length: int) -> None:
        """So much is there now."""
        with self._lock:
            self._there.add(start, start + length)

    def give_back(self, start: int, length: int) -> None:
        """So much was taken and may not have arrived."""
        with self._lock:
            self._again.append((start, start + length))

    def stop(self) -> None:
        """Hand out nothing more to the connections of this turn."""
        self.turn += 1

    @property
    def confirmed(self) -> int:
        """Bytes that are there."""
        with self._lock:
            return self._there.total

    @property
    def end(self) -> int:
        """Where the last byte that is there lies."""
        with self._lock:
            return self._there.end

    @property
    def is_complete(self) -> bool:
        """Whether all of it is there."""
        return self.confirmed == self._dump.size

    @property
    def sha256(self) -> str:
        """The hash of the whole, once all was handed out."""
        return self._digest.hexdigest()

    @property
    def held(self) -> Held:
        """What is there, for a later run to resume."""
        with self._lock:
            while len(self._marks) > 1 and self._marks[1].size <= self._there.prefix:
                self._marks.popleft()
            prefix = self._marks[0]
            behind = ((max(start, prefix.size), end) for start, end in self._there if end > prefix.size)
            return Held(prefix, tuple(Segment(start, end) for start, end in behind))


FURTHEST_AHEAD = 256 * MEBIBYTE
"""Bytes that may be fetched behind a gap that one slow connection leaves. A run that is killed loses no more of it."""

PAUSE_SECONDS = 0.02
"""How long to wait before asking again, where there is nothing to take yet."""


class Incoming:
    """Ranges are handed out in the order of the file, so that what comes can be hashed as it does.

    What did not come is given back, and handed out again before anything else. For several threads.

    :param size: bytes of the whole.
    """

    def __init__(self, part: PartFile, size: int) -> None:
        self._part = part
        self._size = size
        self._lock = threading.Lock()
        self._again: list[Range] = []
        self._position = part.offset
        self._stopped = False

    def take(self, length: int) -> Range | None:
        """A range that nobody else fetches, of at most so many bytes; None: no range is free (see :meth:`waits`)."""
        with self._lock:
            if self._stopped:
                return None
            if self._again:
                start, end = self._again.pop()
                if end - start > length:
                    self._again.append((start + length, end))
                return start, min(start + length, end)
            if self._position >= self._part.offset + FURTHEST_AHEAD:
                return None
            missing = self._part.missing(self._position, self._size)
            if missing is None:
                self._position = self._size
                return None
            start, end = missing[0], min(missing[0] + length, missing[1])
            self._position = end
            return start, end

    @property
    def waits(self) -> bool:
        """Whether there will be more to take, when the slowest connection has caught up."""
        return not self._stopped and self._position < self._size

    def give_back(self, start: int, end: int) -> None:
        """So much was taken and did not come."""
        if start < end:
            with self._lock:
                self._again.append((start, end))

    @contextlib.contextmanager
    def given_back_unless_there(self, start: int, end: int) -> t.Iterator[None]:
        """Fetch a range in the body; what is still missing of it when that fails is given back."""
        try:
            yield
        except BaseException:
            self.give_back(*(self._part.missing(start, end) or (end, end)))
            raise

    def stop(self) -> None:
        """Hand out nothing more."""
        self._stopped = True

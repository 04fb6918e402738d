# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a file that are still to be fetched, handed out to several connections.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t

from .dump import MEBIBYTE
from .part_file import PartFile
from .ranges import Range

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
        """A range that nobody else fetches, of at most so many bytes; None where there is none (see :meth:`waits`)."""
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

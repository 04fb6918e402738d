# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which parts of a file are there.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import bisect
import typing as t
from dataclasses import dataclass

Range = tuple[int, int]
"""Where a part begins and where it ends, in bytes; the byte at the end is not in it."""


@dataclass(frozen=True)
class Prefix:
    """So many bytes at the start of a file, and what they hash to."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Segment:
    """A part of a file, and what it hashes to; an empty ``sha256`` where the content needs no proof."""

    start: int
    end: int
    sha256: str = ""


@dataclass(frozen=True)
class Held:
    """What is there of a file that was moved in parts: a proven beginning, and what lies behind it."""

    prefix: Prefix
    beyond: tuple[Segment, ...] = ()

    @property
    def total(self) -> int:
        """Bytes in all of it."""
        return self.prefix.size + sum(part.end - part.start for part in self.beyond)


class Ranges:
    """Ranges in order that neither overlap nor touch. Not for several threads at once."""

    def __init__(self, parts: t.Iterable[Range] = ()) -> None:
        self._parts: list[Range] = []
        for start, end in parts:
            self.add(start, end)

    def __iter__(self) -> t.Iterator[Range]:
        return iter(self._parts)

    @property
    def total(self) -> int:
        """Bytes in all of them."""
        return sum(end - start for start, end in self._parts)

    @property
    def prefix(self) -> int:
        """Bytes from the start of the file on that are there without a gap."""
        return self._parts[0][1] if self._parts and not self._parts[0][0] else 0

    @property
    def end(self) -> int:
        """Where the last one ends."""
        return self._parts[-1][1] if self._parts else 0

    def add(self, start: int, end: int) -> None:
        """Have one more, which may overlap others."""
        if start >= end:
            return
        first = bisect.bisect_left([there for _here, there in self._parts], start)
        last = first
        while last < len(self._parts) and self._parts[last][0] <= end:
            start, end = min(start, self._parts[last][0]), max(end, self._parts[last][1])
            last += 1
        self._parts[first:last] = [(start, end)]

    def missing(self, start: int, end: int) -> Range | None:
        """The first part of a range that is not there; None where all of it is."""
        for here, there in self._parts:
            if there <= start:
                continue
            if here > start:
                return start, min(here, end)
            start = there
            if start >= end:
                return None
        return (start, end) if start < end else None

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ranges of a file from an HTTPS server: which entity they are of, and how several connections fetch them.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import time
import typing as t
from dataclasses import dataclass

from .._core.errors import AnswerLostError, CallError, NotSentError, UnexpectedAnswerError
from .dump import MEBIBYTE
from .part_file import PartFile
from .queues import PAUSE_SECONDS, Incoming
from .workers import work_together

if t.TYPE_CHECKING:
    import requests

PARTIAL, NOT_SATISFIABLE = 206, 416
CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18})$")

Open = t.Callable[[int, t.Optional[int], str], "t.ContextManager[requests.Response]"]
"""Opens the response from an offset on, to an end or to the last byte, for an entity that may be empty."""

PIECE = 16 * MEBIBYTE
"""Bytes that one of several connections asks for at a time: each request costs a round trip."""

NEAR_SECONDS = 0.02
"""Where the answer begins sooner one connection is as fast as several: they share one processor here (measured)."""


@dataclass(frozen=True)
class Source:
    """What is fetched: ``call`` names it in messages, ``kind`` is archive or sql.

    ``passes`` says whether a call that failed may succeed later. ``require`` raises where a response and the first
    bytes of its body say that there is nothing to fetch.
    """

    call: str
    kind: str
    open: Open
    passes: t.Callable[[CallError], bool]
    require: t.Callable[[requests.Response, bytes], None] = lambda _response, _start: None


@dataclass(frozen=True)
class Entity:
    """One version of a file: its size in bytes, and its ``tag``, which is empty where it has no name."""

    tag: str
    size: int

    def is_in(self, response: requests.Response, start: int, end: int) -> bool:
        """Whether a response carries these bytes of it, and nothing else."""
        match = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        stated = tuple(int(group or -1) for group in match.groups()) if match else ()
        tag = tag_of(response.headers)
        same = not tag or not self.tag or tag == self.tag
        return response.status_code == PARTIAL and stated == (start, end - 1, self.size) and same


def tag_of(headers: t.Mapping[str, str]) -> str:
    """By what an entity is known again in If-Range (RFC 9110, 13.1.5): a strong ETag, or when it last changed."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def are_worthwhile(response: requests.Response, entity: Entity, left: int) -> bool:
    """Whether several connections would be faster, and the server identifies the entity of each range.

    :param left: bytes that are still to come.
    """
    ranges = response.status_code == PARTIAL or response.headers.get("Accept-Ranges", "") == "bytes"
    far = response.elapsed.total_seconds() >= NEAR_SECONDS
    return ranges and bool(entity.tag) and left >= 2 * PIECE and far


class SeveralRefusedError(AnswerLostError):
    """The server refused some of several requests. The next one, alone, shows whether it refuses all."""


class HttpsPieces:
    """What is missing of one entity, fetched by ranges."""

    def __init__(self, source: Source, part: PartFile, entity: Entity) -> None:
        self._source = source
        self._part = part
        self._entity = entity
        self._incoming = Incoming(part, entity.size)
        self._movers: set[int] = set()

    @property
    def used(self) -> int:
        """How many connections brought something."""
        return len(self._movers)

    def fetch(self, blocks: t.Iterable[bytes], connections: int, tick: t.Callable[[], None]) -> None:
        """Fetch everything, and begin with a response that is open.

        :param blocks: what that one carries from the first byte on that is missing.
        :param tick: called a few times a second meanwhile.
        :raises SeveralRefusedError: the server refuses, perhaps only to have several.
        :raises CallError: all of them broke before everything was there.
        """
        begun = self._incoming.take(PIECE)

        def member(number: int) -> None:
            try:
                if begun and not number:
                    with self._incoming.given_back_unless_there(*begun):
                        self._take_in(blocks, *begun, number)
                self._fetch_more(number)
            except CallError:
                raise
            except Exception:
                self._incoming.stop()
                raise

        members = [lambda number=number: member(number) for number in range(connections)]
        errors = work_together(members, is_done=self._is_done, tick=tick, stop=self._incoming.stop)
        if not self._is_done():
            raise self._verdict(errors)

    def _is_done(self) -> bool:
        return self._part.total == self._entity.size

    def _verdict(self, errors: list[Exception]) -> Exception:
        own_faults = [error for error in errors if not isinstance(error, CallError)]
        broken = [error for error in errors if isinstance(error, (AnswerLostError, NotSentError))]
        if own_faults:
            return own_faults[0]
        if broken and len(broken) == len(errors):
            return broken[0]
        return SeveralRefusedError(self._source.call, "did not answer several requests at a time")

    def _fetch_more(self, number: int) -> None:
        """Fetch range after range, each with a request of its own, until none is left.

        :raises CallError: one did not come; what is missing of it was given back.
        """
        while True:
            piece = self._incoming.take(PIECE)
            if piece:
                self._fetch_piece(*piece, number)
            elif self._incoming.waits:
                time.sleep(PAUSE_SECONDS)
            else:
                return

    def _fetch_piece(self, start: int, end: int, number: int) -> None:
        source, entity = self._source, self._entity
        with self._incoming.given_back_unless_there(start, end), source.open(start, end, entity.tag) as response:
            if not entity.is_in(response, start, end):
                what = "did not send the range that it was asked for"
                raise UnexpectedAnswerError(source.call, what, status=response.status_code)
            self._take_in(response.raw.stream(MEBIBYTE, decode_content=False), start, end, number)

    def _take_in(self, blocks: t.Iterable[bytes], start: int, end: int, number: int) -> None:
        """Write one range as it comes, and no more than that.

        :raises AnswerLostError: it ended early.
        """
        place = start
        for block in blocks:
            part = block[: end - place]
            self._part.write(part, place)
            place += len(part)
            self._movers.add(number)
            if place >= end:
                return
        raise AnswerLostError(self._source.call, f"sent {place - start} of {end - start} bytes of a range")

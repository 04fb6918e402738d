# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file from an HTTPS server over one connection or several, taken up by ranges of the same entity.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
import time
import typing as t
from dataclasses import dataclass

from ._crew import work_together
from ._dump import GZIP, HEAD, HTML, MEBIBYTE, ZIP, CheckpointPace, Moved, format_of
from ._dump_check import require_dump
from ._errors import AnswerLostError, CallError, NotSentError, UnexpectedAnswerError, UpgradeError
from ._incoming import PAUSE_SECONDS, Incoming
from ._part_file import PartFile
from ._progress import Progress
from ._ranges import Held
from ._reconnect import Reconnections
from ._text import whole_number

if t.TYPE_CHECKING:
    import requests

PART, NOT_SATISFIABLE = 206, 416
CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18})$")

PIECE = 16 * MEBIBYTE
"""Bytes that one of several connections asks for at a time: a round trip in vain for each."""

NEAR_SECONDS = 0.02
"""Where the answer begins sooner one connection is as fast as several: they share one processor here (measured)."""

Open = t.Callable[[int, t.Optional[int], str], "t.ContextManager[requests.Response]"]
"""Opens the response from an offset on, to an end or to the last byte, for an entity that may be empty."""


@dataclass(frozen=True)
class Source:
    """What is fetched: ``call`` names it in messages, ``kind`` is archive or sql.

    ``passes`` tells whether a call that failed may go well later.
    """

    call: str
    kind: str
    open: Open
    passes: t.Callable[[CallError], bool]


@dataclass(frozen=True)
class Known:
    """What an earlier run noted of a part file: the entity and its size, and what of it is there."""

    entity: str
    size: int
    held: Held


class HttpsFetch:
    """One entity on its way into a part file.

    :param keep: puts a state of the part on disk, for the entity and size that it is of.
    :param connections: how many may be used, where the server is far and names the entity that its ranges are of.
    """

    def __init__(
        self,
        source: Source,
        part: PartFile,
        keep: t.Callable[[str, int, Held], None],
        *,
        retries: int,
        connections: int,
        progress: Progress,
    ) -> None:
        self._source = source
        self._part = part
        self._keep = keep
        self._retries = retries
        self._connections = connections
        self._progress = progress
        self._moved = Moved()
        self._lock = threading.Lock()
        self._size: int | None = None
        self._tag = ""

    def run(self, earlier: Known | None) -> Moved:
        """Fetch it whole.

        :raises CallError: the server refuses, or the connection broke too often. What is in the part can be taken up.
        :raises DamagedError: what comes is no dump.
        """
        if earlier and self._part.take_up(earlier.held):
            self._tag, self._size = earlier.entity, earlier.size
            self._moved.resumed_from = self._part.total
        else:
            self._restart()
        patience = Reconnections(self._retries)
        while not self._complete:
            try:
                self._read_once()
            except UpgradeError as error:
                with contextlib.suppress(UpgradeError):
                    self._save(self._part.held)
                if not isinstance(error, CallError) or not self._source.passes(error):
                    raise
                self._moved.breaks += 1
                patience.after(error, self._part.total)
        self._part.settle()
        moved = self._moved
        moved.size, moved.sha256, moved.entity = self._part.total, self._part.sha256, self._tag
        return moved

    def _restart(self) -> None:
        self._part.restart()
        self._moved.resumed_from = 0
        self._tag, self._size = "", None

    @property
    def _complete(self) -> bool:
        return self._size is not None and 0 < self._part.total == self._size

    def _read_once(self) -> None:
        """Read one response to its end, or to where what is there goes on, or share the rest among connections.

        :raises AnswerLostError: it broke off.
        """
        if self._part.total and not self._may_go_on:
            self._restart()
        start, end = self._part.missing(0, self._size or 0) or (0, None)
        with self._source.open(start, None, self._tag) as response:
            if response.status_code == NOT_SATISFIABLE:
                if not start:
                    what = "was answered 416 although no range was asked for"
                    raise UnexpectedAnswerError(self._source.call, what, status=NOT_SATISFIABLE)
                # What is here is of something else, or ranges are not served.
                self._restart()
                return
            blocks = response.raw.stream(MEBIBYTE, decode_content=False)
            if response.status_code == PART:
                self._require_continuation(response, start)
            else:
                block = self._first_block(response, blocks)
                self._begin(response)
                start, end = 0, self._size
                blocks = itertools.chain((block,), blocks)
            self._save(self._part.held)
            if self._is_shared(response):
                self._share(blocks)
            else:
                self._receive(blocks, start, end)

    @property
    def _may_go_on(self) -> bool:
        """Whether a range can be trusted to be of the same entity: it has a name, or proves itself at its end."""
        return self._size is not None and (bool(self._tag) or self._part.format in (GZIP, ZIP))

    def _first_block(self, response: requests.Response, blocks: t.Iterator[bytes]) -> bytes:
        """The first bytes of the whole, before what is here is given up for them.

        :raises DamagedError: they are of no dump.
        """
        headers = response.headers
        if headers.get("Content-Encoding", "identity") != "identity":
            what = f"came packed as {headers['Content-Encoding']}, which was not asked for"
            raise UnexpectedAnswerError(self._source.call, what, status=response.status_code)
        if "html" in headers.get("Content-Type", ""):
            require_dump(HTML, self._source.kind)
        block = next(blocks, b"")
        require_dump(format_of(block[:HEAD]), self._source.kind)
        return block

    def _begin(self, response: requests.Response) -> None:
        """Start the part anew for the entity of this response."""
        self._restart()
        length = whole_number(response.headers.get("Content-Length", ""))
        self._size = None if "Transfer-Encoding" in response.headers else length
        self._tag = _tag(response.headers)
        self._moved.length_known = self._size is not None
        if self._size is not None:
            self._part.require_space(self._size)

    def _require_continuation(self, response: requests.Response, start: int) -> None:
        """:raises AnswerLostError: the part is of something else; it was thrown away, and the next try starts anew."""
        if not self._is_of_ours(response, start, (self._size or 0) - 1):
            self._restart()
            raise AnswerLostError(self._source.call, "sent another range than it was asked for", status=PART)
        self._part.require_space(self._size or 0)

    def _is_of_ours(self, response: requests.Response, first: int, last: int) -> bool:
        """Whether a response carries these bytes of the entity that the part is of."""
        match = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        told = tuple(int(group or -1) for group in match.groups()) if match else ()
        tag = _tag(response.headers)
        return told == (first, last, self._size) and (not tag or not self._tag or tag == self._tag)

    def _receive(self, blocks: t.Iterable[bytes], start: int, end: int | None) -> None:
        """Write what comes to its place, as far as it is not there."""
        part, place = self._part, start
        pace = CheckpointPace(part.total)
        for block in blocks:
            if self._size is not None and place + len(block) > self._size:
                announced = self._size
                self._restart()
                raise UnexpectedAnswerError(self._source.call, f"sent more than the {announced} bytes it announced")
            self._write(block if end is None else block[: end - place], place)
            place += len(block)
            self._progress.moved(part.total, self._size)
            if pace.due(part.offset):
                self._save(self._proven)
            if end is not None and end < (self._size or 0) and place >= end:
                return
        if self._size is None:
            # It came in chunks, or until the end of the connection; the format has to prove the rest.
            self._size = part.total
        elif place < (end or self._size):
            raise AnswerLostError(self._source.call, f"sent {part.total} of the {self._size} bytes that it announced")

    def _write(self, block: bytes, place: int) -> None:
        self._part.write(block, place)
        with self._lock:
            self._moved.moved += len(block)

    def _is_shared(self, response: requests.Response) -> bool:
        """Whether more connections would be faster, and what they bring can be told to be of the same entity."""
        ranges = response.status_code == PART or response.headers.get("Accept-Ranges", "") == "bytes"
        left = (self._size or 0) - self._part.total
        far = response.elapsed.total_seconds() >= NEAR_SECONDS
        return self._connections > 1 and ranges and bool(self._tag) and left >= 2 * PIECE and far

    def _share(self, blocks: t.Iterator[bytes]) -> None:
        """Fetch the rest over several connections; the first one begins with the response that is open.

        :raises CallError: all of them ended before everything was there.
        """
        part, size = self._part, self._size or 0
        incoming = Incoming(part, size)
        begun = incoming.take(PIECE)
        pace = CheckpointPace(part.total)
        movers: set[int] = set()

        def member(number: int) -> None:
            try:
                if begun and not number:
                    with incoming.given_back_unless_there(*begun):
                        self._take_in(blocks, *begun)
                while True:
                    piece = incoming.take(PIECE)
                    if piece:
                        self._fetch_piece(*piece, incoming)
                        movers.add(number)
                    elif incoming.waits:
                        time.sleep(PAUSE_SECONDS)
                    else:
                        return
            except CallError:
                raise
            except Exception:
                incoming.stop()
                raise

        def tick() -> None:
            self._progress.moved(part.total, size)
            if pace.due(part.offset):
                self._save(self._proven)

        members = [lambda number=number: member(number) for number in range(self._connections)]
        errors = work_together(members, is_done=lambda: self._complete, tick=tick, stop=incoming.stop)
        self._moved.connections = max(self._moved.connections, len(movers))
        if self._complete:
            return
        faults = [error for error in errors if not isinstance(error, CallError)]
        refusals = [error for error in errors if not isinstance(error, (AnswerLostError, NotSentError))]
        if faults:
            raise faults[0]
        if refusals or not errors:
            # What is asked for next, over one connection, tells whether the server refuses only to have several.
            self._connections = 1
            raise AnswerLostError(self._source.call, "did not answer several requests at a time") from (
                refusals[0] if refusals else None
            )
        raise errors[0]

    def _fetch_piece(self, start: int, end: int, incoming: Incoming) -> None:
        """Fetch one range with a request of its own.

        :raises CallError: it did not come; what is missing of it was given back.
        """
        with incoming.given_back_unless_there(start, end), self._source.open(start, end, self._tag) as response:
            if response.status_code != PART or not self._is_of_ours(response, start, end - 1):
                what = "did not send the range that it was asked for"
                raise UnexpectedAnswerError(self._source.call, what, status=response.status_code)
            self._take_in(response.raw.stream(MEBIBYTE, decode_content=False), start, end)

    def _take_in(self, blocks: t.Iterable[bytes], start: int, end: int) -> None:
        """Write one range as it comes, and no more than that.

        :raises AnswerLostError: it ended early.
        """
        place = start
        for block in blocks:
            self._write(block[: end - place], place)
            place += len(block)
            if place >= end:
                return
        raise AnswerLostError(self._source.call, f"sent {place - start} of {end - start} bytes of a range")

    def _proven(self) -> Held:
        return Held(self._part.prefix)

    def _save(self, held: t.Callable[[], Held]) -> None:
        """Put the state of the part on disk, where it could be taken up later."""
        if self._size is not None and self._may_go_on:
            self._part.sync()
            self._keep(self._tag, self._size, held())


def _tag(headers: t.Mapping[str, str]) -> str:
    """By what an entity is known again in If-Range (RFC 9110, 13.1.5): a strong ETag, or when it last changed."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")

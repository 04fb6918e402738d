# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file fetched from an HTTPS server over one connection or several, and resumed by ranges of the same entity.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import itertools
import typing as t
from dataclasses import dataclass

from .._core.errors import AnswerLostError, CallError, UnexpectedAnswerError, UpgradeError
from .._core.progress import Progress
from .._core.text import whole_number
from .dump import MEBIBYTE, CheckpointPace, TransferStats
from .dump_forms import HEAD, HTML, SQL, SQL_GZ, ZIP, kind_of
from .https_ranges import (
    NOT_SATISFIABLE,
    PARTIAL,
    Entity,
    HttpsPieces,
    SeveralRefusedError,
    Source,
    are_worthwhile,
    tag_of,
)
from .part_file import PartFile
from .ranges import Held
from .resume import Retries
from .verify import require_dump

if t.TYPE_CHECKING:
    import requests


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
        self._moved = TransferStats()
        self._size: int | None = None
        self._tag = ""

    def run(self, earlier: Known | None) -> TransferStats:
        """Fetch it whole.

        :raises CallError: the server refuses, or the connection broke too often. What is in the part can be resumed.
        :raises DamagedError: what comes is no dump.
        """
        if earlier and self._part.resume(earlier.held):
            self._tag, self._size = earlier.entity, earlier.size
            self._moved.resumed_from = self._part.total
        else:
            self._restart()
        retries = Retries(self._retries)
        while not self._complete:
            try:
                self._read_once()
            except UpgradeError as error:
                with contextlib.suppress(UpgradeError):
                    self._save(self._part.held)
                if not isinstance(error, CallError) or not self._source.passes(error):
                    raise
                self._moved.breaks += 1
                retries.pause_after(error, self._part.total)
        self._part.hash_rest()
        moved = self._moved
        moved.moved = self._part.written
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
            if response.status_code == PARTIAL:
                self._require_continuation(response, start)
            else:
                block = self._first_block(response, blocks)
                self._begin(response)
                start, end = 0, self._size
                blocks = itertools.chain((block,), blocks)
            self._save(self._part.held)
            entity = Entity(self._tag, self._size or 0)
            if self._connections > 1 and are_worthwhile(response, entity, entity.size - self._part.total):
                self._share(entity, blocks)
            else:
                self._receive(blocks, start, end)

    @property
    def _may_go_on(self) -> bool:
        """Whether a range can be trusted to be of the same entity: it has a name, or proves itself at its end."""
        return self._size is not None and (bool(self._tag) or self._part.format in (SQL_GZ, ZIP))

    def _first_block(self, response: requests.Response, blocks: t.Iterator[bytes]) -> bytes:
        """The first bytes of the whole, before what is here is given up for them.

        :raises DamagedError: they are of no dump.
        :raises CallError: they say that there is no result.
        """
        headers = response.headers
        if headers.get("Content-Encoding", "identity") != "identity":
            what = f"came packed as {headers['Content-Encoding']}, which was not asked for"
            raise UnexpectedAnswerError(self._source.call, what, status=response.status_code)
        block = next(blocks, b"")
        self._source.require(response, block)
        found = kind_of(block[:HEAD])
        # Text can be a page that only looks like SQL. An archive is never a page, also with the default type text/html.
        is_page = found == SQL and "html" in headers.get("Content-Type", "")
        require_dump(HTML if is_page else found, self._source.kind)
        return block

    def _begin(self, response: requests.Response) -> None:
        """Start the part again for the entity of this response."""
        self._restart()
        length = whole_number(response.headers.get("Content-Length", ""))
        coding = response.headers.get("Transfer-Encoding", "").strip().lower()
        self._size = None if coding else length
        self._tag = tag_of(response.headers)
        self._moved.length_known = self._size is not None
        self._moved.end_known = self._moved.length_known or coding == "chunked"
        if self._size is not None:
            self._part.require_space(self._size)

    def _require_continuation(self, response: requests.Response, start: int) -> None:
        """:raises AnswerLostError: the part is of another entity; it was emptied, and the next try starts again."""
        entity = Entity(self._tag, self._size or 0)
        if not entity.is_in(response, start, entity.size):
            self._restart()
            raise AnswerLostError(self._source.call, "sent another range than it was asked for", status=PARTIAL)
        self._part.require_space(entity.size)

    def _receive(self, blocks: t.Iterable[bytes], start: int, end: int | None) -> None:
        """Write what comes to its place, as far as it is not there."""
        part, place = self._part, start
        tick = self._ticker()
        for block in blocks:
            if self._size is not None and place + len(block) > self._size:
                announced = self._size
                self._restart()
                raise UnexpectedAnswerError(self._source.call, f"sent more than the {announced} bytes it announced")
            part.write(block if end is None else block[: end - place], place)
            place += len(block)
            tick()
            if end is not None and end < (self._size or 0) and place >= end:
                return
        if self._size is None:
            # It came in chunks, or until the end of the connection; the format has to prove the rest.
            self._size = part.total
        elif place < (end or self._size):
            raise AnswerLostError(self._source.call, f"sent {part.total} of the {self._size} bytes that it announced")

    def _share(self, entity: Entity, blocks: t.Iterator[bytes]) -> None:
        """Fetch the rest over several connections, of which the first one is open."""
        pieces = HttpsPieces(self._source, self._part, entity)
        try:
            pieces.fetch(blocks, self._connections, self._ticker())
        except SeveralRefusedError:
            self._connections = 1
            raise
        finally:
            self._moved.connections = max(self._moved.connections, pieces.used)

    def _ticker(self) -> t.Callable[[], None]:
        """A function that reports progress, and saves it when it is time."""
        pace = CheckpointPace(self._part.offset)

        def tick() -> None:
            self._progress.moved(self._part.total, self._size)
            if pace.due(self._part.offset):
                self._save(self._proven)

        return tick

    def _proven(self) -> Held:
        return Held(self._part.prefix)

    def _save(self, held: t.Callable[[], Held]) -> None:
        """Put the state of the part on disk, where it can be resumed later."""
        if self._size is not None and self._may_go_on:
            self._part.sync()
            self._keep(self._tag, self._size, held())

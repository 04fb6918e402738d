# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file from an HTTPS server, taken up by ranges of the same entity where the connection broke off.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import typing as t
from dataclasses import dataclass

from ._dump import GZIP, HEAD, HTML, MEBIBYTE, ZIP, CheckpointPace, Moved, Prefix, format_of
from ._dump_check import require_dump
from ._errors import AnswerLostError, CallError, UnexpectedAnswerError, UpgradeError
from ._part_file import PartFile
from ._reconnect import Reconnections
from ._text import whole_number

if t.TYPE_CHECKING:
    import requests

PART, NOT_SATISFIABLE = 206, 416
CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18})$")

Open = t.Callable[[int, str], "t.ContextManager[requests.Response]"]
"""Opens the response from an offset on, for an entity that may be empty."""


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
    """What an earlier run noted of a part file: the entity and its size, and how much of it is proven."""

    entity: str
    size: int
    prefix: Prefix


class HttpsFetch:
    """One entity on its way into a part file.

    :param keep: puts the present state of the part on disk, for the entity and size that it is of.
    """

    def __init__(self, source: Source, part: PartFile, keep: t.Callable[[str, int], None], retries: int) -> None:
        self._source = source
        self._part = part
        self._keep = keep
        self._retries = retries
        self._moved = Moved()
        self._size: int | None = None
        self._tag = ""

    def run(self, earlier: Known | None) -> Moved:
        """Fetch it whole.

        :raises CallError: the server refuses, or the connection broke too often. What is in the part can be taken up.
        :raises DamagedError: what comes is no dump.
        """
        if earlier and self._part.take_up(earlier.prefix):
            self._tag, self._size = earlier.entity, earlier.size
            self._moved.resumed_from = self._part.offset
        else:
            self._restart()
        patience = Reconnections(self._retries)
        while not self._complete:
            try:
                self._read_once()
            except UpgradeError as error:
                with contextlib.suppress(UpgradeError):
                    self._save()
                if not isinstance(error, CallError) or not self._source.passes(error):
                    raise
                self._moved.breaks += 1
                patience.after(error, self._part.offset)
        moved = self._moved
        moved.size, moved.sha256, moved.entity = self._part.offset, self._part.sha256, self._tag
        return moved

    def _restart(self) -> None:
        self._part.restart()
        self._moved.resumed_from = 0
        self._tag, self._size = "", None

    @property
    def _complete(self) -> bool:
        return self._size is not None and 0 < self._part.offset == self._size

    def _read_once(self) -> None:
        """Read one response to its end.

        :raises AnswerLostError: it broke off.
        """
        if self._part.offset and not self._may_go_on:
            self._restart()
        with self._source.open(self._part.offset, self._tag) as response:
            if response.status_code == NOT_SATISFIABLE:
                if not self._part.offset:
                    what = "was answered 416 although no range was asked for"
                    raise UnexpectedAnswerError(self._source.call, what, status=NOT_SATISFIABLE)
                # What is here is of something else, or ranges are not served.
                self._restart()
                return
            blocks = response.raw.stream(MEBIBYTE, decode_content=False)
            if response.status_code == PART:
                self._require_continuation(response)
            else:
                block = self._first_block(response, blocks)
                self._begin(response)
                blocks = itertools.chain((block,), blocks)
            self._receive(blocks)

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

    def _require_continuation(self, response: requests.Response) -> None:
        """:raises AnswerLostError: the part is of something else; it was thrown away, and the next try starts anew."""
        asked, size = self._part.offset, self._size
        match = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        first, last, whole = (int(group or -1) for group in match.groups()) if match else (-1, -1, -1)
        tag = _tag(response.headers)
        if (first, last, whole) == (asked, whole - 1, size) and (not tag or not self._tag or tag == self._tag):
            self._part.require_space(whole)
            return
        self._restart()
        raise AnswerLostError(self._source.call, "sent another range than it was asked for", status=PART)

    def _receive(self, blocks: t.Iterable[bytes]) -> None:
        part, pace = self._part, CheckpointPace(self._part.offset)
        self._save()
        for block in blocks:
            if self._size is not None and part.offset + len(block) > self._size:
                announced = self._size
                self._restart()
                raise UnexpectedAnswerError(self._source.call, f"sent more than the {announced} bytes it announced")
            part.write(block)
            self._moved.moved += len(block)
            if pace.due(part.offset):
                self._save()
        if self._size is None:
            # It came in chunks, or until the end of the connection; the format has to prove the rest.
            self._size = part.offset
        elif part.offset < self._size:
            raise AnswerLostError(self._source.call, f"sent {part.offset} of the {self._size} bytes that it announced")

    def _save(self) -> None:
        """Put the state of the part on disk, where it could be taken up later."""
        if self._size is not None and self._may_go_on:
            self._part.sync()
            self._keep(self._tag, self._size)


def _tag(headers: t.Mapping[str, str]) -> str:
    """By what an entity is known again in If-Range (RFC 9110, 13.1.5): a strong ETag, or when it last changed."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")

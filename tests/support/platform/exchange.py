# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP request on its way in, one answer on its way out: what the protocol layer and the faults share."""

from __future__ import annotations

import email.parser
import email.policy
import io
import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from support.platform.call_log import CallRecord
from support.platform.dumps import BLOCK
from support.platform.pace import Pace

_FORM_LIMIT = 1 << 20


class Dropped(Exception):
    """The connection ends here and now, without an answer."""


class BodyTooLarge(Exception):
    """A form that is no form."""


class Body:
    """The body of a request, read once and at need, with bounded memory.

    `announce` tells a client that waits for it (Expect: 100-continue) to go on. With `cut_after` the connection is
    dropped after so many bytes. `pace` is the line that it comes over, `wait` waits so many seconds and tells whether
    the server is about to stop.
    """

    def __init__(
        self,
        stream: io.BufferedIOBase,
        length: int,
        record: CallRecord,
        announce: Callable[[], None] | None,
        pace: Pace,
        wait: Callable[[float], bool],
    ) -> None:
        self._stream = stream
        self._left = length
        self._record = record
        self._announce = announce
        self._pace = pace
        self._wait = wait
        self.length = length
        self.cut_after: int | None = None

    @property
    def awaits_announcement(self) -> bool:
        """The client holds its body back; nobody may wait for it."""
        return self._announce is not None and self._left > 0

    def save(self, path: Path) -> None:
        """Write the rest to a file. Raises Dropped when the client goes away before the end."""
        with path.open("wb") as file:
            while block := self._next_block():
                file.write(block)

    def read(self) -> bytes:
        """The rest, for forms. Raises BodyTooLarge."""
        if self._left > _FORM_LIMIT:
            raise BodyTooLarge
        return b"".join(iter(self._next_block, b""))

    def discard(self) -> None:
        while self._next_block():
            pass

    def _next_block(self) -> bytes:
        if not self._left:
            return b""
        if self._announce:
            self._announce()
            self._announce = None
        wanted = self._pace.block(min(self._left, BLOCK))
        if self.cut_after is not None:
            wanted = min(wanted, self.cut_after - self._record.received)
        block = self._stream.read(wanted) if wanted else b""
        self._left -= len(block)
        self._record.received += len(block)
        if len(block) < wanted or not wanted or self._wait(self._pace.delay(len(block))):
            raise Dropped
        return block


@dataclass
class Exchange:
    """One HTTP request."""

    method: str
    path: str
    raw_query: str
    headers: Message
    body: Body
    record: CallRecord
    entity: str = ""
    parameters: dict[str, str] = field(default_factory=dict)

    def read_parameters(self, raw_body: bool = False) -> None:
        """Collect the parameters of the query string and, unless the body is raw data, of a form in the body."""
        self.parameters = dict(urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True))
        forms = ["query"] if self.raw_query else []
        media_type = self.headers.get("Content-Type", "")
        if raw_body:
            forms.append("raw")
        elif self.body.length:
            content = self.body.read()
            multipart = media_type.lower().startswith("multipart/form-data")
            forms.append("multipart" if multipart else "form")
            self.parameters |= _multipart(content, media_type) if multipart else _urlencoded(content)
        self.record.form = " ".join([self.method, "+".join(forms)]).strip()


@dataclass
class Answer:
    """One HTTP answer: what is said, and (for the faults) how it is brought.

    content:            bytes, or the file of which `offset` and `length` give the part that is sent.
    declared_length:    the Content-Length where it lies.
    cut_after:          drop the connection after so many bytes of the body.
    end_after:          end the connection in good order after so many bytes of the body, so that they all arrive.
    seconds_per_byte:   send the body byte by byte.
    hang_seconds:       wait before anything is sent.
    drop:               send nothing and reset the connection.
    """

    status: int
    content: bytes | Path = b""
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    offset: int = 0
    length: int | None = None
    declared_length: int | None = None
    cut_after: int | None = None
    end_after: int | None = None
    seconds_per_byte: float = 0.0
    hang_seconds: float = 0.0
    drop: bool = False

    @property
    def body_length(self) -> int:
        if self.length is not None:
            return self.length
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size - self.offset

    @classmethod
    def of_json(cls, document: Any, status: int = 200) -> Answer:
        return cls(status, json.dumps(document).encode("utf-8"))

    @classmethod
    def of_html(cls, title: str, status: int = 200, text: str = "") -> Answer:
        page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1>{text}</body></html>\n"
        return cls(status, page.encode("utf-8"), "text/html; charset=utf-8")


def _urlencoded(content: bytes) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))


def _multipart(content: bytes, media_type: str) -> dict[str, str]:
    head = f"Content-Type: {media_type}\r\n\r\n".encode("latin-1")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + content)
    values = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            values[name] = payload.decode("utf-8", "replace")
    return values

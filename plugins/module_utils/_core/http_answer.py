# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One whole answer of an HTTP server, and what it says by itself: its document, its kind, how long to wait.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import html
import json
import re
import time
import typing as t
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from .errors import AnswerLostError, UnexpectedAnswerError
from .text import one_line, whole_number

if t.TYPE_CHECKING:
    import requests

DEEPEST_DOCUMENT = 64
"""Levels of lists and objects in one API answer; those of both APIs have less than ten."""

TITLE = re.compile(rb"(?is)<title[^>]*>([^<]*)</title>")
TITLE_WITHIN = 16 * 1024
"""Bytes of a page among which its title is looked for."""

PASSING_STATUSES = frozenset((429, 502, 504))
"""503 only without JSON: Zope answers it, with JSON, for a KeyError in Python code, which stays (measured)."""

MEBIBYTE = 1024 * 1024
LONGEST_DOCUMENT = 64 * MEBIBYTE
"""Bytes of one API answer; a report of 100,000 steps takes about a fifth of it."""


@dataclass(frozen=True)
class Answer:
    """One whole answer of a server."""

    call: str
    status: int
    headers: t.Mapping[str, str]
    body: bytes

    def document(self) -> t.Any:
        """The JSON value of the body.

        :raises UnexpectedAnswerError: it is not JSON, or nested so deep that walking it could exhaust the stack.
        """
        try:
            value = json.loads(self.body)
            if _is_deep(value):
                raise ValueError("nested too deep")
            return value
        except (ValueError, RecursionError) as error:
            raise UnexpectedAnswerError(
                self.call, f"answered {self.status} with {self.describe_body()} instead of JSON", status=self.status
            ) from error

    def describe_body(self) -> str:
        """What the body is, in a few words: for a message about an answer that is not JSON."""
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if not self.body.strip():
            return "an empty body"
        if kind == "text/html" or self.body.lstrip()[:1] == b"<":
            return f"an HTML page titled '{self.page_title}'" if self.page_title else "an HTML page"
        return f"{len(self.body)} bytes of {one_line(kind, 60) or 'no stated type'}"

    @property
    def page_title(self) -> str:
        """The title of an HTML page, which has the reason of a proxy's refusal; empty where there is none."""
        found = TITLE.search(self.body[:TITLE_WITHIN])
        return one_line(html.unescape(found[1].decode("utf-8", "replace")), 80) if found else ""

    @property
    def passes(self) -> bool:
        """Whether the same call may be answered otherwise in a moment."""
        return self.status in PASSING_STATUSES or (self.status == 503 and not self.is_json)

    @property
    def is_json(self) -> bool:
        """Whether the body is a JSON value."""
        try:
            self.document()
        except UnexpectedAnswerError:
            return False
        return True

    @property
    def wait_asked(self) -> str:
        """The sentence for a reader about how long the server asked to wait; empty where it did not."""
        return "" if self.retry_after is None else f"It asks to wait {self.retry_after:.0f} seconds; run again then."

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait, as a number or until a date (RFC 9110, 10.2.3)."""
        asked = self.headers.get("Retry-After", "")
        seconds = whole_number(asked)
        if seconds is not None:
            return float(seconds)
        until = _moment(asked)
        # By the server's own clock, where it sends its time.
        return until and max(0.0, until - (_moment(self.headers.get("Date", "")) or time.time()))


def read_body(response: requests.Response, call: str) -> bytes:
    """The body, if it is of a size that an API answer can have.

    :raises AnswerLostError: it is longer; what it would have said is unknown.
    """
    blocks, size = [], 0
    for block in response.iter_content(MEBIBYTE):
        blocks.append(block)
        size += len(block)
        if size > LONGEST_DOCUMENT:
            limit = LONGEST_DOCUMENT // MEBIBYTE
            raise AnswerLostError(call, f"sent more than {limit} MiB, which no answer of this API is")
    stated = whole_number(response.headers.get("Content-Length", ""))
    if stated not in (None, size) and not response.headers.get("Content-Encoding"):
        raise AnswerLostError(call, f"sent {size} of the {stated} bytes that it announced")
    return b"".join(blocks)


def _moment(date: str) -> float | None:
    """The seconds since the epoch of a date in a header; None for anything else."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _is_deep(value: t.Any) -> bool:
    level = [value]
    for _depth in range(DEEPEST_DOCUMENT):
        containers = [
            item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))
        ]
        if not containers:
            return False
        level = [item for container in containers for item in container]
    return True

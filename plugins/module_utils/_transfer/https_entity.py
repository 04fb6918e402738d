# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an HTTPS server calls an entity, and which part of it a response carries.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._core.errors import CallError

if t.TYPE_CHECKING:
    import requests

PART, NOT_SATISFIABLE = 206, 416
CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18})$")

Open = t.Callable[[int, t.Optional[int], str], "t.ContextManager[requests.Response]"]
"""Opens the response from an offset on, to an end or to the last byte, for an entity that may be empty."""


@dataclass(frozen=True)
class Source:
    """What is fetched: ``call`` names it in messages, ``kind`` is archive or sql.

    ``passes`` tells whether a call that failed may go well later. ``require`` raises where a response and the first
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
        told = tuple(int(group or -1) for group in match.groups()) if match else ()
        tag = tag_of(response.headers)
        same = not tag or not self.tag or tag == self.tag
        return response.status_code == PART and told == (start, end - 1, self.size) and same


def tag_of(headers: t.Mapping[str, str]) -> str:
    """By what an entity is known again in If-Range (RFC 9110, 13.1.5): a strong ETag, or when it last changed."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs in messages and redirects: the name of a call, where a redirect leads, and whether that is the same host.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from urllib.parse import urljoin, urlsplit

from .errors import UnexpectedAnswerError

if t.TYPE_CHECKING:
    import requests


def call_name(method: str, url: str) -> str:
    """The name of a call in messages: method and path, without host and query, which may contain secrets."""
    return f"{method} {urlsplit(url).path or '/'}"


def place(url: str) -> str:
    """Scheme, host and port of a URL: enough to say where a redirect leads, without secrets in its path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def redirect_target(call: str, url: str, response: requests.Response) -> str:
    """The absolute URL that a redirect leads to.

    :raises UnexpectedAnswerError: it is none.
    """
    try:
        target = urljoin(url, response.headers["Location"])
        _origin(target)
    except ValueError as error:
        what = "was redirected to something that is not a URL"
        raise UnexpectedAnswerError(call, what, status=response.status_code) from error
    return target


def same_place(url: str, target: str) -> bool:
    """Whether a redirect stays on the host, or only moves it from http to https on the standard ports."""
    here, there = _origin(url), _origin(target)
    return here == there or (here, there) == (("http", here[1], 80), ("https", here[1], 443))


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)

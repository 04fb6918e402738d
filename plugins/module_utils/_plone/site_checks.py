# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Plone site is asked before and after a change: pages, as a visitor or with credentials, and its catalog.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import html
import re
import secrets
import time
import typing as t
from dataclasses import dataclass

from .._core.clock import FixedPauses
from .._core.errors import AnswerLostError, CallError, NotSentError, OptionError, UpgradeError
from .._core.http_answer import Answer
from .._core.http_client import HttpClient
from .._core.proof import read_until
from .client import PloneClient
from .site_calls import UNCACHED

PAUSES = (0.5, 2.0, 5.0)
"""Seconds between the tries of one check: a client that has just been started answers a moment later."""

LONGEST_WAIT_ASKED = 30
PAGE = {"Accept": "text/html, */*;q=0.8", "Cache-Control": "no-cache"}
SERVICE = {"Accept": "application/json", "Cache-Control": "no-cache"}
CATALOG = "/@search?b_size=1"


def check_arguments() -> dict[str, t.Any]:
    """The options of one check."""
    return {
        "path": {"type": "str", "required": True},
        "status": {"type": "int", "default": 200},
        "contains": {"type": "str", "default": ""},
        "auth": {"type": "bool", "default": False},
    }


@dataclass(frozen=True)
class Check:
    """One question to the site."""

    path: str
    status: int
    contains: str
    auth: bool

    @classmethod
    def of(cls, params: t.Mapping[str, t.Any]) -> Check:
        """The check of one entry of the option ``checks``.

        :raises OptionError: it is none.
        """
        path = params["path"] or ""
        if "://" in path or path.startswith("//") or any(character.isspace() for character in path):
            raise OptionError("checks", f"'path' is relative to the URL of the site, such as /news; not {path!r}.")
        status = params["status"] if params["status"] is not None else 200
        if not 100 <= status <= 599:
            raise OptionError("checks", f"'status' must be from 100 to 599, not {status}.")
        relative = f"/{path.lstrip('/')}" if path.strip("/") else ""
        return cls(relative, status, params["contains"] or "", bool(params["auth"]))

    @property
    def is_redirect(self) -> bool:
        """Whether a redirect is expected, which must not be followed then."""
        return 300 <= self.status < 400

    @property
    def headers(self) -> dict[str, str]:
        """What the question accepts: JSON of a service, otherwise a page."""
        segments = self.path.partition("?")[0].split("/")
        return SERVICE if any(re.match("@[^@]", segment) for segment in segments) else PAGE


def ask(check: Check, visitor: HttpClient, user: HttpClient) -> dict[str, t.Any]:
    """The row of one check: what was asked, and why it failed if it did."""
    started = time.monotonic()
    http = user if check.auth else visitor
    reason = _problem(check, http)
    return {
        **{"path": check.path or "/", "status": check.status, "contains": check.contains, "auth": check.auth},
        **{"passed": not reason, "reason": reason, "seconds": round(time.monotonic() - started, 3)},
    }


def _problem(check: Check, http: HttpClient) -> str:
    def passing(answer: Answer) -> bool:
        return answer.status == check.status or not answer.passes

    try:
        reading = read_until(
            lambda: http.send(
                "GET",
                check.path,
                headers=check.headers,
                # A cache may ignore what clients ask, so it gets a query that it has not seen.
                params={UNCACHED: secrets.token_hex(8)},
                follow=not check.is_redirect,
            ),
            passing,
            FixedPauses(PAUSES, LONGEST_WAIT_ASKED),
            passes=lambda error: isinstance(error, (NotSentError, AnswerLostError)),
            retry_after=lambda answer: answer.retry_after,
        )
    except CallError as error:
        return str(error)
    if reading.state is None or reading.error:
        return str(reading.error)
    answer = reading.state
    if answer.status != check.status:
        return f"{answer.call} answered {answer.status} with {answer.describe_body()} instead of {check.status}."
    text = answer.body.decode("utf-8", "replace")
    if check.contains and check.contains not in text and check.contains not in html.unescape(text):
        return f"{answer.call} answered {answer.describe_body()} that does not contain {check.contains!r}."
    return ""


def catalog_count(client: PloneClient) -> int:
    """How many objects the catalog of the site lists for these credentials.

    :raises CallError: it cannot be read.
    """
    count: int = client.read(CATALOG, lambda document: int(document["items_total"]))
    return count


def require_catalog(before: int, after: int, tolerance: float) -> None:
    """Refuse a catalog whose size changed by more than a part of it.

    :param tolerance: percent of the earlier size.
    :raises UpgradeError: names both sizes.
    """
    if abs(after - before) > before * tolerance / 100:
        raise UpgradeError(
            f"The catalog lists {after} objects instead of {before}, which is more than {tolerance:g} percent away "
            "('catalog_tolerance'). Rebuild the catalog, or find out what is missing."
        )

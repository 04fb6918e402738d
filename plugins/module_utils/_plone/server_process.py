# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What shows that the process of Zope that worked on a change has ended, through whatever stands in front of it.

Statuses of a proxy do not: a balancer answers 502 and 503 as well while a server is too busy for its checks, or while
one of several is restarted. Two facts together do. A FileStorage is open in one process alone, because Zope locks it.
And the control panel of Zope says for how long the process runs.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import time
import typing as t

from .._core.errors import CallError
from .site_calls import SiteCalls

DATABASE_SERVICE = "/@database"
CONTROL_PANEL = "/Control_Panel/manage_main"
"""For managers of the Zope root alone; the same page at the root and, by acquisition, below a site."""

RUNNING_FOR = re.compile(rb"Running For</th>\s*<td[^>]*>([^<]*)</td>")
UNITS = {b"day": 86400, b"hour": 3600, b"min": 60, b"sec": 1}
AMOUNT = re.compile(rb"([0-9]{1,9}) (day|hour|min|sec)")

ABSOLUTE_PATH = re.compile(r"(/|[A-Za-z]:\\).*[^)]", re.DOTALL)
"""A FileStorage is named by its path. A client of ZEO says in parentheses whether it is connected; RelStorage has the
name of its adapter."""

LOOK_EVERY = 60.0
"""Seconds between two looks at the process while nothing failed: the page is one more call to a server at work."""

ROUNDING = 2.0
"""Seconds; the server counts whole ones."""


def seconds_up(client: SiteCalls) -> int | None:
    """For how long the process that answers runs; None where the site does not show that to this user.

    :raises CallError: no answer came back, or that of a gateway.
    """
    answer = client.page(CONTROL_PANEL)
    if answer.status >= 500:
        raise CallError(answer.call, f"was answered {answer.status}", status=answer.status)
    shown = RUNNING_FOR.search(answer.body)
    amounts = AMOUNT.findall(shown[1]) if shown else []
    return sum(int(number) * UNITS[unit] for number, unit in amounts) if amounts else None


def database_is_open_once(client: SiteCalls) -> bool:
    """Whether one process alone can have the database of the site open.

    :raises CallError: it cannot be read.
    """

    def is_file_storage(document: dict[str, t.Any]) -> bool:
        return ABSOLUTE_PATH.fullmatch(document["db_name"]) is not None

    return client.read(DATABASE_SERVICE, is_file_storage)


class ProcessWatch:
    """Looks now and then whether the process that answers was started after a change was posted.

    :param seconds_ago: how long ago that was, at least.
    :param or_more: by how many seconds it may have been longer ago.
    """

    def __init__(self, seconds_ago: t.Callable[[], float], or_more: float = 0) -> None:
        self._seconds_ago = seconds_ago
        self._or_more = or_more
        self._next_look = 0.0
        self._is_shown = True

    def look_again(self) -> None:
        """Look with the next read: the one before failed, so the process may be another one."""
        self._next_look = 0.0

    def is_another(self, client: SiteCalls, *, turned_away: bool) -> bool | None:
        """Whether the process that had the change has ended; None where nothing shows either.

        :param turned_away: whether connections to Zope itself were refused before. Then a process that was started
            later took its place, whatever the database; one that was not started later shows that something else
            refused them.
        """
        if not self._is_shown or time.monotonic() < self._next_look:
            return None
        self._next_look = time.monotonic() + LOOK_EVERY
        # Before the question: an answer that comes late must not make the process younger.
        posted = self._seconds_ago()
        try:
            up = seconds_up(client)
            self._is_shown = up is not None
            if up is None:
                return None
            if posted - up > ROUNDING:
                return turned_away or database_is_open_once(client)
            return False if up - posted > ROUNDING + self._or_more else None
        except CallError:
            self._next_look = 0.0
            return None

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads of a Plone site after a change was posted, and what they show that makes further waiting useless.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import time
import typing as t

from .._core.errors import CallError, NotSentError
from .client import PloneClient
from .server_process import ProcessWatch

UNAUTHORIZED = 401

REFUSED_BEFORE_A_RESTART = 2
"""Reads in a row that no process accepted: one alone can be a full queue of connections."""

LONGEST_DOWN = 120
"""Seconds; a server takes less to be started again, and a process that has ended works on nothing."""

T = t.TypeVar("T")


class Watch:
    """Reads one site, and notices what makes waiting useless.

    ``refused`` is the failure of a read whose credentials were accepted before. ``restarted`` says that the process
    that worked on the change has ended and another one answers; ``down`` that it has ended and none has answered for
    long. Connections that were refused are only believed where Zope itself answered before: a proxy that is restarted
    says nothing about Plone. A process that shows that it was started later is believed behind a proxy as well, see
    :class:`ProcessWatch`.
    """

    def __init__(self) -> None:
        self.refused: CallError | None = None
        self.restarted = False
        self.down = False
        self._process: ProcessWatch | None = None
        self._direct = False
        self._turned_away = 0
        self._since = 0.0

    @property
    def is_over(self) -> bool:
        """Whether waiting is useless."""
        return self.refused is not None or self.restarted or self.down

    def begin_change(self) -> None:
        """From now on, reads are not those of a wait."""
        self._process = None

    def wait_for(self, seconds_ago: t.Callable[[], float], or_more: float = 0) -> None:
        """From now on, reads are those of a wait for a change that was posted so many seconds ago, ``or_more``."""
        self._process = ProcessWatch(seconds_ago, or_more)

    def read(self, client: PloneClient, reader: t.Callable[[PloneClient], T]) -> T:
        """What ``reader`` reads of the site by ``client``.

        :raises CallError: it cannot be read.
        """
        try:
            value = reader(client)
        except CallError as error:
            self._note(error)
            raise
        direct = client.answered_directly
        if self._has_restarted(client):
            # The process that ended may have committed after the read above.
            value = reader(client)
            self.restarted = True
        self.refused, self._direct, self._turned_away = None, direct, 0
        return value

    def _has_restarted(self, client: PloneClient) -> bool:
        """Whether the process that worked on the change has ended, as far as refused connections and Zope show."""
        turned_away = self._direct and self._turned_away >= REFUSED_BEFORE_A_RESTART
        if self._process is None:
            return turned_away
        shown = self._process.is_another(client, turned_away=turned_away)
        return turned_away if shown is None else shown

    def _note(self, error: CallError) -> None:
        if self._process:
            self._process.look_again()
        if error.status == UNAUTHORIZED:
            self.refused = error
        if not (isinstance(error, NotSentError) and error.refused):
            return
        self._since = self._since if self._turned_away else time.monotonic()
        self._turned_away += 1
        self.down = self._direct and time.monotonic() - self._since >= LONGEST_DOWN

    def what_happened(self, what: str) -> str:
        """What ended a wait because of the server, as a sentence; ``what`` is the change that was waited for."""
        if self.restarted:
            return (
                f"Then the server was started anew: another process of it answers now, which knows nothing of {what}."
            )
        return (
            f"Then the server refused connections for {LONGEST_DOWN} seconds: its process has ended, and {what} with "
            "it unless that was committed before."
        )

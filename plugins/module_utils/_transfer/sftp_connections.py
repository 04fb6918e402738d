# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many SFTP connections a transfer uses, and what happens when some of them fail.

One connection is bound by the window of its channel, 2 MiB in a round trip with OpenSSH (measured): only more of them
are faster over a distance.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from .sftp import SftpServer
from .sftp_protocol import SftpBrokenError, SftpError
from .sftp_session import SftpSession
from .workers import work_together

NEAR_SECONDS = 0.005
"""Below this round trip more connections are no faster: they share one processor here (measured)."""

WORTH_A_LOGIN = 4 * 1024 * 1024
"""Bytes to move for each connection: a login takes longer than so much takes over one that is there (measured)."""

WORTH_ANOTHER_LOGIN = 64 * 1024 * 1024
"""Bytes that a connection must have moved to be replaced when it breaks while others work on.

So a server that ends one connection as soon as another one begins is left with one, and a long transfer with many."""

Move = t.Callable[[SftpSession, bool], t.Iterator[int]]
"""Moves what is left over one session (true: the first one); yields the size of each confirmed block."""


class SftpConnections:
    """The connections of one transfer.

    :param most: how many there may be at a time; fewer where the server refuses more, or is near.

    ``used`` is how many of them moved something, at most at a time.
    """

    def __init__(self, server: SftpServer, most: int) -> None:
        self._server = server
        self.most = most
        self.used = 1

    def first(self) -> t.ContextManager[SftpSession]:
        """The connection to begin with."""
        return self._server.session(self.most)

    @contextlib.contextmanager
    def measure_distance(self, requests: int, enough: int) -> t.Iterator[None]:
        """Make so many requests in the body, one by one, and do with few connections where that takes no time.

        :param enough: how many are as fast as any number of them then.
        """
        started = time.monotonic()
        yield
        if time.monotonic() - started < NEAR_SECONDS * requests:
            self.most = min(self.most, enough)

    def work(
        self,
        first: SftpSession,
        move: Move,
        *,
        left: int,
        is_done: t.Callable[[], bool],
        tick: t.Callable[[], None],
        stop: t.Callable[[], None],
    ) -> None:
        """Move everything over the first connection and others.

        :param left: bytes that there are to move.
        :raises SftpBrokenError: all of them broke, or the server refuses to have several; then there will be one.
        :raises SftpError: the server refuses.
        """
        movers: set[int] = set()

        def member(number: int) -> None:
            session: SftpSession | None = None if number else first
            while True:
                moved = 0
                try:
                    with contextlib.nullcontext(session) if session else self._server.another(self.most) as mine:
                        for count in move(mine, session is not None):
                            moved += count
                            movers.add(number)
                    return
                except SftpBrokenError:
                    if moved < WORTH_ANOTHER_LOGIN or self.most == 1:
                        raise
                    session = None
                except SftpError:
                    raise
                except Exception:
                    stop()
                    raise

        count = max(1, min(self.most, left // WORTH_A_LOGIN))
        members = [lambda number=number: member(number) for number in range(count)]
        errors = work_together(members, is_done=is_done, tick=tick, stop=stop)
        self.used = max(self.used, len(movers))
        self._judge(errors, is_done())

    def _judge(self, errors: list[Exception], done: bool) -> None:
        own_faults = [error for error in errors if not isinstance(error, SftpError)]
        if own_faults:
            raise own_faults[0]
        if done:
            return
        if not errors:
            raise SftpBrokenError("The SFTP connections ended before everything was moved.")
        refusals = [error for error in errors if not isinstance(error, SftpBrokenError)]
        if refusals and self.most > 1:
            self.most = 1
            raise SftpBrokenError(str(refusals[0])) from refusals[0]
        raise (refusals or errors)[0]

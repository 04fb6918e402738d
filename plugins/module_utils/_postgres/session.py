# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to a database that stays open: for locks, transactions, and work while others are refused.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import threading
import time
import typing as t

from .._core.process import Running
from .database import MAINTENANCE, SAFE_SESSION, SQL_SECONDS, Server
from .refusal import DatabaseError, refused

LOCK_SECONDS = 3.0
PIPE = 32 * 1024
"""What a pipe takes without a reader on its other end."""


class Session:
    """One connection that stays open: for a lock, and for a transaction in several steps.

    The server ends it, and gives up its locks, when this process ends, however that happens.
    """

    def __init__(self, server: Server, database: str, seconds: float = 24 * 3600) -> None:
        self._database = database
        self._count = 0
        self._running = Running(server.psql(database), server.env, seconds, stdin=subprocess.PIPE)
        self.ask(SAFE_SESSION)

    def ask(self, sql: str) -> str:
        """Run SQL in this connection, and return what it selects.

        :raises DatabaseError: the server refused it; the connection has ended then.
        """
        self._count += 1
        mark = f"siteops-answer-{self._count}"
        # The blank line ends nothing: it separates what follows from a text without a line end.
        data = f"{sql}\n\\echo {mark}\n".encode("utf-8", "surrogatepass")
        if len(data) < PIPE:
            self._send(data)
        else:
            # psql may answer before it has read everything.
            threading.Thread(target=self._send, args=(data,), daemon=True).start()
        lines: list[str] = []
        while line := self._running.output.readline():
            text = line.decode("utf-8", "replace").rstrip("\n")
            if text == mark:
                return "\n".join(lines)
            lines.append(text)
        raise refused(self._database, self._running.end())

    def _send(self, data: bytes) -> None:
        stdin = self._running.process.stdin
        if self._running.write(data) and stdin:
            with contextlib.suppress(BrokenPipeError, ValueError):
                stdin.flush()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: t.Any) -> None:
        self._running.__exit__(*error)


class Inside(Server):
    """The same server, where queries on one database go through a connection that is open already.

    So the database can refuse all others meanwhile.
    """

    def __init__(self, server: Server, session: Session, database: str) -> None:
        super().__init__(server.connection, server.programs)
        self._session = session
        self._database = database

    def execute(self, sql: str, database: str = MAINTENANCE, seconds: float = SQL_SECONDS) -> str:
        """As that of :class:`Server`."""
        return self._session.ask(sql) if database == self._database else super().execute(sql, database, seconds)


@contextlib.contextmanager
def only_run(server: Server, *names: str) -> t.Iterator[None]:
    """Have the names of databases to this run alone, whatever host another run is on.

    :raises DatabaseError: another run has it.
    """
    with Session(server, MAINTENANCE) as session:
        for name in names:
            digest = hashlib.sha256(f"siteops.upgrades:{name}".encode()).digest()
            key = int.from_bytes(digest[:8], "big", signed=True)
            give_up = time.monotonic() + LOCK_SECONDS
            while session.ask(f"SELECT pg_try_advisory_lock({key});") != "t":
                # A run that was killed has its lock until the server notices.
                if time.monotonic() < give_up:
                    time.sleep(0.2)
                    continue
                raise DatabaseError(
                    f"Another run of this collection works on the database {name} at this moment. Nothing was "
                    "done. Wait until it has ended, and run again."
                )
        yield

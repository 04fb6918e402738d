# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PostgreSQL server asked and changed by SQL through psql: queries, the databases it has, who is connected to them.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass

from .._core.errors import UpgradeError
from .._core.process import Ended, Running, ToolError, run
from .connection import Connection, connection_of, conninfo
from .tools import Programs, programs_of

MAINTENANCE = "postgres"
"""The database from which the others are created, renamed and listed."""

SQL_SECONDS = 300
LOCK_SECONDS = 3.0
PIPE = 32 * 1024
"""What a pipe takes without a reader on its other end."""

PSQL = ("-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1")
"""Without psqlrc, only values, no question for a password, and an end at the first error."""

SAFE_SESSION = (
    "SET standard_conforming_strings = on;\nSET statement_timeout = 0;\n"
    "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN"
    " ('idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout') \\g /dev/null\n"
)
"""What each session begins with, whatever is set for the role or the database: every run has a deadline of its own, and
a lock is lost with the session that has it. Not every version of the server has all of these settings."""


class DatabaseError(UpgradeError):
    """The server refused a statement or a connection; the message holds its own words."""


@dataclass(frozen=True)
class Database:
    """What the server says of one database."""

    name: str
    oid: int
    owner: str
    encoding: str
    collate: str
    ctype: str
    accepts_connections: bool
    is_template: bool
    size: int
    comment: str


def identifier(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as SQL writes it, where ``standard_conforming_strings`` is on."""
    return "'" + value.replace("'", "''") + "'"


class Server:
    """One PostgreSQL server. Every query is a psql of its own, and its SQL goes through the standard input."""

    def __init__(self, connection: Connection, programs: Programs) -> None:
        self.connection = connection
        self.programs = programs
        self.env = connection.environment()
        self._version = 0

    @classmethod
    def of(cls, params: t.Mapping[str, t.Any]) -> Server:
        """The server that the options of a module describe.

        :raises OptionError: an option makes no sense.
        :raises ToolError: psql is not installed.
        """
        server = cls(connection_of(params), programs_of(params))
        server.programs.path("psql")
        return server

    @property
    def version(self) -> int:
        """``server_version_num``, such as 150018."""
        if not self._version:
            self._version = int(self.value("SELECT current_setting('server_version_num')"))
        return self._version

    @property
    def major(self) -> int:
        """The major version, such as 15."""
        return self.version // 10000

    def psql(self, database: str) -> list[str]:
        """The command of a psql on a database, for SQL through its standard input."""
        return [self.programs.path("psql"), *PSQL, "-d", conninfo(database)]

    def execute(self, sql: str, database: str = MAINTENANCE, seconds: float = SQL_SECONDS) -> str:
        """Run SQL, and return what it selects.

        :raises DatabaseError: the server refused it; nothing of a transaction is left then.
        """
        try:
            ended = run(self.psql(database), self.env, seconds, text=SAFE_SESSION + sql)
        except ToolError as error:
            raise DatabaseError(f"Database {database}: {error}") from error
        if ended.status:
            raise refused(database, ended)
        return ended.output.decode("utf-8", "replace").strip("\n")

    def value(self, sql: str, database: str = MAINTENANCE) -> str:
        """The one value of a query."""
        return self.execute(sql + ";\n", database)

    def rows(self, sql: str, database: str = MAINTENANCE, seconds: float = SQL_SECONDS) -> list[dict[str, t.Any]]:
        """The rows of a query, with the types that JSON has.

        :raises DatabaseError: the server refused it.
        """
        text = self.execute(f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) q;\n", database, seconds)
        try:
            return json.loads(text)
        except ValueError as error:
            raise DatabaseError(f"Database {database}: psql returned something other than rows.") from error

    def find(self, name: str) -> Database | None:
        """The database of a name, None if there is none."""
        found = self.databases(f"datname = {literal(name)}")
        return found[0] if found else None

    def databases(self, condition: str = "true") -> list[Database]:
        """The databases for which an SQL condition on pg_database is true."""
        # The size of a database that another role closed cannot be read by everybody.
        rows = self.rows(
            "SELECT datname AS name, d.oid::bigint AS oid, pg_get_userbyid(datdba) AS owner,"
            " pg_encoding_to_char(encoding) AS encoding, coalesce(datcollate, '') AS collate,"
            " coalesce(datctype, '') AS ctype, datallowconn AS accepts_connections, datistemplate AS is_template,"
            " CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) ELSE 0 END AS size,"
            " coalesce(shobj_description(d.oid, 'pg_database'), '') AS comment"
            f" FROM pg_database d WHERE {condition} ORDER BY datname"
        )
        return [Database(**row) for row in rows]

    def require(self, name: str, option: str = "database") -> Database:
        """The database of a name.

        :raises DatabaseError: there is none.
        """
        found = self.find(name)
        if not found:
            raise DatabaseError(
                f"Option '{option}': there is no database {name} on {self.place}. Check the name and the server.",
                option=option,
            )
        return found

    def require_readable(self, name: str, option: str = "database") -> Database:
        """The database of a name that accepts connections.

        :raises DatabaseError: there is none, or it refuses connections.
        """
        found = self.require(name, option)
        if not found.accepts_connections:
            raise DatabaseError(
                f"Option '{option}': the database {name} refuses connections, as a restored copy does until it is "
                "neutralised. Neutralise it with odoo_database_neutralize, or open it as its owner with "
                "ALTER DATABASE ... ALLOW_CONNECTIONS true.",
                option=option,
            )
        return found

    @property
    def place(self) -> str:
        """The server in words."""
        host = self.connection.host or self.env.get("PGHOST", "")
        port = self.connection.port or self.env.get("PGPORT", "")
        return f"the server {host or 'on this host'}{f', port {port}' if port else ''}"

    def connections(self, *names: str) -> list[dict[str, t.Any]]:
        """Who is connected to these databases, this run excepted."""
        listed = ", ".join(map(literal, names))
        return self.rows(
            "SELECT datname AS database, usename AS \"user\", coalesce(application_name, '') AS application,"
            " coalesce(host(client_addr), 'local') AS client, coalesce(state, '') AS state, pid"
            f" FROM pg_stat_activity WHERE datname IN ({listed}) AND pid <> pg_backend_pid()"
            # The server ends autovacuum by itself where it is in the way; only that has no user. What a session of
            # another role does, backend_type too, is null for a role that may not see it.
            " AND usename IS NOT NULL AND backend_type IS DISTINCT FROM 'autovacuum worker' ORDER BY pid"
        )

    @contextlib.contextmanager
    def only_run(self, *names: str) -> t.Iterator[None]:
        """Have the names of databases to this run alone, whatever host another run is on.

        :raises DatabaseError: another run has it.
        """
        with Session(self, MAINTENANCE) as session:
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


def refused(database: str, ended: Ended) -> DatabaseError:
    """The failure of a statement or a connection, with the server's words and what can be done."""
    words = ended.words
    hint = ""
    for part, advice in ADVICE:
        if part in words:
            hint = advice
            break
    return DatabaseError(
        f"Database {database}: psql failed: {words.rstrip('.')}. {hint}".rstrip(),
        failure={"call": "psql", "status": ended.status, "database": database},
    )


ADVICE = (
    ("password authentication failed", "Check the options 'login_user' and 'login_password'."),
    ("no password supplied", "Give 'login_password', or a line for this server in a password file of libpq."),
    ("Peer authentication failed", "Run the task as that role's system user with become_user, or set 'login_host'."),
    ("is not currently accepting connections", "The database refuses connections."),
    ("is being accessed by other users", "Stop the service that uses it, or set 'terminate' where there is one."),
    ("permission denied to create database", "The role needs CREATEDB: ALTER ROLE ... CREATEDB as a superuser."),
    ("permission denied to rename database", "The role needs CREATEDB: ALTER ROLE ... CREATEDB as a superuser."),
    ("must be owner of database", "Connect as the owner of the database, or as a superuser."),
    ("LC_COLLATE locale name", "Set 'collate' to a locale that the server has, such as C."),
    ("permission denied to copy database", "Set 'template' to template0, or to a database that the role may copy."),
    ("root certificate file", "Name the file of the CA in PGSSLROOTCERT, or set 'ssl_mode' to require."),
    ("certificate verify failed", "The certificate is not of the CA that PGSSLROOTCERT names."),
    ("does not match host name", "Set 'login_host' to a name that the certificate has."),
    ("server does not support SSL", "Set 'ssl_mode' to prefer, or have the server offer TLS."),
    ("could not connect to server", "Check the options 'login_host' and 'login_port'."),
    ("Connection refused", "Check the options 'login_host' and 'login_port', and that the server runs."),
    ("No such file or directory", "Check the options 'login_host' and 'login_unix_socket', and that the server runs."),
    ("No space left on device", "Make room on the disk of the database server, and run again."),
)

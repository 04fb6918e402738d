# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PostgreSQL server asked and changed by SQL through psql: queries, the databases it has, who is connected to them.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .._core.process import ToolError, run
from .connection import Connection, connection_of, conninfo
from .refusal import DatabaseError, refused
from .tools import Programs, programs_of

MAINTENANCE = "postgres"
"""The database from which the others are created, renamed and listed."""

SQL_SECONDS = 300

PSQL = ("-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1")
"""Without psqlrc, only values, no question for a password, and an end at the first error."""

SAFE_SESSION = (
    "SET standard_conforming_strings = on;\nSET statement_timeout = 0;\n"
    "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN"
    " ('idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout') \\g /dev/null\n"
)
"""What each session begins with, whatever is set for the role or the database: every run has a deadline of its own, and
a lock is lost with the session that has it. Not every version of the server has all of these settings."""


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

    def reached(self) -> tuple[str, str]:
        """The host, or the folder of the socket, and the port that psql has connected to.

        Whatever named them: an option, a variable, the file of a service, or the default of psql's build.
        """
        host, port = self.execute("\\echo :HOST\n\\echo :PORT\n").splitlines()
        return host, port

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

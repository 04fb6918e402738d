# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole database of any application: dumped to a file, restored beside the others, renamed, and dropped again.

Only a database that bears the comment of this module is ever dropped.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import typing as t

from .._core.errors import UpgradeError
from .._core.process import Ended, Running, ToolError, run
from .connection import conninfo, database_name
from .database import Server, identifier, literal
from .refusal import DatabaseError
from .session import only_run
from .tools import pg_dump_for

MARK = "siteops.upgrades: restored by plone_restore or plone_backup"
TRANSACTION_TIMEOUT = 'unrecognized configuration parameter "transaction_timeout"'
"""What an older server says of the one setting that every pg_restore from 17 on makes; it changes nothing here."""


class WholeDatabases:
    """The databases of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @classmethod
    def of(cls, params: t.Mapping[str, t.Any]) -> WholeDatabases | None:
        """The server that the options of a module describe; None where they name no database.

        :raises OptionError: an option makes no sense.
        :raises ToolError: psql is not installed.
        """
        if not params["database"]:
            return None
        database_name(params["database"])
        return cls(Server.of(params))

    @property
    def place(self) -> str:
        """The server in words."""
        return self.server.place

    @property
    def environment(self) -> dict[str, str]:
        """The variables of libpq."""
        return {name: value for name, value in self.server.env.items() if name.startswith("PG")}

    def owner(self, database: str) -> str:
        """The owner of a database; empty if there is no such database."""
        found = self.server.find(database)
        return found.owner if found else ""

    def rows(self, sql: str, database: str, seconds: float) -> list[dict[str, t.Any]]:
        """The rows of a query."""
        return self.server.rows(sql, database, seconds)

    def connected(self, database: str) -> list[str]:
        """Who is connected to a database."""
        rows = self.server.connections(database)
        return [f"{row['user']} ({row['application'] or row['client']}, pid {row['pid']})" for row in rows]

    def only_run(self, database: str) -> contextlib.AbstractContextManager[None]:
        """Have the name of a database to this run alone."""
        return only_run(self.server, database)

    def dump(self, database: str, path: str, seconds: float) -> None:
        """Dump a database with its large objects to an archive of pg_dump.

        :raises ToolError: pg_dump failed or is older than the server.
        """
        programs = pg_dump_for(self.server.programs, self.server.major)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        command = [programs.path("pg_dump"), "-w", "--no-owner", "--no-privileges", "--format=c"]
        command += ["--file", path, "-d", conninfo(database)]
        with Running(command, self.server.env, seconds, stdout=subprocess.DEVNULL) as pg_dump:
            _require_success("pg_dump", pg_dump.end(), database)

    def restore(self, path: str, database: str, owner: str, seconds: float) -> None:
        """Restore a dump to a new database.

        :param owner: the role that owns it and everything in it; the role that connects if empty.
        :raises UpgradeError: it cannot be made or restored. It is dropped again.
        """
        name = identifier(database_name(database))
        owned = f" OWNER {identifier(owner)}" if owner else ""
        # In one call, but not in one transaction, which a database cannot be made in.
        self.server.execute(
            f"CREATE DATABASE {name}{owned} TEMPLATE template0 ENCODING 'UTF8';\n"
            f"COMMENT ON DATABASE {name} IS {literal(MARK)};\n",
            seconds=seconds,
        )
        try:
            programs = pg_dump_for(self.server.programs, self.server.major)
            command = [programs.path("pg_restore"), "-w", "--no-owner", "--no-privileges", "-d", conninfo(database)]
            if owner:
                command.append(f"--role={owner}")
            ended = run([*command, path], self.server.env, seconds)
            if not _is_only_of_timeout(ended):
                _require_success("pg_restore", ended, database)
        except BaseException:
            with contextlib.suppress(UpgradeError):
                self.drop_made(database)
            raise

    def drop_made(self, database: str) -> None:
        """Drop a database that was made here, if it is there.

        :raises DatabaseError: there is one of that name that was not made here.
        """
        found = self.server.find(database)
        if not found:
            return
        # A run that was killed between its two statements left one without a comment, and without anything in it.
        if found.comment != MARK and (found.comment or self._has_tables(database)):
            raise DatabaseError(
                f"There is a database {database} that this collection did not make, and its name is needed. Drop or "
                "rename it, and run again."
            )
        self.server.execute(f"DROP DATABASE {identifier(database)} WITH (FORCE);\n")

    def _has_tables(self, database: str) -> bool:
        rows = self.server.rows("SELECT count(*) AS n FROM pg_class WHERE relkind = 'r' AND oid >= 16384", database)
        return bool(rows[0]["n"])

    def rename(self, database: str, name: str) -> None:
        """Rename a database that nobody is connected to; it is none of those that may be dropped any more.

        :raises DatabaseError: somebody is connected, or the server refuses for another reason.
        """
        new = identifier(database_name(name))
        self.server.execute(
            f"BEGIN;\nALTER DATABASE {identifier(database)} RENAME TO {new};\n"
            f"COMMENT ON DATABASE {new} IS NULL;\nCOMMIT;\n"
        )


def _is_only_of_timeout(ended: Ended) -> bool:
    errors = [line for line in ended.errors.splitlines() if "ERROR:" in line]
    return ended.status == 1 and len(errors) == 1 and TRANSACTION_TIMEOUT in errors[0]


def _require_success(program: str, ended: Ended, database: str) -> None:
    if ended.status:
        raise ToolError(
            f"{program} failed: {ended.words.rstrip('.')}. Earlier backups and the database are as they were.",
            failure={"call": program, "status": ended.status, "database": database},
        )

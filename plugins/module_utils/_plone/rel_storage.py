# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A RelStorage on PostgreSQL: dumped whole by pg_dump, and restored as a database beside the present one.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import typing as t

from .._core.errors import OptionError, UpgradeError
from .._core.files import BusyError
from .backup_folder import RELSTORAGE, Backup
from .backup_manifest import are_blobs_as
from .database_server import DatabaseServer
from .file_storage import give_to_owner
from .folder_swap import Names
from .instance_programs import Contents, Programs
from .storage import PLACE, ReadBack, Storage

DUMP = "database.dump"
NAMED = "database:"
"""How the name of a database begins among the names that are exchanged."""

LONGEST_NAME = 63
"""Bytes of the name of a database; PostgreSQL cuts longer ones silently."""

QUERY_SECONDS = 21600.0
HAS_HISTORY = (
    "SELECT to_regclass('transaction') IS NOT NULL AS history, to_regclass('object_state') IS NOT NULL AS found"
)
OF_HISTORY = "SELECT coalesce(max(tid), 0) AS last FROM transaction"
OF_OBJECTS = "SELECT coalesce(max(tid), 0) AS last FROM object_state"
CONTENTS = """
SELECT count(*) AS states, count(DISTINCT zoid) AS objects, count(DISTINCT tid) AS transactions,
 coalesce(sum(('x' || substr(md5(zoid || ' ' || tid || ' ' || coalesce(md5(state), '')), 1, 15))::bit(60)::bigint), 0)
 ::text AS states_sum,
 (SELECT coalesce(sum(('x' || substr(md5(zoid || ' ' || tid || ' ' || chunk_num), 1, 15))::bit(60)::bigint), 0)
 FROM blob_chunk)::text AS chunks_sum
 FROM object_state
"""
"""Adds up a hash of every state and of every part of a blob: the same for the same database, in whatever order."""

DAMAGED = "SELECT count(*) AS damaged FROM object_state WHERE md5 IS NOT NULL AND md5 <> md5(state)"
"""RelStorage keeps the MD5 of each state where it keeps the history."""


class DatabaseNames(Names):
    """Names of files, and with a prefix those of databases."""

    def __init__(self, server: DatabaseServer) -> None:
        self.server = server

    def exists(self, name: str) -> bool:
        """Whether there is such a file or database."""
        return bool(self.server.owner(name[len(NAMED) :])) if name.startswith(NAMED) else super().exists(name)

    def rename(self, name: str, other: str) -> None:
        """Rename either."""
        if name.startswith(NAMED):
            self.server.rename(name[len(NAMED) :], other[len(NAMED) :])
        else:
            super().rename(name, other)

    def with_ending(self, name: str, ending: str) -> str:
        """A database's name goes on with '_', so that it needs no quotes in SQL."""
        if not name.startswith(NAMED):
            return super().with_ending(name, ending)
        longer = f"{name}_{ending[1:]}"
        if len(longer.encode("utf-8", "surrogatepass")) > len(NAMED) + LONGEST_NAME:
            option = "database" if ending == PLACE else "keep_as"
            raise OptionError(option, f"{longer[len(NAMED) :]} has more than the {LONGEST_NAME} bytes that a name has.")
        return longer


class RelStorage(Storage):
    """The storage in a database of a PostgreSQL server."""

    option = "database"
    part = RELSTORAGE

    def __init__(self, programs: Programs, blobs: str, server: DatabaseServer, database: str, scratch: str) -> None:
        """``scratch`` is the name of a database that is made to read a backup, and dropped."""
        super().__init__(programs, blobs)
        self.server = server
        self.database = database
        self.scratch = scratch
        self.names = DatabaseNames(server)
        self.warnings: list[str] = []

    @property
    def place(self) -> str:
        """The database and its server."""
        return f"the database {self.database} on {self.server.place}"

    def last_transaction(self) -> str:
        """As the tables of RelStorage have it.

        :raises OptionError: there is no such database, or it is no RelStorage.
        """
        self._require_database()
        row = self.server.rows(HAS_HISTORY, self.database, QUERY_SECONDS)[0]
        if not row["found"]:
            raise OptionError("database", f"{self.database} is no RelStorage: it has no table object_state.")
        query = OF_HISTORY if row["history"] else OF_OBJECTS
        last = int(self.server.rows(query, self.database, QUERY_SECONDS)[0]["last"])
        if not last:
            raise OptionError("database", f"{self.database} has no transaction, so there is nothing to back up.")
        return f"0x{last:016x}"

    def _require_database(self) -> None:
        if not self.server.owner(self.database):
            raise OptionError("database", f"there is no database {self.database} on {self.server.place}.")

    def write(self, folder: str, base: Backup | None, seconds: float) -> str:
        """By pg_dump; each is a full one."""
        os.mkdir(folder, 0o700)
        self.server.dump(self.database, os.path.join(folder, DUMP), seconds)
        return ""

    def read_back(self, files: str, blobs: str, scratch: str, seconds: float, what: str) -> ReadBack:
        """By pg_restore to a database of its own, by SQL, and by the instance's RelStorage."""
        self.server.drop_made(self.scratch)
        try:
            self.server.restore(os.path.join(files, DUMP), self.scratch, "", seconds)
            contents = self._read(self.scratch, blobs, seconds, what)
            found = ReadBack(contents, os.path.getsize(os.path.join(files, DUMP)), self._digest(self.scratch, seconds))
        except BaseException:
            with contextlib.suppress(UpgradeError):
                self.server.drop_made(self.scratch)
            raise
        self.server.drop_made(self.scratch)
        return found

    def _read(self, database: str, blobs: str, seconds: float, what: str) -> Contents:
        history = self.server.rows(HAS_HISTORY, database, seconds)[0]["history"]
        counted = self.server.rows(CONTENTS, database, seconds)[0]
        damaged = self.server.rows(DAMAGED, database, seconds)[0]["damaged"] if history else 0
        if damaged:
            raise UpgradeError(f"{what} is damaged: {damaged} objects differ from the MD5 that RelStorage stored.")
        contents = self.programs.read_relstorage(
            {**self.server.environment, "PGDATABASE": database}, bool(history), blobs, seconds, what
        )
        return dataclasses.replace(contents, objects=counted["objects"], transactions=counted["transactions"])

    def _digest(self, database: str, seconds: float) -> str:
        row = self.server.rows(CONTENTS, database, seconds)[0]
        return hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest()

    # Restore

    @property
    def journal(self) -> str:
        """Beside the blobs. Without any there is nothing but the names of databases, which say how far a run came."""
        return os.path.join(os.path.dirname(self.blobs), f".siteops-restore-{self.database}.json") if self.blobs else ""

    @property
    def busy(self) -> str:
        """Names who is connected."""
        connected = ", ".join(self.server.connected(self.database)[:5]) or "somebody"
        return (
            f"{connected} is connected to the database {self.database}, so nothing was changed. Stop every process "
            "that uses this database first, and start it again afterwards."
        )

    def is_busy(self) -> bool:
        """Whether somebody is connected."""
        return bool(self.server.connected(self.database))

    @contextlib.contextmanager
    def kept_out(self) -> t.Iterator[None]:
        """Look who is connected. The server renames no database that somebody is connected to later on."""
        with self.server.only_run(self.database):
            if self.is_busy():
                raise BusyError(self.busy)
            yield

    def is_as(self, backup: Backup) -> bool:
        """By a hash of every state."""
        if not self.server.owner(self.database):
            return False
        if not self.server.rows(HAS_HISTORY, self.database, QUERY_SECONDS)[0]["found"]:
            return False
        if self._digest(self.database, QUERY_SECONDS) != backup.database_sha256:
            return False
        return are_blobs_as(backup, self.blobs)

    @property
    def _place(self) -> str:
        return self.names.with_ending(f"{NAMED}{self.database}", PLACE)[len(NAMED) :]

    def restore_beside(self, backup: Backup, blobs: str, seconds: float) -> Contents:
        """By pg_restore, for the owner of the present database."""
        owner = self.server.owner(self.database)
        self.server.restore(os.path.join(backup.files, DUMP), self._place, owner, seconds)
        what = f"What {backup.path} restores"
        contents = self._read(self._place, blobs, seconds, what)
        if self._digest(self._place, seconds) != backup.database_sha256:
            raise UpgradeError(f"{what} differs from what was verified. Nothing was changed. Use another backup.")
        if blobs:
            give_to_owner(self.blobs if os.path.exists(self.blobs) else os.path.dirname(self.blobs), blobs)
        return contents

    def clear_restored(self) -> None:
        """Drop the database that was restored."""
        self.server.drop_made(self._place)

    def parts(self) -> list[tuple[str, str]]:
        """The database."""
        return [(f"{NAMED}{self.database}", f"{NAMED}{self._place}")]

    def folders(self, backup: Backup) -> list[tuple[str, int]]:
        """The disk of the database server cannot be seen from here."""
        return []

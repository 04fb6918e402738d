# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database in which a dump becomes a database: made with a mark, dropped on a failure, renamed at the end.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import hashlib
import typing as t
from dataclasses import dataclass

from .._core.clock import utc_now, utc_text
from .._core.errors import OptionError
from .database import Database, Server, identifier, literal
from .refusal import DatabaseError

UNFINISHED = "siteops.upgrades: unfinished restore of"


@dataclass(frozen=True)
class NewDatabase:
    """How the database is made; see the options of the module."""

    owner: str
    template: str
    collate: str
    connections: bool


class TemporaryDatabase:
    """One for each name to restore into. Its comment marks it: only what bears it was made by such a restore."""

    def __init__(self, server: Server, database: str) -> None:
        self.server = server
        self.database = database
        name = f"restore of {database}".encode("utf-8", "surrogatepass")
        self.name = f"siteops_{hashlib.sha256(name).hexdigest()[:24]}"
        self._mark = f"{UNFINISHED} {database}."

    def require_ours(self) -> None:
        """Find before anything is made whether the name is free, or that of a run that was killed.

        :raises DatabaseError: somebody else has it.
        """
        left = self.server.find(self.name)
        if left and not self._is_ours(left):
            raise DatabaseError(f"There is a database {self.name} that no run of this job made. Drop it, if it may go.")

    def create(self, new: NewDatabase, settings: t.Mapping[str, str], seconds: float) -> None:
        """Make it anew, whatever a killed run left of it: no other run works on this name now.

        It is a template meanwhile: those are never in Odoo's list of databases, so no scheduled action is run in it.

        :param settings: of PostgreSQL, for every connection to it until it gets its name.
        :raises UpgradeError: the server refuses, or the template has tables.
        """
        name = identifier(self.name)
        self.drop()
        owner = f" OWNER {identifier(new.owner)}" if new.owner else ""
        collate = f" LC_COLLATE {literal(new.collate)}" if new.collate else ""
        self.server.execute(
            f"CREATE DATABASE {name}{owner} TEMPLATE {identifier(new.template)} ENCODING 'UTF8'{collate}"
            f" IS_TEMPLATE true;\nCOMMENT ON DATABASE {name} IS {literal(self._mark)};\n"
            + "".join(f"ALTER DATABASE {name} SET {each} = {value};\n" for each, value in settings.items()),
            seconds=seconds,
        )
        if self.server.rows(
            "SELECT 1 AS one FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = 'public' AND relkind = 'r' LIMIT 1",
            self.name,
        ):
            raise OptionError("template", f"{new.template} has tables; use template0.")

    def drop(self) -> None:
        """Drop it, if it is there."""
        found = self.server.find(self.name)
        if not found or not self._is_ours(found):
            return
        name = identifier(found.name)
        self.server.execute(f"ALTER DATABASE {name} IS_TEMPLATE false;\nDROP DATABASE {name} WITH (FORCE);\n")

    @contextlib.contextmanager
    def dropped_on_failure(self) -> t.Iterator[None]:
        """Leave nothing of it behind when the body fails."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(DatabaseError):
                self.drop()
            raise

    def become_real(self, new: NewDatabase, sha256: str) -> None:
        """Give it the name, and the hash of its dump as the comment.

        :raises DatabaseError: another database got the name meanwhile.
        """
        existing = self.server.find(self.database)
        if existing:
            raise DatabaseError(f"Meanwhile another database got the name {existing.name}. Nothing was overwritten.")
        name = identifier(self.name)
        done = f"siteops.upgrades: restored from sha256:{sha256} at {utc_text(utc_now())}"
        self.server.execute(
            f"BEGIN;\nSET LOCAL synchronous_commit = on;\n"
            f"ALTER DATABASE {name} RESET ALL;\nCOMMENT ON DATABASE {name} IS {literal(done)};\n"
            f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {'true' if new.connections else 'false'}"
            f" IS_TEMPLATE false;\nALTER DATABASE {name} RENAME TO {identifier(self.database)};\nCOMMIT;\n"
        )

    def _is_ours(self, found: Database) -> bool:
        return found.comment in ("", self._mark)

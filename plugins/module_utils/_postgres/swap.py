# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two databases exchanged: both names in one transaction, their filestores under a journal, and the way back the same.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import replace

from .._core.errors import UpgradeError
from .database import Database, Server, identifier, literal
from .other_connections import allow, keep_out, require_nobody
from .refusal import DatabaseError
from .session import only_run
from .swap_journal import SwapJournal, SwapRecord
from .swap_mark import SwapMark, set_comment, without_mark
from .swap_names import REVERTED, SWAPPED, SwapPlan, databases_of


class Swap:
    """One swap, or the way back."""

    def __init__(self, server: Server, plan: SwapPlan) -> None:
        self.server = server
        self.plan = plan
        self.warnings: list[str] = []
        self._changed = False
        self.folders = plan.folders
        self.journal = SwapJournal(plan)

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Exchange the databases, or find that it is done.

        :raises UpgradeError: nothing was exchanged then, or the message says what is left to do.
        """
        self.folders.require_writable()
        before = self._oids()
        if check_mode:
            self._changed = self._plan_only()
        else:
            with only_run(self.server, self.plan.database, self.plan.upgraded, self.plan.keep_as):
                self._finish_earlier()
                self._exchange()
        after = self._oids() if not check_mode else self._oids_after(before)
        return {
            "changed": self._changed,
            "databases": after,
            "diff": {"before": _lines(before), "after": _lines(after)},
        }

    def _oids(self) -> dict[str, int]:
        names = (self.plan.database, self.plan.upgraded, self.plan.keep_as)
        found = {name: self.server.find(name) for name in names}
        return {name: database.oid for name, database in found.items() if database}

    def _oids_after(self, before: dict[str, int]) -> dict[str, int]:
        if not self._changed or self.plan.coming not in before:
            return before
        return {self.plan.database: before[self.plan.coming], self.plan.away: before[self.plan.database]}

    def _plan_only(self) -> bool:
        """Whether a run would change something.

        :raises UpgradeError: it would fail.
        """
        if self.journal.read():
            return True
        found = self._databases()
        if not found:
            return bool(self.folders.moves())
        self.folders.require_possible()
        self._require_nobody(*found)
        return True

    def _databases(self) -> tuple[Database, Database] | None:
        found = databases_of(self.server, self.plan)
        if not found and not self.server.require(self.plan.database).accepts_connections:
            self.warnings.append(f"The database {self.plan.database} refuses connections.")
        return found

    def _require_nobody(self, *databases: Database) -> None:
        """Refuse while somebody is connected, unless connections may be ended."""
        if not self.plan.terminate:
            require_nobody(self.server, *(database.name for database in databases))

    def _finish_earlier(self) -> None:
        """Finish what a killed run began, in whichever direction that was.

        :raises UpgradeError: it cannot be finished.
        """
        record = self.journal.read()
        if not record:
            return
        earlier = replace(self.plan, state=self._direction(record))
        present = self.server.find(record.database)
        if present and present.oid == record.coming_oid:
            try:
                earlier.folders.rename()
            except OSError as error:
                raise UpgradeError(
                    f"The databases are exchanged, but a folder in {self.plan.filestore_dir} cannot be renamed: "
                    f"{error.strerror}. Mend that and run again; the journal {self.journal.path} keeps what is left."
                ) from error
        # Whichever of the two has the name now: it is the one in service.
        allow(self.server, record.database, True)
        self._changed = True
        self.journal.remove()

    def _direction(self, record: SwapRecord) -> str:
        return SWAPPED if record.away == self.plan.keep_as else REVERTED

    def _exchange(self) -> None:
        found = self._databases()
        if not found:
            # A run without a journal, such as one by hand, may have left the folders.
            with self._folder_failures():
                self._changed = self.folders.rename() or self._changed
            return
        present, coming = found
        self.folders.require_possible()
        self._require_nobody(present, coming)
        with self._folder_failures():
            self.journal.write(
                SwapRecord(self.plan.database, self.plan.away, self.plan.coming, present.oid, coming.oid)
            )
        try:
            keep_out(self.server, present.name, coming.name, terminate=self.plan.terminate)
            self._rename(present, self.plan.away, coming, self.plan.database)
        except BaseException:
            self._reopen(present, coming)
            raise
        try:
            self.folders.rename()
        except OSError as error:
            self._rename_back(present, coming)
            self._reopen(present, coming)
            raise UpgradeError(
                f"A folder in {self.plan.filestore_dir} cannot be renamed: {error.strerror}. The databases have their "
                "old names again, and nothing is exchanged."
            ) from error
        allow(self.server, self.plan.database, True)
        self._changed = True
        self.journal.remove()

    def _rename(self, present: Database, present_to: str, coming: Database, coming_to: str) -> None:
        """Give both their names, or neither. Where no folders follow, the new one is open with the same commit."""
        opened = "" if self.plan.filestore_dir else f"ALTER DATABASE {identifier(coming_to)} ALLOW_CONNECTIONS true;\n"
        mark = SwapMark(present.name, coming.name)
        comments = set_comment(present, present_to, mark.comment(present.comment))
        comments += set_comment(coming, coming_to, without_mark(coming.comment))
        self.server.execute(
            f"BEGIN;\nALTER DATABASE {identifier(present.name)} RENAME TO {identifier(present_to)};\n"
            f"ALTER DATABASE {identifier(coming.name)} RENAME TO {identifier(coming_to)};\n{comments}{opened}COMMIT;\n"
        )

    def _rename_back(self, present: Database, coming: Database) -> None:
        """Give both the names and comments that they had before this run."""
        aside, service = self.plan.away, self.plan.database
        comments = f"COMMENT ON DATABASE {identifier(present.name)} IS {literal(present.comment)};\n"
        comments += f"COMMENT ON DATABASE {identifier(coming.name)} IS {literal(coming.comment)};\n"
        self.server.execute(
            f"BEGIN;\nALTER DATABASE {identifier(service)} RENAME TO {identifier(coming.name)};\n"
            f"ALTER DATABASE {identifier(aside)} RENAME TO {identifier(present.name)};\n{comments}COMMIT;\n"
        )

    def _reopen(self, *databases: Database) -> None:
        """Let connections in where they were before this run."""
        # Where that fails, the journal stays, and the next run opens the database.
        with contextlib.suppress(DatabaseError, OSError):
            for database in databases:
                allow(self.server, database.name, database.accepts_connections)
            self.journal.remove()

    @contextlib.contextmanager
    def _folder_failures(self) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UpgradeError(
                f"The folder {self.plan.filestore_dir} cannot be changed: {error.strerror}. Nothing was exchanged."
            ) from error


def _lines(oids: t.Mapping[str, int]) -> str:
    """Which database has which name, for the diff."""
    return "".join(f"{name}: database {oid}\n" for name, oid in sorted(oids.items()))

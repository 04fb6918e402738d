# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two databases exchanged: both names in one transaction, their filestores under a journal, and the way back the same.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
from dataclasses import asdict, dataclass, replace

from .._core.errors import UpgradeError
from .._core.files import remove_if_exists, write_atomically
from .database import Database, DatabaseError, Server, identifier, literal
from .filestore_swap import FilestoreSwap
from .other_connections import allow, keep_out, require_nobody
from .swap_mark import WORDS, SwapMark, mark_of, set_comment, without_mark

SWAPPED, REVERTED = "swapped", "reverted"
MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class SwapPlan:
    """What a swap is asked for; see the options of the module."""

    database: str
    upgraded: str
    keep_as: str
    filestore_dir: str
    state: str
    terminate: bool

    @property
    def away(self) -> str:
        """The name that the present database gets."""
        return self.keep_as if self.state == SWAPPED else self.upgraded

    @property
    def coming(self) -> str:
        """The name of the database that takes its place."""
        return self.upgraded if self.state == SWAPPED else self.keep_as

    @property
    def folders(self) -> FilestoreSwap:
        """The folders that are renamed with the databases."""
        return FilestoreSwap(self.filestore_dir, self.database, self.coming, self.away)


@dataclass(frozen=True)
class Journal:
    """What a run is about to do, on disk before the first change. It is removed when everything is done."""

    database: str
    away: str
    coming: str
    present_oid: int
    coming_oid: int


class Swap:
    """One swap, or the way back."""

    def __init__(self, server: Server, plan: SwapPlan) -> None:
        self.server = server
        self.plan = plan
        self.warnings: list[str] = []
        self._changed = False
        self.folders = plan.folders
        self._journal_path = (
            os.path.join(plan.filestore_dir, f".siteops-swap-{plan.database}.json") if plan.filestore_dir else ""
        )

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Exchange the databases, or find that it is done.

        :raises UpgradeError: nothing was exchanged then, or the message says what is left to do.
        """
        self.folders.require_writable()
        before = self._oids()
        if check_mode:
            self._changed = self._plan_only()
        else:
            with self.server.only_run(self.plan.database, self.plan.upgraded, self.plan.keep_as):
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
        if self._journal():
            return True
        found = self._databases()
        if not found:
            return bool(self.folders.moves())
        self.folders.require_possible()
        self._require_nobody(*found)
        return True

    def _databases(self) -> tuple[Database, Database] | None:
        """The present database and the one to come; None if they are exchanged already.

        :raises DatabaseError: the names fit neither.
        """
        plan = self.plan
        present, coming, away = (self.server.find(name) for name in (plan.database, plan.coming, plan.away))
        if present and away and not coming:
            self._require_swapped(away)
            if not present.accepts_connections:
                self.warnings.append(f"The database {plan.database} refuses connections.")
            return None
        if not present:
            raise DatabaseError(
                f"Option 'database': there is no database {plan.database} on {self.server.place}.", option="database"
            )
        if not coming:
            option = "upgraded" if plan.state == SWAPPED else "keep_as"
            raise DatabaseError(
                f"Option '{option}': there is no database {plan.coming} on {self.server.place}, so there is nothing to "
                f"put in the place of {plan.database}.",
                option=option,
            )
        if away:
            option = "keep_as" if plan.state == SWAPPED else "upgraded"
            raise DatabaseError(
                f"Option '{option}': there is a database {plan.away} already, and nothing is overwritten. "
                "Give another name, or drop it if it may go.",
                option=option,
            )
        return present, coming

    def _require_swapped(self, away: Database) -> None:
        """Refuse to believe by the names alone that the databases are exchanged.

        :raises DatabaseError: another swap, or none, made them what they are.
        """
        plan = self.plan
        mark = mark_of(away.comment)
        option = "upgraded" if plan.state == SWAPPED else "keep_as"
        if mark:
            if mark == SwapMark(plan.database, plan.coming):
                return
            raise DatabaseError(
                f"Option '{option}': there is no database {plan.coming} on {self.server.place}, and {plan.away} was "
                f"put aside when {mark.coming} got the name {mark.database}. Nothing was exchanged. Check the names.",
                option=option,
            )
        if plan.state == SWAPPED:
            raise DatabaseError(
                f"Option 'upgraded': there is no database {plan.coming} on {self.server.place}, and nothing says that "
                f"it got the name {plan.database}: the comment of {plan.away} has no mark of a swap. Nothing was "
                "exchanged. Check the names.",
                option=option,
            )
        for other in self.server.databases(f"shobj_description(d.oid, 'pg_database') LIKE {literal(f'%{WORDS}%')}"):
            if mark_of(other.comment) == SwapMark(plan.database, plan.away):
                raise DatabaseError(
                    f"Option 'keep_as': there is no database {plan.coming} on {self.server.place}, and the database of "
                    f"before is kept as {other.name}. Nothing was exchanged. Check the names.",
                    option=option,
                )

    def _require_nobody(self, *databases: Database) -> None:
        """Refuse while somebody is connected, unless connections may be ended."""
        if not self.plan.terminate:
            require_nobody(self.server, *(database.name for database in databases))

    # Journal

    def _journal(self) -> Journal | None:
        """What an earlier run did not finish.

        :raises UpgradeError: the journal cannot be read, or is that of another job.
        """
        if not self._journal_path:
            return None
        try:
            with open(self._journal_path, encoding="utf-8") as file:
                journal = Journal(**json.loads(file.read(MOST_BYTES)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise UpgradeError(
                f"The journal {self._journal_path} of an earlier swap cannot be read. Compare the names of databases "
                "and folders by hand, and remove it."
            ) from error
        if {journal.away, journal.coming} != {self.plan.upgraded, self.plan.keep_as}:
            raise UpgradeError(
                f"An earlier swap of {journal.database} with {journal.coming} (to {journal.away}) did not finish. "
                "Run that one again first, with its options."
            )
        return journal

    def _finish_earlier(self) -> None:
        """Finish what a killed run began, in whichever direction that was.

        :raises UpgradeError: it cannot be finished.
        """
        journal = self._journal()
        if not journal:
            return
        earlier = replace(self.plan, state=self._direction(journal))
        present = self.server.find(journal.database)
        if present and present.oid == journal.coming_oid:
            try:
                earlier.folders.rename()
            except OSError as error:
                raise UpgradeError(
                    f"The databases are exchanged, but a folder in {self.plan.filestore_dir} cannot be renamed: "
                    f"{error.strerror}. Mend that and run again; the journal {self._journal_path} keeps what is left."
                ) from error
        # Whichever of the two has the name now: it is the one in service.
        allow(self.server, journal.database, True)
        self._changed = True
        remove_if_exists(self._journal_path)

    def _direction(self, journal: Journal) -> str:
        return SWAPPED if journal.away == self.plan.keep_as else REVERTED

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
        if self._journal_path:
            content = Journal(self.plan.database, self.plan.away, self.plan.coming, present.oid, coming.oid)
            with self._folder_failures():
                write_atomically(self._journal_path, json.dumps(asdict(content)) + "\n")
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
        if self._journal_path:
            remove_if_exists(self._journal_path)

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
            if self._journal_path:
                remove_if_exists(self._journal_path)

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

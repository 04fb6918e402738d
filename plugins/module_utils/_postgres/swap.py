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
import time
import typing as t
from dataclasses import asdict, dataclass

from .._core.errors import OptionError, UpgradeError
from .._core.files import remove_if_exists, rename_durably, write_atomically
from .database import Database, DatabaseError, Server, identifier, literal
from .swap_mark import WORDS, SwapMark, mark_of, set_comment, without_mark

SWAPPED, REVERTED = "swapped", "reverted"
TERMINATE_SECONDS = 20
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
        self._journal_path = (
            os.path.join(plan.filestore_dir, f".siteops-swap-{plan.database}.json") if plan.filestore_dir else ""
        )

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Exchange the databases, or find that it is done.

        :raises UpgradeError: nothing was exchanged then, or the message says what is left to do.
        """
        self._require_folders_readable()
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
            return bool(self._moves())
        self._require_moves()
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

    # Connections

    def _require_nobody(self, present: Database, coming: Database) -> None:
        """Refuse while somebody is connected, unless connections may be ended.

        :raises DatabaseError: says who is.
        """
        others = self.server.connections(present.name, coming.name)
        if others and not self.plan.terminate:
            who = "; ".join(
                sorted(
                    {f"{each['database']}: {each['user']} ({each['application']}), {each['client']}" for each in others}
                )
            )
            raise DatabaseError(
                f"{len(others)} connections are open, so nothing was exchanged: {who}. Stop the Odoo service first; "
                "with 'terminate' connections are ended, but a running Odoo keeps the old registry.",
                connections=others,
            )

    def _close(self, *names: str) -> None:
        """Refuse new connections and end those that are there.

        :raises DatabaseError: they cannot be ended.
        """
        for name in names:
            self._allow(name, False)
        others = self.server.connections(*names)
        if others and not self.plan.terminate:
            raise DatabaseError(
                f"{len(others)} connections were opened meanwhile. Nothing was exchanged. Stop the Odoo service first.",
                connections=others,
            )
        give_up = time.monotonic() + TERMINATE_SECONDS
        while others:
            self.server.rows(
                "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity"
                f" WHERE pid IN ({', '.join(str(int(each['pid'])) for each in others)})"
            )
            time.sleep(0.1)
            others = self.server.connections(*names)
            if others and time.monotonic() > give_up:
                raise DatabaseError(
                    f"{len(others)} connections did not end, so nothing was exchanged.", connections=others
                )

    def _allow(self, name: str, allowed: bool) -> None:
        self.server.execute(f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS {'true' if allowed else 'false'};\n")

    # Folders

    def _folder(self, name: str) -> str:
        return os.path.join(self.plan.filestore_dir, name)

    def _require_folders_readable(self) -> None:
        folder = self.plan.filestore_dir
        if folder and not os.path.isdir(folder):
            raise OptionError("filestore_dir", f"there is no folder {folder}.")
        if folder and not os.access(folder, os.W_OK | os.X_OK):
            raise OptionError("filestore_dir", f"the folder {folder} cannot be written to.")

    def _moves(self) -> list[tuple[str, str]]:
        """The renames of folders that are left to do, found by the names that are there."""
        if not self.plan.filestore_dir:
            return []
        present, coming, away = (
            os.path.lexists(self._folder(name)) for name in (self.plan.database, self.plan.coming, self.plan.away)
        )
        moves = []
        if present and coming and not away:
            moves.append((self.plan.database, self.plan.away))
        if coming and (not present or moves):
            moves.append((self.plan.coming, self.plan.database))
        return moves

    def _require_moves(self) -> None:
        """Refuse before anything moves what would stop a folder.

        :raises OptionError: names the folder.
        """
        if not self.plan.filestore_dir:
            return
        away, coming, present = (self._folder(name) for name in (self.plan.away, self.plan.coming, self.plan.database))
        if os.path.lexists(away):
            raise OptionError(
                "filestore_dir", f"there is a folder {away} already. Nothing was exchanged: move it away."
            )
        if os.path.lexists(present) and not os.path.isdir(coming):
            raise OptionError(
                "filestore_dir",
                f"there is no folder {coming}, so the database that comes would lack its files. Nothing was exchanged: "
                "merge the filestore first with odoo_filestore_merge.",
            )

    def _move_folders(self) -> None:
        """Rename the folders.

        :raises OSError: one cannot be renamed; those that were are renamed back.
        """
        done: list[tuple[str, str]] = []
        try:
            for source, dest in self._moves():
                rename_durably(self._folder(source), self._folder(dest))
                done.append((source, dest))
                self._changed = True
        except OSError:
            for source, dest in reversed(done):
                with contextlib.suppress(OSError):
                    rename_durably(self._folder(dest), self._folder(source))
            raise

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
        earlier = Swap(self.server, SwapPlan(**{**asdict(self.plan), "state": self._direction(journal)}))
        present = self.server.find(journal.database)
        if present and present.oid == journal.coming_oid:
            try:
                earlier._move_folders()
            except OSError as error:
                raise UpgradeError(
                    f"The databases are exchanged, but a folder in {self.plan.filestore_dir} cannot be renamed: "
                    f"{error.strerror}. Mend that and run again; the journal {self._journal_path} keeps what is left."
                ) from error
        # Whichever of the two has the name now: it is the one in service.
        self._allow(journal.database, True)
        self._changed = True
        remove_if_exists(self._journal_path)

    def _direction(self, journal: Journal) -> str:
        return SWAPPED if journal.away == self.plan.keep_as else REVERTED

    def _exchange(self) -> None:
        found = self._databases()
        if not found:
            # A run without a journal, such as one by hand, may have left the folders.
            with self._folder_failures():
                self._move_folders()
            return
        present, coming = found
        self._require_moves()
        self._require_nobody(present, coming)
        if self._journal_path:
            content = Journal(self.plan.database, self.plan.away, self.plan.coming, present.oid, coming.oid)
            with self._folder_failures():
                write_atomically(self._journal_path, json.dumps(asdict(content)) + "\n")
        try:
            self._close(present.name, coming.name)
            self._rename(present, self.plan.away, coming, self.plan.database)
        except BaseException:
            self._reopen(present, coming)
            raise
        try:
            self._move_folders()
        except OSError as error:
            self._rename_back(present, coming)
            self._reopen(present, coming)
            raise UpgradeError(
                f"A folder in {self.plan.filestore_dir} cannot be renamed: {error.strerror}. The databases have their "
                "old names again, and nothing is exchanged."
            ) from error
        self._allow(self.plan.database, True)
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
                self._allow(database.name, database.accepts_connections)
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

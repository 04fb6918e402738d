# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dump made a database: restored under a temporary name, verified, and only then given its own.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._core.clock import Deadline
from .._core.errors import OptionError
from .._core.progress import Progress
from .._transfer.dump_check import CheckedDump, check_dump, require_rows, weaknesses
from .._transfer.dump_forms import DIRECTORY, TAR, TAR_GZ
from .._transfer.recognise import recognise
from .database import Database, Server, literal
from .dump_hash import DumpHash
from .dump_restorer import DumpRestorer
from .dump_source import SqlSource, newest_pg_restore, require_parent
from .filestore import STAT, compare, needed_by
from .odoo_facts import modules_of, series_of
from .refusal import DatabaseError
from .restore_words import NO_ODOO, naming_src
from .session import only_run
from .temporary_database import NewDatabase, TemporaryDatabase

DONE = re.compile(r"siteops\.upgrades: restored from sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class RestorePlan:
    """What a restore is asked for; see the options of the module."""

    src: str
    database: str
    new: NewDatabase
    jobs: int
    filestore_dest: str
    expect_version: str
    skip_settings: bool
    timeout: int


class Restore:
    """One restore. What it makes before the end has a name of its own, which no Odoo looks at."""

    def __init__(self, server: Server, plan: RestorePlan, progress: Progress) -> None:
        self.server = server
        self.plan = plan
        self.progress = progress
        self.deadline = Deadline(plan.timeout)
        self.warnings: list[str] = []
        self._restored: dict[str, t.Any] = {}
        with naming_src():
            self.form = recognise(plan.src)
            self._hash = DumpHash(plan.src)
        self.temporary = TemporaryDatabase(server, plan.database)
        self._restorer = DumpRestorer(server, plan.src, self.form, plan.new.owner, plan.skip_settings, self.deadline)

    @property
    def sha256(self) -> str:
        """That of the dump; waits until it is known.

        :raises OptionError: the dump cannot be read.
        """
        self.progress.state("reading the dump", self.plan.timeout)
        with naming_src():
            return self._hash.value()

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Restore, or find that it is done.

        :raises UpgradeError: the dump is damaged, the name is taken, or the server refuses; the name is as it was.
        """
        existing = self._existing()
        if existing:
            files = self._unpack_files(check_mode)
            return self._result(bool(files["added"]), files, self._facts(existing))
        self._require_possible()
        if check_mode:
            with naming_src():
                not_checked = self._check().not_checked
                self._restorer.require_usual_head()
            return self._result(True, self._unpack_files(True), {"version": "", "modules": 0}, not_checked)
        with only_run(self.server, self.plan.database):
            existing = self._existing()
            if not existing:
                with naming_src():
                    self._into_temporary()
                files = self._finish_or_drop()
                return self._result(True, files, self._restored, weaknesses(self.plan.src, self.form))
        return self._result(False, self._unpack_files(False), self._facts(existing))

    def _result(
        self,
        changed: bool,
        files: dict[str, t.Any],
        facts: dict[str, t.Any],
        not_checked: t.Iterable[str] | None = None,
    ) -> dict[str, t.Any]:
        dump = {
            "path": os.path.abspath(self.plan.src),
            "form": self.form.name,
            "sha256": self.sha256,
            "dumped_from": self.form.dumped_from,
            "dumped_by": self.form.dumped_by,
            **({} if not_checked is None else {"not_checked": list(not_checked)}),
        }
        return {"changed": changed, "database": self.plan.database, "dump": dump, "filestore": files, **facts}

    def _existing(self) -> Database | None:
        """The database, if it was restored from this dump.

        :raises DatabaseError: another database has the name.
        """
        existing = self.server.find(self.plan.database)
        if not existing:
            return None
        found = DONE.search(existing.comment)
        if found and found[1] == self.sha256:
            return existing
        what = (
            f"was restored from another dump (sha256 {found[1][:12]}…)" if found else "was not restored from this dump"
        )
        raise DatabaseError(
            f"Option 'database': there is a database {existing.name} already, and it {what}. Nothing is overwritten: "
            "restore under another name and swap with odoo_database_swap, or drop the old one yourself.",
            option="database",
        )

    def _require_possible(self) -> None:
        """Find before anything is made what would stop the restore.

        :raises UpgradeError: names the option and the remedy.
        """
        if self.plan.new.owner and not self.server.rows(
            f"SELECT 1 AS one FROM pg_roles WHERE rolname = {literal(self.plan.new.owner)}"
        ):
            raise OptionError("owner", f"there is no role {self.plan.new.owner} on {self.server.place}.")
        if not self.server.find(self.plan.new.template):
            raise OptionError("template", f"there is no database {self.plan.new.template} on {self.server.place}.")
        if self.plan.filestore_dest:
            require_parent(self.plan.filestore_dest)
        rights = self.server.rows("SELECT rolcreatedb OR rolsuper AS may FROM pg_roles WHERE rolname = current_user")
        if not (rights and rights[0]["may"]):
            raise DatabaseError(
                "The role that connects may not create databases. As a superuser: ALTER ROLE ... CREATEDB."
            )
        self.temporary.require_ours()
        self._restorer.read_list()

    def _check(self) -> CheckedDump:
        programs = newest_pg_restore(self.server.programs)
        return check_dump(self.plan.src, programs, self.deadline.remaining, self.form)

    def _into_temporary(self) -> None:
        """Make the temporary database and restore into it; on any failure it is dropped again."""
        if self.form.name == DIRECTORY:
            require_rows(self.plan.src)
        if self.form.name in (TAR, TAR_GZ):
            # pg_restore may not end on a tar archive that was cut, and the checksum of a tar.gz is behind its members.
            check_dump(self.plan.src, None, self.deadline.remaining, self.form)
        self._restorer.require_usual_head()
        with self.temporary.dropped_on_failure():
            settings = self._restorer.settings_meanwhile(self.plan.jobs)
            self.temporary.create(self.plan.new, settings, self.deadline.remaining)
            self.progress.state("restoring", self.plan.timeout)
            self._restorer.restore(self.temporary.name, self.plan.jobs, self.progress)

    def _finish_or_drop(self) -> dict[str, t.Any]:
        """Verify the temporary database, unpack the files that belong to it, and give it its name."""
        with self.temporary.dropped_on_failure():
            self.progress.state("verifying", self.plan.timeout)
            self._restored = self._facts_in(self.temporary.name)
            files = self._unpack_files(False, self.temporary.name)
            sha256 = self.sha256
            with naming_src():
                self._hash.require_unchanged()
            self.temporary.become_real(self.plan.new, sha256)
        return files

    def _facts_in(self, database: str) -> dict[str, t.Any]:
        """What was restored.

        :raises UpgradeError: it is no database of Odoo, or not of the version that was expected.
        """
        modules = modules_of(self.server, database)
        version = series_of(modules)
        if not version:
            raise DatabaseError(NO_ODOO)
        if self.plan.expect_version and version != self.plan.expect_version:
            raise OptionError(
                "expect_version", f"the dump is of Odoo {version}, not {self.plan.expect_version}. Nothing was kept."
            )
        return {"version": version, "modules": len(modules)}

    def _facts(self, existing: Database) -> dict[str, t.Any]:
        return self._facts_in(existing.name) if existing.accepts_connections else {"version": "", "modules": 0}

    def _unpack_files(self, check_mode: bool, database: str = "") -> dict[str, t.Any]:
        """The files of a zip or tar.gz, added to the filestore; and what the database needs that is not there."""
        found: dict[str, t.Any] = {"added": 0, "present": 0}
        dest = self.plan.filestore_dest
        if not dest:
            return found
        source = SqlSource(self.plan.src, self.form, self.server.programs, self.deadline)
        found.update(source.unpack_files(dest, check_mode, read_present=bool(database) or check_mode))
        if database:
            compared = compare(needed_by(self.server, database), [dest], STAT)
            found.update(compared.as_result())
            if not compared.is_whole:
                self.warnings.append(
                    f"The filestore {dest} is not whole: {compared.words()}. "
                    "Add the files of the origin with odoo_filestore_merge."
                )
        return found

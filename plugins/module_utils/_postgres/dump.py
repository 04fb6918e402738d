# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database dumped to a file or folder: written beside its place, read to its end, and only then given its name.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import dataclass

from .._core.clock import Deadline
from .._core.errors import UpgradeError
from .._core.files import locked_file, remove_if_exists
from .._core.progress import Progress
from .._transfer.dump_check import check_dump
from .database import Database, Server
from .dump_hash import sha256_of
from .dump_place import clear_remains, is_collection, prepare, remove, replace, require_place, size_of
from .dump_records import Record, collected_dumps, new_path, newest_verified, remove_beyond
from .dump_source import newest_pg_restore
from .dump_writer import DumpWriter, Modules
from .filestore import MOST_NAMED
from .odoo_facts import modules_of, series_of, tables_of
from .tools import Programs, pg_dump_for

LOCK_SECONDS = 5


@dataclass(frozen=True)
class DumpPlan:
    """What a dump is asked for; see the options of the module."""

    database: str
    dest: str
    form: str
    filestore: str
    jobs: int
    keep: int | None
    if_older_than: int | None
    timeout: int

    @property
    def into_folder(self) -> bool:
        """Whether dumps are collected in a folder under names of their own."""
        return is_collection(self.dest)


class Dump:
    """One dump."""

    def __init__(self, server: Server, plan: DumpPlan, progress: Progress) -> None:
        self.server = server
        self.plan = plan
        self.progress = progress
        self.deadline = Deadline(plan.timeout)
        self.warnings: list[str] = []

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Dump, or find that a verified dump is young enough.

        :raises UpgradeError: nothing at the destination has changed then.
        """
        require_place(self.plan.dest, self.plan.form, self.plan.keep)
        database = self.server.require_readable(self.plan.database)
        programs = pg_dump_for(self.server.programs, self.server.major)
        modules = modules_of(self.server, database.name) if self._is_odoo(database) else {}
        young = newest_verified(
            self.plan.dest, self.plan.into_folder, database.name, self.plan.form, self.plan.filestore
        )
        if young and self.plan.if_older_than is not None and young.age < self.plan.if_older_than:
            return self._result(young, False, self._rotate(check_mode, 0))
        record = Record.planned(
            new_path(self.plan.dest, database.name, self.plan.form) if self.plan.into_folder else self.plan.dest,
            database.name,
            self.plan.form,
        )
        if check_mode:
            return self._result(record, True, self._rotate(True, 1))
        lock = f"{os.path.join(self.plan.dest, database.name) if self.plan.into_folder else self.plan.dest}.lock"
        busy = f"Another run dumps to {self.plan.dest} at this moment. Wait until it has ended, and run again."
        try:
            with locked_file(lock, LOCK_SECONDS, busy):
                try:
                    if self.plan.into_folder:
                        clear_remains(self.plan.dest, database.name)
                    record = self._write(programs, record, database.name, modules)
                    removed = self._rotate(False, 0)
                finally:
                    remove_if_exists(lock)
        except OSError as error:
            raise UpgradeError(
                f"The dump {record.path} cannot be written: {error.strerror}. Earlier dumps are as they were."
            ) from error
        return self._result(record, True, removed)

    def _is_odoo(self, database: Database) -> bool:
        return "ir_module_module" in tables_of(self.server, database.name)

    def _write(self, programs: Programs, record: Record, database: str, modules: Modules) -> Record:
        plan = self.plan
        part = prepare(record.path)
        try:
            self.progress.state("dumping", plan.timeout)
            writer = DumpWriter(self.server, programs, plan.form, plan.filestore, plan.jobs, self.deadline)
            missing = writer.write(part, database, modules)
            self.progress.state("verifying", plan.timeout)
            checked = check_dump(part, newest_pg_restore(programs), self.deadline.remaining)
            if checked.form.name != plan.form:
                raise UpgradeError(f"pg_dump ended with success, but wrote a dump of the form {checked.form.name}.")
            done = record.verified(
                size=size_of(part),
                sha256=sha256_of(part),
                version=series_of(modules),
                pg_dump=".".join(map(str, programs.version("pg_dump"))),
                server_version=self.server.version,
                files=checked.files,
                filestore=plan.filestore and os.path.abspath(plan.filestore),
                missing_files=len(missing),
            )
            # Before the dump gets its name: a dump with a wrong record is dumped again, one without is never removed.
            done.save()
            replace(part, record.path)
        except BaseException:
            with contextlib.suppress(OSError):
                remove(part)
            raise
        if missing:
            self.warnings.append(
                f"{len(missing)} files that attachments of {database} need are not in {plan.filestore}, and "
                f"so not in the dump: {', '.join(missing[:MOST_NAMED])}."
            )
        return done

    def _rotate(self, check_mode: bool, coming: int) -> list[str]:
        """Remove the oldest verified dumps of this database beyond the number to keep; which they are."""
        if self.plan.keep is None:
            return []
        beyond = collected_dumps(self.plan.dest, self.plan.database, self.plan.form)[max(self.plan.keep - coming, 0) :]
        return remove_beyond(beyond, check_mode)

    def _result(self, record: Record, changed: bool, removed: list[str]) -> dict[str, t.Any]:
        return {
            "changed": changed or bool(removed),
            "dumped": changed,
            "dest": os.path.abspath(record.path),
            "dump": record.as_result(),
            "removed": removed,
        }

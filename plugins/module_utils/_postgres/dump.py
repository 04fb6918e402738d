# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database dumped to a file or folder: written beside its place, read to its end, and only then given its name.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import typing as t
import zipfile
from dataclasses import dataclass

from .._core.clock import Deadline
from .._core.errors import OptionError, UpgradeError
from .._core.files import locked_file, remove_if_exists, rename_durably
from .._core.process import Ended, Running, ToolError
from .._core.progress import Progress
from .._transfer.dump_check import FILESTORE, check_dump
from .._transfer.dump_forms import CUSTOM, DIRECTORY, SQL_GZ, SQL_MEMBER, ZIP
from .connection import conninfo
from .database import Database, Server
from .dump_hash import sha256_of
from .dump_records import Record, collected_dumps, new_path, newest_verified, remove_beyond
from .dump_source import newest_pg_restore
from .filestore import MOST_NAMED, needed_by, path_of, stored_files
from .odoo_facts import modules_of, series_of, tables_of
from .tools import pg_dump_for

BLOCK = 1024 * 1024
FOLDER_FORM, PLAIN = "d", "p"
PG_DUMP_FORMS = {CUSTOM: "c", DIRECTORY: FOLDER_FORM, SQL_GZ: PLAIN, ZIP: PLAIN}
PART, OLD = ".part", ".siteops-old"
"""What this module puts behind the name of a dump: while it is written, and of the folder that it replaces."""

LEVEL = 5
"""Of compression: a third less processor time than the 6 of pg_dump for 3 % more bytes (a database of Odoo 16), which
pays for reading the dump again."""

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
        return os.path.isdir(self.dest) and not os.path.exists(os.path.join(self.dest, "toc.dat"))


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
        self._require_place()
        database = self.server.require_readable(self.plan.database)
        self.programs = pg_dump_for(self.server.programs, self.server.major)
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
                    record = self._write(record, database, modules)
                    removed = self._rotate(False, 0)
                finally:
                    remove_if_exists(lock)
        except OSError as error:
            raise UpgradeError(
                f"The dump {record.path} cannot be written: {error.strerror}. Earlier dumps are as they were."
            ) from error
        return self._result(record, True, removed)

    def _require_place(self) -> None:
        parent = os.path.dirname(os.path.abspath(self.plan.dest))
        if not os.path.isdir(parent):
            raise OptionError("dest", f"there is no folder {parent}.")
        folder = self.plan.dest if self.plan.into_folder else parent
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OptionError("dest", f"the folder {folder} cannot be written to.")
        if self.plan.dest.endswith("/") and not os.path.isdir(self.plan.dest):
            raise OptionError("dest", f"there is no folder {self.plan.dest}.")
        if self.plan.keep is not None and not self.plan.into_folder:
            raise OptionError("keep", "needs a folder for 'dest', in which the dumps get names of their own.")
        there = self.plan.dest
        if (
            not self.plan.into_folder
            and os.path.lexists(there)
            and os.path.isdir(there) != (self.plan.form == DIRECTORY)
        ):
            raise OptionError("dest", f"{there} is there already, and no dump of the form {self.plan.form}.")

    def _is_odoo(self, database: Database) -> bool:
        return "ir_module_module" in tables_of(self.server, database.name)

    def _write(self, record: Record, database: Database, modules: t.Mapping[str, t.Mapping[str, str]]) -> Record:
        part = f"{record.path}{PART}"
        _restore_old(record.path)
        _remove(part)
        try:
            self.progress.state("dumping", self.plan.timeout)
            missing: list[str] = []
            if self.plan.form == ZIP:
                missing = self._write_zip(part, database.name, modules)
            else:
                self._run_pg_dump(part, database.name)
            self.progress.state("verifying", self.plan.timeout)
            checked = check_dump(part, newest_pg_restore(self.programs), self.deadline.remaining)
            if checked.form.name != self.plan.form:
                raise UpgradeError(f"pg_dump ended with success, but wrote a dump of the form {checked.form.name}.")
            done = record.verified(
                size=_size(part),
                sha256=sha256_of(part),
                version=series_of(modules),
                pg_dump=".".join(map(str, self.programs.version("pg_dump"))),
                server_version=self.server.version,
                files=checked.files,
                filestore=self.plan.filestore and os.path.abspath(self.plan.filestore),
                missing_files=len(missing),
            )
            # Before the dump gets its name: a dump with a wrong record is dumped again, one without is never removed.
            done.save()
            _replace(part, record.path)
        except BaseException:
            with contextlib.suppress(OSError):
                _remove(part)
            raise
        if missing:
            self.warnings.append(
                f"{len(missing)} files that attachments of {database.name} need are not in {self.plan.filestore}, and "
                f"so not in the dump: {', '.join(missing[:MOST_NAMED])}."
            )
        return done

    def _command(self, name: str) -> list[str]:
        command = [self.programs.path("pg_dump"), "-w", "--no-owner", f"--format={PG_DUMP_FORMS[self.plan.form]}"]
        return [*command, "-d", conninfo(name)]

    def _run_pg_dump(self, part: str, name: str) -> None:
        """Have pg_dump write a file or folder that nobody else can read."""
        command = [*self._command(name), "--file", part]
        if self.plan.form == DIRECTORY:
            os.mkdir(part, 0o700)
            command.append(f"--jobs={self.plan.jobs}")
        else:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        command.append(f"--compress={LEVEL}")
        with Running(command, self.server.env, self.deadline.remaining, stdout=subprocess.DEVNULL) as pg_dump:
            self._require_success(pg_dump.end())

    def _require_success(self, ended: Ended) -> None:
        if ended.status:
            raise ToolError(
                f"pg_dump failed: {ended.words.rstrip('.')}. Nothing was kept, and earlier dumps are as they were.",
                failure={"call": "pg_dump", "status": ended.status, "database": self.plan.database},
            )

    def _write_zip(self, part: str, name: str, modules: t.Mapping[str, t.Mapping[str, str]]) -> list[str]:
        """Write the zip of Odoo's own form; returns the files of attachments that are not in the filestore.

        The database comes first: a file that is written meanwhile is then one too many, and never one too few.
        """
        needed = {file.name for file in needed_by(self.server, name)} if self.plan.filestore else set()
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with (
            os.fdopen(descriptor, "w+b") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL, strict_timestamps=False) as archive,
        ):
            with (
                archive.open(SQL_MEMBER, "w", force_zip64=True) as member,
                Running(self._command(name), self.server.env, self.deadline.remaining) as pg_dump,
            ):
                while block := pg_dump.output.read(BLOCK):
                    member.write(block)
                self._require_success(pg_dump.end())
            archive.writestr("manifest.json", json.dumps(self._manifest(name, modules), indent=4))
            if not self.plan.filestore:
                return []
            for stored, _status in stored_files(self.plan.filestore):
                path = path_of(self.plan.filestore, stored)
                # A file that the garbage collector took meanwhile belongs to no attachment any more.
                with contextlib.suppress(FileNotFoundError):
                    if path:
                        archive.write(path, f"{FILESTORE}{stored}", compresslevel=1)
                        needed.discard(stored)
        return sorted(needed & {file.name for file in needed_by(self.server, name)})

    def _manifest(self, name: str, modules: t.Mapping[str, t.Mapping[str, str]]) -> dict[str, t.Any]:
        """What Odoo writes about its dump, as far as the database knows it."""
        series = series_of(modules)
        numbers = [int(part) for part in series.split(".") if part.isdigit()]
        return {
            "odoo_dump": "1",
            "db_name": name,
            "version": series,
            "version_info": [*numbers, 0, "final", 0, ""] if len(numbers) == 2 else [],
            "major_version": series,
            "pg_version": f"{self.server.major}.0",
            "modules": {each: module["version"] for each, module in modules.items() if module["state"] == "installed"},
        }

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


def _size(path: str) -> int:
    if os.path.isdir(path):
        return sum(os.path.getsize(os.path.join(path, name)) for name in os.listdir(path))
    return os.path.getsize(path)


def _remove(path: str) -> None:
    """Remove what an earlier run left under a temporary name."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        remove_if_exists(path)


def _replace(part: str, dest: str) -> None:
    """Give the verified dump its name. A folder cannot be replaced in one step: the old one is kept until the end."""
    if not os.path.isdir(part):
        rename_durably(part, dest)
        return
    _remove(f"{dest}{OLD}")
    if os.path.lexists(dest):
        os.rename(dest, f"{dest}{OLD}")
    rename_durably(part, dest)
    _remove(f"{dest}{OLD}")


def _restore_old(dest: str) -> None:
    """Give an old folder its name back, where a run was killed between the two steps of :func:`_replace`."""
    if not os.path.lexists(dest) and os.path.isdir(f"{dest}{OLD}"):
        os.rename(f"{dest}{OLD}", dest)

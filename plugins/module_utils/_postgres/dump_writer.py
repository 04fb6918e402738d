# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database written by pg_dump to a file or folder, or into the zip of Odoo's own form, which has the filestore too.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import typing as t
import zipfile

from .._core.clock import Deadline
from .._core.process import Ended, Running, ToolError
from .._transfer.dump_check import FILESTORE
from .._transfer.dump_forms import CUSTOM, DIRECTORY, SQL_GZ, SQL_MEMBER, ZIP
from .connection import conninfo
from .database import Server
from .filestore import needed_by, path_of, stored_files
from .odoo_facts import series_of
from .tools import Programs

Modules = t.Mapping[str, t.Mapping[str, str]]
"""What a database says of each module; see :func:`odoo_facts.modules_of`."""

BLOCK = 1024 * 1024
FOLDER_FORM, PLAIN = "d", "p"
PG_DUMP_FORMS = {CUSTOM: "c", DIRECTORY: FOLDER_FORM, SQL_GZ: PLAIN, ZIP: PLAIN}

LEVEL = 5
"""Of compression: a third less processor time than the 6 of pg_dump for 3 % more bytes (a database of Odoo 16), which
pays for reading the dump again."""


class DumpWriter:
    """What writes one database in one form, with the programs of one version.

    :param filestore: its folder, for the form zip; empty for none.
    """

    def __init__(
        self, server: Server, programs: Programs, form: str, filestore: str, jobs: int, deadline: Deadline
    ) -> None:
        self.server = server
        self.programs = programs
        self.form = form
        self.filestore = filestore
        self.jobs = jobs
        self.deadline = deadline

    def write(self, part: str, database: str, modules: Modules) -> list[str]:
        """Write the dump to a path where nothing is; the files of attachments that are not in the filestore.

        :raises ToolError: pg_dump failed; what it wrote is still there.
        :raises OSError: the path cannot be written.
        """
        if self.form == ZIP:
            return self._write_zip(part, database, modules)
        self._run_pg_dump(part, database)
        return []

    def _command(self, database: str) -> list[str]:
        command = [self.programs.path("pg_dump"), "-w", "--no-owner", f"--format={PG_DUMP_FORMS[self.form]}"]
        return [*command, "-d", conninfo(database)]

    def _run_pg_dump(self, part: str, database: str) -> None:
        """Have pg_dump write a file or folder that nobody else can read."""
        command = [*self._command(database), "--file", part]
        if self.form == DIRECTORY:
            os.mkdir(part, 0o700)
            command.append(f"--jobs={self.jobs}")
        else:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        command.append(f"--compress={LEVEL}")
        with Running(command, self.server.env, self.deadline.remaining, stdout=subprocess.DEVNULL) as pg_dump:
            _require_success(pg_dump.end(), database)

    def _write_zip(self, part: str, database: str, modules: Modules) -> list[str]:
        """Write the zip of Odoo's own form; returns the files of attachments that are not in the filestore.

        The database comes first: a file that is written meanwhile is then one too many, and never one too few.
        """
        needed = {file.name for file in needed_by(self.server, database)} if self.filestore else set()
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with (
            os.fdopen(descriptor, "w+b") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL, strict_timestamps=False) as archive,
        ):
            with (
                archive.open(SQL_MEMBER, "w", force_zip64=True) as member,
                Running(self._command(database), self.server.env, self.deadline.remaining) as pg_dump,
            ):
                while block := pg_dump.output.read(BLOCK):
                    member.write(block)
                _require_success(pg_dump.end(), database)
            archive.writestr("manifest.json", json.dumps(self._manifest(database, modules), indent=4))
            if not self.filestore:
                return []
            for stored, _status in stored_files(self.filestore):
                path = path_of(self.filestore, stored)
                # A file that the garbage collector took meanwhile belongs to no attachment any more.
                with contextlib.suppress(FileNotFoundError):
                    if path:
                        archive.write(path, f"{FILESTORE}{stored}", compresslevel=1)
                        needed.discard(stored)
        return sorted(needed & {file.name for file in needed_by(self.server, database)})

    def _manifest(self, database: str, modules: Modules) -> dict[str, t.Any]:
        """What Odoo writes about its dump, as far as the database knows it."""
        series = series_of(modules)
        numbers = [int(part) for part in series.split(".") if part.isdigit()]
        return {
            "odoo_dump": "1",
            "db_name": database,
            "version": series,
            "version_info": [*numbers, 0, "final", 0, ""] if len(numbers) == 2 else [],
            "major_version": series,
            "pg_version": f"{self.server.major}.0",
            "modules": {each: module["version"] for each, module in modules.items() if module["state"] == "installed"},
        }


def _require_success(ended: Ended, database: str) -> None:
    if ended.status:
        raise ToolError(
            f"pg_dump failed: {ended.words.rstrip('.')}. Nothing was kept, and earlier dumps are as they were.",
            failure={"call": "pg_dump", "status": ended.status, "database": database},
        )

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps and restores of a large database beside pg_dump, pg_restore, psql and zip by hand, in turns, as ratios.

The server has PostgreSQL's default settings. What is timed is whole processes: of ours Python's start, the verification
and the hash too. click-odoo-backupdb and click-odoo-restoredb need Odoo itself, which no package index has. Where
``--click-odoo`` names the folder of these commands, they are measured beside ours, with ``--dump`` as a database that
their Odoo can load; ODOO_RC is theirs. Otherwise it is what they run: pg_dump and a zip, and an unpacked zip with psql.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stage.commands import timed
from stage.database import GIBIBYTE, SECONDS, TABLES, make_large
from stage.module_run import collections_folder, run_module
from stage.table import Comparison, Measured, Results
from support.postgres.server import DEFAULTS, ROLE, Postgres, newest_bin, running

ORIGIN, COPY = "shop", "copy"


class Databases:
    """One large database, and both sides of each leg."""

    def __init__(self, server: Postgres, folder: Path, click_odoo: Path | None = None) -> None:
        self._server = server
        self._folder = folder
        self._click_odoo = click_odoo
        self._collections = collections_folder(folder / "collections")
        env = server.environment(ROLE)
        # click-odoo-backupdb ends with success, and an empty dump, where it finds a pg_dump older than the server.
        self._env = {**env, "PATH": f"{server.bin}{os.pathsep}{env['PATH']}"}

    def _remove(self, *names: str) -> None:
        for name in names:
            path = self._folder / name
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)

    def _module(self, name: str, **options: Any) -> Measured:
        ran = run_module(self._collections, name, **self._server.options, **options)
        if not ran.result["changed"]:
            raise SystemExit(f"{name} had nothing to do")
        return Measured(ran.wall, ran.cpu)

    def _timed(self, *commands: tuple[str, ...]) -> Measured:
        """Commands one after the other; those without a slash are PostgreSQL's."""
        taken = []
        for program, *arguments in commands:
            path = program if "/" in program else str(self._server.bin / program)
            taken.append(timed(path, *arguments, env=self._env).took)
        return Measured(sum(one.seconds for one in taken), sum(one.cpu for one in taken))

    def dump(self, form: str, jobs: int = 1) -> Measured:
        """Ours."""
        self._remove("ours", "ours.verified.json")
        dest = str(self._folder / "ours")
        return self._module("odoo_database_dump", database=ORIGIN, dest=dest, format=form, jobs=jobs)

    def pg_dump(self, letter: str, jobs: int = 1) -> Measured:
        """By hand; nobody looks at the result."""
        self._remove("theirs")
        more = (f"--jobs={jobs}",) if letter == "d" else ()
        return self._timed(("pg_dump", "--no-owner", f"-F{letter}", *more, "-f", self._theirs, ORIGIN))

    def pg_dump_and_zip(self) -> Measured:
        """What click-odoo-backupdb and Odoo's own manager run."""
        self._remove("theirs", "dump.sql")
        sql = str(self._folder / "dump.sql")
        return self._timed(
            ("pg_dump", "--no-owner", f"--file={sql}", ORIGIN),
            (sys.executable, "-m", "zipfile", "-c", self._theirs, sql),
        )

    def restore(self, jobs: int = 1) -> Measured:
        """Ours, of the dump that was made by hand."""
        self._drop_copy()
        archive = Path(self._theirs, "db.dump")
        src = str(archive) if archive.exists() else self._theirs
        return self._module("odoo_database_restore", src=src, database=COPY, jobs=jobs, connections=True)

    def pg_restore(self, jobs: int = 1) -> Measured:
        self._drop_copy()
        return self._timed(
            self._createdb,
            ("pg_restore", "--no-owner", "--exit-on-error", f"--jobs={jobs}", "-d", COPY, self._theirs),
        )

    def unzip_and_psql(self) -> Measured:
        """What click-odoo-restoredb and Odoo's own manager run."""
        self._drop_copy()
        self._remove("unpacked")
        return self._timed(
            (sys.executable, "-m", "zipfile", "-e", self._theirs, str(self._folder / "unpacked")),
            self._createdb,
            ("psql", "-X", "-q", "-d", COPY, "-o", "/dev/null", "-f", str(self._folder / "unpacked/dump.sql")),
        )

    def backupdb(self, form: str) -> Measured:
        """click-odoo-backupdb; the folder of its format ``folder`` has an archive of pg_dump in it."""
        self._remove("theirs")
        return self._timed((f"{self._click_odoo}/click-odoo-backupdb", "--format", form, ORIGIN, self._theirs))

    def restoredb(self, jobs: int = 1) -> Measured:
        """click-odoo-restoredb, which moves the files of a folder away; it loads the database in Odoo at the end."""
        self._drop_copy()
        return self._timed((f"{self._click_odoo}/click-odoo-restoredb", "--jobs", str(jobs), COPY, self._theirs))

    @property
    def _theirs(self) -> str:
        return str(self._folder / "theirs")

    def _drop_copy(self) -> None:
        """Drop what was restored, and have the server write to disk what it still has to: no leg pays for another."""
        self._server.sql(f"DROP DATABASE IF EXISTS {COPY}")
        self._server.sql("CHECKPOINT", seconds=SECONDS)

    @property
    def _createdb(self) -> tuple[str, ...]:
        return ("createdb", "-T", "template0", "-E", "UTF8", "--lc-collate=C", COPY)


Leg = tuple[str, str, Callable[[], Measured], Callable[[], Measured]]
"""The name of a row, what stands beside ours in it, ours and theirs."""


def legs_by_hand(both: Databases) -> list[Leg]:
    return [
        ("Dump, custom", "pg_dump -Fc", partial(both.dump, "custom"), partial(both.pg_dump, "c")),
        ("Restore, custom", "createdb, pg_restore", both.restore, both.pg_restore),
        (
            "Restore, custom, 2 jobs",
            "createdb, pg_restore -j2",
            partial(both.restore, 2),
            partial(both.pg_restore, 2),
        ),
        (
            "Dump, directory, 2 jobs",
            "pg_dump -Fd -j2",
            partial(both.dump, "directory", 2),
            partial(both.pg_dump, "d", 2),
        ),
        (
            "Restore, directory, 2 jobs",
            "createdb, pg_restore -j2",
            partial(both.restore, 2),
            partial(both.pg_restore, 2),
        ),
        ("Dump, zip", "pg_dump, then zip (as click-odoo-backupdb)", partial(both.dump, "zip"), both.pg_dump_and_zip),
        ("Restore, zip", "unzip, createdb, psql (as click-odoo-restoredb)", both.restore, both.unzip_and_psql),
    ]


def legs_of_click_odoo(both: Databases) -> list[Leg]:
    return [
        (
            "Dump, custom, beside Odoo's",
            "click-odoo-backupdb --format dump",
            partial(both.dump, "custom"),
            partial(both.backupdb, "dump"),
        ),
        ("Dump, zip, beside Odoo's", "click-odoo-backupdb", partial(both.dump, "zip"), partial(both.backupdb, "zip")),
        ("Restore, zip of Odoo's", "click-odoo-restoredb", both.restore, both.restoredb),
        (
            "Dump, custom, beside a folder",
            "click-odoo-backupdb --format folder",
            partial(both.dump, "custom"),
            partial(both.backupdb, "folder"),
        ),
        (
            "Restore, custom of a folder, 2 jobs",
            "click-odoo-restoredb --jobs 2",
            partial(both.restore, 2),
            partial(both.restoredb, 2),
        ),
    ]


def measure_databases(results: Results, folder: Path, arguments: argparse.Namespace) -> None:
    with running(newest_bin(), DEFAULTS, folder) as server:
        size = make_large(server, ORIGIN, int(arguments.gibibytes * GIBIBYTE), arguments.dump)
        what = "Odoo" if arguments.dump else "the tests"
        results.section(f"A database of {what}, {size / GIBIBYTE:.1f} GiB with {TABLES} small tables, default settings")
        both = Databases(server, folder, arguments.click_odoo)
        legs = legs_by_hand(both) + (legs_of_click_odoo(both) if arguments.click_odoo else [])
        for name, beside, ours, theirs in legs:
            if not arguments.leg or name in arguments.leg:
                results.compare(Comparison(name, beside, 1.0), ours=ours, theirs=theirs, runs=arguments.runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each, after one that does not count (default: 5)")
    parser.add_argument("--gibibytes", type=float, default=2, help="least size of the database (default: 2)")
    parser.add_argument("--folder", type=Path, help="folder for database and dumps (default: that for temporary files)")
    parser.add_argument("--dump", type=Path, help="an archive of pg_dump that the database begins as (default: made)")
    parser.add_argument("--click-odoo", type=Path, help="folder of click-odoo-backupdb; needs a dump of its Odoo")
    parser.add_argument(
        "--leg", action="append", default=[], help="a row to measure; a restore needs the dump before it (default: all)"
    )
    arguments = parser.parse_args()
    results = Results("database_speed")
    if not arguments.click_odoo:
        results.note("Not beside click-odoo-contrib itself, but beside the programs that its commands run.")
    with tempfile.TemporaryDirectory(prefix="database-", dir=arguments.folder) as folder:
        Path(folder).chmod(0o755)
        measure_databases(results, Path(folder), arguments)
    results.save()


if __name__ == "__main__":
    main()

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dump put into an empty database: an archive by pg_restore, SQL by psql in one transaction.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess

from .._core.clock import Deadline
from .._core.process import Running, run
from .._core.progress import Progress
from .._transfer.dump_forms import ARCHIVES, TAR, Form
from .._transfer.sql_watch import SqlWatch
from .connection import conninfo
from .database import Server, identifier
from .dump_source import SqlSource
from .refusal import DatabaseError
from .restore_words import NO_ODOO, restore_failed
from .sql_stream import LONGEST_HEAD, adapted, adapted_head, knows_restrict

TRANSACTION_TIMEOUT = 17
"""The server's first version that knows the setting which every pg_restore from this version on writes."""

TRANSACTION_SIZE = 17
"""The first pg_restore that can make several objects in one transaction."""

OBJECTS_A_TRANSACTION = 200
"""A commit for each of hundreds of tables and constraints costs time. The locks of 200 tables with their indexes are
fewer than the smallest server holds; pg_upgrade takes 1000."""

LIST_SECONDS = 300


class DumpRestorer:
    """What puts one dump into a database, by the dump's form and the versions of server and programs.

    :param owner: the role that will own what is restored, or an empty string.
    :param skip_settings: whether a setting that the server does not know may be left out.
    """

    def __init__(
        self, server: Server, src: str, form: Form, owner: str, skip_settings: bool, deadline: Deadline
    ) -> None:
        self.server = server
        self.src = src
        self.form = form
        self.owner = owner
        self.skip_settings = skip_settings
        self.deadline = deadline
        self._listed = 0

    @property
    def goes_through_psql(self) -> bool:
        """Whether psql restores it: SQL, or an archive whose pg_restore writes settings that the server lacks."""
        if self.form.name not in ARCHIVES:
            return True
        return self.server.programs.version("pg_restore")[0] >= TRANSACTION_TIMEOUT > self.server.major

    def settings_meanwhile(self, jobs: int) -> dict[str, str]:
        """What makes the restore quicker and is of no use afterwards: names and values of PostgreSQL's settings."""
        # Hundreds of small commits need not wait for the disk: the last one, in another database, does.
        settings = {"synchronous_commit": "off"}
        at_once = 1 if self.form.name == TAR or self.goes_through_psql else jobs
        if at_once >= (os.cpu_count() or 1) and self.server.connection.is_local:
            # The jobs fill the cores, and what helps one of them to build an index is in the way of the others: a tenth
            # of the time, with 2 jobs on 2 cores and a database of 2 GiB.
            settings["max_parallel_maintenance_workers"] = "0"
        return settings

    def require_usual_head(self) -> None:
        """Find before anything is made that the dump sets what the server does not know, or makes its own database.

        :raises SkewError: it sets that, and it may not be left out.
        :raises DamagedError: it cannot be restored under another name.
        """
        if not self.goes_through_psql:
            return
        source, head = SqlSource(self.src, self.form, self.server.programs, self.deadline), b""
        with contextlib.closing(source.blocks()) as blocks:
            for block in blocks:
                head += block
                if len(head) >= LONGEST_HEAD:
                    break
        adapted_head(head, self._settings(), self.skip_settings)

    def read_list(self) -> None:
        """Read an archive's own list, with which the database is compared at the end.

        :raises UpgradeError: pg_restore cannot read it, or it holds no database of Odoo.
        """
        if self.form.name not in ARCHIVES:
            return
        ended = run([self.server.programs.path("pg_restore"), "--list", self.src], os.environ, LIST_SECONDS)
        if ended.status:
            raise restore_failed("pg_restore", ended.words)
        text = ended.output.decode("utf-8", "replace")
        if not re.search(r"^\d+; \d+ \d+ TABLE DATA public ir_module_module ", text, re.M):
            raise DatabaseError(NO_ODOO)
        self._listed = len(re.findall(r"^\d+; \d+ \d+ TABLE (?!DATA|ATTACH)", text, re.M))

    def restore(self, database: str, jobs: int, progress: Progress) -> None:
        """Put the dump into an empty database.

        :raises UpgradeError: the dump is not whole, or the server refuses a statement; half of it may be there.
        """
        if self.goes_through_psql:
            self._restore_sql(database, progress)
        else:
            self._restore_archive(database, jobs)

    def _restore_archive(self, database: str, jobs: int) -> None:
        programs = self.server.programs
        command = [programs.path("pg_restore"), "-w", "--no-owner", "--exit-on-error", "-d", conninfo(database)]
        if self.owner:
            command.append(f"--role={self.owner}")
        if self.form.name != TAR:
            command.append(f"--jobs={jobs}")
        if programs.version("pg_restore")[0] >= TRANSACTION_SIZE:
            command.append(f"--transaction-size={OBJECTS_A_TRANSACTION}")
        ended = run([*command, self.src], self.server.env, self.deadline.remaining)
        if ended.status:
            raise restore_failed("pg_restore", ended.words)
        self._compare_with_list(database)

    def _compare_with_list(self, database: str) -> None:
        """The tables of the archive's own list must be there.

        :raises DatabaseError: some are not.
        """
        listed = self._listed
        rows = self.server.rows(
            "SELECT count(*) AS n FROM pg_class c JOIN pg_namespace s ON s.oid = relnamespace"
            " WHERE relkind IN ('r', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_'"
            " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')",
            database,
        )
        if rows[0]["n"] < listed:
            raise DatabaseError(
                f"pg_restore ended with success, but only {rows[0]['n']} of the {listed} tables of the dump are there."
            )

    def _restore_sql(self, database: str, progress: Progress) -> None:
        """By psql in one transaction, which ends only when the dump was read whole: half a dump leaves nothing.

        :raises UpgradeError: the dump is not whole, or the server refuses a statement.
        """
        settings, watch = self._settings(), SqlWatch()
        source = SqlSource(self.src, self.form, self.server.programs, self.deadline)
        command = [*self.server.psql(database), "--single-transaction"]
        restrict = knows_restrict(self.server.programs)
        with contextlib.ExitStack() as stack:
            blocks = stack.enter_context(contextlib.closing(source.blocks()))
            psql = stack.enter_context(
                Running(
                    command,
                    self.server.env,
                    self.deadline.remaining,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                )
            )
            if self.owner:
                psql.write(f"SET ROLE {identifier(self.owner)};\n".encode())
            for block in adapted(blocks, watch, settings, self.skip_settings, restrict):
                if not psql.write(block):
                    break
                progress.moved(source.done, source.total)
            else:
                # Raises before psql learns of the end, and so before it commits.
                watch.require_whole(f"The SQL in {self.src}")
            ended = psql.end()
        if ended.status:
            raise restore_failed("psql", ended.words)

    def _settings(self) -> set[str]:
        return {row["name"] for row in self.server.rows("SELECT name FROM pg_settings")}

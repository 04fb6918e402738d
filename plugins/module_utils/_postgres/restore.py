# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dump made a database: restored under a temporary name, verified, and only then given its own.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import typing as t
from dataclasses import dataclass

from .._core.clock import Deadline, utc_now, utc_text
from .._core.errors import OptionError
from .._core.process import Running, run
from .._core.progress import Progress
from .._transfer.dump_check import CheckedDump, check_dump, require_rows, weaknesses
from .._transfer.dump_forms import ARCHIVES, DIRECTORY, TAR, TAR_GZ
from .._transfer.recognise import recognise
from .._transfer.sql_watch import SqlWatch
from .connection import conninfo
from .database import Database, DatabaseError, Server, identifier, literal
from .dump_hash import DumpHash
from .dump_source import SqlSource, newest_pg_restore, require_parent
from .filestore import STAT, compare, needed_by
from .odoo_facts import modules_of, series_of
from .restore_words import naming_src, restore_failed
from .sql_stream import LONGEST_HEAD, adapted, adapted_head, knows_restrict

DONE = re.compile(r"siteops\.upgrades: restored from sha256:([0-9a-f]{64})")
TRANSACTION_TIMEOUT = 17
"""The server's first version that knows the setting which every pg_restore from this version on writes."""

NO_ODOO = "The dump holds no database of Odoo: its module base is not installed. Nothing was kept."
UNFINISHED = "siteops.upgrades: unfinished restore of"
LIST_SECONDS = 300


@dataclass(frozen=True)
class RestorePlan:
    """What a restore is asked for; see the options of the module."""

    src: str
    database: str
    owner: str
    template: str
    collate: str
    jobs: int
    filestore_dest: str
    connections: bool
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
        self._listed = 0
        self._not_checked: tuple[str, ...] = ()
        with naming_src():
            self.form = recognise(plan.src)
            self._hash = DumpHash(plan.src)
        name = f"restore of {plan.database}".encode("utf-8", "surrogatepass")
        self.temporary = f"siteops_{hashlib.sha256(name).hexdigest()[:24]}"
        self._marker = f"{UNFINISHED} {plan.database}."
        """The comment of the temporary database: only what bears it was made by a restore into this name."""

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
                self._require_usual_head()
            return self._result(True, self._unpack_files(True), {"version": "", "modules": 0}, not_checked)
        with self.server.only_run(self.plan.database):
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
        if self.plan.owner and not self.server.rows(
            f"SELECT 1 AS one FROM pg_roles WHERE rolname = {literal(self.plan.owner)}"
        ):
            raise OptionError("owner", f"there is no role {self.plan.owner} on {self.server.place}.")
        if not self.server.find(self.plan.template):
            raise OptionError("template", f"there is no database {self.plan.template} on {self.server.place}.")
        if self.plan.filestore_dest:
            require_parent(self.plan.filestore_dest)
        rights = self.server.rows("SELECT rolcreatedb OR rolsuper AS may FROM pg_roles WHERE rolname = current_user")
        if not (rights and rights[0]["may"]):
            raise DatabaseError(
                "The role that connects may not create databases. As a superuser: ALTER ROLE ... CREATEDB."
            )
        left = self.server.find(self.temporary)
        if left and left.comment not in ("", self._marker):
            raise DatabaseError(
                f"There is a database {self.temporary} that no run of this job made. Drop it, if it may go."
            )
        if self.form.name in ARCHIVES:
            self._listed = self._read_list()

    def _check(self) -> CheckedDump:
        programs = newest_pg_restore(self.server.programs)
        return check_dump(self.plan.src, programs, self.deadline.remaining, self.form)

    @property
    def _goes_through_psql(self) -> bool:
        """Whether psql restores it: SQL, or an archive whose pg_restore writes settings that the server lacks."""
        if self.form.name not in ARCHIVES:
            return True
        return self.server.programs.version("pg_restore")[0] >= TRANSACTION_TIMEOUT > self.server.major

    def _settings(self) -> set[str]:
        return {row["name"] for row in self.server.rows("SELECT name FROM pg_settings")}

    def _require_usual_head(self) -> None:
        """Find before anything is made that the dump sets what the server does not know, or makes its own database.

        :raises SkewError: it sets that, and it may not be left out.
        :raises DamagedError: it cannot be restored under another name.
        """
        if not self._goes_through_psql:
            return
        source, head = SqlSource(self.plan.src, self.form, self.server.programs, self.deadline), b""
        with contextlib.closing(source.blocks()) as blocks:
            for block in blocks:
                head += block
                if len(head) >= LONGEST_HEAD:
                    break
        adapted_head(head, self._settings(), self.plan.skip_settings)

    def _into_temporary(self) -> None:
        """Make the temporary database and restore into it; on any failure it is dropped again.

        It is a template meanwhile: those are never in Odoo's list of databases, so no scheduled action is run in it.
        """
        if self.form.name == DIRECTORY:
            require_rows(self.plan.src)
        if self.form.name in (TAR, TAR_GZ):
            # pg_restore may not end on a tar archive that was cut, and the checksum of a tar.gz is behind its members.
            check_dump(self.plan.src, None, self.deadline.remaining, self.form)
        self._require_usual_head()
        name = identifier(self.temporary)
        # What a killed run left, of whichever dump: no other run works on this name now.
        self._drop()
        owner = f" OWNER {identifier(self.plan.owner)}" if self.plan.owner else ""
        collate = f" LC_COLLATE {literal(self.plan.collate)}" if self.plan.collate else ""
        with self._dropped_on_failure():
            self.server.execute(
                f"CREATE DATABASE {name}{owner} TEMPLATE {identifier(self.plan.template)} ENCODING 'UTF8'{collate}"
                f" IS_TEMPLATE true;\nCOMMENT ON DATABASE {name} IS {literal(self._marker)};\n"
                # Hundreds of small commits need not wait for the disk: the last one, in another database, does.
                f"ALTER DATABASE {name} SET synchronous_commit = off;\n",
                seconds=self.deadline.remaining,
            )
            if self.server.rows(
                "SELECT 1 AS one FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                " WHERE nspname = 'public' AND relkind = 'r' LIMIT 1",
                self.temporary,
            ):
                raise OptionError("template", f"{self.plan.template} has tables; use template0.")
            self.progress.state("restoring", self.plan.timeout)
            if self._goes_through_psql:
                self._restore_sql()
            else:
                self._restore_archive()

    @contextlib.contextmanager
    def _dropped_on_failure(self) -> t.Iterator[None]:
        try:
            yield
        except BaseException:
            with contextlib.suppress(DatabaseError):
                self._drop()
            raise

    def _drop(self) -> None:
        """Drop the temporary database, which only restores into this name make: its comment says so."""
        found = self.server.find(self.temporary)
        if not found or found.comment not in (self._marker, ""):
            return
        name = identifier(found.name)
        self.server.execute(f"ALTER DATABASE {name} IS_TEMPLATE false;\nDROP DATABASE {name} WITH (FORCE);\n")

    def _restore_archive(self) -> None:
        programs = self.server.programs
        command = [programs.path("pg_restore"), "-w", "--no-owner", "--exit-on-error", "-d", conninfo(self.temporary)]
        if self.plan.owner:
            command.append(f"--role={self.plan.owner}")
        if self.form.name != TAR:
            command.append(f"--jobs={self.plan.jobs}")
        ended = run([*command, self.plan.src], self.server.env, self.deadline.remaining)
        if ended.status:
            raise restore_failed("pg_restore", ended.words)
        self._compare_with_list()

    def _read_list(self) -> int:
        """The number of tables in the archive's own list.

        :raises UpgradeError: pg_restore cannot read it, or it holds no database of Odoo.
        """
        ended = run([self.server.programs.path("pg_restore"), "--list", self.plan.src], os.environ, LIST_SECONDS)
        if ended.status:
            raise restore_failed("pg_restore", ended.words)
        text = ended.output.decode("utf-8", "replace")
        if not re.search(r"^\d+; \d+ \d+ TABLE DATA public ir_module_module ", text, re.M):
            raise DatabaseError(NO_ODOO)
        return len(re.findall(r"^\d+; \d+ \d+ TABLE (?!DATA|ATTACH)", text, re.M))

    def _compare_with_list(self) -> None:
        """The tables of the archive's own list must be there.

        :raises DatabaseError: some are not.
        """
        listed = self._listed
        rows = self.server.rows(
            "SELECT count(*) AS n FROM pg_class c JOIN pg_namespace s ON s.oid = relnamespace"
            " WHERE relkind IN ('r', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_'"
            " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')",
            self.temporary,
        )
        if rows[0]["n"] < listed:
            raise DatabaseError(
                f"pg_restore ended with success, but only {rows[0]['n']} of the {listed} tables of the dump are there."
            )

    def _restore_sql(self) -> None:
        """By psql in one transaction, which ends only when the dump was read whole: half a dump leaves nothing.

        :raises UpgradeError: the dump is not whole, or the server refuses a statement.
        """
        settings, watch = self._settings(), SqlWatch()
        source = SqlSource(self.plan.src, self.form, self.server.programs, self.deadline)
        command = [*self.server.psql(self.temporary), "--single-transaction"]
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
            if self.plan.owner:
                psql.write(f"SET ROLE {identifier(self.plan.owner)};\n".encode())
            for block in adapted(blocks, watch, settings, self.plan.skip_settings, restrict):
                if not psql.write(block):
                    break
                self.progress.moved(source.done, source.total)
            else:
                # Raises before psql learns of the end, and so before it commits.
                watch.require_whole(f"The SQL in {self.plan.src}")
            ended = psql.end()
        if ended.status:
            raise restore_failed("psql", ended.words)

    def _finish_or_drop(self) -> dict[str, t.Any]:
        """Verify the temporary database, unpack the files that belong to it, and give it its name."""
        with self._dropped_on_failure():
            self.progress.state("verifying", self.plan.timeout)
            self._restored = self._facts_in(self.temporary)
            files = self._unpack_files(False, self.temporary)
            sha256 = self.sha256
            with naming_src():
                self._hash.require_unchanged()
            existing = self.server.find(self.plan.database)
            if existing:
                raise DatabaseError(
                    f"Meanwhile another database got the name {existing.name}. Nothing was overwritten."
                )
            name = identifier(self.temporary)
            done = f"siteops.upgrades: restored from sha256:{sha256} at {utc_text(utc_now())}"
            self.server.execute(
                f"BEGIN;\nSET LOCAL synchronous_commit = on;\n"
                f"ALTER DATABASE {name} RESET synchronous_commit;\nCOMMENT ON DATABASE {name} IS {literal(done)};\n"
                f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {'true' if self.plan.connections else 'false'}"
                f" IS_TEMPLATE false;\nALTER DATABASE {name} RENAME TO {identifier(self.plan.database)};\nCOMMIT;\n"
            )
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

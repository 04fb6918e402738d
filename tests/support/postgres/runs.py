# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for databases on one server, and everything that their runs wrote."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.ansible_cli import run_module
from support.module_runner import ModuleRun
from support.postgres.server import ROLE, Postgres


class Databases:
    """A server with the modules that run on it."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.outputs: list[str] = []
        self.env: dict[str, str] = {}

    def run(self, name: str, *flags: str, **options: Any) -> ModuleRun:
        """Run a module to its end."""
        ended = run_module(name, {**self.server.options, **options}, "-vvvv", *flags, env=self.env)
        self.outputs.append(ended.output)
        return ended

    def done(self, name: str, *flags: str, **options: Any) -> dict[str, Any]:
        """The result of a run that ended well."""
        ended = self.run(name, *flags, **options)
        assert not ended.failed, ended.output
        return ended.result

    def refused(self, name: str, *flags: str, **options: Any) -> str:
        """The message of a run that failed, which changed no database's name, comment or flags."""
        before = self.listing()
        ended = self.run(name, *flags, **options)
        assert ended.failed, ended.output
        assert "Traceback" not in ended.output
        assert self.listing() == before
        return ended.msg

    @contextlib.contextmanager
    def session(self, name: str) -> Iterator[None]:
        """Somebody who is connected to a database."""
        with subprocess.Popen(
            [str(self.server.bin / "psql"), "-XAtq", "-d", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.server.environment(ROLE),
        ) as psql:
            assert psql.stdin
            assert psql.stdout
            psql.stdin.write(b"SELECT 1;\n")
            psql.stdin.flush()
            assert psql.stdout.readline() == b"1\n"
            yield
            # Also after the server has ended the connection.
            with contextlib.suppress(BrokenPipeError):
                psql.stdin.close()

    def listing(self) -> str:
        """The databases with what a rename, a restore or a neutralisation would change of them."""
        return self.server.sql(
            "SELECT oid, datname, datallowconn, datistemplate, shobj_description(oid, 'pg_database') FROM pg_database"
            " ORDER BY oid"
        )

    def state(self) -> object:
        """Everything that a run in check mode, and a second run, must leave as it is."""
        return self.listing(), {str(path): path.lstat().st_mtime_ns for path in self.folder.rglob("*")}

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PostgreSQL's programs: where they lie, and which versions they are.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError
from .._core.process import ToolError, run

VERSION_SECONDS = 30
INSTALLED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
"""Where Debian's and PostgreSQL's own packages put the programs of each version."""


@dataclass(frozen=True)
class Programs:
    """Where the client programs of one version lie. An empty folder means those on the PATH."""

    folder: str = ""

    def path(self, name: str) -> str:
        """The path of a program.

        :raises ToolError: it is not there.
        """
        found = shutil.which(name, path=self.folder or None)
        if not found:
            where = f"in {self.folder}" if self.folder else "on the PATH"
            raise ToolError(
                f"The program {name} was not found {where}. Install PostgreSQL's client, "
                "or name the folder of its programs with the option 'pg_bin'."
            )
        return found

    def version(self, name: str) -> tuple[int, ...]:
        """The version of a program, such as (15, 18).

        :raises ToolError: it is not there or does not say.
        """
        ended = run([self.path(name), "--version"], os.environ, VERSION_SECONDS)
        found = re.search(r"\(PostgreSQL\)\s+(\d+)(?:\.(\d+))?", ended.output.decode("utf-8", "replace"))
        if ended.status or not found:
            raise ToolError(f"{self.path(name)} --version does not name a version of PostgreSQL: {ended.words}.")
        return int(found[1]), int(found[2] or 0)

    def versions(self) -> dict[str, str]:
        """The version of each program; an empty one for what is not installed."""
        found = {}
        for name in ("psql", "pg_dump", "pg_restore"):
            try:
                found[name] = ".".join(map(str, self.version(name)))
            except ToolError:
                found[name] = ""
        return found


def programs_of(params: t.Mapping[str, t.Any]) -> Programs:
    """The programs that the option ``pg_bin`` names.

    :raises OptionError: it is no folder, or has no psql.
    """
    folder = params["pg_bin"] or ""
    if folder and not os.path.isdir(folder):
        raise OptionError("pg_bin", f"there is no folder {folder}.")
    if folder and not shutil.which("psql", path=folder):
        raise OptionError("pg_bin", f"the folder {folder} does not contain psql.")
    return Programs(folder)


def installed(name: str) -> list[tuple[tuple[int, ...], Programs]]:
    """Every version of a program in the folders of packages, the oldest first."""
    found = []
    for pattern in INSTALLED:
        for folder in glob.glob(pattern):
            programs = Programs(folder)
            with contextlib.suppress(ToolError):
                found.append((programs.version(name), programs))
    return sorted(found, key=lambda each: each[0])


def pg_dump_for(programs: Programs, major: int) -> Programs:
    """The programs that can dump from a server of this major version, of its own version where they are there.

    :param programs: those that the options name; only these count where they name a folder.
    :raises ToolError: pg_dump is older than the server.
    """
    version = programs.version("pg_dump")
    if version[0] == major or programs.folder:
        found = programs
    else:
        same = [each for each in installed("pg_dump") if each[0][0] == major]
        newer = [each for each in installed("pg_dump") if each[0][0] > major]
        found = same[-1][1] if same else programs if version[0] > major or not newer else newer[0][1]
    version = found.version("pg_dump")
    if version[0] < major:
        raise ToolError(
            f"pg_dump {'.'.join(map(str, version))} cannot dump from a server of version {major}. "
            "Install a client as new as the server, or name the folder of its programs with 'pg_bin'."
        )
    return found

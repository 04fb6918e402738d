# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs of a Plone instance that a backup needs: its Python, its repozo, and rsync for the blobs.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import typing as t
from dataclasses import dataclass, field

from .._core.errors import OptionError, UpgradeError
from .._core.files import remove_if_exists
from .._core.process import Ended, ToolError, run
from .._core.text import one_line
from .backup_script import RELSTORAGE_SCRIPT, SCRIPT

RSYNC_VANISHED = 24
PYTHON_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH")
OPTIONS_OF_MODULES = "PLONE_"
"""How variables begin that stand for options of the modules, credentials among them."""


def inherited_environment() -> dict[str, str]:
    """What a program of the instance gets of the environment of this process: not its Python's, and no credentials."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in PYTHON_VARIABLES and not name.startswith(OPTIONS_OF_MODULES)
    }


@dataclass(frozen=True)
class Contents:
    """What the instance's own ZODB read in a database: every transaction, every current blob, the sites."""

    last: str
    transactions: int
    objects: int
    blobs: int
    sites: tuple[dict[str, str], ...]
    packed: int = -1
    """How many of the transactions were packed; -1 where the storage does not say."""
    others: tuple[str, ...] = ()
    """Names of databases that are mounted into this one."""


@dataclass(frozen=True)
class Programs:
    """The instance's programs, and the environment that they run in."""

    python: str
    repozo: str
    environment: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def _environment(self) -> dict[str, str]:
        return {**inherited_environment(), **self.environment, "LC_ALL": "C.UTF-8"}

    def run_repozo(self, seconds: float, *arguments: str) -> None:
        """Run repozo.

        :raises ToolError: it failed; the message has its own words.
        """
        ended = run([self.repozo, *arguments], self._environment, seconds)
        if ended.status:
            raise _failed("repozo", ended)

    def rsync(self, source: str, dest: str, seconds: float, *like: str, read_all: bool = False) -> None:
        """Copy a folder of blobs; files that are the same in one of the folders ``like`` become hard links to those.

        :param read_all: whether the same is what has the same content, and not what has the same size and time.
        :raises ToolError: rsync is missing or failed.
        """
        program = shutil.which("rsync")
        if not program:
            raise ToolError("The program rsync was not found on the PATH. Install it; it copies the blobs.")
        links = [f"--link-dest={os.path.abspath(folder)}/" for folder in like]
        left_out = ["--exclude=/tmp/", "--exclude=.lock"]
        command = [
            program,
            "-a",
            # What a link leads to, because a backup must not depend on what lies elsewhere.
            "--copy-links",
            *(["--checksum"] if read_all else []),
            *links,
            *left_out,
            "--",
            f"{os.path.abspath(source)}/",
            f"{os.path.abspath(dest)}/",
        ]
        ended = run(command, self._environment, seconds)
        # A pack removes blobs while they are copied. Whether one that is needed is missing, the verification says.
        if ended.status not in (0, RSYNC_VANISHED):
            raise _failed("rsync", ended)

    def read(self, data_fs: str, blobs: str, scratch: str, seconds: float, what: str) -> Contents:
        """Have the instance's Python read a whole database.

        :param scratch: a folder that may be written to.
        :param what: what is read, for the message of a failure.
        :raises UpgradeError: it cannot be read to its end, or a blob is missing; names where and which.
        """
        found = self._run_script(SCRIPT, {}, [data_fs, blobs], scratch, seconds, what)
        require_whole(found, what)
        counts = (found["transactions"], found["objects"], found["blobs"])
        return Contents(found["last"], *counts, tuple(found["sites"]), found["packed"], tuple(found.get("others", ())))

    def read_relstorage(
        self, connection: t.Mapping[str, str], keeps_history: bool, blobs: str, seconds: float, what: str
    ) -> Contents:
        """Have the instance's Python read every current object of a database by RelStorage.

        :param connection: the variables of libpq, with the name of the database.
        :raises UpgradeError: it cannot be read, or a blob is missing; names which.
        """
        arguments = [str(int(keeps_history)), blobs]
        with tempfile.TemporaryDirectory() as scratch:
            found = self._run_script(RELSTORAGE_SCRIPT, connection, arguments, scratch, seconds, what)
        if found["missing_blobs"] and not blobs:
            raise OptionError("blobs", f"{what} has blobs that are not in the database; name their folder.")
        require_whole(found, what)
        return Contents(found["last"], 0, found["objects"], found["blobs"], tuple(found["sites"]))

    def _run_script(
        self,
        text: str,
        variables: t.Mapping[str, str],
        arguments: t.Sequence[str],
        scratch: str,
        seconds: float,
        what: str,
    ) -> dict[str, t.Any]:
        script = os.path.join(scratch, "read_database.py")
        remove_if_exists(script)
        with open(script, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            ended = run([self.python, script, *arguments], {**self._environment, **variables}, seconds)
        finally:
            remove_if_exists(script)
        try:
            found = json.loads(ended.output) if not ended.status else None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            needed = "RelStorage" if text == RELSTORAGE_SCRIPT else "ZODB"
            lacks = "ImportError" in ended.errors or "ModuleNotFoundError" in ended.errors
            hint = f" Name the Python that can import {needed} with 'python'." if lacks else ""
            words = one_line(ended.errors.strip().splitlines()[-1] if ended.errors.strip() else ended.words)
            raise UpgradeError(f"{what} cannot be read by {self.python}: {words.rstrip('.')}.{hint}")
        return found


def require_whole(found: t.Mapping[str, t.Any], what: str) -> None:
    """Refuse a database that could not be read to its end, lacks blobs, or has no site in it.

    :raises UpgradeError: names where, or which.
    """
    if found["unreadable"] or found.get("end") != found.get("size"):
        words = one_line(found["unreadable"]) or "the transaction there is cut off or damaged"
        if "size" not in found:
            raise UpgradeError(f"{what} is damaged: {words.rstrip('.')}.")
        raise UpgradeError(
            f"{what} is damaged: it can be read up to byte {found['end']} of {found['size']}, after "
            f"{found['transactions']} transactions: {words.rstrip('.')}."
        )
    missing = found["missing_blobs"]
    if missing:
        raise UpgradeError(
            f"{what} needs {found['blobs']} blobs, and {len(missing)} of them are missing: {', '.join(missing[:5])}. "
            "If the database was packed meanwhile, run again; otherwise the blobs are lost or in another folder.",
            missing_blobs=missing,
        )
    if not found["sites"]:
        raise UpgradeError(f"{what} has no Plone site in it. Name the database of the site.")


def _failed(name: str, ended: Ended) -> ToolError:
    """The failure of a program with the line that names its cause: the last of a traceback, the first of rsync."""
    lines = [line.strip() for line in ended.errors.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("rsync:")]
    words = lines[-1] if "Traceback" in ended.errors else (causes[0] if causes else ended.words)
    return ToolError(f"{name} failed: {one_line(words).rstrip('.')}.", failure={"call": name, "status": ended.status})


def programs_of(params: t.Mapping[str, t.Any], *, needs_repozo: bool = True) -> Programs:
    """The programs that the options name.

    :raises OptionError: one is not there.
    """
    python = params["python"] or ""
    if not python or not os.access(python, os.X_OK) or os.path.isdir(python):
        raise OptionError("python", f"there is no program {python}." if python else "is empty; give a path.")
    beside = os.path.join(os.path.dirname(python), "repozo")
    repozo = params["repozo"] or (beside if os.path.exists(beside) else shutil.which("repozo") or beside)
    if needs_repozo and (not os.access(repozo, os.X_OK) or os.path.isdir(repozo)):
        raise OptionError("repozo", f"there is no program {repozo}. It is part of ZODB; name where it is.")
    return Programs(python, repozo, {str(name): str(value) for name, value in (params["environment"] or {}).items()})

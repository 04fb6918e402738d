# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Python interpreters of this machine that really run, and gather them in one directory for PATH.

ansible-test looks for python3.9, python3.10, … on PATH and takes the first of each name. A version manager's shim
that refuses to run would end it, so every candidate is started once and only those that answer are linked.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

OLDEST_MINOR = 9
NEWEST_MINOR = 19

# Answers with the version and the real path of a complete Python outside of any virtual environment; anything else is
# not usable. The path matters because a shim that runs today is still a script that another directory can break.
_QUESTION = """
import os, sys, ctypes, ssl, sqlite3, venv, zlib
if sys.prefix == sys.base_prefix:
    print("%d.%d" % sys.version_info[:2], os.path.realpath(sys.executable))
"""


def gather(directory: pathlib.Path) -> dict[str, pathlib.Path]:
    """Link every usable Python into ``directory`` as ``python3.N``, and drop links that are no longer right.

    Returns the links by version ("3.12"), oldest first.
    """
    directory.mkdir(parents=True, exist_ok=True)
    wanted = _usable(directory)
    for link in directory.iterdir():
        if link.name.removeprefix("python") not in wanted:
            link.unlink()
    for version, target in wanted.items():
        link = directory / f"python{version}"
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return gathered(directory)


def gathered(directory: pathlib.Path) -> dict[str, pathlib.Path]:
    """The links that an earlier :func:`gather` made, by version, oldest first."""
    links = {link.name.removeprefix("python"): link for link in directory.glob("python3.*")}
    return dict(sorted(links.items(), key=lambda item: _minor(item[0])))


def _usable(excluded: pathlib.Path) -> dict[str, pathlib.Path]:
    found: dict[str, pathlib.Path] = {}
    for candidate in _candidates(excluded):
        if candidate.name.removeprefix("python") in found:
            continue
        version, _space, path = _answer(candidate).partition(" ")
        if version and version not in found and OLDEST_MINOR <= _minor(version) <= NEWEST_MINOR:
            found[version] = pathlib.Path(path)
    return found


def _candidates(excluded: pathlib.Path) -> Iterator[pathlib.Path]:
    home = pathlib.Path.home()
    directories = [pathlib.Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    for root in (os.environ.get("PYENV_ROOT"), home / ".pyenv"):
        # One that belongs to somebody else may not even be looked at.
        if root and os.path.isdir(root):
            directories += sorted(pathlib.Path(root).glob("versions/3.*/bin"))
    directories += sorted((home / ".local/share/uv/python").glob("cpython-3.*/bin"))
    directories.append(pathlib.Path(sys.base_prefix) / "bin")
    names = [f"python3.{minor}" for minor in range(OLDEST_MINOR, NEWEST_MINOR + 1)] + ["python3"]
    for directory in dict.fromkeys(directories):
        if directory.resolve() == excluded.resolve():
            continue
        for name in names:
            candidate = directory / name
            if os.access(candidate, os.X_OK):
                yield candidate


def _answer(interpreter: pathlib.Path) -> str:
    try:
        answer = subprocess.run(
            [str(interpreter), "-I", "-c", _QUESTION], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


if __name__ == "__main__":
    gather(pathlib.Path(sys.argv[1]))

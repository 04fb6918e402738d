# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that are built once and kept outside the repository.

They live in ``~/.cache/siteops.upgrades``, whatever XDG_CACHE_HOME says: ansible-test removes that variable from the
environment of the tests it runs, and one machine should not build the same Plone twice. Each folder's name ends in a
digest of what went into it, so an outdated one is simply never used again and may be deleted at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path


def cache_folder() -> Path:
    return Path.home() / ".cache" / "siteops.upgrades"


def digest(*parts: str | Path) -> str:
    """The same 16 hexadecimal digits for the same texts, files and trees of files."""
    total = hashlib.sha256()
    for part in parts:
        for name, content in _contents(part):
            total.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


def _contents(part: str | Path) -> list[tuple[str, bytes]]:
    if isinstance(part, str):
        return [("", part.encode())]
    if part.is_file():
        return [(part.name, part.read_bytes())]
    files = (path for path in part.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return [(path.relative_to(part).as_posix(), path.read_bytes()) for path in sorted(files)]


def build_once(folder: Path, build: Callable[[Path], None], proof: str) -> None:
    """Have ``build`` fill ``folder``, unless a former build completed and the file ``proof`` in it is still usable.

    Virtual environments cannot be moved, so the work is done in place: a marker written last tells a complete folder
    from the remains of a killed build. A second builder waits for the first.
    """
    marker = folder / ".complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f"{folder.name}.lock"), "w", encoding="utf-8") as lock:
        # Inherited by what build() runs, so that an orphaned installer keeps the lock until it has ended.
        os.set_inheritable(lock.fileno(), True)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if marker.exists() and (folder / proof).exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        build(folder)
        marker.touch()


def run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    """Run one step of a build; a failure raises RuntimeError with the end of its output."""
    result = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        close_fds=False,
    )
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout[-4000:]}")

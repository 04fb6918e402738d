# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a copy of the collection at a path that ends in ansible_collections/siteops/upgrades.

The clone may lie anywhere, but ansible-test, ansible-lint and the import system want that path. Every check has its own
copy, so that checks can run at the same time and leave their droppings outside of the clone.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

COLLECTION = pathlib.PurePath("ansible_collections/siteops/upgrades")

# What a check leaves in its copy and wants to find again.
KEPT = (".git", ".ansible", ".mypy_cache", ".ruff_cache", "tests/output")


def copy(clone: pathlib.Path, root: pathlib.Path) -> pathlib.Path:
    """Bring the copy below ``root`` up to date with the work tree ``clone`` and return the copy's path.

    Tracked files and untracked ones that are not ignored are copied; what is gone from the work tree goes from the
    copy.
    """
    target = root / COLLECTION
    files = _files(clone)
    target.mkdir(parents=True, exist_ok=True)
    # ansible-test searches upwards for a repository; it would find the clone's, in which the copy is ignored.
    if not (target / ".git").exists():
        subprocess.run(["git", "init", "--quiet", str(target)], check=True, capture_output=True)
    _remove_others(target, files)
    for name in files:
        _copy_file(clone / name, target / name)
    return target


def _files(clone: pathlib.Path) -> set[str]:
    """Paths relative to ``clone``; the owner of the clone may be someone else than the user who runs the checks."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True).stdout
    return {name for name in listing.split("\0") if name and (clone / name).is_file()}


def _remove_others(target: pathlib.Path, files: set[str]) -> None:
    for directory, folders, names in os.walk(target, topdown=True):
        relative = pathlib.Path(directory).relative_to(target)
        folders[:] = [name for name in folders if (relative / name).as_posix() not in KEPT and name != "__pycache__"]
        for name in names:
            if (relative / name).as_posix() not in files:
                (target / relative / name).unlink()
    for directory, _folders, _names in os.walk(target, topdown=False):
        kept = pathlib.Path(directory).relative_to(target).as_posix().startswith(KEPT)
        if not kept and not any(pathlib.Path(directory).iterdir()):
            pathlib.Path(directory).rmdir()


def _copy_file(source: pathlib.Path, destination: pathlib.Path) -> None:
    wanted = source.stat()
    if destination.is_file():
        present = destination.stat()
        if all(getattr(present, name) == getattr(wanted, name) for name in ("st_mtime_ns", "st_size", "st_mode")):
            return
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, destination)


if __name__ == "__main__":
    print(copy(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several filestores made one: a union by hard links, planned before the first one, verified after the last.

Odoo writes a file once and never changes it, so a file that is there already is left alone.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError
from .._core.progress import Progress
from .database import Server
from .filestore import (
    HASH,
    MOST_NAMED,
    NONE,
    Needed,
    compare,
    folder_of,
    links_in,
    needed_by,
    path_of,
    sha1_of,
    stored_files,
)

COPY_INSTEAD = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)
"""Why a hard link may be impossible where a copy is not: another file system, or one without links."""

NEW = ".siteops-new"


@dataclass(frozen=True)
class Planned:
    """What a merge has to do: files to add with the folder each comes from, and their size together."""

    files: dict[str, str]
    size: int
    present: int


@dataclass
class Added:
    """What a merge did."""

    linked: int = 0
    copied: int = 0


def merge(
    server: Server | None,
    database: str,
    sources: t.Sequence[str],
    dest: str,
    *,
    link: bool,
    verify: str,
    check_mode: bool,
    progress: Progress,
) -> dict[str, t.Any]:
    """Add to one filestore what it lacks of others.

    :param server: asked what the database needs; None where no database is named.
    :raises UpgradeError: a file is missing or damaged; then nothing was added.
    """
    for source in sources:
        folder_of(source, "sources")
        if os.path.exists(dest) and os.path.samefile(source, dest):
            raise OptionError("sources", f"{source} is the folder of 'dest' itself.")
    if os.path.lexists(dest):
        folder_of(dest, "dest")
    elif not os.path.isdir(os.path.dirname(os.path.abspath(dest))):
        raise OptionError("dest", f"there is no folder {os.path.dirname(os.path.abspath(dest))}.")
    needed = needed_by(server, database) if server else []
    planned = plan(sources, dest, verify)
    compared = compare(needed, [dest, *sources], verify)
    if not compared.is_whole:
        raise UpgradeError(
            f"The filestores together are not whole for the database {database}: {compared.words()}. "
            "Nothing was added. Add the source that has these files, or restore them from a backup.",
            filestore=compared.as_result(),
        )
    added = Added()
    if not check_mode and planned.files:
        added = add(planned, sources, dest, link, progress)
        _verify(needed, planned, dest, verify)
    return {
        "changed": bool(planned.files),
        "added": len(planned.files),
        "linked": added.linked,
        "copied": added.copied,
        "present": planned.present,
        "size": planned.size,
        "filestore": compared.as_result(),
    }


def plan(sources: t.Sequence[str], dest: str, verify: str) -> Planned:
    """Compare the names and sizes in all folders. The first source that has a file provides it.

    :raises UpgradeError: two folders have different content under one name.
    """
    files: dict[str, str] = {}
    conflicts: list[str] = []
    damaged: list[str] = []
    size = present = 0
    links = {}
    for source in sources:
        links.update({name: os.path.join(source, name) for name in links_in(source)})
        for name, status in stored_files(source):
            there = path_of(dest, name) or (path_of(files[name], name) if name in files else None)
            if there is None and os.path.lexists(os.path.join(dest, name)):
                conflicts.append(name)
            elif there is None and verify == HASH and sha1_of(os.path.join(source, name)) != name.rpartition("/")[2]:
                damaged.append(os.path.join(source, name))
            elif there is None:
                files[name] = source
                size += status.st_size
            elif _differs(os.path.join(source, name), status, there, verify):
                conflicts.append(name)
            else:
                present += 1
    if conflicts:
        more = f" and {len(conflicts) - MOST_NAMED} more" if len(conflicts) > MOST_NAMED else ""
        raise UpgradeError(
            f"{len(conflicts)} files have another content in one folder than in another: "
            f"{', '.join(conflicts[:MOST_NAMED])}{more}. Nothing was added or overwritten. The SHA-1 of the content is "
            "the name, so find out by sha1sum which one is damaged, and remove that one.",
            conflicts=conflicts[:MOST_NAMED],
        )
    lacking = [path for name, path in links.items() if name not in files and path_of(dest, name) is None]
    if lacking:
        raise UpgradeError(
            f"{len(lacking)} files are symbolic links, which a filestore does not have: "
            f"{', '.join(lacking[:MOST_NAMED])}. Nothing was added. Put the files themselves in their places."
        )
    if damaged:
        more = f" and {len(damaged) - MOST_NAMED} more" if len(damaged) > MOST_NAMED else ""
        raise UpgradeError(
            f"{len(damaged)} files have another content than their name, which is the SHA-1 of the content: "
            f"{', '.join(damaged[:MOST_NAMED])}{more}. Nothing was added. Restore them from a backup.",
            conflicts=[name[-len("xx/") - 40 :] for name in damaged[:MOST_NAMED]],
        )
    return Planned(files, size, present)


def _differs(path: str, status: os.stat_result, there: str, verify: str) -> bool:
    other = os.stat(there)
    if os.path.samestat(status, other):
        return False
    if status.st_size != other.st_size:
        return True
    # A copy of this module, of rsync and of cp -a has the time of its origin; what was written since has another one.
    if verify == HASH or (verify != NONE and status.st_mtime_ns != other.st_mtime_ns):
        return sha1_of(path) != sha1_of(there)
    return False


def add(planned: Planned, sources: t.Sequence[str], dest: str, link: bool, progress: Progress) -> Added:
    """Link or copy the files, each in one step: a kill leaves a smaller filestore, never half a file.

    :raises UpgradeError: the folder cannot be written to, or the disk is full.
    """
    added, done, total = Added(), 0, len(planned.files)
    shelves: set[str] = set()
    try:
        make_like(dest, sources[0])
        for name, source in planned.files.items():
            shelf = name.partition("/")[0]
            if shelf not in shelves:
                make_like(os.path.join(dest, shelf), os.path.join(source, shelf))
                shelves.add(shelf)
            if put(os.path.join(source, name), os.path.join(dest, name), link):
                added.linked += 1
            else:
                added.copied += 1
            done += 1
            if not done % 1000:
                progress.state(f"added {done} of {total} files")
    except OSError as error:
        raise UpgradeError(
            f"The filestore {dest} cannot be written: {error.strerror}. {done} of {total} files were added. "
            "Mend that and run again: what is there is not done twice."
        ) from error
    return added


def put(path: str, dest: str, link: bool) -> bool:
    """Give a file a second name, or copy it where that is not possible; whether it is the same file.

    :raises OSError: neither is possible.
    """
    if link:
        try:
            os.link(path, dest, follow_symlinks=False)
            return True
        except FileExistsError:
            return True
        except OSError as error:
            if error.errno not in COPY_INSTEAD:
                raise
    new = f"{dest}{NEW}"
    try:
        shutil.copy2(path, new, follow_symlinks=False)
        status = os.stat(path)
        with contextlib.suppress(PermissionError):
            os.chown(new, status.st_uid, status.st_gid)
        os.rename(new, dest)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    return False


def make_like(folder: str, pattern: str) -> None:
    """Make a folder with mode and owner of another one, so that Odoo can write to it as well."""
    if os.path.isdir(folder):
        return
    status = os.stat(pattern)
    os.mkdir(folder, 0o700)
    with contextlib.suppress(PermissionError):
        os.chown(folder, status.st_uid, status.st_gid)
    os.chmod(folder, status.st_mode & 0o770 | 0o700)


def _verify(needed: t.Sequence[Needed], planned: Planned, dest: str, verify: str) -> None:
    """Look again at what was added: a status 0 of the system is not proof."""
    if verify == NONE:
        return
    missing = [name for name in planned.files if path_of(dest, name) is None]
    compared = compare(needed, [dest], verify)
    if missing or not compared.is_whole:
        raise UpgradeError(
            f"The filestore {dest} is not whole after the merge: {', '.join(missing[:MOST_NAMED]) or compared.words()}."
            " "
            "Find out what else changes this folder, and run again.",
            filestore=compared.as_result(),
        )

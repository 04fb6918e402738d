# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filestore of an Odoo database: what its attachments need, what a folder has, and what is missing or damaged.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import typing as t
from dataclasses import dataclass, field

from .._core.errors import OptionError, UpgradeError
from .database import Server
from .odoo_facts import columns_of

STORED_NAME = re.compile(r"([0-9a-f]{2,3})/([0-9a-f]{40})", re.ASCII)
"""A file of the filestore: a folder of the first digits, and the SHA-1 of the content."""

BLOCK = 1024 * 1024
MOST_NAMED = 20
"""How many files a message or a result names; the count is always whole."""

NONE, STAT, HASH = "none", "stat", "hash"


@dataclass(frozen=True)
class Needed:
    """A file that attachments refer to. A size of None is not recorded in the database."""

    name: str
    size: int | None
    sha1: str


@dataclass
class Compared:
    """A filestore beside the attachments of a database."""

    needed: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether every file is there and as it should be."""
        return not (self.missing or self.damaged)

    def as_result(self) -> dict[str, t.Any]:
        """For the result of a module."""
        return {
            "needed": self.needed,
            "missing": len(self.missing),
            "damaged": len(self.damaged),
            "missing_files": self.missing[:MOST_NAMED],
            "damaged_files": self.damaged[:MOST_NAMED],
        }

    def words(self) -> str:
        """What is wrong, for a message."""
        parts = []
        for what, names in (("missing", self.missing), ("damaged", self.damaged)):
            if names:
                more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
                parts.append(f"{len(names)} {what}: {', '.join(names[:MOST_NAMED])}{more}")
        return "; ".join(parts)


def needed_by(server: Server, database: str) -> list[Needed]:
    """The files that the attachments of a database need, each once."""
    if not {"store_fname", "file_size", "checksum"} <= columns_of(server, database, "ir_attachment"):
        return []
    rows = server.rows(
        "SELECT store_fname AS name, max(file_size)::bigint AS size, max(checksum) AS sha1 FROM public.ir_attachment"
        " WHERE store_fname IS NOT NULL AND store_fname <> '' GROUP BY 1 ORDER BY 1",
        database,
    )
    return [Needed(row["name"], row["size"], row["sha1"] or "") for row in rows]


def folder_of(path: str, option: str) -> str:
    """The folder of one database's filestore.

    :raises OptionError: it is no folder, or the one above: that of several databases.
    """
    if not os.path.isdir(path):
        raise OptionError(option, f"there is no folder {path}.")
    try:
        with os.scandir(path) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        raise OptionError(option, f"the folder {path} cannot be read: {error.strerror}.") from error
    if names and not any(re.fullmatch("[0-9a-f]{2,3}|checklist", name) for name in names):
        raise OptionError(
            option,
            f"the folder {path} is not the filestore of one database: its folders are not named by two digits. "
            "Give the folder that is named after the database.",
        )
    return path


def compare(needed: t.Sequence[Needed], folders: t.Sequence[str], how: str = STAT) -> Compared:
    """Look for each file in the folders, the first one that has it counts.

    :param how: ``none`` looks at nothing, ``stat`` compares the sizes, ``hash`` reads every file.
    :raises UpgradeError: a folder cannot be read.
    """
    found = Compared(needed=len(needed))
    if how == NONE:
        return found
    for file in needed:
        path = next(filter(None, (path_of(folder, file.name) for folder in folders)), None)
        if path is None:
            found.missing.append(file.name)
        elif not is_intact(path, file, how):
            found.damaged.append(file.name)
    return found


def path_of(folder: str, name: str) -> str | None:
    """The path of an ordinary file in a filestore, None if there is none. A link out of it does not count."""
    path = os.path.join(folder, name)
    try:
        return path if stat.S_ISREG(os.lstat(path).st_mode) else None
    except OSError:
        return None


def is_intact(path: str, file: Needed, how: str) -> bool:
    """Whether a file has the size, and with ``hash`` the content, that the database records."""
    if file.size is not None and os.path.getsize(path) != file.size:
        return False
    if how != HASH:
        return True
    wanted = file.sha1 if re.fullmatch("[0-9a-f]{40}", file.sha1) else file.name.rpartition("/")[2]
    return sha1_of(path) == wanted


def sha1_of(path: str) -> str:
    """The SHA-1 of a file, which is what Odoo names it after; no protection against forgery.

    :raises UpgradeError: it cannot be read.
    """
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise UpgradeError(f"{path} cannot be read: {error.strerror}.") from error
    return digest.hexdigest()


def stored_files(folder: str) -> t.Iterator[tuple[str, os.stat_result]]:
    """Every file of a filestore by its name in it, without the garbage collector's list and whatever else lies there.

    :raises UpgradeError: a folder cannot be read.
    """
    try:
        for shelf in sorted(os.listdir(folder)):
            path = os.path.join(folder, shelf)
            if not re.fullmatch("[0-9a-f]{2,3}", shelf) or not os.path.isdir(path) or os.path.islink(path):
                continue
            with os.scandir(path) as entries:
                for entry in sorted(entries, key=lambda each: each.name):
                    name = f"{shelf}/{entry.name}"
                    if STORED_NAME.fullmatch(name) and entry.is_file(follow_symlinks=False):
                        yield name, entry.stat(follow_symlinks=False)
    except OSError as error:
        raise UpgradeError(f"The filestore {folder} cannot be read: {error.strerror} ({error.filename}).") from error


def links_in(folder: str) -> t.Iterator[str]:
    """The names of files of a filestore that are symbolic links, or lie in a folder that is one.

    :raises UpgradeError: a folder cannot be read.
    """
    try:
        for shelf in sorted(os.listdir(folder)):
            path = os.path.join(folder, shelf)
            if not re.fullmatch("[0-9a-f]{2,3}", shelf) or not os.path.isdir(path):
                continue
            with os.scandir(path) as entries:
                for entry in entries:
                    if STORED_NAME.fullmatch(f"{shelf}/{entry.name}") and (entry.is_symlink() or os.path.islink(path)):
                        yield f"{shelf}/{entry.name}"
    except OSError as error:
        raise UpgradeError(f"The filestore {folder} cannot be read: {error.strerror} ({error.filename}).") from error

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The backups in a folder: what a record says of each, and which ones may go.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from .._core.clock import parse_utc, utc_now, utc_text
from .._core.errors import UpgradeError
from .._core.files import write_atomically

COLLECTION = "siteops.upgrades"
RECORD, MANIFEST = "backup.json", "manifest.txt"
REPOZO, RELSTORAGE, BLOBS = "repozo", "relstorage", "blobs"
PART, REMOVED = ".part", ".removed"
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Backup:
    """One backup. Without ``verified_at`` it is not there yet."""

    path: str
    name: str
    began_at: str
    full: bool = True
    full_at: str = ""
    data_fs: str = ""
    database: str = ""
    last_transaction: str = ""
    transactions: int = 0
    objects: int = 0
    blobs: int = 0
    sites: t.Sequence[t.Mapping[str, str]] = ()
    database_size: int = 0
    database_sha256: str = ""
    size: int = 0
    manifest_sha256: str = ""
    verified_at: str = ""
    packed: int = -1
    differs_from: str = ""

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return (utc_now() - parse_utc(self.began_at)).total_seconds()

    @property
    def part(self) -> str:
        """The name of the folder that has the files of the database: which one says which storage it was."""
        return RELSTORAGE if self.database else REPOZO

    @property
    def files(self) -> str:
        """The folder that has the files of the database."""
        return os.path.join(self.path, self.part)

    @property
    def blob_folder(self) -> str:
        """The folder of the blobs, empty where the backup has none."""
        folder = os.path.join(self.path, BLOBS)
        return folder if os.path.isdir(folder) else ""

    def save(self, folder: str) -> None:
        """Write the record into a folder that does not have its name yet.

        :raises OSError: it cannot be written.
        """
        content = {"collection": COLLECTION, **dataclasses.asdict(self)}
        del content["path"]
        write_atomically(os.path.join(folder, RECORD), json.dumps(content, indent=2) + "\n")

    def as_result(self) -> dict[str, t.Any]:
        """For the result of a module."""
        return {**dataclasses.asdict(self), "sites": list(self.sites)}


def read(path: str) -> Backup | None:
    """The backup in a folder; None where the folder has no record of a verified one."""
    try:
        with open(os.path.join(path, RECORD), encoding="utf-8") as file:
            content = json.loads(file.read(MOST_BYTES))
        if content.pop("collection") != COLLECTION:
            return None
        backup = Backup(**{**content, "path": os.path.abspath(path)})
        parse_utc(backup.began_at)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return backup if backup.verified_at else None


def backups_in(folder: str, name: str) -> list[Backup]:
    """The backups of a database in a folder, the newest first; whether they are whole is another question."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False) and not entry.name.endswith((PART, REMOVED)):
                backup = read(entry.path)
                if backup and backup.name == name:
                    found.append(backup)
    return sorted(found, key=lambda each: each.began_at, reverse=True)


def newest_backup(folder: str, name: str) -> Backup:
    """The newest backup in a folder.

    :raises UpgradeError: there is none.
    """
    found = backups_in(folder, name)
    if not found:
        raise UpgradeError(f"There is no verified backup with the name {name} in {folder}. Make one with plone_backup.")
    return found[0]


def new_path(folder: str, name: str) -> str:
    """The path of a new backup. A second one of the same second gets a number."""
    stem = os.path.join(os.path.abspath(folder), f"{name}-{utc_now():%Y%m%dT%H%M%SZ}")
    paths = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(path for path in paths if not os.path.lexists(path))


def planned(folder: str, name: str, data_fs: str, database: str) -> Backup:
    """A backup that is about to be made, of a Data.fs or of a database; the other one is empty."""
    return Backup(new_path(folder, name), name, utc_text(utc_now()), data_fs=data_fs, database=database)


def remove(backups: t.Iterable[Backup], check_mode: bool) -> list[str]:
    """Remove backups. Each loses its name first, so that half of one is never taken for a backup.

    :raises UpgradeError: one cannot be removed.
    """
    removed = []
    for backup in backups:
        try:
            if not check_mode:
                os.rename(backup.path, backup.path + REMOVED)
                shutil.rmtree(backup.path + REMOVED)
        except OSError as error:
            raise UpgradeError(f"The old backup {backup.path} cannot be removed: {error.strerror}.") from error
        removed.append(backup.path)
    return removed


def clear_remains(folder: str, name: str) -> None:
    """Remove what killed runs left behind.

    :raises OSError: it cannot be removed.
    """
    left = re.compile(rf"{re.escape(name)}-\d{{8}}T\d{{6}}Z(-\d+)?({re.escape(PART)}|{re.escape(REMOVED)})")
    for entry in list(os.scandir(folder)):
        if left.fullmatch(entry.name):
            shutil.rmtree(entry.path)

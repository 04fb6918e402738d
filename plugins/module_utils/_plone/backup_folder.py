# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The backups in a folder: what a record says of each, whether each is as it was verified, and which ones may go.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
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
REPOZO, BLOBS = "repozo", "blobs"
PART, REMOVED = ".part", ".removed"
BLOCK = 1024 * 1024
MOST_BYTES = 1024 * 1024
MOST_NAMED = 5


@dataclass(frozen=True)
class Backup:
    """One backup. Without ``verified_at`` it is not there yet."""

    path: str
    name: str
    began_at: str
    full: bool = True
    full_at: str = ""
    data_fs: str = ""
    last_transaction: str = ""
    transactions: int = 0
    objects: int = 0
    blobs: int = 0
    sites: t.Sequence[t.Mapping[str, str]] = ()
    database_size: int = 0
    size: int = 0
    manifest_sha256: str = ""
    verified_at: str = ""

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return (utc_now() - parse_utc(self.began_at)).total_seconds()

    @property
    def repozo(self) -> str:
        """The folder of repozo's files."""
        return os.path.join(self.path, REPOZO)

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


def new_path(folder: str, name: str) -> str:
    """The path of a new backup. A second one of the same second gets a number."""
    stem = os.path.join(os.path.abspath(folder), f"{name}-{utc_now():%Y%m%dT%H%M%SZ}")
    paths = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(path for path in paths if not os.path.lexists(path))


def planned(folder: str, name: str, data_fs: str) -> Backup:
    """A backup that is about to be made."""
    return Backup(new_path(folder, name), name, utc_text(utc_now()), data_fs=os.path.abspath(data_fs))


# The manifest: a line "sha256 size path" for each file, so that a file that is gone, cut or changed has a name.


def sha256_of(path: str) -> str:
    """The digest of a file, read in blocks.

    :raises OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def files_below(folder: str) -> t.Iterator[str]:
    """The paths of all files of a backup, relative to it, without its record and manifest."""
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.relpath(os.path.join(where, name), folder)
            if path not in (RECORD, MANIFEST):
                yield path


def write_manifest(folder: str, earlier: Backup | None) -> tuple[str, int]:
    """Write the manifest of a backup; what is the same file as in an earlier one is not read again.

    :return: the manifest's own digest, and the size of all files.
    :raises OSError: a file cannot be read or the manifest not be written.
    """
    known = {path: (digest, size) for digest, size, path in _lines(earlier)} if earlier else {}
    total = 0
    path_of_manifest = os.path.join(folder, MANIFEST)
    with open(path_of_manifest, "w", encoding="utf-8", errors="surrogateescape") as manifest:
        for path in files_below(folder):
            full = os.path.join(folder, path)
            size = os.path.getsize(full)
            digest, known_size = known.get(path, ("", -1))
            if earlier is None or known_size != size or not _is_same(full, os.path.join(earlier.path, path)):
                digest = sha256_of(full)
            total += size
            manifest.write(f"{digest} {size} {path}\n")
    return sha256_of(path_of_manifest), total


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _lines(backup: Backup) -> t.Iterator[tuple[str, int, str]]:
    with open(os.path.join(backup.path, MANIFEST), encoding="utf-8", errors="surrogateescape") as manifest:
        for line in manifest:
            digest, size, path = line.rstrip("\n").split(" ", 2)
            yield digest, int(size), path


def damage_of(backup: Backup, *, read_files: bool) -> list[str]:
    """What is wrong with a backup, a sentence for each file; empty if it is as it was verified.

    :param read_files: whether to read all files, or only to look at their names and sizes.
    """
    try:
        if sha256_of(os.path.join(backup.path, MANIFEST)) != backup.manifest_sha256:
            return [f"{MANIFEST} was changed"]
        found = []
        for digest, size, path in _lines(backup):
            full = os.path.join(backup.path, path)
            if not os.path.isfile(full):
                found.append(f"{path} is missing")
            elif os.path.getsize(full) != size:
                found.append(f"{path} has {os.path.getsize(full)} bytes instead of {size}")
            elif read_files and sha256_of(full) != digest:
                found.append(f"{path} was changed: its SHA-256 differs")
        return found
    except (OSError, ValueError) as error:
        return [f"{MANIFEST} cannot be read: {getattr(error, 'strerror', None) or error}"]


def require_whole(backup: Backup, *, read_files: bool = True) -> None:
    """Refuse a backup that is not as it was verified.

    :raises UpgradeError: names its files.
    """
    damage = damage_of(backup, read_files=read_files)
    if damage:
        more = f", and {len(damage) - MOST_NAMED} more" if len(damage) > MOST_NAMED else ""
        raise UpgradeError(
            f"The backup {backup.path} is damaged: {'; '.join(damage[:MOST_NAMED])}{more}. Use another backup.",
            damage=damage,
        )


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

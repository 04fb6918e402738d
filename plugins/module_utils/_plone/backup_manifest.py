# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest of a Plone backup: the SHA-256 of each file, written, and compared with what is there.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from .._core.errors import UpgradeError
from .backup_folder import BLOBS, MANIFEST, RECORD, Backup

BLOCK = 1024 * 1024
MOST_NAMED = 5


class Digests:
    """The SHA-256 of files; one that several backups have by a hard link is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], str] = {}

    def of(self, path: str) -> str:
        """The digest of a file.

        :raises OSError: it cannot be read.
        """
        status = os.stat(path)
        file = (status.st_dev, status.st_ino)
        if file not in self._known:
            self._known[file] = sha256_of(path)
        return self._known[file]


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


def write_manifest(folder: str, earlier: Backup | None, *, read_all: bool) -> tuple[str, int]:
    """Write the manifest of a backup: a line "sha256 size path" for each file.

    :param earlier: a backup whose digests count for what is the same file there; that is not read again.
    :param read_all: read it again all the same.
    :return: the manifest's own digest, and the size of all files.
    :raises UpgradeError: a blob is not what it was in the earlier backup.
    :raises OSError: a file cannot be read or the manifest not be written.
    """
    changed: list[str] = []
    known = {path: (digest, size) for digest, size, path in _lines(earlier)} if earlier else {}
    total = 0
    path_of_manifest = os.path.join(folder, MANIFEST)
    with open(path_of_manifest, "w", encoding="utf-8", errors="surrogateescape") as manifest:
        for path in files_below(folder):
            full = os.path.join(folder, path)
            size = os.path.getsize(full)
            digest, known_size = known.get(path, ("", -1))
            is_known = earlier is not None and known_size == size and _is_same(full, os.path.join(earlier.path, path))
            if read_all or not is_known:
                before, digest = digest, sha256_of(full)
                if before and before != digest and path.startswith(f"{BLOBS}/"):
                    changed.append(os.path.relpath(path, BLOBS))
            total += size
            manifest.write(f"{digest} {size} {path}\n")
    if changed and earlier:
        raise UpgradeError(
            f"{len(changed)} blobs are not what they were when {earlier.path} was made: "
            f"{', '.join(changed[:MOST_NAMED])}. A blob never changes, so they are damaged. Take them from "
            f"{earlier.blob_folder} after you verified that backup (state: verified), and run again.",
            changed_blobs=changed,
        )
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


def damage_of(backup: Backup, *, read_files: bool, below: str = "", digests: Digests | None = None) -> list[str]:
    """What is wrong with a backup, a sentence for each file; empty if it is as it was verified.

    :param read_files: whether to read all files, or only to look at their names and sizes.
    :param below: the folder of the backup that is looked at; all of it if empty.
    :param digests: what was read of other backups already.
    """
    digests = digests or Digests()
    try:
        if sha256_of(os.path.join(backup.path, MANIFEST)) != backup.manifest_sha256:
            return [f"{MANIFEST} was changed"]
        found = []
        for digest, size, path in _lines(backup):
            full = os.path.join(backup.path, path)
            if below and not path.startswith(f"{below}/"):
                continue
            if not os.path.isfile(full):
                found.append(f"{path} is missing")
            elif os.path.getsize(full) != size:
                found.append(f"{path} has {os.path.getsize(full)} bytes instead of {size}")
            elif read_files and digests.of(full) != digest:
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


def are_blobs_as(backup: Backup, blobs: str) -> bool:
    """Whether a folder has the blobs of a backup, byte for byte; what else is in it does not count.

    :param blobs: the folder; none is looked at if empty.
    """
    try:
        if not blobs:
            return True
        if sha256_of(os.path.join(backup.path, MANIFEST)) != backup.manifest_sha256:
            return False
        for digest, size, path in _lines(backup):
            if path.startswith(f"{BLOBS}/"):
                blob = os.path.join(blobs, os.path.relpath(path, BLOBS))
                if os.path.getsize(blob) != size or sha256_of(blob) != digest:
                    return False
    except (OSError, ValueError):
        return False
    return True

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup and a restore need of a storage: a Data.fs with its blobs, or a RelStorage on PostgreSQL.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import abc
import contextlib
import os
import shutil
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError
from .._core.human import size as size_text
from .backup_folder import Backup
from .folder_swap import Names
from .instance_programs import Contents, Programs

PLACE = ".restoring"
"""How what was restored ends until it takes the place of the present database."""


@dataclass(frozen=True)
class ReadBack:
    """What was restored and read: its contents, the bytes that it takes, and the SHA-256 that tells it from another."""

    contents: Contents
    size: int
    sha256: str


class Storage(abc.ABC):
    """A database and the folder of its blobs; an empty folder means that none is known.

    ``option`` is the option of the modules that names it, ``part`` the folder of a backup that has its files.
    """

    option: t.ClassVar[str]
    part: t.ClassVar[str]

    def __init__(self, programs: Programs, blobs: str) -> None:
        self.programs = programs
        self.blobs = blobs
        self.names = Names()
        self.compared = False
        """Whether the backup that was just made was compared with the files of the one before."""

    @property
    @abc.abstractmethod
    def place(self) -> str:
        """The database in words."""

    # For a backup

    @abc.abstractmethod
    def last_transaction(self) -> str:
        """The id of its last transaction."""

    @abc.abstractmethod
    def write(self, folder: str, base: Backup | None, seconds: float) -> str:
        """Back it up into a new folder, with the files of the backup before if one is given.

        :return: when the full backup that this one adds to was made; empty if this is a full one.
        """

    @abc.abstractmethod
    def read_back(self, files: str, blobs: str, scratch: str, seconds: float, what: str) -> ReadBack:
        """Restore the files of a backup beside everything else, and read all of it; nothing is kept."""

    # For a restore

    def follow_links(self) -> None:
        """Have the folder that a link leads to: what takes its place must not land on the disk of the link."""
        if os.path.islink(self.blobs):
            self.blobs = os.path.realpath(self.blobs)

    @property
    @abc.abstractmethod
    def journal(self) -> str:
        """The path of the journal of the exchange."""

    @property
    @abc.abstractmethod
    def busy(self) -> str:
        """What a user is told when a server has the database."""

    @abc.abstractmethod
    def is_busy(self) -> bool:
        """Whether a server has the database."""

    @abc.abstractmethod
    def kept_out(self) -> contextlib.AbstractContextManager[None]:
        """Keep servers out meanwhile, as far as the storage allows it.

        :raises BusyError: one has the database.
        """

    @abc.abstractmethod
    def is_as(self, backup: Backup) -> bool:
        """Whether the present database is that of a backup."""

    @abc.abstractmethod
    def restore_beside(self, backup: Backup, blobs: str, seconds: float) -> Contents:
        """Restore a backup under a name of its own, and read it there."""

    @abc.abstractmethod
    def clear_restored(self) -> None:
        """Remove what a run restored and did not exchange."""

    @abc.abstractmethod
    def parts(self) -> list[tuple[str, str]]:
        """What the database consists of: its name, and its name while it is restored."""

    @abc.abstractmethod
    def folders(self, backup: Backup) -> list[tuple[str, int]]:
        """The folders that a restore writes to, and the bytes that each gets."""

    def require_place(self) -> None:
        """Refuse a place that cannot be restored to.

        :raises OptionError: names the option.
        """
        require_writable("blobs", self.blobs)
        if os.path.lexists(self.blobs or "/nonexistent") and not os.path.isdir(self.blobs):
            raise OptionError("blobs", f"{self.blobs} is not a folder.")

    def require_movable(self) -> None:
        """Refuse what cannot get another name.

        :raises OptionError: names the option.
        """
        refuse_mount_point("blobs", self.blobs)

    def require_kind(self, backup: Backup) -> None:
        """Refuse the backup of another storage.

        :raises OptionError: it is one.
        """
        if backup.part != self.part:
            other = "database" if self.option == "data_fs" else "data_fs"
            raise OptionError(
                self.option, f"the backup {backup.path} is one of another storage; it goes with '{other}'."
            )

    def require_room(self, backup: Backup, link_blobs: bool) -> None:
        """Refuse before anything is written what certainly has no room.

        :raises UpgradeError: names the folder, what is needed, and what is free.
        """
        places = self.folders(backup)
        if self.blobs and not link_blobs:
            places = [*places, (os.path.dirname(self.blobs), backup.size - backup.database_size)]
        for folder, needed in places:
            free = shutil.disk_usage(folder).free
            if free < needed:
                raise UpgradeError(
                    f"The backup {backup.path} needs {size_text(needed)} in {folder}, and {size_text(free)} are free. "
                    "Nothing was changed."
                )


def require_writable(option: str, path: str) -> None:
    """Refuse a path whose folder is missing or cannot be written to.

    :raises OptionError: names the option.
    """
    folder = os.path.dirname(path)
    if path and not os.path.isdir(folder):
        raise OptionError(option, f"there is no folder {folder}.")
    if path and not os.access(folder, os.W_OK | os.X_OK):
        raise OptionError(option, f"the folder {folder} cannot be written to.")


def refuse_mount_point(option: str, path: str) -> None:
    """Refuse a path on which a file system is mounted, or in a container a volume.

    :raises OptionError: names the option.
    """
    if path and _is_mount_point(path):
        raise OptionError(
            option,
            f"{path} is a mount point and cannot be renamed, so nothing can be put into its place. Mount what has it "
            "one folder higher, or restore into another folder and exchange the two yourself.",
        )


def _is_mount_point(path: str) -> bool:
    if os.path.ismount(path):
        return True
    # A folder or file of the same file system that is mounted as a volume.
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounted = {line.split(" ")[4] for line in file}
    except (OSError, IndexError):
        return False
    return path.replace("\\", r"\134").replace(" ", r"\040") in mounted

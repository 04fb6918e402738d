# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder beside its destination that a result of today's service is fetched into.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import shutil

from ..._core.errors import OptionError, UpgradeError
from ..._transfer.dump import FileMark
from ..._transfer.folder_dump import FolderDump, members_of
from ..._transfer.part_file import give_name
from ..._transfer.room import require_room

OLD_SUFFIX = ".siteops-old"
"""What the name of the folder that is replaced ends with; no folder of a user is called so."""


class ResultPart:
    """The folder beside ``dest`` that is being filled."""

    def __init__(self, path: str, dest: str, mode: int) -> None:
        self.path = path
        self.dump_name = ""
        self._dest = dest
        self._mode = mode

    @property
    def size(self) -> int:
        """Bytes that are in it."""
        try:
            return sum(member.size for member in members_of(self.path))
        except (OSError, UpgradeError):
            return 0

    @property
    def mark(self) -> FileMark:
        """What identifies it, also under its final name."""
        return mark_of(self.path) or FileMark(0, 0, 0, 0)

    def require_space(self, size: int) -> None:
        """Refuse to begin what cannot be finished.

        :raises UpgradeError: the file system has less room than is still needed.
        """
        require_room(self._dest, size - self.size)

    def empty(self) -> None:
        """Throw away what is in it.

        :raises UpgradeError: that is not possible.
        """
        try:
            for entry in os.scandir(self.path):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
        except OSError as error:
            raise UpgradeError(f"{self.path} cannot be emptied: {error.strerror}.") from error

    def finish(self) -> None:
        """Have everything on disk with its permissions.

        :raises UpgradeError: the disk fails.
        """
        # Who may read a file may enter the folders that it is in.
        enter = self._mode | (self._mode & 0o444) >> 2
        try:
            for folder, _folders, files in os.walk(self.path):
                for name in files:
                    path = os.path.join(folder, name)
                    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                    try:
                        os.fchmod(descriptor, self._mode)
                        os.fsync(descriptor)
                    finally:
                        os.close(descriptor)
                os.chmod(folder, enter)
        except OSError as error:
            raise UpgradeError(f"{self.path} cannot be written: {error.strerror}.") from error

    def promote(self) -> None:
        """Give the folder its name. :raises UpgradeError: that is not possible."""
        replace_folder(self.path, self._dest)

    def discard(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)


def mark_of(path: str) -> FileMark | None:
    """What identifies all files in a folder; None where there is none."""
    try:
        members = tuple(members_of(path))
        return FolderDump(path, members).mark if members else None
    except (OSError, UpgradeError):
        return None


def replace_folder(path: str, dest: str) -> None:
    """Rename a folder; one that is in the way is kept under another name until :meth:`ResultFolder.remove_former`."""
    old = dest + OLD_SUFFIX
    taken = bool(entries_of(dest))
    if taken:
        shutil.rmtree(old, ignore_errors=True)
        give_name(dest, old)
    try:
        give_name(path, dest)
    except UpgradeError:
        if taken:
            give_name(old, dest)
        raise


def entries_of(path: str) -> list[str]:
    """What is in a folder; nothing where there is none. :raises OptionError: it cannot be read."""
    try:
        return os.listdir(path) if os.path.isdir(path) else []
    except OSError as error:
        raise OptionError("dest", f"the folder {path} cannot be read: {error.strerror}.") from error

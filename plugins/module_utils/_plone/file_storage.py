# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Data.fs and the folder of its blobs: backed up by repozo, and restored beside the present one.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t

from .._core.errors import OptionError
from .._core.files import is_locked, is_still_at, locked_file, remove_if_exists
from .backup_folder import REPOZO, Backup
from .backup_manifest import are_blobs_as, sha256_of
from .data_fs import LOCK, last_transaction
from .instance_programs import Contents, Programs
from .repozo_files import write_repozo_files
from .storage import PLACE, ReadBack, Storage, refuse_mount_point, require_writable

INDEX = ".index"
SCRATCH = "restored"


class FileStorage(Storage):
    """The storage whose file a path names."""

    option = "data_fs"
    part = REPOZO

    def __init__(self, programs: Programs, blobs: str, data_fs: str) -> None:
        super().__init__(programs, blobs)
        self.data_fs = data_fs
        self._locks = [data_fs + LOCK]

    @property
    def place(self) -> str:
        """The path."""
        return self.data_fs

    def last_transaction(self) -> str:
        """As the file has it.

        :raises OptionError: it is no Data.fs.
        :raises UpgradeError: it ends in the middle of a transaction.
        """
        return last_transaction(self.data_fs).tid

    def write(self, folder: str, base: Backup | None, seconds: float) -> str:
        """By repozo, which adds to the files of a backup before."""
        full_at, self.compared = write_repozo_files(self.programs, self.data_fs, folder, base, seconds)
        return full_at

    def read_back(self, files: str, blobs: str, scratch: str, seconds: float, what: str) -> ReadBack:
        """By repozo, and the instance's ZODB."""
        restored = os.path.join(scratch, SCRATCH)
        os.mkdir(restored, 0o700)
        data_fs = os.path.join(restored, "Data.fs")
        try:
            self.programs.run_repozo(seconds, "-R", "-r", files, "-o", data_fs)
            size, digest = os.path.getsize(data_fs), sha256_of(data_fs)
            contents = self.programs.read(data_fs, blobs, restored, seconds, what)
            if contents.blobs and not blobs:
                raise OptionError("blobs", f"{self.place} has {contents.blobs} blobs; name their folder.")
            return ReadBack(contents, size, digest)
        finally:
            shutil.rmtree(restored, ignore_errors=True)

    # Restore

    def follow_links(self) -> None:
        """Have the file that a link leads to as well. A server that was given the link has the lock beside the link."""
        super().follow_links()
        if os.path.islink(self.data_fs):
            self.data_fs = os.path.realpath(self.data_fs)
            self._locks.append(self.data_fs + LOCK)

    @property
    def journal(self) -> str:
        """Beside the Data.fs."""
        return os.path.join(os.path.dirname(self.data_fs), ".siteops-restore.json")

    @property
    def busy(self) -> str:
        """Names the lock file."""
        return (
            f"A server has {' or '.join(self._locks)} locked, so nothing was changed. Stop every process that uses "
            "this database first, and start it again afterwards."
        )

    def is_busy(self) -> bool:
        """Whether a server has the lock file."""
        return any(is_locked(lock) for lock in self._locks)

    @contextlib.contextmanager
    def kept_out(self) -> t.Iterator[None]:
        """Have the lock of the storage, so that no server starts on files that are being exchanged."""
        with contextlib.ExitStack() as stack:
            for lock in self._locks:
                stack.enter_context(_locked(lock, self.busy))
            yield

    def is_as(self, backup: Backup) -> bool:
        """Byte for byte."""
        try:
            if os.path.getsize(self.data_fs) != backup.database_size:
                return False
            return sha256_of(self.data_fs) == backup.database_sha256 and are_blobs_as(backup, self.blobs)
        except OSError:
            return False

    def restore_beside(self, backup: Backup, blobs: str, seconds: float) -> Contents:
        """By repozo, as the owner of the present file."""
        data_fs = self.data_fs + PLACE
        self.programs.run_repozo(seconds, "-R", "-r", backup.files, "-o", data_fs)
        folder, what = os.path.dirname(self.data_fs), f"What {backup.path} restores"
        contents = self.programs.read(data_fs, blobs, folder, seconds, what)
        model = self.data_fs if os.path.exists(self.data_fs) else folder
        give_to_owner(model, data_fs, data_fs + INDEX, blobs)
        return contents

    def clear_restored(self) -> None:
        """Remove the file, its index, and what repozo did not finish."""
        for ending in ("", INDEX, ".part"):
            remove_if_exists(self.data_fs + PLACE + ending)

    def parts(self) -> list[tuple[str, str]]:
        """The file and its index."""
        data_fs = self.data_fs
        return [(data_fs, data_fs + PLACE), (data_fs + INDEX, data_fs + PLACE + INDEX)]

    def folders(self, backup: Backup) -> list[tuple[str, int]]:
        """That of the file."""
        return [(os.path.dirname(self.data_fs), backup.database_size)]

    def require_movable(self) -> None:
        """Refuse a file or folder that is a mount point."""
        refuse_mount_point("data_fs", self.data_fs)
        super().require_movable()

    def require_place(self) -> None:
        """Refuse a path that cannot become a file."""
        require_writable("data_fs", self.data_fs)
        super().require_place()
        if os.path.isdir(self.data_fs):
            raise OptionError("data_fs", f"{self.data_fs} is a folder; give the path of the file.")


@contextlib.contextmanager
def _locked(lock: str, busy: str) -> t.Iterator[None]:
    was_there = os.path.lexists(lock)
    with locked_file(lock, 0, busy) as file:
        try:
            yield
        finally:
            # A file of this user would keep a server of another user from starting.
            if not was_there and is_still_at(lock, file):
                remove_if_exists(lock)


def give_to_owner(model: str, *paths: str) -> None:
    """Give what root restored to the owner of the present database, or of its folder."""
    owner = os.stat(model)
    if os.geteuid() != 0 or (owner.st_uid, owner.st_gid) == (0, 0):
        return
    for path in paths:
        if path and os.path.exists(path):
            os.chown(path, owner.st_uid, owner.st_gid)
            for where, folders, names in os.walk(path):
                for name in (*folders, *names):
                    os.chown(os.path.join(where, name), owner.st_uid, owner.st_gid, follow_symlinks=False)

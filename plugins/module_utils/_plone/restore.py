# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup of a Plone database restored: beside the present one, read there, and then swapped under a journal.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t
from dataclasses import dataclass

from .._core.clock import Deadline
from .._core.errors import OptionError, UpgradeError
from .._core.files import BusyError, is_locked, is_still_at, locked_file, remove_if_exists
from .._core.human import size as size_text
from .._core.progress import Progress
from .backup_folder import Backup, newest_backup, read
from .backup_manifest import is_as_backup, require_whole
from .data_fs import LOCK
from .folder_swap import FolderSwap, Move
from .instance_programs import Programs

RESTORED, REVERTED = "restored", "reverted"
INDEX = ".index"
PLACE = ".restoring"
"""How the restored files end until they take the place of the present ones."""
REPLACED = ".restored"
"""How they end after the way back."""


@dataclass(frozen=True)
class RestorePlan:
    """What a restore is asked for; see the options of the module."""

    src: str
    name: str
    data_fs: str
    blobs: str
    keep_as: str
    link_blobs: bool
    state: str
    timeout: int


class RestoreRun:
    """One restore, or the way back."""

    def __init__(self, programs: Programs, plan: RestorePlan, progress: Progress) -> None:
        self.programs = programs
        self.plan = plan
        self.progress = progress
        self.deadline = Deadline(plan.timeout)
        self.warnings: list[str] = []
        self._swap = FolderSwap(os.path.join(os.path.dirname(plan.data_fs), ".siteops-restore.json"))

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Restore or revert, after finishing what a killed run began.

        :raises UpgradeError: the present database is as it was, or the message says what is left to do.
        """
        self._require_place()
        backup = self._backup() if self.plan.state == RESTORED else None
        if check_mode:
            return self._result(backup, self._plan_only(backup))
        try:
            with self._server_kept_out():
                changed = self._swap.finish()
                changed = (self._restore(backup) if backup else self._revert()) or changed
        except OSError as error:
            raise UpgradeError(
                f"{self.plan.data_fs} cannot be restored: {error.strerror}"
                f"{f' ({error.filename})' if error.filename else ''}. "
                f"{'Run this again to finish the swap.' if self._swap.is_begun else 'It is as it was.'}"
            ) from error
        return self._result(backup, changed)

    def _result(self, backup: Backup | None, changed: bool) -> dict[str, t.Any]:
        return {
            "changed": changed,
            "src": backup.path if backup else "",
            "backup": backup.as_result() if backup else {},
            "kept": [move.dest for move in self._aside() if os.path.lexists(move.dest)],
        }

    def _require_place(self) -> None:
        for option, path in (("data_fs", self.plan.data_fs), ("blobs", self.plan.blobs)):
            folder = os.path.dirname(path)
            if path and not os.path.isdir(folder):
                raise OptionError(option, f"there is no folder {folder}.")
            if path and not os.access(folder, os.W_OK | os.X_OK):
                raise OptionError(option, f"the folder {folder} cannot be written to.")
        if os.path.isdir(self.plan.data_fs):
            raise OptionError("data_fs", f"{self.plan.data_fs} is a folder; give the path of the file.")
        if os.path.lexists(self.plan.blobs or "/nonexistent") and not os.path.isdir(self.plan.blobs):
            raise OptionError("blobs", f"{self.plan.blobs} is not a folder.")

    def _backup(self) -> Backup:
        src = self.plan.src
        if not os.path.isdir(src):
            raise OptionError("src", f"there is no folder {src}.")
        backup = read(src) or newest_backup(src, self.plan.name)
        if backup.blobs and not self.plan.blobs:
            raise OptionError("blobs", f"the backup {backup.path} has {backup.blobs} blobs; name their folder.")
        return backup

    def _plan_only(self, backup: Backup | None) -> bool:
        """Whether a run would change something.

        :raises UpgradeError: it would fail.
        """
        if is_locked(self.plan.data_fs + LOCK):
            raise BusyError(self._busy)
        if self._swap.is_begun:
            return True
        if backup is None:
            return bool(self._moves_back())
        require_whole(backup, read_files=False)
        if is_as_backup(backup, self.plan.data_fs, self.plan.blobs):
            return False
        self._require_nothing_in_the_way()
        self._require_room(backup)
        return True

    def prove(self) -> dict[str, t.Any]:
        """Prove that the backup could be restored, while the server runs. Nothing is written.

        :raises UpgradeError: says what stands against it.
        """
        self._require_place()
        backup = self._backup()
        if self._swap.is_begun:
            raise UpgradeError(
                f"An interrupted restore of {self.plan.data_fs} is not finished. Run plone_restore first."
            )
        require_whole(backup)
        self._require_nothing_in_the_way()
        self._require_room(backup)
        return self._result(backup, False)

    # The server

    @property
    def _busy(self) -> str:
        return (
            f"A server has {self.plan.data_fs}{LOCK} locked, so nothing was changed. Stop every process that uses this "
            "database first, and start it again afterwards."
        )

    @contextlib.contextmanager
    def _server_kept_out(self) -> t.Iterator[None]:
        """Have the lock of the storage, so that no server starts on files that are being exchanged."""
        lock = self.plan.data_fs + LOCK
        was_there = os.path.lexists(lock)
        with locked_file(lock, 0, self._busy) as file:
            try:
                yield
            finally:
                # A file of this user would keep a server of another user from starting.
                if not was_there and is_still_at(lock, file):
                    remove_if_exists(lock)

    # Restore

    def _require_nothing_in_the_way(self) -> None:
        for move in self._aside():
            if os.path.lexists(move.source) and os.path.lexists(move.dest):
                raise OptionError(
                    "keep_as",
                    f"{move.dest} is there already, and nothing is overwritten. Give another name, or remove it if it "
                    "may go.",
                )

    def _require_room(self, backup: Backup) -> None:
        places = [(os.path.dirname(self.plan.data_fs), backup.database_size)]
        if self.plan.blobs and not self.plan.link_blobs:
            places.append((os.path.dirname(self.plan.blobs), backup.size - backup.database_size))
        for folder, needed in places:
            free = shutil.disk_usage(folder).free
            if free < needed:
                raise UpgradeError(
                    f"The backup {backup.path} needs {size_text(needed)} in {folder}, and {size_text(free)} are free. "
                    "Nothing was changed."
                )

    def _restore(self, backup: Backup) -> bool:
        self.progress.state("comparing the database with the backup", self.plan.timeout)
        if is_as_backup(backup, self.plan.data_fs, self.plan.blobs):
            return False
        self._require_nothing_in_the_way()
        self.progress.state("verifying the backup", self.plan.timeout)
        require_whole(backup)
        self._clear_places()
        self._require_room(backup)
        try:
            self._write(backup)
        except BaseException:
            with contextlib.suppress(OSError):
                self._clear_places()
            raise
        self._swap.run([*self._present_moves(self._aside()), *self._present_moves(self._into_place())])
        return True

    def _write(self, backup: Backup) -> None:
        """Restore everything under names of its own, and read it with the instance's ZODB."""
        self.progress.state("restoring", self.plan.timeout)
        data_fs, blobs = self.plan.data_fs + PLACE, ""
        self.programs.run_repozo(self.deadline.remaining, "-R", "-r", backup.repozo, "-o", data_fs)
        if backup.blob_folder and self.plan.blobs:
            blobs = self.plan.blobs + PLACE
            os.mkdir(blobs, 0o700)
            like = [backup.blob_folder] if self.plan.link_blobs else []
            self.programs.rsync(backup.blob_folder, blobs, self.deadline.remaining, *like)
        self.progress.state("reading what was restored", self.plan.timeout)
        folder = os.path.dirname(self.plan.data_fs)
        contents = self.programs.read(data_fs, blobs, folder, self.deadline.remaining, f"What {backup.path} restores")
        if (contents.last, contents.objects) != (backup.last_transaction, backup.objects):
            raise UpgradeError(
                f"What {backup.path} restores ends with the transaction {contents.last} instead of "
                f"{backup.last_transaction}. Nothing was changed. Use another backup."
            )
        self._give_to_owner(data_fs, data_fs + INDEX, blobs)
        os.sync()

    def _give_to_owner(self, *paths: str) -> None:
        """Give what root restored to the owner of the present database, or of its folder."""
        model = self.plan.data_fs if os.path.exists(self.plan.data_fs) else os.path.dirname(self.plan.data_fs)
        owner = os.stat(model)
        if os.geteuid() != 0 or (owner.st_uid, owner.st_gid) == (0, 0):
            return
        for path in paths:
            if path and os.path.exists(path):
                os.chown(path, owner.st_uid, owner.st_gid)
                for where, folders, names in os.walk(path):
                    for name in (*folders, *names):
                        os.chown(os.path.join(where, name), owner.st_uid, owner.st_gid, follow_symlinks=False)

    def _clear_places(self) -> None:
        """Remove what a killed run restored and did not swap."""
        for path in (self.plan.data_fs + PLACE, self.plan.data_fs + PLACE + INDEX, self.plan.data_fs + PLACE + ".part"):
            remove_if_exists(path)
        if self.plan.blobs and os.path.lexists(self.plan.blobs + PLACE):
            shutil.rmtree(self.plan.blobs + PLACE)

    # Names

    def _parts(self) -> list[tuple[str, str]]:
        """What a database consists of: its path, and its path under the name of a restored one."""
        data_fs = self.plan.data_fs
        parts = [(data_fs, data_fs + PLACE), (data_fs + INDEX, data_fs + PLACE + INDEX)]
        return [*parts, (self.plan.blobs, self.plan.blobs + PLACE)] if self.plan.blobs else parts

    def _aside(self) -> list[Move]:
        return [Move(path, _kept(path, self.plan.keep_as)) for path, _place in self._parts()]

    def _into_place(self) -> list[Move]:
        return [Move(place, path) for path, place in self._parts()]

    def _present_moves(self, moves: t.Iterable[Move]) -> list[Move]:
        return [move for move in moves if os.path.lexists(move.source)]

    # The way back

    def _moves_back(self) -> list[Move]:
        """The renames of the way back; none where the database of before is in its place.

        :raises UpgradeError: there is nothing to go back to, or something is in the way.
        """
        kept = [Move(move.dest, move.source) for move in self._aside()]
        if not os.path.lexists(kept[0].source):
            if os.path.lexists(self.plan.data_fs + REPLACED):
                return []
            raise OptionError("keep_as", f"there is no {kept[0].source} to go back to.")
        away = self._present_moves(Move(path, path + REPLACED) for path, _place in self._parts())
        for move in away:
            if os.path.lexists(move.dest):
                raise UpgradeError(f"{move.dest} is in the way, and nothing is overwritten. Remove it if it may go.")
        return [*away, *self._present_moves(kept)]

    def _revert(self) -> bool:
        moves = self._moves_back()
        self._swap.run(moves)
        return bool(moves)


def _kept(path: str, name: str) -> str:
    return f"{path}.{name}"

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
from .._core.files import BusyError
from .._core.progress import Progress
from .backup_folder import Backup, newest_backup, read
from .backup_manifest import require_whole
from .folder_swap import FolderSwap, Move
from .rel_storage import NAMED
from .storage import PLACE, Storage

RESTORED, REVERTED = "restored", "reverted"
REPLACED = ".restored"
"""How what was restored ends after the way back."""


@dataclass(frozen=True)
class RestorePlan:
    """What a restore is asked for; see the options of the module."""

    src: str
    name: str
    keep_as: str
    link_blobs: bool
    state: str
    timeout: int


class RestoreRun:
    """One restore, or the way back."""

    def __init__(self, storage: Storage, plan: RestorePlan, progress: Progress) -> None:
        self.storage = storage
        self.plan = plan
        self.progress = progress
        self.deadline = Deadline(plan.timeout)
        self.warnings: list[str] = []
        self._swap = FolderSwap(storage.journal, storage.names)

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Restore or revert, after finishing what a killed run began.

        :raises UpgradeError: the present database is as it was, or the message says what is left to do.
        """
        self.storage.require_place()
        backup = self._backup() if self.plan.state == RESTORED else None
        if check_mode:
            return self._result(backup, self._plan_only(backup))
        try:
            with self.storage.kept_out():
                changed = self._swap.finish()
                changed = (self._restore(backup) if backup else self._revert()) or changed
        except OSError as error:
            raise UpgradeError(
                f"{self.storage.place} cannot be restored: {error.strerror}"
                f"{f' ({error.filename})' if error.filename else ''}. "
                f"{'Run this again to finish the swap.' if self._swap.is_begun else 'It is as it was.'}"
            ) from error
        return self._result(backup, changed)

    def _result(self, backup: Backup | None, changed: bool) -> dict[str, t.Any]:
        return {
            "changed": changed,
            "src": backup.path if backup else "",
            "backup": backup.as_result() if backup else {},
            "kept": [_plain(move.dest) for move in self._aside() if self._exists(move.dest)],
        }

    def _backup(self) -> Backup:
        src = self.plan.src
        if not os.path.isdir(src):
            raise OptionError("src", f"there is no folder {src}.")
        backup = read(src) or newest_backup(src, self.plan.name)
        self.storage.require_kind(backup)
        if backup.blob_folder and backup.blobs and not self.storage.blobs:
            raise OptionError("blobs", f"the backup {backup.path} has {backup.blobs} blobs; name their folder.")
        return backup

    def _plan_only(self, backup: Backup | None) -> bool:
        """Whether a run would change something.

        :raises UpgradeError: it would fail.
        """
        if self.storage.is_busy():
            raise BusyError(self.storage.busy)
        if self._swap.is_begun:
            return True
        if backup is None:
            return bool(self._moves_back())
        require_whole(backup, read_files=False)
        if self.storage.is_as(backup):
            return False
        self._require_nothing_in_the_way()
        self.storage.require_room(backup, self.plan.link_blobs)
        return True

    def prove(self) -> dict[str, t.Any]:
        """Prove that the backup could be restored, while the server runs. Nothing is written.

        :raises UpgradeError: says what stands against it.
        """
        self.storage.require_place()
        backup = self._backup()
        if self._swap.is_begun:
            raise UpgradeError(
                f"An interrupted restore of {self.storage.place} is not finished. Run plone_restore first."
            )
        require_whole(backup)
        self._require_nothing_in_the_way()
        self.storage.require_room(backup, self.plan.link_blobs)
        return self._result(backup, False)

    # Restore

    def _require_nothing_in_the_way(self) -> None:
        self.storage.require_movable()
        for move in self._aside():
            if self._exists(move.source) and self._exists(move.dest):
                raise OptionError(
                    "keep_as",
                    f"{_plain(move.dest)} is there already, and nothing is overwritten. Give another name, or remove "
                    "it if it may go.",
                )

    def _restore(self, backup: Backup) -> bool:
        self.progress.state("comparing the database with the backup", self.plan.timeout)
        if self.storage.is_as(backup):
            return False
        self._require_nothing_in_the_way()
        self.progress.state("verifying the backup", self.plan.timeout)
        require_whole(backup)
        self._clear_places()
        self.storage.require_room(backup, self.plan.link_blobs)
        try:
            self._write(backup)
        except BaseException:
            with contextlib.suppress(OSError, UpgradeError):
                self._clear_places()
            raise
        self._swap.run([*self._present_moves(self._aside()), *self._present_moves(self._into_place())])
        return True

    def _write(self, backup: Backup) -> None:
        """Restore everything under names of its own, and read it with the instance's ZODB."""
        self.progress.state("restoring", self.plan.timeout)
        blobs, folder = "", self.storage.blobs
        if backup.blob_folder and folder:
            blobs = folder + PLACE
            os.mkdir(blobs, 0o700)
            like = [backup.blob_folder] if self.plan.link_blobs else []
            self.storage.programs.rsync(backup.blob_folder, blobs, self.deadline.remaining, *like)
        contents = self.storage.restore_beside(backup, blobs, self.deadline.remaining)
        if (contents.last, contents.objects) != (backup.last_transaction, backup.objects):
            raise UpgradeError(
                f"What {backup.path} restores ends with the transaction {contents.last} instead of "
                f"{backup.last_transaction}. Nothing was changed. Use another backup."
            )
        os.sync()

    def _clear_places(self) -> None:
        """Remove what a killed run restored and did not swap."""
        self.storage.clear_restored()
        if self.storage.blobs and os.path.lexists(self.storage.blobs + PLACE):
            shutil.rmtree(self.storage.blobs + PLACE)

    # Names

    def _exists(self, name: str) -> bool:
        return self.storage.names.exists(name)

    def _parts(self) -> list[tuple[str, str]]:
        """What a database consists of: its name, and its name while it is restored."""
        blobs = self.storage.blobs
        return [*self.storage.parts(), *([(blobs, blobs + PLACE)] if blobs else [])]

    def _aside(self) -> list[Move]:
        ending = f".{self.plan.keep_as}"
        return [Move(name, self.storage.names.with_ending(name, ending)) for name, _place in self._parts()]

    def _into_place(self) -> list[Move]:
        return [Move(place, name) for name, place in self._parts()]

    def _present_moves(self, moves: t.Iterable[Move]) -> list[Move]:
        return [move for move in moves if self._exists(move.source)]

    # The way back

    def _moves_back(self) -> list[Move]:
        """The renames of the way back; none where the database of before is in its place.

        :raises UpgradeError: there is nothing to go back to, or something is in the way.
        """
        kept = [Move(move.dest, move.source) for move in self._aside()]
        replaced = [Move(name, self.storage.names.with_ending(name, REPLACED)) for name, _place in self._parts()]
        if not self._exists(kept[0].source):
            if self._exists(replaced[0].dest):
                return []
            raise OptionError("keep_as", f"there is no {_plain(kept[0].source)} to go back to.")
        away = self._present_moves(replaced)
        for move in away:
            if self._exists(move.dest):
                raise UpgradeError(
                    f"{_plain(move.dest)} is in the way, and nothing is overwritten. Remove it if it may go."
                )
        return [*away, *self._present_moves(kept)]

    def _revert(self) -> bool:
        moves = self._moves_back()
        self._swap.run(moves)
        return bool(moves)


def _plain(name: str) -> str:
    """A name as a user knows it."""
    return name.replace(NAMED, "the database ", 1) if name.startswith(NAMED) else name

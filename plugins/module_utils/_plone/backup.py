# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Plone database backed up into a folder of its own: restored and read before the folder gets its name.

Each backup is whole by itself: what did not change since the one before is a hard link to the same file, so that any
of them may be removed.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import typing as t

from .._core.clock import Deadline, utc_now, utc_text
from .._core.errors import OptionError, UpgradeError
from .._core.files import locked_file, remove_if_exists, rename_durably
from .._core.progress import Progress
from .backup_folder import BLOBS, PART, Backup, clear_remains, newest_backup, planned
from .backup_manifest import require_whole, write_manifest
from .backup_plan import BackupPlan
from .earlier_backups import EarlierBackups
from .storage import ReadBack, Storage

LOCK_SECONDS = 5


class BackupRun:
    """One backup."""

    def __init__(self, storage: Storage, plan: BackupPlan, progress: Progress) -> None:
        self.storage = storage
        self.plan = plan
        self.progress = progress
        self.deadline = Deadline(plan.timeout)
        self.warnings: list[str] = []

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Back up, or find that a verified backup is young enough.

        :raises UpgradeError: earlier backups are as they were then.
        """
        plan = self.plan
        before = self.storage.last_transaction()
        self._require_blobs()
        self._require_places_outside()
        earlier = EarlierBackups(self.storage, plan, self.warnings)
        newest = earlier.newest
        if newest and plan.if_older_than is not None and newest.age < plan.if_older_than:
            return self._result(newest, False, earlier.rotate(None, check_mode))
        earlier.warn_if_later(before)
        backup = planned(plan.dest, plan.name, plan.data_fs, plan.database)
        if check_mode:
            coming = dataclasses.replace(backup, last_transaction=before)
            return self._result(backup, True, earlier.rotate(coming, True))
        busy = f"Another run backs up {plan.name} to {plan.dest} at this moment. Wait until it has ended."
        lock = os.path.join(plan.dest, f".{plan.name}.lock")
        try:
            with locked_file(lock, LOCK_SECONDS, busy):
                try:
                    clear_remains(plan.dest, plan.name)
                    # A run that this one waited for may have taken the name meanwhile.
                    backup = planned(plan.dest, plan.name, plan.data_fs, plan.database)
                    backup = self._write(backup, newest, earlier)
                    removed = earlier.rotate(backup, False)
                finally:
                    remove_if_exists(lock)
        except OSError as error:
            raise UpgradeError(
                f"The backup {backup.path} cannot be written: {error.strerror}. Earlier backups are as they were."
            ) from error
        return self._result(backup, True, removed)

    def verify(self, check_mode: bool) -> dict[str, t.Any]:
        """Restore and read the newest backup again. Nothing is kept of it; check mode only reads its files.

        :raises UpgradeError: there is none, or it is damaged; names what.
        """
        backup = newest_backup(self.plan.dest, self.plan.name)
        self.storage.require_kind(backup)
        require_whole(backup)
        if check_mode:
            return self._result(backup, False, [])
        scratch = os.path.join(self.plan.scratch or self.plan.dest, f".{self.plan.name}.verify")
        busy = f"Another run verifies {self.plan.name} in {self.plan.dest} at this moment. Wait until it has ended."
        try:
            with locked_file(f"{scratch}.lock", LOCK_SECONDS, busy):
                try:
                    shutil.rmtree(scratch, ignore_errors=True)
                    os.mkdir(scratch, 0o700)
                    contents = self._read_back(backup.files, backup.blob_folder, scratch, backup.path).contents
                finally:
                    shutil.rmtree(scratch, ignore_errors=True)
                    remove_if_exists(f"{scratch}.lock")
        except OSError as error:
            raise UpgradeError(f"There is no place to restore {backup.path}: {error.strerror}.") from error
        if contents.last != backup.last_transaction:
            raise UpgradeError(
                f"The backup {backup.path} ends with the transaction {contents.last} instead of "
                f"{backup.last_transaction}. Use another backup."
            )
        return self._result(backup, False, [])

    def _require_blobs(self) -> None:
        if self.storage.blobs and not os.path.isdir(self.storage.blobs):
            raise OptionError("blobs", f"there is no folder {self.storage.blobs}.")

    def _require_places_outside(self) -> None:
        """Refuse a folder for backups that would be backed up itself."""
        blobs = os.path.realpath(self.storage.blobs) if self.storage.blobs else ""
        for option, path in (("dest", self.plan.dest), ("scratch", self.plan.scratch)):
            if blobs and path and f"{os.path.realpath(path)}/".startswith(f"{blobs}/"):
                raise OptionError(option, f"{path} lies in the folder of the blobs, {self.storage.blobs}.")

    def _write(self, backup: Backup, newest: Backup | None, earlier: EarlierBackups) -> Backup:
        base = earlier.base()
        part = f"{backup.path}{PART}"
        try:
            os.mkdir(part, 0o700)
            before = self.storage.last_transaction()
            self.progress.state("backing up the database", self.plan.timeout)
            files = os.path.join(part, self.storage.part)
            full_at = self.storage.write(files, base, self.deadline.remaining)
            self._copy_blobs(os.path.join(part, BLOBS), newest)
            after = self.storage.last_transaction()
            self.progress.state("verifying", self.plan.timeout)
            verified = self._verify(part)
            contents = verified.contents
            if not before <= contents.last <= after:
                raise UpgradeError(
                    f"The backup of {self.storage.place} ends with the transaction {contents.last}, and the database "
                    f"with {after}: something was left out that is there. Run again with 'full', and look at the "
                    "database."
                )
            if contents.others:
                self.warnings.append(
                    f"{', '.join(contents.others)} is mounted into {self.storage.place} and is not in this backup. "
                    "Back it up as well, under another 'name', and restore both: each has references into the other."
                )
            digest, total = write_manifest(part, newest, read_all=self.plan.full)
            done = dataclasses.replace(
                backup,
                full=not full_at,
                full_at=full_at or backup.began_at,
                last_transaction=contents.last,
                transactions=contents.transactions,
                objects=contents.objects,
                blobs=contents.blobs,
                packed=contents.packed,
                differs_from=earlier.differs_from(base, full_at, contents.packed),
                sites=contents.sites,
                database_size=verified.size,
                database_sha256=verified.sha256,
                size=total,
                manifest_sha256=digest,
                verified_at=utc_text(utc_now()),
            )
            done.save(part)
            # All files of the backup are on disk before it has its name.
            os.sync()
            rename_durably(part, backup.path)
        except BaseException:
            with contextlib.suppress(OSError):
                shutil.rmtree(part)
            raise
        return done

    def _copy_blobs(self, folder: str, newest: Backup | None) -> None:
        if not self.storage.blobs:
            return
        self.progress.state("copying the blobs", self.plan.timeout)
        os.mkdir(folder, 0o700)
        like = [newest.blob_folder] if newest and newest.blob_folder else []
        if self.plan.link_blobs:
            like.append(self.storage.blobs)
        # A blob that was damaged has the size and time that it had. Only a full backup reads them all.
        read_all = bool(like) and self.plan.full
        programs = self.storage.programs
        programs.rsync(self.storage.blobs, folder, self.deadline.remaining, *like, read_all=read_all)

    def _verify(self, part: str) -> ReadBack:
        blobs = os.path.join(part, BLOBS)
        scratch = part
        if self.plan.scratch:
            scratch = os.path.join(self.plan.scratch, f"{os.path.basename(part)}")
            shutil.rmtree(scratch, ignore_errors=True)
            os.mkdir(scratch, 0o700)
        try:
            files = os.path.join(part, self.storage.part)
            return self._read_back(files, blobs if os.path.isdir(blobs) else "", scratch, self.storage.place)
        finally:
            if self.plan.scratch:
                shutil.rmtree(scratch, ignore_errors=True)

    def _read_back(self, files: str, blobs: str, scratch: str, what: str) -> ReadBack:
        """Restore a database beside everything else and have the instance's ZODB read all of it."""
        words = f"The backup of {what}"
        return self.storage.read_back(files, blobs, scratch, self.deadline.remaining, words)

    def _result(self, backup: Backup, made: bool, removed: list[str]) -> dict[str, t.Any]:
        return {
            "changed": made or bool(removed),
            "backed_up": made,
            "dest": backup.path,
            "backup": backup.as_result(),
            "removed": removed,
        }

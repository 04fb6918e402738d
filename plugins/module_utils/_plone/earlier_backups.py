# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The earlier backups of a Plone database: which of them count, what a new one takes over, and which may go.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .backup_folder import Backup, backups_in, remove
from .backup_manifest import damage_of
from .backup_plan import BackupPlan
from .storage import Storage


class EarlierBackups:
    """Those that are there as they were verified, the newest first. A damaged one is neither used nor removed.

    :param warnings: gets a sentence for each that does not count.
    """

    def __init__(self, storage: Storage, plan: BackupPlan, warnings: list[str]) -> None:
        self.storage = storage
        self.plan = plan
        self.warnings = warnings
        self.good = self._good()

    @property
    def newest(self) -> Backup | None:
        return self.good[0] if self.good else None

    def _good(self) -> list[Backup]:
        good = []
        for backup in backups_in(self.plan.dest, self.plan.name):
            damage = damage_of(backup, read_files=False)
            if damage:
                self._warn_of_damage(backup, damage)
            elif (backup.data_fs, backup.database) != (self.plan.data_fs, self.plan.database):
                self.warnings.append(
                    f"The backup {backup.path} is of another database, {backup.data_fs or backup.database}, and is "
                    "neither used nor removed. Give each database a 'name' of its own."
                )
            else:
                good.append(backup)
        return good

    def _warn_of_damage(self, backup: Backup, damage: t.Sequence[str]) -> None:
        self.warnings.append(f"The backup {backup.path} is damaged and is neither used nor removed: {damage[0]}.")

    def base(self) -> Backup | None:
        """The backup whose files the new one takes over; None for a full one.

        Those files are read first: a changed one would be damage of the new backup too. repozo notices that only of
        the files that make up the Data.fs. A backup with such a file does not count any more.
        """
        while self.good and not self._wants_full(self.good[0]):
            damage = damage_of(self.good[0], read_files=True, below=self.storage.part)
            if not damage:
                return self.good[0]
            self._warn_of_damage(self.good.pop(0), damage)
        return None

    def _wants_full(self, newest: Backup) -> bool:
        if self.plan.full or not newest.full_at or newest.part != self.storage.part:
            return True
        limit = self.plan.full_if_older_than
        full = dataclasses.replace(newest, began_at=newest.full_at)
        return limit is not None and full.age >= limit

    def warn_if_later(self, last_transaction: str) -> None:
        """Warn where the newest backup has what the database lacks."""
        newest = self.newest
        if newest and newest.last_transaction > last_transaction:
            self.warnings.append(
                f"The backup {newest.path} ends with a later transaction than {self.storage.place}: an older state was "
                "restored, or the file lost its end. Look at it before the earlier backups are rotated away."
            )

    def differs_from(self, base: Backup | None, full_at: str, packed: int) -> str:
        """The backup whose files could not be added to, although the database was not packed since; empty if none.

        repozo compares what it backed up before with what is there now, and makes a full backup if it differs.
        """
        if base is None or full_at or not self.storage.compared or base.packed < 0 or packed != base.packed:
            return ""
        self.warnings.append(
            f"What {self.storage.place} had at the time of {base.path} is not in it as it was then, and it was not "
            f"packed since. It was replaced or restored, or it is damaged. {base.path} is kept; look at both."
        )
        return base.path

    def rotate(self, coming: Backup | None, check_mode: bool) -> list[str]:
        """Remove the oldest ones, but none that has what the newest one lacks.

        :param coming: the backup that this run makes, which is the newest then.
        """
        if not self.plan.keep:
            return []
        backups = [coming, *self.good] if coming else self.good
        needed = {backup.differs_from for backup in backups[: self.plan.keep]}
        last = backups[0].last_transaction
        old = [each for each in backups[self.plan.keep :] if each.path not in needed]
        return remove([each for each in old if not last or each.last_transaction <= last], check_mode)

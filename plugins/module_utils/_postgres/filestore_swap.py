# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of two databases in a filestore, renamed as the databases are, and renamed back where that fails.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from .._core.errors import OptionError
from .._core.files import rename_durably


@dataclass(frozen=True)
class FilestoreSwap:
    """The folders that change their names: ``present`` to ``away``, ``coming`` to ``present``.

    :param folder: their parent; empty where no folders are to be renamed.
    """

    folder: str
    present: str
    coming: str
    away: str

    def path(self, name: str) -> str:
        """The folder of one database."""
        return os.path.join(self.folder, name)

    def require_writable(self) -> None:
        """Refuse a parent in which nothing can be renamed.

        :raises OptionError: says why.
        """
        if self.folder and not os.path.isdir(self.folder):
            raise OptionError("filestore_dir", f"there is no folder {self.folder}.")
        if self.folder and not os.access(self.folder, os.W_OK | os.X_OK):
            raise OptionError("filestore_dir", f"the folder {self.folder} cannot be written to.")

    def require_possible(self) -> None:
        """Refuse before anything moves what would stop a folder.

        :raises OptionError: names the folder.
        """
        if not self.folder:
            return
        away, coming, present = (self.path(name) for name in (self.away, self.coming, self.present))
        if os.path.lexists(away):
            raise OptionError(
                "filestore_dir", f"there is a folder {away} already. Nothing was exchanged: move it away."
            )
        if os.path.lexists(present) and not os.path.isdir(coming):
            raise OptionError(
                "filestore_dir",
                f"there is no folder {coming}, so the database that comes would lack its files. Nothing was exchanged: "
                "merge the filestore first with odoo_filestore_merge.",
            )

    def moves(self) -> list[tuple[str, str]]:
        """The renames that are left to do, found by the names that are there."""
        if not self.folder:
            return []
        present, coming, away = (os.path.lexists(self.path(name)) for name in (self.present, self.coming, self.away))
        moves = []
        if present and coming and not away:
            moves.append((self.present, self.away))
        if coming and (not present or moves):
            moves.append((self.coming, self.present))
        return moves

    def rename(self) -> bool:
        """Rename the folders; whether one was.

        :raises OSError: one cannot be renamed; those that were are renamed back.
        """
        done: list[tuple[str, str]] = []
        try:
            for source, dest in self.moves():
                rename_durably(self.path(source), self.path(dest))
                done.append((source, dest))
        except OSError:
            for source, dest in reversed(done):
                with contextlib.suppress(OSError):
                    rename_durably(self.path(dest), self.path(source))
            raise
        return bool(done)

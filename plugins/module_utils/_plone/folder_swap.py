# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and folders renamed together under a journal: a run that was killed is finished by the next one.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
from dataclasses import dataclass

from .._core.errors import UpgradeError
from .._core.files import remove_if_exists, rename_durably, sync_folder_of, write_atomically

MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Move:
    """One rename."""

    source: str
    dest: str


class Names:
    """What the names that are exchanged stand for: files and folders."""

    def exists(self, name: str) -> bool:
        """Whether there is something of that name."""
        return os.path.lexists(name)

    def rename(self, name: str, other: str) -> None:
        """Rename it, durably.

        :raises OSError: it cannot be renamed.
        """
        rename_durably(name, other)

    def with_ending(self, name: str, ending: str) -> str:
        """A name beside it, for what is restored or kept."""
        return f"{name}{ending}"


class FolderSwap:
    """Renames that all happen, or none of them. No new name is there before, but for one that an earlier rename frees.

    :param journal: the path of the file that says what a run is about to do. It is there only while one is under way.
        Without a path there is none.
    """

    def __init__(self, journal: str, names: Names) -> None:
        self.journal = journal
        self.names = names

    @property
    def is_begun(self) -> bool:
        """Whether a run began the renames and did not end them."""
        return bool(self.journal) and os.path.lexists(self.journal)

    def run(self, moves: t.Sequence[Move]) -> None:
        """Rename everything.

        :raises OSError: one cannot be renamed; those that were are renamed back.
        """
        if not moves:
            return
        if self.journal:
            write_atomically(self.journal, json.dumps([[move.source, move.dest] for move in moves]) + "\n")
        self._rename(moves)

    def finish(self) -> bool:
        """Finish the renames of a run that was killed.

        :return: whether there were any left.
        :raises UpgradeError: the journal cannot be read.
        :raises OSError: one cannot be renamed.
        """
        if not self.journal:
            return False
        try:
            with open(self.journal, encoding="utf-8") as file:
                moves = [Move(str(source), str(dest)) for source, dest in json.loads(file.read(MOST_BYTES))]
        except FileNotFoundError:
            return False
        except (OSError, ValueError, TypeError) as error:
            raise UpgradeError(
                f"The journal {self.journal} of an interrupted restore cannot be read. Look at the names of the files "
                "beside it, put them right, and remove it."
            ) from error
        self._rename([move for number, move in enumerate(moves) if not self._is_done(move, moves[number + 1 :])])
        return True

    def _rename(self, moves: t.Sequence[Move]) -> None:
        done: list[Move] = []
        try:
            for move in moves:
                self.names.rename(move.source, move.dest)
                done.append(move)
        except (OSError, UpgradeError):
            for move in reversed(done):
                with contextlib.suppress(OSError, UpgradeError):
                    self.names.rename(move.dest, move.source)
            if all(self.names.exists(move.source) for move in moves):
                self._remove_journal()
            raise
        self._remove_journal()

    def _remove_journal(self) -> None:
        if self.journal:
            remove_if_exists(self.journal)
            sync_folder_of(self.journal)

    def _is_done(self, move: Move, later: t.Sequence[Move]) -> bool:
        """Whether a rename is done. A name that a later one brings again may be there again."""
        if not self.names.exists(move.source):
            return True
        return any(each.dest == move.source for each in later) and self.names.exists(move.dest)

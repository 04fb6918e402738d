# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal of a swap: what a run is about to do, on disk before the first change, for the next run if it is killed.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from .._core.errors import UpgradeError
from .._core.files import remove_if_exists, write_atomically
from .swap_names import SwapPlan

MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class SwapRecord:
    """What a run is about to do."""

    database: str
    away: str
    coming: str
    present_oid: int
    coming_oid: int


class SwapJournal:
    """The file beside the folders that are renamed; where there are none, nothing is written."""

    def __init__(self, plan: SwapPlan) -> None:
        self._plan = plan
        folder, name = plan.filestore_dir, f".siteops-swap-{plan.database}.json"
        self.path = os.path.join(folder, name) if folder else ""

    def read(self) -> SwapRecord | None:
        """What an earlier run did not finish.

        :raises UpgradeError: the journal cannot be read, or is that of another job.
        """
        if not self.path:
            return None
        try:
            with open(self.path, encoding="utf-8") as file:
                record = SwapRecord(**json.loads(file.read(MOST_BYTES)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise UpgradeError(
                f"The journal {self.path} of an earlier swap cannot be read. Compare the names of databases "
                "and folders by hand, and remove it."
            ) from error
        if {record.away, record.coming} != {self._plan.upgraded, self._plan.keep_as}:
            raise UpgradeError(
                f"An earlier swap of {record.database} with {record.coming} (to {record.away}) did not finish. "
                "Run that one again first, with its options."
            )
        return record

    def write(self, record: SwapRecord) -> None:
        """Put it on disk before the first change.

        :raises OSError: the folder cannot be written to.
        """
        if self.path:
            write_atomically(self.path, json.dumps(asdict(record)) + "\n")

    def remove(self) -> None:
        """Everything is done, or everything is as it was."""
        if self.path:
            remove_if_exists(self.path)

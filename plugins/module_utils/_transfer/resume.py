# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often a transfer that broke off is resumed.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import time

from .._core.errors import UpgradeError
from .._core.http_client import pause_asked

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class BrokenOffError(UpgradeError):
    """A transfer broke off. What was confirmed is safe, and the transfer can be resumed."""


class Retries:
    """So many tries in a row without a byte of progress; each byte of progress starts the count again.

    :param retries: 0 gives up at the first break.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._without_progress = 0
        self._furthest = -1

    def pause_after(self, error: UpgradeError, offset: int) -> None:
        """Pause before the next try: half a second at first, then longer each time, or as the server asked.

        :param offset: bytes that are safe now.
        :raises UpgradeError: the same error, if that was the last try.
        """
        self._without_progress = 0 if offset > self._furthest >= 0 else self._without_progress
        self._furthest = max(self._furthest, offset)
        if self._without_progress >= self._retries:
            raise error
        pause = min(FIRST_PAUSE * 2**self._without_progress, LONGEST_PAUSE)
        time.sleep(pause_asked(pause, getattr(error, "retry_after", None)))
        self._without_progress += 1

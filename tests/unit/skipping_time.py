# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time for code that waits for a real server of a test: its sleeps take no time, and count as if they had."""

from __future__ import annotations

import time


class SkippingTime:
    """Put in the place of the module ``time`` where a test does not want to wait."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def monotonic(self) -> float:
        """The seconds that passed, with those that were slept."""
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        """Return at once, that much later."""
        self._skipped += seconds

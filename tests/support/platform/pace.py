# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A slow line: how long the bytes of one connection take."""

from __future__ import annotations

import socket
import time

from support.platform.settings import Settings

SLICES_PER_SECOND = 20
"""A slow line carries small blocks at a steady pace, not large ones with pauses."""


_BUFFER = 32 * 1024


def shorten_buffers(connection: socket.socket) -> None:
    """Let the system hold back little of what is under way: a client would take that for sent."""
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        connection.setsockopt(socket.SOL_SOCKET, option, _BUFFER)


class Pace:
    """The line of one connection, both ways together, at the `bytes_per_second` that are set at the moment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._free_at = 0.0

    def block(self, size: int) -> int:
        """How many bytes to move at once where so many could be."""
        rate = self._settings.bytes_per_second
        return size if rate is None else max(1, min(size, rate // SLICES_PER_SECOND))

    def delay(self, count: int) -> float:
        """Seconds from now until these bytes have gone through, after all those before them."""
        rate = self._settings.bytes_per_second
        if rate is None:
            return 0.0
        now = time.monotonic()
        self._free_at = max(now, self._free_at) + count / rate
        return self._free_at - now

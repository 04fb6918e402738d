# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port for a server that is started later, or stopped and started again, and that nobody else gets meanwhile.

A port that the system chose may be taken as soon as it is closed, by a connection that goes out or by a server that
another process starts.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
CHOSEN_BY_THE_SYSTEM = Path("/proc/sys/net/ipv4/ip_local_port_range")
MOST = 12_000

_reservations: list[socket.socket] = []


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens; no other caller gets it until this process has ended."""
    ports = _ports()
    begin = os.getpid() * 101 % len(ports)
    for port in itertools.chain(ports[begin:], ports[:begin]):
        if _reserve(port):
            return port
    raise AssertionError(f"no port from {ports[0]} to {ports[-1]} is free")


def _ports() -> range:
    """Ports that the system chooses neither for a connection nor for a server."""
    lowest, highest = map(int, CHOSEN_BY_THE_SYSTEM.read_text(encoding="ascii").split())
    return max(range(max(10_000, lowest - MOST), lowest), range(highest + 1, 65_536), key=len)


def _reserve(port: int) -> bool:
    """Take a name for the port, which one process can have and which ends with it, and look whether it is free."""
    reservation = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(OSError):
        reservation.bind(f"\0siteops.upgrades test port {port}")
        _reservations.append(reservation)
        socket.create_server((LOOPBACK, port)).close()
        return True
    if reservation not in _reservations:
        reservation.close()
    return False

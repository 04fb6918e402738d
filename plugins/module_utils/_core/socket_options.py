# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the sockets that carry HTTP: kept alive through long silence, with a buffer for long and fast lines.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)] + [
    (socket.IPPROTO_TCP, getattr(socket, name), value)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 6))
    if hasattr(socket, name)
]
"""An upgrade answers after minutes or hours of silence; this keeps its way through a NAT, and notices a dead peer."""

SEND_BUFFER = 16 * 1024 * 1024
"""Bytes that may be on their way. Linux stops at 4 MiB by itself: 25 MB/s at a round trip of 100 ms (measured)."""

UNSENT = 1024 * 1024
"""Bytes in the buffer that have not gone out. Without that limit a slow line would take minutes to drain it, and a
time-out would end what only is slow."""

SO_SNDBUFFORCE = 32
TCP_WINDOWS = Path("/proc/sys/net/ipv4/tcp_wmem")


def socket_options() -> list[tuple[int, int, int]]:
    """Options as ``setsockopt`` takes them, of which each was tried on this machine.

    The buffer is only set where the system grants more than it would give by itself: to root, or up to
    ``net.core.wmem_max``.
    """
    lowat = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if lowat is not None:
        for option in (SO_SNDBUFFORCE, socket.SO_SNDBUF):
            with contextlib.suppress(OSError, ValueError, IndexError), socket.socket() as probe:
                by_itself = int(TCP_WINDOWS.read_text(encoding="ascii").split()[2])
                probe.setsockopt(socket.SOL_SOCKET, option, SEND_BUFFER)
                probe.setsockopt(socket.IPPROTO_TCP, lowat, UNSENT)
                if probe.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > by_itself:
                    large = [(socket.SOL_SOCKET, option, SEND_BUFFER), (socket.IPPROTO_TCP, lowat, UNSENT)]
                    return [*KEEP_ALIVE, *large]
    return KEEP_ALIVE

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What algorithms an SSH server offers: read from its first packet where the two sides have none in common.

paramiko says which kind is missing, and not what was offered. The packet is that of RFC 4253, section 7.1.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import typing as t

KINDS = ("key exchange", "host key", "cipher", "cipher", "MAC", "MAC")
"""The first lists of the packet, in their order; two of them once for each direction."""

MARKS = ("kex-strict-", "ext-info-")
"""Names in the list of key exchanges that say what the server can do besides (RFC 8308)."""

KEXINIT = 20
COOKIE = 16
LONGEST = 64 * 1024
MOST_LINES = 100


def offered(host: str, port: int, seconds: float) -> dict[str, list[str]]:
    """The names that the server offers, by the kind of algorithm; empty where it does not say."""
    faults = contextlib.suppress(OSError, ValueError, struct.error)
    with faults, socket.create_connection((host, port), timeout=seconds) as connection:
        connection.sendall(b"SSH-2.0-siteops.upgrades\r\n")
        with connection.makefile("rb") as file:
            for _line in range(MOST_LINES):
                if file.readline(LONGEST).startswith(b"SSH-"):
                    break
            return _names(file)
    return {}


def nothing_in_common(theirs: t.Mapping[str, t.Sequence[str]], ours: t.Mapping[str, t.Sequence[str]]) -> str:
    """A sentence about each kind of algorithm of which the two sides have none in common; empty where that is none."""
    return " ".join(
        f"The server offers no {kind} that is known here: it has {', '.join(theirs[kind])}, and paramiko has "
        f"{', '.join(ours[kind])}."
        for kind in ours
        if theirs.get(kind) and not set(theirs[kind]) & set(ours[kind])
    )


def _names(file: t.IO[bytes]) -> dict[str, list[str]]:
    (length,) = struct.unpack(">I", file.read(4))
    if not 0 < length <= LONGEST:
        raise ValueError("not a packet")
    payload = file.read(length)[1:]
    if payload[:1] != bytes([KEXINIT]):
        raise ValueError("another packet")
    place = 1 + COOKIE
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        (size,) = struct.unpack_from(">I", payload, place)
        names = payload[place + 4 : place + 4 + size].decode("ascii", "replace").split(",")
        found.setdefault(kind, [name for name in names if name and not name.startswith(MARKS)])
        place += 4 + size
    return found

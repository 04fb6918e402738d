# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections of others to databases that are about to change: refused, ended, and kept out meanwhile.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import time

from .database import Server, identifier
from .refusal import DatabaseError

TERMINATE_SECONDS = 20


def require_nobody(server: Server, *names: str) -> None:
    """Refuse while somebody is connected.

    :raises DatabaseError: says who is.
    """
    others = server.connections(*names)
    if others:
        who = "; ".join(
            sorted({f"{each['database']}: {each['user']} ({each['application']}), {each['client']}" for each in others})
        )
        raise DatabaseError(
            f"{len(others)} connections are open, so nothing was exchanged: {who}. Stop the Odoo service first; "
            "with 'terminate' connections are ended, but a running Odoo keeps the old registry.",
            connections=others,
        )


def keep_out(server: Server, *names: str, terminate: bool) -> None:
    """Refuse new connections and end those that are there.

    :param terminate: whether they may be ended.
    :raises DatabaseError: they may not, or they do not end.
    """
    for name in names:
        allow(server, name, False)
    others = server.connections(*names)
    if others and not terminate:
        raise DatabaseError(
            f"{len(others)} connections were opened meanwhile. Nothing was exchanged. Stop the Odoo service first.",
            connections=others,
        )
    give_up = time.monotonic() + TERMINATE_SECONDS
    while others:
        server.rows(
            "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity"
            f" WHERE pid IN ({', '.join(str(int(each['pid'])) for each in others)})"
        )
        time.sleep(0.1)
        others = server.connections(*names)
        if others and time.monotonic() > give_up:
            raise DatabaseError(f"{len(others)} connections did not end, so nothing was exchanged.", connections=others)


def allow(server: Server, name: str, allowed: bool) -> None:
    """Let connections to a database in, or no longer."""
    server.execute(f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS {'true' if allowed else 'false'};\n")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The token that took the place of one that was given: remembered for the tasks that follow, which have the old one.

A site that stores tokens deletes the old one when it is renewed, and where it does not, the old one still ends.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._core.files import remove_if_exists, write_atomically
from .credentials import Ticket
from .journal import state_file
from .tokens import has_ended

if t.TYPE_CHECKING:
    from .credentials import Credentials

LONGEST = 16 * 1024
"""Bytes; a token has some hundred."""


def remember_successor(url: str, given: str, successor: str) -> None:
    """Keep the successor of a token for this site, readable by this user alone.

    :raises OSError: it cannot be written.
    """
    path = _path(url, given)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    write_atomically(path, successor, temporary=f"{path}.{os.getpid()}")


def forget_successor(url: str, given: str) -> None:
    """Go on with the token that was given."""
    with contextlib.suppress(OSError):
        remove_if_exists(_path(url, given))


def ticket_for(url: str, credentials: Credentials) -> Ticket:
    """The ticket of a site, with the successor of the token that was given if there is one that is still good."""
    ticket = Ticket(credentials)
    if credentials.token:
        successor = ""
        with contextlib.suppress(OSError, ValueError), open(_path(url, credentials.token), encoding="ascii") as file:
            successor = file.read(LONGEST)
        if successor and (has_ended(successor) or not successor.isprintable() or " " in successor):
            forget_successor(url, credentials.token)
        elif successor:
            ticket.use(successor)
    return ticket


def _path(url: str, given: str) -> str:
    return state_file(url, "plone-token", given)

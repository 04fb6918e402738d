# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What surrounds a run of a module here: pauses that are cut short, and calls that lead to another server."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock
from urllib.parse import urlsplit, urlunsplit

import requests

MODULE_UTILS = "ansible_collections.siteops.upgrades.plugins.module_utils"
UNRESOLVABLE = "no-such-host.invalid"
SHORT = 0.05
READS = 3


def _short_pause(pauses: Any, _asked: float | None = None) -> bool:
    """As many reads as a test needs, however much time the deadline leaves: no clock decides how a wait ends."""
    reads = getattr(pauses, "reads", 0)
    if pauses.deadline.passed or reads == READS:
        return False
    pauses.reads = reads + 1
    time.sleep(SHORT)
    return True


def _begin_again(pauses: Any) -> None:
    pauses.reads = 0


SHORT_PAUSES: Mapping[str, object] = {
    "_core.clock.GrowingPauses.begin_again": _begin_again,
    "_core.clock.GrowingPauses.take": _short_pause,
    "_core.http_client.READ_AGAIN_AFTER": (SHORT, SHORT),
    "_core.http_client.SILENCE_AFTER_A_BODY": 3,
    "_odoo.request.READ_AGAIN_AFTER": (SHORT, SHORT),
    "_transfer.resume.FIRST_PAUSE": SHORT,
}
"""The pauses of the collection, cut short; in seconds."""


@dataclass(frozen=True)
class Detour:
    """Calls that lead to another server: of one method, with a path that ends so (a pattern), so many times.

    A name that changes its address, or a server that is replaced, looks like this to a client.
    """

    method: str
    path: str
    origin: str
    times: int = 1_000_000


@contextlib.contextmanager
def surround(order: Mapping[str, Any]) -> Iterator[None]:
    """Run a module with short pauses, and with the detour of its order."""
    with contextlib.ExitStack() as stack:
        for name, value in SHORT_PAUSES.items():
            stack.enter_context(mock.patch(f"{MODULE_UTILS}.{name}", value))
        if order["detour"]:
            _take_detour(stack, Detour(**order["detour"]))
        yield


def _take_detour(stack: contextlib.ExitStack, detour: Detour) -> None:
    left = [detour.times]
    make_request, look_up = requests.Session.request, socket.getaddrinfo

    def request(self: requests.Session, method: str, url: str, **rest: Any) -> requests.Response:
        parts = urlsplit(url)
        if left[0] and method == detour.method and re.search(f"{detour.path}$", parts.path):
            left[0] -= 1
            origin = urlsplit(detour.origin)
            url = urlunsplit((origin.scheme, origin.netloc, parts.path, parts.query, ""))
        return make_request(self, method, url, **rest)

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        # The resolvers of some networks take half a minute to say so, and others answer with an address of their own.
        if host == UNRESOLVABLE:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *rest, **more)

    stack.enter_context(mock.patch.object(requests.Session, "request", request))
    stack.enter_context(mock.patch.object(socket, "getaddrinfo", getaddrinfo))

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts that may be in charge of a request: names within the domain of the API, and those that an option allows.

The name comes from the network and decides where token and dump go next.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from urllib.parse import urlsplit

from .._core.errors import OptionError, UnexpectedAnswerError
from .._core.text import one_line

LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*", re.I)
LONGEST_NAME = 253


class Hosts:
    """Which hosts a request may be sent to.

    :param api_url: the front; its host is allowed, and every name below the domain that it is in.
    :param allowed: more names; one that begins with a dot allows every name below it.
    :raises OptionError: ``allowed_hosts`` holds something else than host names.
    """

    def __init__(self, api_url: str, allowed: t.Sequence[str]) -> None:
        front = (urlsplit(api_url).hostname or "").lower()
        for name in allowed:
            if not NAME.fullmatch(name.removeprefix(".")):
                raise OptionError("allowed_hosts", "must be a list of host names, such as up1.example.org.")
        self._front = front
        self._allowed = (front, *_domain_of(front), *(name.lower() for name in allowed))

    def allows(self, host: str) -> bool:
        """Whether a request may be sent to a host."""
        return any(_is(host.lower(), allowed) for allowed in self._allowed)

    def require(self, call: str, field: str, value: object) -> str:
        """The host that a field of an answer names, with its port where it has one.

        :raises UnexpectedAnswerError: it is no host name, or none of those that are allowed.
        """
        text = value if isinstance(value, str) else ""
        host, port = split_host(text)
        if not host:
            what = f"answered '{field}' with {one_line(repr(value), 80)}, which is not a host name"
            raise UnexpectedAnswerError(call, what, hint="Nothing was sent there.")
        if not self.allows(host):
            raise UnexpectedAnswerError(
                call,
                f"answered '{field}' with the host {host}, which does not belong to {self._front}",
                hint="Nothing was sent there. If it is a host of the platform, add it to 'allowed_hosts'.",
            )
        return f"{host}:{port}" if port else host


def split_host(text: str) -> tuple[str, int]:
    """The name and the port of ``host`` or ``host:port``; an empty name for anything else, and 0 for no port."""
    host, colon, digits = text.partition(":")
    usable = NAME.fullmatch(host) and len(host) <= LONGEST_NAME
    port = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else 0
    if not usable or (colon and not 0 < port < 65536):
        return "", 0
    return host, port


def _domain_of(host: str) -> tuple[str, ...]:
    """The domain that a host is in, with a dot before it; none for an address and for a name without a domain."""
    try:
        ipaddress.ip_address(host)
        return ()
    except ValueError:
        labels = host.split(".")
    if len(labels) < 2:
        return ()
    return (f".{host}",) if len(labels) == 2 else (f".{'.'.join(labels[1:])}",)


def _is(host: str, allowed: str) -> bool:
    return host.endswith(allowed) if allowed.startswith(".") else host == allowed

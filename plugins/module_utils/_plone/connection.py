# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Plone site is reached: the shared options, checked and parsed once into a connection.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._core.clock import Deadline
from .._core.errors import OptionError
from .._core.gate_options import client_certificate, gate_arguments, gate_headers
from .._core.http_client import HttpClient
from .._core.options import (
    base_url,
    connection_arguments,
    from_environment,
    require_not_negative,
    require_positive,
    sends_in_clear,
    verification,
)
from .._core.progress import progress_arguments
from .credentials import Credentials, credential_arguments

UPGRADE_SERVICE = "/@upgrade"

NO_URL = (
    "is not set, and PLONE_URL is not in the environment of the process that runs the module either. Variables count "
    "where the module runs, and 'become' drops them: leave 'become' out, or give the URL as an option."
)


def plone_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec that all Plone modules share; documented in the fragment ``plone``."""
    return {
        # Not required, so that its absence is said in words of ours: see NO_URL.
        "url": from_environment("PLONE_URL", type="str"),
        **credential_arguments(),
        **gate_arguments("PLONE"),
        **connection_arguments("PLONE"),
    }


def wait_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec of the modules that start long work; documented in ``plone_wait`` and ``progress``."""
    return {
        "wait_timeout": {"type": "int", "default": 7200},
        "wait_interval": {"type": "int", "default": 10},
        **progress_arguments(),
    }


@dataclass(frozen=True)
class Connection:
    """One server and one set of credentials: ``url`` has no trailing slash, ``timeout`` is in seconds.

    ``verify`` is true (the system's certificate authorities), false, or the path of a bundle. ``headers`` and ``cert``
    are for a gate in front of the server: more headers, as pairs of name and value, and a client certificate.
    """

    url: str
    credentials: Credentials
    verify: bool | str
    timeout: float
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cert: str | tuple[str, str] | None = None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Connection:
        """The connection to the site that the shared options name.

        :raises OptionError: one of the options is bad; nothing was sent.
        """
        if not (params["url"] or "").strip():
            raise OptionError("url", NO_URL)
        return cls.to(site_url(params, "url"), params)

    @classmethod
    def to(cls, url: str, params: t.Mapping[str, t.Any]) -> Connection:
        """The connection to a URL that was checked, with the other shared options.

        :raises OptionError: one of the options is bad; nothing was sent.
        """
        credentials = Credentials.from_params(params)
        require_positive(params, "timeout")
        headers, cert = tuple(gate_headers(params).items()), client_certificate(params)
        return cls(url, credentials, verification(params), params["timeout"], headers, cert)

    def open(self) -> HttpClient:
        """An HTTP client for this server."""
        return HttpClient(
            self.url,
            verify=self.verify,
            timeout=self.timeout,
            auth=self.credentials,
            headers=dict(self.headers),
            cert=self.cert,
        )


@dataclass(frozen=True)
class Waiting:
    """How long a module waits, in seconds: ``timeout`` for everything, ``interval`` between two reads at most."""

    timeout: float
    interval: float

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Waiting:
        """The options of :func:`wait_arguments`.

        :raises OptionError: one of them is bad.
        """
        require_positive(params, "wait_timeout", "wait_interval")
        require_not_negative(params, "progress_interval")
        return cls(params["wait_timeout"], params["wait_interval"])

    def start(self) -> Deadline:
        """The deadline of a run that starts now."""
        return Deadline(self.timeout)


def site_url(params: t.Mapping[str, t.Any], option: str) -> str:
    """The URL of a site, without the path of the upgrade service behind it.

    :raises OptionError: it is not a URL that can be used.
    """
    return base_url(params, option).removesuffix(UPGRADE_SERVICE).rstrip("/")


def warn_if_unencrypted(url: str, warn: t.Callable[[str], None]) -> None:
    """Warn where credentials that are sent to this URL can be read on the way."""
    if sends_in_clear(url):
        warn(f"The credentials travel unencrypted to {url}; use https.")

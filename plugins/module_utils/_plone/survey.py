# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sites that are reached with one set of credentials, read a few at a time.

One value travels: option -> :class:`Site` -> :class:`Reading` -> the result of a module or the variables of a host.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from .._core.errors import CallError, UpgradeError
from .._core.options import base_url
from .addons import Addon, Addons
from .client import PloneClient
from .connection import Connection, warn_if_unencrypted
from .not_found import SYSTEM_SERVICE
from .sites import SITES_SERVICE, Site, ZopeRoot, is_url, named_site
from .state import SiteState

STATE, ADDONS = "state", "addons"
UNREADABLE = "unreadable"

READ_AT_ONCE = 4
"""Sites of one instance: Zope has four threads by default, and visitors need some of them."""


@dataclass(frozen=True)
class Reading:
    """What was read of a site; None where it was not asked for or could not be read, with the reason in ``error``.

    ``accept_no_path`` are the ids of add-ons that may stay behind where no step leads on.
    """

    site: Site
    state: SiteState | None = None
    addons: t.Mapping[str, Addon] | None = None
    error: str = ""
    accept_no_path: tuple[str, ...] = ()

    @property
    def state_name(self) -> str | None:
        """One of the four states, ``unreadable``, or None where it was not asked for."""
        if self.state is not None:
            return self.state.name
        return UNREADABLE if self.error else None

    @property
    def addons_behind(self) -> list[str] | None:
        """The ids of installed add-ons whose profile in the database is older than their code, and not accepted so."""
        if self.addons is None:
            return None
        return [addon.id for addon in self.addons.values() if addon.is_behind(self.accept_no_path)]

    def as_result(self) -> dict[str, t.Any]:
        """The reading as a module returns it: plain JSON values without a secret."""
        state = self.state
        differ = state.versions.instance != state.versions.fs if state else self.site.needs_upgrade
        return {
            "id": self.site.id,
            "path": self.site.path,
            "url": self.site.url,
            "public_url": self.site.public_url,
            "title": self.site.title,
            "needs_upgrade": differ,
            "state": self.state_name,
            "versions": state.versions.as_result() if state else None,
            "steps_pending": len(state.steps) if state and state.steps is not None else None,
            "addons_behind": self.addons_behind,
            "error": self.error,
        }


@dataclass(frozen=True)
class Instance:
    """The sites that are reached with one connection; most often those of one Zope instance.

    ``named`` are the sites that the user named; the server lists its sites where there are none. The URL of the
    connection may be empty where every one of them is named by a whole URL.
    """

    connection: Connection
    named: tuple[Site, ...] = ()

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Instance:
        """The instance that the shared options and ``sites`` describe.

        :raises OptionError: one of them is bad; nothing was sent.
        """
        names = params["sites"] or []
        url = ""
        if params["url"] or not names or not all(map(is_url, names)):
            url = base_url(params, "url").removesuffix(SITES_SERVICE).rstrip("/")
        return cls(Connection.to(url, params), tuple(named_site(name, url) for name in names))

    @property
    def url(self) -> str:
        """The URL of the instance; may be empty."""
        return self.connection.url

    def warn_if_unencrypted(self, warn: t.Callable[[str], None]) -> None:
        """Warn where the credentials can be read on the way, once for each host."""
        urls = [site.url for site in self.named] or [self.url]
        for url in {urlsplit(url).netloc: url for url in reversed(urls)}.values():
            warn_if_unencrypted(url, warn)

    def survey(self, what: t.Collection[str]) -> list[Reading]:
        """Every site, with what was asked for: ``state``, ``addons``, both or nothing. It sends GETs only.

        :raises CallError: the sites cannot be listed, or the credentials are refused.
        :raises UpgradeError: none of several sites could be read.
        """
        root = ZopeRoot(self.connection.open(), self.connection.credentials)
        sites: t.Sequence[Site] = self.named
        if not sites:
            sites = root.sites()
            _check_credentials(root, sites)
        readings = read_sites(root, sites, what)
        if what:
            _must_have_read_one(readings)
        return readings


def read_sites(client: PloneClient, sites: t.Sequence[Site], what: t.Collection[str]) -> list[Reading]:
    """What was asked for of each site, a few at a time; a site that cannot be read has the reason in ``error``.

    :param client: any client of their server.
    """
    if not what:
        return [Reading(site) for site in sites]
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        return list(pool.map(lambda site: read_site(client.at(site.url), site, what), sites))


def read_site(client: PloneClient, site: Site, what: t.Collection[str]) -> Reading:
    """What was asked for of one site.

    :param client: the client for this site.
    """
    state = addons = None
    error = ""
    try:
        state = client.site_state() if STATE in what else None
        addons = Addons(client).read() if ADDONS in what else None
    except CallError as failed:
        error = str(failed)
    return Reading(site, state, addons, error)


def _check_credentials(root: ZopeRoot, sites: t.Sequence[Site]) -> None:
    """Ask one site for something that it does not show to everybody, before all are asked with a wrong password.

    :raises CallError: the first site that is in working order refuses them.
    """
    for site in sites:
        client = root.at(site.url)
        answer = client.get(SYSTEM_SERVICE)
        if answer.status in (200, 401) or site is sites[-1]:
            client.expect_success(answer)
            return


def _must_have_read_one(readings: t.Sequence[Reading]) -> None:
    """Fail where nothing at all could be read.

    :raises UpgradeError: every site is unreadable; the result names them all.
    """
    if not readings or any(reading.state is not None or reading.addons is not None for reading in readings):
        return
    first = readings[0].error
    message = first if len(readings) == 1 else f"None of the {len(readings)} sites could be read. The first: {first}"
    raise UpgradeError(message, sites=[reading.as_result() for reading in readings])

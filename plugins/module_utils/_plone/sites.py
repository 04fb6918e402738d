# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sites of a Zope instance: found through @sites of plone.distribution or named, then read a few at a time.

One value travels: option -> :class:`Site` -> :class:`Reading` -> the result of a module or the variables of a host.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from .._core.errors import CallError, OptionError, UpgradeError
from .._core.http import Answer, HttpClient
from .._core.options import base_url, require_positive, sends_in_clear, verification
from .addons import Addon, Addons
from .api import SYSTEM, PloneApi, read_document
from .client import UPGRADE, PloneClient
from .credentials import Credentials
from .state import NO_UPGRADE_PATH, PENDING, SiteState

SITES = "/@sites"
STATE, ADDONS = "state", "addons"
UNREADABLE = "unreadable"

READ_AT_ONCE = 4
"""Sites of one instance: Zope answers on four threads unless told otherwise, and its visitors want some of them."""


@dataclass(frozen=True)
class Site:
    """One site, and how it is reached.

    ``path`` is below the URL of the instance; it is ``/`` for a site at that URL itself and empty for a site that was
    named by a whole URL. ``title``, ``public_url`` and ``needs_upgrade`` are known of sites that the server listed.
    """

    id: str
    path: str
    url: str
    public_url: str = ""
    title: str = ""
    needs_upgrade: bool | None = None


@dataclass(frozen=True)
class Reading:
    """What was read of a site; None where it was not asked for or could not be read, with the reason in ``error``."""

    site: Site
    state: SiteState | None = None
    addons: t.Mapping[str, Addon] | None = None
    error: str = ""

    @property
    def state_name(self) -> str | None:
        """One of the four states, ``unreadable``, or None where it was not asked for."""
        if self.state is not None:
            return self.state.name
        return UNREADABLE if self.error else None

    @property
    def addons_behind(self) -> list[str] | None:
        """The ids of installed add-ons whose profile in the database is older than their code."""
        if self.addons is None:
            return None
        return [addon.id for addon in self.addons.values() if addon.state in (PENDING, NO_UPGRADE_PATH)]

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


class Instance:
    """The sites that are reached with one set of credentials; most often those of one Zope instance.

    :param params: the options that all Plone modules share, and ``sites``; ``url`` may be empty where every one of
        ``sites`` is a whole URL.
    :raises OptionError: one of them is bad; nothing was sent.
    """

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self._credentials = Credentials.from_params(params)
        require_positive(params, "timeout")
        verify = verification(params)
        named = params["sites"] or []
        if params["url"] or not named or not all(map(_is_url, named)):
            self.url = base_url(params, "url").removesuffix(SITES).rstrip("/")
        else:
            self.url = ""
        self._named = [named_site(name, self.url) for name in named]
        self._http = HttpClient(self.url, verify=verify, timeout=params["timeout"], auth=self._credentials)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be seen."""
        return self._credentials.secrets

    @property
    def urls_in_clear(self) -> list[str]:
        """Where the credentials travel unencrypted, once for each host."""
        urls = [site.url for site in self._named] or [self.url]
        hosts = {urlsplit(url).netloc: url for url in reversed(urls) if sends_in_clear(url)}
        return list(hosts.values())

    def survey(self, what: t.Collection[str]) -> list[Reading]:
        """Every site, with what was asked for: ``state``, ``addons``, both or nothing. It takes GETs only.

        :raises CallError: the sites cannot be listed, or the credentials are no good.
        :raises UpgradeError: not one of several sites could be read.
        """
        if not self._named:
            sites = ZopeRoot(self._http, self._credentials).sites()
            self._check_credentials(sites)
        else:
            sites = self._named
        if not what:
            return [Reading(site) for site in sites]
        with ThreadPoolExecutor(READ_AT_ONCE) as pool:
            readings = list(pool.map(lambda site: self._read(site, what), sites))
        _must_have_read_one(readings)
        return readings

    def _check_credentials(self, sites: t.Sequence[Site]) -> None:
        """Ask one site for something that it does not show to anybody, before all are asked with a wrong password.

        :raises CallError: the first site that is in working order refuses them.
        """
        for site in sites:
            client = PloneClient(self._http.at(site.url), self._credentials)
            answer = client.get(SYSTEM)
            if answer.status in (200, 401) or site is sites[-1]:
                client.expect_success(answer)
                return

    def _read(self, site: Site, what: t.Collection[str]) -> Reading:
        client = PloneClient(self._http.at(site.url), self._credentials)
        state = addons = None
        error = ""
        try:
            state = client.site_state() if STATE in what else None
            addons = Addons(client).read() if ADDONS in what else None
        except CallError as failed:
            error = str(failed)
        return Reading(site, state, addons, error)


class ZopeRoot(PloneApi):
    """The root of a Zope instance."""

    def sites(self) -> list[Site]:
        """Every site as @sites lists them, nested ones too. It answers anybody, so it proves no credentials (measured).

        :raises CallError: the server has no such list, or this is not the root.
        """
        answer = self.get(SITES)
        if answer.status == 404:
            raise CallError(answer.call, "found nothing (404)", status=404, hint=self._why_no_list(answer))
        listed = read_document(self.expect_success(answer), self._sites)
        if not listed and self._is_site():
            raise CallError(answer.call, "lists no sites", status=answer.status, hint=self._this_is_a_site)
        return listed

    def _sites(self, document: dict[str, t.Any]) -> list[Site]:
        root = document["@id"].removesuffix(SITES).rstrip("/")
        return [self._site(item, root) for item in document["sites"]]

    def _site(self, item: dict[str, t.Any], root: str) -> Site:
        """A site of the list, reached by the way that led to the list.

        The server builds its URLs from what a proxy told it, which need not be reachable from here, and credentials
        only go where the user sent them.
        """
        public_url = item["@id"].rstrip("/")
        if not public_url.startswith(f"{root}/"):
            raise ValueError("a site is below the root")
        path = public_url[len(root) :]
        return Site(
            id=str(item["id"]),
            path=path,
            url=self.url + path,
            public_url=public_url,
            title=str(item.get("title") or ""),
            needs_upgrade=bool(item["needs_upgrade"]),
        )

    def _is_site(self) -> bool:
        answer = self._probe(SYSTEM)
        return answer is not None and answer.status in (200, 401)

    def _why_no_list(self, answer: Answer) -> str:
        if self._is_site():
            return self._this_is_a_site
        if answer.is_json:
            return (
                "There is a Zope server, but no list of sites at this path. The root has one from Plone 6.1 on; "
                "for an older server name the sites in the option 'sites', such as 'Plone'."
            )
        return "No plone.restapi is there. Check that the URL is that of a Zope root, without a site's path."

    @property
    def _this_is_a_site(self) -> str:
        return (
            "This is a Plone site and not the root of its Zope server. Leave the site's part of the URL out; "
            "where the root cannot be reached, name the site itself in the option 'sites', as '/'."
        )


def named_site(name: str, root: str) -> Site:
    """A site that the user named: by a path below the root, by ``/`` for the root itself, or by a whole URL.

    :raises OptionError: it is none of these.
    """
    if _is_url(name):
        url = base_url({"sites": name}, "sites").removesuffix(UPGRADE).rstrip("/")
        return Site(id=_last_part(url), path="", url=url)
    path = name.strip("/")
    segments = path.split("/")
    bad = not name or any(c in name for c in "?#\\:") or not name.isprintable() or " " in name
    if bad or (path and any(segment in ("", ".", "..") for segment in segments)):
        raise OptionError("sites", f"'{name}' is neither a path such as Plone, nor '/', nor a URL.")
    if not path:
        return Site(id=_last_part(root), path="/", url=root)
    return Site(id=segments[-1], path=f"/{path}", url=f"{root}/{path}")


def _is_url(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def _last_part(url: str) -> str:
    """The id that the site at a URL most likely has; its host where the URL has no path."""
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment and not segment.startswith("++")]
    return segments[-1] if segments else parts.hostname or ""


def _must_have_read_one(readings: t.Sequence[Reading]) -> None:
    """Fail where nothing at all could be read.

    :raises UpgradeError: every site is unreadable; the result names them all.
    """
    if not readings or any(reading.state is not None or reading.addons is not None for reading in readings):
        return
    first = readings[0].error
    message = first if len(readings) == 1 else f"None of the {len(readings)} sites could be read. The first: {first}"
    raise UpgradeError(message, sites=[reading.as_result() for reading in readings])

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sites of a Zope instance: listed by the service @sites of plone.distribution, or named by the user.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from .._core.errors import CallError, OptionError
from .._core.http_answer import Answer
from .._core.http_client import HttpClient
from .answers import read_document
from .client import PloneClient
from .connection import site_url
from .credentials import Credentials, Ticket
from .not_found import SYSTEM_SERVICE
from .token_successor import ticket_for

SITES_SERVICE = "/@sites"


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


class ZopeRoot(PloneClient):
    """The root of a Zope instance.

    Its list of sites is open to everybody, it sells no tokens, and it answers 500 to the token of a site (measured), so
    it is asked as a visitor where there is one.
    """

    def __init__(self, http: HttpClient, credentials: Credentials, ticket: Ticket | None = None) -> None:
        super().__init__(http, credentials, ticket)
        if credentials.token:
            self._http = self._http.as_user(lambda request: request)

    def _sign_in(self) -> None:
        """Ask as a visitor where a token is to be bought."""

    def at(self, url: str) -> PloneClient:  # type: ignore[override]
        """A site of this instance."""
        return PloneClient(self._http.at(url), self._credentials, ticket_for(url, self._credentials))

    def sites(self) -> list[Site]:
        """Every site as @sites lists them, nested ones too. It proves no credentials (measured).

        :raises CallError: the server has no such list, or this is not the root.
        """
        answer = self.get(SITES_SERVICE)
        if answer.status == 404:
            raise CallError(answer.call, "found nothing (404)", status=404, hint=self._why_no_list(answer))
        listed = read_document(self.expect_success(answer), self._sites)
        if not listed and self._is_site():
            raise CallError(answer.call, "lists no sites", status=answer.status, hint=self._this_is_a_site)
        return listed

    def _sites(self, document: dict[str, t.Any]) -> list[Site]:
        root = document["@id"].removesuffix(SITES_SERVICE).rstrip("/")
        return [self._site(item, root) for item in document["sites"]]

    def _site(self, item: dict[str, t.Any], root: str) -> Site:
        """A site of the list, reached by the way that led to the list.

        The server builds its URLs from what a proxy sent it, which need not be reachable from here, and credentials
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
        answer = self._probe(SYSTEM_SERVICE)
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
    if is_url(name):
        url = site_url({"sites": name}, "sites")
        return Site(id=_last_part(url), path="", url=url)
    path = name.strip("/")
    segments = path.split("/")
    bad = not name or any(c in name for c in "?#\\:") or not name.isprintable() or " " in name
    if bad or (path and any(segment in ("", ".", "..") for segment in segments)):
        raise OptionError("sites", f"'{name}' is neither a path such as Plone, nor '/', nor a URL.")
    if not path:
        return Site(id=_last_part(root), path="/", url=root)
    return Site(id=segments[-1], path=f"/{path}", url=f"{root}/{path}")


def is_url(name: str) -> bool:
    """Whether a site is named by a whole URL."""
    return name.startswith(("http://", "https://"))


def _last_part(url: str) -> str:
    """The id that the site at a URL most likely has; its host where the URL has no path."""
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment and not segment.startswith("++")]
    return segments[-1] if segments else parts.hostname or ""

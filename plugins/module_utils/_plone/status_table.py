# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A table with one row for each of many sites, which need not share an instance or credentials.

One value travels: entry of the option -> :class:`FleetSite` -> :class:`Reading` -> :class:`Row` -> a line of the table.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from .._core.errors import OptionError
from .addons import accepted_ids
from .client import PloneClient
from .connection import Connection, site_url
from .credentials import own_or_shared
from .sites import Site
from .survey import READ_AT_ONCE, UNREADABLE, Reading, read_site

SERVERS_AT_ONCE = 8
HEADINGS = ("state", "database", "code", "steps", "add-ons behind")
UNKNOWN = "?"


@dataclass(frozen=True)
class FleetSite:
    """One site of many; without a ``connection`` it is not asked, for the reason in ``error``."""

    name: str
    connection: Connection | None
    error: str = ""
    accept_no_path: tuple[str, ...] = ()

    @classmethod
    def from_entry(cls, entry: t.Mapping[str, t.Any], shared: t.Mapping[str, t.Any]) -> FleetSite:
        """The site that an entry describes, with what it does not set taken from the options beside the list.

        A bad entry is no failure: the other sites are to be shown nevertheless.
        """
        params = own_or_shared(entry, shared)
        name = entry["name"]
        try:
            url = site_url(params, "url")
        except OptionError as error:
            return cls(name, None, entry["error"] or str(error))
        try:
            return cls(name, Connection.to(url, params), accept_no_path=accepted_ids(params.get("accept_no_path")))
        except OptionError as error:
            return cls(name, None, str(error))


@dataclass(frozen=True)
class Row:
    """What is known of one site."""

    site: FleetSite
    reading: Reading

    def as_result(self) -> dict[str, t.Any]:
        """The row as a module returns it."""
        read = self.reading.as_result()
        names = ("title", "versions", "steps_pending", "addons_behind", "error")
        return {
            "host": self.site.name,
            "url": read["url"],
            "state": read["state"] or UNREADABLE,
            **{name: read[name] for name in names},
        }

    @property
    def cells(self) -> tuple[str, ...]:
        """The row in words, in the order of the headings; an error takes the place of the add-ons."""
        row = self.as_result()
        versions, steps = row["versions"] or {}, row["steps_pending"]
        return (
            row["state"],
            versions.get("instance", UNKNOWN),
            versions.get("fs", UNKNOWN),
            UNKNOWN if steps is None else str(steps),
            row["error"] or ", ".join(row["addons_behind"] or ()),
        )


def read_rows(sites: t.Sequence[FleetSite], what: t.Collection[str]) -> list[Row]:
    """A row for each site, in their order. Every server is asked for a few sites at a time.

    :param what: ``state``, ``addons``, or both.
    """
    by_server: dict[str, list[int]] = {}
    for number, site in enumerate(sites):
        if site.connection:
            by_server.setdefault(urlsplit(site.connection.url).netloc.lower(), []).append(number)
    rows = {number: Row(site, Reading(Site("", "", ""), error=site.error)) for number, site in enumerate(sites)}

    def read_server(numbers: t.Sequence[int]) -> None:
        clients = _Clients()
        with ThreadPoolExecutor(READ_AT_ONCE) as pool:
            connections = [t.cast(Connection, sites[number].connection) for number in numbers]
            readings = pool.map(lambda each: read_site(clients.of(each), Site("", "", each.url), what), connections)
            for number, reading in zip(numbers, readings):
                rows[number] = Row(sites[number], replace(reading, accept_no_path=sites[number].accept_no_path))

    with ThreadPoolExecutor(SERVERS_AT_ONCE) as servers:
        for _done in servers.map(read_server, by_server.values()):
            pass
    return [rows[number] for number in range(len(sites))]


def table(rows: t.Sequence[Row]) -> list[str]:
    """The lines of the table, with its headings."""
    width = max(map(len, ["site", *(row.site.name for row in rows)]))
    lines = [("site", *HEADINGS), *((row.site.name, *row.cells) for row in rows)]
    return [
        f"{site:{width}}  {state:15}  {database:8}  {code:8}  {steps:>5}  {behind}".strip()
        for site, state, database, code, steps, behind in lines
    ]


class _Clients:
    """One HTTP client for all sites of a server that are reached alike, so that they share open connections."""

    def __init__(self) -> None:
        self._by_way: dict[tuple[t.Any, ...], PloneClient] = {}

    def of(self, connection: Connection) -> PloneClient:
        """The client for a site."""
        scheme = urlsplit(connection.url).scheme
        way = (scheme, connection.credentials, connection.verify, connection.headers, connection.cert)
        if way not in self._by_way:
            self._by_way[way] = PloneClient(connection.open(), connection.credentials)
        return self._by_way[way].at(connection.url)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many runs of many hosts, put in order: how each host stands, and what it went through.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from .reader import Unreadable
from .run import PRODUCTS, Run

# How a host can stand, from what needs a person most: the results of a run, and one that a run in check mode foresaw.
STANDINGS = ("failed", "unfinished", "refused", "would_change", "changed", "ok")
TROUBLE = ("failed", "unfinished", "refused")


@dataclass(frozen=True)
class Host:
    """A host, by the product and the name that its runs give.

    ``latest`` is the newest run that could change something, because a check after a failure fixes nothing; where
    there was none, the newest check. ``checked`` is a check that is newer than ``latest``. ``past`` are the newest runs
    of both kinds, newest first; ``runs`` counts all.
    """

    name: str
    product: str
    latest: Run
    checked: Run | None
    past: tuple[Run, ...]
    runs: int

    @property
    def standing(self) -> str:
        """One of ``STANDINGS``."""
        return standing(self.latest)


@dataclass(frozen=True)
class Fleet:
    """``hosts`` are ordered by how they stand, the worst first, then by name."""

    hosts: tuple[Host, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def newest(self) -> datetime.datetime | None:
        """The last moment that any run knows of."""
        return max((run.seen_at for host in self.hosts for run in host.past), default=None)

    @property
    def counts(self) -> dict[str, int]:
        """How many hosts there are, in all and by how they stand, how many runs, and how many files that are none."""
        by_standing = {each: sum(host.standing == each for host in self.hosts) for each in STANDINGS}
        runs = sum(host.runs for host in self.hosts)
        return {"hosts": len(self.hosts), **by_standing, "runs": runs, "unreadable": len(self.unreadable)}


def standing(run: Run) -> str:
    """How a host stands that this is the latest run of."""
    return "would_change" if run.check_mode and run.result == "changed" else run.result


def gather(reports: t.Iterable[Run | Unreadable], limit: int) -> Fleet:
    """A fleet of everything read, with the newest ``limit`` runs of each host.

    Steps and reports of the servers are kept of the latest runs only: memory grows with the hosts, not with the runs.
    """
    gathering: dict[tuple[str, str], _Gathering] = {}
    unreadable = []
    for report in reports:
        if isinstance(report, Unreadable):
            unreadable.append(report)
        else:
            gathering.setdefault((report.product, report.host), _Gathering()).add(report)
    hosts = [found.host(name, product, limit) for (product, name), found in gathering.items()]
    hosts.sort(
        key=lambda host: (STANDINGS.index(host.standing), host.name.casefold(), PRODUCTS.index(host.product), host.name)
    )
    return Fleet(tuple(hosts), tuple(unreadable))


class _Gathering:
    """The runs of one host, while they are read in no particular order."""

    def __init__(self) -> None:
        self.latest: dict[bool, Run] = {}
        self.past: list[Run] = []

    def add(self, run: Run) -> None:
        known = self.latest.get(run.check_mode)
        if known is None or _age(run) > _age(known):
            self.latest[run.check_mode] = run
        self.past.append(run.in_brief())

    def host(self, name: str, product: str, limit: int) -> Host:
        checked = self.latest.get(True)
        latest = self.latest.get(False) or self.latest[True]
        if checked and _age(checked) <= _age(latest):
            checked = None
        past = sorted(self.past, key=_age, reverse=True)
        return Host(name, product, latest, checked, tuple(past[:limit] if limit else past), len(past))


def _age(run: Run) -> tuple[datetime.datetime, str]:
    return run.started_at, run.file

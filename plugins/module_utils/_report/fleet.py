# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many runs of many hosts, in order: the standing of each host, and its past runs.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from .copy_rehearsal import CopyRehearsal
from .reader import Unreadable
from .run import PRODUCTS, Run

# The standings of a host, from the one that needs a person most: the results of a run, and a change seen in check mode.
STANDINGS = ("failed", "unfinished", "refused", "would_change", "changed", "ok")
TROUBLE = ("failed", "unfinished", "refused")


@dataclass(frozen=True)
class Host:
    """A host, identified by product and name.

    ``latest`` is the newest run outside of check mode, because a check after a failure repairs nothing; if there was
    none, the newest check. ``checked`` is a check that is newer than ``latest``. ``past`` are the newest runs of both
    kinds, newest first; ``runs`` counts all. ``rehearsal`` is the one on a copy that ``latest`` relied on, or else the
    newest one.
    """

    name: str
    product: str
    latest: Run
    checked: Run | None
    past: tuple[Run, ...]
    runs: int
    rehearsal: CopyRehearsal | None = None

    @property
    def standing(self) -> str:
        """One of ``STANDINGS``."""
        return standing(self.latest)

    @property
    def longest_upgrade(self) -> float:
        """Seconds of the longest of its past runs that changed something; 0 if there is none."""
        changes = (run for run in self.past if run.result == "changed" and not run.check_mode)
        return max((run.duration or 0.0 for run in changes), default=0.0)


@dataclass(frozen=True)
class Fleet:
    """All hosts, ordered by standing, the worst first, then by name; and the files that are not run reports."""

    hosts: tuple[Host, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def newest(self) -> datetime.datetime | None:
        """The last moment that any run knows of."""
        return max((run.seen_at for host in self.hosts for run in host.past), default=None)

    @property
    def counts(self) -> dict[str, int]:
        """The number of hosts, in all and by standing, of runs, and of files that are not run reports."""
        by_standing = {each: sum(host.standing == each for host in self.hosts) for each in STANDINGS}
        runs = sum(host.runs for host in self.hosts)
        return {"hosts": len(self.hosts), **by_standing, "runs": runs, "unreadable": len(self.unreadable)}


def standing(run: Run) -> str:
    """The standing of a host of which this is the latest run."""
    return "would_change" if run.check_mode and run.result == "changed" else run.result


def gather(reports: t.Iterable[Run | Unreadable], limit: int) -> Fleet:
    """A fleet of everything read, with the newest ``limit`` runs of each host.

    Only the latest runs keep their steps and server reports, so that memory does not grow with the number of runs.
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
        self.rehearsed: Run | None = None

    def add(self, run: Run) -> None:
        known = self.latest.get(run.check_mode)
        if known is None or _age(run) > _age(known):
            self.latest[run.check_mode] = run
        if run.rehearsal and run.rehearsal.of_this_run and (not self.rehearsed or _age(run) > _age(self.rehearsed)):
            self.rehearsed = run
        self.past.append(run.in_brief())

    def host(self, name: str, product: str, limit: int) -> Host:
        checked = self.latest.get(True)
        latest = self.latest.get(False) or self.latest[True]
        if checked and _age(checked) <= _age(latest):
            checked = None
        past = sorted(self.past, key=_age, reverse=True)
        rehearsal = latest.rehearsal or (self.rehearsed.rehearsal if self.rehearsed else None)
        return Host(name, product, latest, checked, tuple(past[:limit] if limit else past), len(past), rehearsal)


def _age(run: Run) -> tuple[datetime.datetime, str]:
    return run.started_at, run.file

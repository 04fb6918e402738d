# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of one run as a document, from what the tasks of a role registered.

Its form is described by ``roles/upgrade_report/files/run_report.schema.json``. What is read here are results of this
collection's own modules; whatever is missing in them is missing in the document, and never a failure.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..module_utils._core.clock import parse_utc
from ..module_utils._core.text import strip_control_chars

SCHEMA = 1
OK, CHANGED, FAILED, REFUSED, UNFINISHED = "ok", "changed", "failed", "refused", "unfinished"
LONGEST_SERVER_REPORT = 512 * 1024
"""Characters; of a longer report, only the end is kept."""

WAITED_FOR_A_WINDOW = 1.0
"""Seconds; a check of the window that waited this long is a phase of its own."""

Result = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Begun:
    """What is known of a run when it begins; times are texts in UTC.

    ``stale`` holds, by name, when the results began that an earlier run of the same play left behind.
    """

    product: str
    host: str
    target: str
    collection_version: str
    check_mode: bool
    started_at: str
    stale: t.Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, t.Any]:
        """The report of a run that has not ended; it stays where the run is killed."""
        return {
            "schema": SCHEMA,
            "collection_version": self.collection_version,
            "product": self.product,
            "host": self.host,
            "target": public_target(self.target),
            "check_mode": self.check_mode,
            "started_at": self.started_at,
            "finished_at": None,
            "duration": None,
            "result": UNFINISHED,
            "message": "The run goes on, or it was killed.",
            "state_before": "",
            "state_after": "",
            "versions": {"before": {}, "after": {}},
            "phases": [],
            "steps": [],
            "server_report": "",
            "addons": [],
            "request": None,
            "warnings": [],
        }


class Results:
    """The results of this run's tasks by name, without those that were skipped or belong to an earlier run."""

    def __init__(self, registered: t.Mapping[str, t.Any], stale: t.Mapping[str, str]) -> None:
        self._fresh = {
            name: result
            for name, result in registered.items()
            if (began := began_at(result)) and began != stale.get(name)
        }

    def __getitem__(self, name: str) -> Result:
        """One result; empty where there is none."""
        return self._fresh.get(name, {})

    def __iter__(self) -> t.Iterator[Result]:
        """All of them, in the order of their beginnings."""
        return iter(sorted(self._fresh.values(), key=lambda result: str(result["started_at"])))

    @property
    def refused(self) -> bool:
        """Whether a task found the maintenance window closed."""
        return any(result.get("refused") for result in self)

    @property
    def warnings(self) -> list[str]:
        """All warnings, each once."""
        return list(dict.fromkeys(text(warning) for result in self for warning in result.get("warnings") or ()))

    def latest(self, key: str, *names: str) -> t.Any:
        """What the last of these results says under a key, and does not leave empty; an empty text where none does."""
        return next((self[name][key] for name in reversed(names) if self[name].get(key)), "")

    def phases(self, named: t.Mapping[str, t.Sequence[str]], windows: t.Sequence[str]) -> list[dict[str, t.Any]]:
        """What was done, and the looks at the window that waited or refused, in the order of their beginnings.

        :param named: for each phase the names of its results.
        """
        found = [phase(name, [self[one] for one in names if self[one]]) for name, names in named.items()]
        looks = [self[name] for name in windows]
        waits = [look for look in looks if look.get("refused") or (look.get("waited") or 0) >= WAITED_FOR_A_WINDOW]
        found += [phase("window", [look]) for look in waits]
        return sorted((one for one in found if one), key=lambda one: str(one["started_at"]))


def began_at(result: t.Any) -> str:
    """When the task of a result began; empty where it was skipped, or is no result of this collection's modules."""
    if not isinstance(result, t.Mapping) or result.get("skipped"):
        return ""
    return str(result.get("started_at") or "")


def phase(name: str, results: t.Sequence[Result]) -> dict[str, t.Any]:
    """One phase of these results; empty where there are none."""
    if not results:
        return {}
    started_at = min(str(result["started_at"]) for result in results)
    finished_at = max(str(result["finished_at"]) for result in results)
    outcome = CHANGED if any(result.get("changed") for result in results) else OK
    if any(result.get("failed") for result in results):
        outcome = REFUSED if any(result.get("refused") for result in results) else FAILED
    return {
        "name": name,
        "started_at": started_at,
        "finished_at": finished_at,
        "duration": seconds_between(started_at, finished_at),
        "result": outcome,
        "message": next((text(result["msg"]) for result in reversed(results) if result.get("msg")), ""),
    }


def ending(begun: Begun, results: Results, finished_at: str, failure: Result) -> dict[str, t.Any]:
    """How the run ended: the keys that both products share; ``failure`` is empty where it did not fail."""
    outcome = CHANGED if any(result.get("changed") for result in results) else OK
    if failure:
        outcome = REFUSED if results.refused else FAILED
    return {
        "finished_at": finished_at,
        "duration": seconds_between(begun.started_at, finished_at),
        "result": outcome,
        "warnings": results.warnings,
    }


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one time to another; 0 where the clock was set back meanwhile."""
    return round(max((parse_utc(later) - parse_utc(earlier)).total_seconds(), 0.0), 3)


def text(value: t.Any) -> str:
    """Any value as text without control characters; None is empty."""
    return "" if value is None else str(strip_control_chars(str(value)))


def server_report(text_of_it: str) -> str:
    """The report of a server, of which the end is kept where it is very long."""
    if len(text_of_it) <= LONGEST_SERVER_REPORT:
        return text_of_it
    left_out = len(text_of_it) - LONGEST_SERVER_REPORT
    return f"... {left_out} characters left out ...\n{text_of_it[-LONGEST_SERVER_REPORT:]}"


def public_target(target: str) -> str:
    """A target without what could be a secret in a URL: credentials before the host, a query, a fragment."""
    if "://" not in target:
        return text(target)
    try:
        parts = urlsplit(target.strip())
        return text(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl())
    except ValueError:
        return "(no URL)"

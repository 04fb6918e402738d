# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start and the end of a run's report, from the results that the tasks of a role registered.

These are results of this collection's own modules. What is missing in them is missing in the report, and is never a
failure.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from ..module_utils._core.clock import parse_utc
from ..module_utils._core.text import strip_control_chars
from ..module_utils._report.parts import Phase
from ..module_utils._report.run import CHANGED, FAILED, OK, REFUSED, Run
from ..module_utils._report.values import as_moment, seconds_between

LONGEST_SERVER_REPORT = 512 * 1024
"""Characters; of a longer report, only the end is kept."""

WAITED_FOR_A_WINDOW = 1.0
"""Seconds; a check of the window that waited this long is a phase of its own."""

NO_REASON = "The run failed without a reason."

Result = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class RunStart:
    """What is known of a run when it begins, as JSON values: the end of the report reads it from a task's result.

    ``stale`` holds, by name, the start times of results that an earlier run of the same play registered.
    """

    product: str
    host: str
    target: str
    collection_version: str
    check_mode: bool
    started_at: str
    stale: t.Mapping[str, str] = field(default_factory=dict)

    def run(self) -> Run:
        """The report of a run that has not ended. It is what remains if the run is killed."""
        return Run(
            product=self.product,
            host=self.host,
            target=self.target,
            check_mode=self.check_mode,
            started_at=parse_utc(self.started_at),
            collection_version=self.collection_version,
            message="The run goes on, or it was killed.",
        )


class Results:
    """The results of this run's tasks by name, without those that were skipped or belong to an earlier run."""

    def __init__(self, registered: t.Mapping[str, t.Any], stale: t.Mapping[str, str]) -> None:
        self._fresh = {
            name: result
            for name, result in registered.items()
            if (began := began_at(result)) and began != stale.get(name)
        }

    def __getitem__(self, name: str) -> Result:
        """One result; empty if there is none."""
        return self._fresh.get(name, {})

    def __iter__(self) -> t.Iterator[Result]:
        """All of them, in the order in which they began."""
        return iter(sorted(self._fresh.values(), key=began_at))

    @property
    def refused(self) -> bool:
        """Whether a task found the maintenance window closed."""
        return any(result.get("refused") for result in self)

    @property
    def changed(self) -> bool:
        """Whether a task changed something."""
        return any(result.get("changed") for result in self)

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, each once."""
        return tuple(dict.fromkeys(text(warning) for result in self for warning in result.get("warnings") or ()))

    def latest(self, key: str, *names: str) -> t.Any:
        """The value of a key in the last of these results in which it is not empty; an empty text if there is none."""
        return next((self[name][key] for name in reversed(names) if self[name].get(key)), "")

    def phases(self, named: t.Mapping[str, t.Sequence[str]], windows: t.Sequence[str]) -> tuple[Phase, ...]:
        """What was done, and the checks of the window that waited or refused, in the order in which they began.

        :param named: for each phase the names of its results.
        :param windows: the names of the results of checks of the window.
        """
        groups = [(name, [self[each] for each in names if self[each]]) for name, names in named.items()]
        checks = [self[name] for name in windows]
        waits = [each for each in checks if each.get("refused") or (each.get("waited") or 0) >= WAITED_FOR_A_WINDOW]
        groups += [("window", [each]) for each in waits]
        found = [(min(map(began_at, results)), phase(name, results)) for name, results in groups if results]
        return tuple(each for _began, each in sorted(found, key=lambda pair: pair[0]))


def began_at(result: t.Any) -> str:
    """When the task of a result began; empty if it was skipped, or is not a result of this collection's modules."""
    if not isinstance(result, t.Mapping) or result.get("skipped"):
        return ""
    began = str(result.get("started_at") or "")
    return began if as_moment(began) else ""


def phase(name: str, results: t.Sequence[Result]) -> Phase:
    """One phase of these results, of which there is at least one."""
    started = [moment for result in results if (moment := _moment(result, "started_at"))]
    finished = [moment for result in results if (moment := _moment(result, "finished_at"))]
    start, end = min(started), max(finished or started)
    outcome = CHANGED if any(result.get("changed") for result in results) else OK
    if any(result.get("failed") for result in results):
        outcome = REFUSED if any(result.get("refused") for result in results) else FAILED
    message = next((text(result["msg"]) for result in reversed(results) if result.get("msg")), "")
    return Phase(name, start, end, round(seconds_between(start, end), 3), outcome, message)


def ended(run: Run, results: Results, finished_at: dt.datetime, failure: Result) -> Run:
    """The run with its end, which both products describe alike; ``failure`` is empty if it did not fail."""
    run = replace(
        run,
        finished_at=finished_at,
        duration=round(seconds_between(run.started_at, finished_at), 3),
        result=CHANGED if results.changed else OK,
        warnings=results.warnings,
    )
    if failure:
        message = text(failure.get("msg") or NO_REASON).strip()
        run = replace(run, result=REFUSED if results.refused else FAILED, message=message)
    return run


def text(value: t.Any) -> str:
    """Any value as text without control characters; None is empty."""
    return "" if value is None else str(strip_control_chars(str(value)))


def server_report(whole: str) -> str:
    """The report of a server, of which the end is kept if it is very long."""
    if len(whole) <= LONGEST_SERVER_REPORT:
        return whole
    left_out = len(whole) - LONGEST_SERVER_REPORT
    return f"... {left_out} characters left out ...\n{whole[-LONGEST_SERVER_REPORT:]}"


def public_target(target: str) -> str:
    """A target without what can be a secret in a URL: credentials before the host, a query, a fragment."""
    if "://" not in target:
        return text(target)
    try:
        parts = urlsplit(target.strip())
        return text(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl())
    except ValueError:
        return "(no URL)"


def _moment(result: Result, key: str) -> dt.datetime | None:
    return as_moment(str(result.get(key) or ""))

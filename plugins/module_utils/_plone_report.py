# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that judges the report of Plone's migration tool.

The report is the text that @upgrade returns and the only trace of a failure that the server hid behind HTTP 200. Its
sentences are the same in Plone 5.2 to 6.2 (measured). It is captured by log handlers of the whole process, so lines of
other requests can stand among ours: verdicts rest on lines that are there, never on how many.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

SUCCESS = "Your Plone instance is now up-to-date."
FAILURES = (
    "Upgrade aborted. Error:",
    "The upgrade path did NOT reach current version",
    "Migration has failed",
)
WARNINGS = (
    "Exception was thrown while cataloging",
    "Exception was thrown while updating role mappings",
    "Cannot import module",
)
STEP_DONE = "Ran upgrade step: "
TRACEBACK = "Traceback (most recent call last):"
CHAIN = ("During handling of the above exception", "The above exception was the direct cause")
"""Between the tracebacks of a chain of exceptions; the last one is that which was not caught."""

TRACEBACK_LINES_KEPT = 4


@dataclass(frozen=True)
class Verdict:
    """What a report proves.

    ``failures`` and ``warnings`` are its telling lines; ``error`` is the exception that stopped it, such as
    ``ValueError: boom``, or empty; ``steps_run`` the titles of the steps that ran, in order.
    """

    reached_the_end: bool
    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    error: str
    steps_run: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether everything ran: the closing sentence is there and no line of failure is."""
        return self.reached_the_end and not self.failures


def judge(report: str) -> Verdict:
    """Judge the text of a report."""
    lines = [line.strip() for line in report.splitlines()]
    return Verdict(
        reached_the_end=any(SUCCESS in line for line in lines),
        failures=_lines_with(lines, FAILURES),
        warnings=_lines_with(lines, WARNINGS),
        error=_error_after(report.splitlines(), FAILURES[0]),
        steps_run=tuple(line.partition(STEP_DONE)[2] for line in lines if STEP_DONE in line),
    )


def readable(report: str) -> list[str]:
    """The lines of a report, each traceback cut to its last lines: what a person wants to read."""
    kept: list[str] = []
    traceback: list[str] | None = None
    for line in report.splitlines():
        if traceback is None:
            kept.append(line)
            traceback = [] if TRACEBACK in line else None
            continue
        traceback.append(line)
        if _ends_traceback(line):
            kept.extend(_shortened(traceback))
            traceback = None
    return kept + _shortened(traceback or [])


def _lines_with(lines: t.Iterable[str], markers: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if any(marker in line for marker in markers))


def _error_after(lines: t.Sequence[str], marker: str) -> str:
    """The line of the exception that closes the tracebacks behind a marker; empty where there is none."""
    start = next((number for number, line in enumerate(lines) if marker in line), len(lines))
    in_traceback, error = False, ""
    for line in lines[start:]:
        if TRACEBACK in line:
            in_traceback = True
        elif in_traceback and _ends_traceback(line):
            in_traceback, error = False, line.strip()
        elif error and not in_traceback and line.strip() and not any(words in line for words in CHAIN):
            break
    return error


def _ends_traceback(line: str) -> bool:
    """A traceback's frames are indented; the exception that closes it is not."""
    return bool(line) and not line[0].isspace()


def _shortened(traceback: list[str]) -> list[str]:
    left_out = len(traceback) - TRACEBACK_LINES_KEPT
    if left_out <= 1:
        return traceback
    return [f"  ... {left_out} lines of the server's traceback left out ...", *traceback[left_out:]]

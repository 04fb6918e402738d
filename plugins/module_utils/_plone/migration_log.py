# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that judges the log of Plone's migration tool.

The log is the text that @upgrade returns as its report, and the only trace of a failure that the server hid behind HTTP
200. Its sentences are the same in Plone 5.2 to 6.2 (measured). It is captured by log handlers of the whole process, so
lines of other requests can stand among ours, and titles and log lines of steps can contain any words: the judgement
rests on whole lines, and on which of the closing sentences comes last, never on how many there are.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

SUCCESS = "Your Plone instance is now up-to-date."
ABORTED = "Upgrade aborted. Error:"
CLOSING_FAILURES = ("The upgrade path did NOT reach current version", "Migration has failed")
WARNINGS = (
    "Exception was thrown while cataloging",
    "Exception was thrown while updating role mappings",
    "Cannot import module",
)
START = "Starting the migration from version: "
STEP_DONE = "Ran upgrade step: "
END_OF_STEPS = "End of upgrade path, main migration has finished."
TRACEBACK = "Traceback (most recent call last):"
CHAIN = ("During handling of the above exception", "The above exception was the direct cause")
"""Between the tracebacks of a chain of exceptions; the last one is that which was not caught."""

EXCEPTION_GROUP = re.compile("^  [|+] ")
"""What stands before the lines of the traceback of an exception group."""

TRACEBACK_LINES_KEPT = 4


@dataclass(frozen=True)
class MigrationJudgement:
    """What a migration log proves.

    ``failures`` and ``warnings`` are the lines that say so; ``error`` is the exception that stopped it, such as
    ``ValueError: boom``, with all lines of its message, or empty; ``steps_run`` the titles of the steps that ran, in
    order; ``starts`` the versions that migrations began at, several where sites share a log. ``reached_the_end`` is
    whether the sentence of success is there and none of failure behind it.
    """

    reached_the_end: bool
    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    error: str
    steps_run: tuple[str, ...]
    starts: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether everything ran: it closes with the sentence of success, and nothing was aborted before.

        Plone closes so after a step that was aborted, too, where one before it has committed the last version.
        """
        return self.reached_the_end and not self.failures


def judge(migration_log: str) -> MigrationJudgement:
    """Judge the text of a migration log."""
    lines = [line.strip() for line in migration_log.splitlines()]
    aborted = tuple(line for line in lines if line == ABORTED)
    success = max((number for number, line in enumerate(lines) if line == SUCCESS), default=-1)
    closing = tuple(line for line in lines[success + 1 :] if line.startswith(CLOSING_FAILURES))
    return MigrationJudgement(
        reached_the_end=success >= 0 and not closing,
        failures=aborted + closing,
        warnings=tuple(line for line in lines if line.startswith(WARNINGS)),
        error=_error_of_abort(migration_log.splitlines()),
        steps_run=tuple(line[len(STEP_DONE) :] for line in lines if line.startswith(STEP_DONE)),
        starts=tuple(line[len(START) :].strip() for line in lines if line.startswith(START)),
    )


def readable(migration_log: str) -> list[str]:
    """The lines of a migration log, each traceback cut to its last lines: what a person wants to read."""
    kept: list[str] = []
    traceback: list[str] | None = None
    for line in migration_log.splitlines():
        if traceback is None:
            kept.append(line)
            traceback = [] if TRACEBACK in line else None
            continue
        traceback.append(line)
        if _ends_traceback(line):
            kept.extend(_shortened(traceback))
            traceback = None
    return kept + _shortened(traceback or [])


def _error_of_abort(lines: t.Sequence[str]) -> str:
    """The exception that aborted the upgrade, with its message; empty where there is none."""
    behind = _behind(lines, lambda line: line.strip() == ABORTED)
    until = _position(behind, lambda line: line.strip().startswith((END_OF_STEPS, *CLOSING_FAILURES)))
    chain: t.Sequence[str] = [EXCEPTION_GROUP.sub("", line) for line in behind[:until]]
    while any(line.startswith(CHAIN) for line in chain):
        chain = _behind(chain, lambda line: line.startswith(CHAIN))
    frames = _behind(chain, lambda line: TRACEBACK in line)
    return "\n".join(frames[_position(frames, _ends_traceback) :]).strip()


def _position(lines: t.Sequence[str], is_mark: t.Callable[[str], bool]) -> int:
    """Where the first line is that is a mark; behind the last line where none is."""
    return next((number for number, line in enumerate(lines) if is_mark(line)), len(lines))


def _behind(lines: t.Sequence[str], is_mark: t.Callable[[str], bool]) -> t.Sequence[str]:
    """The lines behind the first one that is a mark; none where there is no mark."""
    return lines[_position(lines, is_mark) + 1 :]


def _ends_traceback(line: str) -> bool:
    """A traceback's frames are indented; the exception that closes it is not."""
    return bool(line) and not line[0].isspace()


def _shortened(traceback: list[str]) -> list[str]:
    left_out = len(traceback) - TRACEBACK_LINES_KEPT
    if left_out <= 1:
        return traceback
    return [f"  ... {left_out} lines of the server's traceback left out ...", *traceback[left_out:]]

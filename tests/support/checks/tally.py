# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count what the checks ran, and print the totals.

A session of the check runner may hold hundreds of tests (pytest, ansible-test) or be one tool that says yes or no. What
was counted is kept as one JSON file for each session: {"passed": int, "failed": int, "skipped": int}.

As a program: print one line for each session of the given nox reports, then "N passed, N failed" alone on a line.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable


@dataclasses.dataclass
class Tally:
    """How many tests ended in which way."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def of_cases(reports: Iterable[pathlib.Path]) -> Tally:
    """Count every test case of JUnit reports."""
    return sum((_of_report(report) for report in reports), Tally())


def of_targets(reports: Iterable[pathlib.Path], *, ended_well: bool) -> Tally:
    """Count a JUnit report as one test: ansible-test integration writes one for each target.

    What a report calls a failure is a task that failed, be it in a block that rescues it. Whether a target failed is
    told by how ansible-test ended, which stops at the first.
    """
    count = len(list(reports))
    return Tally(passed=count) if ended_well else Tally(passed=max(count - 1, 0), failed=1)


def _of_report(report: pathlib.Path) -> Tally:
    total = Tally()
    for case in ET.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            total.failed += 1
        elif case.find("skipped") is not None:
            total.skipped += 1
        else:
            total.passed += 1
    return total


def save(directory: pathlib.Path, session: str, total: Tally) -> None:
    """Keep what ``session`` counted."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{session}.json").write_text(json.dumps(dataclasses.asdict(total)), encoding="utf-8")


def load(directory: pathlib.Path, session: str) -> Tally:
    """What ``session`` counted; nothing when it did not come that far."""
    try:
        return Tally(**json.loads((directory / f"{session}.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Tally()


def main(directory: pathlib.Path, reports: list[pathlib.Path]) -> int:
    """Print the totals of the sessions in nox's ``reports``; a session that broke counts as a failure at least."""
    total = Tally()
    complete = True
    for report in reports:
        if not report.exists():
            print(f"{report.stem}: did not run")
            complete = False
            continue
        for session in json.loads(report.read_text(encoding="utf-8"))["sessions"]:
            name = session["name"]
            counted = load(directory, name) if session["result"] != "skipped" else Tally(skipped=1)
            if session["result"] in ("failed", "aborted"):
                counted.failed = max(counted.failed, 1)
            print(f"{name:24} {counted}")
            total += counted
    print(f"{total.passed} passed, {total.failed} failed")
    return 0 if complete and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), [pathlib.Path(argument) for argument in sys.argv[2:]]))

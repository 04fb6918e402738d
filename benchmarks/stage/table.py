# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of ratios: all sides in turns, medians and spread, printed as they come and kept as JSON.

A ratio is their seconds by ours: above one, ours is faster.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

KEPT = Path(__file__).resolve().parents[1] / "results"
HEADS = "| {} | beside | ratio (least to most) | ours | theirs | verdict |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Measured:
    """One run of one side: seconds of wall clock, and of processor time and calls to a server where they are known."""

    seconds: float
    cpu: float = 0.0
    calls: int = 0


@dataclass(frozen=True)
class Comparison:
    """What a row is about: its name, what ours is measured beside, and the ratio to reach (0: none is set)."""

    name: str
    beside: str
    to_reach: float = 0.0


Measure = Callable[[], Measured]


@dataclass
class Results:
    """What one benchmark found; ``rows`` as in the file."""

    benchmark: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _section: str = ""

    def __post_init__(self) -> None:
        self.notes.append(machine())
        print(f"\n{self.benchmark}: {machine()}", flush=True)

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(text, flush=True)

    def section(self, title: str) -> None:
        """Begin a table; for transfers, the title tells the rate of the line and its latency."""
        self._section = title
        print(f"\n{HEADS.format(title)}", flush=True)

    def skip(self, what: str, why: str) -> None:
        self._add({"name": what, "skipped": why})
        print(f"SKIPPED {what}: {why}", flush=True)

    def state(self, name: str, found: str, to_reach: str = "", met: bool = True) -> None:
        """A row that is no comparison; without a bar it is told, and not judged."""
        judged = {"to_reach": to_reach, "met": met} if to_reach else {}
        self._add({"name": name, "found": found, **judged})
        verdict = f"{to_reach}: {'met' if met else 'NOT MET'}" if to_reach else "no bar"
        print(f"| {name} | | | {found} | | {verdict} |", flush=True)

    def compare(self, row: Comparison, *, ours: Measure, theirs: Measure, runs: int) -> None:
        """Run both in turns so often, after one round that warms caches up and does not count."""
        self.compare_all([(row, ours)], theirs=theirs, runs=runs)

    def compare_all(self, ours: Sequence[tuple[Comparison, Measure]], *, theirs: Measure, runs: int) -> None:
        """The same for several of ours beside one of theirs, which runs once a round."""
        beside: list[Measured] = []
        taken: list[list[Measured]] = [[] for _row in ours]
        for number in range(runs + 1):
            for values, measure in ((beside, theirs), *zip(taken, (measure for _row, measure in ours), strict=True)):
                measured = measure()
                if number:
                    values.append(measured)
        for (row, _measure), values in zip(ours, taken, strict=True):
            self._compared(row, values, beside)

    def _compared(self, row: Comparison, ours: list[Measured], theirs: list[Measured]) -> None:
        found = {"ours": _summary(ours), "theirs": _summary(theirs)}
        ratio = found["theirs"]["median"] / found["ours"]["median"]
        each = sorted(b.seconds / a.seconds for a, b in zip(ours, theirs, strict=True))
        entry = {**asdict(row), "ratio": round(ratio, 3), "spread": [round(each[0], 3), round(each[-1], 3)], **found}
        if row.to_reach:
            entry["met"] = ratio >= row.to_reach
        self._add(entry)
        verdict = f"bar {row.to_reach:.1f}: {'met' if entry['met'] else 'NOT MET'}" if row.to_reach else "no bar"
        print(
            f"| {row.name} | {row.beside} | {ratio:.2f} ({each[0]:.2f} to {each[-1]:.2f}) | "
            f"{_told(found['ours'])} | {_told(found['theirs'])} | {verdict} |",
            flush=True,
        )

    def _add(self, row: dict[str, Any]) -> None:
        self.rows.append({"section": self._section, **row})

    def save(self) -> Path:
        """Keep the run under its date and commit."""
        KEPT.mkdir(exist_ok=True)
        at = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
        path = KEPT / f"{self.benchmark}-{at}-{commit()}.json"
        document = {"benchmark": self.benchmark, "at": at, "commit": commit(), "notes": self.notes}
        rows = ",\n  ".join(map(json.dumps, self.rows))
        path.write_text(f'{json.dumps(document, indent=1)[:-2]},\n "rows": [\n  {rows}\n ]\n}}\n', encoding="utf-8")
        return path


def _summary(measured: list[Measured]) -> dict[str, Any]:
    seconds = [one.seconds for one in measured]
    summary: dict[str, Any] = {
        "median": round(statistics.median(seconds), 3),
        "seconds": [round(s, 3) for s in seconds],
    }
    summary["cpu"] = round(statistics.median(one.cpu for one in measured), 3)
    calls = {one.calls for one in measured}
    if calls != {0}:
        summary["calls"] = sorted(calls)
    return summary


def _told(summary: dict[str, Any]) -> str:
    calls = " or ".join(str(count) for count in summary.get("calls", ()))
    return f"{summary['median']:.2f} s, CPU {summary['cpu']:.2f} s" + (f", {calls} calls" if calls else "")


def machine() -> str:
    """The machine that ratios were measured on, in one line."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return (
        f"{os.cpu_count()} cores ({model or platform.machine()}), Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def commit() -> str:
    """The commit that was measured, with a plus where files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ("git", *arguments), cwd=KEPT.parent, capture_output=True, text=True, check=False
        ).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")

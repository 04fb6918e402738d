# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of ratios: both sides in turns, medians and spread, printed as they come and kept as JSON.

A ratio is their seconds by ours: above one, ours is faster.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

KEPT = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Measured:
    """One run of one side: seconds of wall clock, and of processor time where that is known."""

    seconds: float
    cpu: float = 0.0
    calls: int = 0


@dataclass(frozen=True)
class Comparison:
    """What a row is about: its name, what ours is measured beside, and the ratio to reach (0: none is set)."""

    name: str
    beside: str
    bar: float = 0.0


@dataclass
class Results:
    """What one benchmark found; ``rows`` as in the file."""

    benchmark: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.notes.append(machine())
        print(f"\n{self.benchmark}: {machine()}", flush=True)

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(text, flush=True)

    def skip(self, what: str, why: str) -> None:
        self.rows.append({"name": what, "skipped": why})
        print(f"SKIPPED {what}: {why}", flush=True)

    def state(self, name: str, found: str, bar: str, met: bool) -> None:
        """A row that is no comparison."""
        self.rows.append({"name": name, "found": found, "bar": bar, "met": met})
        print(f"| {name} | {found} | {bar} | {'met' if met else 'NOT MET'} |", flush=True)

    def compare(
        self, row: Comparison, *, ours: Callable[[], Measured], theirs: Callable[[], Measured], runs: int
    ) -> None:
        """Run both in turns so often, after one round that warms caches up and does not count."""
        taken: dict[str, list[Measured]] = {"ours": [], "theirs": []}
        for number in range(runs + 1):
            for side, measure in (("theirs", theirs), ("ours", ours)):
                measured = measure()
                if number:
                    taken[side].append(measured)
        found = {side: _summary(measured) for side, measured in taken.items()}
        ratio = found["theirs"]["median"] / found["ours"]["median"]
        each = sorted(b.seconds / a.seconds for a, b in zip(taken["ours"], taken["theirs"], strict=True))
        entry = {**asdict(row), "ratio": round(ratio, 3), "spread": [round(each[0], 3), round(each[-1], 3)], **found}
        if row.bar:
            entry["met"] = ratio >= row.bar
        self.rows.append(entry)
        verdict = f"bar {row.bar:.1f}: {'met' if entry['met'] else 'NOT MET'}" if row.bar else "no bar"
        print(
            f"| {row.name} | {row.beside} | {ratio:.2f} ({each[0]:.2f} to {each[-1]:.2f}) | "
            f"{found['ours']['median']:.2f} s | {found['theirs']['median']:.2f} s | {verdict} |",
            flush=True,
        )

    def save(self) -> Path:
        """Keep the run under its date and commit."""
        KEPT.mkdir(exist_ok=True)
        at = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
        path = KEPT / f"{self.benchmark}-{at}-{commit()}.json"
        document = {"benchmark": self.benchmark, "at": at, "commit": commit(), "notes": self.notes, "rows": self.rows}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
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

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about speed shows the newest result of each benchmark, and hides none that is not met."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.rst import tables


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """The rows of the newest run of each benchmark."""
    folder = Path(__file__).parents[2] / "benchmarks"
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "results").glob("*.json")]
    newest = {run["benchmark"]: run for run in sorted(runs, key=lambda run: str(run["at"]))}
    assert set(newest) == {path.stem for path in folder.glob("*.py")}
    return [row for run in newest.values() for row in run["rows"]]


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs/docsite/rst/performance.rst").read_text(encoding="utf-8")


def found(rows: list[dict[str, Any]], name: str) -> list[float]:
    """The first number that was found in each row whose name matches a pattern, without a comparison."""
    return [float(row["found"].split()[0]) for row in rows if "found" in row and re.search(name, row["name"])]


def test_every_comparison_is_shown_as_it_was_found(page: str, rows: list[dict[str, Any]]) -> None:
    expected = []
    for row in (row for row in rows if "ratio" in row):
        goal = f"{row['to_reach']:.1f}: {'met' if row['met'] else '**not met**'}" if "met" in row else "none"
        seconds = (f"{row[side]['median']:.2f} s" for side in ("ours", "theirs"))
        expected.append((row["name"], row["beside"], *seconds, f"{row['ratio']:.2f}", goal))
    assert sorted(row for table in tables(page) for row in table) == sorted(expected)


def test_the_figures_in_the_text_are_those_of_the_results(page: str, rows: list[dict[str, Any]]) -> None:
    text = " ".join(page.split())
    met = [row["met"] for row in rows if "met" in row]
    assert f"{sum(met)} of {len(met)} bars are met" in text
    assert [row for row in rows if "skipped" in row] == []
    assert f"at most {max(found(rows, 'peak memory')):.0f} MiB more than the idle module" in text
    most = max(float(row["found"].split()[-2]) for row in rows if "resets" in row["name"])
    assert f"with 2 resets, at most {most:.3f} times the bytes" in text
    [again], [anew] = found(rows, "^Known again: the module"), found(rows, "^checksum: always, which")
    [read] = found(rows, "^Known again: what the process reads")
    assert f"ends after {again:.2f} s (bar: 2 s) and reads {read:.0f} MiB instead of the dump" in text
    assert f"reads it anew, in {anew:.2f} s" in text

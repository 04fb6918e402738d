# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages that are written from what the tests play, and from what the benchmarks found, say what these say."""

from __future__ import annotations

import ast
import json
import pathlib
import re
from typing import Any

from faults.page import PAGE, page
from support.checks import performance


def test_the_page_about_failures_is_that_of_the_fault_matrix() -> None:
    """Write it anew with ``PYTHONPATH=tests python -m faults.page``."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_private_file_is_listed_with_what_it_says_of_itself(root: pathlib.Path) -> None:
    page_text = (root / "docs/docsite/rst/contributing.rst").read_text(encoding="utf-8")
    listed = set(re.findall(r"^  (\w+\.py) +(.+)$", page_text, re.MULTILINE))
    files = [path for folder in ("module_utils", "plugin_utils") for path in root.glob(f"plugins/{folder}/**/*.py")]
    assert listed == {(path.name, first_line(path)) for path in files if path.name != "__init__.py"}


def first_line(path: pathlib.Path) -> str:
    """The first line of a file's docstring, without its full stop."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0].rstrip(".")


def test_the_page_about_speed_is_that_of_the_newest_results() -> None:
    """Write it anew with ``PYTHONPATH=tests python -m support.checks.performance``."""
    assert performance.PAGE.read_text(encoding="utf-8") == performance.page()


def test_every_benchmark_is_on_the_page(root: pathlib.Path) -> None:
    assert {path.stem for path in (root / "benchmarks").glob("*.py")} == set(performance.BENCHMARKS)


def kept(folder: pathlib.Path, at: str, *rows: dict[str, Any]) -> None:
    """Keep a run of one benchmark."""
    run = {"benchmark": "plone_fleet", "at": at, "commit": "abc1234+", "notes": ["a machine_", "a *note*"]}
    path = folder / f"plone_fleet-{at}.json"
    path.write_text(json.dumps({**run, "rows": [{"section": "a line", **row} for row in rows]}), encoding="utf-8")


def test_the_page_about_speed_hides_nothing(tmp_path: pathlib.Path) -> None:
    side = {"median": 2.0, "seconds": [2.0], "cpu": 1.0, "calls": [3]}
    compared = {"beside": "curl", "ratio": 0.5, "spread": [0.4, 0.6], "ours": side, "theirs": {**side, "median": 1.0}}
    kept(tmp_path, "2026-11-20T000000Z", {"name": "old", "skipped": "x"})
    kept(
        tmp_path,
        "2026-11-21T013000Z",
        {"name": "slow", "to_reach": 1.0, "met": False, **compared},
        {"name": "for information", "to_reach": 0.0, **compared},
        {"name": "memory", "found": "3 MiB", "to_reach": "under 100 MiB", "met": True},
        {"name": "far", "skipped": "not root"},
    )
    text = performance.page(tmp_path)
    assert "Bars met: 1 of 2. Rows that could not be measured: 1." in text
    assert "Measured on 2026-11-21 at 01:30 UTC, at commit ``abc1234`` with changes, on: a machine\\_." in text
    assert "  * - slow\n    - curl\n    - 0.50 (0.40 to 0.60 in 1)\n    - 2.00 s, CPU 1.00 s, 3 calls" in text
    assert "    - bar 1.0: **not met**\n  * - for information" in text
    assert "  * - memory\n    - 3 MiB\n    - under 100 MiB: met\n" in text
    assert "  * - far\n    - \\-\n    - skipped: not root\n" in text
    assert "- a \\*note\\*" in text
    assert "old" not in text
    assert text.count("Not measured yet.") == len(performance.BENCHMARKS) - 1

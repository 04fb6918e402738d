# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that tests state and that are printed, summed up, at the end of the session: also by parallel workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

Figure = Callable[[str, int], None]
PREFIX = "figure: "


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """State a number under a name; the numbers of all tests under one name are added up."""
    return lambda name, number: record_property(f"{PREFIX}{name}", number)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the sums, of failed tests too."""
    sums: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        # The last report of a test holds what all its phases stated, also those that pass without a mark of their own.
        for report in (report for report in reports if getattr(report, "when", "") == "teardown"):
            for name, number in report.user_properties:
                if name.startswith(PREFIX):
                    sums[name.removeprefix(PREFIX)] += int(number)
    if sums:
        terminalreporter.section("figures")
    for name, number in sums.items():
        terminalreporter.write_line(f"{name}: {number}")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The slowest tests of a run, from its JUnit reports."""

from __future__ import annotations

import pathlib
import xml.etree.ElementTree as ET
from collections.abc import Iterable

SHOWN = 25


def slowest(reports: Iterable[pathlib.Path]) -> list[str]:
    """One line for each of the slowest tests, such as "12.34 s  tests.acceptance.test_eda::test_a_webhook".

    Reports without times, such as those of the sanity tests, have none.
    """
    cases = [case for report in reports for case in ET.parse(report).iter("testcase") if float(case.get("time", 0))]
    timed = sorted(cases, key=lambda case: float(case.get("time", 0)), reverse=True)[:SHOWN]
    return [f"{float(case.get('time', 0)):7.2f} s  {case.get('classname')}::{case.get('name')}" for case in timed]

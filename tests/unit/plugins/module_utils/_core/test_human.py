# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes and durations for people."""

from __future__ import annotations

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.human import duration, size

MIB = 1024**2
GIB = 1024**3


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (MIB - 1, "1024 KiB"),
        (99.94 * MIB, "99.9 MiB"),
        (99.96 * MIB, "100 MiB"),
        (118.4 * MIB, "118 MiB"),
        (12 * GIB, "12.0 GiB"),
        (2.0**63, "8192 PiB"),
    ],
)
def test_a_size_has_two_or_three_figures_that_count(count: float, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.9, "1 min"),
        (60, "1 min"),
        (77, "1 min 17 s"),
        (3599, "59 min 59 s"),
        (3601, "1 h"),
        (7500, "2 h 5 min"),
        (86399, "23 h 59 min"),
        (86400 + 59, "1 d"),
        (273600, "3 d 4 h"),
        (float("inf"), "106751991167300 d 15 h"),
    ],
)
def test_a_duration_has_the_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0.0 s"), (0.04, "under 0.1 s"), (1.23, "1.2 s"), (9.94, "9.9 s"), (9.96, "10 s"), (61, "1 min 1 s")],
)
def test_a_short_duration_can_have_tenths(seconds: float, words: str) -> None:
    assert duration(seconds, tenths=True) == words

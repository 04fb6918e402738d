# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges beside a plain set of bytes, which cannot be wrong."""

from __future__ import annotations

import random

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ranges import Ranges

SIZE = 40


def test_parts_that_touch_or_overlap_become_one() -> None:
    ranges = Ranges([(5, 7), (0, 2), (2, 4), (6, 9), (20, 20)])
    assert list(ranges) == [(0, 4), (5, 9)]
    assert (ranges.total, ranges.prefix, ranges.end) == (8, 4, 9)
    assert [ranges.missing(start, 12) for start in (0, 5, 9, 12)] == [(4, 5), (9, 12), (9, 12), None]


def test_nothing() -> None:
    ranges = Ranges()
    assert (list(ranges), ranges.total, ranges.prefix, ranges.end) == ([], 0, 0, 0)
    assert ranges.missing(0, 0) is None
    assert ranges.missing(3, 5) == (3, 5)


@pytest.mark.parametrize("seed", range(50))
def test_any_order(seed: int) -> None:
    chance = random.Random(seed)
    ranges, there = Ranges(), set[int]()
    for _number in range(12):
        start = chance.randrange(SIZE)
        end = min(SIZE, start + chance.randrange(8))
        ranges.add(start, end)
        there |= set(range(start, end))
        assert {place for part in ranges for place in range(*part)} == there
        assert all(before[1] < behind[0] for before, behind in zip(list(ranges), list(ranges)[1:]))  # noqa: B905
        begin = chance.randrange(SIZE)
        missing = ranges.missing(begin, SIZE)
        first = next((place for place in range(begin, SIZE) if place not in there), None)
        assert (missing[0] if missing else None) == first
        if missing:
            assert there.isdisjoint(range(*missing))
            assert missing[1] == SIZE or missing[1] in there

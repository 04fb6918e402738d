# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a progress line, and the arithmetic behind them."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.plugin_utils._progress_lines import (
    UNKNOWN_STATE,
    Moving,
    Waiting,
    WorkProgress,
    parsed,
    rate,
)

MIB = 1024 * 1024
GIB = 1024 * MIB


def line_after(*notes: Moving | Waiting | None, later: float = 0.0) -> str:
    """The line after these notes, each seen half a second after it was made, and after so many seconds more."""
    work = WorkProgress()
    now = 0.0
    for note in notes:
        now = (note.at if note else now) + 0.5
        work.add(note, now)
    return work.line(now + later)


def test_a_rate_is_that_between_the_first_and_the_last_sample() -> None:
    samples = [Moving(10, 0, None), Moving(11, 500, None), Moving(20, 1000, None)]
    assert rate(samples) == 100
    assert rate(samples, silence=2) == 100
    assert rate(samples, silence=12) == 50
    assert rate(samples[:1]) is None
    assert rate([]) is None
    assert rate([samples[0], samples[0]]) is None
    assert rate([samples[0], Moving(12, 0, None)]) == 0


def test_a_transfer_is_shown_with_rate_and_time_left() -> None:
    notes = [Moving(0, 2 * GIB, 12 * GIB), Moving(10, 2 * GIB + 1180 * MIB, 12 * GIB)]
    assert line_after(*notes) == "3.2 GiB of 12.0 GiB (26 %), 118 MiB/s, 1 min 17 s left"


def test_the_first_note_of_a_transfer_knows_no_rate() -> None:
    assert line_after(Moving(0, 2 * GIB, 12 * GIB)) == "2.0 GiB of 12.0 GiB (16 %)"


def test_an_unknown_total_leaves_percent_and_end_out() -> None:
    assert line_after(Moving(0, 0, None), Moving(2, 20 * MIB, None)) == "20.0 MiB, 10.0 MiB/s"
    assert line_after(Moving(0, 0, 10), Moving(2, 20 * MIB, 10)) == "20.0 MiB, 10.0 MiB/s"


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    fast = [Moving(second, second * 100 * MIB, 100 * GIB) for second in range(10)]
    slow = [Moving(10 + second, 1000 * MIB + second * MIB, 100 * GIB) for second in range(40)]
    assert ", 1.0 MiB/s, 1 d" in line_after(*fast, *slow)


def test_two_samples_make_a_rate_however_far_apart_they_are() -> None:
    assert line_after(Moving(0, 0, None), Moving(600, 600 * MIB, None)) == "600 MiB, 1.0 MiB/s"


def test_the_end_is_shown_without_a_rate_and_an_empty_file_without_percent() -> None:
    assert line_after(Moving(0, 0, MIB), Moving(1, MIB, MIB), later=60) == "1.0 MiB of 1.0 MiB (100 %)"
    assert line_after(Moving(0, 0, 0)) == "0 bytes of 0 bytes"
    assert line_after(Moving(0, 0, 1000), Moving(1, 999, 1000)).startswith("999 bytes of 1000 bytes (99 %)")


def test_a_standstill_is_shown_instead_of_a_rate() -> None:
    notes = [Moving(0, 0, 12 * GIB), Moving(1, GIB, 12 * GIB)]
    assert line_after(*notes, later=9.9).endswith("left")
    assert line_after(*notes, later=40) == "1.0 GiB of 12.0 GiB (8 %), nothing moved for 40 s"
    assert line_after(*notes, Moving(31, GIB, 12 * GIB)) == "1.0 GiB of 12.0 GiB (8 %), nothing moved for 30 s"


def test_a_transfer_that_starts_anew_counts_from_there() -> None:
    notes = [Moving(0, 5 * GIB, 12 * GIB), Moving(1, 6 * GIB, 12 * GIB), Moving(5, 0, 12 * GIB)]
    assert line_after(*notes) == "0 bytes of 12.0 GiB (0 %)"
    assert (
        line_after(*notes, Moving(7, 20 * MIB, 12 * GIB)) == "20.0 MiB of 12.0 GiB (0 %), 10.0 MiB/s, 20 min 27 s left"
    )


def test_a_clock_that_went_back_is_no_negative_rate() -> None:
    assert line_after(Moving(100, 0, None), Moving(1, MIB, None)) == "1.0 MiB"


def test_waiting_is_shown_with_the_time_since_the_state_began_and_what_remains() -> None:
    assert line_after(Waiting(0, "upgrading", 3600), later=130) == "upgrading for 2 min 10 s, at most 57 min 50 s more"
    assert line_after(Waiting(0, "upgrading", 60), later=130) == "upgrading for 2 min 10 s, at most 0 s more"
    assert line_after(Waiting(0, "verifying", None), later=12) == "verifying for 12 s"
    assert line_after(Waiting(0, "pending", None), Waiting(60, "testing", None), later=5) == "testing for 5 s"
    assert line_after(Waiting(0, "pending", None), None, Waiting(0, "pending", None), later=5) == "pending for 5 s"


def test_what_is_waited_for_parts_two_transfers() -> None:
    notes: list[Moving | Waiting] = [Moving(0, 0, GIB), Moving(1, GIB, GIB), Waiting(2, "verifying", None)]
    assert line_after(*notes, later=3) == "verifying for 3 s"
    assert line_after(*notes, Moving(10, GIB, 2 * GIB)) == "1.0 GiB of 2.0 GiB (50 %)"


def test_nothing_is_shown_while_nothing_is_known() -> None:
    assert not line_after()
    assert not line_after(None)


def test_notes_are_read_as_the_module_writes_them() -> None:
    assert parsed('{"at": 1.5, "done": 3, "total": 10}') == Moving(1.5, 3, 10)
    assert parsed(b'{"at": 1.5, "done": 3, "total": null}') == Moving(1.5, 3, None)
    assert parsed('{"at": 2, "state": "upgrading a.b-c", "at_most": null}') == Waiting(2, "upgrading a.b-c", None)
    assert parsed('{"at": 2, "state": "testing", "at_most": 7.5}') == Waiting(2, "testing", 7.5)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "null",
        "[]",
        '"at"',
        "{}",
        "[" * 500,
        b"\xff",
        {"at": 1},
        {"at": 1, "done": 1},
        {"at": "1", "done": 1, "total": 2},
        {"at": True, "done": 1, "total": 2},
        {"at": 1, "done": -1, "total": 2},
        {"at": 1, "done": 1, "total": "2"},
        {"at": 1, "done": 2**64, "total": 2},
        '{"at": NaN, "done": 1, "total": 2}',
        '{"at": 1, "done": Infinity, "total": 2}',
        {"at": 1, "state": 5, "at_most": 2},
        {"at": 1, "state": "pending", "at_most": "soon"},
    ],
    ids=str,
)
def test_anything_else_is_no_note(note: t.Any) -> None:
    assert parsed(json.dumps(note) if isinstance(note, dict) else note) is None


@pytest.mark.parametrize("state", ["", "\x1b[2J", "two\nlines", "{{ 7 * 7 }}", "a" * 200, "\u202edone"], ids=ascii)
def test_a_state_that_a_terminal_could_take_amiss_is_not_repeated(state: str) -> None:
    assert parsed(json.dumps({"at": 1, "state": state, "at_most": None})) == Waiting(1, UNKNOWN_STATE, None)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits on time. Nothing here depends on how fast the machine is, only on what comes first."""

from __future__ import annotations

import datetime as dt
import signal
import threading
import time

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.clock import (
    Deadline,
    GrowingPauses,
    TimeLimitPassed,
    parse_utc,
    time_limit,
    utc_now,
    utc_text,
)

LONG = 60.0


def wait_for_ever() -> None:
    give_up = time.monotonic() + LONG
    while time.monotonic() < give_up:
        time.sleep(0.01)
    raise AssertionError("no limit ended this")


def test_the_limit_ends_the_body_and_leaves_no_alarm() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeLimitPassed), time_limit(0.05):
        wait_for_ever()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_body_that_ends_in_time_leaves_no_alarm() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(LONG):
        pass
    with pytest.raises(KeyError), time_limit(LONG):
        raise KeyError
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.parametrize("seconds", (0, -5))
def test_a_limit_of_nothing_ends_at_once_and_not_never(seconds: float) -> None:
    with pytest.raises(TimeLimitPassed), time_limit(seconds):
        wait_for_ever()


def test_the_alarm_repeats_where_the_first_was_swallowed() -> None:
    swallowed = 0
    with pytest.raises(TimeLimitPassed), time_limit(0.5):
        try:
            wait_for_ever()
        except TimeLimitPassed:
            swallowed += 1
        wait_for_ever()
    assert swallowed == 1


def test_the_exception_is_none_that_a_library_would_take_for_its_own() -> None:
    assert not issubclass(TimeLimitPassed, (OSError, ValueError))


def test_an_inner_limit_leaves_the_outer_one_in_force() -> None:
    with pytest.raises(TimeLimitPassed), time_limit(0.2):
        with time_limit(LONG):
            pass
        wait_for_ever()


def test_an_outer_limit_is_in_force_within_a_longer_inner_one() -> None:
    with pytest.raises(TimeLimitPassed), time_limit(0.05), time_limit(LONG):
        wait_for_ever()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_shorter_inner_limit_ends_only_the_inner_body() -> None:
    with time_limit(LONG):
        with pytest.raises(TimeLimitPassed), time_limit(0.05):
            wait_for_ever()
        remaining, _interval = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < remaining <= LONG
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_in_a_thread_there_is_no_limit_and_no_error() -> None:
    seen: list[str] = []

    def work() -> None:
        with time_limit(0.001):
            time.sleep(0.05)
            seen.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == ["done"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that moves only where somebody sleeps; its naps."""
    naps: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + sum(naps))
    monkeypatch.setattr(time, "sleep", naps.append)
    return naps


def take_all(pauses: GrowingPauses) -> None:
    """Pause until the deadline has passed."""
    while pauses.take():
        pass


def test_pauses_grow_to_the_longest_and_end_with_the_deadline(clock: list[float]) -> None:
    deadline = Deadline(20)
    take_all(GrowingPauses(deadline, 1.5))
    assert clock == pytest.approx([1.0] * 11 + [1.1, 1.21, 1.331, 1.4641, 1.5, 1.5, 0.8949])
    assert (deadline.passed, deadline.remaining, deadline.elapsed) == (True, 0.0, 20.0)
    assert not GrowingPauses(deadline, 3).take()


@pytest.mark.parametrize(("seconds", "reads"), [(10, 11), (60, 30), (600, 54), (28_800, 524)])
def test_the_end_is_found_late_by_a_tenth_with_so_many_reads(clock: list[float], seconds: float, reads: int) -> None:
    count = 1
    pauses = GrowingPauses(Deadline(10 * seconds), 60)
    while pauses.take():
        count += 1
        if sum(clock) >= seconds:
            break
    assert count == reads
    assert sum(clock) - seconds <= min(max(1, seconds / 10), 60)


def test_pauses_are_never_longer_than_asked_for(clock: list[float]) -> None:
    take_all(GrowingPauses(Deadline(2), 0.25))
    assert clock == [0.25] * 8


def test_a_deadline_that_was_over_before_it_began(clock: list[float]) -> None:
    assert Deadline(0).passed
    assert not GrowingPauses(Deadline(0), 1).take()
    assert not clock


def test_a_deadline_is_too_close_for_a_long_call_in_its_last_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    long, short = Deadline(60), Deadline(1)
    assert not long.too_close
    assert not short.too_close
    now += 0.6
    assert not long.too_close
    assert short.too_close
    now += 58.9
    assert long.too_close


def test_a_moment_is_written_in_utc_and_read_again() -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    moment = dt.datetime(2026, 11, 22, 1, 15, 2, 123_456, zone)
    assert utc_text(moment) == "2026-11-21T23:15:02.123Z"
    assert utc_text(moment, "seconds") == "2026-11-21T23:15:02Z"
    for timespec in ("seconds", "milliseconds"):
        assert abs(parse_utc(utc_text(moment, timespec)) - moment) < dt.timedelta(seconds=1)
    assert utc_now().utcoffset() == dt.timedelta(0)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-21", "2026-11-21T23:15:02"])
def test_a_text_that_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not match"):
        parse_utc(text)

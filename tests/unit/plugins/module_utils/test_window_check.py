# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a window and refusing outside of it, with a clock that only sleeping moves."""

from __future__ import annotations

import datetime as dt
import types
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils import _window_check
from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._window_check import (
    WindowClosed,
    WindowOptions,
    check_window,
)

NIGHT = {"days": ["sat"], "from": "22:00", "to": "04:00", "timezone": "Europe/Zurich"}
BEFORE, OPEN, LATE = (
    dt.datetime(2026, 11, 21, *time, tzinfo=dt.timezone.utc) for time in ((20, 45), (21, 0), (23, 30))
)


class Clock:
    """The time; sleeping moves it."""

    def __init__(self) -> None:
        self.now = BEFORE
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += dt.timedelta(seconds=seconds)


class Module:
    """The options, the mode and the warnings of one run of the module."""

    def __init__(self, *, check_mode: bool = False, **params: t.Any) -> None:
        waiting = {"must_be_open": False, "wait_timeout": 0, "work_timeout": None}
        self.params = {"window": NIGHT, **waiting, **params}
        self.check_mode = check_mode
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the test, a quarter of an hour before the window opens."""
    clock = Clock()
    monkeypatch.setattr(_window_check, "utc_now", lambda: clock.now)
    monkeypatch.setattr(_window_check, "time", types.SimpleNamespace(sleep=clock.sleep))
    return clock


def check(module: Module) -> dict[str, t.Any]:
    return check_window(WindowOptions.from_params(module.params), module.warn, check_mode=module.check_mode)


def test_a_closed_window_is_described() -> None:
    assert check(Module()) == {
        "changed": False,
        "msg": "The maintenance window, Sat from 22:00 to 04:00 (Europe/Zurich), is closed: "
        "it is Sat 2026-11-21 21:45, and it opens at Sat 2026-11-21 22:00, in 15 min.",
        "open": False,
        "now": "2026-11-21T20:45:00.000Z",
        "opens_at": "2026-11-21T21:00:00.000Z",
        "opens_in": 900.0,
        "closes_at": "2026-11-22T03:00:00.000Z",
        "remaining": 0.0,
        "waited": 0.0,
        "timezone": "Europe/Zurich",
    }


def test_an_open_window_is_described(clock: Clock) -> None:
    clock.now = LATE
    module = Module(must_be_open=True, work_timeout=12600)
    result = check(module)
    assert (result["open"], result["remaining"], result["opens_in"]) == (True, 12600.0, 0.0)
    assert result["msg"].endswith("is open until Sun 2026-11-22 04:00, for 3 h 30 min.")
    assert module.warnings == []


def test_work_that_may_last_longer_than_the_window_causes_a_warning(clock: Clock) -> None:
    clock.now = LATE
    module = Module(work_timeout=14400)
    check(module)
    assert module.warnings == [
        "What is started now may take 4 h, and the maintenance window closes in 3 h 30 min, at Sun 2026-11-22 04:00. "
        "It is not aborted then."
    ]


def test_work_that_may_last_longer_than_the_next_window_causes_a_warning_while_it_is_closed() -> None:
    module = Module(work_timeout=7 * 3600)
    assert not check(module)["open"]
    assert module.warnings == [
        "The work may take 7 h, and the maintenance window that opens at Sat 2026-11-21 22:00 is open for 6 h. "
        "It is not aborted when the window closes."
    ]
    fits = Module(work_timeout=6 * 3600)
    check(fits)
    assert fits.warnings == []


def test_a_window_that_must_be_open_refuses(clock: Clock) -> None:
    with pytest.raises(WindowClosed, match="Nothing is started before") as caught:
        check(Module(must_be_open=True, wait_timeout=899))
    assert caught.value.result["refused"] is True
    assert "msg" not in caught.value.result
    assert clock.naps == []


def test_it_waits_for_an_opening_within_the_time_limit(clock: Clock) -> None:
    result = check(Module(must_be_open=True, wait_timeout=900))
    assert (result["open"], result["waited"]) == (True, 900.0)
    assert clock.now == OPEN
    assert max(clock.naps) <= _window_check.LONGEST_SLEEP


def test_a_clock_that_is_set_back_during_the_wait_counts(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def set_back_once(seconds: float) -> None:
        clock.sleep(seconds if clock.naps else -600)

    monkeypatch.setattr(_window_check, "time", types.SimpleNamespace(sleep=set_back_once))
    assert check(Module(wait_timeout=900))["open"]
    assert clock.now == OPEN


@pytest.mark.parametrize(("wait", "words"), [(0, "would be refused."), (900, "would wait until then.")])
def test_check_mode_goes_on_at_any_time_and_says_so(clock: Clock, wait: int, words: str) -> None:
    module = Module(check_mode=True, must_be_open=True, wait_timeout=wait)
    assert not check(module)["open"]
    assert clock.naps == []
    [warning] = module.warnings
    assert "Check mode works at any time" in warning
    assert warning.endswith(words)


def test_a_window_that_never_closes_is_always_open() -> None:
    module = Module(window={"from": "00:00", "to": "24:00"}, work_timeout=10**6)
    result = check(module)
    assert (result["closes_at"], result["remaining"]) == (None, None)
    assert result["msg"] == "The maintenance window, every day from 00:00 to 24:00 (UTC), is always open."
    assert module.warnings == []


@pytest.mark.parametrize(
    ("option", "value"), [("wait_timeout", -1), ("work_timeout", 0), ("window", {"from": "1:00", "to": "x"})]
)
def test_bad_options_are_named(option: str, value: t.Any) -> None:
    with pytest.raises(OptionError, match=option):
        check(Module(**{option: value}))

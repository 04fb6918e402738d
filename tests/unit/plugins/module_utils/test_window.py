# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance windows, by dates."""

from __future__ import annotations

import datetime as dt
import random
import typing as t
import zoneinfo

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils import _window
from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._window import Position, Window, readable

ZURICH = "Europe/Zurich"
NIGHT = {"days": ["sat"], "from": "22:00", "to": "04:00", "timezone": ZURICH}


def position(now: str, **given: t.Any) -> Position:
    """Where a moment, in UTC or with its offset, lies in a window."""
    moment = dt.datetime.strptime(now if "+" in now else f"{now}+0000", "%Y-%m-%d %H:%M%z")
    return Window.from_option("window", given).at(moment)


def wall(moment: dt.datetime | None) -> str:
    """A moment in the words of its zone, with the offset, which tells the two passes of an hour apart."""
    return f"{moment:%Y-%m-%d %H:%M%z}" if moment else "never"


@pytest.mark.parametrize(
    ("now", "is_open", "remaining"),
    [
        ("2026-11-21 21:59+0100", False, 0),
        ("2026-11-21 22:00+0100", True, 6 * 3600),
        ("2026-11-21 23:59+0100", True, 4 * 3600 + 60),
        ("2026-11-22 00:00+0100", True, 4 * 3600),
        ("2026-11-22 03:59+0100", True, 60),
        ("2026-11-22 04:00+0100", False, 0),
        ("2026-11-22 22:00+0100", False, 0),
        ("2026-11-21 03:00+0100", False, 0),
    ],
)
def test_a_window_across_midnight_belongs_to_the_day_on_which_it_begins(
    now: str, is_open: bool, remaining: float
) -> None:
    found = position(now, **NIGHT)
    assert (found.open, found.remaining) == (is_open, remaining)


def test_the_next_opening_is_told_with_its_end() -> None:
    found = position("2026-11-22 04:00+0100", **NIGHT)
    assert (wall(found.opens_at), wall(found.closes_at)) == ("2026-11-28 22:00+0100", "2026-11-29 04:00+0100")
    assert found.opens_in == (6 * 24 + 18) * 3600
    assert position("2026-11-21 22:30+0100", **NIGHT).opens_in == 0


def test_without_days_and_zone_it_is_every_day_in_utc() -> None:
    found = position("2026-11-21 01:30", **{"from": "01:00", "to": "2:00"})
    assert found.open
    assert wall(found.closes_at) == "2026-11-21 02:00+0000"
    assert wall(position("2026-11-21 02:00", **{"from": "01:00", "to": "02:00"}).opens_at) == "2026-11-22 01:00+0000"


def test_windows_without_a_gap_are_one() -> None:
    weekend = {"days": ["Saturday", "SU"], "from": "00:00", "to": "24:00", "timezone": ZURICH}
    found = position("2026-11-21 23:00+0100", **weekend)
    assert (wall(found.opens_at), wall(found.closes_at)) == ("2026-11-21 00:00+0100", "2026-11-23 00:00+0100")
    assert found.remaining == 25 * 3600


def test_a_window_of_all_hours_never_closes() -> None:
    found = position("2026-11-21 23:00", **{"from": "00:00", "to": "24:00"})
    assert found.open
    assert (found.closes_at, found.remaining) == (None, None)
    assert not found.ends_within(10**9)


def test_what_would_last_longer_than_the_window_is_known() -> None:
    found = position("2026-11-22 03:00+0100", **NIGHT)
    assert not found.ends_within(3600)
    assert found.ends_within(3601)


# In Zurich the clock goes from 02:00+0100 to 03:00+0200 on 29 March 2026, and from 03:00+0200 back to 02:00+0100 on
# 25 October.
@pytest.mark.parametrize(
    ("now", "start", "end", "opens_at", "closes_at", "hours"),
    [
        ("2026-03-28 23:30+0100", "22:00", "04:00", "2026-03-28 22:00+0100", "2026-03-29 04:00+0200", 5),
        ("2026-10-25 00:30+0200", "22:00", "04:00", "2026-10-24 22:00+0200", "2026-10-25 04:00+0100", 7),
        ("2026-03-29 00:30+0100", "22:00", "02:30", "2026-03-28 22:00+0100", "2026-03-29 03:00+0200", 4),
        ("2026-03-29 00:30+0100", "02:30", "06:00", "2026-03-29 03:00+0200", "2026-03-29 06:00+0200", 3),
        ("2026-10-25 00:30+0200", "22:00", "02:30", "2026-10-24 22:00+0200", "2026-10-25 02:30+0200", 4.5),
        ("2026-10-25 00:30+0200", "02:30", "06:00", "2026-10-25 02:30+0200", "2026-10-25 06:00+0100", 4.5),
    ],
)
def test_a_night_on_which_the_clock_is_changed(
    now: str, start: str, end: str, opens_at: str, closes_at: str, hours: float
) -> None:
    found = position(now, **{"from": start, "to": end, "timezone": ZURICH})
    assert (wall(found.opens_at), wall(found.closes_at)) == (opens_at, closes_at)
    at_the_opening = position(opens_at, **{"from": start, "to": end, "timezone": ZURICH})
    assert (at_the_opening.open, at_the_opening.remaining) == (True, hours * 3600)


def test_the_second_pass_of_an_hour_is_later_than_the_first() -> None:
    until_half_past_two = {"from": "22:00", "to": "02:30", "timezone": ZURICH}
    assert position("2026-10-25 02:20+0200", **until_half_past_two).open
    second_pass = position("2026-10-25 02:20+0100", **until_half_past_two)
    assert not second_pass.open
    assert wall(second_pass.opens_at) == "2026-10-25 22:00+0100"


def test_a_window_that_the_clock_skips_does_not_open_that_night() -> None:
    skipped = {"days": ["sun"], "from": "02:00", "to": "03:00", "timezone": ZURICH}
    for now in ("2026-03-29 01:59+0100", "2026-03-29 03:00+0200", "2026-03-29 03:30+0200"):
        assert wall(position(now, **skipped).opens_at) == "2026-04-05 02:00+0200"


def test_a_zone_that_skips_a_whole_day() -> None:
    friday = {"days": ["fri"], "from": "10:00", "to": "12:00", "timezone": "Pacific/Apia"}
    assert wall(position("2011-12-29 23:00", **friday).opens_at) == "2012-01-06 10:00+1400"


def test_every_minute_of_a_year_is_as_the_clock_on_the_wall_says() -> None:
    """Away from the hours that a clock shows twice, the words of the window and the clock decide alone."""
    chance = random.Random(20261121)
    for _case in range(1500):
        zone = chance.choice([ZURICH, "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
        start, end = chance.sample(range(0, 1440, 15), 2)
        days = chance.sample(range(7), chance.randint(1, 7))
        now = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(minutes=chance.randrange(525600))
        local = now.astimezone(zoneinfo.ZoneInfo(zone))
        if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
            continue
        window = Window.from_option(
            "window",
            {
                "days": [_window.DAYS[day] for day in days],
                "from": f"{start // 60:02d}:{start % 60:02d}",
                "to": f"{end // 60:02d}:{end % 60:02d}",
                "timezone": zone,
            },
        )
        minute = local.hour * 60 + local.minute
        yesterday = (local.weekday() - 1) % 7
        if start < end:
            expected = local.weekday() in days and start <= minute < end
        else:
            expected = (local.weekday() in days and minute >= start) or (yesterday in days and minute < end)
        found = window.at(now)
        assert found.open == expected, f"{window} at {now}"
        assert found.closes_at and found.closes_at > found.opens_at
        assert window.at(found.opens_at).open
        assert not window.at(found.closes_at).open
        if not found.open:
            assert found.opens_at > now
            assert (
                window.at(found.opens_at).remaining
                == (
                    found.closes_at.astimezone(dt.timezone.utc) - found.opens_at.astimezone(dt.timezone.utc)
                ).total_seconds()
            )


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ({"to": "04:00"}, "window.from", "is missing"),
        ({"from": "22:00"}, "window.to", "is missing"),
        ({"from": "25:00", "to": "04:00"}, "window.from", "25:00 is not a time"),
        ({"from": "22:00", "to": "24:01"}, "window.to", "24:01 is not a time"),
        ({"from": "22:60", "to": "04:00"}, "window.from", "22:60 is not a time"),
        ({"from": "10pm", "to": "04:00"}, "window.from", "10pm is not a time"),
        ({"from": "1320", "to": "04:00"}, "window.from", "without quotes"),
        ({"from": "24:00", "to": "04:00"}, "window.from", "before 24:00"),
        ({"from": "22:00", "to": "22:00"}, "window.to", "same as 'from'"),
        ({"from": "22:00", "to": "04:00", "days": ["sat", "samstag"]}, "window.days", "samstag is not a day"),
        ({"from": "22:00", "to": "04:00", "days": []}, "window.days", "an empty list"),
        ({"from": "22:00", "to": "04:00", "timezone": "Europe/Zuerich"}, "window.timezone", "Europe/Zuerich"),
        ({"from": "22:00", "to": "04:00", "timezone": "../../etc/passwd"}, "window.timezone", "is not a time zone"),
        ({"from": "22:00", "to": "04:00", "timezone": "Europe"}, "window.timezone", "is not a time zone"),
    ],
)
def test_bad_input_names_the_key(given: dict[str, t.Any], key: str, words: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        Window.from_option("window", given)
    assert caught.value.result == {"option": key}


def test_a_host_without_time_zones_says_so_and_still_knows_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    zoneinfo.ZoneInfo.clear_cache()
    monkeypatch.setattr(zoneinfo, "TZPATH", ())
    monkeypatch.setattr(_window.zoneinfo, "available_timezones", set)
    monkeypatch.setattr(_window.zoneinfo, "ZoneInfo", no_database)
    with pytest.raises(OptionError, match="no time zone database"):
        Window.from_option("window", NIGHT)
    assert Window.from_option("window", {**NIGHT, "timezone": "UTC"}).zone is dt.timezone.utc


def no_database(name: str) -> t.NoReturn:
    raise zoneinfo.ZoneInfoNotFoundError(name)


def test_what_people_read() -> None:
    assert str(Window.from_option("window", NIGHT)) == "Sat from 22:00 to 04:00 (Europe/Zurich)"
    assert str(Window.from_option("window", {"from": "00:00", "to": "24:00"})) == "every day from 00:00 to 24:00 (UTC)"
    assert str(Window.from_option("window", {"from": "22:00", "to": "00:00"})) == "every day from 22:00 to 24:00 (UTC)"
    assert readable(position("2026-11-22 04:00+0100", **NIGHT).opens_at) == "Sat 2026-11-28 22:00"

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintenance windows: certain hours of certain days, and where a moment lies: inside, or before the next opening.

A window is given in local wall clock time. Everything is computed from a moment that the caller passes in, so that
tests can use any date. When the clocks change for daylight saving time, a time that is skipped counts as the moment of
the change, and of a time that occurs twice the first one counts.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t
import zoneinfo
from dataclasses import dataclass

from ._core.errors import OptionError

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MINUTES_OF_A_DAY = 24 * 60
CLOCK_TIME = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])", re.ASCII)
LOOK_BACK, LOOK_AHEAD = 8, 16
"""Days around today in which every window opens at least once: a week, and another one if the clock skips a day."""


@dataclass(frozen=True)
class Position:
    """Where a moment lies. All times are in the zone of the window.

    If the window is open, ``opens_at`` is when it opened; if it is closed, ``opens_at`` is the next opening and
    ``closes_at`` the end of that. ``closes_at`` is None if it never closes.
    """

    now: dt.datetime
    opens_at: dt.datetime
    closes_at: dt.datetime | None

    @property
    def open(self) -> bool:
        """Whether work may be started."""
        return _seconds(self.now, self.opens_at) <= 0

    @property
    def opens_in(self) -> float:
        """Seconds until it opens; 0 if it is open."""
        return max(_seconds(self.now, self.opens_at), 0.0)

    @property
    def remaining(self) -> float | None:
        """Seconds until it closes; 0 if it is closed, None if it never closes."""
        if not self.open:
            return 0.0
        return _seconds(self.now, self.closes_at) if self.closes_at else None

    def ends_within(self, seconds: float) -> bool:
        """Whether the window closes before that many seconds have passed."""
        return self.remaining is not None and self.remaining < seconds


@dataclass(frozen=True)
class Window:
    """Certain hours of certain days.

    :param days: numbers of week days on which it begins, 0 for Monday.
    :param start: the minute of the day at which it begins.
    :param end: the minute at which it ends, above 1440 on the day after.
    """

    days: frozenset[int]
    start: int
    end: int
    zone: dt.tzinfo
    zone_name: str

    @classmethod
    def from_option(cls, option: str, given: t.Mapping[str, t.Any]) -> Window:
        """The window that an option describes by ``days``, ``from``, ``to`` and ``timezone``.

        :raises OptionError: names the key that is bad.
        """
        start, end = (_minute(f"{option}.{key}", given.get(key)) for key in ("from", "to"))
        if start == MINUTES_OF_A_DAY:
            raise OptionError(f"{option}.from", "must be before 24:00; midnight is 00:00 of the day that begins then.")
        if start == end:
            raise OptionError(f"{option}.to", "is the same as 'from'; a whole day is from 00:00 to 24:00.")
        zone_name = given.get("timezone") or "UTC"
        return cls(
            days=_days(f"{option}.days", given.get("days")),
            start=start,
            end=end if end > start else end + MINUTES_OF_A_DAY,
            zone=_zone(f"{option}.timezone", zone_name),
            zone_name=zone_name,
        )

    def at(self, now: dt.datetime) -> Position:
        """Where a moment lies: in the window, or before its next opening. Windows without a gap in between are one."""
        local = now.astimezone(self.zone)
        spans = self._spans(local.date())
        opens_at, closes_at = next(span for span in spans if span[1] > now)
        return Position(
            now=local,
            opens_at=opens_at.astimezone(self.zone),
            closes_at=closes_at.astimezone(self.zone) if len(spans) > 1 else None,
        )

    def _spans(self, today: dt.date) -> list[tuple[dt.datetime, dt.datetime]]:
        """Starts and ends around a day, in UTC and in order; a single pair if the window never closes."""
        spans: list[tuple[dt.datetime, dt.datetime]] = []
        for day in (today + dt.timedelta(days=number) for number in range(-LOOK_BACK, LOOK_AHEAD)):
            if day.weekday() not in self.days:
                continue
            opens_at, closes_at = (_moment(day, minute, self.zone) for minute in (self.start, self.end))
            if spans and opens_at <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], closes_at))
            elif opens_at < closes_at:
                spans.append((opens_at, closes_at))
        return spans

    def __str__(self) -> str:
        """In words, such as ``Sat, Sun from 22:00 to 04:00 (Europe/Zurich)``."""
        days = "every day" if len(self.days) == len(DAYS) else ", ".join(day_name(day) for day in sorted(self.days))
        end = self.end if self.end <= MINUTES_OF_A_DAY else self.end - MINUTES_OF_A_DAY
        return f"{days} from {_clock(self.start)} to {_clock(end)} ({self.zone_name})"


def day_name(day: int) -> str:
    """The short English name of a week day, 0 for Monday."""
    return DAYS[day][:3].capitalize()


def readable(moment: dt.datetime) -> str:
    """A moment for people, in its own zone, such as ``Sat 2026-11-21 22:00``."""
    return f"{day_name(moment.weekday())} {moment:%Y-%m-%d %H:%M}"


def _seconds(earlier: dt.datetime, later: dt.datetime) -> float:
    """Seconds that really pass. Python subtracts two times of one zone by the wall clock."""
    return (later.astimezone(dt.timezone.utc) - earlier.astimezone(dt.timezone.utc)).total_seconds()


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _minute(option: str, value: t.Any) -> int:
    if value is None or value == "":
        raise OptionError(option, 'is missing; give a time such as "22:00".')
    found = CLOCK_TIME.fullmatch(str(value).strip())
    minute = int(found.group(1)) * 60 + int(found.group(2)) if found else MINUTES_OF_A_DAY + 1
    if minute > MINUTES_OF_A_DAY:
        unquoted = " YAML reads 22:00 without quotes as the number 1320." if str(value).isdigit() else ""
        raise OptionError(option, f'{value} is not a time from "00:00" to "24:00"; write it in quotes.{unquoted}')
    return minute


def _days(option: str, value: t.Any) -> frozenset[int]:
    if value is None:
        return frozenset(range(len(DAYS)))
    numbers = {name: day for day, full in enumerate(DAYS) for name in (full, full[:3], full[:2])}
    names = [str(name).strip().lower() for name in value]
    unknown = [name for name in names if name not in numbers]
    if unknown or not names:
        bad = ", ".join(unknown) or "an empty list"
        raise OptionError(option, f"{bad} is not a day of the week, such as mon or monday.")
    return frozenset(numbers[name] for name in names)


def _zone(option: str, name: str) -> dt.tzinfo:
    if name == "UTC":
        return dt.timezone.utc
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        reason = f"{name} is not a time zone of this host, such as Europe/Zurich or UTC."
        if not zoneinfo.available_timezones():
            reason = (
                f"{name} is unknown: this host has no time zone database. Install tzdata, the system's or Python's."
            )
        raise OptionError(option, reason) from error


def _moment(day: dt.date, minute: int, zone: dt.tzinfo) -> dt.datetime:
    """The moment in UTC at which the wall clock first shows a time, or skips it."""
    wall = dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=minute)
    local = wall.replace(tzinfo=zone)
    moment = local.astimezone(dt.timezone.utc)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    return _when_skipped(local, zone)


def _when_skipped(missing: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """The moment at which the clock jumps over a time, found by bisection: a zone only knows offsets."""
    # PEP 495: with the offset from before the jump, a skipped time lies after the jump; with the other one, before it.
    after = missing.replace(fold=0).astimezone(dt.timezone.utc)
    before = missing.replace(fold=1).astimezone(dt.timezone.utc)
    offset = after.astimezone(zone).utcoffset()
    while after - before > dt.timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of a JSON document that anybody may have written: each is read as the expected type or replaced by a default.

Every text loses its control characters here, once, and every text, list and number has an upper limit.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t

from .._core.text import strip_control_chars

LONGEST_NAME = 200
LONGEST_TEXT = 2_000
MOST_ITEMS = 500
LONGEST_SECONDS = 1e9

MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?Z", re.ASCII)
# What ``strip_control_chars`` leaves in: whole commands to a terminal, marks of direction, and what no font shows.
COMMANDS = re.compile("\x1b[\\]PX^_][^\x07\x1b\n]{0,400}(?:\x07|\x1b\\\\)")
UNSEEN = re.compile("[\u061c\u200b\u200e\u200f\u2028\u2029\u2060\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]")


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text without anything that acts on a terminal or on the direction of reading, cut at ``longest`` characters."""
    plain: str = strip_control_chars(UNSEEN.sub("", COMMANDS.sub("", text)))
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def as_text(value: t.Any, longest: int = LONGEST_TEXT) -> str:
    """A string or a number as clean text; empty for any other value."""
    if isinstance(value, str):
        return clean(value, longest)
    return clean(str(value), longest) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def as_name(value: t.Any) -> str:
    """Text that is at most as long as a name."""
    return as_text(value, LONGEST_NAME)


def as_number(value: t.Any, default: float, most: float = LONGEST_SECONDS) -> float:
    """A number from 0 to ``most``; the default, brought into that range, in place of any other value."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        return min(max(default, 0.0), most)
    return float(value)


def as_moment(value: t.Any) -> dt.datetime | None:
    """A time in UTC such as 2026-11-21T03:00:00Z, with or without a fraction of a second; None for any other value."""
    matched = MOMENT.fullmatch(value) if isinstance(value, str) else None
    if not matched:
        return None
    try:
        moment = dt.datetime.strptime(f"{matched[1]}{matched[2] or '.0'}", "%Y-%m-%dT%H:%M:%S.%f")
    except ValueError:
        return None
    return moment.replace(tzinfo=dt.timezone.utc)


def as_object(value: t.Any) -> t.Mapping[str, t.Any]:
    """An object; an empty one in place of any other value."""
    return value if isinstance(value, dict) else {}


def as_list(value: t.Any) -> list[t.Any]:
    """A list; an empty one in place of any other value."""
    return value if isinstance(value, list) else []


def as_objects(value: t.Any) -> list[dict[str, t.Any]]:
    """The objects among the first ``MOST_ITEMS`` items of a list."""
    return [each for each in as_list(value)[:MOST_ITEMS] if isinstance(each, dict)]


def as_names(value: t.Any) -> dict[str, str]:
    """An object whose keys and values are names."""
    pairs = list(as_object(value).items())[:MOST_ITEMS]
    return {clean(name, LONGEST_NAME): as_name(each) for name, each in pairs}


def seconds_between(start: dt.datetime | None, end: dt.datetime | None) -> float:
    """Seconds from one time to another; 0 if one of them is unknown, or if the clock was set back in between."""
    return max((end - start).total_seconds(), 0.0) if start and end else 0.0

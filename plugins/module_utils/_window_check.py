# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check a maintenance window: wait for it to open, refuse work outside of it, warn of work that may last longer.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ._core.clock import utc_now, utc_text
from ._core.errors import UpgradeError
from ._core.human import duration
from ._core.options import require_not_negative, require_positive
from ._window import Position, Window, readable

LONGEST_SLEEP = 30.0
"""Seconds; the clock of a host may be set during a longer sleep."""


class WindowClosed(UpgradeError):
    """The window is closed and must be open. ``refused`` in the result distinguishes this from every other failure."""


@dataclass(frozen=True)
class WindowOptions:
    """What is asked of a window; all times are in seconds."""

    window: Window
    must_be_open: bool
    wait_timeout: int
    work_timeout: int | None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> WindowOptions:
        """The options of the module.

        :raises OptionError: names the option that is bad.
        """
        window = Window.from_option("window", params["window"])
        require_not_negative(params, "wait_timeout")
        if params["work_timeout"] is not None:
            require_positive(params, "work_timeout")
        return cls(window, params["must_be_open"], params["wait_timeout"], params["work_timeout"])


def check_window(options: WindowOptions, warn: t.Callable[[str], None], *, check_mode: bool) -> dict[str, t.Any]:
    """The result of the module: whether the window is open, after waiting for it if it opens within the time limit.

    :raises WindowClosed: it is closed and must be open. In check mode that is a warning.
    """
    window = options.window
    first = position = window.at(utc_now())
    if not check_mode and position.opens_in <= options.wait_timeout:
        position = wait_until_open(window, position)
    result = as_result(window, position, waited=(position.now - first.now).total_seconds())
    if position.open:
        warn_of_the_end(options, position, warn)
    elif not options.must_be_open:
        warn_of_a_short_window(options, window.at(position.opens_at), warn)
    elif options.must_be_open and check_mode:
        real = "wait until then" if position.opens_in <= options.wait_timeout else "be refused"
        warn(f"{result['msg']} Check mode works at any time; a run outside of it would {real}.")
    elif options.must_be_open:
        msg = f"{result.pop('msg')} Nothing is started before. Run this again then, or let it wait that long."
        raise WindowClosed(msg, **result, refused=True)
    return result


def wait_until_open(window: Window, position: Position) -> Position:
    """Sleep until a window is open."""
    while not position.open:
        time.sleep(min(position.opens_in, LONGEST_SLEEP))
        position = window.at(utc_now())
    return position


def warn_of_the_end(options: WindowOptions, position: Position, warn: t.Callable[[str], None]) -> None:
    """Warn if the work that is about to start may last longer than the window."""
    work = options.work_timeout
    if work and position.closes_at and position.ends_within(work):
        warn(
            f"What is started now may take {duration(work)}, and the maintenance window closes in "
            f"{duration(position.remaining or 0)}, at {readable(position.closes_at)}. It is not aborted then."
        )


def warn_of_a_short_window(options: WindowOptions, opening: Position, warn: t.Callable[[str], None]) -> None:
    """Warn if the work may last longer than the next window, which is closed yet.

    :param opening: the moment at which it opens.
    """
    work = options.work_timeout
    if work and opening.closes_at and opening.ends_within(work):
        warn(
            f"The work may take {duration(work)}, and the maintenance window that opens at {readable(opening.now)} is "
            f"open for {duration(opening.remaining or 0)}. It is not aborted when the window closes."
        )


def as_result(window: Window, position: Position, waited: float) -> dict[str, t.Any]:
    """What the module returns."""
    closes_at = position.closes_at
    return {
        "changed": False,
        "msg": _sentence(window, position),
        "open": position.open,
        "now": utc_text(position.now),
        "opens_at": utc_text(position.opens_at),
        "opens_in": round(position.opens_in, 3),
        "closes_at": utc_text(closes_at) if closes_at else None,
        "remaining": round(position.remaining, 3) if position.remaining is not None else None,
        "waited": round(waited, 3),
        "timezone": window.zone_name,
    }


def _sentence(window: Window, position: Position) -> str:
    if not position.open:
        return (
            f"The maintenance window, {window}, is closed: it is {readable(position.now)}, and it opens at "
            f"{readable(position.opens_at)}, in {duration(position.opens_in)}."
        )
    if not position.closes_at or position.remaining is None:
        return f"The maintenance window, {window}, is always open."
    until, remaining = readable(position.closes_at), duration(position.remaining)
    return f"The maintenance window, {window}, is open until {until}, for {remaining}."

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The durations of a host's past runs, drawn small for the list of hosts and as wide as the page.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .markup import Markup, Value, tag
from .svg import box, per_cent, short
from .words import length, machine_moment, result

if t.TYPE_CHECKING:
    from .fleet import Host
    from .run import Run

SMALL_BAR, SMALL_GAP, SMALL_HEIGHT = 6, 3, 26
PLOT_HEIGHT = 90
WIDEST_SLOT = 5.0
MARK = 7


def small_plot(host: Host) -> Markup:
    """The durations of the past runs, oldest first, one bar each."""
    bars = []
    for number, (run, high) in enumerate(_past(host, SMALL_HEIGHT - MARK)):
        left = number * (SMALL_BAR + SMALL_GAP)
        at = box(short(left + 0.5), SMALL_HEIGHT - high, str(SMALL_BAR - 1), high)
        bars.append((tag("rect", class_=_bar_class(run), **at), _mark(run, short(left + 3), SMALL_HEIGHT - high - 4)))
    size: dict[str, Value] = {"width": len(bars) * (SMALL_BAR + SMALL_GAP), "height": SMALL_HEIGHT}
    return tag("svg", bars, class_="small-plot", role="img", aria_label=_runs_described(host), **size)


def plot(host: Host) -> Markup:
    """The same, as wide as the page."""
    slot = min(100 / len(host.past), WIDEST_SLOT)
    ground = PLOT_HEIGHT - 1
    bars = []
    for number, (run, high) in enumerate(_past(host, PLOT_HEIGHT - 30)):
        label = f"{machine_moment(run.started_at)}: {length(run.duration)}, {result(run)}"
        at = box(per_cent(number * slot), ground - high, per_cent(slot * 0.7), high)
        mark = _mark(run, per_cent((number + 0.35) * slot), ground - high - 6)
        bars.append(tag("g", tag("title", label), tag("rect", class_=_bar_class(run), **at), mark))
    base = tag("line", x1="0", x2="100%", y1=short(ground + 0.5), y2=short(ground + 0.5), class_="base")
    most = tag("text", f"longest {length(_longest(host))}", x="0", y="11", class_="faint")
    size: dict[str, Value] = {"width": "100%", "height": PLOT_HEIGHT}
    return tag("svg", most, base, bars, class_="plot", role="img", aria_label=_runs_described(host), **size)


def _runs_described(host: Host) -> str:
    runs = ", ".join(f"{length(run.duration)} {result(run)}" for run in host.past[::-1])
    return f"Past runs of {host.name}, oldest first: {runs}"


def _longest(host: Host) -> float:
    return max(run.duration or 0.0 for run in host.past)


def _past(host: Host, highest: float) -> list[tuple[Run, float]]:
    """The past runs, oldest first, with the heights of their bars."""
    longest = _longest(host) or 1.0
    return [(run, max(highest * (run.duration or 0.0) / longest, 2.0)) for run in host.past[::-1]]


def _bar_class(run: Run) -> str:
    return f"bar is-{run.result}{' check' if run.check_mode else ''}"


def _mark(run: Run, x: str, y: float) -> Markup | None:
    """A dot above the bar of a run that failed, was refused or has not ended."""
    if run.result in ("changed", "ok"):
        return None
    return tag("circle", cx=x, cy=short(max(y, 3)), r="2.5", class_=f"dot is-{run.result}")

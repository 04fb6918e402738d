# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the report of upgrades words results, times, durations and versions, on the page and in Markdown.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime
import typing as t

from .._core.clock import utc_text

if t.TYPE_CHECKING:
    from .run import Run

PRODUCT = {"plone": "Plone", "odoo": "Odoo"}
MINUTE, HOUR, DAY = 60, 3600, 86400


def result(run: Run) -> str:
    """The result of a run in a word or three; in check mode nothing is changed, only foreseen."""
    if run.check_mode:
        return "would change" if run.result == "changed" else f"{run.result} in check mode"
    return run.result


def moment(when: datetime.datetime) -> str:
    """As 21 Nov 2026, 03:00; months are written here, because the names of strftime depend on the locale."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{when.day} {months[when.month - 1]} {when.year:04}, {when.hour:02}:{when.minute:02}"


def machine_moment(when: datetime.datetime) -> str:
    """As 2026-11-21T03:00:00Z."""
    return utc_text(when, "seconds")


def length(seconds: float | None) -> str:
    """A duration in its two largest units, such as 4 min 12 s."""
    if seconds is None:
        return "not known"
    if 0 < seconds < 0.05:
        return "under 0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, smaller, smaller_name in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {name} {rest} {smaller_name}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"


def size(count: float) -> str:
    """Bytes in the unit that leaves one to three digits before the point."""
    units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"]
    while count >= 1000 and len(units) > 1:
        count /= 1000
        units.pop(0)
    return f"{count:.0f} bytes" if units[0] == "bytes" else f"{count:.3g} {units[0]}"


def versions(run: Run) -> str:
    """From which version to which, as far as the run knows: the profile of a Plone site, the release of Odoo."""
    if run.product == "odoo":
        target = run.versions_after.get("target", "")
        return f"to {target}" if target else ""
    before, after = run.versions_before.get("instance", ""), run.versions_after.get("instance", "")
    if before and after and before != after:
        return f"{before} → {after}"
    return after or before


def counted(count: int, one: str, many: str) -> str:
    """A number with its word, such as 1 run or 2 runs."""
    return f"{count:,} {one if count == 1 else many}"

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rehearsal of an upgrade on a copy, as a report has it: how it ended, its seconds, memory, growth and catalog.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from .._core.clock import utc_text
from .parts import MOST_BYTES, Json
from .values import MOST_ITEMS, as_moment, as_name, as_number, as_object, as_text

STEPS = ("restore", "start", "dry_run", "upgrade", "addons")
"""The steps of a rehearsal in their order, which a file in JSON does not keep."""

SAME_PHASE = {"dry_run": "rehearsal"}
"""The phase of a run that is the same as a step of a rehearsal under another name."""


@dataclass(frozen=True)
class CopyRehearsal:
    """One rehearsal. ``of_this_run`` is false where it is the earlier one that the run of the site relied on."""

    of_this_run: bool
    passed: bool
    reason: str
    began_at: dt.datetime | None
    backup: str
    source: str
    destination: str
    seconds: t.Mapping[str, float]
    peak_memory: int
    growth: int
    catalog_before: int | None
    catalog_after: int | None

    def to_json(self) -> Json:
        """As the schema describes it."""
        return {
            "of_this_run": self.of_this_run,
            "passed": self.passed,
            "reason": self.reason,
            "began_at": utc_text(self.began_at) if self.began_at else "",
            "backup": self.backup,
            "from": self.source,
            "to": self.destination,
            "seconds": dict(self.seconds),
            "peak_memory": self.peak_memory,
            "growth": self.growth,
            "catalog_before": self.catalog_before,
            "catalog_after": self.catalog_after,
        }

    @classmethod
    def from_json(cls, value: t.Any) -> CopyRehearsal | None:
        """One rehearsal, with defaults for what is missing; None if there is nothing.

        The record of the role has numbers as text where an older Ansible wrote it.
        """
        each = as_object(value)
        if not each:
            return None
        seconds = list(as_object(each.get("seconds")).items())[:MOST_ITEMS]
        return cls(
            of_this_run=each.get("of_this_run") is True,
            passed=each.get("passed") is True,
            reason=as_text(each.get("reason")),
            began_at=as_moment(each.get("began_at")),
            backup=as_text(each.get("backup")),
            source=as_name(each.get("from")),
            destination=as_name(each.get("to")),
            seconds={as_name(name): as_number(_number(took), 0.0) for name, took in seconds},
            peak_memory=int(as_number(_number(each.get("peak_memory")), 0.0, MOST_BYTES)),
            growth=int(as_number(_number(each.get("growth")), 0.0, MOST_BYTES)),
            catalog_before=_count(each.get("catalog_before")),
            catalog_after=_count(each.get("catalog_after")),
        )


def _number(value: t.Any) -> t.Any:
    try:
        return float(value) if isinstance(value, str) and len(value) < 40 else value
    except ValueError:
        return None


def _count(value: t.Any) -> int | None:
    number = as_number(_number(value), -1.0, MOST_BYTES) if _number(value) is not None else None
    return int(number) if number is not None and not isinstance(value, (bool, list, dict)) else None

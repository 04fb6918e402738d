# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results, times and versions in words, for the page and for Markdown.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime
import typing as t

from .._core.clock import utc_text
from .._core.human import duration, size
from .copy_rehearsal import SAME_PHASE, STEPS

if t.TYPE_CHECKING:
    from .copy_rehearsal import CopyRehearsal
    from .parts import Request
    from .run import Run

PRODUCT = {"plone": "Plone", "odoo": "Odoo"}
PLATFORM = {"upgrade_service": "today's upgrade service", "database_api": "database API v1"}


def result(run: Run) -> str:
    """The result of a run in one to three words; a run in check mode only says what would change."""
    if run.check_mode:
        where = "on a copy" if run.rehearsal and run.rehearsal.of_this_run else "in check mode"
        return "would change" if run.result == "changed" else f"{run.result} {where}"
    return run.result


def moment(when: datetime.datetime) -> str:
    """Such as 21 Nov 2026, 03:00. The names of strftime depend on the locale, so the months are listed here."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{when.day} {months[when.month - 1]} {when.year:04}, {when.hour:02}:{when.minute:02}"


def machine_moment(when: datetime.datetime) -> str:
    """Such as 2026-11-21T03:00:00Z."""
    return utc_text(when, "seconds")


def length(seconds: float | None) -> str:
    """A duration such as 4 min 12 s or 1.2 s."""
    return "not known" if seconds is None else duration(seconds, tenths=True)


def versions(run: Run) -> str:
    """The versions before and after, if the run knows them: the profile of a Plone site, the release of Odoo."""
    if run.database and run.database.version_before and run.database.version_after:
        before, after = run.database.version_before, run.database.version_after
        return f"{before} → {after}" if before != after else after
    if run.product == "odoo":
        target = run.versions_after.get("target", "")
        return f"to {target}" if target else ""
    before, after = run.versions_before.get("instance", ""), run.versions_after.get("instance", "")
    if before and after and before != after:
        return f"{before} → {after}"
    return after or before


def platform(request: Request | None) -> str:
    """Which platform of Odoo a request was made at, as far as the run knows it."""
    return PLATFORM.get(request.protocol, request.protocol) if request else ""


def postgresql(request: Request | None) -> str:
    """That the PostgreSQL of the dump cannot restore the result; empty where it can, or where nobody said so."""
    if request is None or request.pg_compatible is not False:
        return ""
    return "The PostgreSQL that made the dump is too old to restore the result (is_pg_version_compatible is false)."


def counted(count: int, one: str, many: str) -> str:
    """A number with its word, such as 1 run or 2 runs."""
    return f"{count:,} {one if count == 1 else many}"


def rehearsal_outcome(rehearsal: CopyRehearsal) -> str:
    """Whether a rehearsal on a copy went through, and why not."""
    return "went through" if rehearsal.passed else f"failed: {rehearsal.reason or 'no reason is known'}"


def rehearsal_facts(rehearsal: CopyRehearsal) -> list[tuple[str, str]]:
    """What a rehearsal on a copy measured, each with its name; without what is not known."""
    before, after = rehearsal.catalog_before, rehearsal.catalog_after
    catalog = f"{before:,} → {after:,} objects" if before is not None and after is not None else ""
    facts = [
        ("Memory of the server at most", size(rehearsal.peak_memory) if rehearsal.peak_memory else ""),
        ("Growth of the database", size(rehearsal.growth) if rehearsal.passed or rehearsal.growth else ""),
        ("Catalog", catalog),
        ("Versions", f"{rehearsal.source} → {rehearsal.destination}" if rehearsal.destination else ""),
        ("Backup", rehearsal.backup),
    ]
    return [(name, value) for name, value in facts if value]


def rehearsal_steps(rehearsal: CopyRehearsal, run: Run) -> list[tuple[str, float, float | None]]:
    """The steps of a rehearsal with their seconds, and the seconds of the same step in the run of the site.

    Those are None where the run has no such step, and everywhere where the run is the rehearsal itself.
    """
    is_site = not run.check_mode and not (run.rehearsal and run.rehearsal.of_this_run)
    took = {phase.name: phase.duration for phase in run.phases} if is_site else {}
    names = [*(name for name in STEPS if name in rehearsal.seconds), *sorted(set(rehearsal.seconds) - set(STEPS))]
    return [(name, rehearsal.seconds[name], took.get(SAME_PHASE.get(name, name))) for name in names]

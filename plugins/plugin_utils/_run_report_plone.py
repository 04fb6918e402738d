# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report of a run of the role plone_upgrade says of the site.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict, deque
from dataclasses import replace

from ..module_utils._report.copy_rehearsal import CopyRehearsal
from ..module_utils._report.parts import Addon, Step
from ._run_report import Results, server_report, text

if t.TYPE_CHECKING:
    from ..module_utils._report.run import Run

PHASES = {
    "restore": ("copy_restored",),
    "start": ("copy_started",),
    "check": ("check", "addons_needed", "required", "checks_before"),
    "rehearsal": ("rehearsal",),
    "upgrade": ("upgrade",),
    "addons": ("addons",),
    "verification": ("verification", "addons_left", "checks_after"),
    "undo": ("undo", "restore"),
}
WINDOWS = ("window_rehearsal", "window_upgrade")
RUN, REHEARSED, PENDING = "run", "rehearsed", "pending"


def describe(run: Run, results: Results) -> Run:
    """The run with what is known of its site, and with the message of a run that did not fail."""
    check = results["check"]
    before = {name: text(version) for name, version in (check.get("versions") or {}).items()}
    states = ("check", "rehearsal", "upgrade", "verification", "undo")
    rehearsal = _rehearsal(results)
    is_dry = run.check_mode and not (rehearsal and rehearsal.of_this_run)
    changes = results["addons_needed" if is_dry else "addons"].get("changes") or []
    return replace(
        run,
        message=_message(results, changes, check_mode=is_dry),
        rehearsal=rehearsal,
        state_before=text(check.get("state")),
        state_after=text(results.latest("state", *states)),
        versions_before=before,
        versions_after=_versions_after(results) or _instance_and_code(before),
        phases=results.phases(PHASES, WINDOWS),
        steps=_steps(results),
        server_report=server_report("\n".join(map(text, results.latest("report", "rehearsal", "upgrade") or ()))),
        addons=tuple(Addon(*(text(change.get(key)) for key in ("id", "from", "to"))) for change in changes),
    )


def _rehearsal(results: Results) -> CopyRehearsal | None:
    """The rehearsal on a copy that this run is, or else the newest one with the same code that it read of."""
    if results["copy"].get("collection"):
        return CopyRehearsal.from_json({**results["copy"], "of_this_run": True})
    version = (results["check"].get("versions") or {}).get("fs")
    rows = results.latest("rehearsals", "required", "rehearsals") or ()
    same = [row for row in rows if row.get("to") == version]
    return CopyRehearsal.from_json(same[0]) if same else None


def _versions_after(results: Results) -> dict[str, str]:
    """The versions that were read last."""
    if results["undo"].get("versions_after"):
        return _instance_and_code(results["undo"]["versions_after"])
    read_back = results["verification"].get("versions")
    return _instance_and_code(read_back or results.latest("versions_after", "rehearsal", "upgrade") or {})


def _instance_and_code(versions: t.Mapping[str, t.Any]) -> dict[str, str]:
    return {name: text(versions[name]) for name in ("instance", "fs") if versions.get(name)}


def _message(results: Results, changes: t.Sequence[t.Mapping[str, t.Any]], *, check_mode: bool) -> str:
    said = text(results.latest("msg", "rehearsal", "upgrade"))
    if not said and results["check"]:
        said = f"The core is {results['check'].get('state')} at {results['check'].get('versions', {}).get('instance')}."
    named = ", ".join(f"{change.get('id')} ({change.get('action')})" for change in changes)
    would = " that would be changed" if check_mode else " changed"
    return " ".join(part for part in (said, f"Add-ons{would}: {named}." if named else "") if part)


def _steps(results: Results) -> tuple[Step, ...]:
    """The steps that were pending at first, followed by any others that ran."""
    steps = []
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for number, pending in enumerate(results["check"].get("steps") or ()):
        source, _dash, destination = text(pending.get("group")).partition("-")
        title = text(pending.get("title")).strip()
        steps.append(Step(title, source, destination, PENDING))
        waiting[title].append(number)
    ran, status = results["upgrade"].get("steps_run"), RUN
    if not ran:
        ran, status = results["rehearsal"].get("steps_run"), REHEARSED
    for title in (text(each).strip() for each in ran or ()):
        if waiting[title]:
            number = waiting[title].popleft()
            steps[number] = replace(steps[number], status=status)
        else:
            steps.append(Step(title, "", "", status))
    return tuple(steps)

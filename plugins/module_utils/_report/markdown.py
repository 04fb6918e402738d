# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of upgrades as Markdown: the fleet, and each failure in full, for a ticket, a chat or a repository.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import html
import re
import typing as t

from . import words
from .fleet import STANDINGS, TROUBLE

if t.TYPE_CHECKING:
    from .fleet import Fleet, Host

# Characters that can begin a link, a picture, emphasis, code, strike-out, a table cell, a mention or a template.
ACTIVE = re.compile(r"[\\`*_\[\]{}|~#!@$^]|(?<=[A-Za-z]):(?=//)|(?<=[Ww]{3})\.")
# Characters that begin a list or a rule at the start of a line.
BEGINS = re.compile(r"^(\d*)([-+=]|(?<=\d)[.)](?=\s|$))")


def document(fleet: Fleet, title: str) -> str:
    """The whole document, ending with a line end."""
    parts = [f"# {plain(title)}"]
    if fleet.newest is None:
        parts.append("There are no runs yet.")
    else:
        parts += [_lead(fleet), "## Fleet", _table(_HEADINGS, [_row(host) for host in fleet.hosts])]
        troubled = [host for host in fleet.hosts if host.standing in TROUBLE]
        rehearsed = [host for host in fleet.hosts if host.rehearsal]
        if rehearsed:
            parts += [
                "## Rehearsals on copies",
                _table(_REHEARSAL_HEADINGS, [_rehearsal_row(host) for host in rehearsed]),
            ]
        if troubled:
            parts += ["## What did not end well", "\n".join(_trouble(host) for host in troubled)]
    if fleet.unreadable:
        rows = [[plain(file.file), plain(file.reason)] for file in fleet.unreadable]
        parts += ["## Files that could not be read", _table(["File", "Why"], rows)]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Any text on one line, escaped for Markdown and HTML."""
    line = ACTIVE.sub(r"\\\g<0>", " ".join(text.split()))
    return html.escape(BEGINS.sub(r"\1\\\2", line), quote=False)


_HEADINGS = ["Host", "Product", "Result", "Version", "Finished (UTC)", "Took", "What happened"]


_REHEARSAL_HEADINGS = ["Host", "Rehearsed (UTC)", "Result", "Steps on the copy / in the run of the site", "Measured"]


def _rehearsal_row(host: Host) -> list[str]:
    rehearsal = host.rehearsal
    if rehearsal is None:
        return []
    steps = [
        f"{name.replace('_', ' ')} {words.length(seconds)} / {'-' if took is None else words.length(took)}"
        for name, seconds, took in words.rehearsal_steps(rehearsal, host.latest)
    ]
    outcome = words.rehearsal_outcome(rehearsal)
    facts = [f"{name}: {value}" for name, value in words.rehearsal_facts(rehearsal)]
    return [
        plain(host.name),
        words.moment(rehearsal.began_at) if rehearsal.began_at else "",
        plain(outcome) if rehearsal.passed else f"**{plain(outcome)}**",
        plain(", ".join(steps)),
        plain("; ".join(facts)),
    ]


def _lead(fleet: Fleet) -> str:
    counts = fleet.counts
    standings = ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in STANDINGS if counts[name])
    runs = words.counted(counts["runs"], "run report", "run reports")
    hosts = words.counted(counts["hosts"], "host", "hosts")
    newest = words.moment(fleet.newest) if fleet.newest else ""
    return f"{hosts}: {standings}. The newest of {runs} is of {newest} UTC."


def _row(host: Host) -> list[str]:
    run = host.latest
    since = f" (since then {words.result(host.checked)})" if host.checked else ""
    return [
        plain(host.name),
        words.PRODUCT[host.product],
        f"**{words.result(run)}**{since}" if host.standing in TROUBLE else f"{words.result(run)}{since}",
        plain(words.versions(run)),
        words.moment(run.finished_at) if run.finished_at else "",
        words.length(run.duration),
        plain(f"{run.message} {words.postgresql(run.request)}"),
    ]


def _trouble(host: Host) -> str:
    run = host.latest
    phases = [phase.name for phase in run.phases if phase.result == "failed"]
    during = f", in the phase {plain(', '.join(phases))}" if phases else ""
    return f"- **{plain(host.name)}** {words.result(run)}{during}: {plain(run.message) or 'no message'}"


def _table(headings: list[str], rows: list[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

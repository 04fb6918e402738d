# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report page shows of one host: its latest run with all details, and the runs before.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from .._core.human import size
from . import svg_plots, svg_timeline, words
from .fleet import TROUBLE, standing
from .html_parts import Cell, first_of, fixed, folded, length_of, result_of, result_word, table_of, time_of
from .markup import Child, Markup, tag

if t.TYPE_CHECKING:
    from .fleet import Host
    from .parts import Addon, ComparedDatabase, Request, Step, Transfer
    from .run import Run

NOT_OF_NAMES = re.compile("[^a-z0-9]+")
STATE_WORDS = {
    "up_to_date": "up to date",
    "newer_than_code": "newer than the code",
    "no_upgrade_path": "no upgrade path",
}


def identity(host: Host) -> str:
    """The anchor of a host: readable, and unique even if two names differ in punctuation only."""
    plain = NOT_OF_NAMES.sub("-", host.name.lower()).strip("-")[:60]
    if plain != host.name:
        plain = f"{plain}-{hashlib.sha256(host.name.encode()).hexdigest()[:8]}"
    return f"{host.product}-{plain}"


def host_section(host: Host) -> Markup:
    run = host.latest
    name = identity(host)
    return tag(
        "article",
        tag(
            "header",
            tag("h3", host.name, id=name),
            result_of(run),
            tag("span", words.PRODUCT[host.product], class_="note"),
        ),
        tag("p", run.message, class_=f"message is-{standing(run)}") if run.message else None,
        tag("ul", [tag("li", f"Warning: {warning}") for warning in run.warnings], class_="warnings")
        if run.warnings
        else None,
        _facts(host),
        _phases(run),
        _rehearsal(host),
        _steps(run),
        _addons(run.addons),
        _states(run.request),
        _database(run.database),
        _server_report(run),
        _past_runs(host),
        class_="host",
        aria_labelledby=name,
    )


def _facts(host: Host) -> Markup:
    run, request = host.latest, host.latest.request
    facts: list[tuple[str, Child]] = [
        ("Target", run.target),
        ("Version", words.versions(run)),
        ("State", _state(run)),
        ("Started", time_of(run.started_at)),
        ("Finished", (time_of(run.finished_at), ", after ", length_of(run.duration)) if run.finished_at else ""),
        ("Checked since", (time_of(host.checked.started_at), ": ", words.result(host.checked)) if host.checked else ""),
        ("Runs with", _environment(run)),
        ("Request", " for ".join(filter(None, [request.id, request.aim])) if request else ""),
        ("Platform", words.platform(request)),
        ("Dump sent", _transfer(request.sent) if request else ""),
        ("Result fetched", _transfer(request.fetched) if request else ""),
        ("PostgreSQL", words.postgresql(request)),
        ("Report", run.file),
    ]
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts if value], class_="facts")


def _phases(run: Run) -> Markup | None:
    if not run.phases:
        return None
    rows = [
        [
            svg_timeline.phase_word(phase.name),
            result_word(phase.result),
            fixed(words.length(phase.duration)),
            Cell(phase.message, "says"),
        ]
        for phase in run.phases
    ]
    summary = ", ".join(f"{svg_timeline.phase_word(phase.name)} {words.length(phase.duration)}" for phase in run.phases)
    table = table_of("The phases of this run", ["Phase", "Result", "Took", "What happened"], rows, "phases within-fold")
    return folded("Phases", summary, table, is_open=run.result in TROUBLE)


def _rehearsal(host: Host) -> Markup | None:
    rehearsal = host.rehearsal
    if rehearsal is None:
        return None
    facts = [tag("div", tag("dt", name), tag("dd", value)) for name, value in words.rehearsal_facts(rehearsal)]
    rows: list[list[Child]] = [
        [svg_timeline.phase_word(name), fixed(words.length(seconds)), fixed("" if took is None else words.length(took))]
        for name, seconds, took in words.rehearsal_steps(rehearsal, host.latest)
    ]
    headings = ["Step", "On the copy", "Run of the site"]
    content = (
        tag("p", words.rehearsal_outcome(rehearsal), class_=f"message is-{'ok' if rehearsal.passed else 'failed'}"),
        tag("dl", facts, class_="facts") if facts else None,
        table_of("The steps of the rehearsal beside the run of the site", headings, rows, "rehearsal within-fold")
        if rows
        else None,
    )
    began = f"{words.moment(rehearsal.began_at)} UTC, " if rehearsal.began_at else ""
    summary = f"{began}{'went through' if rehearsal.passed else 'failed'}"
    return folded("Rehearsal on a copy", summary, content, is_open=not rehearsal.passed)


def _steps(run: Run) -> Markup | None:
    if not run.steps:
        return None
    rows = [[step.title, fixed(_from_to(step)), result_word(step.status)] for step in run.steps]
    more = f"{run.steps_omitted:,} more are in the file {run.file}."
    note = tag("p", more, class_="note") if run.steps_omitted else None
    table = table_of("The upgrade steps of this run", ["Upgrade step", "Versions", "Status"], rows, "steps within-fold")
    return folded("Upgrade steps", f"{len(run.steps) + run.steps_omitted:,}", (table, note))


def _addons(addons: tuple[Addon, ...]) -> Markup | None:
    if not addons:
        return None
    rows = [[addon.id, fixed(_from_to(addon))] for addon in addons]
    return folded(
        "Add-ons",
        f"{len(addons):,}",
        table_of("The add-ons that this run changed", ["Add-on", "Versions"], rows, "addons within-fold"),
    )


def _states(request: Request | None) -> Markup | None:
    if request is None or not request.states:
        return None
    rows: list[list[Child]] = [[seen.state, fixed(time_of(seen.at) if seen.at else None)] for seen in request.states]
    summary = " → ".join(seen.state for seen in request.states)
    return folded(
        "States of the request",
        summary,
        table_of("The states that the request passed", ["State", "Seen at"], rows, "states within-fold"),
    )


def _database(database: ComparedDatabase | None) -> Markup | None:
    if database is None:
        return None
    names = [*database.counts_before, *(name for name in database.counts_after if name not in database.counts_before)]
    if not names and not database.modules_lost:
        return None
    rows = [[name, *map(_count, (database.counts_before.get(name), database.counts_after.get(name)))] for name in names]
    lost = ", ".join(database.modules_lost)
    summary = words.counted(len(names), "table or kind", "tables and kinds")
    headings = ["Table or kind", "Before", "After"]
    return folded(
        "Rows of the database",
        f"{summary}, {words.counted(len(database.modules_lost), 'module', 'modules')} lost" if lost else summary,
        (
            tag("p", f"Modules that are not installed any more: {lost}.", class_="note") if lost else None,
            table_of("The number of rows before and after", headings, rows, "rows within-fold"),
        ),
    )


def _count(count: int | None) -> Cell:
    return fixed("" if count is None else f"{count:,}")


def _server_report(run: Run) -> Markup | None:
    if not run.server_report:
        return None
    cut = f"{run.report_omitted:,} characters before these are in the file {run.file}."
    note = tag("p", cut, class_="note") if run.report_omitted else None
    lines = words.counted(run.server_report.count("\n") + 1, "line", "lines")
    return folded("What the server reported", lines, (note, tag("pre", run.server_report)))


def _past_runs(host: Host) -> Markup | None:
    if len(host.past) < 2:
        return None
    rows = [
        [
            fixed(time_of(run.started_at)),
            result_of(run),
            fixed(words.length(run.duration)),
            fixed(words.versions(run)),
            Cell(first_of(run.message), "says"),
        ]
        for run in host.past
    ]
    shown = f"{len(host.past):,}"
    summary = shown if len(host.past) == host.runs else f"the newest {shown} of {host.runs:,}"
    table = table_of(
        f"Past runs of {host.name}, newest first",
        ["Started", "Result", "Took", "Version", "What happened"],
        rows,
        "runs within-fold",
    )
    return folded("Past runs", summary, (svg_plots.plot(host), table))


def _state(run: Run) -> str:
    states = [STATE_WORDS.get(state, state) for state in (run.state_before, run.state_after)]
    before, after = states
    return f"{before} → {after}" if before and after and before != after else after or before


def _environment(run: Run) -> str:
    ways = (("Plone", "plone"), ("plone.restapi", "plone_restapi"), ("Zope", "zope"), ("Python", "python"))
    found = {**run.versions_before, **run.versions_after}
    return ", ".join(f"{name} {found[key]}" for name, key in ways if found.get(key))


def _transfer(transfer: Transfer | None) -> str:
    if transfer is None:
        return ""
    took = f" in {words.length(transfer.duration)}" if transfer.duration else ""
    by = f" by {transfer.transport.upper()}" if transfer.transport else ""
    return f"{transfer.name}, {size(transfer.size)}{by}{took}"


def _from_to(step: Step | Addon) -> str:
    return f"{step.source or '–'} → {step.destination}" if step.destination else step.source

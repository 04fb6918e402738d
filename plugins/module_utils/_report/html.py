# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of upgrades as one HTML page that loads nothing else: no script, no font, no picture.

The same reports always make the same page: nothing in it depends on the time or the machine.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

from .._core.human import size
from . import svg, words
from .fleet import STANDINGS, TROUBLE, standing
from .markup import Child, Markup, join, tag
from .run import PRODUCTS, RESULTS
from .style import STYLE

if t.TYPE_CHECKING:
    import datetime

    from .fleet import Fleet, Host
    from .parts import Addon, Request, Step, Transfer
    from .run import Run

NOT_OF_NAMES = re.compile("[^a-z0-9]+")
STATE_WORDS = {
    "up_to_date": "up to date",
    "newer_than_code": "newer than the code",
    "no_upgrade_path": "no upgrade path",
}


def page(fleet: Fleet, title: str) -> str:
    """The whole document."""
    sections = [
        ("Fleet", "fleet", _fleet(fleet)),
        ("Timeline", "timeline", _timelines(fleet)),
        ("Hosts", "hosts", _hosts(fleet)),
    ]
    if not fleet.hosts:
        sections = []
    if fleet.unreadable:
        sections.append(("Files that could not be read", "unreadable", _unreadable(fleet)))
    body = (
        svg.glyphs(),
        tag("header", tag("h1", title), _lead(fleet), _counts(fleet), _contents(sections)),
        tag(
            "main",
            _nothing_yet() if not fleet.hosts else None,
            [
                tag("section", tag("h2", heading, id=name), content, aria_labelledby=name)
                for heading, name, content in sections
            ],
        ),
        _footer(fleet),
    )
    return "<!DOCTYPE html>\n" + tag("html", tag("head", _head(title)), tag("body", *body), lang="en")


def _head(title: str) -> Markup:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return join(
        [
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=policy),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("meta", name="referrer", content="no-referrer"),
            tag("meta", name="robots", content="noindex"),
            tag("title", title),
            # Without one, browsers ask the server for its icon.
            tag("link", rel="icon", href="data:,"),
            tag("style", STYLE),
        ]
    )


def _lead(fleet: Fleet) -> Markup | None:
    if fleet.newest is None:
        return None
    counts = fleet.counts
    hosts = words.counted(counts["hosts"], "host", "hosts")
    failed = "none of them failed" if not counts["failed"] else f"{counts['failed']} of them failed"
    if counts["hosts"] == 1:
        failed = "which failed" if counts["failed"] else "which did not fail"
    unreadable = words.counted(counts["unreadable"], "file", "files")
    return tag(
        "p",
        f"{hosts}, {failed}. The newest run is of ",
        _time(fleet.newest),
        " UTC.",
        (" ", tag("a", f"{unreadable} could not be read", href="#unreadable"), ".") if fleet.unreadable else None,
        class_="lead",
    )


def _counts(fleet: Fleet) -> Markup | None:
    if not fleet.hosts:
        return None
    counts = {name: fleet.counts[name] for name in STANDINGS}
    items = [
        tag("li", svg.glyph(name), tag("b", str(count)), f" {name.replace('_', ' ')}", class_=f"is-{name}")
        for name, count in counts.items()
        if count or name == "failed"
    ]
    return join([tag("ul", items, class_="counts"), svg.proportions(counts, len(fleet.hosts))])


def _contents(sections: list[tuple[str, str, Markup]]) -> Markup | None:
    if not sections:
        return None
    links = [tag("li", tag("a", heading, href=f"#{name}")) for heading, name, _content in sections]
    return tag("nav", tag("ul", links), aria_label="Contents")


def _nothing_yet() -> Markup:
    return join(
        [
            tag("p", "There are no runs yet.", class_="lead"),
            tag(
                "p",
                "The roles plone_upgrade and odoo_upgrade write a report of each run into the folder that ",
                tag("code", "plone_upgrade_report_dir"),
                " and ",
                tag("code", "odoo_upgrade_report_dir"),
                " name. Make this page again when there are some.",
            ),
        ]
    )


def _footer(fleet: Fleet) -> Markup:
    runs = words.counted(fleet.counts["runs"], "run report", "run reports")
    return tag("footer", tag("p", f"Made from {runs} by the collection siteops.upgrades. All times are in UTC."))


def _fleet(fleet: Fleet) -> Markup:
    caption = (
        "The latest run of each host, failed ones first. Past runs: one bar each, oldest first; the height is the "
        "duration. Full: something changed. Hollow: nothing changed. Dashed: a check. A dot: failed, refused or "
        "unfinished."
    )
    rows = []
    for host in fleet.hosts:
        run = host.latest
        rows.append(
            [
                join([tag("a", host.name, href=f"#{identity(host)}"), _under(words.PRODUCT[host.product])]),
                _Cell(join([_result(run), _under(_checked_since(host))]), "stands"),
                _fixed(words.versions(run)),
                _fixed(join([_time(run.started_at), _under(words.length(run.duration))])),
                svg.small_plot(host) if len(host.past) > 1 else None,
                _Cell(_first_of(run.message), "says"),
            ]
        )
    headings = ["Host", "Result", "Version", "Started", "Past runs", "What happened"]
    return _table(caption, headings, rows, "fleet")


def _timelines(fleet: Fleet) -> Markup:
    figures = []
    for product in PRODUCTS:
        hosts = [host for host in fleet.hosts if host.product == product]
        if not hosts:
            continue
        names = svg.phases_of(hosts)
        legend = [
            tag("li", svg.swatch(name), f"{number} {svg.phase_word(name)}")
            for number, name in enumerate(names, start=1)
        ]
        caption = (
            f"The latest {words.PRODUCT[product]} runs, phase by phase, each from its own start. A failed phase is "
            "striped. The tables of the hosts hold the same figures."
        )
        figures.append(
            tag(
                "figure",
                tag("figcaption", caption),
                tag("ul", legend, class_="legend") if legend else None,
                svg.timeline(hosts, product),
            )
        )
    return join(figures)


def _hosts(fleet: Fleet) -> Markup:
    return join(_host(host) for host in fleet.hosts)


def identity(host: Host) -> str:
    """The anchor of a host: readable, and unique even if two names differ in punctuation only."""
    plain = NOT_OF_NAMES.sub("-", host.name.lower()).strip("-")[:60]
    if plain != host.name:
        plain = f"{plain}-{hashlib.sha256(host.name.encode()).hexdigest()[:8]}"
    return f"{host.product}-{plain}"


def _host(host: Host) -> Markup:
    run = host.latest
    name = identity(host)
    return tag(
        "article",
        tag(
            "header",
            tag("h3", host.name, id=name),
            _result(run),
            tag("span", words.PRODUCT[host.product], class_="note"),
        ),
        tag("p", run.message, class_=f"message is-{standing(run)}") if run.message else None,
        tag("ul", [tag("li", f"Warning: {warning}") for warning in run.warnings], class_="warnings")
        if run.warnings
        else None,
        _facts(host),
        _phases(run),
        _steps(run),
        _addons(run.addons),
        _states(run.request),
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
        ("Started", _time(run.started_at)),
        ("Finished", (_time(run.finished_at), ", after ", _length(run.duration)) if run.finished_at else ""),
        ("Checked since", (_time(host.checked.started_at), ": ", words.result(host.checked)) if host.checked else ""),
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
            svg.phase_word(phase.name),
            _word(phase.result),
            _fixed(words.length(phase.duration)),
            _Cell(phase.message, "says"),
        ]
        for phase in run.phases
    ]
    summary = ", ".join(f"{svg.phase_word(phase.name)} {words.length(phase.duration)}" for phase in run.phases)
    table = _table("The phases of this run", ["Phase", "Result", "Took", "What happened"], rows, "phases within-fold")
    return _folded("Phases", summary, table, is_open=run.result in TROUBLE)


def _steps(run: Run) -> Markup | None:
    if not run.steps:
        return None
    rows = [[step.title, _fixed(_from_to(step)), _word(step.status)] for step in run.steps]
    more = f"{run.steps_omitted:,} more are in the file {run.file}."
    note = tag("p", more, class_="note") if run.steps_omitted else None
    table = _table("The upgrade steps of this run", ["Upgrade step", "Versions", "Status"], rows, "steps within-fold")
    return _folded("Upgrade steps", f"{len(run.steps) + run.steps_omitted:,}", (table, note))


def _addons(addons: tuple[Addon, ...]) -> Markup | None:
    if not addons:
        return None
    rows = [[addon.id, _fixed(_from_to(addon))] for addon in addons]
    return _folded(
        "Add-ons",
        f"{len(addons):,}",
        _table("The add-ons that this run changed", ["Add-on", "Versions"], rows, "addons within-fold"),
    )


def _states(request: Request | None) -> Markup | None:
    if request is None or not request.states:
        return None
    rows: list[list[Child]] = [[seen.state, _fixed(_time(seen.at) if seen.at else None)] for seen in request.states]
    summary = " → ".join(seen.state for seen in request.states)
    return _folded(
        "States of the request",
        summary,
        _table("The states that the request passed", ["State", "Seen at"], rows, "states within-fold"),
    )


def _server_report(run: Run) -> Markup | None:
    if not run.server_report:
        return None
    cut = f"{run.report_omitted:,} characters before these are in the file {run.file}."
    note = tag("p", cut, class_="note") if run.report_omitted else None
    lines = words.counted(run.server_report.count("\n") + 1, "line", "lines")
    return _folded("What the server reported", lines, (note, tag("pre", run.server_report)))


def _past_runs(host: Host) -> Markup | None:
    if len(host.past) < 2:
        return None
    rows = [
        [
            _fixed(_time(run.started_at)),
            _result(run),
            _fixed(words.length(run.duration)),
            _fixed(words.versions(run)),
            _Cell(_first_of(run.message), "says"),
        ]
        for run in host.past
    ]
    shown = f"{len(host.past):,}"
    summary = shown if len(host.past) == host.runs else f"the newest {shown} of {host.runs:,}"
    table = _table(
        f"Past runs of {host.name}, newest first",
        ["Started", "Result", "Took", "Version", "What happened"],
        rows,
        "runs within-fold",
    )
    return _folded("Past runs", summary, (svg.plot(host), table))


def _unreadable(fleet: Fleet) -> Markup:
    rows = [[file.file, file.reason] for file in fleet.unreadable]
    caption = "These files in the same folder are named like run reports. They are not part of the page above."
    return _table(caption, ["File", "Why"], rows, "files")


class _Cell(t.NamedTuple):
    """The content of a table's cell, and a class for it."""

    content: Child
    class_: str = ""


def _table(caption: str, headings: list[str], rows: t.Sequence[t.Sequence[Child | _Cell]], kind: str) -> Markup:
    """A table whose roles assistive technology sees even if the style turns its rows into blocks."""
    head = tag("tr", [tag("th", heading, scope="col", role="columnheader") for heading in headings], role="row")
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", head, role="rowgroup"),
        tag("tbody", [_row(headings, row) for row in rows], role="rowgroup"),
        role="table",
        class_=kind,
    )


def _row(headings: list[str], row: t.Sequence[Child | _Cell]) -> Markup:
    first, *others = (cell if isinstance(cell, _Cell) else _Cell(cell) for cell in row)
    cells = [tag("th", first.content, scope="row", role="rowheader", class_=first.class_ or None)]
    for heading, cell in zip(headings[1:], others):
        content = join([cell.content])
        class_ = " ".join(filter(None, [cell.class_, "" if content else "empty"]))
        cells.append(tag("td", tag("div", content), role="cell", data_label=heading, class_=class_ or None))
    return tag("tr", cells, role="row")


def _folded(name: str, summary: str, content: Child, *, is_open: bool = False) -> Markup:
    return tag("details", tag("summary", f"{name} ", tag("span", summary)), content, open=is_open)


def _fixed(content: Child) -> _Cell:
    return _Cell(content, "fixed")


def _under(text: str) -> Markup | None:
    return tag("span", text, class_="under") if text else None


def _result(run: Run) -> Markup:
    stands = standing(run)
    return tag("span", svg.glyph(stands), words.result(run), class_=f"result is-{stands}")


def _word(result: str) -> Markup | str:
    if result not in RESULTS:
        return result.replace("_", " ")
    return tag("span", svg.glyph(result), result, class_=f"result is-{result}")


def _checked_since(host: Host) -> str:
    return f"since then {words.result(host.checked)}" if host.checked else ""


def _time(when: datetime.datetime) -> Markup:
    return tag("time", words.moment(when), datetime=words.machine_moment(when))


def _length(seconds: float | None) -> Markup:
    return tag("span", words.length(seconds), class_="fixed")


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


def _first_of(message: str) -> str:
    """The part of a message that fits a row of a table; the section of the host shows all of it."""
    line = " ".join(message.split())
    return line if len(line) <= 150 else line[:149].rstrip() + "…"

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
import typing as t

from . import svg, svg_plots, svg_timeline, words
from .fleet import STANDINGS
from .html_host import host_section, identity
from .html_parts import Cell, checked_since, first_of, fixed, result_of, table_of, time_of, under
from .markup import Markup, join, tag
from .run import PRODUCTS
from .style import STYLE

if t.TYPE_CHECKING:
    from .fleet import Fleet


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
        time_of(fleet.newest),
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
                join([tag("a", host.name, href=f"#{identity(host)}"), under(words.PRODUCT[host.product])]),
                Cell(join([result_of(run), under(checked_since(host))]), "stands"),
                fixed(words.versions(run)),
                fixed(join([time_of(run.started_at), under(words.length(run.duration))])),
                svg_plots.small_plot(host) if len(host.past) > 1 else None,
                Cell(first_of(run.message), "says"),
            ]
        )
    headings = ["Host", "Result", "Version", "Started", "Past runs", "What happened"]
    return table_of(caption, headings, rows, "fleet")


def _timelines(fleet: Fleet) -> Markup:
    figures = []
    for product in PRODUCTS:
        hosts = [host for host in fleet.hosts if host.product == product]
        if not hosts:
            continue
        names = svg_timeline.phases_of(hosts)
        legend = [
            tag("li", svg_timeline.swatch(name), f"{number} {svg_timeline.phase_word(name)}")
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
                svg_timeline.timeline(hosts, product),
            )
        )
    return join(figures)


def _hosts(fleet: Fleet) -> Markup:
    return join(host_section(host) for host in fleet.hosts)


def _unreadable(fleet: Fleet) -> Markup:
    rows = [[file.file, file.reason] for file in fleet.unreadable]
    caption = "These files in the same folder are named like run reports. They are not part of the page above."
    return table_of(caption, ["File", "Why"], rows, "files")

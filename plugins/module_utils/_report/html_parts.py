# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pieces that several places of the report page have: tables, folded parts, results and times.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from . import svg, words
from .fleet import standing
from .markup import Child, Markup, join, tag
from .run import RESULTS

if t.TYPE_CHECKING:
    import datetime

    from .fleet import Host
    from .run import Run


class Cell(t.NamedTuple):
    """The content of a table's cell, and a class for it."""

    content: Child
    class_: str = ""


def table_of(caption: str, headings: list[str], rows: t.Sequence[t.Sequence[Child | Cell]], kind: str) -> Markup:
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


def _row(headings: list[str], row: t.Sequence[Child | Cell]) -> Markup:
    first, *others = (cell if isinstance(cell, Cell) else Cell(cell) for cell in row)
    cells = [tag("th", first.content, scope="row", role="rowheader", class_=first.class_ or None)]
    for heading, cell in zip(headings[1:], others):
        content = join([cell.content])
        class_ = " ".join(filter(None, [cell.class_, "" if content else "empty"]))
        cells.append(tag("td", tag("div", content), role="cell", data_label=heading, class_=class_ or None))
    return tag("tr", cells, role="row")


def folded(name: str, summary: str, content: Child, *, is_open: bool = False) -> Markup:
    return tag("details", tag("summary", f"{name} ", tag("span", summary)), content, open=is_open)


def fixed(content: Child) -> Cell:
    return Cell(content, "fixed")


def under(text: str) -> Markup | None:
    return tag("span", text, class_="under") if text else None


def result_of(run: Run) -> Markup:
    stands = standing(run)
    return tag("span", svg.glyph(stands), words.result(run), class_=f"result is-{stands}")


def result_word(result: str) -> Markup | str:
    if result not in RESULTS:
        return result.replace("_", " ")
    return tag("span", svg.glyph(result), result, class_=f"result is-{result}")


def checked_since(host: Host) -> str:
    return f"since then {words.result(host.checked)}" if host.checked else ""


def time_of(when: datetime.datetime) -> Markup:
    return tag("time", words.moment(when), datetime=words.machine_moment(when))


def length_of(seconds: float | None) -> Markup:
    return tag("span", words.length(seconds), class_="fixed")


def first_of(message: str) -> str:
    """The part of a message that fits a row of a table; the section of the host shows all of it."""
    line = " ".join(message.split())
    return line if len(line) <= 150 else line[:149].rstrip() + "…"

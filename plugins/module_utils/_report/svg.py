# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drawings of the report of upgrades, as SVG within the page: the shapes of the results, and places and sizes.

The drawings are as wide as the page and have a fixed height: positions along the time axis are in per cent, so that
texts keep their size on a telephone. Colours come from the classes, and no information is in the colour alone.

Private to the collection: may change without notice.
"""

from __future__ import annotations

from .markup import Markup, Value, tag

GLYPHS = {
    # Each result has a shape of its own, beside its word.
    "failed": (
        "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1z"
        "M4.6 5.9 5.9 4.6 8 6.7l2.1-2.1 1.3 1.3L9.3 8l2.1 2.1-1.3 1.3L8 9.3l-2.1 2.1-1.3-1.3L6.7 8z"
    ),
    "unfinished": "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.8a5.2 5.2 0 0 1 0 10.4z",
    "refused": "M4.9 1 1 4.9v6.2L4.9 15h6.2l3.9-3.9V4.9L11.1 1zM4 7.1h8v1.8H4z",
    "would_change": "M8 1 15 9h-4v6H5V9H1zM8 3.5 4.7 7.3h2v6h2.6v-6h2z",
    "changed": "M8 1 15 9h-4v6H5V9H1z",
    "ok": "M13.5 3.1 15 4.5 6.3 13.4 1 8.3l1.4-1.4 3.9 3.7z",
}


def glyphs() -> Markup:
    """The shapes of the results, for ``glyph`` to show; once in a page, hidden."""
    shapes = [
        tag("symbol", tag("path", d=path, fill_rule="evenodd"), id=f"glyph-{name}", viewBox="0 0 16 16")
        for name, path in GLYPHS.items()
    ]
    stripes = tag("rect", width="3", height="6", class_="stripe")
    hatch = tag(
        "pattern",
        stripes,
        id="hatch",
        width="6",
        height="6",
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    return tag("svg", shapes, tag("defs", hatch), class_="glyphs", width="0", height="0", aria_hidden="true")


def glyph(name: str) -> Markup:
    """The shape of a result, in addition to the word beside it."""
    return tag("svg", tag("use", href=f"#glyph-{name}"), class_=f"glyph is-{name}", aria_hidden="true")


def proportions(counts: dict[str, int], total: int) -> Markup:
    """A bar that shows the proportion of each result in the fleet; the numbers are beside it."""
    left = 0.0
    parts: list[Markup | None] = []
    for name, count in counts.items():
        place = box(per_cent(left), 0, per_cent(100 * count / total), 10)
        if count:
            parts.append(tag("rect", class_=f"part is-{name}", **place))
            parts.append(tag("rect", fill="url(#hatch)", **place) if name == "failed" else None)
            parts.append(tag("rect", class_="gap", **box(per_cent(left), 0, "2", 10)) if left else None)
        left += 100 * count / total
    return tag("svg", parts, class_="proportions", width="100%", height="10", aria_hidden="true")


def box(x: str, y: float, width: str, height: float) -> dict[str, Value]:
    """Place and size of a rectangle."""
    return {"x": x, "y": short(y), "width": width, "height": short(height)}


def per_cent(value: float) -> str:
    """A place or a width along the page."""
    return f"{short(value)}%"


def short(value: float) -> str:
    """A number with two digits behind the point at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTML and SVG in which every text that is not markup yet is escaped, so that no text can break the page.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import html
import typing as t

WITHOUT_END = frozenset({"br", "hr", "link", "meta"})
INLINE = frozenset(
    {"a", "b", "code", "em", "path", "rect", "span", "text", "th", "td", "time", "title", "tspan", "use", "dt", "dd"}
)


class Markup(str):
    """Text that is already markup. Only ``tag``, ``join`` and constants of the collection create it."""

    __slots__ = ()


Child = t.Union[str, None, t.Iterable["Child"]]
Value = t.Union[str, int, bool, None]


def tag(element: str, *children: Child, **attributes: Value) -> Markup:
    """One element. Underscores in a name become hyphens, a last one is dropped; None and False omit the attribute."""
    start = "".join(_attribute(name, value) for name, value in attributes.items())
    end = "" if element in WITHOUT_END else f"</{element}>"
    line_end = "" if element in INLINE else "\n"
    return Markup(f"<{element}{start}>{join(children)}{end}{line_end}")


def join(children: t.Iterable[Child]) -> Markup:
    """Children one after the other; texts are escaped."""
    return Markup("".join(_child(child) for child in children))


def _child(child: Child) -> str:
    if child is None or isinstance(child, Markup):
        return child or ""
    return html.escape(child) if isinstance(child, str) else join(child)


def _attribute(name: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'

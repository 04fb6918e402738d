# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of reStructuredText for the pages that are written by a program."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MARKUP = re.compile(r"[\\*`|]|_(?!\w)")


def title(text: str, line: str) -> str:
    """A heading; ``line`` is the character that underlines it."""
    return f"\n{text}\n{line * len(text)}\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], widths: tuple[int, ...]) -> str:
    """A table of cells that may hold markup; the widths are parts of their sum."""
    lines = [".. list-table::", "  :header-rows: 1", f"  :widths: {' '.join(map(str, widths))}", ""]
    for row in (head, *rows):
        lines += [f"  {'*' if not place else ' '} - {cell}".rstrip() for place, cell in enumerate(row)]
    return "\n".join([*lines, ""])


def plain(text: str) -> str:
    """A text that is shown as it is, whatever it holds."""
    return _MARKUP.sub(lambda found: f"\\{found.group()}", text)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a page in reStructuredText, for tests that compare them with what is known."""

from __future__ import annotations

import re

Row = tuple[str, ...]


def tables(page: str) -> list[list[Row]]:
    """The rows of each table, without its head."""
    found = []
    for block in page.split(".. list-table::")[1:]:
        rows = re.findall(r"^  \* - .*\n(?:    -.*\n)*", block, re.MULTILINE)
        found.append(
            [tuple(cell.strip() for cell in re.findall(r"^(?:  \*|   ) -(.*)", row, re.M)) for row in rows][1:]
        )
    return found

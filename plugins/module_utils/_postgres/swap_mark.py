# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a swap leaves in the comment of the database that it put aside: the proof that it happened, with which names.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass

from .database import Database, identifier, literal

WORDS = "siteops.upgrades: put aside by a swap"
MARK = re.compile(rf"\s*{re.escape(WORDS)} (\{{[^\n]*\}})$")


@dataclass(frozen=True)
class SwapMark:
    """Which database has the name now, and what that one was called before."""

    database: str
    coming: str

    def comment(self, before: str) -> str:
        """The comment of the database that is put aside, behind what was there."""
        return f"{without_mark(before)} {WORDS} {json.dumps(asdict(self))}".strip()


def mark_of(comment: str) -> SwapMark | None:
    """The mark in a comment, None if there is none."""
    found = MARK.search(comment)
    try:
        content: dict[str, t.Any] = json.loads(found[1]) if found else {}
        return SwapMark(str(content["database"]), str(content["coming"]))
    except (ValueError, KeyError, TypeError):
        return None


def without_mark(comment: str) -> str:
    """The comment as it was before any swap."""
    return MARK.sub("", comment)


def set_comment(database: Database, name: str, comment: str) -> str:
    """The statement that gives a database, under the name that it has by then, another comment; empty if it has it."""
    if comment == database.comment:
        return ""
    return f"COMMENT ON DATABASE {identifier(name)} IS {literal(comment) if comment else 'NULL'};\n"

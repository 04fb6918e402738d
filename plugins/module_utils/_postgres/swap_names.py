# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of a swap: which database is put aside and which comes, and whether the server's databases fit them.

Private to the collection: may change without notice.
"""

from __future__ import annotations

from dataclasses import dataclass

from .database import Database, Server, literal
from .filestore_swap import FilestoreSwap
from .refusal import DatabaseError
from .swap_mark import WORDS, SwapMark, mark_of

SWAPPED, REVERTED = "swapped", "reverted"


@dataclass(frozen=True)
class SwapPlan:
    """What a swap is asked for; see the options of the module."""

    database: str
    upgraded: str
    keep_as: str
    filestore_dir: str
    state: str
    terminate: bool

    @property
    def away(self) -> str:
        """The name that the present database gets."""
        return self.keep_as if self.state == SWAPPED else self.upgraded

    @property
    def coming(self) -> str:
        """The name of the database that takes its place."""
        return self.upgraded if self.state == SWAPPED else self.keep_as

    @property
    def folders(self) -> FilestoreSwap:
        """The folders that are renamed with the databases."""
        return FilestoreSwap(self.filestore_dir, self.database, self.coming, self.away)


def databases_of(server: Server, plan: SwapPlan) -> tuple[Database, Database] | None:
    """The present database and the one to come; None if they are exchanged already.

    :raises DatabaseError: the names fit neither.
    """
    present, coming, away = (server.find(name) for name in (plan.database, plan.coming, plan.away))
    if present and away and not coming:
        _require_swapped(server, plan, away)
        return None
    if not present:
        raise DatabaseError(
            f"Option 'database': there is no database {plan.database} on {server.place}.", option="database"
        )
    if not coming:
        option = "upgraded" if plan.state == SWAPPED else "keep_as"
        raise DatabaseError(
            f"Option '{option}': there is no database {plan.coming} on {server.place}, so there is nothing to "
            f"put in the place of {plan.database}.",
            option=option,
        )
    if away:
        option = "keep_as" if plan.state == SWAPPED else "upgraded"
        raise DatabaseError(
            f"Option '{option}': there is a database {plan.away} already, and nothing is overwritten. "
            "Give another name, or drop it if it may go.",
            option=option,
        )
    return present, coming


def _require_swapped(server: Server, plan: SwapPlan, away: Database) -> None:
    """Refuse to believe by the names alone that the databases are exchanged.

    :raises DatabaseError: another swap, or none, made them what they are.
    """
    mark = mark_of(away.comment)
    option = "upgraded" if plan.state == SWAPPED else "keep_as"
    if mark:
        if mark == SwapMark(plan.database, plan.coming):
            return
        raise DatabaseError(
            f"Option '{option}': there is no database {plan.coming} on {server.place}, and {plan.away} was "
            f"put aside when {mark.coming} got the name {mark.database}. Nothing was exchanged. Check the names.",
            option=option,
        )
    if plan.state == SWAPPED:
        raise DatabaseError(
            f"Option 'upgraded': there is no database {plan.coming} on {server.place}, and nothing says that "
            f"it got the name {plan.database}: the comment of {plan.away} has no mark of a swap. Nothing was "
            "exchanged. Check the names.",
            option=option,
        )
    for other in server.databases(f"shobj_description(d.oid, 'pg_database') LIKE {literal(f'%{WORDS}%')}"):
        if mark_of(other.comment) == SwapMark(plan.database, plan.away):
            raise DatabaseError(
                f"Option 'keep_as': there is no database {plan.coming} on {server.place}, and the database of "
                f"before is kept as {other.name}. Nothing was exchanged. Check the names.",
                option=option,
            )

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an undo of an upgrade would take back of a Plone site, and what would be lost with it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.errors import UpgradeError
from .transactions import UPGRADE_CALL, Transaction


@dataclass(frozen=True)
class UndoPlan:
    """What an undo would take back of a site, newest first; ``lost`` are those that are not its upgrades."""

    site: str
    transactions: tuple[Transaction, ...]

    @property
    def lost(self) -> tuple[Transaction, ...]:
        """What would be lost besides the upgrade."""
        return tuple(one for one in self.transactions if not one.is_upgrade or one.site != self.site)


def require_history(transactions: t.Sequence[Transaction]) -> None:
    """:raises UpgradeError: the database lists no transactions, so that nothing in it can be undone."""
    if not transactions:
        raise UpgradeError(
            "Nothing can be undone: GET @transactions lists no transactions. The database keeps no history, as "
            "RelStorage with 'keep-history false', or it was packed and not written to since. Restore a backup to go "
            "back; to keep a history, use a storage that does."
        )


def which_site(transactions: t.Sequence[Transaction], url_path: str) -> str:
    """The path in the database of a site that does not report it: that of its URL, or the only one there is.

    :raises UpgradeError: the transactions are of several sites, and none has the path of the URL.
    """
    upgraded = {transaction.site for transaction in transactions if transaction.is_upgrade}
    roots = {transaction.root for transaction in transactions if transaction.root}
    if url_path in upgraded or not upgraded:
        return url_path
    if len(upgraded) == 1 and len(roots) == 1:
        return upgraded.pop()
    raise UpgradeError(
        "Not undone: the site does not report its path in the database, which has transactions of several "
        f"({', '.join(f'/{root}' for root in sorted(roots))}). "
        "Give the URL by which Zope itself knows the site, such as http://localhost:8080/Plone."
    )


def plan_undo(
    transactions: t.Sequence[Transaction], *, site: str, back_to: str = "", include_later: bool = False
) -> UndoPlan:
    """What to undo so that the newest upgrade of a site, or everything after ``back_to``, is taken back.

    Transactions of other sites in the database are left alone. The plan is empty where nothing is to be undone.

    :param site: the path of the site in the database.
    :raises UpgradeError: the database keeps no history, more than upgrades would be lost and ``include_later`` does not
        allow it, or ``back_to`` is not among the transactions.
    """
    require_history(transactions)
    later_ones = _after(transactions, back_to) if back_to else transactions
    candidates = [one for one in later_ones if one.belongs_to(site) and not one.is_side_effect]
    newest = None
    if not back_to:
        candidates = _newest_upgrade_and_later(candidates, site)
        newest = candidates[-1] if candidates else None
    standing = _still_standing(candidates, site)
    if (newest and newest not in standing) or not any(transaction.may_be_upgrade for transaction in standing):
        return UndoPlan(site, ())
    plan = UndoPlan(site, tuple(standing))
    later = plan.lost if back_to else tuple(standing[:-1])
    if later and not include_later:
        shown = "; ".join(f"{one.time} {one.user.strip()} {one.description or 'no description'}" for one in later[:5])
        more = f" and {len(later) - 5} more" if len(later) > 5 else ""
        raise UpgradeError(
            f"Not undone: later transactions would be lost with the upgrade ({shown}{more}). "
            "Set 'include_later' to true if they may be lost.",
            lost=[transaction.as_result() for transaction in later],
        )
    return plan


def require_own(plan: UndoPlan, user: str) -> None:
    """Refuse a plan with an upgrade of another user; where the own id is not known, every upgrade may be the own one.

    :param user: the id of the user; the database has the path of its user folder before it (measured).
    :raises UpgradeError: names the upgrades of others.
    """
    others = [one for one in plan.transactions if user and one.is_upgrade and one.user.split()[-1:] not in ([], [user])]
    if others:
        shown = "; ".join(f"{one.time} {one.user} {one.description}" for one in others[:5])
        raise UpgradeError(
            f"Not undone: among what would be undone are upgrades of others than '{user}' ({shown}). Another client "
            "upgraded the site meanwhile. Find out whether they may go; plone_upgrade_undo undoes them without "
            "'own_only'.",
            lost=[one.as_result() for one in others],
        )


def _after(transactions: t.Sequence[Transaction], back_to: str) -> list[Transaction]:
    ids = [transaction.id for transaction in transactions]
    if back_to not in ids:
        raise UpgradeError(
            "Not undone: 'back_to' is not among the transactions of this database. "
            "The database may have been packed since."
        )
    return list(transactions[: ids.index(back_to)])


def _newest_upgrade_and_later(transactions: t.Sequence[Transaction], site: str) -> list[Transaction]:
    for number, transaction in enumerate(transactions):
        if transaction.call == UPGRADE_CALL and transaction.site == site:
            return list(transactions[: number + 1])
    return []


def _still_standing(candidates: t.Sequence[Transaction], site: str) -> list[Transaction]:
    """Those that no later undo of the site took back, without these undos; an undo together with others is one of them.

    An undo that names what stands no more is the undo of an undo: what that one had taken back stands again.
    """
    standing: list[Transaction] = []
    taken: list[Transaction] = []
    for one in reversed(candidates):
        if not (one.is_undo and one.site == site and _take_back(one, standing, taken)):
            standing.append(one)
    standing.sort(key=candidates.index)
    return standing


def _take_back(undo: Transaction, standing: list[Transaction], taken: list[Transaction]) -> bool:
    """Move what an undo took back from one list to the other; whether all of it was found in them."""
    found = True
    for path in undo.taken_back:
        here, there = (standing, taken) if any(one.path == path for one in standing) else (taken, standing)
        one = next((one for one in reversed(here) if one.path == path), None)
        if one:
            here.remove(one)
            there.append(one)
        found = found and one is not None
    # It names no transaction that has no description, such as the commit of a step, so it may have been any of them.
    unnamed = [one for one in standing if not one.description]
    for one in unnamed:
        standing.remove(one)
    taken.extend(unnamed)
    return found

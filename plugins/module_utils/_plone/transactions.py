# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transactions of a Plone site's database, and what an undo of an upgrade would take back.

The service @transactions lists the whole database, so those of other sites in it as well.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.errors import CallError, UpgradeError
from .client import PloneClient

TRANSACTIONS_SERVICE = "/@transactions"

UPGRADE_CALL = "POST_application_json_@upgrade"
ADDON_CALL = "POST_application_json_@addons"
UNDO_CALL = "PATCH_application_json_@transactions"
SIDE_EFFECTS = (
    *(
        f"GET_application_json_@{name}"
        for name in ("addons", "search", "sites", "system", "transactions", "upgrade", "users")
    ),
    "POST_application_json_@login",
    "POST_application_json_@login-renew",
)
"""Calls of this collection that write beside what they are for: the first GET @sites of a database stores 4 KB at its
root, and a login stores its time (measured). None of them changes a site."""

OWN_ENTRY = "/@search?metadata_fields=getPath&path.depth=0"
"""Finds the entry that a site has in its own catalog, with its path in the database (from Plone 6.0 on; measured)."""


@dataclass(frozen=True)
class Transaction:
    """One committed transaction; ``time`` in the server's local time (ISO 8601, no zone).

    ``size`` is in bytes; None where the storage does not report it, as RelStorage does not (measured).

    ``id`` is opaque, contains a line end, and must be sent back as it came (measured).
    """

    id: str
    time: str
    user: str
    description: str
    size: int | None

    @property
    def call(self) -> str:
        """The last part of the path that was called, such as ``POST_application_json_@upgrade``; may be empty."""
        return self._path.rpartition("/")[2]

    @property
    def site(self) -> str:
        """The path of the site or content that was called, such as ``/Plone``; empty where it is not known."""
        return self._path.rpartition("/")[0]

    @property
    def is_upgrade(self) -> bool:
        """Whether this is an upgrade of the core, or a change of an add-on through the API."""
        return self.call in (UPGRADE_CALL, ADDON_CALL)

    @property
    def is_side_effect(self) -> bool:
        """Whether a read or a login wrote it: it is no change of a site, and an undo leaves it alone."""
        return self.call in SIDE_EFFECTS

    @property
    def may_be_upgrade(self) -> bool:
        """Whether it is an upgrade, or has no description, like a commit inside an upgrade step."""
        return self.is_upgrade or not self.description

    @property
    def _path(self) -> str:
        first = self.description.split(maxsplit=1)[:1]
        return first[0] if first and first[0].startswith("/") else ""

    def belongs_to(self, site: str) -> bool:
        """Whether it may have changed the site with this path; a transaction without a path may have."""
        return not self.site or not site or f"{self.site}/".startswith(f"{site}/")

    @property
    def is_undo(self) -> bool:
        """Whether it took others back."""
        return self.call == UNDO_CALL

    @property
    def root(self) -> str:
        """The first part of the path that was called; empty where it is not known."""
        return self.site.split("/")[1] if self.site else ""

    @property
    def undoes_upgrade(self) -> bool:
        """Whether it took an upgrade back; Plone writes what was undone into its description."""
        return self.is_undo and (UPGRADE_CALL in self.description or ADDON_CALL in self.description)

    def as_result(self) -> dict[str, t.Any]:
        """The transaction as a module returns it."""
        return {
            "id": self.id,
            "time": self.time,
            "user": self.user,
            "description": self.description,
            "size": self.size,
            "upgrade": self.is_upgrade,
        }


class Transactions:
    """The transactions of the database of one site, newest first."""

    def __init__(self, client: PloneClient) -> None:
        self._client = client

    def read(self) -> list[Transaction]:
        """All that are still in the database; packing removes them.

        :raises CallError: see :meth:`PloneClient.read`.
        """
        return self._client.read(TRANSACTIONS_SERVICE, _transactions)

    def site_path(self) -> str:
        """The path of the site in the database, which its URL need not show; empty where it is not reported."""
        try:
            return self._client.read(OWN_ENTRY, _own_path)
        except CallError:
            return ""

    def undo(self, transactions: t.Sequence[Transaction]) -> None:
        """Undo these together, newest first, or none of them.

        :raises CallError: see :meth:`PloneClient.send`; status 400 where later writes touched the same objects.
        """
        self._client.send(
            "PATCH", TRANSACTIONS_SERVICE, {"transaction_ids": [transaction.id for transaction in transactions]}
        )


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
    if not back_to:
        candidates = _newest_upgrade_and_later(candidates, site)
    undone = any(transaction.undoes_upgrade and transaction.site == site for transaction in candidates)
    if undone or not any(transaction.may_be_upgrade for transaction in candidates):
        return UndoPlan(site, ())
    plan = UndoPlan(site, tuple(candidates))
    later = plan.lost if back_to else tuple(candidates[:-1])
    if later and not include_later:
        shown = "; ".join(f"{one.time} {one.user.strip()} {one.description or 'no description'}" for one in later[:5])
        more = f" and {len(later) - 5} more" if len(later) > 5 else ""
        raise UpgradeError(
            f"Not undone: later transactions would be lost with the upgrade ({shown}{more}). "
            "Set 'include_later' to true if they may be lost.",
            lost=[transaction.as_result() for transaction in later],
        )
    return plan


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


def _own_path(document: dict[str, t.Any]) -> str:
    paths = [item["getPath"] for item in document["items"]]
    if len(paths) > 1 or not all(isinstance(path, str) and path.startswith("/") for path in paths):
        raise ValueError("a site has one path")
    return paths[0].rstrip("/") if paths else ""


def _size(number: t.Any) -> int | None:
    """The size, where the storage reports one."""
    if number is not None and not isinstance(number, int):
        raise TypeError("a size is a whole number")
    return number


def _transactions(document: list[dict[str, t.Any]]) -> list[Transaction]:
    return [
        Transaction(
            id=str(item["id"]),
            time=str(item["time"]),
            user=str(item["username"] or "").strip(),
            description=str(item["description"] or ""),
            size=_size(item.get("size")),
        )
        for item in document
    ]

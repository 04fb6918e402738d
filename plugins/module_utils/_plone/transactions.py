# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transactions of a Plone site's database, as the service @transactions lists and undoes them.

The service @transactions lists the whole database, so those of other sites in it as well.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.errors import CallError
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
        return self.path.rpartition("/")[2]

    @property
    def site(self) -> str:
        """The path of the site or content that was called, such as ``/Plone``; empty where it is not known."""
        return self.path.rpartition("/")[0]

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
    def path(self) -> str:
        """The path that was called; empty where the description does not begin with one."""
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
    def taken_back(self) -> tuple[str, ...]:
        """The paths of the calls that an undo took back, which Plone writes into its description; else empty.

        A transaction without a description leaves no path there. The undo of an undo has the path that that one had
        taken back (measured).
        """
        return tuple(self.description.partition("\nUndo ")[2].split()) if self.is_undo else ()

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

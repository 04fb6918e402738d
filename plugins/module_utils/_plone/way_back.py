# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an upgrade of a Plone site could be undone, proven before anything is posted.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.errors import CallError, UpgradeError
from .client import PloneClient
from .state import SiteState
from .transactions import Transactions
from .undo_plan import require_history

WITHOUT = (
    "Mend that, or set 'plone_upgrade_undo_on_failure' to false to upgrade without a way back, with a backup at hand."
)


@dataclass(frozen=True)
class WayBack:
    """What is proven of the way back: that history is kept, and with ``sent`` that PATCH gets through."""

    state: SiteState
    transactions: int
    sent: bool

    def as_result(self) -> dict[str, t.Any]:
        """The proof in the form that the module returns."""
        versions = self.state.versions.as_result()
        found = f"The way back exists: the database keeps its history ({self.transactions} transactions are listed)"
        unsent = ". Whether PATCH @transactions gets through is only shown by a call outside of check mode."
        return {
            "changed": False,
            "msg": f"{found} and PATCH @transactions gets through." if self.sent else found + unsent,
            "undone": [],
            "lost": [],
            "way_back": {"history": True, "patch": True if self.sent else None},
            "state": self.state.name,
            "versions_before": versions,
            "versions_after": versions,
        }


def prove_way_back(client: PloneClient, *, send: bool) -> WayBack:
    """Prove that what is committed from now on can be undone; nothing is undone.

    :param send: also send a PATCH that names no transaction. Plone then checks the permission and undoes nothing, and
        the database gets no transaction of it (measured).
    :raises UpgradeError: there is no way back, or it cannot be proven.
    """
    state = client.site_state()
    service = Transactions(client)
    try:
        transactions = service.read()
        require_history(transactions)
        if send:
            service.undo(())
    except CallError as error:
        refused = f"There is no way back that is proven: {error}"
        result = {**error.result, "way_back": {"history": None, "patch": None}}
        if error.call.startswith("PATCH "):
            refused += " What stands in front of Plone must let PATCH through, and the user must be a Manager."
            result["way_back"] = {"history": True, "patch": False}
        raise UpgradeError(f"{refused} Nothing was posted. {WITHOUT}", **result) from error
    except UpgradeError as error:
        raise UpgradeError(
            f"There is no way back: {error} Nothing was posted. {WITHOUT}", way_back={"history": False, "patch": None}
        ) from error
    return WayBack(state, len(transactions), send)

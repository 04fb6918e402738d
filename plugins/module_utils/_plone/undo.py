# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an upgrade of a Plone site is taken back, and how it is proven that it was.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from .._core.clock import Deadline
from .._core.errors import AnswerLostError, CallError, UpgradeError
from .addon_change import is_over
from .addons import Addons
from .client import READ_BACK_SECONDS, PloneClient
from .journal import API_PREFIX, CORE_UPGRADE, Posted, SiteJournal, open_journal
from .state import UP_TO_DATE, SiteState
from .transactions import Transaction, Transactions, UndoPlan, plan_undo, which_site

BAD_REQUEST = 400

WAIT_FOR_ANOTHER_RUN = 60
"""Seconds; a run that still upgrades the site after them is a reason to refuse."""


@dataclass
class Outcome:
    """What was undone, or would be."""

    before: SiteState
    after: SiteState
    plan: UndoPlan
    foreseen: bool = False

    @property
    def summary(self) -> str:
        """What happened, as a sentence."""
        if not self.plan.transactions:
            return (
                f"Nothing to undo: there is no upgrade to go back from; the site is at {self.before.versions.instance}."
            )
        count, lost = len(self.plan.transactions), len(self.plan.lost)
        others = f", {lost} of which {'was' if lost == 1 else 'were'} not an upgrade" if lost else ""
        what = f"{count} transaction{'' if count == 1 else 's'}{others}."
        if self.foreseen:
            return f"Would undo {what}"
        return f"Undid {what} The database went from {self.before.versions.instance} to {self.after.versions.instance}."

    def as_result(self) -> dict[str, t.Any]:
        """The outcome in the form that the module returns."""
        return {
            "changed": bool(self.plan.transactions),
            "msg": self.summary,
            "undone": [transaction.as_result() for transaction in self.plan.transactions],
            "lost": [transaction.as_result() for transaction in self.plan.lost],
            "state": self.after.name,
            "versions_before": self.before.versions.as_result(),
            "versions_after": self.after.versions.as_result(),
        }


def undo(client: PloneClient, *, back_to: str, include_later: bool, foresee: bool) -> Outcome:
    """Take the newest upgrade back, or everything after a transaction; with ``foresee`` only say what that would be.

    :raises UpgradeError: it would lose more than was allowed, or the database refused.
    :raises CallError: a call failed.
    """
    if foresee:
        return _undo_alone(client, back_to, include_later, foresee=True)
    with open_journal(client.url, WAIT_FOR_ANOTHER_RUN) as journal:
        return _undo_alone(client, back_to, include_later, foresee=False, journal=journal)


def _undo_alone(
    client: PloneClient, back_to: str, include_later: bool, *, foresee: bool, journal: SiteJournal | None = None
) -> Outcome:
    before = client.site_state()
    service = Transactions(client)
    transactions = service.read()
    site = service.site_path() or which_site(transactions, urlsplit(client.url.removesuffix(API_PREFIX)).path)
    plan = plan_undo(transactions, site=site, back_to=back_to, include_later=include_later)
    if foresee or not plan.transactions:
        return Outcome(before, before, plan, foreseen=foresee)
    if journal and journal.entry:
        _require_ended(client, before, journal, journal.entry)
    said = "The server answered as if all went well."
    try:
        service.undo(plan.transactions)
    except AnswerLostError as lost:
        said = str(lost)
    except CallError as error:
        if error.status != BAD_REQUEST:
            raise
        raise UpgradeError(
            f"The database refused ({error}) Later writes touched the same objects. Nothing is changed: the site is "
            f"still at {before.versions.instance}. With 'include_later' all later transactions are undone together.",
            **error.result,
        ) from error
    _require_undone(service, site, transactions[0], said)
    return Outcome(before, client.site_state(), plan)


def _require_ended(client: PloneClient, before: SiteState, journal: SiteJournal, earlier: Posted) -> None:
    """Forget what a killed run posted if it is done: after the undo the next run would wait for it for ever.

    :raises UpgradeError: it may be under way, and would commit after the undo.
    """
    core = earlier.what.startswith(CORE_UPGRADE)
    if before.name == UP_TO_DATE if core else is_over(earlier, Addons(client).read()):
        journal.clear()
        return
    raise UpgradeError(
        f"Not undone: an earlier run posted {earlier.what} and did not see its end. {journal.advice(earlier)}"
    )


def _require_undone(service: Transactions, site: str, newest_before: Transaction, said: str) -> None:
    """Read the transactions until the undo is among those that came later; whatever answered the call is no proof.

    :raises UpgradeError: it does not come to be there.
    """
    pauses = Deadline(READ_BACK_SECONDS).pauses(longest=3)
    while True:
        trouble = ""
        try:
            later = itertools.takewhile(lambda one: one.id != newest_before.id, service.read())
            if any(transaction.is_undo and transaction.site == site for transaction in later):
                return
        except CallError as error:
            trouble = f" The last read failed: {error}"
        if next(pauses, None) is None:
            raise UpgradeError(f"{said} The transactions read afterwards show no undo.{trouble} Run this again.")

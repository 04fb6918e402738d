# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an upgrade of a Plone site is undone, and how it is proven that it was.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from .._core.errors import CallError, UpgradeError
from .._core.proof import Decision, send_and_prove
from .addon_outcome import is_finished
from .addons import Addons
from .answers import NO_CACHE
from .client import VISIBLE_WITHIN_SECONDS, PloneClient
from .journal import API_PREFIX, UPGRADE_WORDS, Posted, SiteJournal, open_journal
from .state import UP_TO_DATE, SiteState
from .transactions import Transaction, Transactions
from .undo_plan import UndoPlan, plan_undo, require_own, which_site

BAD_REQUEST = 400

WAIT_FOR_ANOTHER_RUN = 60
"""Seconds; a run that still upgrades the site after them is a reason to refuse."""


@dataclass
class UndoOutcome:
    """What was undone, or would be."""

    before: SiteState
    after: SiteState
    plan: UndoPlan
    planned: bool = False

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
        if self.planned:
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


@dataclass(frozen=True)
class UndoOptions:
    """What to undo: the newest upgrade, or with ``back_to`` everything after that transaction.

    With ``own_only``, nothing is undone if an upgrade among it is another user's.
    """

    back_to: str = ""
    include_later: bool = False
    own_only: bool = False


def plan(client: PloneClient, options: UndoOptions) -> UndoOutcome:
    """What :func:`undo` would undo, from reading alone.

    :raises UpgradeError: it would lose more than is allowed.
    :raises CallError: a call failed.
    """
    history: bool | None = None
    try:
        before = client.site_state()
        transactions = Transactions(client).read()
        history = bool(transactions)
        return UndoOutcome(before, before, _plan(client, options, transactions), planned=True)
    except UpgradeError as error:
        error.result["way_back"] = {"history": history, "patch": None}
        raise


def undo(client: PloneClient, options: UndoOptions) -> UndoOutcome:
    """Undo the newest upgrade, or everything after a transaction.

    :raises UpgradeError: it would lose more than is allowed, the database refused, or it is not proven.
    :raises CallError: a call failed.
    """
    with open_journal(client.url, WAIT_FOR_ANOTHER_RUN) as journal:
        before = client.site_state()
        transactions = Transactions(client).read()
        undo_plan = _plan(client, options, transactions)
        if not undo_plan.transactions:
            return UndoOutcome(before, before, undo_plan)
        if journal.entry:
            _require_ended(client, before, journal, journal.entry)
        _undo(client, undo_plan, before, newest=transactions[0])
        return UndoOutcome(before, client.site_state(), undo_plan)


def _plan(client: PloneClient, options: UndoOptions, transactions: t.Sequence[Transaction]) -> UndoPlan:
    url_path = urlsplit(client.url.removesuffix(API_PREFIX)).path
    site = Transactions(client).site_path() or which_site(transactions, url_path)
    undo_plan = plan_undo(transactions, site=site, back_to=options.back_to, include_later=options.include_later)
    if options.own_only and undo_plan.transactions:
        require_own(undo_plan, client.user_id())
    return undo_plan


def _require_ended(client: PloneClient, before: SiteState, journal: SiteJournal, earlier: Posted) -> None:
    """Clear the entry of a killed run if its change is done: after the undo the next run would wait for it for ever.

    :raises UpgradeError: the change may be under way, and would commit after the undo.
    """
    core = earlier.what.startswith(UPGRADE_WORDS)
    if before.name == UP_TO_DATE if core else is_finished(earlier, Addons(client).read()):
        journal.clear()
        return
    raise UpgradeError(
        f"Not undone: an earlier run posted {earlier.what}, and its end is unknown. {journal.advice(earlier)}"
    )


def _undo(client: PloneClient, undo_plan: UndoPlan, before: SiteState, *, newest: Transaction) -> None:
    """Send the undo once, and read the transactions until the undo is among those that are newer than ``newest``.

    :raises UpgradeError: the database refused, or the transactions read afterwards show no undo.
    :raises CallError: the call failed in another way.
    """
    service = Transactions(client)
    client.prepare_to_post(VISIBLE_WITHIN_SECONDS)

    def decide(transactions: t.Sequence[Transaction], _answer: t.Any) -> Decision:
        later = itertools.takewhile(lambda one: one.id != newest.id, transactions)
        return Decision.proven_if(any(one.is_undo and one.site == undo_plan.site for one in later))

    try:
        proof = send_and_prove(
            lambda: service.undo(undo_plan.transactions),
            service.read,
            decide,
            longest_pause=3,
            read_back_seconds=VISIBLE_WITHIN_SECONDS,
        )
    except CallError as error:
        if error.status != BAD_REQUEST:
            raise
        raise UpgradeError(
            f"The database refused ({error}) Later writes touched the same objects. Nothing is changed: the site is "
            f"still at {before.versions.instance}. With 'include_later' all later transactions are undone together.",
            **error.result,
        ) from error
    if not proof.proven:
        if not proof.lost and _shows(client.past_cache(), decide):
            raise UpgradeError(
                "The upgrade is undone. But a cache in front of Plone, or another server with older data, answers "
                f"reads with an older list of transactions, so that it could not be read back. {NO_CACHE}",
                changed=True,
            )
        answered = str(proof.lost) if proof.lost else "The server answered as if all went well."
        last_error = f" The last read failed: {proof.error}" if proof.error else ""
        raise UpgradeError(f"{answered} The transactions read afterwards show no undo.{last_error} Run this again.")


def _shows(client: PloneClient, decide: t.Callable[[t.Sequence[Transaction], t.Any], Decision]) -> bool:
    """Whether one more read proves the undo."""
    try:
        return decide(Transactions(client).read(), None) is Decision.PROVEN
    except CallError:
        return False

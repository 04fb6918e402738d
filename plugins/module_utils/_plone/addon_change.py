# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How one add-on is changed once, and how it is proven that it was.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import time

from .._core.clock import Deadline, GrowingPauses
from .._core.errors import CallError, NotSentError, UnexpectedAnswerError
from .._core.progress import Progress
from .._core.proof import Decision, Proof, read_until, send_and_prove
from .._core.urls import call_name
from .addon_outcome import AddonsOutcome, Change, ChangeFailed
from .addons import ADDONS_SERVICE, INSTALL, UNINSTALL, UPGRADE, Addon, Addons
from .client import VISIBLE_WITHIN_SECONDS, PloneClient
from .journal import CLOCK_CORRECTION, Posted, SiteJournal
from .watch import UNAUTHORIZED, Watch

DOING = {INSTALL: "installing", UPGRADE: "upgrading", UNINSTALL: "uninstalling"}
"""The changes in the words of a line of progress."""

REFUSED = "Then the site refused the credentials that it had accepted before, so the wait ended:"
WITH_OTHERS = "Run this again with credentials that are good, such as a new token."


class AddonChanger:
    """Changes add-ons of one site, one at a time, and keeps the outcome as it was read last.

    :param interval: seconds between two reads at most.
    """

    def __init__(self, client: PloneClient, outcome: AddonsOutcome, deadline: Deadline, interval: float) -> None:
        self._client = client
        self._addons = Addons(client)
        self._outcome = outcome
        self._deadline = deadline
        self._interval = interval
        self._watch = Watch()

    def read_again(self, *, patient: bool = True) -> dict[str, Addon]:
        """Read the add-ons anew into the outcome.

        :param patient: false for one read of many, which takes no more time than the run has.
        :raises CallError: they cannot be read, or one is not listed any more; the outcome stays as it is.
        """
        client = self._client if patient else self._client.keep_token(self._interval).look(self._deadline.time_to_look)
        addons = self._watch.read(client, lambda one: Addons(one).read())
        gone = [name for name in self._outcome.names if name not in addons]
        if gone:
            raise UnexpectedAnswerError(
                call_name("GET", f"{self._client.url}{ADDONS_SERVICE}"),
                f"lists no {', '.join(gone)} any more",
                hint="Another site may have answered, or other code. Check what stands in front of Plone.",
            )
        self._outcome.addons = addons
        return addons

    def apply(self, change: Change, journal: SiteJournal, progress: Progress) -> None:
        """Make a change, or wait for it where an earlier run has posted it; what was committed is in the outcome.

        :raises ChangeFailed: it failed, or it cannot be proven.
        """
        if change.action == UNINSTALL and not change.addon.can_be_uninstalled:
            message = f"{change.addon.id} has no uninstall profile, so the site cannot uninstall it."
            raise ChangeFailed(message, others_can_go_on=True)
        self._watch.begin_change()
        earlier = journal.posted(change.what)
        doing = f"{DOING[change.action]} {change.addon.id}{' in an earlier run' if earlier else ''}"
        if earlier:
            progress.state(doing, at_most=self._deadline.remaining)
            self._wait_for_earlier_run(change, journal, earlier)
        else:
            self._begin_post(change)
            progress.state(doing, at_most=self._deadline.remaining)
            self._post(change, journal)
        self._outcome.record(change)

    def _wait_for_earlier_run(self, change: Change, journal: SiteJournal, earlier: Posted) -> None:
        """:raises ChangeFailed: the change that another run posted does not come in time."""
        self._outcome.warnings.append(f"An earlier run posted {change.what}; waited for it instead of posting again.")
        self._watch.wait_for(earlier.seconds_ago, 2 * CLOCK_CORRECTION)
        reading = read_until(
            lambda: self.read_again(patient=False),
            lambda addons: change.is_final(addons[change.addon.id]),
            GrowingPauses(self._deadline, self._interval),
            stop=lambda: self._watch.is_over,
        )
        if not reading.found:
            why = f"An earlier run posted {change.what}, and its end is unknown."
            message = self._not_done(change, why, reading.error, journal, earlier)
            raise ChangeFailed(message, others_can_go_on=False)
        journal.clear()

    def _begin_post(self, change: Change) -> None:
        """:raises ChangeFailed: too little time is left for a POST."""
        if self._deadline.too_close:
            raise ChangeFailed(
                f"Did not post {change.what}, because the {self._deadline.seconds:g} seconds of 'wait_timeout' were "
                "already over. Run this again, with a longer 'wait_timeout' if necessary.",
                others_can_go_on=False,
            )

    def _post(self, change: Change, journal: SiteJournal) -> None:
        """Post a change once and prove it.

        :raises ChangeFailed: the server says that it failed, or it cannot be proven.
        """
        self._outcome.warnings.extend(self._client.prepare_to_post(self._deadline.remaining))
        entry = Posted.now(change.what, self._deadline.seconds)
        journal.write(entry)
        try:
            proof = self._send_and_prove(change, journal)
        except CallError as error:
            journal.clear()
            left = self._describe_what_is_left(change)
            stops = isinstance(error, NotSentError) or error.status == UNAUTHORIZED
            message = f"{change.addon.id}: {error} {left}"
            raise ChangeFailed(message, others_can_go_on=not stops, cause=error) from error
        addon = self._outcome.addons[change.addon.id]
        if proof.proven:
            journal.clear()
        elif proof.lost:
            message = self._not_done(change, str(proof.lost), proof.error, journal, entry)
            raise ChangeFailed(message, others_can_go_on=False, cause=proof.lost)
        elif self._watch.refused:
            refused = self._watch.refused
            message = f"The server answered that {change.what} went well. {REFUSED} {refused} {WITH_OTHERS}"
            raise ChangeFailed(message, others_can_go_on=False, cause=refused)
        else:
            self._outcome.record(change)
            raise ChangeFailed(
                f"The server answered that {change.what} went well, but {addon.id} reads {addon.state} at "
                f"{addon.installed_version or 'no version'}.{_last_error(proof.error)} No step of its code may lead "
                "on, or another server with older data answered. Check the server's log.",
                others_can_go_on=proof.error is None,
            )

    def _send_and_prove(self, change: Change, journal: SiteJournal) -> Proof[None, dict[str, Addon]]:
        patient = True
        posted_at = time.monotonic()

        def send() -> None:
            self._addons.change(change.addon.id, change.action, timeout=self._deadline.remaining)
            journal.clear()

        def lose_answer(_error: CallError) -> None:
            nonlocal patient
            patient = False
            self._watch.wait_for(lambda: time.monotonic() - posted_at)

        return send_and_prove(
            send,
            lambda: self.read_again(patient=patient),
            lambda addons, _answer: Decision.proven_if(change.is_final(addons[change.addon.id])),
            longest_pause=self._interval,
            read_back_seconds=VISIBLE_WITHIN_SECONDS,
            deadline=self._deadline,
            on_lost=lose_answer,
            stop=lambda: self._watch.is_over,
        )

    def _not_done(self, change: Change, why: str, error: CallError | None, journal: SiteJournal, entry: Posted) -> str:
        """The message for a change that may still be under way, or that ended with its server."""
        if self._watch.refused:
            return (
                f"{why} {REFUSED} {self._watch.refused} Whether {change.what} was committed is not known. "
                f"{WITH_OTHERS} {journal.advice(entry)}"
            )
        if self._watch.is_over:
            journal.clear()
            happened = f"{why} {self._watch.what_happened(change.what)}"
            if self._watch.down:
                return f"{happened} Look at its log, start it, and run this again: what is done is not posted again."
            left = self._describe_what_is_left(change)
            return f"{happened} {left} Look at the server's log for why it was restarted, and run this again."
        failed = f"{why} After {self._deadline.seconds:g} seconds {change.what} is not done.{_last_error(error)}"
        return f"{failed} {journal.advice(entry)}"

    def _describe_what_is_left(self, change: Change) -> str:
        """What a failed change left of the add-on, as a sentence; what was committed goes into the outcome."""
        try:
            self.read_again()
        except CallError as error:
            return f"Whether anything was committed is unknown: the add-ons could not be read afterwards. {error}"
        addon = self._outcome.addons[change.addon.id]
        reads = f"{addon.state} at {addon.installed_version or 'no version'}"
        if not change.has_moved(addon):
            return f"It is as it was: {reads}."
        self._outcome.record(change)
        return f"It is no longer as it was: now it is {reads}."


def _last_error(error: CallError | None) -> str:
    return f" The last read failed: {error}" if error else ""

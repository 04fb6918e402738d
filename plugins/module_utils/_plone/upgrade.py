# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an upgrade of a Plone site is run, and how it is decided whether it happened.

One value travels: :class:`SiteState` before -> POST @upgrade -> judgement of its migration log, or the state read until
it decides -> :class:`SiteState` after -> :class:`UpgradeOutcome`. Neither HTTP 200 nor the server's ``upgraded`` flag
decides: a failed step has the one, and a site with nothing to do the other (measured).

Private to the collection: may change without notice.
"""

from __future__ import annotations

import time

from .._core.clock import GrowingPauses
from .._core.errors import AnswerLostError, CallError, NotSentError
from .._core.progress import Progress
from .._core.proof import Decision, Proof, read_until, send_and_prove
from .client import VISIBLE_WITHIN_SECONDS, PloneClient
from .connection import Waiting
from .journal import CLOCK_CORRECTION, UPGRADE_WORDS, Posted, SiteJournal, clear_if_finished, open_journal
from .state import PENDING, UP_TO_DATE, SiteState, UpgradeAnswer
from .upgrade_evidence import (
    CHECK_WHO_ANSWERS,
    SKIP_REHEARSAL,
    last_error,
    refuse_stale_reads,
    require_good_log,
    require_proven,
    require_use,
    versions_read,
    what_was_read,
)
from .upgrade_outcome import UpgradeFailed, UpgradeOutcome, must_be_able_to_upgrade
from .watch import Watch


def plan_upgrade(client: PloneClient, *, dry_run: bool) -> UpgradeOutcome:
    """What a run would do, from reading alone.

    :raises UpgradeFailed: no POST would help.
    :raises CallError: the state cannot be read.
    """
    before = client.site_state()
    must_be_able_to_upgrade(before, dry_run=dry_run)
    return UpgradeOutcome(before, dry_run, after=before if dry_run else before.upgraded, planned=True)


def clear_finished_upgrade(url: str, state: SiteState) -> None:
    """Remove the journal's entry of an upgrade that a killed run posted, where the site is up to date: it is done."""
    if state.name == UP_TO_DATE:
        clear_if_finished(url, lambda entry: entry.what.startswith(UPGRADE_WORDS))


class UpgradeRun:
    """One upgrade, or one rehearsal, of one site.

    :param waiting: its timeout is for everything: the lock, the POST and the reads that decide after a lost answer.
    """

    def __init__(self, client: PloneClient, *, dry_run: bool, waiting: Waiting, progress: Progress) -> None:
        self._client = client
        self._progress = progress
        self._dry_run = dry_run
        self._deadline = waiting.start()
        self._interval = waiting.interval
        self._watch = Watch()

    def perform(self) -> UpgradeOutcome:
        """Upgrade or rehearse, at most one POST; nothing is posted where nothing is pending.

        :raises UpgradeFailed: it did not happen, or was not proven.
        :raises CallError: the state could not be read before anything was posted.
        """
        before = self._read(self._client)
        must_be_able_to_upgrade(before, dry_run=self._dry_run)
        if before.name == UP_TO_DATE:
            clear_finished_upgrade(self._client.url, before)
            return UpgradeOutcome(before, self._dry_run, after=before)
        self._report_progress("waiting for another run")
        with open_journal(self._client.url, self._deadline.remaining) as journal:
            return self._perform_alone(journal, before)

    def _perform_alone(self, journal: SiteJournal, first_seen: SiteState) -> UpgradeOutcome:
        state = self._client.site_state()
        outcome = UpgradeOutcome(state, self._dry_run, after=state)
        if state.versions.fs != first_seen.versions.fs:
            raise UpgradeFailed(
                f"Nothing was posted: {self._client.url} reported {first_seen.versions.fs} as the version of the code, "
                f"and then {state.versions.fs}. {CHECK_WHO_ANSWERS}",
                outcome,
            )
        if not journal.remembers:
            outcome.warnings.append(
                "There is no folder to remember a posted upgrade in (~/.local/state or XDG_STATE_HOME): "
                "if this run is killed, the next one cannot know about its upgrade."
            )
        earlier = journal.posted(_words_for(state))
        if earlier and state.name == PENDING:
            self._wait_for_earlier_run(journal, earlier, outcome)
        if outcome.reached_target:
            journal.clear()
            if not self._dry_run:
                outcome.before = first_seen
        elif self._dry_run:
            self._rehearse(outcome)
        else:
            self._upgrade(journal, outcome)
        return outcome

    def _wait_for_earlier_run(self, journal: SiteJournal, earlier: Posted, outcome: UpgradeOutcome) -> None:
        """Wait until the upgrade that another run posted is committed, or cannot be believed to be running any more."""
        ago = time.time() - earlier.posted_at
        outcome.warnings.append(
            f"An earlier run posted this upgrade {ago:.0f} seconds ago, and its end is unknown; this run waited for it "
            "instead of posting again."
        )
        self._report_progress("upgrading in an earlier run")
        self._watch.wait_for(earlier.seconds_ago, 2 * CLOCK_CORRECTION)
        reading = read_until(
            self._look,
            outcome.is_target,
            GrowingPauses(self._deadline, self._interval),
            stop=lambda: self._watch.is_over or not earlier.may_be_running,
        )
        outcome.after = None if reading.error else reading.state
        require_use(self._watch, f"An earlier run posted {earlier.what}.", journal, earlier, outcome)
        if not reading.found and earlier.may_be_running:
            raise UpgradeFailed(
                f"An earlier run posted {earlier.what}, and after {self._deadline.seconds:g} more seconds the site "
                f"still reads {versions_read(outcome)}. {journal.advice(earlier)}",
                outcome,
            )

    def _rehearse(self, outcome: UpgradeOutcome) -> None:
        self._begin_post("rehearsing", outcome)
        started = time.monotonic()
        try:
            answer = self._client.post_upgrade(dry_run=True, timeout=self._deadline.remaining)
        except CallError as error:
            outcome.duration = time.monotonic() - started
            raise self._rehearsal_failed(error, outcome) from error
        outcome.duration = time.monotonic() - started
        outcome.migration_log = answer.migration_log
        self._read_afterwards(outcome)
        refuse_stale_reads(answer, outcome)
        if answer.versions.instance != outcome.before.versions.instance or outcome.moved:
            outcome.after = outcome.after or SiteState(answer.versions, steps=None)
            raise UpgradeFailed(
                f"The dry run was not dry: the database went from {outcome.before.versions.instance} to "
                f"{answer.versions.instance}. A step commits by itself, or another client upgraded the site. "
                "Find out which, and restore the database if necessary, before you continue.",
                outcome,
            )
        require_good_log("The dry run", outcome)

    def _rehearsal_failed(self, error: CallError, outcome: UpgradeOutcome) -> UpgradeFailed:
        if not isinstance(error, AnswerLostError):
            return self._call_failed(error, outcome)
        outcome.answer = "lost"
        self._read_afterwards(outcome)
        return UpgradeFailed(
            f"{error} A dry run leaves nothing behind that could be read instead, so nothing is proven. "
            f"{outcome.describe_database_state} {SKIP_REHEARSAL}",
            outcome,
            error,
        )

    def _upgrade(self, journal: SiteJournal, outcome: UpgradeOutcome) -> None:
        self._begin_post("upgrading", outcome)
        entry = Posted.now(_words_for(outcome.before), self._deadline.seconds)
        journal.write(entry)
        started = time.monotonic()
        try:
            proof = self._send_and_prove(journal, outcome)
        except CallError as error:
            outcome.duration = time.monotonic() - started
            journal.clear()
            raise self._call_failed(error, outcome) from error
        outcome.duration = proof.seconds
        outcome.after = None if proof.error else proof.state
        if proof.lost:
            self._conclude_without_answer(proof, journal, entry, outcome)
        elif proof.answer:
            outcome.migration_log = proof.answer.migration_log
            if not proof.proven:
                refuse_stale_reads(proof.answer, outcome)
            require_good_log("The upgrade", outcome)
            require_proven(self._watch, self._client, proof, outcome)

    def _send_and_prove(self, journal: SiteJournal, outcome: UpgradeOutcome) -> Proof[UpgradeAnswer, SiteState]:
        posted_at = time.monotonic()

        def send() -> UpgradeAnswer:
            answer = self._client.post_upgrade(dry_run=False, timeout=self._deadline.remaining)
            journal.clear()
            return answer

        def decide(state: SiteState, answer: UpgradeAnswer | None) -> Decision:
            if outcome.is_target(state):
                return Decision.PROVEN
            agrees = answer is not None and state.versions == answer.versions
            return Decision.REFUTED if agrees else Decision.OPEN

        def lose_answer(_error: CallError) -> None:
            outcome.answer = "lost"
            self._watch.wait_for(lambda: time.monotonic() - posted_at)
            self._report_progress("upgrading without an answer")

        return send_and_prove(
            send,
            lambda: self._look() if outcome.answer == "lost" else self._read(self._client),
            decide,
            longest_pause=self._interval,
            read_back_seconds=VISIBLE_WITHIN_SECONDS,
            deadline=self._deadline,
            on_lost=lose_answer,
            stop=lambda: self._watch.is_over,
        )

    def _conclude_without_answer(
        self,
        proof: Proof[UpgradeAnswer, SiteState],
        journal: SiteJournal,
        entry: Posted,
        outcome: UpgradeOutcome,
    ) -> None:
        """:raises UpgradeFailed: the state that was read after the lost answer does not prove the upgrade."""
        require_use(self._watch, str(proof.lost), journal, entry, outcome)
        if not proof.proven:
            raise UpgradeFailed(
                f"{proof.lost} After {self._deadline.seconds:g} seconds {what_was_read(proof.state, outcome)}."
                f"{last_error(proof.error)} {journal.advice(entry)}",
                outcome,
                proof.lost,
            )
        journal.clear()
        proven = "The state read afterwards proves the upgrade. Its migration log is lost: look at the server's log."
        outcome.warnings.append(f"{proof.lost} {proven}")

    def _begin_post(self, doing: str, outcome: UpgradeOutcome) -> None:
        """:raises UpgradeFailed: too little time is left for a POST."""
        if self._deadline.too_close:
            raise UpgradeFailed(
                f"Nothing was posted, because the {self._deadline.seconds:g} seconds of 'wait_timeout' were already "
                "over. Run this again, with a longer 'wait_timeout' if necessary.",
                outcome,
            )
        outcome.warnings.extend(self._client.prepare_to_post(self._deadline.remaining))
        outcome.posted, outcome.answer = True, "received"
        self._report_progress(doing)

    def _call_failed(self, error: CallError, outcome: UpgradeOutcome) -> UpgradeFailed:
        """The failure for a POST that did not reach the server, or of which the server says that it failed."""
        if isinstance(error, NotSentError):
            outcome.posted, outcome.answer = False, "none"
            return UpgradeFailed(str(error), outcome, error)
        self._read_afterwards(outcome)
        return UpgradeFailed(f"{error} {outcome.describe_database_state}", outcome, error)

    def _report_progress(self, what: str) -> None:
        self._progress.state(what, at_most=self._deadline.remaining)

    def _look(self) -> SiteState:
        """Read the state once, in no more time than the run has: a server that hangs must not delay its end."""
        return self._read(self._client.keep_token(self._interval).look(self._deadline.time_to_look))

    def _read(self, client: PloneClient) -> SiteState:
        return self._watch.read(client, PloneClient.site_state)

    def _read_afterwards(self, outcome: UpgradeOutcome) -> None:
        """Read the state into the outcome of a call that is over; None where it cannot be read."""
        try:
            outcome.after = self._client.site_state()
        except CallError:
            outcome.after = None


def _words_for(state: SiteState) -> str:
    """The upgrade in the words of the journal."""
    return f"{UPGRADE_WORDS}{state.versions.instance} to {state.versions.fs}"

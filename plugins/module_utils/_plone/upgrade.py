# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an upgrade of a Plone site is run, and how it is decided whether it happened.

One value travels: :class:`SiteState` before -> POST @upgrade -> verdict on its report, or the state read until it is
decided -> :class:`SiteState` after -> :class:`Outcome`. Neither HTTP 200 nor the server's ``upgraded`` flag decides: a
failed step has the one, and a site with nothing to do the other (measured).

Private to the collection: may change without notice.
"""

from __future__ import annotations

import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .._core.clock import Deadline
from .._core.errors import AnswerLostError, CallError, NotSentError, UpgradeError
from .._core.progress import Progress
from .._core.text import one_line
from .client import READ_BACK_SECONDS, PloneClient, UpgradeAnswer
from .journal import CORE_UPGRADE, Posted, SiteJournal, open_journal, settle
from .migration_log import judge, readable
from .state import NEWER_THAN_CODE, NO_UPGRADE_PATH, PENDING, UP_TO_DATE, SiteState, Versions

MOST_WARNINGS = 20
"""Lines of a report that become warnings; there is one for each object that could not be cataloged."""

LOOK_AT_WHO_ANSWERS = (
    "Servers with other code, another site or a cache may answer at this address. See that all servers behind it run "
    "the same code and that nothing keeps the answers of @upgrade, or give the URL of one server; then run this again."
)


@dataclass
class Outcome:
    """What a run did, filled in as it becomes known.

    ``after`` is None while it could not be read. ``answer`` is ``none`` (nothing was posted), ``received`` or ``lost``;
    ``duration`` is in seconds, from the POST to the answer or to the proof. ``foreseen`` is true in check mode.
    """

    before: SiteState
    dry_run: bool
    after: SiteState | None = None
    posted: bool = False
    answer: str = "none"
    foreseen: bool = False
    duration: float = 0.0
    report: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def latest(self) -> SiteState:
        """The state after, or before where the one after could not be read."""
        return self.after or self.before

    @property
    def arrived(self) -> bool:
        """Whether the database was read at the version of the code that was to be reached: the proof of an upgrade.

        A server with older code on the same database calls itself up to date before the upgrade as well.
        """
        target = self.before.versions.fs
        return self.after is not None and self.after.versions == Versions(instance=target, fs=target)

    @property
    def moved(self) -> bool:
        """Whether the version in the database is another one than before: the only proof of a change."""
        return self.latest.versions.instance != self.before.versions.instance

    @property
    def steps_run(self) -> list[str]:
        """The titles of the steps that ran, in the order of the report.

        Sites of one Zope process that are upgraded at the same time write into each other's reports (measured), so that
        no title counts more often than it was pending, or than once where the site had not listed it.
        """
        ran = judge(self.report).steps_run
        if self.before.steps is None:
            return list(ran)
        listed = Counter(step.title.strip() for step in self.before.steps)
        seen: Counter[str] = Counter()
        own = []
        for title in ran:
            seen[title] += 1
            if seen[title] <= max(listed[title], 1):
                own.append(title)
        return own

    @property
    def what_stands(self) -> str:
        """What a failure left in the database, as a sentence."""
        if self.after is None:
            return "Whether anything was committed is unknown: the state could not be read afterwards."
        if self.moved:
            return (
                f"The database is no longer as it was: it went from {self.before.versions.instance} "
                f"to {self.after.versions.instance}."
            )
        return f"Nothing was committed: the database is still at {self.before.versions.instance}."

    @property
    def summary(self) -> str:
        """What happened, as a sentence; for an outcome that is not a failure."""
        before, after = self.before.versions.instance, self.latest.versions.instance
        if self.before.name == UP_TO_DATE:
            return f"Nothing to do: the site is up to date at {before}."
        if self.dry_run:
            what = "Would rehearse" if self.foreseen else "Rehearsed" if self.posted else "Did not rehearse"
            return f"{what} the upgrade from {before} to {self.before.versions.fs}; nothing is changed."
        if self.foreseen:
            return f"Would upgrade from {before} to {after}: {len(self.before.steps or ())} steps are pending."
        if not self.posted:
            return f"Another run upgraded from {before} to {after}; this one posted nothing."
        steps = f" in {len(self.steps_run)} steps" if self.report else ""
        return f"Upgraded from {before} to {after}{steps}."

    def as_result(self, *, full_report: bool = False) -> dict[str, t.Any]:
        """The outcome in the form that the module returns."""
        after = self.latest
        return {
            "changed": self.moved,
            "state": after.name,
            "dry_run": self.dry_run,
            "posted": self.posted,
            "answer": self.answer,
            "versions_before": self.before.versions.as_result(),
            "versions_after": after.versions.as_result(),
            "steps_pending": after.steps_as_result(),
            "steps_run": self.steps_run,
            "report": self.report.splitlines() if full_report else readable(self.report),
            "duration": round(self.duration, 3),
        }


class UpgradeFailed(UpgradeError):
    """The upgrade or its rehearsal did not end well; carries what is known of it."""

    def __init__(self, message: str, outcome: Outcome, cause: UpgradeError | None = None) -> None:
        super().__init__(message, **(cause.result if cause else {}))
        self.outcome = outcome


def must_be_able_to_upgrade(state: SiteState, *, dry_run: bool) -> None:
    """Refuse a site for which no POST would help.

    :raises UpgradeFailed: names the cause and what to do.
    """
    versions = state.versions
    reasons = {
        NEWER_THAN_CODE: f"The database is at {versions.instance}, newer than the code ({versions.fs}). "
        "Deploy the code that the database was last used with, or newer.",
        NO_UPGRADE_PATH: f"The database is at {versions.instance}, the code at {versions.fs}, and the site knows no "
        "step between them. Most likely the package plone.app.upgrade is not installed: add it to the site's code.",
    }
    if state.name in reasons:
        raise UpgradeFailed(reasons[state.name], Outcome(state, dry_run, after=state))


def forget_if_done(url: str, state: SiteState) -> None:
    """Forget the upgrade that a killed run posted, where the site is up to date: that is how it ended."""
    if state.name == UP_TO_DATE:
        settle(url, lambda entry: entry.what.startswith(CORE_UPGRADE))


class UpgradeRun:
    """One upgrade, or one rehearsal, of one site.

    :param wait_timeout: seconds for everything: the lock, the POST and the reads that decide after a lost answer.
    :param wait_interval: the longest pause between two reads, in seconds.
    """

    def __init__(
        self, client: PloneClient, *, dry_run: bool, wait_timeout: float, wait_interval: float, progress: Progress
    ) -> None:
        self._client = client
        self._progress = progress
        self._dry_run = dry_run
        self._deadline = Deadline(wait_timeout)
        self._interval = wait_interval

    def perform(self) -> Outcome:
        """Upgrade or rehearse, at most one POST; nothing is posted where nothing is pending.

        :raises UpgradeFailed: it did not happen, or was not proven.
        :raises CallError: the state could not be read before anything was posted.
        """
        before = self._client.site_state()
        must_be_able_to_upgrade(before, dry_run=self._dry_run)
        if before.name == UP_TO_DATE:
            forget_if_done(self._client.url, before)
            return Outcome(before, self._dry_run, after=before)
        self._tell("held up by another run")
        with open_journal(self._client.url, self._deadline.remaining) as journal:
            return self._perform_alone(journal, before)

    def _perform_alone(self, journal: SiteJournal, first_seen: SiteState) -> Outcome:
        state = self._client.site_state()
        outcome = Outcome(state, self._dry_run, after=state)
        if state.versions.fs != first_seen.versions.fs:
            raise UpgradeFailed(
                f"Nothing was posted: {self._client.url} told {first_seen.versions.fs} as the version of the code, and "
                f"then {state.versions.fs}. {LOOK_AT_WHO_ANSWERS}",
                outcome,
            )
        if not journal.remembers:
            outcome.warnings.append(
                "There is no folder to remember a posted upgrade in (~/.local/state or XDG_STATE_HOME): "
                "a run that is killed will not be recognised by the next one."
            )
        earlier = journal.posted(_what(state))
        if earlier and state.name == PENDING:
            self._wait_for_earlier_run(journal, earlier, outcome)
        if outcome.arrived:
            journal.clear()
            if not self._dry_run:
                outcome.before = first_seen
        elif self._dry_run:
            self._rehearse(outcome)
        else:
            self._upgrade(journal, outcome)
        return outcome

    def _wait_for_earlier_run(self, journal: SiteJournal, earlier: Posted, outcome: Outcome) -> None:
        """Wait until the upgrade that another run posted is committed, or cannot be believed to be running any more."""
        ago = time.time() - earlier.posted_at
        outcome.warnings.append(
            f"An earlier run posted this upgrade {ago:.0f} seconds ago and did not see its end; "
            "waited for it instead of posting again."
        )

        def decided() -> bool:
            return outcome.arrived or not earlier.may_be_running

        self._tell("upgrading in an earlier run")
        self._read_until(decided, outcome, self._deadline)
        if decided():
            return
        raise UpgradeFailed(
            f"An earlier run posted {earlier.what}, and after {self._deadline.seconds:g} more seconds the site still "
            f"reads {_versions(outcome)}. {journal.advice(earlier)}",
            outcome,
        )

    def _rehearse(self, outcome: Outcome) -> None:
        answer = self._post(outcome)
        if isinstance(answer, AnswerLostError):
            self._read(outcome)
            raise UpgradeFailed(
                f"{answer} A dry run leaves nothing behind that could be read instead, so nothing is proven. "
                f"{outcome.what_stands} Raise 'wait_timeout', or the timeout of the proxy in front of Plone.",
                outcome,
                answer,
            )
        self._read(outcome)
        if answer.versions.instance != outcome.before.versions.instance or outcome.moved:
            outcome.after = outcome.after or SiteState(answer.versions, steps=None)
            raise UpgradeFailed(
                f"The dry run was not dry: the database went from {outcome.before.versions.instance} to "
                f"{answer.versions.instance}. A step commits by itself, or another client upgraded the site meanwhile. "
                "Find out which, and restore the database if need be, before going on.",
                outcome,
            )
        self._must_be_good("The dry run", outcome)

    def _upgrade(self, journal: SiteJournal, outcome: Outcome) -> None:
        entry = Posted.now(_what(outcome.before), self._deadline.seconds)
        journal.write(entry)
        started = time.monotonic()
        try:
            answer = self._post(outcome)
        except UpgradeFailed:
            journal.clear()
            raise
        if isinstance(answer, AnswerLostError):
            self._decide_by_reading(journal, entry, answer, outcome)
            outcome.duration = time.monotonic() - started
            journal.clear()
            return
        journal.clear()
        trouble = self._read_back(answer.versions, outcome)
        self._must_be_good("The upgrade", outcome)
        if not outcome.arrived:
            reads = f"still reads {_versions(outcome)}." if outcome.after else f"cannot be read.{trouble}"
            raise UpgradeFailed(
                f"The report says that the upgrade is complete, but {self._client.url} {reads} "
                f"What was committed is not proven. {LOOK_AT_WHO_ANSWERS}",
                outcome,
            )

    def _post(self, outcome: Outcome) -> UpgradeAnswer | AnswerLostError:
        """Post once. An answer that was lost is returned, not raised: it is no verdict.

        :raises UpgradeFailed: it was not sent, or the server says that it failed.
        """
        if self._deadline.too_close:
            raise UpgradeFailed(
                f"Nothing was posted, because the {self._deadline.seconds:g} seconds of 'wait_timeout' were already "
                "over. Run this again, with a longer 'wait_timeout' if necessary.",
                outcome,
            )
        started = time.monotonic()
        outcome.posted, outcome.answer = True, "received"
        self._tell("rehearsing" if self._dry_run else "upgrading")
        try:
            answer = self._client.post_upgrade(dry_run=self._dry_run, timeout=self._deadline.remaining)
        except NotSentError as error:
            outcome.posted, outcome.answer = False, "none"
            raise UpgradeFailed(str(error), outcome, error) from error
        except AnswerLostError as error:
            outcome.answer = "lost"
            return error
        except CallError as error:
            self._read(outcome)
            raise UpgradeFailed(f"{error} {outcome.what_stands}", outcome, error) from error
        finally:
            outcome.duration = time.monotonic() - started
        outcome.report = answer.report
        return answer

    def _must_be_good(self, what: str, outcome: Outcome) -> None:
        """Fail unless the report proves that everything ran."""
        verdict = judge(outcome.report)
        told = verdict.warnings[:MOST_WARNINGS]
        outcome.warnings.extend(f"Plone reports: {one_line(line)}" for line in told)
        if len(verdict.warnings) > len(told):
            outcome.warnings.append(f"Plone reports {len(verdict.warnings) - len(told)} more of the same kind.")
        if not verdict.good:
            reason = verdict.error or " ".join(verdict.failures[:MOST_WARNINGS])
            reason = one_line(reason, 2000) or "the report does not say that it reached the end"
            failed = f"{what} failed, behind an HTTP 200: {reason.rstrip('.')}."
            raise UpgradeFailed(f"{failed} {outcome.what_stands}", outcome)

    def _decide_by_reading(self, journal: SiteJournal, entry: Posted, lost: AnswerLostError, outcome: Outcome) -> None:
        """After a lost answer: read the state until the upgrade is proven or the deadline has passed."""
        self._tell("upgrading without an answer")
        trouble = self._read_until(lambda: outcome.arrived, outcome, self._deadline)
        if outcome.arrived:
            proof = "The state read afterwards proves the upgrade. Its report is lost: look at the server's log."
            outcome.warnings.append(f"{lost} {proof}")
            return
        raise UpgradeFailed(
            f"{lost} After {self._deadline.seconds:g} seconds the site still reads {_versions(outcome)}.{trouble} "
            f"{journal.advice(entry)}",
            outcome,
            lost,
        )

    def _tell(self, what: str) -> None:
        self._progress.state(what, at_most=self._deadline.remaining)

    def _read_back(self, claimed: Versions, outcome: Outcome) -> str:
        """Prove an answer by reading the state; where that is not yet what it said, read again for a moment.

        Returns what hindered the last read.
        """
        return self._read_until(
            lambda: outcome.arrived or (outcome.after is not None and outcome.after.versions == claimed),
            outcome,
            Deadline(READ_BACK_SECONDS),
        )

    def _read_until(self, decided: t.Callable[[], bool], outcome: Outcome, deadline: Deadline) -> str:
        """Read the state until it is decided or the deadline has passed; returns what hindered the last read.

        Towards the end of ``wait_timeout`` a server that hangs must not hold a read up for longer than that.
        """
        trouble = self._read(outcome, deadline)
        pauses = deadline.pauses(self._interval)
        while not decided() and next(pauses, None) is not None:
            trouble = self._read(outcome, deadline)
        return trouble

    def _read(self, outcome: Outcome, deadline: Deadline | None = None) -> str:
        """Read the state into the outcome; what hinders it is returned in words and not raised.

        :param deadline: that of a caller who reads again.
        """
        client = self._client.look(deadline.time_to_look) if deadline is self._deadline else self._client
        try:
            outcome.after = client.site_state()
        except CallError as error:
            outcome.after = None
            return f" The last read failed: {error}"
        return ""


def _what(state: SiteState) -> str:
    """The upgrade in the words of the journal."""
    return f"{CORE_UPGRADE}{state.versions.instance} to {state.versions.fs}"


def _versions(outcome: Outcome) -> str:
    versions = outcome.latest.versions
    return f"{versions.instance} in the database and {versions.fs} in the code"

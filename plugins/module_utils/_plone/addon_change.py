# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How add-ons are brought to a wanted state, one after the other, each proven by reading it back.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._core.clock import GrowingPauses
from .._core.errors import CallError, UnexpectedAnswerError, UpgradeError
from .._core.http_client import call_name
from .._core.progress import Progress
from .._core.proof import Decision, read_until, send_and_prove
from .addons import ADDONS_SERVICE, INSTALL, NOT_INSTALLED, UNINSTALL, UPGRADE, Addon, Addons
from .client import VISIBLE_WITHIN_SECONDS, PloneClient
from .connection import Waiting
from .journal import UPGRADE_WORDS, Posted, SiteJournal, clear_if_finished, open_journal
from .state import NEWER_THAN_CODE, NO_UPGRADE_PATH, PENDING, UP_TO_DATE

PRESENT, LATEST, ABSENT = "present", "latest", "absent"

DOING = {INSTALL: "installing", UPGRADE: "upgrading", UNINSTALL: "uninstalling"}
"""The changes in the words of a line of progress."""


@dataclass(frozen=True)
class Change:
    """One call that an add-on needs."""

    addon: Addon
    action: str

    @property
    def what(self) -> str:
        """The change in words, the same each time that it is asked for."""
        versions = f" from {self.addon.installed_version} to {self.addon.available_version}"
        return f"the {self.action} of {self.addon.id}{versions if self.action == UPGRADE else ''}"

    def is_done(self, addon: Addon) -> bool:
        """Whether the add-on reads as it should after this change."""
        if self.action == UPGRADE:
            return addon.state == UP_TO_DATE
        return addon.installed == (self.action == INSTALL)

    def as_result(self, after: Addon | None) -> dict[str, str]:
        """The change as a module returns it; ``after`` is what was read back, None for one that is only planned."""
        planned = self.addon.available_version if self.action == UPGRADE else ""
        return {
            "id": self.addon.id,
            "action": self.action,
            "from": self.addon.installed_version,
            "to": planned if after is None else after.installed_version,
        }


@dataclass
class AddonsOutcome:
    """What was done, filled in as it becomes known."""

    addons: dict[str, Addon]
    names: t.Sequence[str]
    core_state: str = ""
    changes: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_result(self) -> dict[str, t.Any]:
        """The outcome in the form that the module returns, for the add-ons that were asked for."""
        return {
            "changed": bool(self.changes),
            "changes": self.changes,
            "addons": [self.addons[name].as_result() for name in self.names],
            **({"core_state": self.core_state} if self.core_state else {}),
        }


class AddonsFailed(UpgradeError):
    """An add-on did not get to its state; those before it stay as they are. Carries what was done."""

    def __init__(self, message: str, outcome: AddonsOutcome, cause: UpgradeError | None = None) -> None:
        super().__init__(message, **(cause.result if cause else {}))
        self.outcome = outcome


def clear_finished_change(url: str, addons: t.Mapping[str, Addon]) -> None:
    """Remove the journal's entry of a change that a killed run posted, where the add-on reads as it should after it."""
    clear_if_finished(url, lambda entry: is_finished(entry, addons))


def is_finished(entry: Posted, addons: t.Mapping[str, Addon]) -> bool:
    """Whether what was posted is the change of an add-on that reads as it should after it."""
    return any(
        f"{entry.what} ".startswith(f"the {action} of {addon.id} ") and Change(addon, action).is_done(addon)
        for addon in addons.values()
        for action in (INSTALL, UPGRADE, UNINSTALL)
    )


class AddonRun:
    """The add-ons of one site, brought to one state in the order given.

    :param waiting: its timeout is for everything.
    """

    def __init__(self, client: PloneClient, *, state: str, waiting: Waiting, progress: Progress) -> None:
        self._client = client
        self._progress = progress
        self._addons = Addons(client)
        self._state = state
        self._deadline = waiting.start()
        self._interval = waiting.interval

    def plan(self, names: t.Sequence[str] | None) -> AddonsOutcome:
        """What :meth:`perform` would do once the core is up to date, from reading alone."""
        outcome = self._begin(names)
        changes = [self._needed(outcome, name) for name in outcome.names]
        outcome.changes = [change.as_result(None) for change in changes if change]
        if not outcome.changes:
            clear_finished_change(self._client.url, outcome.addons)
        return outcome

    def perform(self, names: t.Sequence[str] | None) -> AddonsOutcome:
        """Change what needs it, at most one POST for each add-on; nothing is posted where nothing is to do.

        :param names: the add-ons in order; None stands for all that are behind.
        :raises OptionError: an add-on is unknown to the site.
        :raises AddonsFailed: one of them did not get there.
        """
        outcome = self._begin(names)
        if not any(self._needed(outcome, name) for name in outcome.names):
            clear_finished_change(self._client.url, outcome.addons)
            return outcome
        if self._state != ABSENT and outcome.core_state != UP_TO_DATE:
            raise AddonsFailed(
                f"The core of the site is {outcome.core_state}. Upgrade it first: add-ons are written for the core "
                "that the code brings.",
                outcome,
            )
        self._report_progress("waiting for another run")
        with open_journal(self._client.url, self._deadline.remaining) as journal:
            self._refuse_during_upgrade(journal, outcome)
            for name in outcome.names:
                # Read anew each time: an add-on brings those along that it depends on.
                try:
                    self._read_again(outcome)
                except CallError as error:
                    raise AddonsFailed(str(error), outcome, error) from error
                change = self._needed(outcome, name)
                if change:
                    self._apply(change, journal, outcome)
        return outcome

    def _refuse_during_upgrade(self, journal: SiteJournal, outcome: AddonsOutcome) -> None:
        """:raises AddonsFailed: an upgrade of the core may be under way, and its entry in the journal must stay."""
        earlier = journal.entry
        if earlier and earlier.what.startswith(UPGRADE_WORDS) and self._client.site_state().name != UP_TO_DATE:
            raise AddonsFailed(
                f"An earlier run posted {earlier.what}, and its end is unknown. {journal.advice(earlier)}", outcome
            )

    def _begin(self, names: t.Sequence[str] | None) -> AddonsOutcome:
        """The add-ons as they are, and the state of the core where it matters."""
        addons = self._addons.read(required=names or ())
        if names is None:
            names = [name for name, addon in addons.items() if addon.state == PENDING]
        outcome = AddonsOutcome(addons, names)
        if self._state != ABSENT and any(self._needed(outcome, name) for name in outcome.names):
            outcome.core_state = self._client.site_state().name
        return outcome

    def _read_again(self, outcome: AddonsOutcome, *, patient: bool = True) -> dict[str, Addon]:
        """Read the add-ons anew into the outcome.

        :param patient: false for one read of many, which takes no more time than the run has.
        :raises CallError: they cannot be read, or one is not listed any more; the outcome stays as it is.
        """
        client = self._client if patient else self._client.look(self._deadline.time_to_look)
        addons = Addons(client).read()
        gone = [name for name in outcome.names if name not in addons]
        if gone:
            raise UnexpectedAnswerError(
                call_name("GET", f"{self._client.url}{ADDONS_SERVICE}"),
                f"lists no {', '.join(gone)} any more",
                hint="Another site may have answered, or other code. Check what stands in front of Plone.",
            )
        outcome.addons = addons
        return addons

    def _needed(self, outcome: AddonsOutcome, name: str) -> Change | None:
        """The change that an add-on needs, if any.

        :raises AddonsFailed: no call would bring it to the wanted state.
        """
        addon = outcome.addons[name]
        if self._state == ABSENT:
            return Change(addon, UNINSTALL) if addon.installed else None
        if addon.state == NOT_INSTALLED:
            return Change(addon, INSTALL)
        if self._state == PRESENT or addon.state == UP_TO_DATE:
            return None
        if addon.state == PENDING:
            return Change(addon, UPGRADE)
        reasons = {
            NO_UPGRADE_PATH: "its code registers no upgrade step from there. Install a release of it that does, or "
            "leave it out of 'name'",
            NEWER_THAN_CODE: "its code is older than the code that the site was used with. Install that release of it, "
            "or a newer one",
        }
        raise AddonsFailed(
            f"{name} is at {addon.installed_version} and cannot be brought to {addon.available_version}: "
            f"{reasons[addon.state]}.",
            outcome,
        )

    def _apply(self, change: Change, journal: SiteJournal, outcome: AddonsOutcome) -> None:
        if change.action == UNINSTALL and not change.addon.can_be_uninstalled:
            raise AddonsFailed(f"{change.addon.id} has no uninstall profile, so the site cannot uninstall it.", outcome)
        earlier = journal.posted(change.what)
        if earlier:
            self._wait_for_earlier_run(change, journal, earlier, outcome)
        else:
            self._post(change, journal, outcome)
        outcome.changes.append(change.as_result(outcome.addons[change.addon.id]))

    def _wait_for_earlier_run(
        self, change: Change, journal: SiteJournal, earlier: Posted, outcome: AddonsOutcome
    ) -> None:
        """:raises AddonsFailed: the change that another run posted does not come in time."""
        outcome.warnings.append(f"An earlier run posted {change.what}; waited for it instead of posting again.")
        self._report_progress(f"{DOING[change.action]} {change.addon.id} in an earlier run")
        reading = read_until(
            lambda: self._read_again(outcome, patient=False),
            lambda addons: change.is_done(addons[change.addon.id]),
            GrowingPauses(self._deadline, self._interval),
        )
        if not reading.found:
            raise AddonsFailed(self._not_done(change, "Its end is unknown.", reading.error, journal, earlier), outcome)
        journal.clear()

    def _post(self, change: Change, journal: SiteJournal, outcome: AddonsOutcome) -> None:
        """Post a change once and prove it.

        :raises AddonsFailed: the server says that it failed, or it cannot be proven.
        """
        if self._deadline.too_close:
            raise AddonsFailed(
                f"Did not post {change.what}, because the {self._deadline.seconds:g} seconds of 'wait_timeout' were "
                "already over. Run this again, with a longer 'wait_timeout' if necessary.",
                outcome,
            )
        entry = Posted.now(change.what, self._deadline.seconds)
        journal.write(entry)
        self._report_progress(f"{DOING[change.action]} {change.addon.id}")
        patient = True

        def send() -> None:
            self._addons.change(change.addon.id, change.action, timeout=self._deadline.remaining)
            journal.clear()

        def lose_answer(_error: CallError) -> None:
            nonlocal patient
            patient = False

        try:
            proof = send_and_prove(
                send,
                lambda: self._read_again(outcome, patient=patient),
                lambda addons, _answer: Decision.proven_if(change.is_done(addons[change.addon.id])),
                longest_pause=self._interval,
                read_back_seconds=VISIBLE_WITHIN_SECONDS,
                deadline=self._deadline,
                on_lost=lose_answer,
            )
        except CallError as error:
            journal.clear()
            left = self._describe_what_is_left(change, outcome)
            raise AddonsFailed(f"{change.addon.id}: {error} {left}", outcome, error) from error
        if proof.lost and not proof.proven:
            raise AddonsFailed(self._not_done(change, str(proof.lost), proof.error, journal, entry), outcome)
        if not proof.proven:
            addon = outcome.addons[change.addon.id]
            raise AddonsFailed(
                f"The server answered that {change.what} went well, but {addon.id} reads {addon.state} at "
                f"{addon.installed_version or 'no version'}.{_last_error(proof.error)} Check the server's log.",
                outcome,
            )
        journal.clear()

    def _not_done(self, change: Change, why: str, error: CallError | None, journal: SiteJournal, entry: Posted) -> str:
        """The message for a change that may still be under way."""
        failed = f"{why} After {self._deadline.seconds:g} seconds {change.what} is not done.{_last_error(error)}"
        return f"{failed} {journal.advice(entry)}"

    def _describe_what_is_left(self, change: Change, outcome: AddonsOutcome) -> str:
        """What a failed change left of the add-on, as a sentence; what was committed goes into the outcome."""
        try:
            self._read_again(outcome)
        except CallError as error:
            return f"Whether anything was committed is unknown: the add-ons could not be read afterwards. {error}"
        addon = outcome.addons[change.addon.id]
        reads = f"{addon.state} at {addon.installed_version or 'no version'}"
        if (addon.installed, addon.installed_version) == (change.addon.installed, change.addon.installed_version):
            return f"It is as it was: {reads}."
        outcome.changes.append(change.as_result(addon))
        return f"It is no longer as it was: now it is {reads}."

    def _report_progress(self, what: str) -> None:
        self._progress.state(what, at_most=self._deadline.remaining)


def _last_error(error: CallError | None) -> str:
    return f" The last read failed: {error}" if error else ""

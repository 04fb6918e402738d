# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the add-ons of a site are brought to a wanted state, in passes while one makes progress.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._core.errors import CallError, UpgradeError
from .._core.progress import Progress
from .addon_change import AddonChanger
from .addon_outcome import (
    ABSENT,
    LATEST,
    PRESENT,
    AddonsFailed,
    AddonsOutcome,
    Change,
    ChangeFailed,
    clear_finished_change,
    why_ahead,
    why_stuck,
)
from .addons import INSTALL, NOT_INSTALLED, UNINSTALL, UPGRADE, Addon, Addons
from .client import PloneClient
from .connection import Waiting
from .journal import UPGRADE_WORDS, SiteJournal, open_journal
from .missing_packages import warn_of_missing_packages
from .state import NO_UPGRADE_PATH, PENDING, UP_TO_DATE


@dataclass
class _Pass:
    """One pass over add-ons: those whose change failed, the first failure, and whether another one was changed.

    ``stopped`` says that nothing may be tried after what happened.
    """

    names: t.Sequence[str]
    failed: list[str] = field(default_factory=list)
    cause: UpgradeError | None = None
    changed: bool = False
    stopped: bool = False


class AddonRun:
    """The add-ons of one site, brought to one state in the order given.

    :param waiting: its timeout is for everything.
    :param keep_going: whether the others are tried after one has failed, and the failed ones again.
    :param accept_no_path: ids of add-ons that may stay behind where no step leads to the version of their code.
    """

    def __init__(
        self,
        client: PloneClient,
        *,
        state: str,
        waiting: Waiting,
        progress: Progress,
        keep_going: bool = True,
        accept_no_path: t.Collection[str] = (),
    ) -> None:
        self._client = client
        self._progress = progress
        self._state = state
        self._keep_going = keep_going
        self._accepted = accept_no_path
        self._deadline = waiting.start()
        self._interval = waiting.interval

    def plan(self, names: t.Sequence[str] | None) -> AddonsOutcome:
        """What :meth:`perform` would do once the core is up to date, from reading alone.

        :raises AddonsFailed: an add-on would be left behind whatever is posted.
        """
        outcome = self._begin(names)
        outcome.changes = [change.as_result(None) for change in self._changes(outcome)]
        if not outcome.changes:
            clear_finished_change(self._client.url, outcome.addons)
        return _conclude(outcome)

    def perform(self, names: t.Sequence[str] | None) -> AddonsOutcome:
        """Change what needs it; nothing is posted where nothing is to do.

        :param names: the add-ons in order; None stands for all that are behind.
        :raises OptionError: an add-on is unknown to the site.
        :raises AddonsFailed: one of them did not get there.
        """
        outcome = self._begin(names)
        changes = self._changes(outcome)
        if not changes:
            clear_finished_change(self._client.url, outcome.addons)
            return _conclude(outcome)
        if outcome.left_behind and not self._keep_going:
            outcome.not_tried = [change.addon.id for change in changes]
            return _conclude(outcome)
        if self._state != ABSENT and outcome.core_state != UP_TO_DATE:
            raise AddonsFailed(
                f"The core of the site is {outcome.core_state}. Upgrade it first: add-ons are written for the core "
                "that the code brings.",
                outcome,
            )
        self._report_progress("waiting for another run")
        with open_journal(self._client.url, self._deadline.remaining) as journal:
            self._refuse_during_upgrade(journal, outcome)
            cause = self._run_passes(journal, outcome)
        return _conclude(outcome, cause)

    def _run_passes(self, journal: SiteJournal, outcome: AddonsOutcome) -> UpgradeError | None:
        """Try all, and those that failed again while a pass changes another one; the first failure of the last pass.

        The server does not report which add-on needs which, but one that failed may succeed after another.
        """
        one = _Pass(list(outcome.names))
        for _pass in outcome.names:
            self._run_pass(one, journal, outcome)
            if one.stopped or not one.failed or not one.changed:
                break
            one = _Pass(one.failed)
        return one.cause

    def _run_pass(self, one: _Pass, journal: SiteJournal, outcome: AddonsOutcome) -> None:
        """Try each of a pass once."""
        changer = AddonChanger(self._client, outcome, self._deadline, self._interval)
        for number, name in enumerate(one.names):
            goes_on = True
            try:
                # Read anew each time: an add-on brings those along that it depends on.
                changer.read_again()
                change = self._needed(outcome.addons[name])
                if change:
                    changer.apply(change, journal, self._progress)
                    one.changed = True
                self._judge(outcome, name)
            except (CallError, ChangeFailed) as error:
                outcome.left_behind[name] = str(error)
                one.cause = one.cause or error
                one.failed.append(name)
                goes_on = isinstance(error, ChangeFailed) and error.others_can_go_on
            if not goes_on or (name in outcome.left_behind and not self._keep_going):
                outcome.not_tried = [other for other in one.names[number + 1 :] if self._needed(outcome.addons[other])]
                one.stopped = True
                return

    def _judge(self, outcome: AddonsOutcome, name: str) -> None:
        """Say in the outcome whether an add-on, as it reads now, is left behind: the one judgement of all parts."""
        addon = outcome.addons[name]
        reason = why_stuck(addon) if self._state == LATEST else ""
        if reason and addon.state == NO_UPGRADE_PATH and name in self._accepted:
            warning = (
                f"{name} stays at {addon.installed_version}, which 'accept_no_path' accepts: no upgrade path leads "
            )
            outcome.warnings.append(f"{warning}to {addon.available_version}.")
            reason = ""
        outcome.left_behind.pop(name, None)
        if reason:
            outcome.left_behind[name] = reason

    def _refuse_during_upgrade(self, journal: SiteJournal, outcome: AddonsOutcome) -> None:
        """:raises AddonsFailed: an upgrade of the core may be under way, and its entry in the journal must stay."""
        earlier = journal.entry
        if earlier and earlier.what.startswith(UPGRADE_WORDS) and self._client.site_state().name != UP_TO_DATE:
            raise AddonsFailed(
                f"An earlier run posted {earlier.what}, and its end is unknown. {journal.advice(earlier)}", outcome
            )

    def _begin(self, names: t.Sequence[str] | None) -> AddonsOutcome:
        """The add-ons as they are, those that cannot get there, and the state of the core where it matters."""
        addons = Addons(self._client).read(required=names or ())
        wanted = [name for name, addon in addons.items() if addon.is_behind()] if names is None else names
        outcome = AddonsOutcome(addons, wanted)
        if names is None:
            outcome.warnings.extend(warn_of_missing_packages(self._client))
            outcome.warnings.extend(why_ahead(addon) for addon in addons.values() if addon.is_ahead)
        changes = self._changes(outcome)
        for name in outcome.names:
            self._judge(outcome, name)
        if self._state != ABSENT and changes:
            outcome.core_state = self._client.site_state().name
        return outcome

    def _changes(self, outcome: AddonsOutcome) -> list[Change]:
        return [change for change in (self._needed(outcome.addons[name]) for name in outcome.names) if change]

    def _needed(self, addon: Addon) -> Change | None:
        """The change that an add-on needs, if there is one that may bring it to the wanted state."""
        if self._state == ABSENT:
            return Change(addon, UNINSTALL) if addon.installed else None
        if addon.state == NOT_INSTALLED:
            return Change(addon, INSTALL)
        return Change(addon, UPGRADE) if self._state != PRESENT and addon.state == PENDING else None

    def _report_progress(self, what: str) -> None:
        self._progress.state(what, at_most=self._deadline.remaining)


def _conclude(outcome: AddonsOutcome, cause: UpgradeError | None = None) -> AddonsOutcome:
    """The outcome, if nothing is left behind.

    :raises AddonsFailed: something is.
    """
    outcome.warnings = list(dict.fromkeys(outcome.warnings))
    if outcome.left_behind:
        raise AddonsFailed(outcome.reasons, outcome, cause)
    return outcome

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade of a Plone site, or its rehearsal, did: what proves it, and the words for it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .._core.errors import UpgradeError
from .migration_log import judge, readable
from .state import NEWER_THAN_CODE, NO_UPGRADE_PATH, UP_TO_DATE, SiteState, Versions


@dataclass
class UpgradeOutcome:
    """What a run did, filled in as it becomes known.

    ``after`` is None while it could not be read. ``answer`` is ``none`` (nothing was posted), ``received`` or ``lost``;
    ``duration`` is in seconds, from the POST to the answer or to the proof. ``planned`` is true in check mode.
    """

    before: SiteState
    dry_run: bool
    after: SiteState | None = None
    posted: bool = False
    answer: str = "none"
    planned: bool = False
    duration: float = 0.0
    migration_log: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def latest(self) -> SiteState:
        """The state after, or before where the one after could not be read."""
        return self.after or self.before

    @property
    def reached_target(self) -> bool:
        """Whether the state after is the proof of an upgrade."""
        return self.after is not None and self.is_target(self.after)

    def is_target(self, state: SiteState) -> bool:
        """Whether a state proves the upgrade: the database is at the version that the code had before.

        A server with older code on the same database calls itself up to date before the upgrade as well.
        """
        target = self.before.versions.fs
        return state.versions == Versions(instance=target, fs=target)

    @property
    def moved(self) -> bool:
        """Whether the version in the database is another one than before: the only proof of a change."""
        return self.latest.versions.instance != self.before.versions.instance

    @property
    def steps_run(self) -> list[str]:
        """The titles of the steps that ran, in the order of the migration log.

        Sites of one Zope process that are upgraded at the same time write into each other's logs (measured), so that no
        title counts more often than it was pending, or than once where the site had not listed it.
        """
        ran = judge(self.migration_log).steps_run
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
    def describe_database_state(self) -> str:
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
            what = "Would rehearse" if self.planned else "Rehearsed" if self.posted else "Did not rehearse"
            return f"{what} the upgrade from {before} to {self.before.versions.fs}; nothing is changed."
        if self.planned:
            return f"Would upgrade from {before} to {after}: {len(self.before.steps or ())} steps are pending."
        if not self.posted:
            return f"Another run upgraded from {before} to {after}; this one posted nothing."
        steps = f" in {len(self.steps_run)} steps" if self.migration_log else ""
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
            "report": self.migration_log.splitlines() if full_report else readable(self.migration_log),
            "duration": round(self.duration, 3),
        }


class UpgradeFailed(UpgradeError):
    """The upgrade or its rehearsal did not end well; carries what is known of it."""

    def __init__(self, message: str, outcome: UpgradeOutcome, cause: UpgradeError | None = None) -> None:
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
        raise UpgradeFailed(reasons[state.name], UpgradeOutcome(state, dry_run, after=state))

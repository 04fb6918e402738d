# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ends the wait for an upgrade of a Plone site early, and what contradicts the reads that should prove it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

from .._core.errors import CallError
from .answers import NO_CACHE
from .client import PloneClient, UpgradeAnswer
from .journal import Posted, SiteJournal
from .migration_log import judge
from .state import SiteState
from .upgrade_outcome import UpgradeFailed, UpgradeOutcome
from .watch import Watch

SKIP_REHEARSAL = (
    "Behind a proxy that gives up earlier than the rehearsal ends, it can never pass. Raise 'wait_timeout' or the "
    "timeout of the proxy, give Zope's own address as 'url', or leave the rehearsal out (plone_upgrade_rehearsal: "
    "skip): the upgrade itself can be proven without its answer."
)


def require_use(watch: Watch, what: str, journal: SiteJournal, entry: Posted, outcome: UpgradeOutcome) -> None:
    """Do nothing while waiting was of use.

    :param what: what was waited for, as a sentence.
    :raises UpgradeFailed: it was not.
    """
    if outcome.reached_target or not watch.is_over:
        return
    if watch.refused:
        raise UpgradeFailed(
            f"{what} Then the site refused the credentials that it had accepted before, so the wait ended: "
            f"{watch.refused} Whether the upgrade was committed is not known. Run this again with credentials that "
            f"are good, such as a new token. {journal.advice(entry)}",
            outcome,
            watch.refused,
        )
    journal.clear()
    happened = watch.what_happened("the upgrade")
    if watch.restarted:
        then = (
            f"{outcome.describe_database_state} Look at the server's log for why it was restarted, and run this again."
        )
    else:
        then = "Look at its log, start it, and run this again: if the site is up to date then, nothing is posted."
    raise UpgradeFailed(f"{what} {happened} {then}", outcome)


def refuse_stale_reads(answer: UpgradeAnswer, outcome: UpgradeOutcome) -> None:
    """Do nothing unless the server's own log says that the site was up to date when it was read as pending.

    :raises UpgradeFailed: it does, so the reads were stale.
    """
    starts, read = judge(answer.migration_log).starts, outcome.before.versions.instance
    was_there = answer.versions.instance == answer.versions.fs and answer.versions.instance in starts
    if read in starts or not was_there:
        return
    outcome.before = outcome.after = SiteState(answer.versions, steps=())
    raise UpgradeFailed(
        f"The site was read at {read}, but the server's own log says that it was at {answer.versions.instance} "
        "already, so nothing was done. A cache answered the reads with an older state, or another run upgraded the "
        f"site since. The database is as it should be. {NO_CACHE}",
        outcome,
    )


def refuse_reads_of_cache(client: PloneClient, answer: UpgradeAnswer, outcome: UpgradeOutcome) -> None:
    """Do nothing unless the state that the server answers to a path that no cache knows proves the upgrade.

    :raises UpgradeFailed: it does, so a cache answered the reads before.
    """
    if answer.versions.instance != outcome.before.versions.fs:
        return
    try:
        state = client.past_cache().site_state()
    except CallError:
        return
    if not outcome.is_target(state):
        return
    read = outcome.latest.versions.instance
    outcome.after = state
    raise UpgradeFailed(
        f"The upgrade is committed: the database is at {state.versions.instance}. But a cache in front of Plone, or "
        f"another server with older data, answers reads with {read}, also those that ask past a cache, so nothing that "
        f"follows could be verified. {NO_CACHE}",
        outcome,
    )


def committed_but_refused(answer: UpgradeAnswer, refused: CallError, outcome: UpgradeOutcome) -> UpgradeFailed:
    """The failure for an upgrade that is complete as the server says, and cannot be read back."""
    outcome.after = SiteState(answer.versions, steps=())
    return UpgradeFailed(
        f"The upgrade is committed, as the server's answer says: the database is at {answer.versions.instance}. It "
        f"could not be read back, because the site refused the credentials that it had accepted before: {refused} Run "
        "this again with credentials that are good, such as a new token: if the site is up to date, nothing is posted.",
        outcome,
        refused,
    )


def what_was_read(state: SiteState | None, outcome: UpgradeOutcome) -> str:
    """What the reads after a lost answer said of the site."""
    if state is None:
        return "no read of the site had succeeded"
    versions = outcome.latest.versions
    return f"the site still reads {versions.instance} in the database and {versions.fs} in the code"

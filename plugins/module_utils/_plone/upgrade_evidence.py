# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proves an upgrade of a Plone site, what contradicts the proof, and what ends the wait for it early.

Private to the collection: may change without notice.
"""

from __future__ import annotations

from .._core.errors import CallError
from .._core.proof import Proof
from .._core.text import one_line
from .answers import NO_CACHE
from .client import PloneClient
from .journal import Posted, SiteJournal
from .migration_log import judge
from .state import SiteState, UpgradeAnswer
from .upgrade_outcome import UpgradeFailed, UpgradeOutcome
from .watch import Watch

SKIP_REHEARSAL = (
    "Behind a proxy that gives up earlier than the rehearsal ends, it can never pass. Raise 'wait_timeout' or the "
    "timeout of the proxy, give Zope's own address as 'url', or leave the rehearsal out (plone_upgrade_rehearsal: "
    "skip): the upgrade itself can be proven without its answer."
)

CHECK_WHO_ANSWERS = (
    "Servers with other code, another site or a cache may answer at this address. Check that all servers behind it run "
    "the same code and that nothing caches the answers of @upgrade, or give the URL of one server; then run this again."
)

MOST_WARNINGS = 20
"""Lines of a migration log that become warnings; there is one for each object that could not be cataloged."""


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
    return f"the site still reads {versions_read(outcome)}"


def require_good_log(what: str, outcome: UpgradeOutcome) -> None:
    """Do nothing where the migration log proves that everything ran; its complaints become warnings.

    :raises UpgradeFailed: it does not.
    """
    judgement = judge(outcome.migration_log)
    shown = judgement.warnings[:MOST_WARNINGS]
    outcome.warnings.extend(f"Plone reports: {one_line(line)}" for line in shown)
    if len(judgement.warnings) > len(shown):
        outcome.warnings.append(f"Plone reports {len(judgement.warnings) - len(shown)} more of the same kind.")
    if not judgement.good:
        reason = judgement.error or " ".join(judgement.failures[:MOST_WARNINGS])
        reason = one_line(reason, 2000) or "the migration log does not say that it reached the end"
        failed = f"{what} failed, behind an HTTP 200: {reason.rstrip('.')}."
        raise UpgradeFailed(f"{failed} {outcome.describe_database_state}", outcome)


def require_proven(
    watch: Watch, client: PloneClient, proof: Proof[UpgradeAnswer, SiteState], outcome: UpgradeOutcome
) -> None:
    """Do nothing where what was read proves what the server says, which is that the upgrade is complete.

    :raises UpgradeFailed: it does not.
    """
    if watch.refused and proof.answer:
        raise committed_but_refused(proof.answer, watch.refused, outcome)
    if not proof.proven:
        if proof.answer:
            refuse_reads_of_cache(client, proof.answer, outcome)
        reads = (
            f"still reads {versions_read(outcome)}." if outcome.after else f"cannot be read.{last_error(proof.error)}"
        )
        raise UpgradeFailed(
            f"The migration log says that the upgrade is complete, but {client.url} {reads} "
            f"What was committed is not proven. {CHECK_WHO_ANSWERS}",
            outcome,
        )


def versions_read(outcome: UpgradeOutcome) -> str:
    """The two versions of the latest read, in words."""
    versions = outcome.latest.versions
    return f"{versions.instance} in the database and {versions.fs} in the code"


def last_error(error: CallError | None) -> str:
    """The sentence about a last read that failed; empty where it did not."""
    return f" The last read failed: {error}" if error else ""

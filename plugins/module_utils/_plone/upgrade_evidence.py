# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ends the wait for an upgrade of a Plone site early, and what contradicts the reads that should prove it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import time

from .._core.errors import CallError, NotSentError
from .client import PloneClient, UpgradeAnswer
from .journal import Posted, SiteJournal
from .migration_log import judge
from .state import SiteState
from .upgrade_outcome import UpgradeFailed, UpgradeOutcome

UNAUTHORIZED = 401

REFUSED_BEFORE_A_RESTART = 2
"""Reads in a row that no process accepted: one alone can be a full queue of connections."""

LONGEST_DOWN = 120
"""Seconds; a server takes less to be started again, and a process that has ended works on nothing."""

SKIP_REHEARSAL = (
    "Behind a proxy that gives up earlier than the rehearsal ends, it can never pass. Raise 'wait_timeout' or the "
    "timeout of the proxy, give Zope's own address as 'url', or leave the rehearsal out (plone_upgrade_rehearsal: "
    "skip): the upgrade itself can be proven without its answer."
)


class Watch:
    """Reads the state of one site, and notices what makes waiting useless.

    ``refused`` is the failure of a read whose credentials were accepted before. ``restarted`` says that the process
    that answered before has ended and another one answers; ``down`` that it has ended and none has answered for long.
    Both are only believed where Zope itself answered before: a proxy that is restarted says nothing about Plone.
    """

    def __init__(self) -> None:
        self.refused: CallError | None = None
        self.restarted = False
        self.down = False
        self._direct = False
        self._turned_away = 0
        self._since = 0.0

    @property
    def is_over(self) -> bool:
        """Whether waiting is useless."""
        return self.refused is not None or self.restarted or self.down

    def read(self, client: PloneClient) -> SiteState:
        """The state of the site.

        :raises CallError: it cannot be read.
        """
        try:
            state = client.site_state()
        except CallError as error:
            self._note(error)
            raise
        if self._direct and self._turned_away >= REFUSED_BEFORE_A_RESTART:
            self.restarted = True
        self._direct, self._turned_away = state.direct, 0
        return state

    def _note(self, error: CallError) -> None:
        if error.status == UNAUTHORIZED:
            self.refused = error
        if not (isinstance(error, NotSentError) and error.refused):
            return
        self._since = self._since if self._turned_away else time.monotonic()
        self._turned_away += 1
        self.down = self._direct and time.monotonic() - self._since >= LONGEST_DOWN

    def require_use(self, what: str, journal: SiteJournal, entry: Posted, outcome: UpgradeOutcome) -> None:
        """Do nothing while waiting was of use.

        :param what: what was waited for, as a sentence.
        :raises UpgradeFailed: it was not.
        """
        if outcome.reached_target:
            return
        if self.refused:
            raise UpgradeFailed(
                f"{what} Then the site refused the credentials that it had accepted before, so the wait ended: "
                f"{self.refused} Whether the upgrade was committed is not known. Run this again with credentials that "
                f"are good, such as a new token. {journal.advice(entry)}",
                outcome,
                self.refused,
            )
        if self.restarted:
            journal.clear()
            raise UpgradeFailed(
                f"{what} Then the server refused connections, and another process of it answers now, which knows "
                f"nothing of the upgrade. {outcome.describe_database_state} Look at the server's log for why it was "
                "restarted, and run this again.",
                outcome,
            )
        if self.down:
            journal.clear()
            raise UpgradeFailed(
                f"{what} Then the server refused connections for {LONGEST_DOWN} seconds: its process has ended, and "
                "the upgrade with it unless that was committed before. Look at its log, start it, and run this again: "
                "if the site is up to date then, nothing is posted.",
                outcome,
            )


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
        "site since. The database is as it should be. Have what stands in front of Plone cache no path with an '@' in "
        "it, or give Zope's own address; then run this again.",
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

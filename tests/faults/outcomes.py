# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end of a play must look like, whatever the product is."""

from __future__ import annotations

from faults.figures import Figure
from faults.matrix import CALLS, VERDICTS, Play, plays, verdict
from faults.words import pattern
from support.module_runner import ModuleRun


def ended_in_words(play: Play, run: ModuleRun) -> None:
    """The task went well or failed as the matrix says, and a failure is in its words."""
    ended = f"{play.name}: {'failed' if run.failed else 'went well'}: {run.msg or run.output}"
    expected = "it should go well" if play.succeeds else f"it should fail with: {play.says}"
    assert run.failed is not play.succeeds, f"{ended}\n{expected}"
    assert not play.says or pattern(play.says).search(run.msg), f"{ended}\n{expected}"


def count(play: Play, figure: Figure) -> None:
    """Count a play that ended as expected, its output, in which no secret was found, and its cell once."""
    expected = verdict(play.call, play.fault)
    figure(f"plays of the matrix that ended as expected ({CALLS[play.call].product})", 1)
    figure("outputs searched for secrets", 1)
    if next(one for one in plays(CALLS[play.call].product) if one[:2] == play[:2]) == play:
        figure(f"cells of the matrix: {VERDICTS[type(expected)]}", 1)


def assert_nothing_slipped_out(run: ModuleRun, secrets: list[str]) -> None:
    """No traceback, and no secret in anything that was written."""
    for word in ("Traceback (most recent call last)", "MODULE FAILURE", *secrets):
        assert word
        assert word not in run.output

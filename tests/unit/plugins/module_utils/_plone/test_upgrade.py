# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the outcome of an upgrade says of its steps, where other sites wrote into the migration log too."""

from __future__ import annotations

import typing as t

from ansible_collections.siteops.upgrades.plugins.module_utils._plone.state import (
    SiteState,
    Versions,
    steps_in_run_order,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.upgrade_outcome import UpgradeOutcome

TITLES = ("Miscellaneous", "Move things", "Miscellaneous")


def outcome(*ran: str, listed: bool = True) -> UpgradeOutcome:
    """An upgrade from 1 to 4 whose migration log says that these steps ran."""
    groups: dict[str, t.Any] = {
        f"{number}-{number + 1}": [{"id": str(number), "title": title}] for number, title in enumerate(TITLES, 1)
    }
    before = SiteState(Versions("1", "4"), steps_in_run_order(groups) if listed else None)
    lines = [f"Ran upgrade step: {title}" for title in ran]
    migration_log = "\n".join(
        ["Starting the migration from version: 1", *lines, "Your Plone instance is now up-to-date."]
    )
    return UpgradeOutcome(
        before, dry_run=False, after=SiteState(Versions("4", "4"), ()), posted=True, migration_log=migration_log
    )


def test_the_steps_of_a_site_alone_are_those_of_its_migration_log() -> None:
    alone = outcome(*TITLES)
    assert alone.steps_run == list(TITLES)
    assert alone.summary == "Upgraded from 1 to 4 in 3 steps."


def test_steps_of_other_sites_in_the_report_are_not_counted() -> None:
    """As when four sites of one process are upgraded at once: each step stands there up to four times."""
    among_others = outcome(*[title for title in TITLES for _site in range(4)])
    assert sorted(among_others.steps_run) == sorted(TITLES)
    assert among_others.summary == "Upgraded from 1 to 4 in 3 steps."
    assert among_others.as_result()["steps_run"] == among_others.steps_run


def test_a_step_that_was_not_listed_counts_once() -> None:
    assert outcome(*TITLES, "Beside the list").steps_run == [*TITLES, "Beside the list"]
    assert outcome("A", "A", listed=False).steps_run == ["A", "A"]

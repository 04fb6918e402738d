# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The four states of a site, and the order of its steps."""

from __future__ import annotations

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._plone.state import (
    SiteState,
    UpgradeStep,
    Versions,
    steps_in_run_order,
    version_key,
)

STEP = (UpgradeStep("6018-6205", "74dbd415", "Miscellaneous"),)


@pytest.mark.parametrize(
    ("instance", "fs", "steps", "name"),
    (
        ("6205", "6205", (), "up_to_date"),
        ("6205", "6205", STEP, "up_to_date"),
        ("6018", "6205", STEP, "pending"),
        ("6018", "6205", None, "pending"),
        ("6205", "6018", (), "newer_than_code"),
        ("9999", "6205", STEP, "newer_than_code"),
        ("6018", "6205", (), "no_upgrade_path"),
        # Plone 4 and older wrote dots, and a text where the profile was never installed.
        ("4.3.20", "6205", STEP, "pending"),
        ("4.3.20", "4.3.3", (), "newer_than_code"),
        ("999", "6018", STEP, "pending"),
        ("10000", "6205", (), "newer_than_code"),
        ("unknown", "6205", STEP, "pending"),
        ("unknown", "6205", (), "no_upgrade_path"),
        ("unknown", "unknown", (), "up_to_date"),
        ("6205", "6205.1", STEP, "pending"),
        ("6205a1", "6205", (), "newer_than_code"),
    ),
)
def test_state(instance: str, fs: str, steps: tuple[UpgradeStep, ...] | None, name: str) -> None:
    assert SiteState(Versions(instance, fs), steps).name == name


def test_a_version_of_any_length() -> None:
    assert SiteState(Versions("9" * 5000, "6205"), ()).name == "newer_than_code"
    assert SiteState(Versions("6205", "9" * 5000), STEP).name == "pending"


def test_what_an_upgrade_leads_to() -> None:
    state = SiteState(Versions("6018", "6205"), STEP).upgraded
    assert (state.name, state.versions.as_result()) == ("up_to_date", {"instance": "6205", "fs": "6205"})
    assert state.steps_as_result() == []


def test_unknown_steps_are_returned_as_none_at_all() -> None:
    assert SiteState(Versions("6018", "6205"), None).steps_as_result() == []


def test_versions_are_ordered_by_their_numbers() -> None:
    versions = ["6.1.10", "999", "6018", "5.9", "6.1.9", "", "6.1"]
    assert sorted(versions, key=version_key) == ["", "5.9", "6.1", "6.1.9", "6.1.10", "999", "6018"]
    assert version_key("06018") == version_key("6018")


def test_steps_run_in_the_order_of_their_numbers() -> None:
    """The server sorts its keys as text, in which 10000 comes before 999."""
    groups = {
        "10000-10001": [{"id": "e", "title": "fifth"}],
        "5218-5219": [{"id": "b", "title": "second"}, {"id": "c", "title": "third"}],
        "5299-6000": [{"id": "d", "title": "fourth"}],
        "999-1000": [{"id": "a", "title": "first"}],
    }
    steps = steps_in_run_order(groups)
    assert [step.title for step in steps] == ["first", "second", "third", "fourth", "fifth"]
    assert steps[1].as_result() == {"group": "5218-5219", "id": "b", "title": "second"}


def test_steps_without_an_id_or_with_numbers_are_text() -> None:
    (step,) = steps_in_run_order({"1-2": [{"title": 7}]})
    assert step == UpgradeStep("1-2", "", "7")

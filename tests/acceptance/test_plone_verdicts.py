# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plone_upgrade says of everything that a real Plone can answer to @upgrade."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from support.plone import PloneServer
from support.plone.fixtures import Upgrade

OLD, NEW = "6018", "6205"
STANDS = "Nothing was committed: the database is still at 6018."


class Case(NamedTuple):
    """A situation of the server and the verdict on it; ``posts`` counts the POSTs that the server saw."""

    situation: str
    faults: dict[str, Any]
    dry_run: bool
    changed: bool
    failed: bool
    says: str
    after: str
    warns: str = ""
    posts: int = 1


CASES = (
    Case("dry run, pending", {}, True, False, False, "Rehearsed the upgrade from 6018 to 6205", OLD),
    Case("real, pending", {}, False, True, False, "Upgraded from 6018 to 6205 in 38 steps.", NEW),
    Case("core step raises", {"step_error": "ValueError"}, False, False, True, f"ValueError: .*{STANDS}", OLD),
    Case(
        "core step raises, dry run",
        {"step_error": "ValueError"},
        True,
        False,
        True,
        f"The dry run failed, behind an HTTP 200: ValueError: .*{STANDS}",
        OLD,
    ),
    Case("core step raises KeyError", {"step_error": "KeyError"}, False, False, True, f"KeyError: .*{STANDS}", OLD),
    Case(
        "core add-on raises",
        {"core_addon_error": "ValueError"},
        False,
        False,
        True,
        f"answered 500 ValueError: .*{STANDS}",
        OLD,
    ),
    Case(
        "core add-on raises, dry run",
        {"core_addon_error": "ValueError"},
        True,
        False,
        True,
        f"answered 500 ValueError: .*{STANDS}",
        OLD,
    ),
    Case(
        "core add-on raises KeyError",
        {"core_addon_error": "KeyError"},
        False,
        False,
        True,
        f"answered 503 KeyError: .*{STANDS}",
        OLD,
    ),
    Case(
        "core add-on raises KeyError, dry run",
        {"core_addon_error": "KeyError"},
        True,
        False,
        True,
        f"answered 503 KeyError: .*{STANDS}",
        OLD,
    ),
    Case(
        "commit fails", {"step_unpicklable": True}, False, False, True, f"answered 500 PicklingError: .*{STANDS}", OLD
    ),
    Case("commit would fail, dry run", {"step_unpicklable": True}, True, False, False, "Rehearsed", OLD),
    Case("conflict twice", {"step_conflicts": 2}, False, True, False, "Upgraded from 6018 to 6205", NEW),
    Case(
        "conflict every time",
        {"step_conflicts": -1},
        False,
        False,
        True,
        f"answered 500 ConflictError: .*{STANDS}",
        OLD,
    ),
    Case(
        "swallowed catalog error",
        {"catalog_error": "ValueError"},
        False,
        True,
        False,
        "Upgraded",
        NEW,
        "Exception was thrown while cataloging",
    ),
    Case(
        "swallowed catalog error, dry run",
        {"catalog_error": "ValueError"},
        True,
        False,
        False,
        "Rehearsed",
        OLD,
        "Exception was thrown while cataloging",
    ),
    Case(
        "swallowed role-mapping error",
        {"role_error": "ValueError"},
        False,
        True,
        False,
        "Upgraded",
        NEW,
        "Exception was thrown while updating role mappings",
    ),
    Case(
        "leaking dry run",
        {"step_commit": True},
        True,
        True,
        True,
        "The dry run was not dry: the database went from 6018 to ",
        NEW,
    ),
    Case(
        "step commits, then one raises",
        {"step_commit": True, "step_error": "ValueError"},
        False,
        True,
        True,
        "The database is no longer as it was: it went from 6018 to ",
        NEW,
    ),
    Case("step outside a group", {"ungrouped_step": True}, False, True, False, "Upgraded", NEW),
    Case("step outside a group, dry run", {"ungrouped_step": True}, True, False, False, "Rehearsed", OLD),
    Case("group listed once for two", {"duplicate_group": True}, False, True, False, "Upgraded", NEW),
    Case(
        "no plone.app.upgrade",
        {"no_upgrade_code": True},
        False,
        False,
        True,
        "knows no step between them.*plone.app.upgrade",
        OLD,
        posts=0,
    ),
    Case(
        "no plone.app.upgrade, dry run",
        {"no_upgrade_code": True},
        True,
        False,
        True,
        "knows no step between them.*plone.app.upgrade",
        OLD,
        posts=0,
    ),
)


@pytest.mark.main
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.situation)
def test_verdict(plone: PloneServer, upgrade: Upgrade, case: Case) -> None:
    plone.fault(**case.faults)
    run = upgrade(dry_run=case.dry_run)
    assert (run.result["changed"], run.failed) == (case.changed, case.failed), run.output
    assert re.search(case.says, run.msg), run.msg
    assert run.result["versions_before"] == {"instance": OLD, "fs": NEW}
    assert run.result["versions_after"]["instance"] == case.after
    assert case.warns in run.warnings if case.warns else not run.warnings
    assert [r.method for r in plone.requests()].count("POST") == case.posts


@pytest.mark.parametrize("dry_run", (False, True))
def test_nothing_is_posted_to_a_site_that_is_up_to_date(plone: PloneServer, upgrade: Upgrade, dry_run: bool) -> None:
    upgrade()
    plone.clear_requests()
    run = upgrade(dry_run=dry_run)
    assert (run.result["changed"], run.failed, run.result["posted"]) == (False, False, False)
    assert run.msg == "Nothing to do: the site is up to date at 6205."
    assert {r.method for r in plone.requests()} == {"GET"}


@pytest.mark.parametrize("dry_run", (False, True))
def test_a_database_newer_than_the_code_is_refused(plone: PloneServer, upgrade: Upgrade, dry_run: bool) -> None:
    plone.set_version("9999")
    run = upgrade(dry_run=dry_run)
    assert run.failed
    assert run.msg.startswith("The database is at 9999, newer than the code (6205).")
    assert run.result["state"] == "newer_than_code"
    assert {r.method for r in plone.requests()} == {"GET"}


def test_a_traceback_is_cut_and_given_whole_on_request(plone: PloneServer, upgrade: Upgrade) -> None:
    plone.fault(step_error="ValueError", message="the step is broken")
    cut, whole = (upgrade(full_report=full).result["report"] for full in (False, True))
    assert any("lines of the server's traceback left out" in line for line in cut)
    assert "ValueError: the step is broken" in cut
    assert "ValueError: the step is broken" in whole
    assert len(whole) > len(cut)
    assert not any("left out" in line for line in whole)

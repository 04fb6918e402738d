# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test Plone itself: every fault has the answer that the rest of the tests count on, on a real server."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from support.plone import ADMIN, EDITOR, MANAGER, MEMBER, PROFILE, SITE_ADMINISTRATOR, Account, PloneServer, Request

NEWEST = "6205"
ADDON = "siteops.testaddon"


def send(
    plone: PloneServer,
    method: str,
    path: str,
    payload: dict[str, bool] | None = None,
    *,
    account: Account = ADMIN,
    timeout: float = 60,
) -> tuple[int, Any]:
    response = requests.request(
        method,
        f"{plone.url}/{path}",
        json=payload,
        auth=(account.name, account.password),
        headers={"Accept": "application/json"},
        timeout=timeout,
    )
    return response.status_code, response.json() if response.content else None


def upgrade(plone: PloneServer, dry_run: bool = False) -> tuple[int, Any]:
    return send(plone, "POST", "@upgrade", {"dry_run": dry_run})


def versions(plone: PloneServer) -> tuple[str, str]:
    _status, system = send(plone, "GET", "@system")
    return system["plone_gs_metadata_version_installed"], system["plone_gs_metadata_version_file_system"]


def addon_version(plone: PloneServer) -> str:
    version: str = send(plone, "GET", f"@addons/{ADDON}")[1]["upgrade_info"]["installedVersion"]
    return version


def test_fresh_site_has_pending_steps(plone: PloneServer) -> None:
    status, answer = send(plone, "GET", "@upgrade")
    assert (status, answer["versions"]) == (200, {"instance": PROFILE, "fs": NEWEST})
    assert len(answer["upgrade_steps"]) > 20
    assert addon_version(plone) == "1000"
    assert plone.requests()[0] == Request("GET", "/Plone/@upgrade", 200)


def test_dry_run_then_upgrade(plone: PloneServer) -> None:
    status, answer = upgrade(plone, dry_run=True)
    assert (status, answer["upgraded"], answer["versions"]["instance"]) == (200, False, PROFILE)
    assert "now up-to-date." in answer["report"]
    status, answer = upgrade(plone)
    assert (status, answer["upgraded"], answer["versions"]["instance"]) == (200, True, NEWEST)


@pytest.mark.parametrize("account", [SITE_ADMINISTRATOR, EDITOR, MEMBER, ADMIN._replace(password="wrong")])
def test_only_managers_may_upgrade(plone: PloneServer, account: Account) -> None:
    assert send(plone, "GET", "@upgrade", account=MANAGER)[0] == 200
    assert send(plone, "GET", "@upgrade", account=account)[0] == 401


@pytest.mark.parametrize(
    ("faults", "upgraded", "lines"),
    [
        ({"step_error": "ValueError"}, False, ["Upgrade aborted. Error:", "ValueError: Injected fault"]),
        ({"step_error": "KeyError", "message": "secret"}, False, ["KeyError: 'secret'", "Migration has failed"]),
        ({"step_conflicts": 2}, True, ["now up-to-date."]),
        ({"catalog_error": "ValueError"}, True, ["Exception was thrown while cataloging:", "now up-to-date."]),
        ({"role_error": "ValueError"}, True, ["Exception was thrown while updating role mappings", "now up-to-date."]),
        ({"ungrouped_step": True}, True, ["Ran upgrade step: Injected ungrouped step"]),
        ({"duplicate_group": True}, True, ["Ran upgrade step: Injected step of a second group"]),
        ({"no_upgrade_code": True}, False, ["The upgrade path did NOT reach current version."]),
    ],
    ids=str,
)
def test_faults_in_a_report(plone: PloneServer, faults: dict[str, Any], upgraded: bool, lines: list[str]) -> None:
    plone.fault(**faults)
    status, answer = upgrade(plone)
    assert (status, answer["upgraded"]) == (200, upgraded)
    assert [line for line in lines if line not in answer["report"]] == []
    assert versions(plone) == (NEWEST if upgraded else PROFILE, NEWEST)


@pytest.mark.parametrize(
    ("faults", "dry_run", "status", "kind"),
    [
        ({"step_conflicts": -1}, False, 500, "ConflictError"),
        ({"step_unpicklable": True}, False, 500, "PicklingError"),
        ({"core_addon_error": "ValueError"}, False, 500, "ValueError"),
        ({"core_addon_error": "ValueError"}, True, 500, "ValueError"),
        ({"core_addon_error": "KeyError"}, False, 503, "KeyError"),
    ],
    ids=str,
)
def test_faults_in_a_status(plone: PloneServer, faults: dict[str, Any], dry_run: bool, status: int, kind: str) -> None:
    plone.fault(**faults)
    answered, answer = upgrade(plone, dry_run)
    assert (answered, answer["type"]) == (status, kind)
    assert versions(plone) == (PROFILE, NEWEST)


def test_green_dry_run_before_a_failing_commit(plone: PloneServer) -> None:
    plone.fault(step_unpicklable=True)
    status, answer = upgrade(plone, dry_run=True)
    assert status == 200
    assert "now up-to-date." in answer["report"]


def test_dry_run_that_leaks(plone: PloneServer) -> None:
    plone.fault(step_commit=True)
    status, answer = upgrade(plone, dry_run=True)
    assert (status, answer["dry_run"]) == (200, True)
    assert answer["versions"]["instance"] == versions(plone)[0] != PROFILE


def test_ungrouped_step_breaks_the_listing(plone: PloneServer) -> None:
    plone.fault(ungrouped_step=True)
    status, answer = send(plone, "GET", "@upgrade")
    assert (status, answer["type"], answer["message"]) == (503, "KeyError", "0")
    plone.clear_faults()
    assert send(plone, "GET", "@upgrade")[0] == 200


def test_duplicate_group_hides_steps(plone: PloneServer) -> None:
    plone.fault(duplicate_group=True)
    _status, answer = send(plone, "GET", "@upgrade")
    listed = sum(len(steps) for steps in answer["upgrade_steps"].values())
    assert upgrade(plone)[1]["report"].count("Ran upgrade step:") > listed


@pytest.mark.parametrize("faults", [{"no_upgrade_code": True}, {}], ids=["no upgrade code", "newer than the code"])
def test_no_steps_although_versions_differ(plone: PloneServer, faults: dict[str, Any]) -> None:
    if not faults:
        plone.set_version("9999")
    plone.fault(**faults)
    _status, answer = send(plone, "GET", "@upgrade")
    assert answer["upgrade_steps"] == {}
    assert upgrade(plone)[1]["upgraded"] is False


def test_addon_upgrade(plone: PloneServer) -> None:
    plone.fault(addon_error="ValueError")
    assert send(plone, "POST", f"@addons/{ADDON}/upgrade")[0] == 500
    assert addon_version(plone) == "1000"
    plone.clear_faults()
    assert send(plone, "POST", f"@addons/{ADDON}/upgrade")[0] == 204
    assert addon_version(plone) == "1002"
    assert send(plone, "GET", "")[1]["description"] == "first second"


def test_dependent_addon_takes_the_other_along(plone: PloneServer) -> None:
    listed = {item["id"] for item in send(plone, "GET", "@addons")[1]["items"] if item["id"].startswith("siteops")}
    assert listed == {ADDON, f"{ADDON}.dependent"}
    assert send(plone, "POST", f"@addons/{ADDON}.dependent/install")[0] == 204
    assert addon_version(plone) == "1002"


def test_request_outlives_its_client(plone: PloneServer) -> None:
    plone.fault(step_sleep=1.5)
    with pytest.raises(requests.Timeout):
        send(plone, "POST", "@upgrade", {"dry_run": False}, timeout=0.5)
    assert plone.requests() == [Request("POST", "/Plone/@upgrade", None)]
    assert versions(plone) == (PROFILE, NEWEST)
    deadline = time.monotonic() + 30
    while versions(plone)[0] != NEWEST and time.monotonic() < deadline:
        time.sleep(0.1)
    assert plone.requests()[0] == Request("POST", "/Plone/@upgrade", 200)


def test_killed_server_starts_again_on_its_data(plone: PloneServer) -> None:
    plone.set_version("6200")
    before = (plone.url, plone.pid)
    plone.kill()
    assert not plone.running
    plone.start()
    assert plone.url == before[0]
    assert plone.pid != before[1]
    assert versions(plone) == ("6200", NEWEST)


def test_unknown_faults_are_refused(plone: PloneServer) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        plone.fault(misspelt=True)
    with pytest.raises(ValueError, match="takes a float"):
        plone.fault(step_sleep="long")


def test_restart_returns_to_the_snapshot(plone: PloneServer) -> None:
    plone.fault(step_error="ValueError")
    plone.set_version("9999")
    plone.reset()
    assert plone.requests() == []
    assert upgrade(plone)[1]["upgraded"] is True

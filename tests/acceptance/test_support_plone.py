# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of the test Plone: a pending upgrade, requests that outlive clients, kills, and a way back.

What each of its faults does is shown by test_plone_verdicts.py and the matrix.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from support.plone import ADMIN, PROFILE, PloneServer, Request

NEWEST = "6205"
AS_ADMIN: dict[str, Any] = {"auth": ADMIN[:2], "headers": {"Accept": "application/json"}}


def versions(plone: PloneServer) -> tuple[str, str]:
    system = plone.call("GET", f"{plone.url}/@system")[1]
    return system["plone_gs_metadata_version_installed"], system["plone_gs_metadata_version_file_system"]


def test_a_restored_site_has_pending_steps_an_add_on_that_is_behind_and_no_faults(plone: PloneServer) -> None:
    plone.fault(step_error="ValueError")
    plone.set_version("9999")
    plone.restore()
    assert plone.requests() == []
    answer = requests.get(f"{plone.url}/@upgrade", **AS_ADMIN, timeout=60).json()
    assert answer["versions"] == {"instance": PROFILE, "fs": NEWEST}
    assert len(answer["upgrade_steps"]) > 20
    addon = plone.call("GET", f"{plone.url}/@addons/siteops.testaddon")[1]["upgrade_info"]
    assert addon["installedVersion"] == "1000"
    assert plone.requests()[0] == Request("GET", "/Plone/@upgrade", 200)
    assert plone.call("POST", f"{plone.url}/@upgrade", {"dry_run": False})[1]["upgraded"] is True


def wait_until(due: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not due() and time.monotonic() < give_up:
        time.sleep(0.1)


def test_a_request_outlives_its_client(plone: PloneServer, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    plone.fault(step_until=str(go_on))
    with pytest.raises(requests.Timeout):
        requests.post(f"{plone.url}/@upgrade", json={"dry_run": False}, **AS_ADMIN, timeout=0.5)
    wait_until(lambda: plone.requests() != [])
    assert plone.requests() == [Request("POST", "/Plone/@upgrade", None)]
    assert versions(plone) == (PROFILE, NEWEST)
    go_on.touch()
    wait_until(lambda: versions(plone)[0] == NEWEST)
    assert plone.requests()[0] == Request("POST", "/Plone/@upgrade", 200)


def test_a_killed_server_starts_again_on_its_data(plone: PloneServer) -> None:
    plone.set_version("6200")
    url, process = plone.url, plone.pid
    plone.kill()
    assert not plone.running
    plone.start()
    assert (plone.url, versions(plone)) == (url, ("6200", NEWEST))
    assert plone.pid != process


def test_unknown_faults_are_refused(plone: PloneServer) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        plone.fault(misspelt=True)
    with pytest.raises(ValueError, match="takes a float"):
        plone.fault(step_sleep="long")

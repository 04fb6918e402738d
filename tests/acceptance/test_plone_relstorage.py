# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back on a real RelStorage: transactions without a size, and a database without history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.ansible_cli import run_module, run_playbook
from support.plone import PROFILE
from support.plone.accounts import ADMIN
from support.plone.relstorage import RelStorageServer


@pytest.fixture
def plone(request: pytest.FixtureRequest) -> Iterator[RelStorageServer]:
    server = RelStorageServer(keeps_history=request.param)
    with server:
        yield server


def as_admin(plone: RelStorageServer) -> dict[str, Any]:
    return {"url": plone.url, "username": ADMIN.name, "password": ADMIN.password}


def version(plone: RelStorageServer) -> str:
    return str(plone.call("GET", f"{plone.url}/@upgrade")[1]["versions"]["instance"])


@pytest.mark.parametrize("plone", [True], indirect=True, ids=["with history"])
def test_an_upgrade_is_undone(plone: RelStorageServer) -> None:
    upgraded = run_module("plone_upgrade", {**as_admin(plone), "wait_interval": 1})
    assert upgraded.result["changed"], upgraded.output
    listed = run_module("plone_transaction_info", as_admin(plone)).result["transactions"]
    assert {transaction["size"] for transaction in listed} == {None}
    undone = run_module("plone_upgrade_undo", as_admin(plone))
    assert (undone.failed, undone.result.get("changed")) == (False, True), undone.output
    assert version(plone) == PROFILE
    again = run_module("plone_upgrade_undo", as_admin(plone))
    assert (again.failed, again.result.get("changed")) == (False, False), again.output


@pytest.mark.parametrize("plone", [False], indirect=True, ids=["without history"])
def test_no_way_back_is_found_before_anything_is_posted(plone: RelStorageServer) -> None:
    env = {f"PLONE_{name.upper()}": value for name, value in as_admin(plone).items()}
    wanted = json.dumps({"plone_upgrade_undo_on_failure": True, "plone_upgrade_wait_interval": 1})
    ended = run_playbook("siteops.upgrades.plone_upgrade", "-i", "site,", "-e", wanted, env=env)
    assert ended.status == 2, ended.output
    assert "The database keeps no history" in ended.words
    assert {request.method for request in plone.requests()} == {"GET"}
    assert version(plone) == PROFILE
    undone = run_module("plone_upgrade_undo", as_admin(plone))
    assert undone.failed
    assert "keeps no history" in undone.msg

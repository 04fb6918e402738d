# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real site is asked before and after its upgrade, and what a wrong answer leads to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import PlaybookRun, run_module, run_playbook
from support.plone import MANAGER, PROFILE, PloneServer
from support.plone.accounts import ADMIN

PASSING: list[dict[str, Any]] = [
    {"path": "/", "contains": "Test site Plone"},
    {"path": "", "status": 200},
    {"path": "/@users/manager", "auth": True, "contains": MANAGER.name},
    {"path": "/@users/manager", "status": 401},
    {"path": "no-such-page", "status": 404},
]
FAILING: list[tuple[dict[str, Any], str]] = [
    ({"path": "/", "status": 404}, "answered 200"),
    ({"path": "/no-such-page"}, "answered 404"),
    ({"path": "/", "contains": "no such words"}, "does not contain 'no such words'"),
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"path": "https://example.org/"}, "'path' is relative"),
    ({"path": "/", "status": 20}, "from 100 to 599"),
    ({"path": "/", "statuss": 200}, "statuss"),
    ({"status": 200}, "path"),
]


def test_pages_and_the_catalog_of_a_site(plone: PloneServer, as_admin: dict[str, Any]) -> None:
    ended = run_module("plone_site_check", {**as_admin, "checks": PASSING, "catalog": True})
    assert not ended.failed, ended.output
    assert (ended.result["changed"], ended.result["passed"]) == (False, True)
    count = ended.result["catalog_count"]
    assert count > 0
    for options in ({"catalog_before": count}, {"catalog_before": count * 2, "catalog_tolerance": 50}):
        assert not run_module("plone_site_check", {**as_admin, "catalog": True, **options}).failed
    ended = run_module("plone_site_check", {**as_admin, "catalog": True, "catalog_before": count + 1})
    assert f"lists {count} objects instead of {count + 1}" in ended.msg


@pytest.mark.parametrize(("check", "words"), FAILING, ids=["status", "missing", "content"])
def test_a_wrong_answer_is_named(
    plone: PloneServer, as_admin: dict[str, Any], check: dict[str, Any], words: str
) -> None:
    ended = run_module("plone_site_check", {**as_admin, "checks": [PASSING[0], check]})
    assert ended.failed
    assert "1 of 2 checks failed" in ended.msg
    assert words in ended.msg
    ended = run_module("plone_site_check", {**as_admin, "checks": [check], "strict": False})
    assert (ended.failed, ended.result["passed"]) == (False, False)
    assert words in ended.warnings


@pytest.mark.parametrize(("check", "words"), BAD, ids=["url", "status", "unknown", "no path"])
def test_a_bad_check_is_refused_before_a_request(
    plone: PloneServer, as_admin: dict[str, Any], check: dict[str, Any], words: str
) -> None:
    ended = run_module("plone_site_check", {**as_admin, "checks": [check]})
    assert ended.failed
    assert words in ended.msg
    assert plone.requests() == []


def run_role(as_admin: dict[str, Any], check: dict[str, Any], **variables: Any) -> PlaybookRun:
    env = {f"PLONE_{name.upper()}": str(value) for name, value in as_admin.items()}
    given = {"plone_upgrade_checks": [check], "plone_upgrade_rehearsal": "skip", **variables}
    return run_playbook("siteops.upgrades.plone_upgrade", "-i", "site,", "-e", json.dumps(given), env=env)


def test_an_upgrade_whose_site_answers_wrongly_is_undone(
    plone: PloneServer, as_admin: dict[str, Any], tmp_path: Path
) -> None:
    """And what a hook wrote to the site before the upgrade stays."""
    hook = tmp_path / "hook.yml"
    call = {
        **{"url": plone.url, "method": "PATCH", "user": ADMIN.name, "password": ADMIN.password},
        **{"force_basic_auth": True, "headers": {"Accept": "application/json"}, "body_format": "json"},
        **{"body": {"description": "Written by a hook"}, "status_code": 204},
    }
    hook.write_text(json.dumps([{"name": "Write to the site", "ansible.builtin.uri": call}]), encoding="utf-8")

    wrong = {"path": "/", "contains": "only the new release says this"}
    variables = {"plone_upgrade_undo_on_failure": True, "plone_upgrade_before": [str(hook)]}
    ended = run_role(as_admin, wrong, plone_upgrade_catalog_tolerance=0, **variables)
    assert ended.status == 2, ended.output
    assert "1 of 1 checks failed" in ended.words
    assert "Undid" in ended.words
    assert plone.call("GET", f"{plone.url}/@upgrade")[1]["versions"]["instance"] == PROFILE
    assert plone.call("GET", plone.url)[1]["description"] == "Written by a hook"


def test_a_site_with_nothing_to_do_is_asked_once(plone: PloneServer, as_admin: dict[str, Any]) -> None:
    """And a wrong answer is a failure. test_plone_fleet has the checks that pass before and after an upgrade."""
    plone.set_version("6205")
    plone.clear_requests()
    ended = run_role(as_admin, {"path": "/no-such-page"})
    assert ended.status == 2
    assert [request.path for request in plone.requests()].count("/Plone/no-such-page") == 1

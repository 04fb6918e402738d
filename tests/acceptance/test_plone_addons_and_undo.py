# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add-ons of a real Plone, the way back, and the role that joins them to the upgrade of the core."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import cutting_proxy
from support.ansible_cli import PlaybookRun, run_module, run_playbook
from support.cutting_proxy import CuttingProxy, Rule
from support.module_runner import ModuleRun
from support.plone import PloneServer
from support.plone.accounts import ADMIN
from support.plone.fixtures import Upgrade

ADDON, DEPENDENT = "siteops.testaddon", "siteops.testaddon.dependent"
NEWEST = "6205"
WITHOUT_REHEARSAL = {"plone_upgrade_rehearsal": "skip"}

Module = Callable[..., ModuleRun]
Role = Callable[..., PlaybookRun]


@pytest.fixture
def module(as_admin: dict[str, Any]) -> Module:
    """Run a module as the administrator: name, Ansible's flags, the module's options."""

    def run(module_name: str, /, *flags: str, **options: Any) -> ModuleRun:
        return run_module(module_name, {**as_admin, **options}, *flags)

    return run


@pytest.fixture
def role(as_admin: dict[str, Any]) -> Role:
    """Run the role as the administrator with these variables."""
    env = {f"PLONE_{name.upper()}": value for name, value in as_admin.items()}

    def run(*flags: str, **variables: Any) -> PlaybookRun:
        extra = json.dumps({"plone_upgrade_wait_interval": 1, **variables})
        return run_playbook("siteops.upgrades.plone_upgrade", "-i", "site,", "-e", extra, *flags, env=env)

    return run


@pytest.fixture
def upgraded(plone: PloneServer) -> PloneServer:
    """The site with a core that is up to date, without the time that its steps take."""
    plone.set_version(NEWEST)
    plone.clear_requests()
    return plone


def edit_content(plone: PloneServer) -> None:
    status, answer = plone.call("POST", plone.url, {"@type": "Document", "title": "Written meanwhile"})
    assert status == 201, answer


def core_version(plone: PloneServer) -> str:
    return str(plone.call("GET", f"{plone.url}/@upgrade")[1]["versions"]["instance"])


def addon_version(plone: PloneServer) -> str:
    return str(plone.call("GET", f"{plone.url}/@addons/{ADDON}")[1]["upgrade_info"]["installedVersion"])


def written(plone: PloneServer) -> list[str]:
    return [request.path for request in plone.requests() if request.method != "GET"]


def test_add_ons_wait_for_the_core(plone: PloneServer, module: Module) -> None:
    run = module("plone_addon", state="latest")
    assert run.failed
    assert run.msg.startswith("The core of the site is pending. Upgrade it first")
    assert not written(plone)


def test_an_add_on_is_upgraded_once(upgraded: PloneServer, module: Module) -> None:
    foreseen = module("plone_addon", "--check", name=[ADDON], state="latest")
    upgraded.clear_requests()
    first, second = (module("plone_addon", name=[ADDON], state="latest") for _run in range(2))
    change = {"id": ADDON, "action": "upgrade", "from": "1000", "to": "1002"}
    assert foreseen.result["changes"] == first.result["changes"] == [change]
    assert (first.result["changed"], second.result["changed"]) == (True, False)
    assert first.result["addons"][0]["state"] == "up_to_date"
    assert written(upgraded) == [f"/Plone/@addons/{ADDON}/upgrade"]


def test_install_and_uninstall(upgraded: PloneServer, module: Module) -> None:
    installed = module("plone_addon", name=[DEPENDENT], state="present")
    again = module("plone_addon", name=[DEPENDENT])
    gone = module("plone_addon", name=[ADDON], state="absent")
    refused = module("plone_addon", name=[DEPENDENT], state="absent")
    assert [run.result["changed"] for run in (installed, again, gone)] == [True, False, True]
    assert installed.result["addons"][0]["installed"]
    assert not gone.result["addons"][0]["installed"]
    assert "has no uninstall profile" in refused.msg


def test_what_an_add_on_brings_along_is_not_posted_again(upgraded: PloneServer, module: Module) -> None:
    upgraded.clear_requests()
    run = module("plone_addon", name=[DEPENDENT, ADDON], state="latest")
    assert [change["id"] for change in run.result["changes"]] == [DEPENDENT]
    assert {addon["state"] for addon in run.result["addons"]} == {"up_to_date"}
    assert len(written(upgraded)) == 1


def test_an_unknown_add_on_fails_by_name(plone: PloneServer, module: Module) -> None:
    for name in ("plone_addon", "plone_addon_info"):
        run = module(name, name=["collective.nothing"])
        assert run.failed
        assert "the site knows no add-on collective.nothing. It knows" in run.msg
    assert not written(plone)


def test_a_failing_step_names_the_add_on_and_keeps_what_was_done(upgraded: PloneServer, module: Module) -> None:
    upgraded.fault(addon_error="ValueError", message="the step is broken")
    run = module("plone_addon", name=["plone.app.iterate", ADDON], state="latest")
    assert run.failed
    assert f"{ADDON}: POST /Plone/@addons/{ADDON}/upgrade answered 500 ValueError: the step is broken." in run.msg
    assert run.result["changed"]
    assert [change["id"] for change in run.result["changes"]] == ["plone.app.iterate"]
    assert addon_version(upgraded) == "1000"


def test_a_lost_answer_of_an_add_on_is_decided_by_reading(upgraded: PloneServer, module: Module) -> None:
    upgraded.clear_requests()
    with CuttingProxy(upgraded.url, POST=cutting_proxy.html(504)) as proxy:
        run = module("plone_addon", url=proxy.url, name=[ADDON], state="latest", wait_timeout=30, wait_interval=1)
    assert (run.failed, run.result["changed"]) == (False, True), run.output
    assert len(written(upgraded)) == 1


def test_the_evidence_of_an_upgrade_and_its_undo(plone: PloneServer, upgrade: Upgrade, module: Module) -> None:
    nothing = module("plone_upgrade_undo")
    upgrade()
    evidence = module("plone_transaction_info", limit=1).result["transactions"][0]
    foreseen = module("plone_upgrade_undo", "--check")
    still = core_version(plone)
    done = module("plone_upgrade_undo")
    again = module("plone_upgrade_undo")
    assert (evidence["upgrade"], evidence["user"]) == (True, ADMIN.name)
    assert evidence["size"] > 10_000
    assert [run.result["changed"] for run in (nothing, foreseen, done, again)] == [False, True, True, False]
    assert (still, core_version(plone)) == ("6205", "6018")
    assert done.result["lost"] == []
    assert done.result["undone"] == [evidence]
    assert len([path for path in written(plone) if path.endswith("@transactions")]) == 1


def test_later_content_is_thrown_away_only_when_that_is_allowed(
    plone: PloneServer, upgrade: Upgrade, module: Module
) -> None:
    upgrade()
    edit_content(plone)
    refused = module("plone_upgrade_undo")
    assert refused.failed
    assert "later transactions would be lost with the upgrade" in refused.msg
    assert core_version(plone) == "6205"
    allowed = module("plone_upgrade_undo", include_later=True)
    assert (allowed.failed, allowed.result["changed"], len(allowed.result["lost"])) == (False, True, 1)
    assert core_version(plone) == "6018"
    assert plone.call("GET", f"{plone.url}/written-meanwhile")[0] == 404


def test_an_unknown_point_to_go_back_to(upgraded: PloneServer, module: Module) -> None:
    run = module("plone_upgrade_undo", back_to="no such transaction")
    assert run.failed
    assert "'back_to' is not among the transactions of this database" in run.msg
    assert core_version(upgraded) == "6205"


def test_the_role_keeps_what_an_editor_wrote_meanwhile(plone: PloneServer, role: Role) -> None:
    """The edit is made while the add-on is upgraded, after the core was."""
    plone.fault(addon_error="ValueError")

    def edit_meanwhile(handler: Any, *answer: Any) -> None:
        edit_content(plone)
        cutting_proxy.pass_on(handler, *answer)

    with CuttingProxy(plone.url, Rule("POST", f"/{ADDON}/upgrade", edit_meanwhile, times=1)) as proxy:
        variables = {"plone_upgrade_url": proxy.url, "plone_upgrade_undo_on_failure": True}
        run = role(plone_upgrade_addons=[ADDON], **WITHOUT_REHEARSAL, **variables)
    assert run.status != 0
    assert "Set 'include_later' to true if they may be lost." in run.output
    failures = [line for line in run.output.splitlines() if line.startswith("fatal: ") and "Not undone: later" in line]
    assert "answered 500 ValueError: Injected fault." in failures[-1]
    assert "Upgraded from 6018 to 6205 in" in failures[-1], "what is committed"
    assert core_version(plone) == "6205"
    assert plone.call("GET", f"{plone.url}/written-meanwhile")[0] == 200


def test_the_role_does_not_go_back_unless_it_is_asked_to_and_runs_hooks_around_changes(
    plone: PloneServer, role: Role, tmp_path: Path
) -> None:
    hooks = {}
    for moment in ("before", "after"):
        file = tmp_path / f"{moment}.yml"
        words = moment + " {{ plone_upgrade_site.versions.instance }} {{ plone_upgrade_failed }}"
        file.write_text(json.dumps([{"name": "Say when", "ansible.builtin.debug": {"msg": words}}]))
        # The text of a list, as -e plone_upgrade_before='["a.yml"]' is.
        hooks[f"plone_upgrade_{moment}"] = json.dumps([str(file)])
    plone.fault(addon_error="ValueError")
    checks = '[{"path":"/@search"}]'
    run = role(plone_upgrade_addons=json.dumps([ADDON]), plone_upgrade_checks=checks, **WITHOUT_REHEARSAL, **hooks)
    assert run.status != 0
    failures = [line for line in run.output.splitlines() if line.startswith("fatal: ")]
    assert "Upgrade the add-ons: siteops.testaddon: POST" in failures[-1]
    assert (core_version(plone), addon_version(plone)) == ("6205", "1000")
    assert re.findall(r'"msg": "((?:before|after) .*)"', run.output) == ["before 6018 False", "after 6018 True"]
    assert run.output.index("before 6018") < run.output.index("[siteops.upgrades.plone_upgrade : Run the upgrade]")


def test_a_rehearsal_that_was_not_dry_is_undone_where_a_failure_is_to_be_undone(plone: PloneServer, role: Role) -> None:
    plone.fault(step_commit=True)
    run = role(plone_upgrade_undo_on_failure=True)
    assert run.status != 0
    failures = [line for line in run.output.splitlines() if line.startswith("fatal: ")]
    assert "The dry run was not dry: the database went from 6018 to 6205." in failures[-1]
    assert "Undid 1 transaction. The database went from 6205 to 6018." in failures[-1]
    assert core_version(plone) == "6018"
    assert written(plone).count("/Plone/@upgrade") == 1

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report that each run of a role leaves, with a real Plone and the rehearsal platform."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import PlaybookRun, environment, playbook_command, run_playbook
from support.odoo_job import ONCE, READS, Job, calls, calls_since, made_once
from support.odoo_job import run_hosts as run_databases
from support.platform import SAMPLE_CONTRACT, Platform
from support.plone import PloneServer
from support.plone.accounts import ADMIN
from support.processes import kill_when
from support.report_folder import Folder, Report, assert_private, phases
from support.windows import CLOSED, REFUSED_LATER, SHORT

CREDENTIALS = {"PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}

Role = Callable[..., PlaybookRun]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Where the reports go."""
    return Folder(tmp_path / "reports")


@pytest.fixture
def plone_variables(plone: PloneServer, folder: Folder) -> dict[str, Any]:
    """The variables of the role for the test's Plone, but for the credentials, which Ansible would show with -vvvv."""
    return {
        "plone_upgrade_url": plone.url,
        "plone_upgrade_wait_interval": 1,
        "plone_upgrade_report_dir": str(folder.path),
    }


@pytest.fixture
def role(plone_variables: dict[str, Any]) -> Role:
    """Run the role plone_upgrade; variables are given without their prefix."""

    def run(*flags: str, **variables: Any) -> PlaybookRun:
        extra = {**plone_variables, **{f"plone_upgrade_{name}": value for name, value in variables.items()}}
        arguments = ("-i", "intranet,", "-e", json.dumps(extra), *flags)
        return run_playbook("siteops.upgrades.plone_upgrade", *arguments, env=CREDENTIALS)

    return run


@pytest.fixture
def job(platform: Platform, folder: Folder, tmp_path: Path) -> Job:
    """One database, of which each run is reported."""
    job = Job(platform, tmp_path / "work")
    job.variables["odoo_upgrade_report_dir"] = str(folder.path)
    return job


def test_a_failing_step_is_the_failure_of_report_and_play(plone: PloneServer, role: Role, folder: Folder) -> None:
    """The output has no secret: a failure prints most."""
    plone.fault(step_error="ValueError", message="the step is broken")
    run = role("-vvvv", "-D")
    assert run.status != 0
    assert run.recap["intranet"]["failed"] == 1
    report = folder.latest
    assert (report["result"], report["state_after"]) == ("failed", "pending")
    assert phases(report) == [("check", "ok"), ("rehearsal", "failed")]
    assert "ValueError: the step is broken" in report["message"]
    assert " ".join(report["message"].split()) in run.words
    assert "Upgrade aborted" in report["server_report"]
    for secret in (ADMIN.password, base64.b64encode(f"{ADMIN.name}:{ADMIN.password}".encode()).decode()):
        assert_private(folder, secret, [run])


def run_hosts(folder: Folder, hosts: dict[str, dict[str, Any]]) -> tuple[PlaybookRun, dict[str, Report]]:
    """Run the role for several hosts, one after another, with variables of their own; their reports by host."""
    inventory = folder.path.parent / "hosts.json"
    own = {
        host: {f"plone_upgrade_{name}": value for name, value in variables.items()} for host, variables in hosts.items()
    }
    inventory.write_text(json.dumps({"all": {"hosts": own}}), encoding="utf-8")
    run = run_playbook("siteops.upgrades.plone_upgrade", "-i", str(inventory), "-f", "1", env=CREDENTIALS)
    return run, {report["host"]: report for report in folder.reports}


def test_what_goes_otherwise_is_reported_for_each_host(plone: PloneServer, folder: Folder, tmp_path: Path) -> None:
    """A folder that cannot be written to is found before anything else: its hosts do not get to their dead address."""
    places = {"missing": tmp_path / "nowhere", "file": tmp_path / "file"}
    places["file"].write_text("", encoding="utf-8")
    own = {"report_dir": str(folder.path), "wait_interval": 1}
    away = "http://127.0.0.1:9/Plone"
    hosts = {
        "rehearsed": {**own, "url": plone.url, "rehearsal": "only"},
        "away": {**own, "url": away},
        "secret": {**own, "url": "http://admin:very-secret-word@127.0.0.1:9/Plone?key=very-secret-word"},
        **{host: {**own, "url": away, "report_dir": str(place)} for host, place in places.items()},
    }
    run, reports = run_hosts(folder, hosts)
    assert [run.recap[host]["failed"] for host in hosts] == [0, 1, 1, 1, 1], run.output
    for host, place in places.items():
        said = re.findall(rf"^fatal: \[{host}\]: FAILED! => (.*)", run.output, re.MULTILINE)
        assert said
        assert {f"there is no folder {place} on the controller" in each for each in said} == {True}, run.output
    assert set(reports) == {"rehearsed", "away", "secret"}

    rehearsed = reports["rehearsed"]
    assert run.recap["rehearsed"]["changed"] == 0
    assert (rehearsed["result"], phases(rehearsed)) == ("ok", [("check", "ok"), ("rehearsal", "ok")])
    assert {step["status"] for step in rehearsed["steps"] if step["source"]} == {"rehearsed"}
    assert rehearsed["message"].startswith("Rehearsed the upgrade from 6018 to 6205")

    unreachable = reports["away"]
    assert (unreachable["result"], unreachable["state_before"], unreachable["target"]) == ("failed", "", away)
    assert "Connection refused" in unreachable["message"]
    assert phases(unreachable) == [("check", "failed")]

    assert reports["secret"]["target"] == away
    assert "contains credentials" in reports["secret"]["message"]
    assert "very-secret-word" not in json.dumps(reports["secret"])


def play_of(host: str, variables: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A play of one's own, whose tasks have a tag."""
    variables = {**variables, "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    return {"hosts": host, "connection": "local", "gather_facts": False, "vars": variables, "tags": ["upgrade"], **more}


def test_runs_in_plays_of_ones_own_report_and_say_nothing_of_those_before(
    plone: PloneServer, plone_variables: dict[str, Any], folder: Folder, tmp_path: Path
) -> None:
    """Chosen by tag and limit: one of a host whose hook fails, by a path that is relative to the playbook; and several
    of another host, for example after a failure that the play rescued.

    A run that changes nothing runs no hook.
    """
    (tmp_path / "hooks").mkdir()
    after, playbook = tmp_path / "after.yml", tmp_path / "play.yml"
    for path, task in {
        tmp_path / "hooks/backup.yml": {"name": "Back up", "ansible.builtin.fail": {"msg": "The disk is full"}},
        after: {"name": "Take a note", "ansible.builtin.debug": {"msg": "{{ moment }}: {{ plone_upgrade_failed }}"}},
    }.items():
        path.write_text(json.dumps([task]), encoding="utf-8")
    hooks = {"plone_upgrade_after": [str(after)]}
    broken = {"plone_upgrade_before": [str(tmp_path / "missing.yml")], "plone_upgrade_rehearsal": "skip"}

    def run_role(**variables: Any) -> dict[str, Any]:
        role = {"name": "siteops.upgrades.plone_upgrade", "apply": {"tags": ["upgrade"]}}
        return {"ansible.builtin.include_role": role, "vars": variables}

    # Ansible runs no further play where every host of one failed.
    hooked = {
        "role": "siteops.upgrades.plone_upgrade",
        "vars": {"plone_upgrade_before": ["hooks/backup.yml"]},
        "when": "inventory_hostname != 'intranet'",
    }
    tasks = [
        {
            "block": [run_role(**hooks, **broken, moment="broken")],
            "rescue": [{"ansible.builtin.debug": {"msg": "the first one failed"}}],
        },
        run_role(**hooks, moment="good"),
        run_role(**hooks, plone_upgrade_before=[str(after)], moment="idle"),
        run_role(plone_upgrade_url="http://127.0.0.1:9/Plone"),
    ]
    untagged = {"tags": [], "tasks": [{"ansible.builtin.debug": {"msg": "a play without the tag"}}]}
    plays = [
        play_of("all", plone_variables, **untagged),
        play_of("all", plone_variables, roles=[hooked]),
        play_of("intranet", plone_variables, tasks=tasks),
    ]
    playbook.write_text(json.dumps(plays), encoding="utf-8")
    chosen = ("--tags", "upgrade", "--limit", "hooked,intranet")
    run = run_playbook(str(playbook), "-i", "hooked,intranet,other,", *chosen, env=CREDENTIALS)
    assert run.status != 0
    assert "a play without the tag" not in run.output
    assert "the first one failed" in run.output
    assert re.findall(r'"msg": "(\w+: (?:True|False))"', run.output) == ["broken: True", "good: False"]
    said = [line.strip() for line in run.output.splitlines() if '"Upgrade: ' in line]
    assert said == [
        '"Upgrade: Upgraded from 6018 to 6205 in 38 steps.",',
        '"Upgrade: not needed, or not asked for",',
    ]
    full, _broken, good, idle, away = folder.reports
    assert [report["result"] for report in folder.reports] == ["failed", "failed", "changed", "ok", "failed"]
    assert [report["host"] for report in folder.reports] == ["hooked", *["intranet"] * 4]
    assert "Back up: The disk is full" in full["message"]
    assert phases(full) == [("check", "ok"), ("rehearsal", "ok")]
    assert (good["target"], good["message"].partition(" from ")[0]) == (plone.url, "Upgraded")
    assert (idle["steps"], phases(idle)) == ([], [("check", "ok")])
    assert (away["state_before"], phases(away)) == ("", [("check", "failed")])
    assert (away["steps"], away["versions"]) == ([], {"before": {}, "after": {}})


def test_a_run_that_is_killed_leaves_a_report_that_has_not_ended(
    plone: PloneServer, plone_variables: dict[str, Any], folder: Folder, tmp_path: Path
) -> None:
    plone.fault(step_sleep=60.0)
    command = playbook_command("siteops.upgrades.plone_upgrade", "-i", "intranet,", "-e", json.dumps(plone_variables))

    def posted() -> bool:
        return any(request.method == "POST" for request in plone.requests())

    kill_when(posted, command, environment(CREDENTIALS), tmp_path / "killed.log")
    report = folder.latest
    assert (report["result"], report["finished_at"], report["duration"]) == ("unfinished", None, None)
    assert len(list(folder.path.iterdir())) == 1


def test_a_report_that_cannot_be_written_at_the_end_is_a_warning(role: Role, folder: Folder, tmp_path: Path) -> None:
    """The upgrade is done and proven: that nobody can be told so does not make it a failure."""
    hook = tmp_path / "hook.yml"
    moved = tmp_path / "moved"
    move = {"msg": f"{{{{ lookup('ansible.builtin.pipe', 'mv {folder.path} {moved}') }}}}"}
    hook.write_text(json.dumps([{"name": "Move the folder away", "ansible.builtin.debug": move}]), encoding="utf-8")
    run = role(before=[str(hook)], rehearsal="skip")
    assert run.status == 0, run.output
    assert "cannot be written: No such file or directory" in run.words
    [left] = moved.iterdir()
    assert json.loads(left.read_text(encoding="utf-8"))["result"] == "unfinished"


def test_a_database_is_submitted_collected_and_left_alone_in_nightly_runs(job: Job, folder: Folder) -> None:
    """After a preflight, which runs the role in check mode, also while the window is closed."""
    platform = job.platform
    platform.settings.update({"stage_seconds": None})
    planned = run_playbook("siteops.upgrades.odoo_preflight", *job.arguments(window=CLOSED))
    assert planned.status == 0, planned.output
    assert REFUSED_LATER in planned.words
    assert calls(platform) == []
    assert job.files == set()

    runs = [planned]
    job.outputs.append(planned.output)
    runs.append(job.run("-vvvv", wait="false", skip_test=True))
    assert "skip_test" not in calls(platform)
    before, content = len(calls(platform)), job.request_file.read_bytes()
    platform.advance(job.request_id)
    runs.append(job.run("--check", "--diff", wait_timeout=5))
    assert job.request_file.read_bytes() == content
    assert calls_since(platform, before) == READS
    assert not job.dest.exists()

    platform.advance(job.request_id)
    assert job.module("odoo_upgrade_request_info").result["state"] == "testing"
    platform.advance(job.request_id)
    runs.append(job.run("-vvvv", wait=False))
    job.assert_whole()
    for state in ("draft", "testing", "done"):
        assert f"{state} 20" in runs[-1].output
    assert str(job.dest) in runs[-1].output.partition("Summarise")[2]
    before, size = len(calls(platform)), job.dump.stat().st_size
    assert [path.stat().st_mode & 0o777 for path in (job.request_file, job.dest)] == [0o600, 0o600]

    job.dump.unlink()
    runs.append(job.run("-vvvv", wait=False))
    assert calls_since(platform, before) == READS
    assert made_once(platform)
    assert {call: calls(platform).count(call) for call in ONCE} == dict.fromkeys(ONCE, 1)
    assert job.files == {job.request_file.name, job.dest.name}
    assert [job.counters(run)["changed"] for run in runs[1:]] == [3, 1, 1, 0]
    job.assert_nothing_secret()
    assert_reports_of_nightly_runs(job, size, *folder.reports)
    for secret in (platform.store.all()[0].key, SAMPLE_CONTRACT):
        assert_private(folder, secret, runs)


def assert_reports_of_nightly_runs(
    job: Job, size: int, planned: Report, submitted: Report, waited: Report, collected: Report, idle: Report
) -> None:
    assert (planned["check_mode"], planned["result"]) == (True, "changed")
    assert planned["request"] == {
        "id": "",
        "aim": "test",
        "target": "18.0",
        "states": [],
        "sent": None,
        "fetched": None,
        "protocol": "database_api",
        "is_pg_version_compatible": None,
    }

    assert (submitted["result"], submitted["product"], submitted["host"]) == ("changed", "odoo", "shop")
    assert (submitted["target"], submitted["state_before"], submitted["state_after"]) == ("shop.sql", "", "pending")
    assert phases(submitted)[:3] == [("request", "changed"), ("upload", "changed"), ("process", "changed")]
    sent = submitted["request"]["sent"]
    assert (sent["name"], sent["size"]) == (job.dump.name, size)

    assert (waited["check_mode"], waited["result"]) == (True, "changed")

    assert (collected["result"], collected["state_after"]) == ("changed", "done")
    assert collected["message"].startswith("Fetched ")
    assert phases(collected)[-1] == ("download", "changed")
    request = collected["request"]
    assert (request["id"], request["aim"], request["target"]) == (str(job.request_id), "test", "18.0")
    assert [seen["state"] for seen in request["states"]][0] == "draft"
    assert (request["fetched"]["name"], request["fetched"]["size"]) == (job.dest.name, job.dest.stat().st_size)
    assert collected["versions"] == {"before": {}, "after": {"target": "18.0"}}

    assert (idle["result"], idle["state_before"], idle["state_after"]) == ("ok", "done", "done")
    assert idle["request"]["fetched"]["duration"] == 0


def test_a_request_that_the_platform_gives_up_on(job: Job, folder: Folder) -> None:
    platform = job.platform
    platform.settings.update({"stage_seconds": None})
    job.submit()
    platform.force_state(job.request_id, "invalid", "Module sale_shop is\nnot known.")
    ended = job.run(wait=False)
    waited = job.module("odoo_upgrade_request_info", wait=True)
    words = "ended in the state 'invalid'. The platform says: Module sale_shop is not known."
    assert (ended.status != 0, words in ended.words, words in waited.msg) == (True, True, True), ended.output
    report = folder.latest
    assert (report["result"], report["state_after"]) == ("failed", "invalid")
    assert "Module sale_shop is" in report["message"]
    assert not job.dest.exists()
    assert made_once(platform)


def test_what_platform_and_role_refuse_is_reported_without_the_secret(job: Job, folder: Folder) -> None:
    """The platform repeats the contract in its words. It is asked in a window that closes before the upgrade ends."""
    wrong = "M999999-zyxwvu"
    asked = {"target": "5.0", "contract": wrong, "window": SHORT, "wait_timeout": 86400}
    hosts: dict[str, dict[str, Any]] = {"wrong": asked, "production": {"aim": "production"}}
    run = run_databases(job, hosts, "-vvvv")
    [by_role], [by_platform] = folder.of("production"), folder.of("wrong")
    assert {host: run.recap[host]["failed"] for host in hosts} == {"wrong": 1, "production": 1}
    assert 'TARGET:INVALID: Invalid value "5.0" (expected: 16.0, 17.0, 18.0, 19.0)' in run.words
    assert "CONTRACT:NOT_FOUND: Can not find contract" in run.words
    assert "CONTRACT:NOT_FOUND" in by_platform["message"]
    assert "What is started now may take 1 d, and the maintenance window closes in" in run.words
    assert (by_platform["result"], phases(by_platform)) == ("failed", [("request", "failed")])
    assert "set odoo_upgrade_production_confirmed to true" in by_role["message"]
    assert (by_role["result"], by_role["request"]["aim"], by_role["phases"]) == ("failed", "production", [])
    assert_private(folder, wrong, [run])
    assert job.files == set()
    job.create()
    assert len(job.platform.store.all()) == 1

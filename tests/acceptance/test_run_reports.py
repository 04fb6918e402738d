# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report that each run of a role leaves, with a real Plone and the rehearsal platform."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.ansible_cli import PlaybookRun, environment, playbook_command, run_playbook
from support.odoo_job import ONCE, READS, Job, calls, calls_since, made_once
from support.platform import SAMPLE_CONTRACT, Platform
from support.plone import PloneServer
from support.plone.accounts import ADMIN
from support.processes import kill_tree

SCHEMA = Path(__file__).parents[2] / "roles/upgrade_report/files/run_report.schema.json"
ADDON = "siteops.testaddon"
CREDENTIALS = {"PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
KILLED_WITHIN = 60

Report = dict[str, Any]
Role = Callable[..., PlaybookRun]


class Folder:
    """The folder of the reports; every report that is read is one by the schema."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
        path.mkdir()

    @property
    def reports(self) -> list[Report]:
        """In the order of their beginnings."""
        found = [json.loads(path.read_text(encoding="utf-8")) for path in self.path.iterdir()]
        for report in found:
            self._validator.validate(report)
        return sorted(found, key=lambda report: str(report["started_at"]))

    @property
    def latest(self) -> Report:
        return self.reports[-1]


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


def core_version(plone: PloneServer) -> str:
    return str(plone.call("GET", f"{plone.url}/@upgrade")[1]["versions"]["instance"])


def addon_version(plone: PloneServer) -> str:
    return str(plone.call("GET", f"{plone.url}/@addons/{ADDON}")[1]["upgrade_info"]["installedVersion"])


def written(plone: PloneServer) -> list[str]:
    return [request.path for request in plone.requests() if request.method != "GET"]


def phases(report: Report) -> list[tuple[str, str]]:
    return [(phase["name"], phase["result"]) for phase in report["phases"]]


def test_a_site_is_upgraded_and_upgraded_again(plone: PloneServer, role: Role, folder: Folder) -> None:
    runs = [role("--check", addons="all")]
    assert written(plone) == []
    runs.append(role("-vvvv", addons="all"))
    assert (core_version(plone), addon_version(plone)) == ("6205", "1002")
    plone.clear_requests()
    runs.append(role("-vvvv", addons="all"))
    assert written(plone) == []
    assert [run.recap["intranet"]["changed"] for run in runs] == [2, 2, 0]
    foreseen, first, second = folder.reports

    assert (foreseen["check_mode"], foreseen["result"], foreseen["server_report"]) == (True, "changed", "")
    assert foreseen["message"].startswith("Would upgrade from 6018 to 6205")
    assert foreseen["addons"] == [{"id": ADDON, "from": "1000", "to": "1002"}]

    assert (first["check_mode"], first["result"]) == (False, "changed")
    assert first["message"].startswith("Upgraded from 6018 to 6205 in ")
    assert (first["state_before"], first["state_after"]) == ("pending", "up_to_date")
    assert first["versions"]["before"].items() >= {"instance": "6018", "fs": "6205", "plone": "6.2.2"}.items()
    assert first["versions"]["after"] == {"instance": "6205", "fs": "6205"}
    assert phases(first) == [
        ("check", "ok"),
        ("rehearsal", "ok"),
        ("upgrade", "changed"),
        ("addons", "changed"),
        ("verification", "ok"),
    ]
    assert {step["status"] for step in first["steps"] if step["source"]} == {"run"}
    assert first["steps"][0].items() >= {"source": "6018", "destination": "6019"}.items()
    assert "Your Plone instance is now up-to-date." in first["server_report"]
    assert first["addons"] == foreseen["addons"]
    assert sum(phase["duration"] for phase in first["phases"]) <= first["duration"]

    assert (second["result"], second["state_before"], second["state_after"]) == ("ok", "up_to_date", "up_to_date")
    assert second["message"] == "The core is up_to_date at 6205."
    assert phases(second) == [("check", "ok")]
    assert (second["steps"], second["addons"]) == ([], [])
    assert_private(folder, ADMIN.password, runs)


def test_a_failing_step_is_the_failure_of_report_and_play(plone: PloneServer, role: Role, folder: Folder) -> None:
    plone.fault(step_error="ValueError", message="the step is broken")
    run = role()
    assert run.status != 0
    assert run.recap["intranet"]["failed"] == 1
    report = folder.latest
    assert (report["result"], report["state_after"]) == ("failed", "pending")
    assert phases(report) == [("check", "ok"), ("rehearsal", "failed")]
    assert "ValueError: the step is broken" in report["message"]
    assert " ".join(report["message"].split()) in run.words
    assert "Upgrade aborted" in report["server_report"]


def test_an_upgrade_that_was_taken_back_is_reported_so(plone: PloneServer, role: Role, folder: Folder) -> None:
    plone.fault(addon_error="ValueError", message="the step is broken")
    run = role(addons=[ADDON], undo_on_failure=True)
    assert run.status != 0
    assert f"{ADDON}: POST /Plone/@addons/{ADDON}/upgrade answered 500 ValueError: the step is broken." in run.words
    assert (core_version(plone), addon_version(plone)) == ("6018", "1000")
    newest = plone.call("GET", f"{plone.url}/@transactions")[1][0]
    assert newest["description"].startswith("/Plone/PATCH_application_json_@transactions")
    report = folder.latest
    assert (report["result"], report["state_before"], report["state_after"]) == ("failed", "pending", "pending")
    assert phases(report)[-2:] == [("addons", "failed"), ("undo", "changed")]
    assert report["versions"]["after"]["instance"] == "6018"
    assert "Upgrade the add-ons: " in report["message"]
    assert "The database went from 6205 to 6018." in report["message"]


def test_a_hook_that_fails_is_the_failure(plone_variables: dict[str, Any], folder: Folder, tmp_path: Path) -> None:
    """In a play of one's own, run by tag and limit; the path of the hook is relative to the playbook."""
    role = {"role": "siteops.upgrades.plone_upgrade", "tags": ["upgrade"]}
    variables = {**plone_variables, "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    hook = [{"name": "Back up", "ansible.builtin.fail": {"msg": "The disk is full"}}]
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": variables,
        "roles": [{**role, "vars": {"plone_upgrade_before": ["hooks/backup.yml"]}}],
    }
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "backup.yml").write_text(json.dumps(hook), encoding="utf-8")
    (tmp_path / "own.yml").write_text(json.dumps([play]), encoding="utf-8")
    chosen = ("--tags", "upgrade", "--limit", "intranet")
    run = run_playbook(str(tmp_path / "own.yml"), "-i", "intranet,other,", *chosen, env=CREDENTIALS)
    assert run.status != 0
    [report] = folder.reports
    assert (report["host"], report["result"]) == ("intranet", "failed")
    assert "Back up: The disk is full" in report["message"]
    assert phases(report) == [("check", "ok"), ("rehearsal", "ok")]


def run_hosts(folder: Folder, hosts: dict[str, dict[str, Any]]) -> tuple[PlaybookRun, dict[str, Report]]:
    """Run the role for several hosts, one after another, with variables of their own; their reports by host."""
    inventory = folder.path.parent / "hosts.json"
    own = {
        host: {f"plone_upgrade_{name}": value for name, value in variables.items()} for host, variables in hosts.items()
    }
    inventory.write_text(json.dumps({"all": {"hosts": own}}), encoding="utf-8")
    run = run_playbook("siteops.upgrades.plone_upgrade", "-i", str(inventory), "-f", "1", env=CREDENTIALS)
    return run, {report["host"]: report for report in folder.reports}


def test_what_goes_otherwise_is_reported_for_each_host(plone: PloneServer, folder: Folder) -> None:
    own = {"report_dir": str(folder.path), "wait_interval": 1}
    away = "http://127.0.0.1:9/Plone"
    hosts = {
        "rehearsed": {**own, "url": plone.url, "rehearsal": "only"},
        "away": {**own, "url": away},
        "secret": {**own, "url": "http://admin:very-secret-word@127.0.0.1:9/Plone?key=very-secret-word"},
    }
    run, reports = run_hosts(folder, hosts)
    assert [run.recap[host]["failed"] for host in hosts] == [0, 1, 1], run.output

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


def test_a_folder_that_cannot_be_written_to_is_found_before_anything_else(
    plone: PloneServer, folder: Folder, tmp_path: Path
) -> None:
    places = {"missing": tmp_path / "nowhere", "file": tmp_path / "file"}
    places["file"].write_text("", encoding="utf-8")
    run, _reports = run_hosts(folder, {h: {"url": plone.url, "report_dir": str(at)} for h, at in places.items()})
    for host, place in places.items():
        assert run.recap[host]["failed"] == 1
        assert f"there is no folder {place} on the controller" in run.words
    assert plone.requests() == []


def test_two_sites_in_one_play_do_not_share_what_they_report(
    plone: PloneServer, plone_variables: dict[str, Any], folder: Folder, tmp_path: Path
) -> None:
    """The second run of the role on a host fails at once, and must not report what the first one left behind."""
    play = {
        "hosts": "intranet",
        "connection": "local",
        "gather_facts": False,
        "vars": {**plone_variables, "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [
            {
                "ansible.builtin.include_role": {"name": "siteops.upgrades.plone_upgrade"},
                "vars": {"plone_upgrade_url": url},
            }
            for url in (plone.url, "http://127.0.0.1:9/Plone")
        ],
    }
    playbook = tmp_path / "two.yml"
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    assert run_playbook(str(playbook), "-i", "intranet,", env=CREDENTIALS).status != 0
    first, second = folder.reports
    assert (first["result"], first["target"]) == ("changed", plone.url)
    assert (second["result"], second["state_before"]) == ("failed", "")
    assert phases(second) == [("check", "failed")]
    assert (second["steps"], second["versions"]) == ([], {"before": {}, "after": {}})


def test_a_run_that_is_killed_leaves_a_report_that_has_not_ended(
    plone: PloneServer, plone_variables: dict[str, Any], folder: Folder
) -> None:
    plone.fault(step_sleep=float(KILLED_WITHIN))
    command = playbook_command("siteops.upgrades.plone_upgrade", "-i", "intranet,", "-e", json.dumps(plone_variables))
    env, nowhere = environment(CREDENTIALS), subprocess.DEVNULL
    running = subprocess.Popen(command, env=env, stdout=nowhere, stderr=nowhere)
    give_up = time.monotonic() + KILLED_WITHIN
    while not any(request.method == "POST" for request in plone.requests()) and time.monotonic() < give_up:
        time.sleep(0.2)
    kill_tree(running)
    report = folder.latest
    assert (report["result"], report["finished_at"], report["duration"]) == ("unfinished", None, None)
    assert len(list(folder.path.iterdir())) == 1


def test_a_report_that_cannot_be_written_at_the_end_is_a_warning(role: Role, folder: Folder, tmp_path: Path) -> None:
    """The upgrade is done and proven: that nobody can be told so does not make it a failure."""
    hook = tmp_path / "hook.yml"
    moved = tmp_path / "moved"
    hook.write_text(
        f"- name: Move the folder away\n  ansible.builtin.command: mv {folder.path} {moved}\n  changed_when: false\n",
        encoding="utf-8",
    )
    run = role(before=[str(hook)])
    assert run.status == 0, run.output
    assert "cannot be written: No such file or directory" in run.words
    [left] = moved.iterdir()
    assert json.loads(left.read_text(encoding="utf-8"))["result"] == "unfinished"


def test_a_database_makes_the_round_trip_and_is_left_alone(job: Job, folder: Folder) -> None:
    platform = job.platform
    runs = [job.run("--check", "--diff")]
    assert calls(platform) == []
    assert job.files == set()
    runs.append(job.run("-vvvv"))
    job.assert_whole()
    assert {call: calls(platform).count(call) for call in ONCE} == dict.fromkeys(ONCE, 1)
    assert [path.stat().st_mode & 0o777 for path in (job.request_file, job.dest)] == [0o600, 0o600]
    assert job.files == {job.request_file.name, job.dest.name}
    before = len(calls(platform))
    runs.append(job.run("-vvvv"))
    # The report has the dump's size, so that the checks of the reports come before the dump goes.
    foreseen, first, second = folder.reports
    size = job.dump.stat().st_size
    job.dump.unlink()
    runs.append(job.run("--check", "--diff"))
    assert calls_since(platform, before) == READS
    assert [job.counters(run)["changed"] for run in runs] == [4, 4, 0, 0]
    job.assert_nothing_secret()

    assert (foreseen["check_mode"], foreseen["result"]) == (True, "changed")
    assert foreseen["request"] == {
        "id": "",
        "aim": "test",
        "target": "18.0",
        "states": [],
        "sent": None,
        "fetched": None,
    }

    assert (first["result"], first["product"], first["host"], first["target"]) == (
        "changed",
        "odoo",
        "shop",
        "shop.sql",
    )
    assert (first["state_before"], first["state_after"]) == ("", "done")
    assert first["message"].startswith("Fetched ")
    assert phases(first) == [
        ("request", "changed"),
        ("upload", "changed"),
        ("process", "changed"),
        ("wait", "ok"),
        ("download", "changed"),
    ]
    request = first["request"]
    assert (request["id"], request["aim"], request["target"]) == (str(job.request_id), "test", "18.0")
    assert [seen["state"] for seen in request["states"]][0] == "draft"
    assert (request["sent"]["name"], request["sent"]["size"]) == (job.dump.name, size)
    assert (request["fetched"]["name"], request["fetched"]["size"]) == (job.dest.name, job.dest.stat().st_size)
    assert first["versions"] == {"before": {}, "after": {"target": "18.0"}}

    assert (second["result"], second["state_before"], second["state_after"]) == ("ok", "done", "done")
    assert second["request"]["sent"]["duration"] == second["request"]["fetched"]["duration"] == 0
    key = job.platform.store.all()[0].key
    assert_private(folder, key, runs)
    assert_private(folder, SAMPLE_CONTRACT, runs)


def test_a_request_that_the_platform_gives_up_on(job: Job, folder: Folder) -> None:
    platform = job.platform
    platform.settings.update({"stage_seconds": None})
    job.counters(job.run(wait=False))
    assert (folder.latest["result"], folder.latest["state_after"]) == ("changed", "pending")
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


def test_all_that_the_platform_refuses_is_reported_without_the_secret(job: Job, folder: Folder) -> None:
    """The platform repeats the contract in its words."""
    wrong = "M999999-zyxwvu"
    run = job.run("-vvvv", target="5.0", contract=wrong)
    assert run.status != 0
    assert 'TARGET:INVALID: Invalid value "5.0" (expected: 16.0, 17.0, 18.0, 19.0)' in run.words
    assert "CONTRACT:NOT_FOUND: Can not find contract" in run.words
    assert "CONTRACT:NOT_FOUND" in folder.latest["message"]
    assert phases(folder.latest) == [("request", "failed")]
    assert_private(folder, wrong, [run])
    assert job.files == set()
    job.create()
    assert len(job.platform.store.all()) == 1


def test_what_the_role_itself_refuses_is_reported(job: Job, folder: Folder) -> None:
    assert job.run(aim="production").status != 0
    assert folder.latest["result"] == "failed"
    assert "set odoo_upgrade_production_confirmed to true" in folder.latest["message"]
    assert folder.latest["request"]["aim"] == "production"
    assert folder.latest["phases"] == []


def test_a_preflight_leaves_a_report_of_check_mode(job: Job, folder: Folder) -> None:
    ended = run_playbook("siteops.upgrades.odoo_preflight", *job.arguments(window={"from": "00:00", "to": "24:00"}))
    assert ended.status == 0, ended.output
    assert (folder.latest["check_mode"], folder.latest["result"]) == (True, "changed")
    assert job.platform.calls() == []


def assert_private(folder: Folder, secret: str, runs: list[PlaybookRun]) -> None:
    """The secret is in no report, and the files are named and kept as documented."""
    for path in folder.path.iterdir():
        assert secret not in path.read_text(encoding="utf-8")
        assert re.fullmatch(r"[a-z]+-\d{8}T\d{6}Z(-\d+)?\.json", path.name)
        assert path.stat().st_mode & 0o777 == 0o640
        assert path.stat().st_uid == os.geteuid()
    assert not any(secret in run.output for run in runs)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role odoo_upgrade, started as a user starts it, against the rehearsal platform."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.ansible_cli import run_playbook
from support.odoo_job import ONCE, PLAYBOOK, READS, Job, calls, calls_since, made_once
from support.platform import SAMPLE_CONTRACT, Platform


def test_a_round_trip_and_a_second_run(platform: Platform, job: Job) -> None:
    first = job.counters(job.run("-vvvv"))
    assert first["changed"] == 4
    job.assert_whole()
    assert {call: calls(platform).count(call) for call in ONCE} == dict.fromkeys(ONCE, 1)
    assert job.request_file.stat().st_mode & 0o777 == 0o600
    assert job.dest.stat().st_mode & 0o777 == 0o600
    assert job.files == {job.request_file.name, job.dest.name}

    before = len(calls(platform))
    assert job.counters(job.run("-vvvv"))["changed"] == 0
    assert calls_since(platform, before) == READS

    before = len(calls(platform))
    assert job.counters(job.run("--check", "--diff"))["changed"] == 0
    assert calls_since(platform, before) == READS

    job.dump.unlink()
    assert job.counters(job.run())["changed"] == 0

    job.assert_nothing_secret()


def test_a_zip_archive_makes_the_round_trip(platform: Platform, job: Job) -> None:
    (job.folder / "dump.sql").write_bytes(job.dump.read_bytes())
    subprocess.run([sys.executable, "-m", "zipfile", "-c", "shop.zip", "dump.sql"], cwd=job.folder, check=True)
    archive = str(job.folder / "shop.zip")
    job.counters(job.run(dump=archive, dest=str(job.folder / "upgraded.zip"), filename="My shop.zip"))
    assert platform.request(job.request_id).filename == "My shop.zip"
    listing = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", "upgraded.zip"], cwd=job.folder, check=True, capture_output=True
    )
    assert b"upgrade.json" in listing.stdout


def test_check_mode_first_sends_nothing_and_leaves_nothing(platform: Platform, job: Job) -> None:
    counters = job.counters(job.run("--check", "--diff"))
    assert counters["changed"] == 4
    assert calls(platform) == []
    assert job.files == set()


def test_check_mode_in_the_middle_only_reads(platform: Platform, job: Job) -> None:
    platform.settings.update({"stage_seconds": None})
    job.counters(job.run(wait=False))
    content = job.request_file.read_bytes()
    for state in ("pending", "processing", "testing"):
        platform.force_state(job.request_id, state)
        before = len(calls(platform))
        assert job.counters(job.run("--check", wait_timeout=5))["changed"] == 1
        assert calls_since(platform, before) == READS
    assert job.request_file.read_bytes() == content


def test_nightly_runs_go_on_where_the_platform_is(platform: Platform, job: Job) -> None:
    platform.settings.update({"stage_seconds": None})
    assert job.counters(job.run(wait="false"))["changed"] == 3
    for _state in ("pending", "processing", "testing"):
        before = len(calls(platform))
        assert job.counters(job.run(wait=False))["changed"] == 0
        assert calls_since(platform, before) == READS
        platform.advance(job.request_id)
    assert not job.dest.exists()
    collected = job.run(wait=False)
    assert job.counters(collected)["changed"] == 1
    job.assert_whole()
    for state in ("draft", "pending", "processing", "testing", "done"):
        assert f"{state} 20" in collected.output
    assert str(job.dest) in collected.output.partition("Summarise")[2]
    before = len(calls(platform))
    assert job.counters(job.run(wait=False))["changed"] == 0
    assert calls_since(platform, before) == READS
    assert made_once(platform)


def test_the_tests_of_the_platform_can_be_skipped(platform: Platform, job: Job) -> None:
    platform.settings.update({"stage_seconds": None})
    assert job.counters(job.run(wait=False, skip_test=True))["changed"] == 3
    platform.force_state(job.request_id, "testing")
    assert job.counters(job.run(wait=False, skip_test="true"))["changed"] == 2
    job.assert_whole()
    assert calls(platform).count("skip_test") == 1
    assert platform.request(job.request_id).state == "delivered"
    before = len(calls(platform))
    assert job.counters(job.run(skip_test=True))["changed"] == 0
    assert calls_since(platform, before) == READS


def failures_of_hosts(job: Job, hosts: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Run the role for several hosts at once, each with variables of its own; what each of them failed with."""
    inventory = {
        host: {**job.variables, **{f"odoo_upgrade_{name}": value for name, value in variables.items()}}
        for host, variables in hosts.items()
    }
    job.inventory.write_text(json.dumps({"all": {"hosts": inventory}}), encoding="utf-8")
    ended = run_playbook(PLAYBOOK, "-i", str(job.inventory))
    assert {host: ended.recap[host]["failed"] for host in hosts} == dict.fromkeys(hosts, 1), ended.output
    return dict(re.findall(r"^fatal: \[(\w+)\]: FAILED! => (.*)", ended.output, re.MULTILINE))


def test_production_is_refused_before_anything_is_sent(platform: Platform, job: Job) -> None:
    confirmations: dict[str, dict[str, Any]] = {
        "silent": {},
        "false": {"production_confirmed": False},
        "text": {"production_confirmed": "no"},
    }
    hosts = {host: {"aim": "production", **confirmation} for host, confirmation in confirmations.items()}
    failures = failures_of_hosts(job, hosts)
    assert [host for host in hosts if "odoo_upgrade_production_confirmed" not in failures[host]] == []
    assert calls(platform) == []
    assert job.files == set()


def test_production_can_be_confirmed(platform: Platform, job: Job) -> None:
    job.counters(job.run(aim="production", production_confirmed="true"))
    assert platform.request(job.request_id).aim == "production"


def test_bad_input_is_refused_before_anything_is_sent(platform: Platform, job: Job) -> None:
    bad = {
        "contract": "",
        "email": "nobody",
        "target": "",
        "filename": "a/b",
        "aim": "rehearsal",
        "dump": "missing.sql",
        "dest": "missing/shop.sql",
        "request_file": "missing/shop.json",
        "wait": "perhaps",
        "wait_timeout": 0,
        "wait_interval": -1,
        "connections": 17,
        "progress_interval": -1,
    }
    failures = failures_of_hosts(job, {name: {name: value} for name, value in bad.items()})
    assert {name for name in bad if name not in failures[name]} == set(), failures
    assert calls(platform) == []
    assert job.files == set()


def test_what_a_later_step_could_not_use_is_refused_before_anything_is_sent(platform: Platform, job: Job) -> None:
    (job.folder / "taken.sql").write_text("another result", encoding="utf-8")
    (job.folder / "empty.sql").touch()
    bad: dict[str, tuple[dict[str, Any], str]] = {
        "taken": ({"dest": str(job.folder / "taken.sql")}, "There is another file at"),
        "folder": ({"dest": str(job.folder)}, "Option 'dest'"),
        "empty": ({"dump": str(job.folder / "empty.sql")}, "Option 'src'"),
        "key": ({"transport": "sftp", "sftp_private_key": "missing"}, "Option 'sftp_private_key'"),
    }
    failures = failures_of_hosts(job, {name: variables for name, (variables, _words) in bad.items()})
    assert {name for name, (_variables, words) in bad.items() if words not in failures[name]} == set(), failures
    assert calls(platform) == []


def test_all_failures_of_one_answer_are_told_at_once_and_nothing_stays_behind(platform: Platform, job: Job) -> None:
    ended = job.run("-vvvv", target="5.0", contract="M999999-zyxwvu")
    assert ended.status != 0
    assert 'TARGET:INVALID: Invalid value "5.0" (expected: 16.0, 17.0, 18.0, 19.0)' in ended.words
    assert "CONTRACT:NOT_FOUND: Can not find contract" in ended.words
    assert "M999999-zyxwvu" not in ended.output
    assert job.files == set()
    job.counters(job.run(wait=False))
    assert len(platform.store.all()) == 1


def test_another_target_is_refused_for_the_same_request_file(platform: Platform, job: Job) -> None:
    job.counters(job.run(wait=False))
    before = len(calls(platform))
    ended = job.run(target="17.0", wait=False)
    assert ended.status != 0
    assert "target is '18.0', not '17.0'" in ended.words
    assert calls_since(platform, before) == set()


def test_the_key_is_sent_to_no_other_platform(platform: Platform, job: Job) -> None:
    job.counters(job.run(wait=False))
    with Platform() as other:
        ended = job.run(wait=False, api_url=other.api_url, ca_path=str(other.ca_path))
        assert ended.status != 0
        assert "is about a request at" in ended.words
        assert calls(other) == []


def test_an_upgrade_that_failed_is_told_in_the_words_of_the_platform(platform: Platform, job: Job) -> None:
    platform.settings.update({"end_state": "invalid", "customer_message": "Module sale_shop is\nnot known."})
    for wait in (True, False):
        ended = job.run(wait=wait)
        assert ended.status != 0
        assert "ended in the state 'invalid'. The platform says: Module sale_shop is not known." in ended.words
    assert not job.dest.exists()
    assert made_once(platform)


def test_a_state_that_nobody_knows_proves_nothing(platform: Platform, job: Job) -> None:
    fields = {"contract": SAMPLE_CONTRACT, "email": "john.doe@example.com", "target": "18.0", "filename": "shop.sql"}
    job.module("odoo_upgrade_request", **fields)
    platform.force_state(job.request_id, "queued")
    unknown = job.module("odoo_upgrade_process")
    assert (unknown.failed, unknown.result["changed"]) == (False, False)
    assert "Nothing was started: request" in unknown.msg
    assert "does not know the state 'queued'" in unknown.warnings
    platform.force_state(job.request_id, "PROCESSING")
    assert job.module("odoo_upgrade_process").msg == "The upgrade was started before."
    assert "process" not in calls(platform)


def test_an_inventory_of_several_databases(platform: Platform, tmp_path: Path) -> None:
    jobs = [Job(platform, tmp_path / name, name) for name in ("shop", "intranet")]
    inventory = tmp_path / "databases.json"
    inventory.write_text(json.dumps({"all": {"hosts": {job.host: job.variables for job in jobs}}}), encoding="utf-8")
    ended = run_playbook(PLAYBOOK, "-i", str(inventory))
    assert ended.status == 0, ended.output
    for job in jobs:
        assert ended.recap[job.host]["changed"] == 4
        job.assert_whole()
    assert len({job.request_id for job in jobs}) == 2

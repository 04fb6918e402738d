# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role odoo_upgrade, started as a user starts it, against the rehearsal platform."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import run_module
from support.odoo_job import READS, Job, calls, calls_since, failures, run_hosts
from support.odoo_shop import sql_dump
from support.platform import SAMPLE_CONTRACT, Platform
from support.report_folder import Folder, phases

CREATION = {"contract": SAMPLE_CONTRACT, "email": "john.doe@example.com", "target": "18.0", "filename": "shop.sql"}


def test_production_and_what_a_later_step_could_not_use_are_refused_before_anything_is_sent(
    platform: Platform, job: Job
) -> None:
    (job.folder / "taken.sql").write_text("another result", encoding="utf-8")
    (job.folder / "empty.sql").touch()
    (job.folder / "damaged.sql").write_bytes(job.dump.read_bytes()[:1000])
    unconfirmed, service = "odoo_upgrade_production_confirmed", {"api_url": platform.service_url, "email": ""}
    earlier = Job(platform, job.folder / "earlier")
    earlier.complete()
    renewed = {"renew": True, "dump": str(sql_dump(job.folder / "shop-2026-02.sql", 300_000))}
    files, before, first = job.files, len(calls(platform)), earlier.dest.read_bytes()
    bad: dict[str, tuple[dict[str, Any], str]] = {
        "silent": ({"aim": "production"}, unconfirmed),
        "false": ({"aim": "production", "production_confirmed": False}, unconfirmed),
        "text": ({"aim": "production", "production_confirmed": "no"}, unconfirmed),
        "taken": ({"dest": str(job.folder / "taken.sql")}, "There is another file at"),
        "folder": ({"dest": str(job.folder)}, "Option 'dest'"),
        "empty": ({"dump": str(job.folder / "empty.sql")}, "In the role odoo_upgrade: odoo_upgrade_dump"),
        "key": ({"transport": "sftp", "sftp_private_key": "missing"}, "Option 'sftp_private_key'"),
        # With today's service: a wish of the other protocol, and a dump that is not whole.
        "wish": ({**service, "skip_test": True}, "odoo_upgrade_skip_test"),
        "damaged": ({**service, "dump": str(job.folder / "damaged.sql")}, "is not whole"),
        # Another dump for a request that has ended, where its result lies.
        "renewed": ({**earlier.settings, **renewed}, "There is another file at"),
    }
    found = failures(run_hosts(job, {name: variables for name, (variables, _words) in bad.items()}))
    assert {name for name, (_variables, words) in bad.items() if words not in found.get(name, "")} == set(), found
    assert "odoo_upgrade_force" in found["renewed"]
    assert calls_since(platform, before) <= READS
    assert (job.files, earlier.dest.read_bytes()) == (files, first)


def test_bad_input_is_refused_before_anything_is_sent(platform: Platform, job: Job) -> None:
    bad: dict[str, Any] = {
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
    found = failures(run_hosts(job, {name: {name: value} for name, value in bad.items()}))
    assert {name for name in bad if name not in found.get(name, "")} == set(), found
    assert calls(platform) == []
    assert job.files == set()


def python_without_ssh_libraries(folder: Path) -> Path:
    """A Python in which loading a library for SSH fails."""
    broken = folder / "broken"
    for library in ("paramiko", "cryptography"):
        (broken / library).mkdir(parents=True)
        (broken / library / "__init__.py").write_text('raise RuntimeError("this was loaded")\n', encoding="utf-8")
    interpreter = folder / "python"
    interpreter.write_text(f'#!/bin/sh\nPYTHONPATH={broken} exec {sys.executable} "$@"\n', encoding="utf-8")
    interpreter.chmod(0o755)
    probe = subprocess.run([interpreter, "-c", "import paramiko"], capture_output=True, text=True, check=False)
    assert "this was loaded" in probe.stderr
    return interpreter


@pytest.mark.main
def test_several_databases_one_of_them_a_zip_archive_for_production(platform: Platform, tmp_path: Path) -> None:
    """Over HTTPS, which loads no library for SSH."""
    reports = Folder(tmp_path / "reports")
    jobs = [Job(platform, tmp_path / name, name) for name in ("shop", "intranet")]
    with zipfile.ZipFile(jobs[1].folder / "intranet.zip", "w") as archive:
        archive.write(jobs[1].dump, "dump.sql")
    own = {"dump": str(jobs[1].folder / "intranet.zip"), "dest": str(jobs[1].folder / "upgraded.zip")}
    own |= {"filename": "My intranet.zip", "aim": "production", "production_confirmed": "true"}
    jobs[1].variables.update({f"odoo_upgrade_{name}": value for name, value in own.items()})
    for job in jobs:
        job.variables["odoo_upgrade_report_dir"] = str(reports.path)
    interpreter = python_without_ssh_libraries(tmp_path)
    without = ("-e", json.dumps({"ansible_python_interpreter": str(interpreter)}))
    ended = run_hosts(jobs[0], {job.host: job.settings for job in jobs}, *without)
    assert ended.status == 0, ended.output
    assert [ended.recap[job.host]["changed"] for job in jobs] == [4, 4]
    jobs[0].assert_whole()
    made = platform.request(jobs[1].request_id)
    assert (made.filename, made.aim) == ("My intranet.zip", "production")
    with zipfile.ZipFile(own["dest"]) as upgraded:
        assert upgraded.namelist() == ["dump.sql", "upgrade.json"]
    assert jobs[0].request_id != made.id
    for report in reports.reports:
        assert (report["result"], report["state_before"], report["state_after"]) == ("changed", "", "done")
        assert phases(report) == [
            ("request", "changed"),
            ("upload", "changed"),
            ("process", "changed"),
            ("wait", "ok"),
            ("download", "changed"),
        ]
    assert [report["request"]["aim"] for host in ("shop", "intranet") for report in reports.of(host)] == [
        "test",
        "production",
    ]


def test_a_request_file_is_for_one_job_on_one_platform(platform: Platform, job: Job) -> None:
    job.create()
    before = len(calls(platform))
    other_target = job.module("odoo_upgrade_request", **{**CREATION, "target": "17.0"})
    assert "target is '18.0', not '17.0'" in other_target.msg
    with Platform() as other:
        address = {"api_url": other.api_url, "ca_path": str(other.ca_path)}
        other_platform = run_module("odoo_upgrade_request", {**job.options(**CREATION), **address})
        assert "is about a request at" in other_platform.msg
        assert calls(other) == []
    assert other_target.failed
    assert other_platform.failed
    assert calls_since(platform, before) == set()


def test_an_unknown_state_proves_nothing(platform: Platform, job: Job) -> None:
    job.create()
    platform.force_state(job.request_id, "queued")
    unknown = job.module("odoo_upgrade_process")
    assert (unknown.failed, unknown.result["changed"]) == (False, False)
    assert "Nothing was started: request" in unknown.msg
    assert "does not know the state 'queued'" in unknown.warnings
    platform.force_state(job.request_id, "PROCESSING")
    assert job.module("odoo_upgrade_process").msg == "The upgrade was started before."
    assert "process" not in calls(platform)

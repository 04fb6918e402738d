# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request file belongs to one dump: another one is refused, and makes another request only where that is wanted."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.ansible_cli import run_playbook
from support.module_runner import ModuleRun
from support.odoo_job import PLAYBOOK, Job, calls, calls_since, failures, run_hosts
from support.odoo_shop import sql_dump
from support.platform import SAMPLE_CONTRACT, Platform

CREATION = {"contract": SAMPLE_CONTRACT, "email": "john.doe@example.com", "target": "18.0", "filename": "shop.sql"}


def other_dump(job: Job, name: str = "crm") -> Path:
    """A dump of the same base name and another content, in a folder of its own."""
    folder = job.folder / name
    folder.mkdir()
    return sql_dump(folder / job.dump.name, 200_000)


def request(job: Job, dump: Path, **options: Any) -> ModuleRun:
    return job.module("odoo_upgrade_request", **{**CREATION, "dump": str(dump), **options})


@pytest.mark.parametrize("module", ["request", "upload", "process", "download"])
def test_another_dump_is_refused_by_every_step(platform: Platform, job: Job, module: str) -> None:
    job.submit()
    dump, before = other_dump(job), len(calls(platform))
    steps = {
        "request": {**CREATION, "dump": str(dump)},
        "upload": {"src": str(dump)},
        "process": {"dump": str(dump)},
        "download": {"dump": str(dump), "dest": str(job.folder / "crm.out")},
    }
    run = job.module(f"odoo_upgrade_{module}", **steps[module])
    assert run.failed, run.output
    assert f"is {dump}, but the request in {job.request_file} was sent another dump: {job.dump} with" in run.msg
    assert calls_since(platform, before) == set()


@pytest.mark.parametrize("module", ["process", "download"])
def test_a_dump_that_is_gone_is_compared_by_its_path(platform: Platform, job: Job, module: str) -> None:
    job.submit()
    job.module("odoo_upgrade_request_info", wait=True, wait_timeout=60, wait_interval=1)
    job.dump.unlink()
    options = {"dest": str(job.dest)} if module == "download" else {}
    other = job.module(f"odoo_upgrade_{module}", dump=str(job.folder / "crm.sql"), **options)
    assert "the two cannot be compared" in other.msg
    assert not job.module(f"odoo_upgrade_{module}", dump=str(job.dump), **options).failed


@pytest.mark.parametrize("renew", [False, True])
def test_the_same_content_at_another_path_is_the_same_job(platform: Platform, job: Job, renew: bool) -> None:
    job.submit()
    moved = job.folder / "moved.sql"
    moved.write_bytes(job.dump.read_bytes())
    job.dump.unlink()
    same = request(job, moved, filename=moved.name, renew=renew)
    assert (same.failed, same.result["changed"]) == (False, False), same.output
    # A name that somebody chose is compared.
    if not renew:
        assert "filename is 'shop.sql', not 'other.sql'" in request(job, moved, filename="other.sql").msg
    assert not job.module("odoo_upgrade_process", dump=str(moved)).failed
    again = job.module("odoo_upgrade_upload", src=str(moved))
    assert (again.failed, again.result["changed"]) == (False, False), again.output
    assert len(platform.store.all()) == 1
    moved.unlink()
    assert not job.module("odoo_upgrade_process", dump=str(moved)).failed


def test_a_changed_dump_at_the_same_path_replaces_the_one_that_was_sent(platform: Platform, job: Job) -> None:
    job.create()
    assert job.module("odoo_upgrade_upload", src=str(job.dump)).result["changed"]
    sql_dump(job.dump, 300_000)
    assert job.module("odoo_upgrade_upload", src=str(job.dump)).result["changed"]
    assert not job.module("odoo_upgrade_process", dump=str(job.dump)).failed


def test_renew_goes_on_with_the_request_of_the_same_dump(platform: Platform, job: Job) -> None:
    job.create()
    for step in (job.create, job.submit, job.complete):
        step()
        assert not request(job, job.dump, renew=True).result["changed"]
    assert len(platform.store.all()) == 1


def test_renew_makes_another_request_for_another_dump(platform: Platform, job: Job) -> None:
    job.submit()
    made = request(job, other_dump(job), renew=True)
    assert made.result["changed"]
    assert len(platform.store.all()) == 2
    assert len(json.loads(job.request_file.read_text(encoding="utf-8"))["earlier"]) == 1


def test_renew_makes_another_request_where_the_recorded_one_has_ended(platform: Platform, job: Job) -> None:
    job.submit()
    platform.force_state(job.request_id, "failed")
    assert request(job, job.dump, renew=True).result["changed"]
    job.complete()
    sql_dump(job.dump, 300_000)
    assert request(job, job.dump, renew=True).result["changed"]
    assert len(platform.store.all()) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_result_is_given_away(platform: Platform, job: Job) -> None:
    job.submit()
    job.module("odoo_upgrade_request_info", wait=True, wait_timeout=60, wait_interval=1)
    options = {"dest": str(job.dest), "owner": "65533", "group": "65532", "mode": "0640"}
    unknown = job.module("odoo_upgrade_download", **{**options, "owner": "nobody else"})
    assert "there is no user nobody else" in unknown.msg
    assert job.module("odoo_upgrade_download", **options).result["changed"]
    assert not job.module("odoo_upgrade_download", **options).result["changed"]
    status = job.dest.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (65533, 65532, 0o640)


def test_two_databases_with_one_request_file(platform: Platform, job: Job) -> None:
    """Whichever comes first gets its own result, and the other one is refused."""
    other = Job(platform, job.folder / "crm")
    other.request_file = job.request_file
    sql_dump(other.dump, 200_000)
    with ThreadPoolExecutor(2) as runs:
        ended = dict(zip((job, other), runs.map(lambda each: each.attempt()[-1], (job, other)), strict=True))
    [loser] = [each for each, run in ended.items() if run.failed]
    [winner] = {job, other} - {loser}
    assert "odoo_upgrade_request_file" in ended[loser].msg
    winner.assert_whole()
    assert not loser.dest.exists()
    assert [len(platform.calls(call)) for call in ("create", "upload", "process")] == [1, 1, 1]


def test_a_dated_dump_each_month_is_one_line(platform: Platform, job: Job) -> None:
    """Without odoo_upgrade_force it is refused, see test_odoo_upgrade."""
    job.variables.pop("odoo_upgrade_request_file")
    job.request_file = Path(f"{job.dest}.{job.host}.json")
    job.complete()
    february = sql_dump(job.folder / "shop-2026-02.sql", 300_000)
    first = job.dest.read_bytes()
    job.dump = february
    job.arguments()
    line = ("-e", f"odoo_upgrade_dump={february}", "-e", "odoo_upgrade_renew=true", "-e", "odoo_upgrade_force=true")
    for flags, changed in (("--check",), 4), ((), 4):
        ended = run_playbook(PLAYBOOK, "-i", str(job.inventory), *line, *flags)
        assert job.counters(ended)["changed"] == changed, ended.output
        assert (job.dest.read_bytes() == first) is (flags != ())
    job.assert_whole()


def test_null_and_empty_mean_that_a_variable_is_not_set(platform: Platform, job: Job) -> None:
    """A survey of AWX sends both for a field that was left empty."""
    specs = Path(__file__).parents[2] / "roles/odoo_upgrade/meta/argument_specs.yml"
    options = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    needed = {"api_url", "ca_path", "email"}
    required = [name.removeprefix("odoo_upgrade_") for name, option in options.items() if option.get("required")]
    required += ["contract", "dump"]  # Required without odoo_upgrade_database.
    optional = {name.removeprefix("odoo_upgrade_") for name in options} - {*required, *needed}
    hosts: dict[str, dict[str, Any]] = {
        "null": dict.fromkeys(optional),
        "empty": dict.fromkeys(optional, ""),
        "nothing": dict.fromkeys(required),
    }
    found = failures(run_hosts(job, hosts, "--check"))
    assert sorted(found) == ["nothing"], found
    assert [name for name in required if f"odoo_upgrade_{name} is required" not in found["nothing"]] == []
    assert calls(platform) == []

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role odoo_upgrade with today's service: from dump to result in more than one run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import PlaybookRun, run_playbook
from support.odoo_shop import sql_dump
from support.platform import SAMPLE_CONTRACT, Platform
from support.service_job import READS, ServiceJob, folder_dump

PLAYBOOK = "siteops.upgrades.odoo_upgrade"


@pytest.fixture(scope="module")
def _running() -> Iterator[Platform]:
    with Platform(stage_seconds=0, ssh_server="asyncssh") as platform:
        yield platform


@pytest.fixture
def shop(_running: Platform, tmp_path: Path) -> ServiceJob:
    _running.reset()
    return ServiceJob(_running, tmp_path / "work")


def _variables(shop: ServiceJob) -> dict[str, Any]:
    return {
        "odoo_upgrade_api_url": shop.platform.service_url,
        "odoo_upgrade_ca_path": str(shop.platform.ca_path),
        "odoo_upgrade_contract": SAMPLE_CONTRACT,
        "odoo_upgrade_target": "18",
        "odoo_upgrade_dump": str(shop.dump),
        "odoo_upgrade_dest": str(shop.dest),
        "odoo_upgrade_request_file": str(shop.request_file),
        "odoo_upgrade_wait_timeout": 60,
        "odoo_upgrade_wait_interval": 1,
    }


def _play(shop: ServiceJob, **extra: Any) -> PlaybookRun:
    own = {**_variables(shop), **{f"odoo_upgrade_{name}": value for name, value in extra.items()}}
    inventory = shop.folder.parent / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"shop": own}}}), encoding="utf-8")
    ended = run_playbook(PLAYBOOK, "-i", str(inventory))
    shop.outputs.append(ended.output)
    return ended


def _changed(ended: PlaybookRun) -> int:
    assert ended.status == 0, ended.output
    return ended.recap["shop"]["changed"]


def test_submitted_today_and_collected_by_a_later_run(shop: ServiceJob) -> None:
    """By the role, after the modules have submitted it; the role submits in the nightly runs of test_run_reports.

    Check mode and the second run of this protocol are those of the guide, see test_guides; what the role refuses before
    there is a request, see test_odoo_upgrade.
    """
    shop.dump = folder_dump(shop.folder / "shop-dump")
    shop.platform.settings.update({"stage_seconds": None, "pg_version_compatible": False})
    assert [step().result["changed"] for step in (shop.create, shop.upload, shop.process)] == [True] * 3
    reports = shop.folder.parent / "reports"
    reports.mkdir()
    shop.request.advance()
    shop.request.advance()
    ended = _play(shop, wait=False, report_dir=str(reports))
    assert _changed(ended) == 1
    assert "is_pg_version_compatible is false" in ended.words
    shop.assert_whole()
    assert shop.leftovers() == []
    before = len(shop.platform.calls())
    assert [run.result["changed"] for run in shop.all()] == [False] * 5
    assert {record.call for record in shop.platform.calls()[before:]} <= READS
    assert [shop.times(call) for call in ("create", "process")] == [1, 1]
    [collected] = (json.loads(path.read_text(encoding="utf-8")) for path in reports.iterdir())
    assert collected["result"] == "changed"
    assert collected["request"]["protocol"] == "upgrade_service"
    assert collected["request"]["is_pg_version_compatible"] is False
    shop.assert_nothing_secret()


def test_three_databases_at_once(_running: Platform, tmp_path: Path) -> None:
    """By the modules: what the role does for a host does not depend on the others."""
    _running.reset()
    jobs = [ServiceJob(_running, tmp_path / name) for name in ("shop", "crm", "hr")]
    for seed, job in enumerate(jobs):
        sql_dump(job.dump, 500_000, seed)
    with ThreadPoolExecutor(len(jobs)) as pool:
        done = list(pool.map(ServiceJob.all, jobs))
    assert [[run.result["changed"] for run in runs] for runs in done] == [[True, True, True, False, True]] * len(jobs)
    assert jobs[0].times("create") == jobs[0].times("process") == len(jobs)
    assert len({request.ssh_key for request in _running.service_store.all()}) == len(jobs)
    for job in jobs:
        digest = hashlib.sha256(job.dump.read_bytes()).hexdigest()
        assert digest in (job.dest / "upgrade.log").read_text(encoding="utf-8")
        assert job.leftovers() == []
        job.assert_nothing_secret()

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role odoo_upgrade with today's service: from dump to result in one run, in many, and for many databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
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


def _variables(shop: ServiceJob, name: str = "shop") -> dict[str, Any]:
    return {
        "odoo_upgrade_api_url": shop.platform.service_url,
        "odoo_upgrade_ca_path": str(shop.platform.ca_path),
        "odoo_upgrade_contract": SAMPLE_CONTRACT,
        "odoo_upgrade_target": "18",
        "odoo_upgrade_dump": str(shop.dump),
        "odoo_upgrade_dest": str(shop.folder / ("result" if name == "shop" else f"{name}-18")),
        "odoo_upgrade_request_file": str(shop.folder / f"{name}.json"),
        "odoo_upgrade_wait_timeout": 60,
        "odoo_upgrade_wait_interval": 1,
    }


def _play(shop: ServiceJob, *flags: str, hosts: dict[str, dict[str, Any]] | None = None, **extra: Any) -> PlaybookRun:
    own = hosts or {"shop": {**_variables(shop), **{f"odoo_upgrade_{name}": value for name, value in extra.items()}}}
    inventory = shop.folder.parent / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": own}}), encoding="utf-8")
    ended = run_playbook(PLAYBOOK, "-i", str(inventory), *flags)
    shop.outputs.append(ended.output)
    return ended


def _changed(ended: PlaybookRun, host: str = "shop") -> int:
    assert ended.status == 0, ended.output
    return ended.recap[host]["changed"]


def test_one_variable_file_from_dump_to_result_and_again(shop: ServiceJob) -> None:
    shop.dump = folder_dump(shop.folder / "shop-dump")
    shop.platform.settings.update({"pg_version_compatible": False})
    reports = shop.folder.parent / "reports"
    reports.mkdir()
    assert _changed(_play(shop, "--check")) == 4
    assert shop.platform.calls() == []
    assert {path.name for path in shop.folder.iterdir()} == {"shop.sql", "shop-dump"}
    ended = _play(shop, report_dir=str(reports))
    assert _changed(ended) == 4
    assert "is_pg_version_compatible is false" in ended.words
    shop.assert_whole()
    assert shop.leftovers() == []
    before = len(shop.platform.calls())
    assert _changed(_play(shop)) == 0
    assert {record.call for record in shop.platform.calls()[before:]} <= READS
    (report,) = (json.loads(path.read_text(encoding="utf-8")) for path in reports.iterdir())
    assert report["request"]["protocol"] == "upgrade_service"
    assert report["request"]["is_pg_version_compatible"] is False
    shop.assert_nothing_secret()


def test_submitted_today_and_collected_by_later_runs(shop: ServiceJob) -> None:
    shop.platform.settings.update({"stage_seconds": None})
    assert _changed(_play(shop, wait=False)) == 3
    assert _changed(_play(shop, wait=False)) == 0
    shop.request.advance()
    shop.request.advance()
    assert _changed(_play(shop, wait=False)) == 1
    shop.assert_whole()
    assert [shop.times(call) for call in ("create", "process")] == [1, 1]


def test_three_databases_at_once(shop: ServiceJob) -> None:
    names = ("shop", "crm", "hr")
    hosts = {}
    for seed, name in enumerate(names):
        dump = sql_dump(shop.folder / f"{name}.sql", 500_000, seed)
        hosts[name] = {**_variables(shop, name), "odoo_upgrade_dump": str(dump)}
    ended = _play(shop, hosts=hosts)
    assert [_changed(ended, name) for name in names] == [4, 4, 4]
    assert shop.times("create") == shop.times("process") == len(names)
    assert len({request.ssh_key for request in shop.platform.service_store.all()}) == len(names)
    assert shop.leftovers() == []


def test_a_wish_of_the_other_protocol_fails_before_the_first_call(shop: ServiceJob) -> None:
    ended = _play(shop, skip_test=True)
    assert ended.status
    assert "odoo_upgrade_skip_test" in ended.words
    assert shop.platform.calls() == []
    assert not shop.request_file.exists()


def test_a_damaged_dump_is_refused_before_there_is_a_request(shop: ServiceJob) -> None:
    shop.dump.write_bytes(shop.dump.read_bytes()[:1000])
    ended = _play(shop)
    assert ended.status
    assert "is not whole" in ended.words
    assert shop.platform.calls() == []
    assert not shop.request_file.exists()

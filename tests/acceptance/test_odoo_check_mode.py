# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode of the steps between upload and download: what would change is said, and nothing is sent or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import run_module
from support.module_runner import ModuleRun
from support.odoo_shop import Shop, failed, succeeded
from support.platform import SAMPLE_CONTRACT, Platform
from support.service_job import ServiceJob


@pytest.fixture
def service(platform_server: Platform, tmp_path: Path) -> ServiceJob:
    platform_server.reset()
    return ServiceJob(platform_server, tmp_path / "work")


def step(shop: Shop, name: str, *flags: str, **options: Any) -> ModuleRun:
    return run_module(f"odoo_upgrade_{name}", {**shop.options, **options}, *flags)


def test_before_there_is_a_request(platform_server: Platform, shop: Shop, service: ServiceJob) -> None:
    none_yet = {"request_file": str(shop.folder / "none.json")}
    for name in ("process", "skip_test"):
        succeeded(step(shop, name, "--check", **none_yet), changed=True)
    read = succeeded(step(shop, "request_info", "--check", wait=True, **none_yet), changed=False)
    assert (read["request"], read["state"], read["finished"]) == ({}, "", False)
    succeeded(service.run("wipe", "--check", confirm=SAMPLE_CONTRACT), changed=True)
    succeeded(service.run("log", "--check"), changed=False)
    for name in ("process", "request_info"):
        failed(step(shop, name, **none_yet), "odoo_upgrade_request first")
    assert platform_server.calls() == []
    assert not Path(none_yet["request_file"]).exists()


def test_an_access_is_only_made_without_check_mode(shop: Shop) -> None:
    key = f"{shop.private_key}.pub"
    foreseen = succeeded(step(shop, "sftp_access", "--check", sftp_public_keys=key), changed=True)
    assert "access" not in foreseen
    assert shop.writes() == []
    made = succeeded(step(shop, "sftp_access", sftp_public_keys=key), changed=True)
    assert made["public_keys"] == foreseen["public_keys"]
    assert shop.writes() == ["request_sftp_access"]


def test_an_upgrade_is_started_and_its_tests_are_skipped_once(shop: Shop) -> None:
    succeeded(shop.upload("https"), changed=True)
    shop.forget_calls()
    assert succeeded(step(shop, "process", "--check"), changed=True)["state"] == "draft"
    assert shop.writes() == []
    succeeded(step(shop, "process"), changed=True)
    succeeded(step(shop, "process", "--check"), changed=False)

    shop.platform.force_state(shop.number, "testing")
    assert succeeded(step(shop, "skip_test", "--check"), changed=True)["state"] == "testing"
    succeeded(step(shop, "skip_test"), changed=True)
    succeeded(step(shop, "skip_test", "--check"), changed=False)
    assert shop.writes() == ["process", "skip_test"]


def test_a_log_is_not_written_and_nothing_is_wiped(service: ServiceJob) -> None:
    for run in (service.create(), service.upload(), service.process()):
        succeeded(run, changed=True)
    service.request.force_state("progress")
    before = len(service.writes())
    dest = service.folder / "upgrade.log"
    succeeded(service.run("log", "--check", dest=str(dest)), changed=True)
    assert not dest.exists()
    succeeded(service.run("wipe", "--check", confirm=SAMPLE_CONTRACT), changed=True)
    assert len(service.writes()) == before
    assert succeeded(service.run("wipe", confirm=SAMPLE_CONTRACT), changed=True)["wiped"]
    succeeded(service.run("wipe", "--check", confirm=SAMPLE_CONTRACT), changed=False)

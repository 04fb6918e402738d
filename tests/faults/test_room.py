# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result that cannot be written: refused by name before the first call, wherever that can be known."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.odoo_shop import sql_dump
from support.platform import Platform
from support.service_job import ServiceJob, folder_dump

MEBIBYTE = 1024 * 1024
TOO_MUCH = 2**60


@pytest.fixture(scope="module")
def _running() -> Iterator[Platform]:
    with Platform(stage_seconds=0, ssh_server="asyncssh") as platform:
        yield platform


@pytest.fixture
def shop(_running: Platform, tmp_path: Path) -> ServiceJob:
    _running.reset()
    return ServiceJob(_running, tmp_path / "work")


def _as_large(shop: ServiceJob, place: str) -> None:
    """Have the recorded result of the request too large for every disk."""
    record = shop.record
    (record[place]["mark"] if place == "fetched" else record[place])["size"] = TOO_MUCH
    shop.request_file.write_text(json.dumps(record), encoding="utf-8")


def _assert_refused(shop: ServiceJob, **options: str) -> None:
    before = len(shop.platform.calls())
    run = shop.download(**options)
    assert run.failed
    assert f"There is not enough room for {options.get('dest', shop.dest)}" in run.msg
    assert (run.result["free"] < run.result["needed"] <= TOO_MUCH, "'dest'" in run.msg) == (True, True)
    assert len(shop.platform.calls()) == before


def test_the_rest_of_a_result_has_no_room(shop: ServiceJob) -> None:
    shop.dump = folder_dump(shop.folder / "big", files=6, size=2 * MEBIBYTE)
    for step in (shop.create, shop.upload, shop.process, shop.wait):
        assert not step().failed
    shop.platform.fault("ssh_cut", skip=1, after=8 * MEBIBYTE)
    assert shop.download(connections=1, retries=0).failed
    _as_large(shop, "fetching")
    _assert_refused(shop)


def test_a_result_that_was_fetched_once_has_no_room_a_second_time(shop: ServiceJob) -> None:
    options = {"api_url": shop.platform.api_url}
    create = {"email": "erp@example.com", "filename": "shop.sql"}
    assert not shop.create(**options, **create).failed
    for module, more in (
        ("upload", {"src": str(shop.dump)}),
        ("process", {}),
        ("request_info", {"wait": True, "wait_interval": 1}),
        ("download", {"dest": str(shop.dest)}),
    ):
        run = shop.run(module, **options, **more)
        assert not run.failed, run.output
    _as_large(shop, "fetched")
    _assert_refused(shop, **options, dest=str(shop.folder / "other.sql"))


@pytest.mark.parametrize(("form", "warns"), [("custom", True), ("sql", False), ("small", False)])
def test_a_disk_with_less_room_than_the_dump_is_warned_about(shop: ServiceJob, form: str, warns: bool) -> None:
    """Only where its form is packed like that of a result; plain SQL becomes much smaller."""
    dump = sql_dump(shop.folder / "dump", 1000)
    if form == "custom":
        dump.write_bytes(b"PGDMP" + bytes(100))
    if form != "small":
        system = os.statvfs(shop.folder)
        os.truncate(dump, system.f_bavail * system.f_frsize + MEBIBYTE * 100)
    run = shop.download("--check", dump=str(dump))
    assert not run.failed, run.output
    assert ("a result is about as large as its dump" in run.warnings) is warns
    assert shop.platform.calls() == []


@pytest.mark.parametrize("protocol", ["today", "v1"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/proc/result", "is on a file system that takes no files"),
        ("/sys/kernel/result", "is on a file system that takes no files"),
        ("/nowhere/at/all", "does not exist"),
        ("x" * 252, "is too long"),
        ("shop.sql/result", "does not exist"),
    ],
    ids=["proc", "sys", "no-folder", "long", "below-a-file"],
)
def test_a_dest_that_cannot_be_made_is_refused(shop: ServiceJob, name: str, words: str, protocol: str) -> None:
    url = shop.platform.api_url if protocol == "v1" else shop.platform.service_url
    run = shop.download("--check", api_url=url, dest=str(shop.folder / name))
    assert run.failed
    assert "Option 'dest'" in run.msg
    assert words in run.msg
    assert shop.platform.calls() == []

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps over one connection and over several: whole, cut, killed, refused; every byte once, as far as that can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.odoo_shop import MEBIBYTE, Shop, failed, sha256, sql_dump, succeeded
from support.platform import Platform

COUNTS = (1, 2, 4, 8)
SIZE = 48 * MEBIBYTE
CUT = 8 * MEBIBYTE
FAR = 0.05
ARCHIVE = "upgraded/archive"


@pytest.fixture
def shop(platform_server: Platform, tmp_path: Path) -> Shop:
    """A dump of several pieces, and a platform that is far away."""
    platform_server.reset()
    platform_server.settings.update({"distance_seconds": FAR})
    made = Shop(platform_server, tmp_path)
    sql_dump(made.dump, SIZE)
    made.forget_calls()
    return made


def received(shop: Shop) -> int:
    return sum(call.received for call in shop.platform.calls("sftp"))


def lost_at_most(connections: int) -> int:
    """Bytes that connections may have under way when they break: 4 MiB each, and 16 MiB where there are few."""
    return max(16 * MEBIBYTE, connections * 4 * MEBIBYTE)


@pytest.mark.parametrize("connections", COUNTS)
def test_a_dump_goes_up_once(shop: Shop, connections: int) -> None:
    sent = succeeded(shop.upload("sftp", connections=connections), changed=True)["sent"]
    assert sha256(shop.received) == sent["sha256"] == sha256(shop.dump)
    assert sent["bytes_sent"] == received(shop) == shop.dump.stat().st_size
    assert 1 <= sent["connections"] <= connections
    assert shop.writes().count("sftp") <= connections
    assert shop.writes().count("request_sftp_access") == 1


@pytest.mark.parametrize("connections", COUNTS)
def test_all_connections_are_cut_and_cut_again(shop: Shop, connections: int) -> None:
    shop.platform.fault("sftp_cut", after=CUT // 2 if connections > 1 else 20 * MEBIBYTE, times=2 * connections)
    sent = succeeded(shop.upload("sftp", connections=connections, retries=20), changed=True)["sent"]
    assert sha256(shop.received) == sent["sha256"] == sha256(shop.dump)
    assert sent["breaks"] >= 1


@pytest.mark.parametrize("connections", COUNTS)
def test_a_killed_upload_sends_little_twice(shop: Shop, connections: int) -> None:
    shop.platform.settings.update({"bytes_per_second": 16 * MEBIBYTE // connections})
    way = {**shop.ways["sftp"], "connections": connections, "src": str(shop.dump)}

    def is_noted() -> bool:
        return shop.sent_in_order > 8 * MEBIBYTE

    shop.kill_when(is_noted, "odoo_upgrade_upload", way)
    shop.platform.settings.update({"bytes_per_second": None})
    sent = succeeded(shop.upload("sftp", connections=connections), changed=True)["sent"]
    assert sent["resumed_from"] > 8 * MEBIBYTE
    assert sha256(shop.received) == sent["sha256"] == sha256(shop.dump)
    assert received(shop) <= shop.dump.stat().st_size + lost_at_most(connections) + 16 * MEBIBYTE


@pytest.mark.parametrize("connections", COUNTS)
@pytest.mark.parametrize("way", ("https", "sftp"))
def test_a_result_comes_down_once(shop: Shop, way: str, connections: int) -> None:
    shop.finish()
    fetched = succeeded(shop.download(way, connections=connections), changed=True)["fetched"]
    assert shop.dest.read_bytes() == shop.result.read_bytes()
    assert fetched["sha256"] == sha256(shop.result)
    assert fetched["bytes_received"] == shop.result.stat().st_size
    assert 1 <= fetched["connections"] <= connections
    assert not Path(f"{shop.dest}.part").exists()


@pytest.mark.parametrize("connections", COUNTS)
@pytest.mark.parametrize("way", ("https", "sftp"))
def test_downloads_that_are_cut_and_cut_again(shop: Shop, way: str, connections: int) -> None:
    shop.finish()
    kind: dict[str, Any] = {"kind": "sftp_cut"} if way == "sftp" else {"kind": "cut_download", "call": ARCHIVE}
    shop.platform.fault(**kind, after=20 * MEBIBYTE if connections == 1 else CUT, times=2 * connections)
    fetched = succeeded(shop.download(way, connections=connections, retries=20), changed=True)["fetched"]
    assert shop.dest.read_bytes() == shop.result.read_bytes()
    assert fetched["sha256"] == sha256(shop.result)


@pytest.mark.parametrize("connections", COUNTS)
@pytest.mark.parametrize("way", ("https", "sftp"))
def test_a_killed_download_fetches_little_twice(shop: Shop, way: str, connections: int) -> None:
    shop.finish()
    shop.platform.settings.update({"bytes_per_second": 16 * MEBIBYTE // connections, "distance_seconds": FAR})

    def is_noted() -> bool:
        return shop.fetched_in_order > 8 * MEBIBYTE

    given = {**shop.ways[way], "connections": connections, "dest": str(shop.dest)}
    shop.kill_when(is_noted, "odoo_upgrade_download", given)
    shop.platform.settings.update({"bytes_per_second": None})
    fetched = succeeded(shop.download(way, connections=connections), changed=True)["fetched"]
    assert fetched["resumed_from"] > 8 * MEBIBYTE
    assert shop.dest.read_bytes() == shop.result.read_bytes()
    assert not Path(f"{shop.dest}.part").exists()


@pytest.mark.parametrize("way", ("https", "sftp"))
def test_several_connections_share_the_work(shop: Shop, way: str) -> None:
    """On a line that is so slow that the others have logged in long before the first could be done alone."""
    shop.platform.settings.update({"bytes_per_second": 3 * MEBIBYTE})
    if way == "sftp":
        assert succeeded(shop.upload(way, connections=4), changed=True)["sent"]["connections"] > 1
    shop.finish()
    assert succeeded(shop.download(way, connections=4), changed=True)["fetched"]["connections"] > 1


@pytest.mark.parametrize("setting", ({"sftp_connections": 1}, {"sftp_connections": 2}, {"sftp_writers": 1}))
def test_a_server_that_refuses_to_have_so_many(shop: Shop, setting: dict[str, int]) -> None:
    shop.platform.settings.update(setting)
    sent = succeeded(shop.upload("sftp", connections=4), changed=True)["sent"]
    assert sha256(shop.received) == sent["sha256"] == sha256(shop.dump)
    assert sent["bytes_sent"] == received(shop) == shop.dump.stat().st_size
    assert sent["breaks"] == 0
    assert sent["connections"] <= next(iter(setting.values()))

    shop.finish()
    fetched = succeeded(shop.download("sftp", connections=4), changed=True)["fetched"]
    assert shop.dest.read_bytes() == shop.result.read_bytes()
    assert fetched["breaks"] == 0


@pytest.mark.parametrize("fault", ("ignore_range", "refuse_range", "http_error"))
def test_a_server_that_does_not_serve_ranges_as_asked(shop: Shop, fault: str) -> None:
    shop.finish()
    more = {"status": 429} if fault == "http_error" else {}
    shop.platform.fault(fault, ARCHIVE, skip=1, times=3, **more)
    fetched = succeeded(shop.download("https", connections=4), changed=True)["fetched"]
    assert shop.dest.read_bytes() == shop.result.read_bytes()
    assert fetched["sha256"] == sha256(shop.result)


def test_a_result_that_changes_between_two_ranges(shop: Shop) -> None:
    shop.finish()
    shop.platform.fault("new_entity", ARCHIVE, skip=1)
    succeeded(shop.download("https", connections=4), changed=True)
    assert shop.dest.read_bytes() == shop.result.read_bytes()


def test_a_near_server_is_asked_over_one_connection(shop: Shop) -> None:
    shop.platform.settings.update({"distance_seconds": 0})
    shop.finish()
    assert succeeded(shop.download("https", connections=4), changed=True)["fetched"]["connections"] == 1


@pytest.mark.parametrize("connections", (0, 17))
def test_a_number_that_cannot_be(shop: Shop, connections: int) -> None:
    failed(shop.upload("sftp", connections=connections), "connections", "from 1 to 16")
    assert shop.writes() == []

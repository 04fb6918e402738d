# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps over one connection that breaks, to a server that refuses, lies or loses its answer; runs that are killed."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from support.odoo_shop import HEAD, MEBIBYTE, SIZE, Shop, failed, sha256, sql_dump, succeeded
from support.platform.dumps import SQL_END

IN_FLIGHT = 17 * MEBIBYTE
"""Bytes that a reset may take with it: sent, and not yet confirmed or read, and the block that it cuts."""

CUT = IN_FLIGHT + 4 * MEBIBYTE
"""A connection that is cut after so many bytes has made progress, whatever the reset takes with it."""

TRANSPORTS = ("https", "sftp")


def test_a_broken_upload_goes_on_where_it_broke(shop: Shop) -> None:
    sql_dump(shop.dump, 4 * CUT)
    shop.platform.fault("sftp_cut", after=CUT, times=3)
    sent = succeeded(shop.upload("sftp"), changed=True)["sent"]
    assert sent["breaks"] == 3
    assert sha256(shop.received) == sha256(shop.dump)
    assert [call.opens for call in shop.platform.calls("sftp")] == [["shop.sql (write)"]] * 4
    arrived = sum(call.received for call in shop.platform.calls("sftp"))
    assert 4 * CUT <= arrived + 1 < 4 * CUT + 3 * IN_FLIGHT + MEBIBYTE


def test_the_next_run_resumes_a_broken_upload(shop: Shop) -> None:
    shop.platform.fault("sftp_cut", after=CUT)
    failed(shop.upload("sftp", retries=0), "The connection to the SFTP server was lost")
    sent = succeeded(shop.upload("sftp"), changed=True)["sent"]
    assert CUT - IN_FLIGHT <= sent["resumed_from"] <= CUT
    assert sent["bytes_sent"] == shop.dump.stat().st_size - sent["resumed_from"]
    assert sha256(shop.received) == sent["sha256"] == sha256(shop.dump)
    assert shop.record["sending"] is None


def test_a_killed_upload_is_resumed(shop: Shop) -> None:
    shop.platform.fault("sftp_hang", after=20 * MEBIBYTE)

    def is_noted() -> bool:
        arrived = sum(call.received for call in shop.platform.calls("sftp"))
        return arrived >= 20 * MEBIBYTE and shop.sent_in_order > 0

    shop.kill_when(is_noted, "odoo_upgrade_upload", {**shop.ways["sftp"], "src": str(shop.dump), "timeout": 120})
    sent = succeeded(shop.upload("sftp"), changed=True)["sent"]
    assert sent["resumed_from"] >= 4 * MEBIBYTE
    assert sha256(shop.received) == sha256(shop.dump)


def test_a_part_of_another_dump_is_not_built_upon(shop: Shop) -> None:
    shop.platform.fault("sftp_cut", after=CUT)
    failed(shop.upload("sftp", retries=0))
    sql_dump(shop.dump, seed=2)
    sent = succeeded(shop.upload("sftp"), changed=True)["sent"]
    assert sent["resumed_from"] == 0
    assert sha256(shop.received) == sha256(shop.dump)


def test_a_part_that_the_request_file_knows_nothing_of_is_not_built_upon(shop: Shop) -> None:
    shop.received.write_bytes(b"x" * (2 * SIZE))
    sent = succeeded(shop.upload("sftp"), changed=True)["sent"]
    assert sent["resumed_from"] == 0
    assert sha256(shop.received) == sha256(shop.dump)


def test_an_access_that_ends_is_asked_for_again(shop: Shop) -> None:
    shop.platform.fault("sftp_cut", after=CUT)
    shop.platform.fault("sftp_refuse_authentication")
    sent = succeeded(shop.upload("sftp"), changed=True)["sent"]
    assert sent["breaks"] == 1
    assert shop.writes().count("request_sftp_access") == 2
    assert sha256(shop.received) == sha256(shop.dump)


def test_the_first_host_key_is_kept_and_a_change_refused(shop: Shop) -> None:
    shop.platform.fault("sftp_cut", after=20 * MEBIBYTE)
    run = shop.upload("sftp", sftp_host_key=None, retries=0)
    failed(run)
    assert "seen for the first time" in run.output
    assert shop.record["host_key"] == shop.platform.known_hosts_line

    shop.platform.fault("sftp_other_host_key")
    failed(shop.upload("sftp", sftp_host_key=None), "the first time", "SHA256:")
    assert shop.platform.calls("sftp")[-1].received == 0

    run = shop.upload("sftp", sftp_host_key=None)
    assert "seen for the first time" not in run.output
    assert succeeded(run, changed=True)["sent"]["resumed_from"] > 0


def test_a_server_that_never_lets_us_in(shop: Shop) -> None:
    shop.platform.fault("sftp_refuse_authentication", times=9)
    failed(shop.upload("sftp"), "accepts none of the keys")
    assert shop.writes() == ["request_sftp_access", "sftp"]


def test_a_lost_answer_to_an_upload(shop: Shop) -> None:
    shop.platform.fault("reset_after", "upload")
    failed(shop.upload("https"), "next run sends it again")
    assert shop.record["sent"] is None
    succeeded(shop.upload("https"), changed=True)
    assert shop.writes() == ["upload", "upload"]


def test_an_upload_by_https_that_is_cut(shop: Shop) -> None:
    shop.platform.fault("cut_upload", "upload", after=5 * MEBIBYTE)
    failed(shop.upload("https"), "POST", "next run sends it again")
    assert shop.writes() == ["upload"]
    assert not shop.received.exists()


def test_an_upload_that_is_refused(shop: Shop) -> None:
    shop.platform.fault("failure", "upload", reason="SERVER:ERROR", message="No room")
    failed(shop.upload("https"), "SERVER:ERROR", "No room")
    assert shop.record["sent"] is None


@pytest.mark.parametrize("way", TRANSPORTS)
def test_a_broken_download_goes_on_where_it_broke(shop: Shop, way: str) -> None:
    sql_dump(shop.dump, 4 * CUT)
    shop.finish()
    cut_downloads(shop, way, times=2)
    fetched = succeeded(shop.download(way), changed=True)["fetched"]
    assert fetched["breaks"] == 2
    assert shop.dest.read_bytes() == shop.result.read_bytes()
    moved = sum(call.sent for call in shop.platform.calls("sftp" if way == "sftp" else "upgraded/archive"))
    assert shop.result.stat().st_size <= moved < shop.result.stat().st_size + 2 * IN_FLIGHT + MEBIBYTE


def cut_downloads(shop: Shop, way: str, times: int = 1) -> None:
    if way == "sftp":
        shop.platform.fault("sftp_cut", after=CUT, times=times)
    else:
        shop.platform.fault("cut_download", "upgraded/archive", after=CUT, times=times)


def cut_download(shop: Shop, way: str) -> Path:
    """A download that broke off for good; the part that it left behind."""
    shop.finish()
    cut_downloads(shop, way)
    failed(shop.download(way, retries=0))
    assert not shop.dest.exists()
    part = Path(f"{shop.dest}.part")
    assert CUT - IN_FLIGHT <= part.stat().st_size <= CUT
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    return part


@pytest.mark.parametrize("way", TRANSPORTS)
def test_the_next_run_resumes_a_broken_download(shop: Shop, way: str) -> None:
    part = cut_download(shop, way)
    here = part.stat().st_size
    fetched = succeeded(shop.download(way), changed=True)["fetched"]
    assert fetched["resumed_from"] == here
    assert fetched["bytes_received"] == shop.result.stat().st_size - here
    assert shop.dest.read_bytes() == shop.result.read_bytes()
    assert not part.exists()


@pytest.mark.parametrize("way", TRANSPORTS)
def test_a_part_that_was_tampered_with_is_dropped(shop: Shop, way: str) -> None:
    part = cut_download(shop, way)
    content = bytearray(part.read_bytes())
    content[MEBIBYTE] ^= 1
    part.write_bytes(content)
    fetched = succeeded(shop.download(way), changed=True)["fetched"]
    assert fetched["resumed_from"] == 0
    assert shop.dest.read_bytes() == shop.result.read_bytes()


def test_another_result_than_the_part_was_of(shop: Shop) -> None:
    cut_download(shop, "https")
    shop.platform.fault("new_entity", "upgraded/archive")
    fetched = succeeded(shop.download("https"), changed=True)["fetched"]
    assert fetched["resumed_from"] == 0
    assert shop.dest.read_bytes() == shop.result.read_bytes()


@pytest.mark.parametrize("kind", ("ignore_range", "refuse_range"))
def test_a_server_without_ranges(shop: Shop, kind: str) -> None:
    cut_download(shop, "https")
    shop.platform.fault(kind, "upgraded/archive")
    fetched = succeeded(shop.download("https"), changed=True)["fetched"]
    assert fetched["resumed_from"] == 0
    assert shop.dest.read_bytes() == shop.result.read_bytes()


def test_a_login_page_does_not_cost_the_part(shop: Shop) -> None:
    part = cut_download(shop, "https")
    shop.platform.fault("login_page", "upgraded/archive")
    failed(shop.download("https"), "HTML page")
    assert part.exists()
    assert succeeded(shop.download("https"), changed=True)["fetched"]["resumed_from"] > 0


@pytest.mark.parametrize(
    "fault", ({"kind": "login_page"}, {"kind": "empty_body"}, {"kind": "other_json", "document": {"failures": []}})
)
def test_what_is_no_dump(shop: Shop, fault: dict[str, Any]) -> None:
    shop.finish()
    shop.platform.fault(call="upgraded/archive", **fault)
    failed(shop.download("https"))
    assert not shop.dest.exists()
    assert not Path(f"{shop.dest}.part").exists()


def test_half_an_archive_that_claims_to_be_whole(shop: Shop) -> None:
    with zipfile.ZipFile(shop.dump, "w") as archive:
        archive.writestr("dump.sql", HEAD * 1000 + SQL_END)
    shop.finish()
    shop.platform.fault("truncated_body", "upgraded/archive")
    failed(shop.download("https"), "damaged", "It was removed")
    assert not Path(f"{shop.dest}.part").exists()
    assert succeeded(shop.download("https"), changed=True)["fetched"]["format"] == "zip"

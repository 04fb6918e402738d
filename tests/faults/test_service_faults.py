# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Today's upgrade service when things go wrong: what Odoo's own script was seen to do, the modules must do better."""

from __future__ import annotations

import functools
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.module_runner import ModuleRun
from support.odoo_shop import sql_dump
from support.platform import SAMPLE_DUMP, Platform
from support.rst import tables
from support.service_job import STRANGER, ServiceJob, folder_dump

MEBIBYTE = 1024 * 1024
PAGE = Path(__file__).parents[2] / "docs/docsite/rst/when_things_go_wrong.rst"


@functools.cache
def _rows() -> dict[str, tuple[str, str]]:
    """What the page about failures says of today's service: what the task does, and what it says."""
    return {title: (does, says) for title, does, says in tables(PAGE.read_text(encoding="utf-8"))[0]}


def _as_the_page_says(run: ModuleRun, title: str) -> None:
    """The task does what its row says, and prints the words that are quoted there."""
    does, says = _rows()[title]
    assert run.failed is (does == "fails"), run.output
    quoted = re.findall(r"``(.+?)``", says) if run.failed or "does not let" in says else []
    assert quoted or not run.failed
    for part in [part.strip() for quote in quoted for part in quote.split("…")]:
        assert part in f"{run.msg} {run.warnings}"


@pytest.fixture(scope="module")
def _running() -> Iterator[Platform]:
    with Platform(stage_seconds=0, ssh_server="asyncssh") as platform:
        yield platform


@pytest.fixture
def shop(_running: Platform, tmp_path: Path) -> ServiceJob:
    _running.reset()
    return ServiceJob(_running, tmp_path / "work")


def _until(shop: ServiceJob, last: str) -> None:
    """Take the steps before this one."""
    for name in ("create", "upload", "process", "wait", "download"):
        if name == last:
            return
        run = getattr(shop, name)()
        assert not run.failed, run.output


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_an_upgrade_that_failed_fails_the_task(shop: ServiceJob, state: str) -> None:
    shop.platform.settings.update(
        {"end_state": state, "customer_message": "A view cannot be upgraded.", "stage_seconds": 1}
    )
    _until(shop, "wait")
    run = shop.wait()
    _as_the_page_says(run, "The upgrade ends as failed or cancelled")
    for word in (state, "A view cannot be upgraded.", str(shop.request.id), "the work has ended"):
        assert word in run.msg
    assert run.result["log_lines"]
    assert shop.leftovers() == []
    shop.assert_nothing_secret()


def test_a_state_that_nobody_knows_is_waited_for_and_named(shop: ServiceJob) -> None:
    shop.platform.settings.update({"end_state": "brewing"})
    _until(shop, "wait")
    run = shop.wait(wait_timeout=3)
    _as_the_page_says(run, "The platform answers a state that is not known")
    assert "brewing" in run.msg


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("http_error", {"status": 502}),
        ("truncated_body", {}),
        ("login_page", {}),
        ("reset_before", {}),
        ("empty_body", {}),
        ("edit", {"path": "result.status", "value": None}),
    ],
)
def test_a_status_that_cannot_be_read_is_read_again(shop: ServiceJob, kind: str, options: dict[str, Any]) -> None:
    _until(shop, "wait")
    shop.platform.fault(kind, "request/status", times=4, **options)
    run = shop.wait()
    _as_the_page_says(run, "A status comes as 502, as a web page, cut off, empty, or not at all")


@pytest.mark.parametrize("status", [416, 502])
def test_a_log_that_cannot_be_read_ends_nothing(shop: ServiceJob, status: int) -> None:
    shop.platform.settings.update({"stage_seconds": 2})
    _until(shop, "wait")
    shop.platform.fault("http_error", "request/logs", status=status)
    dest = shop.folder / "log"
    run = shop.run("log", dest=str(dest), wait=True, wait_interval=1, wait_timeout=30)
    _as_the_page_says(run, "The log answers 416 or 502")
    assert dest.read_bytes() == shop.request.log.read_bytes()


@pytest.mark.parametrize("kind", ["http_error", "login_page", "reset_before"])
@pytest.mark.parametrize("waits", [False, True], ids=["once", "wait"])
def test_a_log_that_is_never_read_is_no_success(shop: ServiceJob, kind: str, waits: bool) -> None:
    """A page of a proxy is no log either. Nothing is written for it."""
    _until(shop, "download")
    options = {"status": 502} if kind == "http_error" else {}
    shop.platform.fault(kind, "request/logs", times=40, **options)
    dest = shop.folder / "log"
    run = shop.run("log", dest=str(dest), wait=waits, wait_interval=1, timeout=2)
    assert run.failed
    assert "The log could not be read" in run.msg
    assert not dest.exists()
    shop.assert_nothing_secret()


@pytest.mark.parametrize("flags", [(), ("--check",)], ids=["run", "check"])
def test_a_log_that_cannot_be_written_is_refused_before_the_first_call(
    shop: ServiceJob, flags: tuple[str, ...]
) -> None:
    _until(shop, "upload")
    before = len(shop.platform.calls())
    for dest in ("/nowhere/upgrade.log", "/proc/upgrade.log", "/etc"):
        run = shop.run("log", *flags, dest=dest)
        assert run.failed
        assert "Option 'dest'" in run.msg
        assert "odoo_upgrade_dest" not in run.msg
    assert len(shop.platform.calls()) == before


@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "directory"])
def test_a_cut_upload_goes_on_where_it_was(shop: ServiceJob, is_folder: bool) -> None:
    size = 12 * MEBIBYTE
    shop.dump = (
        folder_dump(shop.folder / "big", files=6, size=size // 6)
        if is_folder
        else sql_dump(shop.folder / "big.sql", size)
    )
    _until(shop, "upload")
    shop.platform.fault("ssh_cut", after=8 * MEBIBYTE)
    run = shop.upload(connections=1)
    _as_the_page_says(run, "An upload is cut")
    assert run.result["sent"]["breaks"] == 1
    assert shop.calls().count("transfer/start") == 2
    received = [record.received for record in shop.platform.calls("ssh")]
    assert sum(received) < size + 6 * MEBIBYTE
    _until(shop, "create")
    for step in (shop.process, shop.wait, shop.download):
        assert not step().failed
    shop.assert_whole()


def test_a_cut_upload_goes_on_in_the_next_run(shop: ServiceJob) -> None:
    size = 12 * MEBIBYTE
    shop.dump = sql_dump(shop.folder / "big.sql", size)
    _until(shop, "upload")
    shop.platform.fault("ssh_cut", after=8 * MEBIBYTE)
    run = shop.upload(retries=0)
    _as_the_page_says(run, "An upload is cut more often than that")
    assert shop.request.transfer is None
    before = len(shop.platform.calls())
    assert not shop.upload().failed
    assert sum(record.received for record in shop.platform.calls()[before:] if record.call == "ssh") < 8 * MEBIBYTE


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "whole"])
def test_a_dump_of_another_form_gets_a_request_of_its_own(shop: ServiceJob, cut: bool) -> None:
    """Or rsync would put a file into the folder of the same name, and the platform would find both."""
    folder = folder_dump(shop.folder / "shop", files=2, size=4 * MEBIBYTE)
    shop.dump = folder
    _until(shop, "upload")
    if cut:
        shop.platform.fault("ssh_cut", after=5 * MEBIBYTE)
    assert shop.upload(retries=0, connections=1).failed is cut
    folder.rename(shop.folder / "kept")
    folder.write_bytes(SAMPLE_DUMP.read_bytes())
    run = shop.upload()
    assert run.failed
    assert "origin.dump/" in run.msg
    assert "renew: true" in run.msg
    folder.unlink()
    (shop.folder / "kept").rename(folder)
    assert not shop.upload().failed


def test_a_cut_download_goes_on_where_it_was(shop: ServiceJob) -> None:
    shop.dump = folder_dump(shop.folder / "big", files=6, size=2 * MEBIBYTE)
    _until(shop, "download")
    shop.platform.fault("ssh_cut", skip=1, after=8 * MEBIBYTE)
    run = shop.download(connections=1)
    _as_the_page_says(run, "A download is cut")
    assert run.result["fetched"]["breaks"] == 1
    shop.assert_whole()
    assert shop.leftovers() == []


def test_a_stranger_behind_the_port_gets_nothing(shop: ServiceJob) -> None:
    _until(shop, "upload")
    shop.platform.fault("other_host_key", "request/transfer/start")
    run = shop.upload()
    _as_the_page_says(run, "The server shows another host key")
    assert shop.request.transfer is None
    assert list(shop.request.data.iterdir()) == []
    assert not shop.upload().failed


HOSTILE_HOSTS = [
    None,
    "",
    "# nothing but a comment\n",
    "@cert-authority * ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n",
    "* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n",
    "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n",
    ["a list"],
]


HOSTILE_PORTS = [None, 0, 70000, "22 -o ProxyCommand=x", True]


@pytest.mark.parametrize(
    ("path", "values"),
    [("result.known_hosts", HOSTILE_HOSTS), ("result.ssh_port", HOSTILE_PORTS)],
    ids=["known_hosts", "ssh_port"],
)
def test_a_transfer_that_leads_nowhere_is_named(shop: ServiceJob, path: str, values: list[Any]) -> None:
    _until(shop, "upload")
    for opened, value in enumerate(values, start=1):
        shop.platform.fault("edit", "request/transfer/start", path=path, value=value)
        run = shop.upload()
        if path.endswith("ssh_port"):
            _as_the_page_says(run, "An ``ssh_port`` is no port")
        else:
            _as_the_page_says(run, "A ``known_hosts`` is empty, or for other hosts")
        assert shop.platform.calls("ssh") == []
        assert shop.calls()[-1] == "transfer/stop"
        assert shop.times("transfer/start") == opened
        assert not (shop.ssh_folder / "known_hosts").exists()


def test_a_dump_name_that_is_no_plain_name_is_named(shop: ServiceJob) -> None:
    _until(shop, "download")
    before = shop.times("transfer/start")
    names = ["../shop", "/etc/passwd", "-e sh", "a b", "", None, "x\ny", ".ssh"]
    for value in names:
        shop.platform.fault("edit", "request/transfer/start", path="result.dump_name", value=value)
        run = shop.download()
        _as_the_page_says(run, "A ``dump_name`` is no plain name")
        assert not shop.dest.exists()
    assert shop.times("transfer/start") == before + len(names)


def test_a_dead_port_is_tried_again_at_another_one(shop: ServiceJob) -> None:
    _until(shop, "upload")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shop.platform.fault("edit", "request/transfer/start", path="result.ssh_port", value=port)
    run = shop.upload()
    # The lines of known_hosts are for the port that was opened: a port without a key is not connected to.
    assert run.failed
    assert "known_hosts" in run.msg
    shop.platform.fault("ssh_refuse_connection", times=2)
    run = shop.upload()
    _as_the_page_says(run, "The port refuses connections")
    assert run.result["sent"]["breaks"] >= 1


def test_a_transfer_that_the_platform_closes_is_opened_again(shop: ServiceJob) -> None:
    shop.dump = sql_dump(shop.folder / "big.sql", 8 * MEBIBYTE)
    shop.platform.settings.update({"bytes_per_second": 2 * MEBIBYTE})
    _until(shop, "upload")
    shop.platform.fault("ssh_close", seconds=2)
    run = shop.upload()
    _as_the_page_says(run, "The platform closes the transfer")
    assert run.result["sent"]["breaks"] == 1


def test_after_a_lost_answer_of_create_no_second_request_is_made(shop: ServiceJob) -> None:
    shop.platform.fault("reset_after", "request/create")
    for run in (shop.create(), shop.create(), shop.upload()):
        _as_the_page_says(run, "The answer of ``create`` is lost")
    assert shop.times("create") == 1
    assert not shop.create(renew=True).failed
    assert shop.times("create") == 2


@pytest.mark.parametrize("call", ["transfer/start", "transfer/stop", "process"])
def test_a_lost_answer_of_another_call_costs_nothing(shop: ServiceJob, call: str) -> None:
    _until(shop, "upload")
    shop.platform.fault("reset_after", f"request/{call}")
    for step in (shop.upload, shop.process, shop.wait, shop.download):
        run = step()
        _as_the_page_says(run, "The answer of another call is lost")
    assert shop.times("process") == 1
    shop.assert_whole()


def test_a_request_that_moves_to_another_host_is_followed(shop: ServiceJob) -> None:
    shop.platform.settings.update({"moves_at": "done"})
    run = shop.all()[-1]
    _as_the_page_says(run, "The request moves to another host of the platform")
    shop.assert_whole()


STRANGERS = [STRANGER, f"{STRANGER}:443", "a@127.0.0.1", "127.0.0.1/x", "http://127.0.0.1", "", None, 5, "127.0.0.1\n"]


def test_a_host_that_is_not_allowed_gets_no_token(shop: ServiceJob) -> None:
    _until(shop, "wait")
    for value in STRANGERS:
        shop.platform.fault("edit", "request/status", times=9, path="result.host_uri", value=value)
        run = shop.run("request_info")
        assert run.failed, value
        assert "host_uri" in run.msg
        if isinstance(value, str) and value.startswith(STRANGER):
            _as_the_page_says(run, "A ``host_uri`` belongs to a stranger")
        shop.platform.faults.clear()


def test_a_request_assigned_to_a_stranger_is_kept(shop: ServiceJob) -> None:
    shop.platform.fault("edit", "request/create", path="result.assigned_host_uri", value=STRANGER)
    run = shop.create()
    assert run.failed
    assert "host_uri" in run.msg
    assert STRANGER in run.msg
    assert shop.record["handle"]["id"] == str(shop.request.id)
    runs = shop.all()
    assert not runs[-1].failed, runs[-1].output
    assert shop.times("create") == 1


def test_a_result_without_its_dump_is_a_failure(shop: ServiceJob) -> None:
    _until(shop, "download")
    (shop.request.data / "upgraded.zip").unlink()
    run = shop.download(retries=0)
    _as_the_page_says(run, "The dump of the result is missing")
    assert "The platform names upgraded.zip as 'dump_name', and there is no such file" in run.msg
    assert "Nothing was fetched; ask Odoo's support." in run.msg
    assert [path.name for path in shop.folder.iterdir() if path.name.startswith("result")] == []


def test_an_attachment_of_other_content_is_a_failure(shop: ServiceJob) -> None:
    shop.dump = folder_dump(shop.folder / "shop-dump")
    _until(shop, "download")
    (attachment,) = [path for path in (shop.request.data / "filestore").rglob("*") if path.is_file()]
    attachment.write_bytes(b"something else")
    run = shop.download()
    _as_the_page_says(run, "An attachment has other content than its name says")
    assert attachment.name in run.msg
    assert not shop.dest.exists()


def test_a_link_in_a_result_is_a_failure_and_does_not_stay(shop: ServiceJob) -> None:
    shop.dump = folder_dump(shop.folder / "shop-dump")
    _until(shop, "download")
    dump = shop.request.data / "upgraded.dump"
    for name, target in (("out.dat", "/etc/passwd"), ("in.dat", "toc.dat")):
        (dump / name).symlink_to(target)
    run = shop.download()
    assert run.failed
    assert "in.dat is not a regular file" in run.msg
    assert not shop.dest.exists()
    for name in ("out.dat", "in.dat"):
        (dump / name).unlink()
    assert not shop.download().failed
    shop.assert_whole()


@pytest.mark.parametrize("refused", ["--partial", "c"])
def test_options_that_the_platform_refuses_are_left_out(shop: ServiceJob, refused: str) -> None:
    shop.platform.settings.update({"rsync_refuses": [refused]})
    _until(shop, "upload")
    run = shop.upload()
    if refused == "c":
        _as_the_page_says(run, "The platform does not let rsync compare")
    else:
        _as_the_page_says(run, "The platform refuses options of rsync")
    assert shop.times("process") == 0
    assert not shop.process().failed


@pytest.mark.parametrize(
    ("document", "may_exist"),
    [
        ({"result": {"error": "The contract is not valid."}}, False),
        ({"error": {"code": 200, "data": {"name": "odoo.exceptions.UserError", "message": "No such contract"}}}, False),
        ({"error": {"code": 200, "data": {"name": "psycopg2.OperationalError", "message": "boom"}}}, True),
        ({"error": {"code": 200, "message": "Odoo Server Error"}}, True),
        ({"result": None}, True),
        ({"result": {"request_id": 5}}, True),
    ],
)
def test_each_form_of_error_is_told_apart(shop: ServiceJob, document: dict[str, Any], may_exist: bool) -> None:
    shop.platform.fault("other_json", "request/create", document={"jsonrpc": "2.0", "id": "x", **document})
    run = shop.create()
    assert run.failed
    assert ("renew: true" in run.msg) is may_exist
    if not may_exist:
        _as_the_page_says(run, "The contract or the target is refused")
    assert shop.request_file.exists() is may_exist
    assert may_exist or shop.leftovers() == []


def test_nothing_is_processed_before_a_dump_was_compared(shop: ServiceJob) -> None:
    _until(shop, "upload")
    run = shop.process()
    _as_the_page_says(run, "The upgrade is to be started before a dump was compared")
    assert shop.calls().count("process") == 0


def test_no_secret_is_seen_while_a_dump_travels(
    shop: ServiceJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command lines and environments of rsync and ssh, as others on this machine see them."""
    programs = tmp_path / "bin"
    programs.mkdir()
    seen = tmp_path / "seen"
    for name in ("rsync", "ssh"):
        script = programs / name
        script.write_text(f'#!/bin/sh\n(echo "$0 $*"; env) >> {seen}\nexec /usr/bin/{name} "$@"\n', encoding="ascii")
        script.chmod(0o755)
    _until(shop, "upload")
    token = shop.request.token
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    run = shop.upload()
    assert not run.failed, run.output
    text = seen.read_text(encoding="utf-8")
    assert "BatchMode=yes" in text
    assert token not in text
    assert str(shop.folder) not in " ".join(
        line for line in text.splitlines() if line.startswith(str(programs / "ssh"))
    )

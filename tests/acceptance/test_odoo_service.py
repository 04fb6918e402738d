# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Today's upgrade service by the modules: from a dump to its result, and the options of one protocol only."""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.odoo_shop import sql_dump
from support.platform import SAMPLE_CONTRACT, SAMPLE_DUMP, SQL_END, Platform
from support.service_job import ServiceJob, folder_dump
from support.upgrade_service.ssh_servers import find_sshd


@pytest.fixture(scope="module")
def _running() -> Iterator[Platform]:
    with Platform(stage_seconds=0, ssh_server="asyncssh") as platform:
        yield platform


@pytest.fixture
def shop(_running: Platform, tmp_path: Path) -> Iterator[ServiceJob]:
    _running.reset()
    former = os.umask(0)
    try:
        yield ServiceJob(_running, tmp_path / "work")
    finally:
        os.umask(former)


def _zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dump.sql", b"SELECT 1;\n" * 1000 + SQL_END)
    return path


def _custom(path: Path) -> Path:
    path.write_bytes(SAMPLE_DUMP.read_bytes())
    return path


FORMS: dict[str, Any] = {
    "sql": (lambda folder: sql_dump(folder / "a.sql", 100_000), "origin.sql"),
    "zip": (lambda folder: _zip(folder / "a.zip"), "origin.zip"),
    "custom": (lambda folder: _custom(folder / "a"), "origin.dump"),
    "directory": (lambda folder: folder_dump(folder / "a b"), "origin.dump"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_dump_of_each_form_goes_there_and_back(shop: ServiceJob, form: str) -> None:
    make, name = FORMS[form]
    shop.dump = make(shop.folder)
    runs = shop.all()
    assert not runs[-1].failed, runs[-1].output
    assert [run.result["changed"] for run in runs] == [True, True, True, False, True]
    sent = runs[1].result["sent"]
    assert (sent["transport"], sent["form"]) == ("rsync", form)
    # A zip has checksums of everything; what the others lack is said.
    assert bool(sent["not_checked"]) == (form != "zip"), sent
    assert any(f"/data/{name}" in record.opens[0] for record in shop.platform.calls("ssh") if record.opens)
    fetched = runs[-1].result["fetched"]
    assert {file["name"] for file in fetched["files"]} >= {"upgrade-report.html", "upgrade.log"}
    assert Path(fetched["log"]).is_file()
    assert Path(fetched["report"]).is_file()
    shop.assert_whole()
    assert stat.S_IMODE(shop.dest.stat().st_mode) == 0o700
    assert shop.leftovers() == []
    shop.assert_nothing_secret()


def test_a_second_run_only_reads(shop: ServiceJob) -> None:
    shop.all()
    before = len(shop.platform.calls())
    runs = shop.all()
    assert [run.result["changed"] for run in runs] == [False] * 5
    assert {record.call for record in shop.platform.calls()[before:]} == {"request/status"}
    assert all(run.result["protocol"] == "upgrade_service" for run in runs)
    assert runs[-1].result["fetched"]["files"]


def test_check_mode_sends_nothing_and_writes_nothing(shop: ServiceJob) -> None:
    for run in (
        shop.create("--check"),
        shop.upload("--check"),
        shop.process("--check"),
        shop.download("--check"),
    ):
        assert not run.failed, run.output
        assert run.result["changed"] is True
    assert shop.platform.calls() == []
    assert {path.name for path in shop.folder.iterdir()} == {shop.dump.name}


def test_a_real_sshd_takes_the_same(shop: ServiceJob) -> None:
    if not find_sshd():
        pytest.skip("there is no sshd with nss_wrapper here")
    shop.platform.settings.update({"ssh_server": "sshd"})
    shop.dump = folder_dump(shop.folder / "shop", files=4, size=5_000_000)
    runs = shop.all()
    assert not runs[-1].failed, runs[-1].output
    assert runs[1].result["sent"]["connections"] == 4
    assert runs[-1].result["fetched"]["connections"] == 4
    shop.assert_whole()


def _wait_for_refusals(platform: Platform, count: int) -> None:
    """Take the brake off once so many connections were refused."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if sum("refused" in record.events for record in platform.calls("ssh")) >= count:
            break
        time.sleep(0.05)
    platform.settings.update({"bytes_per_second": None})


def test_a_directory_travels_over_several_connections_and_over_one_where_more_are_refused(shop: ServiceJob) -> None:
    # The first one crawls until the others were refused, or one of them could follow it and be let in.
    shop.platform.settings.update({"ssh_connections": 1, "bytes_per_second": 200_000})
    shop.dump = folder_dump(shop.folder / "shop", files=4, size=5_000_000)
    refused = threading.Thread(target=_wait_for_refusals, args=(shop.platform, 3), daemon=True)
    refused.start()
    runs = shop.all()
    refused.join()
    assert not runs[-1].failed, runs[-1].output
    assert runs[1].result["sent"]["connections"] == 1
    shop.assert_whole()


def test_the_state_of_a_file_says_the_key_is_private(shop: ServiceJob) -> None:
    assert not shop.create().failed
    assert stat.S_IMODE(shop.ssh_folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((shop.ssh_folder / "key").stat().st_mode) == 0o600
    (shop.ssh_folder / "key").chmod(0o644)
    run = shop.upload()
    assert run.failed
    assert "chmod 0600" in run.msg


@pytest.mark.parametrize(("given", "sent"), [("18", "18.0"), ("v18", "18.0"), (" 18.0 ", "18.0")])
def test_a_short_target_is_completed(shop: ServiceJob, given: str, sent: str) -> None:
    assert not shop.create(target=given).failed
    assert shop.request.target == sent


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("upload", {"sftp_private_key": "/nowhere/key"}),
        ("upload", {"sftp_host_key": "ssh-ed25519 AAAA"}),
        ("upload", {"sftp_private_key_text": "-----BEGIN OPENSSH PRIVATE KEY-----"}),
        ("upload", {"transport": "sftp"}),
        ("download", {"content": "sql"}),
        ("request_info", {"request_key": "abc", "request_file": None}),
        ("upload", {"ssh_options": ["StrictHostKeyChecking=no"]}),
        ("upload", {"ssh_options": ["nonsense"]}),
        ("request_info", {"allowed_hosts": ["https://x.example.org"]}),
        ("upload", {"request_file": None, "request_token": "a-token"}),
        ("download", {"request_file": None, "request_token": "a-token"}),
        ("log", {"dest": "/nowhere/log"}),
        ("log", {"dest": "/etc"}),
        ("wipe", {"confirm": "M000000-aaaaaa"}),
    ],
)
def test_an_option_that_does_not_belong_here_is_refused_by_name(
    shop: ServiceJob, module: str, options: dict[str, Any]
) -> None:
    shop.create()
    before = len(shop.platform.calls())
    run = {"upload": shop.upload, "download": shop.download}.get(module, lambda **o: shop.run(module, **o))(**options)
    assert run.failed
    assert f"'{next(iter(options))}'" in run.msg
    assert ("odoo_upgrade_dest" in run.msg) is False
    assert len(shop.platform.calls()) == before


def test_one_file_of_a_dump_in_a_folder_is_not_taken_for_the_dump(shop: ServiceJob) -> None:
    folder = folder_dump(shop.folder / "shop")
    shop.create()
    run = shop.upload(src=str(folder / "toc.dat"))
    assert run.failed
    assert f"give the folder, {folder}" in run.msg


def test_an_empty_answer_of_a_survey_is_not_set(shop: ServiceJob) -> None:
    shop.create()
    assert not shop.run("request_info", allowed_hosts="").failed
    assert not shop.upload(ssh_options=[""], allowed_hosts=[""]).failed


@pytest.mark.parametrize("module", ["skip_test", "sftp_access"])
def test_a_module_of_the_other_protocol_fails_by_name(shop: ServiceJob, module: str) -> None:
    shop.create()
    before = len(shop.platform.calls())
    options = {"sftp_private_key": "/nowhere"} if module == "sftp_access" else {}
    run = shop.run(module, **options)
    assert run.failed
    assert f"odoo_upgrade_{module}" in run.msg
    assert len(shop.platform.calls()) == before


@pytest.mark.parametrize("module", ["skip_test", "log", "wipe"])
@pytest.mark.parametrize("flags", [("--check",), ()], ids=["check", "run"])
def test_a_module_of_the_other_protocol_fails_by_name_where_there_is_no_request(
    shop: ServiceJob, module: str, flags: tuple[str, ...]
) -> None:
    options = {} if module == "skip_test" else {"api_url": shop.platform.api_url}
    options |= {"confirm": SAMPLE_CONTRACT} if module == "wipe" else {}
    run = shop.run(module, *flags, **options)
    assert run.failed
    assert f"odoo_upgrade_{module}: " in run.msg
    assert "has no such call" in run.msg
    assert shop.platform.calls() == []


@pytest.mark.parametrize("option", ["ssh_options", "request_token", "allowed_hosts"])
def test_v1_refuses_what_only_todays_service_has(shop: ServiceJob, option: str) -> None:
    value: Any = "abc" if option == "request_token" else ["ProxyJump=gate"]
    run = shop.upload("--check", api_url=shop.platform.api_url, **{option: value})
    assert run.failed
    assert f"'{option}'" in run.msg
    assert shop.platform.calls() == []


def test_v1_refuses_a_directory(shop: ServiceJob) -> None:
    shop.dump = folder_dump(shop.folder / "shop")
    run = shop.upload("--check", api_url=shop.platform.api_url)
    assert run.failed
    assert "is a folder" in run.msg


def test_the_log_is_followed_and_resumed_by_bytes(shop: ServiceJob) -> None:
    shop.platform.settings.update({"stage_seconds": 1.5})
    for step in (shop.create, shop.upload, shop.process):
        assert not step().failed
    dest = shop.folder / "upgrade.log"
    run = shop.run("log", dest=str(dest), wait=True, wait_interval=1, wait_timeout=30)
    assert not run.failed, run.output
    assert run.result["changed"] is True
    assert dest.read_bytes() == shop.request.log.read_bytes()
    assert "étape" in dest.read_text(encoding="utf-8")
    assert run.result["log"]["lines"][-1] == "INFO the work has ended ✓"
    again = shop.run("log", dest=str(dest), wait=True)
    assert again.result["changed"] is False
    assert dest.read_bytes() == shop.request.log.read_bytes()


def test_the_log_of_another_request_is_not_added_to(shop: ServiceJob) -> None:
    dest = shop.folder / "upgrade.log"
    earlier = b"INFO of an earlier request\n"
    dest.write_bytes(earlier)
    assert not shop.create().failed
    # The platform has no log yet: nothing is proven, and nothing is shown for the log of this request.
    early = shop.run("log", dest=str(dest))
    assert (early.failed, early.result["changed"], early.result["log"]["lines"]) == (False, False, [])
    for step in (shop.upload, shop.process, shop.wait):
        assert not step().failed
    for known in (earlier, earlier * 5000):
        dest.write_bytes(known)
        for flags in ((), ("--check",)):
            run = shop.run("log", *flags, dest=str(dest))
            assert run.failed
            assert "Option 'dest'" in run.msg
            assert "does not hold the log of request" in run.msg
            assert dest.read_bytes() == known
    dest.write_bytes(shop.request.log.read_bytes()[:-5])
    assert shop.run("log", dest=str(dest)).result["changed"]
    assert dest.read_bytes() == shop.request.log.read_bytes()


def test_wipe_needs_the_contract_and_is_done_once(shop: ServiceJob) -> None:
    shop.all()
    refused = shop.run("wipe", confirm="M000000-aaaaaa")
    assert refused.failed
    assert "'confirm'" in refused.msg
    checked = shop.run("wipe", "--check", confirm=SAMPLE_CONTRACT)
    assert checked.result["changed"] is True
    assert shop.times("wipe") == 0
    run = shop.run("wipe", confirm=SAMPLE_CONTRACT)
    assert run.result["changed"] is True
    assert run.result["wiped"] == [str(shop.request.id)]
    assert shop.run("wipe", confirm=SAMPLE_CONTRACT).result["changed"] is False
    assert shop.times("wipe") == 1
    shop.assert_nothing_secret()


def test_a_wipe_without_an_answer_is_proven_by_the_state(shop: ServiceJob) -> None:
    assert shop.run("wipe", "--check", confirm=SAMPLE_CONTRACT).result["changed"] is True
    assert shop.platform.calls() == []
    shop.create()
    shop.platform.fault("reset_before", "request/wipe")
    lost = shop.run("wipe", confirm=SAMPLE_CONTRACT)
    assert lost.failed
    assert "Run this again" in lost.msg
    shop.platform.fault("reset_after", "request/wipe")
    run = shop.run("wipe", confirm=SAMPLE_CONTRACT)
    assert run.result["changed"] is True
    assert "were removed" in run.warnings
    assert shop.times("wipe") == 1


def test_a_partial_wipe_names_what_is_left(shop: ServiceJob) -> None:
    shop.all()
    shop.platform.settings.update({"wipe_fails": [shop.request.id]})
    run = shop.run("wipe", confirm=SAMPLE_CONTRACT)
    assert run.failed
    assert run.result["not_wiped"] == [str(shop.request.id)]


def test_an_incompatible_postgresql_is_kept(shop: ServiceJob) -> None:
    shop.platform.settings.update({"pg_version_compatible": False})
    runs = shop.all()
    assert [run.result.get("is_pg_version_compatible") for run in runs] == [None, None, False, False, False]
    assert shop.run("request_info").result["is_pg_version_compatible"] is False


def test_a_text_of_the_platform_is_a_warning(shop: ServiceJob) -> None:
    shop.platform.settings.update({"info": "This client will be refused from May on."})
    assert "refused from May on" in shop.create().warnings


def test_what_only_v1_needs_is_ignored_with_a_note(shop: ServiceJob) -> None:
    given = {"email": "john.doe@example.com", "filename": "shop.sql", "timezone": "Europe/Brussels"}
    run = shop.create(**given)
    assert not run.failed, run.output
    assert "'email', 'filename', 'timezone'" in run.warnings
    [call] = shop.platform.calls("request/create")
    assert not [value for value in given.values() if value in str(call)]
    again = shop.create(**given)
    assert (again.result["changed"], "'email'" in again.warnings) == (False, False)


def test_what_lies_at_dest_is_not_touched(shop: ServiceJob) -> None:
    for step in (shop.create, shop.upload, shop.process, shop.wait):
        assert not step().failed
    shop.dest.mkdir()
    (shop.dest / "mine").write_text("mine", encoding="ascii")
    aside = shop.folder / "result.old"
    aside.mkdir()
    (aside / "mine").write_text("mine", encoding="ascii")
    run = shop.download()
    assert run.failed
    assert "'dest'" in run.msg
    assert (shop.dest / "mine").read_text(encoding="ascii") == "mine"
    keys = shutil.copytree(shop.ssh_folder, shop.folder.parent / "keys")
    assert not shop.download(force=True).failed
    assert not (shop.dest / "mine").exists()
    assert (aside / "mine").read_text(encoding="ascii") == "mine"
    shop.assert_whole()
    # A run that was killed between its two renames, or after them, left the former folder and the key.
    former = Path(f"{shop.dest}.siteops-old")
    for between in (True, False):
        shutil.copytree(keys, shop.ssh_folder, dirs_exist_ok=True)
        shutil.copytree(aside, former)
        if between:
            shop.dest.rename(f"{shop.dest}.part")
        assert shop.download().result["changed"] is between
        assert (shop.leftovers(), aside.is_dir()) == ([], True)
        shop.assert_whole()


def test_a_result_is_fetched_once_and_the_failure_says_where_it_is(shop: ServiceJob) -> None:
    shop.all()
    run = shop.download(dest=str(shop.folder / "again"))
    assert run.failed
    assert f"was fetched to {shop.dest}" in run.msg
    assert "renew: true" in run.msg


def test_a_damaged_dump_is_not_sent(shop: ServiceJob) -> None:
    shop.dump = _zip(shop.folder / "shop.zip")
    with zipfile.ZipFile(shop.dump, "w") as archive:
        archive.writestr("other.sql", "SELECT 1;")
    shop.create()
    run = shop.upload()
    assert run.failed
    assert "dump.sql" in run.msg
    assert shop.times("transfer/start") == 0


@pytest.mark.parametrize("form", FORMS)
def test_half_a_dump_is_refused_before_there_is_a_request(shop: ServiceJob, form: str) -> None:
    """The role asks this first, in check mode."""
    make, _name = FORMS[form]
    shop.dump = make(shop.folder)
    cut = shop.dump
    if shop.dump.is_dir():
        cut = max(shop.dump.iterdir(), key=lambda path: path.stat().st_size)
        cut.unlink()
        cut = shop.dump / "toc.dat"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    run = shop.upload("--check")
    assert run.failed, run.output
    assert "Option 'src'" in run.msg
    assert shop.platform.calls() == []

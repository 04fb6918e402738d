# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps to the rehearsal platform and back, by the modules as Ansible runs them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import run_module
from support.odoo_shop import MEBIBYTE, SMALL, Shop, failed, make_key, sha256, sql_dump, succeeded
from support.ssh_host import NoServer, SshHost

TRANSPORTS = ("https", "sftp")
PASSPHRASE = "correct horse battery staple"


@pytest.mark.parametrize("way", TRANSPORTS)
def test_a_dump_goes_up_once(shop: Shop, way: str) -> None:
    foreseen = succeeded(shop.upload(way, "--check"), changed=True)
    assert foreseen["sent"]["size"] == shop.dump.stat().st_size
    assert shop.writes() == []
    assert not shop.received.exists()

    sent = succeeded(shop.upload(way), changed=True)["sent"]
    assert sha256(shop.received) == sent["sha256"] == sha256(shop.dump)
    assert sent["transport"] == way
    assert sent["bytes_sent"] == shop.dump.stat().st_size
    expected = {"https": ["upload"], "sftp": ["request_sftp_access", "sftp"]}
    assert shop.writes() == expected[way]

    shop.forget_calls()
    again = succeeded(shop.upload(way), changed=False)["sent"]
    assert again["sha256"] == sent["sha256"]
    assert shop.writes() == []
    assert sorted(p.name for p in shop.folder.iterdir()) == ["key", "key.pub", "shop.json", "shop.sql"]


@pytest.mark.parametrize("way", TRANSPORTS)
def test_a_result_comes_down_once(shop: Shop, way: str) -> None:
    shop.finish()
    before = sorted(shop.folder.iterdir())
    succeeded(shop.download(way, "--check"), changed=True)
    assert shop.writes() == []
    assert sorted(shop.folder.iterdir()) == before

    fetched = succeeded(shop.download(way), changed=True)["fetched"]
    assert shop.dest.read_bytes() == shop.result.read_bytes()
    assert sha256(shop.dump).encode() in shop.dest.read_bytes()[-200:]
    assert fetched["sha256"] == sha256(shop.dest)
    assert fetched["format"] == "sql"
    assert stat.S_IMODE(shop.dest.stat().st_mode) == 0o600
    assert not Path(f"{shop.dest}.part").exists()

    shop.forget_calls()
    succeeded(shop.download(way), changed=False)
    assert shop.writes() == []


def test_a_touched_dump_is_not_sent_again(shop: Shop) -> None:
    succeeded(shop.upload("https"), changed=True)
    os.utime(shop.dump, (1, 1))
    shop.forget_calls()
    succeeded(shop.upload("https"), changed=False)
    assert shop.writes() == []
    assert shop.record["sent"]["mark"]["mtime_ns"] == 1_000_000_000


def test_a_changed_dump_is_sent_again_while_that_is_possible(shop: Shop) -> None:
    succeeded(shop.upload("https"), changed=True)
    sql_dump(shop.dump, SMALL, seed=2)
    succeeded(shop.upload("sftp"), changed=True)
    assert sha256(shop.received) == sha256(shop.dump)

    shop.platform.force_state(shop.number, "processing")
    shop.forget_calls()
    succeeded(shop.upload("sftp"), changed=False)
    sql_dump(shop.dump, SMALL, seed=3)
    for flags in ((), ("--check",)):
        failed(shop.upload("sftp", *flags), "state processing", "takes no dump any more")
    assert shop.writes() == []


def test_auto_takes_sftp_for_large_dumps_where_there_is_a_key(shop: Shop) -> None:
    options = {"transport": "auto", "sftp_threshold": "1M"}
    assert shop.upload("sftp", "--check", **options).result["sent"]["transport"] == "sftp"
    assert shop.upload("https", "--check", **options).result["sent"]["transport"] == "https"
    options["sftp_threshold"] = "3M"
    assert shop.upload("sftp", "--check", **options).result["sent"]["transport"] == "https"


@pytest.mark.parametrize("kind", ("ed25519", "rsa", "ecdsa"))
def test_keys_of_every_type_with_a_passphrase(shop: Shop, kind: str) -> None:
    key = make_key(shop.folder / kind, kind, PASSPHRASE)
    options = {"sftp_private_key": str(key), "src": str(sql_dump(shop.folder / "small.sql", MEBIBYTE))}
    failed(shop.upload("sftp", **options, sftp_passphrase="wrong"), "sftp_passphrase")
    failed(shop.upload("sftp", **options), "sftp_passphrase", "is missing")
    assert shop.platform.calls() == []

    run = shop.upload("sftp", "-vvvv", **options, sftp_passphrase=PASSPHRASE)
    succeeded(run, changed=True)
    assert PASSPHRASE not in run.output
    assert shop.record["handle"]["secret"] not in run.output
    assert "PRIVATE KEY" not in run.output


def test_sftp_goes_through_a_jump_host(shop: Shop) -> None:
    gate = SshHost(shop.folder / "gate")
    with contextlib.ExitStack() as stack:
        try:
            variables = stack.enter_context(gate).variables
        except NoServer as error:
            pytest.skip(str(error))
        options = [
            f"ProxyJump={variables['ansible_user']}@127.0.0.1:{variables['ansible_port']}",
            f"IdentityFile={variables['ansible_ssh_private_key_file']}",
            "IdentitiesOnly=yes",
        ]
        failed(
            shop.upload("sftp", ssh_options=options, retries=0), "through", "Host key verification failed", "ProxyJump"
        )
        options.append(f"UserKnownHostsFile={shop.folder / 'gate/known_hosts'}")
        succeeded(shop.upload("sftp", ssh_options=options), changed=True)
    assert sha256(shop.received) == sha256(shop.dump)


def test_auto_goes_on_by_https_where_sftp_cannot_be_reached(shop: Shop) -> None:
    shop.platform.fault("edit", "request_sftp_access", path="request.sftp_port", value=1)
    options = {"transport": "auto", "sftp_threshold": "1M", "retries": 0}
    run = shop.upload("sftp", **options)
    assert succeeded(run, changed=True)["sent"]["transport"] == "https"
    assert "cannot be reached: Connection refused" in run.warnings
    assert "sent by HTTPS instead" in run.warnings
    assert sha256(shop.received) == sha256(shop.dump)


def test_keys_of_an_agent(shop: Shop) -> None:
    agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    variables = dict(part.split("=", 1) for part in agent.replace("\n", "").split(";") if "=" in part)
    env = {**os.environ, **variables}
    options = {**shop.options, "transport": "sftp", "src": str(shop.dump), "sftp_host_key": shop.platform.host_key}
    try:
        subprocess.run(["ssh-add", "-q", str(shop.private_key)], env=env, check=True)
        named = {**options, "sftp_public_keys": str(make_key(shop.folder / "other")) + ".pub"}
        failed(run_module("odoo_upgrade_upload", named, env=variables), "none of those in 'sftp_public_keys'")
        assert shop.platform.calls() == []
        succeeded(run_module("odoo_upgrade_upload", options, env=variables), changed=True)
    finally:
        os.kill(int(variables["SSH_AGENT_PID"]), signal.SIGTERM)
    assert sha256(shop.received) == sha256(shop.dump)


def test_a_private_key_among_the_public_ones_stays_here(shop: Shop) -> None:
    keys = shop.folder / "authorized_keys"
    keys.write_text("# ours\n\n" + shop.private_key.with_suffix(".pub").read_text() + shop.private_key.read_text())
    run = shop.upload("sftp", sftp_public_keys=str(keys))
    failed(run, "sftp_public_keys", "line 4")
    assert shop.private_key.read_text().splitlines()[2] not in run.output
    assert shop.platform.calls() == []


def test_a_server_that_is_not_the_given_one(shop: Shop) -> None:
    known = shop.folder / "known_hosts"
    known.write_text("example.org " + shop.private_key.with_suffix(".pub").read_text())
    failed(shop.upload("sftp", sftp_host_key=None, sftp_known_hosts=str(known)), "is not in", "known_hosts")
    failed(shop.upload("sftp", sftp_host_key=shop.private_key.with_suffix(".pub").read_text()), "sftp_host_key")
    assert not shop.received.stat().st_size

    known.write_text(shop.platform.known_hosts_line + "\n")
    succeeded(shop.upload("sftp", sftp_host_key=None, sftp_known_hosts=str(known)), changed=True)


@pytest.mark.parametrize("name", ("../shop.sql", "/etc/passwd", "..", "a/b", "a\0b", ""))
def test_a_hostile_name_of_the_shared_file(shop: Shop, name: str) -> None:
    shop.platform.fault("edit", "request_sftp_access", path="request.shared_file", value=name)
    failed(shop.upload("sftp"), "request_sftp_access")
    assert "sftp" not in shop.writes()


def test_a_result_with_a_filestore_has_another_name(shop: Shop) -> None:
    shop.platform.settings.deliver_filestore = True
    shop.finish()
    assert succeeded(shop.download("sftp"), changed=True)["fetched"]["format"] == "zip"
    assert shop.platform.calls("sftp")[-1].opens == ["upgraded_shop.zip (read)"]


def test_a_result_under_an_unknown_name(shop: Shop) -> None:
    shop.finish()
    shop.platform.fault("sftp_name", name="other.dump")
    failed(shop.download("sftp"), "other.dump", "none of them is the upgraded shop.sql")
    assert not Path(f"{shop.dest}.part").exists()


def test_sql(shop: Shop) -> None:
    shop.finish()
    failed(shop.download("sftp", content="sql"), "transport")
    assert shop.platform.calls() == []
    fetched = succeeded(shop.download("https", content="sql", mode="0640"), changed=True)["fetched"]
    assert fetched["content"] == "sql"
    assert stat.S_IMODE(shop.dest.stat().st_mode) == 0o640


def test_another_file_at_the_destination(shop: Shop) -> None:
    shop.finish()
    shop.dest.write_text("precious")
    for flags in ((), ("--check",)):
        failed(shop.download("https", *flags), "another file", "force")
    assert shop.dest.read_text() == "precious"
    succeeded(shop.download("https", force=True), changed=True)
    succeeded(shop.download("https", force=True), changed=False)
    os.utime(shop.dest, (1, 1))
    succeeded(shop.download("https"), changed=False)
    shop.dest.write_text("precious")
    failed(shop.download("https"), "another file")


def test_a_run_that_was_killed_before_the_last_step(shop: Shop) -> None:
    shop.finish()
    succeeded(shop.download("https"), changed=True)
    shop.dest.rename(f"{shop.dest}.part")
    shop.forget_calls()
    succeeded(shop.download("https", "--check"), changed=True)
    succeeded(shop.download("https"), changed=True)
    assert shop.writes() == []
    assert shop.dest.read_bytes() == shop.result.read_bytes()


def test_no_result_yet_and_no_result_ever(shop: Shop) -> None:
    shop.platform.force_state(shop.number, "processing")
    failed(shop.download("https"), "no result yet", "processing")
    shop.platform.force_state(shop.number, "invalid", "Your modules are too old")
    failed(shop.download("https"), "invalid", "Your modules are too old")
    assert shop.writes() == []


def test_a_request_without_a_file(shop: Shop) -> None:
    record = shop.record
    bare = {"request_file": None, "request_id": record["handle"]["id"], "request_key": record["handle"]["secret"]}
    failed(shop.upload("sftp", **bare, sftp_host_key=None), "sftp_host_key")
    assert shop.platform.calls() == []
    succeeded(shop.upload("sftp", **bare), changed=True)
    shop.platform.force_state(shop.number, "done")
    run = shop.download("https", "-vvvv", **bare)
    succeeded(run, changed=True)
    assert record["handle"]["secret"] not in run.output
    failed(shop.download("https", **bare), "another file")

    shop.dest.unlink()
    shop.platform.fault("cut_download", "upgraded/archive", after=MEBIBYTE)
    failed(shop.download("https", **bare, retries=0))
    assert not Path(f"{shop.dest}.part").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    (
        ({"dest": "/nonexistent/x"}, ("dest", "does not exist")),
        ({"dest": "/tmp"}, ("dest", "is a folder")),
        ({"mode": "999"}, ("mode", "octal")),
        ({"mode": 644}, ("mode", "octal")),
        ({"retries": -1}, ("retries",)),
        ({"sftp_threshold": "much"}, ("sftp_threshold",)),
    ),
)
def test_bad_options_of_a_download(shop: Shop, options: dict[str, Any], words: tuple[str, ...]) -> None:
    failed(shop.download("https", **options), *words)
    assert shop.platform.calls() == []


def test_dumps_that_cannot_be_sent(shop: Shop) -> None:
    (shop.folder / "empty").touch()
    for src in (shop.folder, shop.folder / "missing", shop.folder / "empty", "/dev/null"):
        failed(shop.upload("https", src=str(src)), "src")
    assert shop.platform.calls() == []


def test_an_access_for_others(shop: Shop) -> None:
    options = {**shop.options, "sftp_public_keys": f"{shop.private_key}.pub"}
    run = run_module("odoo_upgrade_sftp_access", options, "--check")
    assert "access" not in succeeded(run, changed=True)
    assert shop.writes() == []
    result = succeeded(run_module("odoo_upgrade_sftp_access", options), changed=True)
    assert result["access"]["sftp_port"] == shop.platform.sftp_port
    assert result["access"]["shared_file"] == "shop.sql"
    assert result["public_keys"][0].startswith("ssh-ed25519 SHA256:")
    with contextlib.suppress(KeyError):
        assert shop.record["handle"]["secret"] not in json.dumps(result)

    shop.platform.force_state(shop.number, "processing")
    failed(run_module("odoo_upgrade_sftp_access", options), "processing")


def test_a_change_that_size_and_time_do_not_show_is_seen_on_request(shop: Shop) -> None:
    succeeded(shop.upload("https"), changed=True)
    status = shop.dump.stat()
    with shop.dump.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"#")
    os.utime(shop.dump, ns=(status.st_atime_ns, status.st_mtime_ns))
    shop.forget_calls()
    succeeded(shop.upload("https"), changed=False)
    sent = succeeded(shop.upload("https", checksum="always"), changed=True)["sent"]
    assert sent["sha256"] == sha256(shop.received) == sha256(shop.dump)
    shop.finish()
    succeeded(shop.download("https"), changed=True)
    succeeded(shop.download("https", checksum="always"), changed=False)

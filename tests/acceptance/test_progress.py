# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of a play that say how far its long work is, as a person sees them and as ansible-runner keeps them.

Each test watches a play until enough lines were seen, and lets the work go on then; the time it takes decides nothing.
"""

from __future__ import annotations

import getpass
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from support import cutting_proxy
from support.ansible_cli import QUIET, SECONDS, run_module
from support.cutting_proxy import CuttingProxy
from support.odoo_shop import make_key
from support.platform import SQL_END, Platform
from support.plone import PloneServer
from support.ssh_host import NoServer, SshHost
from support.watched_play import WatchedPlay, write_play

MEBIBYTE = 1024 * 1024
SIZE = 24 * MEBIBYTE
SLOW = MEBIBYTE // 2
"""Bytes in a second. The play is let go long before all of them are through."""

HEAD = b"-- PostgreSQL database dump\nCREATE TABLE res_users ();\n-- "
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
WAITED = r"\[{host}\] odoo_upgrade_request_info: {state} for (\d+) s, at most [\d mins]+ more"
ENOUGH_READS = 4
"""The module sleeps a second between two reads: after so many, a line for each second would have been printed."""

ANY_LINE = r"\[[^\]]*\] \w+: .*(for|of|/s).*"


class Database:
    """A request in the state `pending`, which leaves it when it is told to."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform = platform
        self.folder = folder
        about = {"email": "a@example.com", "target": "18.0", "aim": "test", "filename": "shop.sql", "timezone": None}
        self.request = platform.store.create(**about)
        self.options: dict[str, Any] = {
            "api_url": platform.api_url,
            "ca_path": str(platform.ca_path),
            "request_id": str(self.request.id),
            "request_key": self.request.key,
        }
        self.enter("pending")

    def enter(self, state: str) -> None:
        self.platform.force_state(self.request.id, state)

    def wait_for_reads(self, count: int) -> None:
        """Return when the state was read so many times."""
        give_up = time.monotonic() + SECONDS
        while len(self.platform.calls("status", self.request.id)) < count:
            assert time.monotonic() < give_up, f"the state was not read {count} times"
            time.sleep(0.1)

    def waiting(self, **options: Any) -> dict[str, Any]:
        """A task that waits for the result."""
        waiting = {"wait": True, "wait_timeout": 600, "wait_interval": 1, "progress_interval": 1}
        return {"siteops.upgrades.odoo_upgrade_request_info": {**self.options, **waiting, **options}}


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform(stage_seconds=None) as started:
        yield started


@pytest.fixture
def database(platform: Platform, tmp_path: Path) -> Database:
    return Database(platform, tmp_path)


def assert_grows(numbers: list[int]) -> None:
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1], numbers


def test_each_item_of_a_loop_prints_its_state_for_how_long_and_what_remains(database: Database) -> None:
    task = {**database.waiting(wait_for="{{ item }}"), "loop": ["testing", "result"]}
    play = write_play(database.folder, {"shop": LOCAL}, [task])
    with WatchedPlay(*play, "-vvvv") as watched:
        found = watched.wait_for(WAITED.format(host="shop", state="pending"), 4)
        assert_grows([int(match[1]) for match in found])
        database.enter("testing")
        watched.wait_for(WAITED.format(host="shop", state="testing"))
        database.enter("done")
        assert watched.end() == 0, watched.output
    assert database.request.key not in watched.output
    assert not any("\r" in line or "\x1b" in line for line in watched.lines)


def test_two_hosts_at_the_same_time_have_lines_of_their_own_also_where_a_task_is_delegated(database: Database) -> None:
    hosts = {"one": LOCAL, "two": LOCAL, "control": LOCAL}
    task = {
        **database.waiting(),
        "delegate_to": "{{ 'control' if inventory_hostname == 'two' else inventory_hostname }}",
        "become": "{{ inventory_hostname == 'two' }}",
        "become_user": getpass.getuser(),
    }
    play = write_play(database.folder, hosts, [task], strategy="free")
    with WatchedPlay(*play, "--limit", "one,two") as watched:
        for host in ("one.*", "two -> control"):
            watched.wait_for(WAITED.format(host=host, state="pending"), 2)
        database.enter("done")
        assert watched.end() == 0, watched.output


def test_no_line_is_printed_where_none_is_wanted(platform: Platform, tmp_path: Path) -> None:
    """Each way by a host of its own; nobody waits in check mode, so that it shows the state at once."""
    ways: dict[str, dict[str, Any]] = {
        "none": {"options": {"progress_interval": 0}},
        "rare": {"options": {"progress_interval": 600}},
        "checked": {"check": True},
        "hidden": {"hidden": True},
        "async": {"seconds": 600},
    }
    databases = {host: Database(platform, tmp_path) for host in ways}
    waiting = {"wait": True, "wait_timeout": 600, "wait_interval": 1, "progress_interval": 1}
    hosts = {
        host: {**LOCAL, **way, "options": {**databases[host].options, **waiting, **way.get("options", {})}}
        for host, way in ways.items()
    }
    task = {
        "siteops.upgrades.odoo_upgrade_request_info": "{{ options }}",
        "no_log": "{{ hidden | default(false) }}",
        "check_mode": "{{ check | default(false) }}",
        "async": "{{ seconds | default(0) }}",
        "poll": 1,
        "register": "read",
    }
    shown = {"ansible.builtin.debug": {"msg": "JOB {{ read.ansible_job_id | default('none') }} {{ read.state }}"}}
    play = write_play(tmp_path, hosts, [task, shown], strategy="free")
    with WatchedPlay(*play, env={"ANSIBLE_FORKS": str(len(ways)), "ANSIBLE_INJECT_FACT_VARS": "false"}) as watched:
        for host, database in databases.items():
            if host != "checked":
                database.wait_for_reads(ENOUGH_READS)
                database.enter("done")
        assert watched.end() == 0, watched.output
    assert sorted(match[1] for match in watched.seen(r'.*"JOB none (\w+)".*')) == ["done", "done", "done", "pending"]
    assert watched.seen(r'.*"JOB (?!none)\S+ done".*'), watched.output
    assert not watched.seen(ANY_LINE), watched.output


def test_an_interval_below_zero_is_refused(database: Database) -> None:
    before = len(database.platform.calls())
    run = run_module("odoo_upgrade_request_info", {**database.options, "progress_interval": -1})
    assert run.msg.startswith("Option 'progress_interval': must be 0 or greater, not -1.")
    assert len(database.platform.calls()) == before


@pytest.mark.parametrize(
    "arguments",
    ["-o ControlMaster=auto -o ControlPersist=60s", "-o ControlMaster=no"],
    ids=["shared connection", "connection of its own"],
)
def test_a_remote_host_is_asked_over_a_second_connection(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    try:
        # The path of a socket may be no longer than about a hundred bytes.
        with tempfile.TemporaryDirectory() as sockets, SshHost(tmp_path / "sshd") as host:
            monkeypatch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", sockets)
            monkeypatch.setenv("ANSIBLE_SSH_ARGS", arguments)
            hosts = {"shop": {**host.variables, "ansible_remote_tmp": str(tmp_path / "remote")}}
            play = write_play(database.folder, hosts, [database.waiting(progress_interval=2)])
            with WatchedPlay(*play) as watched:
                watched.wait_for(WAITED.format(host="shop", state="pending"), 2)
                database.enter("done")
                assert watched.end() == 0, watched.output
    except NoServer as reason:
        pytest.skip(str(reason))
    assert not list((tmp_path / "remote").iterdir())


def test_the_lines_are_among_the_events_of_ansible_runner(database: Database) -> None:
    playbook, _option, inventory = write_play(database.folder, {"shop": LOCAL}, [database.waiting()])
    private = database.folder / "runner"
    private.mkdir()
    enough = threading.Event()
    lines: list[str] = []

    def take(event: dict[str, Any]) -> bool:
        if re.fullmatch(WAITED.format(host="shop", state="pending"), event["stdout"]):
            lines.append(event["stdout"])
            if len(lines) == 3:
                database.enter("done")
                enough.set()
        return True

    runner = ansible_runner.run(
        private_data_dir=str(private),
        playbook=playbook,
        inventory=inventory,
        envvars=QUIET,
        event_handler=take,
        quiet=True,
        timeout=SECONDS,
    )
    assert (runner.status, enough.is_set()) == ("successful", True), lines


def test_a_transfer_prints_how_many_bytes_of_how_many(database: Database) -> None:
    """Both directions over both ways at once, each by a host of its own."""
    dump, key = database.folder / "shop.sql", make_key(database.folder / "key")
    dump.write_bytes(HEAD + random.Random(1).randbytes((SIZE - len(HEAD)) // 2).hex().encode() + SQL_END)
    sftp = {"transport": "sftp", "sftp_private_key": str(key), "sftp_host_key": database.platform.host_key}
    transfers: dict[str, tuple[Database, Path]] = {}
    hosts: dict[str, dict[str, Any]] = {}
    for direction in ("upload", "download"):
        for way in ("https", "sftp"):
            own = Database(database.platform, database.folder)
            own.enter("draft")
            if direction == "download":
                own.request.original.write_bytes(dump.read_bytes())
                own.enter("done")
            dest = database.folder / f"{way}.sql"
            path = {"src": str(dump)} if direction == "upload" else {"dest": str(dest)}
            options = {**own.options, **path, **(sftp if way == "sftp" else {"transport": way}), "progress_interval": 1}
            hosts[f"{direction}-{way}"] = {**LOCAL, "options": options}
            transfers[f"{direction}-{way}"] = own, own.request.original if direction == "upload" else dest
    tasks = [
        {
            f"siteops.upgrades.odoo_upgrade_{direction}": "{{ options }}",
            "when": f"inventory_hostname is match('{direction}')",
        }
        for direction in ("upload", "download")
    ]
    play = write_play(database.folder, hosts, tasks, strategy="free")
    database.platform.settings.update({"bytes_per_second": SLOW})
    line = r"\[{}\] {}: ([\d.]+) MiB of 24\.0 MiB \((\d+) %\)(, [\d.]+ [KM]iB/s, [\dmins ]+ left)?"
    with WatchedPlay(*play, "-vvvv", env={"ANSIBLE_FORKS": "4", "ANSIBLE_INJECT_FACT_VARS": "false"}) as watched:
        for host in hosts:
            found = watched.wait_for(line.format(host, f"odoo_upgrade_{host.partition('-')[0]}"), 4)
            assert_grows([int(10 * float(match[1])) for match in found])
            assert_grows([int(match[2]) for match in found])
            assert any(match[3] for match in found), watched.output
        database.platform.settings.update({"bytes_per_second": None})
        assert watched.end() == 0, watched.output
    for own, moved in transfers.values():
        assert moved.read_bytes().startswith(dump.read_bytes())
        assert own.request.key not in watched.output


def test_a_rehearsal_an_upgrade_and_a_change_of_an_add_on_show_for_how_long(
    plone: PloneServer, as_admin: dict[str, Any], tmp_path: Path
) -> None:
    """One after the other, as a play has them, each answered when its lines were seen; the add-on by its name."""
    at_most = r"at most [\d hmins]+ more"
    lines = {
        rf"\[site\] plone_upgrade: rehearsing for (\d+) s, {at_most}": threading.Event(),
        rf"\[site\] plone_upgrade: upgrading for (\d+) s, {at_most}": threading.Event(),
        rf"\[site\] plone_addon: uninstalling siteops\.testaddon for (\d+) s, {at_most}": threading.Event(),
    }
    held = iter(lines.values())

    def pass_on_when_seen(*answer: Any) -> None:
        assert next(held).wait(SECONDS)
        cutting_proxy.pass_on(*answer)

    with CuttingProxy(plone.url, POST=pass_on_when_seen) as proxy:
        options = {**as_admin, "url": proxy.url, "progress_interval": 1}
        change = {"name": ["siteops.testaddon"], "state": "absent"}
        tasks: list[dict[str, Any]] = [
            {"siteops.upgrades.plone_upgrade": {**options, "dry_run": dry_run}} for dry_run in (True, False)
        ]
        tasks.append({"siteops.upgrades.plone_addon": {**options, **change}})
        with WatchedPlay(*write_play(tmp_path, {"site": LOCAL}, tasks)) as watched:
            for line, seen in lines.items():
                found = watched.wait_for(line, 3)
                assert_grows([int(match[1]) for match in found])
                seen.set()
            assert watched.end() == 0, watched.output
    assert as_admin["password"] not in watched.output

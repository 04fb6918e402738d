# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that mean harm, met by modules and roles as Ansible runs them. What a parser does alone is a unit test."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import subprocess
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.verify import check
from ansible_collections.siteops.upgrades.tests.unit.local_server import LocalServer, document, routed
from faults.figures import Figure
from support.ansible_cli import run_module, run_playbook
from support.odoo_job import Job, failures, run_hosts
from support.platform import SQL_END, Platform
from support.plone.accounts import ADMIN

MEBIBYTE = 1024 * 1024
STEPS = 100_000
LONGEST = 600
"""Seconds, for what takes a few on a machine that has nothing else to do, and hours where it grows with the square."""

MOST_MEMORY = 1024 * MEBIBYTE
"""Bytes of any one process of a run with all those steps: Ansible itself holds several copies of a result."""


def hostile_words(marker: Path) -> str:
    """A text that runs a command where it is taken for a template, and recolours, clears and retitles a terminal."""
    run = f"{{{{ lookup('ansible.builtin.pipe', 'touch {marker}') }}}}"
    return f"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x9b2J \u202eback {run} {{% raw %}} {{# note #}} \ud800 \x00end"


def assert_harmless(output: str, marker: Path, *, cut: bool = False) -> None:
    """The words were shown as they are, or cut as the word of a state is; nothing in them acted, nothing fell over."""
    assert not marker.exists(), output
    assert "Traceback (most recent call last)" not in output
    for character in ("\x1b", "\x9b", "\x07", "\x00", "\u202e"):
        assert character not in output
        assert json.dumps(character)[1:-1] not in output
    shown = "lookup('ansible.bu…" if cut else f"lookup('ansible.builtin.pipe', 'touch {marker}')"
    assert shown in output.replace("\\'", "'").replace('\\"', '"')


PLACES = {"failed": ("customer_message", "filename"), "refused": ("failure",), "waiting": ("state",)}
"""Where the platform of a host speaks. The words of a request that failed come with the name of its file."""


def speak(platform: Platform, place: str, words: str) -> None:
    """Let a platform say these words in one place of its answers."""
    if place == "customer_message":
        platform.settings.update({"end_state": "invalid", "customer_message": words.replace("\ud800", "")})
    elif place == "failure":
        platform.fault("failure", "upload", reason="SERVER:ERROR", message=words, times=9)
    else:
        platform.fault("edit", "status", path=f"request.{place}", value=words, times=99)


def test_words_of_the_platform_are_shown_and_do_nothing(tmp_path: Path) -> None:
    """Each host of the play has a platform of its own, which speaks in other places."""
    hosts: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        for host, places in PLACES.items():
            platform = stack.enter_context(Platform(stage_seconds=0))
            for place in places:
                speak(platform, place, hostile_words(tmp_path / f"marker-{place}"))
            job = Job(platform, tmp_path / host, host)
            hosts[host] = {**job.settings, "wait_timeout": 3}
        ended = run_hosts(job, hosts, "-v")
    failed = failures(ended)
    assert failed.keys() == PLACES.keys(), ended.output
    for host, places in PLACES.items():
        for place in places:
            for output in (ended.output, failed[host]):
                assert_harmless(output, tmp_path / f"marker-{place}", cut=place == "state")


def test_a_name_of_the_platform_leads_to_no_other_file(job: Job, tmp_path: Path) -> None:
    """The file is asked for by the name that the server lists, and lies where 'dest' says."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
    job.platform.settings.update({"stage_seconds": None})
    job.submit()
    job.platform.settings.update({"stage_seconds": 0})
    options = {"transport": "sftp", "sftp_private_key": str(key), "sftp_host_key": job.platform.host_key}
    for name in ("../../../../etc/passwd", "/etc/passwd", "a\0b"):
        job.platform.fault("edit", "status", path="request.filename", value=name)
        job.platform.fault("sftp_name", name=f"upgraded_{name}")
        run = job.module("odoo_upgrade_download", dest=str(job.dest), **options)
        assert "Traceback" not in run.output
        if not run.failed:
            job.assert_whole()
            job.dest.unlink()
        assert job.files <= {job.request_file.name, f"{job.dest.name}.part"}
        job.platform.faults.clear()
    for name in ("../shop.sql", "/etc/passwd", "a\0b", ".."):
        job.platform.fault("edit", "request_sftp_access", path="request.shared_file", value=name)
        run = job.module("odoo_upgrade_download", dest=str(job.dest), **options)
        assert run.failed, run.output
        assert "without a usable host, port, user and file" in run.msg
        job.platform.faults.clear()
    assert job.files <= {job.request_file.name, f"{job.dest.name}.part"}
    assert not job.module("odoo_upgrade_download", dest=str(job.dest), **options).failed
    job.assert_whole()


SQL_START = b"-- PostgreSQL database dump\n"
BOMB = 256
"""Mebibytes of a bomb."""

NAMES = ("/etc/passwd", "../../../../root/.ssh/authorized_keys", "dump.sql")


def bomb_as_zip() -> bytes:
    """A thousand times its size, and sixteen times the memory that a check may take, under names that lead out."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in NAMES:
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(SQL_START)
                for _block in range(BOMB // len(NAMES)):
                    member.write(b" " * MEBIBYTE)
                member.write(SQL_END)
    return made.getvalue()


def bomb_as_gzip() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    blocks = (SQL_START, *(b" " * MEBIBYTE for _block in range(BOMB)), SQL_END)
    return b"".join(packer.compress(block) for block in blocks) + packer.flush()


@pytest.mark.parametrize("bomb", (bomb_as_zip, bomb_as_gzip))
def test_a_bomb_is_checked_and_never_unpacked(bomb: Any, tmp_path: Path) -> None:
    path = tmp_path / "upgraded"
    path.write_bytes(bomb())
    tracemalloc.start()
    started = time.monotonic()
    check(str(path), "archive", None, {})
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * MEBIBYTE
    assert time.monotonic() - started < LONGEST
    assert list(tmp_path.iterdir()) == [path]


def site_of_many_steps(words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answers of GET and POST @upgrade for a site with so many steps to do."""
    steps = {
        f"{6000 + group}-{6001 + group}": [
            {"id": f"{group}-{number}", "title": f"Step {number} {words}"} for number in range(STEPS // 100)
        ]
        for group in range(100)
    }
    lines = [f"Ran upgrade step: Step {number} {words}" for number in range(STEPS)]
    lines += [f"Exception was thrown while cataloging {number}: {words}" for number in range(1000)]
    report = "\n".join([*lines, "Your Plone instance is now up-to-date."])
    before = {"versions": {"instance": "6000", "fs": "6100"}, "upgrade_steps": steps}
    return before, {"versions": {"instance": "6000", "fs": "6100"}, "report": report, "dry_run": True, "upgraded": True}


def test_a_hundred_thousand_steps(tmp_path: Path, figure: Figure) -> None:
    before, after = site_of_many_steps("")
    started = time.monotonic()
    replies = {"/Plone/@upgrade": document(before), "/Plone/@system": document({"plone_version": "6.1"})}
    with LocalServer(routed(GET=replies, POST={"/Plone/@upgrade": document(after)})) as server:
        options = {"url": f"{server.url}/Plone", "username": "admin", "password": ADMIN.password}
        info = run_module("plone_upgrade_info", options)
        rehearsal = run_module("plone_upgrade", {**options, "dry_run": True})
    seconds = time.monotonic() - started
    assert len(info.result["steps"]) == STEPS
    assert (rehearsal.failed, len(rehearsal.result["steps_run"])) == (False, STEPS), rehearsal.output[-2000:]
    assert rehearsal.output.count("[WARNING]") < 30
    assert "Plone reports 980 more of the same kind." in rehearsal.warnings
    assert seconds < LONGEST
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert largest < MOST_MEMORY
    figure("seconds for two modules with 100,000 upgrade steps each", round(seconds))
    figure("MiB of the largest process with 100,000 upgrade steps", largest // MEBIBYTE)


def test_words_of_plone_are_shown_and_do_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    words = hostile_words(marker)
    steps = {"6018-6019": [{"id": words, "title": words}]}
    before = {"versions": {"instance": "6018", "fs": "6205"}, "upgrade_steps": steps}
    report = (
        f"Ran upgrade step: {words}\nException was thrown while cataloging {words}\nUpgrade aborted. Error:\n{words}"
    )
    answer = {"versions": {"instance": "6018", "fs": "6205"}, "report": report}
    system = {"plone_version": words, "plone_restapi_version": words, "zope_version": words, "python_version": words}
    addon = {
        "id": words,
        "title": words,
        "is_installed": True,
        "upgrade_info": {"available": True, "newVersion": words},
    }
    gets = {
        "/Plone/@upgrade": document(before),
        "/Plone/@system": document(system),
        "/Plone/@addons": document({"items": [addon]}),
        "/Plone/@transactions": document(
            [{"id": words, "time": words, "username": words, "description": words, "size": 1}]
        ),
    }
    variables = {
        "plone_upgrade_username": "admin",
        "plone_upgrade_password": ADMIN.password,
        "plone_upgrade_wait_timeout": 5,
        "plone_upgrade_addons": "all",
        "plone_upgrade_undo_on_failure": True,
    }
    replies = routed(GET=gets, POST={"/Plone/@upgrade": document(answer)})
    with LocalServer(replies) as rehearsed, LocalServer(replies) as upgraded:
        hosts = {
            "rehearsed": {"plone_upgrade_url": f"{rehearsed.url}/Plone", "plone_upgrade_rehearsal": "only"},
            "upgraded": {"plone_upgrade_url": f"{upgraded.url}/Plone", "plone_upgrade_rehearsal": "skip"},
        }
        inventory = tmp_path / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}), encoding="utf-8")
        state = {"XDG_STATE_HOME": str(tmp_path / "state")}
        ended = run_playbook("siteops.upgrades.plone_upgrade", "-i", str(inventory), "-v", "--diff", env=state)
    failed = failures(ended)
    assert failed.keys() == hosts.keys()
    for words_of_host in (ended.output, *failed.values()):
        assert_harmless(words_of_host, marker)

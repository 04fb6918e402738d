# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once on one request file or one site: they wait for each other, or one says who is in its way."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from faults.wait_for_idle import wait_for_idle
from support.ansible_cli import environment, playbook_command, run_module, run_playbook
from support.module_runner import ModuleRun, command_of_module
from support.odoo_job import Job
from support.platform import SAMPLE_CONTRACT, Platform
from support.plone import PloneServer
from support.plone.accounts import ADMIN
from support.processes import kill_alone, kill_when

CREATION = {
    "contract": SAMPLE_CONTRACT,
    "email": "john.doe@example.com",
    "target": "18.0",
    "filename": "shop.sql",
}
ADDON = "siteops.testaddon"


@pytest.fixture(scope="module")
def running_platform() -> Iterator[Platform]:
    """One platform for all tests of the module."""
    with Platform(stage_seconds=0.2) as platform:
        yield platform


def at_once(run: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(2) as runs:
        return [future.result() for future in [runs.submit(run), runs.submit(run)]]


def on(plone: PloneServer, module: str, **options: Any) -> ModuleRun:
    return run_module(module, {"url": plone.url, "username": ADMIN.name, "password": ADMIN.password, **options})


def writes(plone: PloneServer) -> list[str]:
    return [request.path for request in plone.requests() if request.method != "GET"]


def test_two_plays_on_one_request_file(job: Job) -> None:
    platform = job.platform
    for call in ("create", "upload", "process"):
        platform.fault("delay", call, seconds=1.5)
    command = job.arguments()
    runs = at_once(lambda: job.run_with(command))
    for ended in runs:
        assert ended.status == 0, ended.output
    assert sum(ended.recap[job.host]["changed"] for ended in runs) == 4
    assert [len(platform.calls(call)) for call in ("create", "upload", "process", "upgraded/archive")] == [1, 1, 1, 1]
    job.assert_whole()
    assert job.files == {job.request_file.name, job.dest.name}


def test_a_play_waits_for_the_module_of_one_that_was_killed_alone(job: Job, tmp_path: Path) -> None:
    """A kill of ansible-playbook leaves its module at work, which sends the dump while the next play begins."""
    platform = job.platform
    platform.fault("delay", "upload", seconds=4.0)
    kill_when(lambda: platform.calls("upload"), job.command(), environment(), tmp_path / "killed.log", kill_alone)
    job.counters(job.run())
    assert [len(platform.calls(call)) for call in ("create", "upload", "process")] == [1, 1, 1]
    job.assert_whole()


def test_a_play_waits_for_the_upgrade_of_one_that_was_killed_alone(plone: PloneServer, tmp_path: Path) -> None:
    plone.fault(step_sleep=4.0)
    credentials = {"PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
    env = {"PLONE_URL": plone.url, **credentials, "XDG_STATE_HOME": str(tmp_path / "state")}
    options = ("-i", "site,", "-e", "plone_upgrade_rehearsal=skip", "-e", "plone_upgrade_wait_interval=1")
    command = playbook_command("siteops.upgrades.plone_upgrade", *options)
    kill_when(lambda: writes(plone), command, environment(env), tmp_path / "killed.log", kill_alone)
    ended = run_playbook("siteops.upgrades.plone_upgrade", *options, env=env)
    assert ended.status == 0, ended.output
    assert len(writes(plone)) == 1
    assert on(plone, "plone_upgrade_info").result["state"] == "up_to_date"


def test_a_run_that_waits_too_long_says_for_what(job: Job) -> None:
    with Path(f"{job.request_file}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = job.module("odoo_upgrade_request", **CREATION, timeout=1)
    assert run.failed
    assert f"Another run is using the request file {job.request_file}, and did not end in the 1 seconds" in run.msg
    assert job.platform.calls() == []


def test_two_downloads_to_one_destination_with_two_request_files(job: Job, tmp_path: Path) -> None:
    """The .part is locked as well, by whichever request it is written for."""
    with Path(f"{job.dest}.part").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = job.attempt()[-1]
    assert ended.failed
    assert f"Another run is fetching into {job.dest}.part" in ended.msg
    job.complete()
    job.assert_whole()


def test_two_changes_of_one_addon(plone: PloneServer) -> None:
    on(plone, "plone_upgrade", wait_interval=1)
    plone.clear_requests()
    runs = at_once(lambda: on(plone, "plone_addon", name=[ADDON], state="latest", wait_interval=1))
    assert [run.failed for run in runs] == [False, False], [run.output for run in runs]
    assert sorted(run.result["changed"] for run in runs) == [False, True]
    assert len(writes(plone)) == 1


def test_two_undos_of_one_upgrade(plone: PloneServer) -> None:
    on(plone, "plone_upgrade", wait_interval=1)
    plone.clear_requests()
    runs = at_once(lambda: on(plone, "plone_upgrade_undo"))
    assert [run.failed for run in runs] == [False, False], [run.output for run in runs]
    assert sorted(run.result["changed"] for run in runs) == [False, True]
    assert len(writes(plone)) == 1
    assert on(plone, "plone_upgrade_info").result["versions"]["instance"] == "6018"


@pytest.fixture
def go_on(plone: PloneServer, tmp_path: Path) -> Path:
    """The file that ends the upgrade, which a run has posted that was killed before its answer."""
    path = tmp_path / "go-on"
    plone.fault(step_until=str(path))
    options = {"url": plone.url, "username": ADMIN.name, "password": ADMIN.password, "wait_timeout": 60}
    command = command_of_module("plone_upgrade", options)
    kill_when(lambda: writes(plone), command, environment(), tmp_path / "killed.log")
    return path


def test_an_upgrade_that_may_be_under_way_is_not_forgotten_for_another_change(plone: PloneServer, go_on: Path) -> None:
    uninstall = on(plone, "plone_addon", name=[ADDON], state="absent", wait_interval=1)
    assert uninstall.failed
    assert "An earlier run posted the upgrade from 6018 to 6205, and its end is unknown." in uninstall.msg
    assert len(writes(plone)) == 1
    go_on.touch()
    again = on(plone, "plone_upgrade", wait_timeout=60, wait_interval=1)
    assert (again.failed, again.result["posted"]) == (False, False), again.output


def test_an_upgrade_that_a_killed_run_posted_is_not_waited_for_after_it_was_undone(
    plone: PloneServer, go_on: Path, tmp_path: Path
) -> None:
    go_on.touch()
    wait_for_idle(plone)
    plone.clear_faults()
    journals = tmp_path / "state" / "siteops.upgrades"
    assert len(list(journals.iterdir())) == 1
    assert on(plone, "plone_upgrade_undo").result["changed"]
    assert list(journals.iterdir()) == []
    again = on(plone, "plone_upgrade", wait_timeout=60, wait_interval=1)
    assert (again.failed, again.result["posted"]) == (False, True), again.output

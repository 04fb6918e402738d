# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades of a real Plone whose answer never arrives, whose client is killed, or who meet another run."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support import cutting_proxy
from support.ansible_cli import environment, playbook_command, run_module, run_playbook
from support.cutting_proxy import CuttingProxy, Spoil
from support.plone import PloneServer
from support.plone.balancer import Balancer
from support.plone.fixtures import Upgrade
from support.processes import kill_tree

READS_OF_A_RUN_THAT_WAITS = 8
"""More than a run sends before it waits."""

SURELY_YOUNGER = 4.0
"""Seconds between a POST and the start of a process that is known to be the younger one; Zope counts whole ones."""

LOSSES: dict[str, Spoil] = {
    "502 page of a proxy": cutting_proxy.html(502),
    "503 page of a proxy": cutting_proxy.html(503),
    "504 page of a proxy": cutting_proxy.html(504),
    "200 page of a proxy": cutting_proxy.html(200),
    "reset": cutting_proxy.reset,
    "truncated JSON": cutting_proxy.truncate,
    "empty body": cutting_proxy.empty,
}


def posts(plone: PloneServer) -> int:
    return [request.method for request in plone.requests()].count("POST")


def wait_until(due: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not due():
        assert time.monotonic() < give_up, "what is waited for did not come"
        time.sleep(0.05)


def wait_for_post(plone: PloneServer, count: int = 1) -> None:
    """Return when the server has so many POSTs at work; the step that sleeps keeps them there."""
    wait_until(lambda: [one.status for one in plone.requests() if one.method == "POST"].count(None) >= count)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_answer_is_decided_by_reading_the_state(plone: PloneServer, upgrade: Upgrade, loss: str) -> None:
    with CuttingProxy(plone.url, POST=LOSSES[loss]) as proxy:
        run = upgrade(url=proxy.url)
    assert (run.result["changed"], run.failed, run.result["answer"]) == (True, False, "lost"), run.output
    assert run.result["versions_after"] == {"instance": "6205", "fs": "6205"}
    assert "The state read afterwards proves the upgrade." in run.warnings
    assert posts(plone) == 1


def test_a_proxy_that_gives_up_before_plone_is_done(plone: PloneServer, upgrade: Upgrade, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    plone.fault(step_until=str(go_on))

    def give_up(*answer: Any) -> None:
        go_on.touch()
        cutting_proxy.pass_on(*answer)

    with CuttingProxy(plone.url, patience=4.0, POST=give_up) as proxy:
        run = upgrade(url=proxy.url)
    assert (run.result["changed"], run.failed, run.result["answer"]) == (True, False, "lost"), run.output
    assert posts(plone) == 1


def test_a_lost_answer_of_a_dry_run_proves_nothing(plone: PloneServer, upgrade: Upgrade) -> None:
    with CuttingProxy(plone.url, POST=cutting_proxy.html(504)) as proxy:
        run = upgrade(url=proxy.url, dry_run=True)
    assert run.failed
    assert "so nothing is proven. Nothing was committed: the database is still at 6018." in run.msg
    assert posts(plone) == 1


def test_the_deadline_says_that_the_server_may_be_at_work_and_the_next_run_waits(
    plone: PloneServer, upgrade: Upgrade, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    plone.fault(step_until=str(go_on))
    first = upgrade(wait_timeout=6)
    assert first.failed
    assert "The server may still be at work" in first.msg
    assert "nothing is posted a second time before" in first.msg
    assert first.result["answer"] == "lost"
    read = len(plone.requests())

    def go_on_when_waited_for() -> None:
        wait_until(lambda: len(plone.requests()) >= read + READS_OF_A_RUN_THAT_WAITS)
        go_on.touch()

    helper = threading.Thread(target=go_on_when_waited_for)
    helper.start()
    second = upgrade()
    helper.join()
    assert (second.result["changed"], second.failed, second.result["posted"]) == (True, False, False), second.output
    assert posts(plone) == 1


def test_a_server_that_was_started_anew_is_not_waited_for(plone: PloneServer, upgrade: Upgrade, tmp_path: Path) -> None:
    """By Zope's own address, and through a real nginx that gave up before."""
    plone.fault(step_sleep=60.0)
    with contextlib.ExitStack() as stack:
        urls = [plone.url]
        if shutil.which("nginx"):
            balancer = stack.enter_context(Balancer(tmp_path, patience=2))
            balancer.start(plone.port)
            urls.append(f"http://127.0.0.1:{balancer.port}/Plone")
        with ThreadPoolExecutor(len(urls)) as helpers:
            started = [helpers.submit(upgrade, url=url, wait_timeout=300) for url in urls]
            wait_for_post(plone, len(urls))
            plone.kill()
            plone.clear_faults()
            time.sleep(SURELY_YOUNGER)
            plone.start()
            runs = [future.result() for future in started]
    for run in runs:
        assert run.failed
        assert "another process of it answers now, which knows nothing of the upgrade. Nothing was committed" in run.msg
    assert posts(plone) == len(urls)


def test_a_killed_play_is_finished_by_the_next_while_others_ask(
    plone: PloneServer, as_admin: dict[str, Any], tmp_path: Path
) -> None:
    """Four clients ask for the state while the upgrade sleeps and its own client is killed and run again."""
    plone.fault(step_sleep=6.0)
    variables = {
        "PLONE_URL": as_admin["url"],
        "PLONE_USERNAME": as_admin["username"],
        "PLONE_PASSWORD": as_admin["password"],
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    command = playbook_command("siteops.upgrades.plone_upgrade", "-i", "site,", "-e", "plone_upgrade_rehearsal=skip")
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment(variables), stdout=silent, stderr=silent) as play:
        wait_for_post(plone)
        kill_tree(play)
    with ThreadPoolExecutor(4) as clients:
        asked = [clients.submit(run_module, "plone_upgrade_info", as_admin) for _client in range(4)]
        again = run_playbook(*command[1:], env=variables)
        answers = [future.result() for future in asked]
    assert [(a.failed, a.result["state"] in ("pending", "up_to_date")) for a in answers] == [(False, True)] * 4
    assert again.status == 0, again.output
    assert posts(plone) == 1
    third = run_module("plone_upgrade", as_admin, env=variables)
    assert (third.failed, third.result["changed"]) == (False, False), third.output
    assert not list((tmp_path / "state" / "siteops.upgrades").iterdir())


def test_two_runs_at_once_post_once(plone: PloneServer, upgrade: Upgrade) -> None:
    plone.fault(step_sleep=3.0)
    with ThreadPoolExecutor(2) as runs:
        results = [future.result() for future in [runs.submit(upgrade), runs.submit(upgrade)]]
    assert [run.failed for run in results] == [False, False], [run.output for run in results]
    assert sorted(run.result["posted"] for run in results) == [False, True]
    assert posts(plone) == 1

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role odoo_upgrade where an answer is lost on its way, where the platform is out of order, and after a kill."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support import processes
from support.ansible_cli import environment, module_command
from support.odoo_job import Job, calls, made_once
from support.platform import SAMPLE_CONTRACT, Platform


def creation(job: Job) -> dict[str, str]:
    """What the role gives odoo_upgrade_request, for a person who takes the request in hand."""
    return {
        "contract": SAMPLE_CONTRACT,
        "email": "john.doe@example.com",
        "target": "18.0",
        "filename": job.dump.name,
    }


def test_a_lost_answer_of_process_is_decided_by_the_state(platform: Platform, job: Job) -> None:
    platform.fault("reset_after", "process")
    job.complete()
    job.assert_whole()
    assert made_once(platform)
    assert calls(platform).count("process") == 1


def test_a_process_that_never_arrived_is_repeated_by_the_next_run(platform: Platform, job: Job) -> None:
    platform.fault("http_error", "process", status=502)
    failed = job.attempt()[-1]
    assert failed.failed
    assert "stayed in the state 'draft'" in failed.msg
    assert calls(platform).count("process") == 1
    job.complete()
    assert made_once(platform)


@pytest.mark.parametrize("fault", ["reset_after", "empty_body", "truncated_body"])
def test_a_lost_answer_of_create_is_found_by_the_next_run_and_not_repeated(
    fault: str, platform: Platform, job: Job
) -> None:
    platform.fault(fault, "create")
    [first] = job.attempt("-vvvv")
    assert first.failed
    assert job.request_file.stat().st_mode & 0o777 == 0o600
    [second] = job.attempt("-vvvv")
    [checked] = job.attempt("--check")
    for ended in (first, second, checked):
        assert ended.failed
        assert "renew: true" in ended.msg
    assert calls(platform) == ["create"]
    job.assert_nothing_secret()


def test_a_request_whose_answer_was_lost_can_be_resumed(platform: Platform, job: Job) -> None:
    platform.fault("reset_after", "create")
    assert job.attempt()[-1].failed
    [made] = platform.store.all()
    taken = job.module("odoo_upgrade_request", request_id=str(made.id), request_key=made.key, **creation(job))
    assert taken.result["changed"], taken.output
    assert made.key not in taken.output
    job.complete()
    job.assert_whole()
    assert made_once(platform)


def test_a_request_whose_answer_was_lost_can_be_made_again_on_demand(platform: Platform, job: Job) -> None:
    platform.fault("reset_after", "create")
    assert job.attempt()[-1].failed
    renewed = job.module("odoo_upgrade_request", renew=True, **creation(job))
    assert renewed.result["changed"], renewed.output
    job.complete()
    job.assert_whole()
    assert calls(platform).count("create") == 2


def kill_when(job: Job, due: Callable[[], object], module: str, **options: object) -> None:
    """Start a module as Ansible does, and kill it with Ansible; whole plays are killed in test_kills_odoo."""
    command = module_command(module, job.options(**options))
    processes.kill_when(due, command, environment(), job.folder.parent / "killed.log")


def test_a_run_that_is_killed_in_create_leaves_an_intention(platform: Platform, job: Job) -> None:
    platform.fault("hang", "create", seconds=600)
    kill_when(job, lambda: platform.calls("create"), "odoo_upgrade_request", **creation(job))
    platform.faults.clear()
    [ended] = job.attempt()
    assert ended.failed
    assert "was killed before the answer arrived" in ended.msg
    assert calls(platform) == ["create"]


def test_a_run_that_is_killed_later_is_continued(platform: Platform, job: Job) -> None:
    platform.settings.update({"stage_seconds": None})
    assert not job.attempt(steps=2)[-1].failed
    platform.fault("delay", "process", seconds=600)
    kill_when(job, lambda: any(call.acted for call in platform.calls("process")), "odoo_upgrade_process")
    platform.faults.clear()
    platform.settings.update({"stage_seconds": 0})
    job.complete()
    job.assert_whole()
    assert made_once(platform)
    assert job.files == {job.request_file.name, job.dest.name}


def test_passing_faults_while_polling_are_waited_out(platform: Platform, job: Job) -> None:
    platform.settings.update({"stage_seconds": None})
    job.submit()
    platform.settings.update({"stage_seconds": 0.5})
    platform.fault("failure", "status", times=2, skip=3)
    platform.fault("http_error", "status", status=503, retry_after=1, skip=3)
    platform.fault("reset_before", "status", times=2, skip=3)
    job.complete()
    job.assert_whole()
    assert made_once(platform)

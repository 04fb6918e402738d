# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and their rsync killed at any moment of an upgrade with today's service, and run again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from faults.figures import Figure
from faults.kills import ATTEMPTS, EARLIER, FRACTIONS, killed_after, seconds_of
from support.platform import Platform
from support.service_job import ServiceJob, command, folder_dump

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def running() -> Iterator[Platform]:
    # A slow line keeps a transfer under way as long as more bytes would, and costs no work.
    with Platform(stage_seconds=0.4, ssh_server="asyncssh", bytes_per_second=8 * MEBIBYTE) as platform:
        yield platform


def _ready(platform: Platform, folder: Path) -> ServiceJob:
    """A job on a platform that acts at once, answers late, and cuts transfers off: so a kill can come between."""
    platform.reset()
    for call in ("create", "transfer/start", "transfer/stop", "process"):
        platform.fault("delay", f"request/{call}", seconds=0.4)
    platform.fault("ssh_cut", after=2 * MEBIBYTE)
    job = ServiceJob(platform, folder)
    job.dump = folder_dump(folder / "dump", files=6, size=MEBIBYTE)
    return job


@cache
def _undisturbed_seconds(platform: Platform) -> float:
    """Measured once by each worker; the second of two runs, which finds everything in the page cache."""
    folder = Path(mkdtemp(prefix="undisturbed-"))
    for name in ("first", "second"):
        job = _ready(platform, folder / name)
        seconds = seconds_of(command(job), {}, folder / f"{name}.log")
        job.assert_whole()
    return seconds


@pytest.mark.parametrize("fraction", FRACTIONS, ids=lambda fraction: f"{fraction:.2f}")
def test_a_killed_upgrade_is_finished_by_the_next(
    running: Platform, tmp_path: Path, figure: Figure, fraction: float
) -> None:
    seconds = _undisturbed_seconds(running)
    for attempt in range(ATTEMPTS):
        job = _ready(running, tmp_path / f"work{attempt}")
        killed = killed_after(command(job), {}, seconds * fraction * EARLIER**attempt, tmp_path / "killed.log")
        if killed:
            break
    running.faults.clear()
    runs = job.all()
    in_create, answered = runs[0].failed, job.times("create")
    if in_create:
        assert "was killed before the answer arrived" in runs[0].msg
        assert answered <= 1
        assert job.create(renew=True).result["changed"]
        runs = job.all()
    assert not runs[-1].failed, runs[-1].output
    assert [run.result["changed"] for run in job.all()] == [False] * 5
    finished = job.record["handle"]["id"]
    log = (job.dest / "upgrade.log").read_text(encoding="utf-8")
    assert "received origin.dump/toc.dat" in log
    assert job.times("process") == 1
    # The kill came before the call reached the platform, or after: no call is made again by itself.
    assert job.times("create") == (answered + 1 if in_create else 1)
    assert job.leftovers() == []
    assert running.service_request(int(finished)).state == "done"
    job.assert_nothing_secret()
    figure("Odoo upgrades by RSYNC killed", int(killed))
    figure("Odoo upgrades by RSYNC that had ended before the kill", int(not killed))
    figure("Odoo upgrades by RSYNC killed inside of create and begun again by hand", int(in_create))
    figure("Odoo upgrades by RSYNC that ended right", 1)

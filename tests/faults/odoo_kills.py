# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play of the role odoo_upgrade that is killed and run again: the request is made once, and the result is whole.

The next run is a play or the modules of the role, see ``kills.BY_PLAY``. That a third run changes nothing is asked of
the modules.
"""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from faults.figures import Figure
from faults.kills import ATTEMPTS, EARLIER, killed_after, seconds_of
from support.odoo_job import Job
from support.platform import SAMPLE_CONTRACT, SQL_END, Platform

MEBIBYTE = 1024 * 1024
LINE = b"INSERT INTO res_partner VALUES (1);\n"
SIZES = {"https": 3 * MEBIBYTE, "sftp": 24 * MEBIBYTE}
"""Bytes of a dump, by the way that it goes."""

WIDENED = ("create", "upload", "request_sftp_access", "process")
CREATION = {"contract": SAMPLE_CONTRACT, "email": "john.doe@example.com", "target": "18.0"}


def ready(platform: Platform, folder: Path, way: str) -> Job:
    """A job on a platform that acts at once and answers late, and breaks transfers off: so a kill can come between."""
    platform.reset()
    platform.settings.update({"stage_seconds": 0.4})
    for call in WIDENED:
        platform.fault("delay", call, seconds=0.6)
    platform.fault("cut_download", "upgraded/*", after=2 * MEBIBYTE)
    platform.fault("sftp_cut", after=20 * MEBIBYTE)
    platform.fault("sftp_cut", after=20 * MEBIBYTE, skip=1)
    job = Job(platform, folder)
    job.dump.write_bytes(b"-- PostgreSQL database dump\n" + LINE * (SIZES[way] // len(LINE)) + SQL_END)
    if way == "sftp":
        key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
        job.variables["odoo_upgrade_sftp_private_key"] = str(key)
        job.variables["odoo_upgrade_sftp_host_key"] = platform.host_key
    job.variables["odoo_upgrade_transport"] = way
    return job


@cache
def undisturbed_seconds(platform: Platform, way: str) -> float:
    """Measured once by each worker."""
    folder = Path(mkdtemp(prefix="undisturbed-"))
    job = ready(platform, folder / "work", way)
    seconds = seconds_of(job.command(), {}, folder / "run.log")
    job.assert_whole()
    return seconds


def acted(platform: Platform, call: str) -> int:
    return sum(record.acted for record in platform.calls(call))


def refusal_of_the_next_run(job: Job, *, by_play: bool) -> str:
    """Run the job again: what the run said that failed, or nothing."""
    if by_play:
        ended = job.run()
        return ended.output if ended.status else ""
    last = job.attempt()[-1]
    return last.msg if last.failed else ""


def continue_after_create(job: Job, said: str) -> None:
    """The documented way out of a kill inside of create: take the request up if there is one, else make one."""
    assert "was killed before the answer arrived" in said, said
    made = job.platform.store.all()
    options: dict[str, Any] = {"renew": True}
    if made:
        options = {"request_id": str(made[0].id), "request_key": made[0].key}
    run = job.module("odoo_upgrade_request", **CREATION, filename=job.dump.name, **options)
    assert run.result["changed"], run.output


def finished_by_the_next(
    platform: Platform, folder: Path, figure: Figure, way: str, fraction: float, *, by_play: bool
) -> None:
    """Kill a play after a part of its time, run it again, and look at what became of it."""
    seconds = undisturbed_seconds(platform, way)
    former = os.umask(0)
    try:
        for attempt in range(ATTEMPTS):
            job = ready(platform, folder / f"work{attempt}", way)
            kept = {path.name for path in job.folder.iterdir()}
            after = seconds * fraction * EARLIER**attempt
            killed = killed_after(job.command(), {}, after, folder / "killed.log")
            if killed:
                break
        left_behind = {path.name for path in job.folder.iterdir()}
        if job.request_file.exists():
            json.loads(job.request_file.read_text(encoding="utf-8"))
        for path in job.folder.iterdir():
            if path.name not in kept | {job.inventory.name}:
                assert not path.stat().st_mode & 0o077, path
        platform.faults.clear()
        said = refusal_of_the_next_run(job, by_play=by_play)
        in_create = said != ""
        # The kill may come between the note that a request is about to be made, and the call.
        assert len(platform.calls("create")) in ((0, 1) if in_create else (1,)), [
            str(call) for call in platform.calls()
        ]
        if in_create:
            continue_after_create(job, said)
            said = refusal_of_the_next_run(job, by_play=by_play)
        assert said == ""
        assert [run.result["changed"] for run in job.complete()] == [False] * 5
    finally:
        os.umask(former)
    job.assert_whole()
    assert len(platform.store.all()) == 1
    assert [acted(platform, call) for call in ("create", "process")] == [1, 1]
    assert {path.name for path in job.folder.iterdir()} == {
        *kept,
        job.inventory.name,
        job.request_file.name,
        job.dest.name,
    }
    figure(f"Odoo plays by {way.upper()} killed", int(killed))
    figure(f"Odoo plays by {way.upper()} that had ended before the kill", int(not killed))
    figure(f"Odoo plays by {way.upper()} killed inside of create and taken up by hand", int(in_create))
    figure(f"Odoo plays by {way.upper()} killed that left a .part", int(f"{job.dest.name}.part" in left_behind))
    figure(f"Odoo plays by {way.upper()} that ended right", 1)

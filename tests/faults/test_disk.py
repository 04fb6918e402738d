# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that are full or read-only, and a request file that a power cut has damaged."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import environment
from support.module_runner import ModuleRunner
from support.odoo_job import Job, calls
from support.platform import SAMPLE_CONTRACT, SQL_END

CREATION = {
    "contract": SAMPLE_CONTRACT,
    "email": "john.doe@example.com",
    "target": "18.0",
    "filename": "shop.sql",
}
DISK_SIZE = "4m"
SECONDS = 300
MEBIBYTE = 1024 * 1024


class Disk:
    """A small file system of its own at ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.filling = folder / "filling"

    def fill(self) -> None:
        """Leave not one byte."""
        with self.filling.open("wb", buffering=0) as file:
            try:
                for block in (b"\0" * 4096, b"\0"):
                    while file.write(block):
                        pass
            except OSError as error:
                assert error.errno == errno.ENOSPC

    def make_room(self) -> None:
        self.filling.unlink()

    def make_read_only(self, *, read_only: bool = True) -> None:
        option = f"remount,{'ro' if read_only else 'rw'}"
        subprocess.run(["mount", "-o", option, str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A mounted file system; only root may mount one, and not in every container."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE},mode=0700", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system cannot be mounted here: this needs root, and a container that lets it")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def on(disk: Disk, job: Job) -> Job:
    """The job with its request file on the disk."""
    job.request_file = disk.folder / "shop.json"
    job.variables["odoo_upgrade_request_file"] = str(job.request_file)
    return job


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_full_disk_under_the_request_file_is_found_before_create(job: Job, disk: Disk) -> None:
    on(disk, job)
    disk.fill()
    run = job.module("odoo_upgrade_request", **CREATION)
    assert run.failed
    assert f"The request file {job.request_file} cannot be written: No space left on device." in run.msg
    assert calls(job.platform) == []
    assert names(disk.folder) == {"filling"}
    disk.make_room()
    job.complete()
    job.assert_whole()


def test_a_disk_that_is_full_when_the_answer_comes_does_not_lose_the_key(job: Job, disk: Disk) -> None:
    on(disk, job)
    job.platform.fault("delay", "create", seconds=2)

    def fill_when_made() -> None:
        wait_until(job.platform.store.all)
        disk.fill()

    filler = threading.Thread(target=fill_when_made)
    filler.start()
    run = job.module("odoo_upgrade_request", **CREATION)
    filler.join()
    assert not run.failed, run.output
    assert job.request_id == job.platform.store.all()[0].id
    disk.make_room()
    job.complete()
    job.assert_whole()
    assert calls(job.platform).count("create") == 1


def test_the_state_can_be_read_with_a_full_disk(job: Job, disk: Disk) -> None:
    on(disk, job)
    assert not job.module("odoo_upgrade_request", **CREATION).failed
    content = job.request_file.read_bytes()
    job.platform.settings.update({"stage_seconds": None})
    disk.fill()
    job.platform.force_state(job.request_id, "processing")
    run = job.module("odoo_upgrade_request_info")
    assert (run.failed, run.result["state"]) == (False, "processing"), run.output
    disk.make_room()
    disk.make_read_only()
    run = job.module("odoo_upgrade_request_info")
    assert (run.failed, run.result["state"]) == (False, "processing"), run.output
    assert job.request_file.read_bytes() == content


def test_a_read_only_folder_is_found_before_create(job: Job, disk: Disk) -> None:
    on(disk, job)
    disk.make_read_only()
    run = job.module("odoo_upgrade_request", **CREATION)
    assert run.failed
    assert "shop.json.lock cannot be made: Read-only file system" in run.msg
    assert calls(job.platform) == []
    disk.make_read_only(read_only=False)
    assert not job.module("odoo_upgrade_request", **CREATION).failed


@pytest.mark.parametrize("way", ("https", "sftp"))
def test_a_full_disk_under_the_result(job: Job, disk: Disk, way: str) -> None:
    options = transport(job, way)
    job.complete()
    job.dest = disk.folder / "upgraded.sql"
    disk.fill()
    run = job.module("odoo_upgrade_download", dest=str(job.dest), **options)
    assert run.failed
    assert f"There is not enough room for {job.dest}" in run.msg
    assert names(disk.folder) - {"upgraded.sql.part"} == {"filling"}
    disk.make_room()
    run = job.module("odoo_upgrade_download", dest=str(job.dest), **options)
    assert not run.failed, run.output
    job.assert_whole()
    assert names(disk.folder) == {"upgraded.sql"}


def test_a_disk_that_fills_up_during_the_download(job: Job, disk: Disk) -> None:
    """What came before stays, is named, and is not fetched again."""
    job.dump.write_bytes(b"-- PostgreSQL database dump\n" + b"SELECT 1;\n" * 300_000 + SQL_END)
    job.complete()
    job.dest = disk.folder / "upgraded.sql"
    # In good order: a reset would take an unknown part of it along. The rest is refused until the disk is full.
    job.platform.fault("end_download", "upgraded/*", after=2 * MEBIBYTE)
    job.platform.fault("http_error", "upgraded/*", times=1000, retry_after=3)
    part = Path(f"{job.dest}.part")

    def fill_when_begun() -> None:
        wait_until(lambda: part.exists() and part.stat().st_size >= MEBIBYTE)
        disk.fill()
        job.platform.faults.clear()

    filler = threading.Thread(target=fill_when_begun)
    filler.start()
    run = job.module("odoo_upgrade_download", dest=str(job.dest))
    filler.join()
    assert run.failed, run.output
    assert "There is not enough room" in run.msg or "No space left on device. Make room and run again" in run.msg
    assert part.exists()
    assert not job.dest.exists()
    disk.make_room()
    run = job.module("odoo_upgrade_download", dest=str(job.dest))
    assert run.result["fetched"]["resumed_from"] > 0, run.output
    job.assert_whole()
    assert names(disk.folder) == {"upgraded.sql"}


def test_a_quota_that_ends_the_download(job: Job) -> None:
    """The limit of a process on the size of a file; it needs no root."""
    job.dump.write_bytes(b"-- PostgreSQL database dump\n" + b"SELECT 1;\n" * 300_000 + SQL_END)
    job.complete()
    job.dest = job.folder / "limited.sql"
    _soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MEBIBYTE, hard))
    try:
        with ModuleRunner() as limited:
            run = limited.run("odoo_upgrade_download", job.options(dest=str(job.dest)), env=environment())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert run.failed, run.output
    assert "File too large" in run.msg
    assert not job.dest.exists()
    run = job.module("odoo_upgrade_download", dest=str(job.dest))
    assert run.result["fetched"]["resumed_from"] > 0, run.output
    job.assert_whole()


def test_a_read_only_folder_for_the_result_is_found_before_the_first_request(job: Job, disk: Disk) -> None:
    assert not job.module("odoo_upgrade_request", **CREATION).failed
    before = len(calls(job.platform))
    disk.make_read_only()
    run = job.module("odoo_upgrade_download", dest=str(disk.folder / "upgraded.sql"))
    assert run.failed
    assert "Option 'dest'" in run.msg
    assert "cannot be written to" in run.msg
    assert len(calls(job.platform)) == before


@pytest.mark.parametrize("kept", (0.0, 0.001, 0.5, 0.99))
def test_a_truncated_request_file_is_refused_and_left_alone(job: Job, kept: float) -> None:
    assert not job.module("odoo_upgrade_request", **CREATION).failed
    whole = job.request_file.read_bytes()
    before = len(calls(job.platform))
    damaged = whole[: int(len(whole) * kept)]
    job.request_file.write_bytes(damaged)
    for name, options in {
        "odoo_upgrade_request": CREATION,
        "odoo_upgrade_upload": {"src": str(job.dump)},
        "odoo_upgrade_process": {},
        "odoo_upgrade_request_info": {},
        "odoo_upgrade_download": {"dest": str(job.dest)},
    }.items():
        run = job.module(name, **options)
        assert run.failed, name
        assert "was damaged, and is left alone. Put a good copy in its place" in run.msg
    assert job.request_file.read_bytes() == damaged
    assert job.files == {job.request_file.name}
    assert len(calls(job.platform)) == before


def transport(job: Job, way: str) -> dict[str, Any]:
    if way == "https":
        return {"transport": "https"}
    key = job.folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
    return {"transport": "sftp", "sftp_private_key": str(key), "sftp_host_key": job.platform.host_key}


def wait_until(due: Callable[[], object]) -> None:
    give_up = time.monotonic() + SECONDS
    while not due():
        assert time.monotonic() < give_up
        time.sleep(0.02)

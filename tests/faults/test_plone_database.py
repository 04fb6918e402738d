# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of Plone backed up and restored while runs are killed, the disk is full, and two work at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faults import steps
from faults.figures import Figure
from faults.kills import MOMENTS
from support.ansible_cli import environment, run_module
from support.module_runner import ModuleRun, ModuleRunner
from support.plone.small_database import SmallDatabase

OF_BACKUPS = max(MOMENTS // 3, 1)
OF_RESTORES = max(MOMENTS - OF_BACKUPS, 1)
KILLED = "the module returned nothing"


@pytest.fixture(scope="module")
def killing() -> Iterator[ModuleRunner]:
    """Runs modules that are killed at a step."""
    with ModuleRunner(steps.__name__) as runner:
        yield runner


class Place:
    """A database that was changed after its first backup, and both as they were, to begin again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "place"
        self.database = SmallDatabase(self.folder / "instance")
        self.dest = self.folder / "backups"
        self.dest.mkdir()
        self.database.write(leaflet="first edition", photo="pixels")
        self.old = self.database.content()
        self.backup = self.done("plone_backup", **self.for_backup).result["dest"]
        self.database.write("6100", leaflet="second edition")
        self.new = self.database.content()
        self._kept = folder / "kept"
        subprocess.run(["cp", "-a", str(self.folder), str(self._kept)], check=True)

    @property
    def for_backup(self) -> dict[str, Any]:
        return {**self.database.options, "dest": str(self.dest)}

    @property
    def for_restore(self) -> dict[str, Any]:
        return {**self.database.options, "src": self.backup}

    def reset(self) -> None:
        shutil.rmtree(self.folder)
        subprocess.run(["cp", "-a", str(self._kept), str(self.folder)], check=True)

    def done(self, name: str, **options: Any) -> ModuleRun:
        ended = run_module(name, options)
        assert not ended.failed, ended.output
        return ended


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Made once, because the instance's Python takes longer to start than the copy of its files."""
    return Place(tmp_path_factory.mktemp("plone"))


@pytest.fixture
def place(made_once: Place) -> Place:
    made_once.reset()
    return made_once


def killed_at(runner: ModuleRunner, place: Place, name: str, options: dict[str, Any], moments: int) -> Iterator[int]:
    """So many steps of an undisturbed run, spread over all of it; the run was killed there when one is yielded."""
    count = place.folder.parent / "steps"

    def run(kill_at: int | None) -> ModuleRun | None:
        try:
            return runner.run(name, options, env=environment(), kill_at=kill_at, count_in=str(count))
        except AssertionError as error:
            assert KILLED in str(error)
            return None

    place.reset()
    whole = run(None)
    assert whole, "the run that nobody disturbs was killed"
    assert not whole.failed, whole.output
    total = int(count.read_text(encoding="ascii"))
    for moment in sorted({number * total // moments for number in range(moments)}):
        place.reset()
        assert run(moment) is None, f"the run ended before its step {moment} of {total}"
        yield moment


def test_a_backup_that_is_killed(place: Place, killing: ModuleRunner, figure: Figure) -> None:
    """The earlier backup is whole, and the next run makes another one and leaves nothing else."""
    for _moment in killed_at(killing, place, "plone_backup", place.for_backup, OF_BACKUPS):
        assert place.database.content() == place.new
        found = run_module("plone_backup_info", {"dest": str(place.dest), "read_files": True})
        assert [row["damage"] for row in found.result["backups"]] in ([[]], [[], []])
        again = place.done("plone_backup", **place.for_backup, keep=1).result
        assert [path.name for path in place.dest.iterdir()] == [Path(again["dest"]).name]
        figure("backups of Plone killed, and done by the next run", 1)


def test_a_restore_that_is_killed(place: Place, killing: ModuleRunner, figure: Figure) -> None:
    """Nothing is lost; the next run completes it, or takes it back."""
    both = {"data_fs": place.database.data_fs, "blobs": place.database.blobs}
    for number, _moment in enumerate(killed_at(killing, place, "plone_restore", place.for_restore, OF_RESTORES)):
        kept = [path.with_name(f"{path.name}.before") for path in both.values()]
        assert all(path.exists() or here.exists() for path, here in zip(both.values(), kept, strict=True))
        place.done("plone_restore", **place.for_restore)
        assert place.database.content() == place.old
        if number % 4 == 0:
            assert not run_module("plone_restore", place.for_restore).result["changed"]
            place.done("plone_restore", **place.database.options, state="reverted")
            assert place.database.content() == place.new
        assert not list(place.folder.rglob(".siteops*"))
        assert not list(place.folder.rglob("*.restoring*"))
        figure("restores of Plone killed, and completed by the next run", 1)


def test_two_backups_at_once(place: Place) -> None:
    ended: list[ModuleRun] = []
    threads = [
        threading.Thread(target=lambda: ended.append(run_module("plone_backup", place.for_backup)))
        for _number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [run.result["dest"] for run in ended if not run.failed]
    assert len(good) == len(set(good)) >= 1
    assert [run.output for run in ended if run.failed and "Another run backs up" not in run.msg] == []
    found = run_module("plone_backup_info", {"dest": str(place.dest), "read_files": True}).result["backups"]
    assert [row["damage"] for row in found] == [[]] * (len(good) + 1)


def test_a_disk_that_is_full_during_a_backup_and_a_restore(place: Place, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k,mode=0700", "none", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system cannot be mounted here: this needs root, and a container that lets it")
    try:
        ended = run_module("plone_backup", {**place.for_backup, "dest": str(disk)})
        assert ended.failed
        assert "No space left on device" in ended.msg
        assert "Traceback" not in ended.output
        assert list(disk.iterdir()) == []
        options = {**place.for_restore, "data_fs": str(disk / "Data.fs"), "blobs": str(disk / "blobstorage")}
        (disk / "filling").write_bytes(b"\0" * 12288)
        ended = run_module("plone_restore", options)
        assert ended.failed
        assert "Traceback" not in ended.output
        assert [path.name for path in disk.iterdir()] == ["filling"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress that a module reports while it works: how often, to whom, and that it never disturbs the work."""

from __future__ import annotations

import json
import stat
import threading
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core import progress as progress_module
from ansible_collections.siteops.upgrades.plugins.module_utils._core.progress import FILE_NAME, Progress


def a_module(folder: Path | None, *, interval: int | None = 10, check_mode: bool = False) -> t.Any:
    params = {} if interval is None else {"progress_interval": interval}
    return types.SimpleNamespace(_tmpdir=folder and str(folder), check_mode=check_mode, params=params)


def noted(folder: Path) -> dict[str, t.Any]:
    return json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: clock.now)
    return clock


def test_bytes_are_noted_at_most_once_a_second(tmp_path: Path, clock: types.SimpleNamespace) -> None:
    progress = Progress(a_module(tmp_path))
    progress.moved(1, 10)
    clock.now += 0.9
    progress.moved(2, 10)
    assert noted(tmp_path) == {"at": 100.0, "done": 1, "total": 10}
    clock.now += 0.2
    progress.moved(3, None)
    assert noted(tmp_path) == {"at": clock.now, "done": 3, "total": None}
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_the_end_is_noted_at_once_and_once(tmp_path: Path, clock: types.SimpleNamespace) -> None:
    progress = Progress(a_module(tmp_path))
    progress.moved(9, 10)
    progress.moved(10, 10)
    assert noted(tmp_path)["done"] == 10
    (tmp_path / FILE_NAME).unlink()
    progress.moved(10, 10)
    assert not list(tmp_path.iterdir())
    progress.moved(20, 20)
    assert noted(tmp_path)["done"] == 20


def test_a_state_is_noted_at_once_and_only_when_it_is_another_one(tmp_path: Path, clock: types.SimpleNamespace) -> None:
    progress = Progress(a_module(tmp_path))
    progress.moved(1, 10)
    progress.state("verifying")
    assert noted(tmp_path) == {"at": 100.0, "state": "verifying", "at_most": None}
    clock.now += 5
    progress.state("verifying", at_most=3.0)
    assert noted(tmp_path)["at"] == 100.0
    progress.state("processing", at_most=60.0)
    assert noted(tmp_path) == {"at": 105.0, "state": "processing", "at_most": 60.0}
    clock.now += 5
    progress.moved(1, 10)
    progress.state("processing", at_most=50.0)
    assert noted(tmp_path) == {"at": 110.0, "state": "processing", "at_most": 50.0}


@pytest.mark.parametrize(
    "listener",
    [
        {"folder": None},
        {"interval": 0},
        {"interval": None},
        {"check_mode": True},
    ],
    ids=["no folder", "interval 0", "no such option", "check mode"],
)
def test_nothing_is_written_where_nobody_listens(tmp_path: Path, listener: dict[str, t.Any]) -> None:
    for progress in (Progress(a_module(**{"folder": tmp_path, **listener})), Progress(None)):
        progress.moved(1, 10)
        progress.state("processing")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_disturbs_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    progress = Progress(a_module(folder))
    progress.moved(1, 10)
    progress.state("processing")
    (folder / f"{FILE_NAME}.new").mkdir(parents=True)
    progress.state("testing")
    assert not (folder / FILE_NAME).exists()


def test_a_link_that_lies_in_the_folder_is_not_followed_and_the_file_can_be_read_by_all(tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.write_text("gold", encoding="utf-8")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in (FILE_NAME, f"{FILE_NAME}.new"):
        (folder / name).symlink_to(treasure)
    Progress(a_module(folder)).state("processing")
    assert treasure.read_text(encoding="utf-8") == "gold"
    assert stat.S_IMODE((folder / FILE_NAME).lstat().st_mode) == 0o644


def test_many_threads_may_report_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "WRITE_SECONDS", 0.0)
    progress = Progress(a_module(tmp_path))

    def report() -> None:
        for number in range(200):
            progress.moved(number, 1000)

    threads = [threading.Thread(target=report) for _each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert noted(tmp_path)["total"] == 1000

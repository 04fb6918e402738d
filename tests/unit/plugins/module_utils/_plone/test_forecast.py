# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forecast of an upgrade: seconds and disk, from what rehearsals and backups recorded."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._plone import forecast as module
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.forecast import forecast

if t.TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20
BACKUP = {"database_size": 20 * MIB, "size": 120 * MIB}
PASSED = {"passed": True, "growth": "2097152", "seconds": {"restore": 5, "start": 6, "upgrade": "11.2", "addons": 2}}
FAILED = {"passed": False, "growth": 0, "seconds": {"upgrade": 900}}


def test_nothing_is_known_without_backups(tmp_path: Path) -> None:
    found = forecast([], [FAILED], str(tmp_path))
    assert (found["seconds"], found["database_size"], found["growth"], found["words"]) == (0, 0, 0, "")
    assert found["free"] > 0


def test_the_newest_rehearsal_that_passed_counts_without_the_preparation_of_the_copy(tmp_path: Path) -> None:
    found = forecast([BACKUP], [FAILED, PASSED, {**PASSED, "growth": 1}], str(tmp_path))
    assert (found["seconds"], found["growth"], found["restore_size"]) == (13.2, 2 * MIB, 120 * MIB)
    assert "20.0 MiB and 100 MiB of blobs, and it grew by 2.0 MiB in the last rehearsal." in found["words"]
    data_fs = tmp_path / "Data.fs"
    data_fs.write_bytes(b"x" * MIB)
    assert forecast([BACKUP], [PASSED], str(data_fs))["database_size"] == MIB


@pytest.mark.parametrize(
    ("free", "enough", "to_restore", "words"),
    [
        (1, False, False, "That is not enough for the upgrade."),
        (50, True, False, "That is not enough to restore a backup beside it."),
        (200, True, True, "200 MiB are free on its disk."),
    ],
    ids=["no room to grow", "no room to restore", "room"],
)
def test_a_disk_that_is_too_small_is_named(
    free: int, enough: bool, to_restore: bool, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_free", lambda _place: free * MIB)
    found = forecast([BACKUP], [PASSED], str(tmp_path))
    assert (found["enough"], found["enough_to_restore"]) == (enough, to_restore)
    assert found["words"].endswith(words)

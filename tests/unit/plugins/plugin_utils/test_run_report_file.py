# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of reports: named, whole, and never one in the place of another."""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core import files
from ansible_collections.siteops.upgrades.plugins.plugin_utils._run_report_file import replace, reserve

if t.TYPE_CHECKING:
    from pathlib import Path

MOMENT = dt.datetime(2026, 11, 22, 0, 15, 2, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def content(path: str) -> t.Any:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def test_a_report_is_named_by_host_and_time_and_is_private(tmp_path: Path) -> None:
    former = os.umask(0)
    try:
        path = reserve(str(tmp_path), "shop.example.org", MOMENT, {"a": 1})
    finally:
        os.umask(former)
    assert os.path.basename(path) == "shop.example.org-20261121T231502Z.json"
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert content(path) == {"a": 1}
    assert os.listdir(tmp_path) == [os.path.basename(path)]


def test_runs_that_begin_at_the_same_time_have_files_of_their_own(tmp_path: Path) -> None:
    names: list[str] = []

    def begin(number: int) -> None:
        names.append(reserve(str(tmp_path), "shop", MOMENT, {"number": number}))

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {os.path.basename(name) for name in names} == {"shop-20261121T231502Z.json"} | {
        f"shop-20261121T231502Z-{number}.json" for number in range(2, 9)
    }
    assert {content(name)["number"] for name in names} == set(range(8))
    assert len(os.listdir(tmp_path)) == 8


def test_the_end_takes_the_place_of_the_beginning(tmp_path: Path) -> None:
    path = reserve(str(tmp_path), "shop", MOMENT, {"result": "unfinished"})
    with open(path, encoding="utf-8") as reader:
        replace(path, {"result": "ok"})
        assert json.load(reader) == {"result": "unfinished"}
    assert content(path) == {"result": "ok"}
    assert len(os.listdir(tmp_path)) == 1


def test_what_cannot_be_written_leaves_nothing_and_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = reserve(str(tmp_path), "shop", MOMENT, {"result": "unfinished"})

    def full(*_arguments: t.Any) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace(path, {"result": "ok"})
    assert content(path) == {"result": "unfinished"}
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize(
    ("host", "name"),
    [("../../etc/x", "_.._etc_x"), ("a b/c", "a_b_c"), ("...", "host"), ("é", "_"), ("x" * 300, "x" * 100)],
)
def test_no_name_of_a_host_leaves_the_folder(host: str, name: str, tmp_path: Path) -> None:
    path = reserve(str(tmp_path), host, MOMENT, {})
    assert path == str(tmp_path / f"{name}-20261121T231502Z.json")

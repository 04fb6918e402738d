# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps in many files: which folders are one, and what is noticed when they change."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError, UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer import folder_dump
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump import DumpChangedError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump_check import require_rows
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump_forms import DamagedError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.folder_dump import folder_sha256, open_folder

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "shop"
    (path / "blobs").mkdir(parents=True)
    (path / "toc.dat").write_bytes(b"PGDMP and more")
    (path / "1.dat").write_bytes(b"one")
    (path / "blobs" / "2.dat").write_bytes(b"two")
    return path


def test_all_files_count(folder: Path) -> None:
    dump = open_folder(str(folder), "src")
    assert [member.name for member in dump.members] == ["1.dat", "blobs/2.dat", "toc.dat"]
    assert dump.size == dump.mark.size == len(b"PGDMP and more" + b"one" + b"two")
    assert dump.read_sha256() == folder_sha256(str(folder))


def test_content_and_names_make_the_hash(folder: Path, tmp_path: Path) -> None:
    before = folder_sha256(str(folder))
    folder.rename(tmp_path / "elsewhere")
    assert folder_sha256(str(tmp_path / "elsewhere")) == before
    (tmp_path / "elsewhere" / "1.dat").rename(tmp_path / "elsewhere" / "3.dat")
    renamed = folder_sha256(str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere" / "3.dat").write_bytes(b"ONE")
    assert len({before, renamed, folder_sha256(str(tmp_path / "elsewhere"))}) == 3


def grow(path: Path) -> None:
    (path / "1.dat").write_bytes(b"one more")


def add(path: Path) -> None:
    (path / "3.dat").write_bytes(b"")


def take_away(path: Path) -> None:
    (path / "blobs" / "2.dat").unlink()


def touch(path: Path) -> None:
    os.utime(path / "1.dat", ns=(1, 1))


def replace(path: Path) -> None:
    status = (path / "1.dat").stat()
    (path / "new").write_bytes(b"ONE")
    os.utime(path / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    (path / "new").rename(path / "1.dat")


@pytest.mark.parametrize("change", (grow, add, take_away, touch, replace))
def test_a_change_is_noticed(change: t.Callable[[Path], None], folder: Path) -> None:
    dump = open_folder(str(folder), "src")
    dump.require_unchanged()
    change(folder)
    with pytest.raises(DumpChangedError, match=r"changed while|cannot be read"):
        dump.read_sha256()
    assert open_folder(str(folder), "src").mark != dump.mark


@pytest.mark.parametrize(
    ("contents", "problem"),
    (
        (None, r"is a folder without toc\.dat"),
        (b"SELECT 1;", "is not the table of contents"),
        (b"", "is not the table"),
    ),
)
def test_another_folder_is_no_dump(contents: bytes | None, problem: str, folder: Path) -> None:
    (folder / "toc.dat").unlink()
    if contents is not None:
        (folder / "toc.dat").write_bytes(contents)
    with pytest.raises(OptionError, match=problem) as caught:
        open_folder(str(folder), "src")
    assert "'src'" in str(caught.value)


def link_to_file(path: Path) -> None:
    (path / "x").symlink_to("1.dat")


def link_to_folder(path: Path) -> None:
    (path / "x").symlink_to("/etc")


def pipe(path: Path) -> None:
    os.mkfifo(path / "x")


@pytest.mark.parametrize("make", (link_to_file, link_to_folder, pipe))
def test_only_files_are_sent(make: t.Callable[[Path], None], folder: Path) -> None:
    make(folder)
    with pytest.raises(OptionError, match="x is not a regular file"):
        open_folder(str(folder), "src")


def test_too_many_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_dump, "MOST_FILES", 2)
    with pytest.raises(OptionError, match="more than 2 files"):
        open_folder(str(folder), "src")


def test_a_file_that_goes_while_it_is_read(folder: Path) -> None:
    dump = open_folder(str(folder), "src")
    take_away(folder)
    with pytest.raises(UpgradeError, match=r"blobs/2\.dat cannot be read"):
        dump.read_sha256()


@pytest.mark.parametrize(("rows", "says"), [(b"", "is empty"), (b"1\tone\n2\ttw", "without the end mark of its rows")])
def test_only_files_that_the_table_of_contents_names_must_end_as_rows_do(
    tmp_path: pathlib.Path, rows: bytes, says: str
) -> None:
    (tmp_path / "toc.dat").write_bytes(b"PGDMP\0\x08\0\0\x003356.dat\0")
    (tmp_path / "3356.dat").write_bytes(b"1\tone\n\\.\n\n\n")
    (tmp_path / "56.dat").write_bytes(rows)
    require_rows(str(tmp_path))
    (tmp_path / "3356.dat").write_bytes(rows)
    with pytest.raises(DamagedError, match=rf"its file 3356\.dat .*{says}"):
        require_rows(str(tmp_path))

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filestores as one, where links are not possible and where a disk is full."""

from __future__ import annotations

import errno
import hashlib
import os
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError, UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.progress import Progress
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres import merge as merge_module
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.filestore import folder_of

if t.TYPE_CHECKING:
    from pathlib import Path


def put(folder: Path, content: bytes) -> str:
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    path = folder / sha1[:2] / sha1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return f"{sha1[:2]}/{sha1}"


def merged(sources: list[Path], dest: Path, **more: t.Any) -> dict[str, t.Any]:
    options = {"link": True, "verify": "stat", "check_mode": False, "progress": Progress(None), **more}
    return merge_module.merge(None, "", [str(source) for source in sources], str(dest), **options)


def test_another_file_system_is_copied_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: t.Any, **_options: t.Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    name = put(tmp_path / "one", b"content")
    result = merged([tmp_path / "one"], tmp_path / "dest")
    assert (result["linked"], result["copied"]) == (0, 1)
    assert (tmp_path / "dest" / name).read_bytes() == b"content"
    assert [path.name for path in (tmp_path / "dest" / name[:2]).iterdir()] == [name[3:]]


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_source: str, dest: str, **_options: t.Any) -> None:
        with open(dest, "wb") as file:
            file.write(b"ha")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(merge_module.shutil, "copy2", fail)
    put(tmp_path / "one", b"content")
    with pytest.raises(UpgradeError, match=r"No space left on device\. 0 of 1 files were added"):
        merged([tmp_path / "one"], tmp_path / "dest", link=False)
    assert [path for path in (tmp_path / "dest").rglob("*") if path.is_file()] == []


def test_other_content_under_a_name_is_found(tmp_path: Path) -> None:
    name = put(tmp_path / "one", b"content")
    put(tmp_path / "good", b"content")
    (tmp_path / "one" / name).write_bytes(b"CONTENT")
    # The name alone is proof only where every file is read.
    with pytest.raises(UpgradeError, match=f"have another content than their name, .*{name}"):
        merged([tmp_path / "one"], tmp_path / "dest", verify="hash")
    assert not (tmp_path / "dest").exists()
    os.utime(tmp_path / "good" / name, (1, 1))
    with pytest.raises(UpgradeError, match=f"have another content in one folder than in another: {name}"):
        merged([tmp_path / "one"], tmp_path / "good", verify="stat")
    assert (tmp_path / "good" / name).read_bytes() == b"content"
    merged([tmp_path / "good"], tmp_path / "copy", link=False, verify="stat")
    assert merged([tmp_path / "good"], tmp_path / "copy", verify="stat")["present"] == 1


def test_a_link_in_a_filestore_is_refused_by_its_name(tmp_path: Path) -> None:
    name = put(tmp_path / "one", b"content")
    (tmp_path / "one" / name).rename(tmp_path / "moved")
    (tmp_path / "one" / name).symlink_to(tmp_path / "moved")
    with pytest.raises(UpgradeError, match=f"1 files are symbolic links, .*{name}"):
        merged([tmp_path / "one"], tmp_path / "dest")
    put(tmp_path / "two", b"content")
    assert merged([tmp_path / "one", tmp_path / "two"], tmp_path / "dest")["added"] == 1
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / name[:2]).symlink_to(tmp_path / "two" / name[:2])
    with pytest.raises(UpgradeError, match=name):
        merged([tmp_path / "shelf"], tmp_path / "other")


def test_other_files_in_a_filestore_are_left_alone(tmp_path: Path) -> None:
    name = put(tmp_path / "one", b"content")
    for odd in ("checklist/ab/x", "ab/not-a-hash", "README"):
        path = tmp_path / "one" / odd
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert merged([tmp_path / "one"], tmp_path / "dest")["added"] == 1
    assert [path.name for path in (tmp_path / "dest").rglob("*") if path.is_file()] == [name[3:]]


def test_a_folder_of_several_filestores_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "shop", b"content")
    with pytest.raises(OptionError, match="not the filestore of one database"):
        folder_of(str(tmp_path), "sources")
    with pytest.raises(OptionError, match="is the folder of 'dest' itself"):
        merged([tmp_path / "shop"], tmp_path / "shop")
    with pytest.raises(OptionError, match="there is no folder"):
        merged([tmp_path / "shop"], tmp_path / "no/such")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets a result is known before it is fetched."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError, UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.ownership import UNCHANGED, Ownership, ownership

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """What would be given away, by path, user and group."""
    calls: list[tuple[str, int, int]] = []
    monkeypatch.setattr(os, "lchown", lambda *call: calls.append(call))
    return calls


def test_names_and_numbers() -> None:
    assert ownership(None, "") == Ownership(UNCHANGED, UNCHANGED)
    assert ownership(str(os.geteuid()), str(os.getegid())) == Ownership(os.geteuid(), os.getegid())
    for option, arguments in (("owner", ("no such user", None)), ("group", (None, "no such group"))):
        with pytest.raises(OptionError, match=f"Option '{option}': there is no (user|group) no such"):
            ownership(*arguments)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_name_is_looked_up() -> None:
    assert ownership("root", "root") == Ownership(0, 0)


def test_only_root_gives_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", lambda: [1000])
    assert ownership("1000", "1000") == Ownership(1000, 1000)
    with pytest.raises(OptionError, match="Option 'owner': .*only root"):
        ownership("1001", None)
    with pytest.raises(OptionError, match="Option 'group': .*only root"):
        ownership(None, "1001")


def test_a_folder_is_given_with_everything_in_it(tmp_path: Path, given: list[tuple[str, int, int]]) -> None:
    (tmp_path / "filestore/ab").mkdir(parents=True)
    (tmp_path / "filestore/ab/abcd").touch()
    Ownership().give(str(tmp_path))
    assert given == []
    Ownership(7, 8).give(str(tmp_path))
    assert sorted(given) == [
        (str(tmp_path / name), 7, 8) for name in ("", "filestore", "filestore/ab", "filestore/ab/abcd")
    ]
    Ownership(7, UNCHANGED).give(str(tmp_path / "filestore/ab/abcd"))
    assert given[-1] == (str(tmp_path / "filestore/ab/abcd"), 7, UNCHANGED)


def test_a_refusal_says_that_nothing_is_lost(tmp_path: Path) -> None:
    with pytest.raises(UpgradeError, match=r"cannot be given to the user 7.*fetched and verified"):
        Ownership(7, 8).give(str(tmp_path / "missing"))

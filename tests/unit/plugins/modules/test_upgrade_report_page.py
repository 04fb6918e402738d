# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module upgrade_report_page refuses before it reads or writes anything."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.modules.upgrade_report_page import check_places, difference

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("options", "message"),
    (
        ({"src": "nowhere", "html": "page.html"}, "Option 'src': nowhere is not a folder."),
        ({"html": "nowhere/page.html"}, "Option 'html': the folder nowhere does not exist."),
        ({"markdown": "taken"}, "Option 'markdown': taken is a folder; name the file to write."),
        ({"html": "same", "markdown": "./same"}, "Option 'markdown': is the same file as 'html'."),
        ({"html": "page.html", "limit": -1}, "Option 'limit': must be 0 or greater, not -1."),
    ),
)
def test_what_cannot_be_is_refused(
    options: dict[str, t.Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError) as refused:
        check_places({"src": ".", "limit": 20, **options}, [name for name in ("html", "markdown") if name in options])
    assert str(refused.value) == message


def test_what_can_be_is_not(tmp_path: Path) -> None:
    options = {"src": str(tmp_path), "limit": 0, "html": str(tmp_path / "a"), "markdown": str(tmp_path / "b")}
    check_places(options, ["html", "markdown"])


def test_a_long_page_is_not_shown_as_a_difference() -> None:
    assert difference("page", None, b"new") == {
        "before_header": "page",
        "after_header": "page",
        "before": "",
        "after": "new",
    }
    large = difference("page", b"x" * 100_001, b"y" * 100_001)
    assert "before" not in large
    assert "after" not in large
    assert {"src_larger", "dst_larger"} <= set(large)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run reports read from files that anybody may have written."""

from __future__ import annotations

import datetime
import json
import os
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._report import reader
from ansible_collections.siteops.upgrades.plugins.module_utils._report.parts import Addon, Step, Transfer
from ansible_collections.siteops.upgrades.plugins.module_utils._report.reader import Unreadable, read_file, read_folder
from ansible_collections.siteops.upgrades.plugins.module_utils._report.run import LONGEST_SHOWN_REPORT, Run
from ansible_collections.siteops.upgrades.plugins.module_utils._report.values import (
    LONGEST_TEXT,
    MOST_ITEMS,
    clean,
)
from ansible_collections.siteops.upgrades.tests.unit.run_reports import report, run_of

if t.TYPE_CHECKING:
    from pathlib import Path

UTC = datetime.timezone.utc


def test_a_report_is_read(tmp_path: Path) -> None:
    phase = {
        "name": "upgrade",
        "started_at": "2026-11-21T03:00:01.250Z",
        "finished_at": "2026-11-21T03:00:04Z",
        "duration": 2.75,
        "result": "changed",
        "message": "Upgraded.",
    }
    sent = {"name": "shop.dump", "size": 42, "sha256": "c0", "transport": "sftp", "duration": 1.5, "at": ""}
    request: dict[str, t.Any] = {
        "id": "1",
        "aim": "test",
        "target": "18.0",
        "states": [],
        "sent": sent,
        "fetched": None,
    }
    run = run_of(
        tmp_path,
        check_mode=True,
        duration=252.5,
        message="It went well.",
        versions={"before": {"instance": "6018"}, "after": {"instance": "6205"}},
        phases=[phase],
        steps=[{"title": "A step", "source": "6018", "destination": "6205", "status": "run"}],
        addons=[{"id": "an.addon", "from": "1", "to": "2"}],
        request=request,
        warnings=["Careful."],
    )
    assert (run.file, run.product, run.host, run.result) == ("run.json", "plone", "intranet", "ok")
    assert run.check_mode
    assert run.started_at == datetime.datetime(2026, 11, 21, 3, 0, 0, tzinfo=UTC)
    assert run.finished_at == datetime.datetime(2026, 11, 21, 3, 4, 12, 500_000, tzinfo=UTC)
    assert run.duration == 252.5
    assert (run.versions_before, run.versions_after) == ({"instance": "6018"}, {"instance": "6205"})
    [only] = run.phases
    assert (only.name, only.result, only.duration, only.message) == ("upgrade", "changed", 2.75, "Upgraded.")
    assert run.offset_of(only) == 1.25
    assert run.steps == (Step("A step", "6018", "6205", "run"),)
    assert run.addons == (Addon("an.addon", "1", "2"),)
    assert run.request is not None
    assert run.request.sent == Transfer("shop.dump", 42, "c0", "sftp", 1.5, None)
    assert run.warnings == ("Careful.",)


def test_a_run_that_never_ended_has_no_end(tmp_path: Path) -> None:
    run = run_of(tmp_path, result="unfinished", finished_at=None, duration=None)
    assert run.finished_at is None
    assert run.duration is None
    assert run.seen_at == run.started_at


@pytest.mark.parametrize(
    ("values", "reason"),
    (
        ({"schema": 2}, "'schema' is 2"),
        ({"schema": True}, "'schema' is true"),
        ({"schema": "1"}, "'schema' is \"1\""),
        ({"product": "wordpress"}, "not one of plone, odoo"),
        ({"product": ["plone"]}, "not one of plone, odoo"),
        ({"result": "great"}, "not one of failed"),
        ({"host": "  "}, "'host'"),
        ({"host": "\u200b\u202e"}, "'host'"),
        ({"host": {}}, "'host'"),
        ({"started_at": "2026-11-21"}, "'started_at'"),
        ({"started_at": "2026-13-45T99:00:00Z"}, "'started_at'"),
        ({"started_at": "\u0662\u0660\u0662\u0666-11-21T03:00:00Z"}, "'started_at'"),
        ({"started_at": 5}, "'started_at'"),
        ({"finished_at": None}, "'finished_at'"),
    ),
)
def test_what_tells_one_run_from_another_has_to_be_right(values: dict[str, t.Any], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(report(**values)), encoding="utf-8")
    unreadable = read_file(str(path))
    assert isinstance(unreadable, Unreadable)
    assert unreadable.file == "run.json"
    assert reason in unreadable.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    (
        (b"", "not JSON: line 1, column 1"),
        (b'{"schema": 1,\n "host": ', "not JSON: line 2"),
        (b"\xff\xfe", "not UTF-8: byte 0"),
        (b"null", "not a run report"),
        (b'"text"', "not a run report"),
        (b"{}", "no 'schema'"),
        (b"[" * 200_000, "nesting too deep"),
        (b'{"schema": 1' + b"0" * 10_000 + b"}", "'schema' is|number too long"),
    ),
)
def test_a_file_that_is_no_report_is_named_with_the_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    unreadable = read_file(str(path))
    assert isinstance(unreadable, Unreadable)
    assert any(each in unreadable.reason for each in reason.split("|")), unreadable.reason


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    monkeypatch.setattr(reader, "LARGEST_FILE", 100)
    (tmp_path / "large.json").write_bytes(b" " * 101)
    found = {each.file: each.reason for each in read_folder(str(tmp_path)) if isinstance(each, Unreadable)}
    assert list(found) == ["folder.json", "gone.json", "large.json", "pipe.json"]
    assert found["pipe.json"] == "It is not a regular file."
    assert "more than" in found["large.json"]


def test_only_what_is_named_like_a_report_is_looked_at(tmp_path: Path) -> None:
    run_of(tmp_path, "b.json")
    run_of(tmp_path, "a.json", host="b")
    for name in (".hidden.json", "index.html", "a.json.part"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    assert [each.file for each in read_folder(str(tmp_path))] == ["a.json", "b.json"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="nowhere"):
        list(read_folder(str(tmp_path / "nowhere")))


@pytest.mark.parametrize("odd", (None, 5, True, "text", [], {}, [None], [[]], {"a": 1}, ["x", 1, {"name": {}}]))
@pytest.mark.parametrize(
    "key",
    (
        "target",
        "check_mode",
        "duration",
        "message",
        "versions",
        "phases",
        "steps",
        "server_report",
        "addons",
        "request",
        "warnings",
        "state_before",
    ),
)
def test_what_only_adds_to_a_run_may_be_anything(key: str, odd: t.Any, tmp_path: Path) -> None:
    run = run_of(tmp_path, **{key: odd})
    assert run.host == "intranet"
    assert isinstance(run.message, str)


@pytest.mark.parametrize(
    ("given", "read"),
    ((3, 3.0), (-1, 252.5), (float("inf"), 252.5), (float("nan"), 252.5), (True, 252.5), ("5", 252.5)),
)
def test_a_duration_that_cannot_be_is_counted_from_the_times(given: t.Any, read: float, tmp_path: Path) -> None:
    assert run_of(tmp_path, duration=given).duration == read


def test_what_is_too_much_is_cut_and_counted(tmp_path: Path) -> None:
    steps = [{"title": f"Step {number}"} for number in range(MOST_ITEMS + 7)]
    run = run_of(tmp_path, steps=steps, server_report="x" * (LONGEST_SHOWN_REPORT + 9), message="m" * 9_999)
    assert (len(run.steps), run.steps_omitted) == (MOST_ITEMS, 7)
    assert (len(run.server_report), run.report_omitted) == (LONGEST_SHOWN_REPORT, 9)
    assert len(run.message) == LONGEST_TEXT
    brief = run.in_brief()
    assert (brief.steps, brief.server_report, brief.host) == ((), "", "intranet")
    assert isinstance(brief, Run)


@pytest.mark.parametrize(
    ("text", "left"),
    (
        ("gr\u00fcn \u4e2d \U0001f600 two\nlines", "gr\u00fcn \u4e2d \U0001f600 two\nlines"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never ended", "]never ended"),
        ("a\u200b\u200e\u200f\u061c\ufeff\u2060b", "ab"),
        ("\u202etxt.exe\u202c \u2067x\u2069", "txt.exe x"),
        ("\x1b\u200b[31mred", "red"),
        ("nul\x00 half \ud800", "nul half "),
    ),
)
def test_texts_are_made_harmless(text: str, left: str) -> None:
    assert clean(text) == left

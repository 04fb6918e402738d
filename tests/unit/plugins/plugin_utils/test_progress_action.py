# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's thread beside a module: when it reads and prints, and that its failures do no harm."""

from __future__ import annotations

import contextlib
import json
import threading
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.progress import FILE_NAME
from ansible_collections.siteops.upgrades.plugins.plugin_utils import _progress_action
from ansible_collections.siteops.upgrades.plugins.plugin_utils._progress_action import (
    ProgressAction,
    ProgressPrinter,
    RemoteHead,
)

LONG = 60.0
NOTE = b'{"at": 1, "state": "processing", "at_most": null}'


class Screen:
    """What was displayed; ``wait_for`` returns when so many lines were."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bool]] = []
        self._more = threading.Condition()

    def display(self, line: str, stderr: bool = False) -> None:
        with self._more:
            self.lines.append((line, stderr))
            self._more.notify_all()

    def wait_for(self, count: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: len(self.lines) >= count, LONG)


@pytest.fixture(autouse=True)
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """The display of the test."""
    made = Screen()
    monkeypatch.setattr(_progress_action, "Display", lambda: made)
    return made


def reads(*results: Exception | bytes) -> t.Callable[[], bytes]:
    """Reads that end so, one after the other, and then well."""
    left = iter(results)

    def read() -> bytes:
        look = next(left, NOTE)
        if isinstance(look, Exception):
            raise look
        return look

    return read


def test_it_prints_until_the_end_of_the_work_and_not_longer(screen: Screen) -> None:
    printer = ProgressPrinter("[a] m: ", 0.02, 0.01, lambda: NOTE)
    with printer:
        screen.wait_for(3)
    assert not printer._thread.is_alive()
    assert {line for line, _stderr in screen.lines} == {"[a] m: processing for 0 s"}


def test_a_file_that_does_not_exist_yet_is_read_again(screen: Screen) -> None:
    with ProgressPrinter("", 0.02, 0.01, reads(*[FileNotFoundError()] * 5, b"", b"half a no")):
        screen.wait_for(1)
    assert screen.lines[0][0] == "processing for 0 s"


@pytest.mark.parametrize("trouble", [PermissionError(), RuntimeError("a plugin"), ValueError()], ids=repr)
def test_any_other_failure_ends_the_lines_and_nothing_else(screen: Screen, trouble: Exception) -> None:
    looks: list[int] = []

    def read() -> bytes:
        looks.append(1)
        raise trouble

    printer = ProgressPrinter("", 0.02, 0.01, read)
    with printer:
        printer._thread.join(LONG)
        assert not printer._thread.is_alive()
    assert (len(looks), screen.lines) == (_progress_action.MOST_FAILURES, [])


def test_a_few_failures_in_a_row_are_ignored(screen: Screen) -> None:
    with ProgressPrinter("", 0.01, 0.01, reads(OSError(), OSError(), NOTE, OSError(), OSError())):
        screen.wait_for(9)


def test_the_end_of_the_work_waits_for_no_read_and_a_late_note_is_not_printed(screen: Screen) -> None:
    looking, answered = threading.Event(), threading.Event()

    def read() -> bytes:
        looking.set()
        assert answered.wait(LONG)
        return NOTE

    printer = ProgressPrinter("", 0.01, 0.01, read)
    with printer:
        assert looking.wait(LONG)
    assert printer._thread.is_alive()
    answered.set()
    printer._thread.join(LONG)
    assert (printer._thread.is_alive(), screen.lines) == (False, [])


def test_a_failure_of_the_work_is_not_changed() -> None:
    with pytest.raises(KeyError, match="the work"), ProgressPrinter("", 0.01, 0.01, lambda: NOTE):
        raise KeyError("the work")


@pytest.mark.parametrize(
    ("callback", "stderr"), [("default", False), ("awx_display", False), ("ansible.posix.json", True), ("jsonl", True)]
)
def test_lines_stay_out_of_what_programs_read(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, callback: str, stderr: bool
) -> None:
    monkeypatch.setattr(_progress_action.C, "DEFAULT_STDOUT_CALLBACK", callback)
    _progress_action._display("line")
    assert screen.lines == [("line", stderr)]


def an_action(folder: str | None = "/tmp/ansible-tmp-1", transport: str = "local", **task: t.Any) -> ProgressAction:
    action = ProgressAction.__new__(ProgressAction)
    keywords = {"args": {}, "async_val": 0, "check_mode": False, "no_log": False, "delegate_to": None}
    action._task = types.SimpleNamespace(action="siteops.upgrades.plone_upgrade", **{**keywords, **task})
    action._connection = types.SimpleNamespace(transport=transport, _shell=types.SimpleNamespace(tmpdir=folder))
    action._play_context = types.SimpleNamespace(remote_addr="192.0.2.1")
    return action


@pytest.mark.parametrize(
    ("task", "seconds"),
    [
        ({}, 10),
        ({"args": {"progress_interval": 3}}, 3),
        ({"args": {"progress_interval": "30"}}, 30),
        ({"args": {"progress_interval": 0}}, 0),
        ({"args": {"progress_interval": -5}}, 0),
        ({"args": {"progress_interval": "often"}}, 0),
        ({"args": {"progress_interval": None}}, 0),
        ({"async_val": 60}, 0),
        ({"check_mode": True}, 0),
        ({"no_log": True}, 0),
    ],
    ids=str,
)
def test_the_interval_is_that_of_the_task(task: dict[str, t.Any], seconds: int) -> None:
    action = an_action(**task)
    assert action._interval == seconds
    assert isinstance(action._progress_lines({}), ProgressPrinter) is (seconds > 0)


@pytest.mark.parametrize(("folder", "transport"), [(None, "local"), ("/tmp/x", "winrm"), ("/tmp/x", "paramiko")])
def test_nothing_is_printed_if_the_note_cannot_be_read(folder: str | None, transport: str) -> None:
    assert isinstance(an_action(folder, transport)._progress_lines({}), contextlib.nullcontext)


@pytest.mark.parametrize(
    ("task", "task_vars", "prefix"),
    [
        ({}, {"inventory_hostname": "shop"}, "[shop] plone_upgrade: "),
        ({"delegate_to": "control"}, {"inventory_hostname": "shop"}, "[shop -> control] plone_upgrade: "),
        ({"action": "plone_addon"}, {}, "[192.0.2.1] plone_addon: "),
    ],
)
def test_a_line_begins_with_host_and_module(task: dict[str, t.Any], task_vars: dict[str, str], prefix: str) -> None:
    action = an_action()
    for keyword, value in task.items():
        setattr(action._task, keyword, value)
    lines = action._progress_lines(task_vars)
    assert isinstance(lines, ProgressPrinter)
    assert lines._prefix == prefix


def test_a_note_on_this_machine_is_read_without_a_connection(tmp_path: Path, screen: Screen) -> None:
    lines = an_action(str(tmp_path))._progress_lines({})
    assert isinstance(lines, ProgressPrinter)
    (tmp_path / FILE_NAME).write_bytes(NOTE + b" " * 5000)
    assert json.loads(lines._read()) == json.loads(NOTE)
    assert len(lines._read()) == _progress_action.MOST_BYTES


class Line:
    """Stands for an SSH connection plugin."""

    transport = "ssh"
    _load_name = "ssh"

    def __init__(self, **options: t.Any) -> None:
        self.options = options
        self.commands: list[tuple[str, bool]] = []

    def get_options(self) -> dict[str, t.Any]:
        return self.options

    def set_options(self, direct: dict[str, t.Any]) -> None:
        self.options = direct

    def exec_command(self, command: str, in_data: None, sudoable: bool) -> tuple[int, bytes, bytes]:
        self.commands.append((command, sudoable))
        return 0, NOTE, b"a banner"


def test_a_note_elsewhere_is_read_over_a_connection_of_its_own() -> None:
    busy, second = Line(host="shop"), Line()
    action = an_action()
    action._connection = busy
    loader = types.SimpleNamespace(get=lambda name, context, new_stdin: second)
    action._shared_loader_obj = types.SimpleNamespace(connection_loader=loader)
    read = RemoteHead(action, "/var/tmp/my files/note")
    assert read() == NOTE
    assert (second.options, busy.commands) == ({"host": "shop"}, [])
    assert second.commands == [("head -c 1000 '/var/tmp/my files/note'", False)]


def test_without_a_second_connection_nothing_is_read() -> None:
    action = an_action()
    action._connection = Line()
    action._shared_loader_obj = types.SimpleNamespace(connection_loader=None)
    with pytest.raises(OSError, match="no connection"):
        RemoteHead(action, "/x")()

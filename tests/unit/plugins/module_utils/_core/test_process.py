# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program is run with a deadline, and ends with the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.process import Running, ToolError, run

if t.TYPE_CHECKING:
    from collections.abc import Callable

PLUGINS = Path(__file__).parents[5] / "plugins"


def test_a_text_goes_in_and_the_output_comes_back() -> None:
    ended = run(["cat"], os.environ, 60, text="x" * 1_000_000)
    assert (ended.status, len(ended.output), ended.errors) == (0, 1_000_000, "")


def test_a_program_that_reads_nothing_stops_nobody() -> None:
    assert run(["true"], os.environ, 60, text="x" * 1_000_000).status == 0


def test_what_a_program_says_of_a_failure_is_put_on_one_line() -> None:
    ended = run(["sh", "-c", "echo noise >&2; echo 'x: error: no  room' >&2; exit 3"], os.environ, 60)
    assert (ended.status, ended.words) == (3, "x: error: no room")
    assert run(["sh", "-c", "exit 4"], os.environ, 60).words == "it ended with status 4 and no message"
    python = [sys.executable, "-c", "import os, no_such_module"]
    assert run(python, os.environ, 60).words == "ModuleNotFoundError: No module named 'no_such_module'"


def test_endless_errors_take_no_memory() -> None:
    ended = run(["sh", "-c", "yes error | head -c 3000000 >&2"], os.environ, 60)
    assert len(ended.errors) == 64 * 1024


def test_a_program_that_does_not_end_is_stopped_with_all_it_started() -> None:
    with pytest.raises(ToolError, match=r"sh did not end within 0\.2 seconds and was stopped.*'timeout'"):
        run(["sh", "-c", "sleep 600 & sleep 600"], os.environ, 0.2)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ToolError, match="/no/such/program cannot be run: No such file"):
        run(["/no/such/program"], os.environ, 60)


def test_a_program_that_stopped_reading_is_noticed() -> None:
    with Running(["true"], os.environ, 60, stdin=subprocess.PIPE) as running:
        running.process.wait()
        assert not wait_for(lambda: running.write(b"x" * 100_000))


def test_it_is_killed_with_its_parent(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = f"""
import sys
sys.path.insert(0, {str(PLUGINS.parents[3])!r})
from ansible_collections.siteops.upgrades.plugins.module_utils._core.process import run
run(["sh", "-c", "echo $$ > {mark}; exec sleep 600"], {{}}, 600)
"""
    with subprocess.Popen([sys.executable, "-c", code], env={"PATH": os.environ["PATH"]}) as parent:
        assert wait_for(lambda: mark.exists() and mark.read_text(encoding="ascii").strip() != "", True)
        process = int(mark.read_text(encoding="ascii"))
        parent.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not Path(f"/proc/{process}").exists(), True)


def wait_for(due: Callable[[], bool], wanted: bool = False) -> bool:
    """What the function returns once it is what is wanted, or after a minute."""
    give_up = time.monotonic() + 60
    while due() is not wanted and time.monotonic() < give_up:
        time.sleep(0.02)
    return due()

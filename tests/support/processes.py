# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending a run as a power cut ends it: with everything that it has started, in whatever session that runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

KILLED_WITHIN = 300
"""Seconds until a moment has come, before a test gives up waiting for it."""


def descendants(process: int) -> list[int]:
    """A process and all that it has started, down to the last one. Reads /proc, so Linux only."""
    children: list[str] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                children += (task / "children").read_text(encoding="ascii").split()
        return [process, *(each for child in children for each in descendants(int(child)))]
    return []


def kill_tree(started: subprocess.Popen[bytes]) -> None:
    """Kill a process that the caller has started, and all that this one has started; returns when it is gone.

    All are stopped before the first is killed, so that none is left that another one was just about to start.
    """
    stopped: list[int] = []
    while running := [process for process in descendants(started.pid) if process not in stopped]:
        for process in running:
            _send(process, signal.SIGSTOP)
        stopped += running
    for process in stopped:
        _send(process, signal.SIGKILL)
    started.wait()


def kill_alone(started: subprocess.Popen[bytes]) -> None:
    """Kill a process that the caller has started, and nothing that this one has started."""
    started.kill()
    started.wait()


def kill_when(
    due: Callable[[], object],
    command: Sequence[str],
    env: Mapping[str, str],
    log: Path,
    kill: Callable[[subprocess.Popen[bytes]], None] = kill_tree,
) -> None:
    """Start a command and kill it as soon as something is the case, by default with everything that it started.

    :raises AssertionError: it ended before, or its moment did not come; with what it wrote to ``log``.
    """
    with log.open("wb") as output, subprocess.Popen(command, env=env, stdout=output, stderr=output) as started:
        give_up = time.monotonic() + KILLED_WITHIN
        try:
            while not due():
                assert started.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < give_up, log.read_text(encoding="utf-8")
                time.sleep(0.02)
        finally:
            kill(started)


def _send(process: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, what)

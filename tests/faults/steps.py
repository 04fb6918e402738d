# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of a module that is killed at one of its steps: a program that it starts, a file that it names, what it writes.

Each step is the same in every run, however busy the machine is; what the programs do meanwhile is cut off anywhere.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

FILE_CALLS = ("rename", "replace", "link", "unlink", "mkdir", "rmdir")
RUNNING = "ansible_collections.siteops.upgrades.plugins.module_utils._core.process.Running"
PAUSE = 0.02
"""Seconds for a program that was just started to begin its work before the kill."""


class Steps:
    """Counts the steps of this process, and kills it at one of them."""

    def __init__(self, kill_at: int | None, count_in: str) -> None:
        self._kill_at = kill_at
        self._count_in = Path(count_in)
        self._done = 0

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call as a step. Every second kill comes before its step, the others after it."""

        def step(*arguments: Any, **options: Any) -> Any:
            number, self._done = self._done, self._done + 1
            due = self._kill_at == number
            if due and number % 2:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return call(*arguments, **options)
            finally:
                # Also where the step fails, as the removal of a file that is not there.
                if due:
                    time.sleep(PAUSE)
                    os.kill(os.getpid(), signal.SIGKILL)

        return step

    def note(self) -> None:
        """Write how many steps there were."""
        self._count_in.write_text(str(self._done), encoding="ascii")


@contextlib.contextmanager
def surround(order: Mapping[str, Any]) -> Iterator[None]:
    """What happens around a run; see ``support.module_runner``."""
    if "count_in" not in order:
        yield
        return
    steps = Steps(order["kill_at"], order["count_in"])
    with contextlib.ExitStack() as stack:
        popen = steps.counted(subprocess.Popen.__init__)
        stack.enter_context(mock.patch.object(subprocess.Popen, "__init__", popen))
        stack.enter_context(mock.patch(f"{RUNNING}.write", steps.counted(_write())))
        for name in FILE_CALLS:
            stack.enter_context(mock.patch.object(os, name, steps.counted(getattr(os, name))))
        try:
            yield
        finally:
            steps.note()


def _write() -> Callable[..., Any]:
    # Only the process that runs modules imports the collection.
    from ansible_collections.siteops.upgrades.plugins.module_utils._core import process  # noqa: PLC0415

    return process.Running.write

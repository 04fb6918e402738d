# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending a run as a power cut ends it: with everything that it has started, in whatever session that runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path


def descendants(process: int) -> list[int]:
    """A process and all that it has started, down to the last one. Reads /proc, so Linux only."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
        return [process, *(each for child in children for each in descendants(int(child)))]
    return []


def kill_tree(started: subprocess.Popen[bytes]) -> None:
    """Kill a process that the caller has started, and all that this one has started; returns when it is gone."""
    for process in descendants(started.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    started.wait()

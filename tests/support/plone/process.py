# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting, watching and ending one server process by its id."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

SECONDS_TO_END = 10.0


def launch(command: list[str], environment: Mapping[str, str], folder: Path, output: Path) -> int:
    """Start a process that outlives this one, in a session of its own; returns its id."""
    with open(output, "ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # A process just forked does not show its own command yet, and is_running() would take it for a stranger.
    while process.poll() is None and str(folder) not in _command_of(process.pid):
        time.sleep(0.002)
    # From here on the id is all there is, for the starter as for a later command; is_running() does the reaping.
    process.returncode = 0
    return process.pid


def is_running(pid: int, folder: Path) -> bool:
    """Whether ``pid`` is (still) a process whose command names ``folder``, and not a stranger with the same id."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    return str(folder) in _command_of(pid)


def end(pid: int, folder: Path, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """Return when the process has ended, killed if it does not heed the signal."""
    for attempt in (with_signal, signal.SIGKILL):
        if is_running(pid, folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, attempt)
        deadline = time.monotonic() + SECONDS_TO_END
        while is_running(pid, folder) and time.monotonic() < deadline:
            time.sleep(0.02)


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return ""
    listing = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listing.stdout

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module of this checkout in a process of its own, without the rest of Ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
MODULES = "ansible_collections.siteops.upgrades.plugins.modules"


@dataclass(frozen=True)
class Ran:
    """One run: its result, seconds of wall clock and of processor time, peak memory of the process and what it read.

    ``peak`` and ``read`` are MiB; what is read counts wherever it came from, the imports of Python included. Only root
    is told it; for others it is None.
    """

    result: dict[str, Any]
    wall: float
    cpu: float
    peak: float
    read: float | None


def collections_folder(folder: Path) -> Path:
    """A folder from which Python and Ansible import this checkout as the collection."""
    (folder / "ansible_collections/siteops").mkdir(parents=True)
    (folder / "ansible_collections/siteops/upgrades").symlink_to(CHECKOUT)
    return folder


def run_module(collections: Path, name: str, **options: Any) -> Ran:
    """Run a module.

    :raises SystemExit: it failed.
    """
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": options})
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as questions:
        questions.write(arguments.encode())
        questions.seek(0)
        environment = {**os.environ, "PYTHONPATH": str(collections)}
        command = [sys.executable, "-m", f"{MODULES}.{name}"]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=questions, stdout=answers, env=environment)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        read = _read(process.pid)
        _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        answers.seek(0)
        result = json.loads(answers.read())
    if result.get("failed"):
        raise SystemExit(f"{name} failed: {result['msg']}")
    return Ran(result, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, read)


def _read(process: int) -> float | None:
    """MiB that a process has read, which may have ended; None where the kernel does not tell."""
    try:
        counts = Path(f"/proc/{process}/io").read_text(encoding="ascii")
    except OSError:
        return None
    return next(int(line.split()[1]) for line in counts.splitlines() if line.startswith("rchar")) / 1024**2

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A platform in the background: started, found again through its state file, and stopped."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.platform.certificates import write_private

_PATIENCE_SECONDS = 30.0
_IMPORT_ROOT = Path(__file__).resolve().parents[2]


class DetachedError(Exception):
    """The platform cannot be started or stopped; the text says why."""


def write_state(path: Path, description: dict[str, Any]) -> None:
    """Write the state file whole or not at all, readable for its owner."""
    part = path.with_name(f"{path.name}.part")
    write_private(part, f"{json.dumps(description, indent=2)}\n".encode())
    part.replace(path)


def start(state: Path, serve_options: Sequence[str]) -> int:
    """Run `serve` with these options in a session of its own; its output goes to `<state>.log`."""
    if _running(state):
        raise DetachedError(f"a platform is already running, see {state}")
    state.unlink(missing_ok=True)
    log = state.with_name(f"{state.name}.log")
    search_path = os.pathsep.join(filter(None, [str(_IMPORT_ROOT), os.environ.get("PYTHONPATH")]))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "support.platform", "serve", *serve_options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": search_path},
        )
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not state.exists():
        if process.poll() is not None:
            raise DetachedError(f"the platform ended at once:\n{log.read_text(errors='replace')}")
        if time.monotonic() > deadline:
            process.kill()
            raise DetachedError(f"the platform is not ready after {_PATIENCE_SECONDS:.0f} s, see {log}")
        time.sleep(0.05)
    print(state.read_text(encoding="utf-8"), end="")
    return 0


def stop(state: Path) -> int:
    """End the platform that the state file names, if it is still the one that answers there."""
    description = _running(state)
    if description is None:
        state.unlink(missing_ok=True)
        print("no platform is running")
        return 0
    os.kill(description["pid"], signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while _alive(description["pid"]):
        if time.monotonic() > deadline:
            raise DetachedError(f"process {description['pid']} does not end")
        time.sleep(0.05)
    state.unlink(missing_ok=True)
    print("the platform has stopped")
    return 0


def _running(state: Path) -> dict[str, Any] | None:
    """The description in the state file, if the platform it names answers with the same process number."""
    try:
        description: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))
        url = description["control_url"]
        context = ssl.create_default_context(cafile=description["ca_path"]) if url.startswith("https") else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])
        )
        with opener.open(url, timeout=10) as answer:
            return description if json.load(answer)["pid"] == description["pid"] else None
    except (OSError, ValueError, KeyError):
        return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play whose lines are looked at while it runs."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.ansible_cli import SECONDS, environment, playbook_command
from support.processes import kill_tree

Task = Mapping[str, Any]


def write_play(folder: Path, hosts: Mapping[str, Mapping[str, Any]], tasks: Sequence[Task], **play: Any) -> list[str]:
    """Write a playbook of one play and its inventory; returns the arguments of ansible-playbook that run it."""
    inventory, playbook = folder / "inventory.json", folder / "play.json"
    inventory.write_text(json.dumps({"all": {"hosts": dict(hosts)}}), encoding="utf-8")
    document = [{"hosts": "all", "gather_facts": False, **play, "tasks": list(tasks)}]
    playbook.write_text(json.dumps(document), encoding="utf-8")
    return [str(playbook), "-i", str(inventory)]


class WatchedPlay:
    """ansible-playbook in the background; as a context manager, it does not outlive its test."""

    def __init__(self, playbook: str, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            playbook_command(playbook, *arguments),
            env=environment({"PYTHONUNBUFFERED": "1", **(env or {})}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> WatchedPlay:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process.poll() is None:
            kill_tree(self._process)
        self._reader.join(SECONDS)

    @property
    def output(self) -> str:
        """Everything that it has written so far, to both streams."""
        return "\n".join(self.lines)

    def seen(self, pattern: str) -> list[re.Match[str]]:
        """The lines so far that a pattern describes from end to end."""
        return [match for line in list(self.lines) if (match := re.fullmatch(pattern, line))]

    def wait_for(self, pattern: str, count: int = 1) -> list[re.Match[str]]:
        """Return when so many such lines were seen. Raises AssertionError when the play ends before."""
        give_up = time.monotonic() + SECONDS
        while len(found := self.seen(pattern)) < count:
            running = self._process.poll() is None or self._reader.is_alive()
            assert running and time.monotonic() < give_up, f"not {count} lines like {pattern} in:\n{self.output}"
            time.sleep(0.05)
        return found

    def end(self) -> int:
        """Wait for the end; returns the exit status."""
        status = self._process.wait(SECONDS)
        self._reader.join(SECONDS)
        return status

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

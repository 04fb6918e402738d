# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a demonstration writes on the terminal, and the commands that it runs in front of the reader."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class DemonstrationError(Exception):
    """Something did not happen that the demonstration promised."""


class Shown(NamedTuple):
    """How a command ended that was run in front of the reader; ``changed`` sums up the recap of a playbook."""

    output: str
    changed: int
    seconds: float


class Terminal:
    """Numbered steps, each with the time it took; :meth:`close` repeats the times."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """``variables`` are the environment of every command that is run."""
        self._variables = dict(variables)
        self._times: list[tuple[str, float]] = []

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step; a failure inside ends it without a time."""
        number = len(self._times) + 1
        print(f"\n{number}. {title}", flush=True)
        started = time.monotonic()
        yield
        self._times.append((title, time.monotonic() - started))

    def say(self, text: str) -> None:
        """One line of explanation within a step."""
        print(f"   {text}", flush=True)

    def prove(self, proven: bool, claim: str) -> None:
        """Say what was seen; raise DemonstrationError if it was not."""
        if not proven:
            raise DemonstrationError(f"not true: {claim}")
        self.say(f"✔ {claim}")

    def run(self, command: list[str], variables: Mapping[str, str], hidden: Mapping[str, str]) -> Shown:
        """Run a command as a user would type it, showing its output.

        ``variables`` are added to its environment and shown, ``hidden`` ones are added and shown by name only. A
        command that fails raises DemonstrationError.
        """
        shown = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
        shown += [f"{name}=********" for name in hidden]
        self.say(f"$ {' '.join([*shown, shlex.join(command)])}")
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            env={**self._variables, **variables, **hidden},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            output = self._echo(process)
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        seconds = time.monotonic() - started
        self.say(f"({seconds:.1f} s)")
        if status:
            raise DemonstrationError(f"the command ended with {status}")
        return Shown(output, sum(int(number) for number in re.findall(r"\bchanged=(\d+)", output)), seconds)

    def _echo(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.strip():
                print(f"   | {line.rstrip()}", flush=True)
        return "".join(lines)

    def close(self) -> None:
        """The times of all steps once more."""
        print("\nTime taken:")
        for number, (title, seconds) in enumerate(self._times, 1):
            print(f"{seconds:8.1f} s  {number}. {title}")
        print(f"{sum(seconds for _title, seconds in self._times):8.1f} s  in all", flush=True)


def quiet_environment() -> dict[str, str]:
    """This process's environment, without what would colour the result: the modules' own variables and Ansible's."""
    kept = {name: value for name, value in os.environ.items() if not re.match("(PLONE|ODOO|ANSIBLE|PYTHON)", name)}
    return {**kept, "ANSIBLE_NOCOLOR": "true", "ANSIBLE_LOCALHOST_WARNING": "false", "PYTHONUNBUFFERED": "1"}

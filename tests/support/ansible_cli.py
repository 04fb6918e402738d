# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks run as a user runs them, by Ansible's own commands; and modules, in-process or by Ansible."""

from __future__ import annotations

import atexit
import json
import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from support.module_runner import ModuleRun, ModuleRunner

COLLECTION = "siteops.upgrades"
SECONDS = 900
"""Within which a play ends on a machine that is busy with others too: it ends one that hangs, and decides no test."""

QUIET = {
    # The one setting that has no environment variable.
    "ANSIBLE_CONFIG": str(Path(__file__).with_name("ansible.cfg")),
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    "ANSIBLE_NOCOLOR": "true",
    "ANSIBLE_RETRY_FILES_ENABLED": "false",
}
OWN_VARIABLES = re.compile("^(PLONE_|ODOO_|PG)")


class PlaybookRun(NamedTuple):
    """``recap`` maps a host to its counters; ``output`` is everything that Ansible wrote to both streams."""

    status: int
    recap: dict[str, dict[str, int]]
    output: str

    @property
    def words(self) -> str:
        """The output on one line, as it is read: Ansible wraps warnings, and escapes what it prints as JSON."""
        return " ".join(self.output.replace('\\"', '"').replace("\\'", "'").split())


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a run: this process's, without the modules' own variables, and ``variables``."""
    inherited = {name: value for name, value in os.environ.items() if not OWN_VARIABLES.match(name)}
    return {**inherited, **QUIET, **(variables or {})}


_stack = ExitStack()
_idle_runners: list[ModuleRunner] = []


def run_module(name: str, options: Mapping[str, Any], *flags: str, env: Mapping[str, str] | None = None) -> ModuleRun:
    """Run one module of the collection in-process; ``flags`` are those of Ansible that a module learns of."""
    # Threads that run modules at the same time have a runner each.
    runner = _idle_runners.pop() if _idle_runners else _stack.enter_context(ModuleRunner())
    try:
        return runner.run(name, options, *flags, env=environment(env))
    finally:
        _idle_runners.append(runner)


atexit.register(_stack.close)


def module_command(name: str, options: Mapping[str, Any], *flags: str) -> list[str]:
    """The command that runs a module of the collection on localhost."""
    return ["ansible", "localhost", "-m", f"{COLLECTION}.{name}", "-a", json.dumps(dict(options)), *flags]


def run_module_by_ansible(
    name: str, options: Mapping[str, Any], *flags: str, env: Mapping[str, str] | None = None
) -> ModuleRun:
    """Run one module as a user does, for what only Ansible shows."""
    ended = _run(module_command(name, options, *flags), env)
    output = ended.stdout + ended.stderr
    start = re.search(r"^localhost \| \w+!? => ", ended.stdout, re.MULTILINE)
    if not start:
        raise AssertionError(f"the module returned nothing:\n{output}")
    result, _end = json.JSONDecoder().raw_decode(ended.stdout[start.end() :])
    result.setdefault("failed", "FAILED!" in start.group())
    return ModuleRun(result, output)


def playbook_command(playbook: str, *arguments: str) -> list[str]:
    """The command that runs a playbook, by file or by its name in the collection."""
    return ["ansible-playbook", playbook, *arguments]


def run_playbook(
    playbook: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    folder: Path | None = None,
) -> PlaybookRun:
    """Run a playbook to its end, which has to come within ``seconds``; in this folder, if one is given."""
    command = playbook_command(playbook, *arguments)
    ended = _run(command, env, seconds, folder)
    return PlaybookRun(ended.returncode, _recap(ended.stdout), ended.stdout + ended.stderr)


def _run(
    command: list[str], env: Mapping[str, str] | None, seconds: float = SECONDS, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(env),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )


def _recap(output: str) -> dict[str, dict[str, int]]:
    lines = output.partition("PLAY RECAP")[2].splitlines()[1:]
    hosts = (line.partition(" : ") for line in lines if " : " in line)
    return {
        host.strip(): {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", counters)}
        for host, _colon, counters in hosts
    }

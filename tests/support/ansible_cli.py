# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and playbooks run as a user runs them: by Ansible's own commands, in processes of their own."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from support import ansible_forks

COLLECTION = "siteops.upgrades"
SECONDS = 300
QUIET = {
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    "ANSIBLE_NOCOLOR": "true",
    "ANSIBLE_RETRY_FILES_ENABLED": "false",
}
OWN_VARIABLES = re.compile("^(PLONE|ODOO)_")


class ModuleRun(NamedTuple):
    """``result`` is what the module returned; ``output`` is everything that Ansible wrote to both streams."""

    result: dict[str, Any]
    output: str

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))

    @property
    def msg(self) -> str:
        return str(self.result.get("msg", ""))

    @property
    def warnings(self) -> str:
        """The warnings on one line: Ansible wraps them, and takes them out of the result."""
        text = self.output[self.output.find("[WARNING]") :] if "[WARNING]" in self.output else ""
        return " ".join(text.split())


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


def run_module(name: str, options: Mapping[str, Any], *flags: str, env: Mapping[str, str] | None = None) -> ModuleRun:
    """Run one module of the collection on localhost; ``flags`` such as ``--check`` go to ``ansible``."""
    command = ["ansible", "localhost", "-m", f"{COLLECTION}.{name}", *flags]
    if options:
        command += ["-a", json.dumps(dict(options))]
    ended = ansible_forks.run(command, env=environment(env), seconds=SECONDS)
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


def run_playbook(playbook: str, *arguments: str, env: Mapping[str, str] | None = None) -> PlaybookRun:
    """Run a playbook to its end."""
    command = playbook_command(playbook, *arguments)
    ended = ansible_forks.run(command, env=environment(env), seconds=SECONDS)
    return PlaybookRun(ended.returncode, _recap(ended.stdout), ended.stdout + ended.stderr)


def _recap(output: str) -> dict[str, dict[str, int]]:
    lines = output.partition("PLAY RECAP")[2].splitlines()[1:]
    hosts = (line.partition(" : ") for line in lines if " : " in line)
    return {
        host.strip(): {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", counters)}
        for host, _colon, counters in hosts
    }

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways to run the modules of cells of the matrix: in-process, and as tasks of a playbook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from faults import surroundings
from faults.surroundings import Detour
from support.ansible_cli import COLLECTION, environment, run_playbook
from support.module_runner import ModuleRun, ModuleRunner

SHOW = "Show result"


class InProcess:
    """Runs modules by a runner, with short pauses and detours; a context manager."""

    def __init__(self) -> None:
        self._runner = ModuleRunner(surroundings.__name__)

    def __enter__(self) -> InProcess:
        self._runner.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._runner.__exit__(*exception)

    def run(
        self,
        module: str,
        options: Mapping[str, Any],
        *flags: str,
        variables: Mapping[str, str] | None = None,
        detour: Detour | None = None,
    ) -> ModuleRun:
        """Run one module to its end; ``flags`` are those of Ansible that a module learns of."""
        took = asdict(detour) if detour else None
        return self._runner.run(module, options, *flags, env=environment(variables), detour=took)


def run_in_playbook(
    folder: Path, calls: Sequence[tuple[str, Mapping[str, Any]]], *, variables: Mapping[str, str] | None = None
) -> list[ModuleRun]:
    """Run modules as tasks of one playbook, with all pauses and with everything printed; the output is that of all.

    :param folder: takes the playbook.
    """
    tasks: list[dict[str, Any]] = []
    for number, (module, options) in enumerate(calls):
        named = {"register": f"play_{number}", "ignore_errors": True}
        tasks.append({"name": "Play", f"{COLLECTION}.{module}": dict(options), **named})
        tasks.append({"name": f"{SHOW} {number}", "ansible.builtin.debug": {"var": f"play_{number}"}})
    interpreter = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    play = {"name": "Play", "hosts": "localhost", "gather_facts": False, "vars": interpreter, "tasks": tasks}
    playbook = folder / "playbook.json"
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    ended = run_playbook(str(playbook), "-i", "localhost,", "-c", "local", "-vvv", env=variables)
    return [ModuleRun(_shown(ended.output, number), ended.output) for number in range(len(calls))]


def _shown(output: str, number: int) -> dict[str, Any]:
    """The result of one module, as the task after it shows it."""
    _before, _task, rest = output.partition(f"TASK [{SHOW} {number}]")
    _host, arrow, text = rest.partition("ok: [localhost] => ")
    assert arrow, output
    shown, _end = json.JSONDecoder().raw_decode(text)
    return dict(shown[f"play_{number}"])

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways to run the module of a cell of the matrix: in-process, and as a task of a playbook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from faults import surroundings
from faults.surroundings import Detour
from support.ansible_cli import COLLECTION, environment, run_playbook
from support.module_runner import ModuleRun, ModuleRunner


class Runner(Protocol):
    """Runs one module to its end; ``variables`` are added to the environment."""

    def run(
        self,
        module: str,
        options: Mapping[str, Any],
        *,
        variables: Mapping[str, str] | None = None,
        detour: Detour | None = None,
    ) -> ModuleRun:
        """The result, also of a failure."""


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
        *,
        variables: Mapping[str, str] | None = None,
        detour: Detour | None = None,
    ) -> ModuleRun:
        """Run one module to its end."""
        return self._runner.run(module, options, env=environment(variables), detour=asdict(detour) if detour else None)


class InPlaybook:
    """Runs modules by ansible-playbook, with all pauses and with everything printed.

    :param folder: takes the playbook and the result.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(
        self,
        module: str,
        options: Mapping[str, Any],
        *,
        variables: Mapping[str, str] | None = None,
        detour: Detour | None = None,
    ) -> ModuleRun:
        """Run one module to its end; there are no detours."""
        assert detour is None
        self._folder.mkdir()
        playbook, result = self._folder / "playbook.json", self._folder / "result.json"
        tasks = [
            {"name": "Play", f"{COLLECTION}.{module}": dict(options), "register": "play", "ignore_errors": True},
            {
                "name": "Keep",
                "ansible.builtin.copy": {"content": "{{ play | to_json }}", "dest": str(result), "mode": "0600"},
            },
        ]
        interpreter = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        plays = [
            {"name": "Play", "hosts": "localhost", "gather_facts": False, "vars": interpreter, "tasks": tasks},
        ]
        playbook.write_text(json.dumps(plays), encoding="utf-8")
        ended = run_playbook(str(playbook), "-i", "localhost,", "-c", "local", "-vvv", env=variables)
        assert result.exists(), ended.output
        return ModuleRun(json.loads(result.read_text(encoding="utf-8")), ended.output)

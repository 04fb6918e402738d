# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role service_control with programs that behave as docker compose and supervisorctl do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from support.ansible_cli import run_playbook
from support.watched_play import write_play

DOCKER = """#!/bin/sh
# docker compose --project-directory DIR ps --services --status running web | stop web | up --detach web
case "$4" in
  ps) test ! -e "$3/running" || echo web ;;
  stop) test -e "$3/stuck" || rm -f "$3/running" ;;
  up) touch "$3/running" ;;
esac
"""
SUPERVISORCTL = """#!/bin/sh
folder=$(dirname "$0")
case "$1" in
  status)
    if test "$2" != shop:web; then echo "$2: ERROR (no such process)"; exit 4; fi
    if test -e "$folder/up"; then echo "$2   RUNNING   pid 1"; else echo "$2   STOPPED   Not started"; exit 3; fi ;;
  stop) rm "$folder/up" ;;
  start) touch "$folder/up" ;;
esac
"""

HOST = {
    "shop": {
        "ansible_connection": "local",
        "ansible_pipelining": True,
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
}


def _programs(folder: Path) -> Path:
    place = folder / "bin"
    place.mkdir()
    for name, text in (("docker", DOCKER), ("supervisorctl", SUPERVISORCTL)):
        (place / name).write_text(text, encoding="utf-8")
        (place / name).chmod(0o755)
    return place


def _control(state: str, service: Any, **more: Any) -> dict[str, Any]:
    role = {"name": "siteops.upgrades.service_control"}
    names = {"service_control_state": state, "service_control_service": service}
    return {"ansible.builtin.include_role": role, "vars": names, "name": f"Be {state}", **more}


def test_services_are_stopped_and_started_once_and_proven(tmp_path: Path) -> None:
    place = _programs(tmp_path)
    (tmp_path / "running").touch()
    hook = tmp_path / "hook.yml"
    hook.write_text(
        f"- ansible.builtin.lineinfile: {{path: '{tmp_path}/hooked', line: 'hooked', create: true}}\n", encoding="utf-8"
    )
    service = {
        "docker_compose": str(tmp_path),
        "services": ["web"],
        "supervisor": "shop:web",
        "start": [str(hook)],
        "stop_command": ["touch", str(tmp_path / "commanded")],
    }
    unchanging = {name: value for name, value in service.items() if name != "stop_command"}
    command = write_play(
        tmp_path,
        HOST,
        # supervisor's program is stopped at first: only docker compose and the command are a change.
        [
            _control("stopped", service),
            _control("stopped", unchanging),
            {"ansible.builtin.assert": {"that": f"'{tmp_path}/running' is not exists"}},
            _control("started", service),
            _control("started", service),
            *(_control("started", nothing) for nothing in ("", None)),
        ],
    )
    env = {"PATH": f"{place}:{os.environ['PATH']}"}
    ended = run_playbook(*command, env=env)
    assert ended.status == 0, ended.output
    # Stopped: docker compose, the command. Started: docker compose, supervisor, the hook.
    assert ended.recap["shop"]["changed"] == 5, ended.output
    assert all((tmp_path / name).exists() for name in ("running", "bin/up", "hooked", "commanded"))


def test_a_service_that_does_not_stop_or_is_not_known_is_a_failure(tmp_path: Path) -> None:
    place = _programs(tmp_path)
    (tmp_path / "running").touch()
    (tmp_path / "stuck").touch()
    asked = [{"docker_compose": str(tmp_path)}, {"supervisor": "nosuch"}, {"sytemd": "odoo"}, ["odoo"]]
    caught: list[dict[str, Any]] = [
        {"block": [_control("stopped", service)], "rescue": [{"ansible.builtin.debug": {"msg": "caught"}}]}
        for service in asked
    ]
    command = write_play(tmp_path, HOST, caught)
    env = {"PATH": f"{place}:{os.environ['PATH']}"}
    ended = run_playbook(*command, env=env)
    assert ended.status == 0, ended.output
    assert ended.recap["shop"]["rescued"] == len(asked), ended.output
    assert "service_control_service must be a dictionary" in ended.words
    assert "docker compose ended without an error" in ended.words

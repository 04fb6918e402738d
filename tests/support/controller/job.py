# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of a playbook as AWX starts it: ansible-runner, what credentials inject, and answers to a survey."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from support.controller.credentials import Injection

RUNNER = Path(sys.executable).with_name("ansible-runner")
QUIET = {"ANSIBLE_NOCOLOR": "true", "ANSIBLE_RETRY_FILES_ENABLED": "false"}


class Job(NamedTuple):
    """``artifacts`` is what the playbook published, ``changed`` counts by host.

    ``said`` is output and events, ``stdout`` the output alone.
    """

    status: str
    artifacts: dict[str, Any]
    changed: dict[str, int]
    hosts: set[str]
    said: str
    stdout: str = ""


def run_job(
    folder: Path,
    playbook: Path,
    inventory: Mapping[str, Any],
    credential: Injection,
    variables: Mapping[str, Any],
    *flags: str,
    own: Mapping[str, Any] | None = None,
) -> Job:
    """Run a playbook of a project with an inventory, and ``variables`` as AWX passes answers and artifacts on.

    ``own`` are those of the template itself, which AWX lets Ansible template.
    """
    (folder / "env").mkdir(parents=True)
    hosts, envvars, settings = folder / "inventory.json", folder / "env/envvars", folder / "env/settings"
    hosts.write_text(json.dumps(inventory), encoding="utf-8")
    envvars.write_text(json.dumps({**QUIET, **credential.env}), encoding="utf-8")
    settings.write_text(json.dumps({"suppress_env_files": True}), encoding="utf-8")
    files = {"variables": variables, "credential": credential.extra_vars}
    for name, content in files.items():
        (folder / f"{name}.yml").write_text(f"---\n{as_unsafe(content)}\n", encoding="utf-8")
    (folder / "own.yml").write_text(json.dumps(own or {}), encoding="utf-8")
    command = [str(RUNNER), "run", str(folder), "--ident", "job", "--quiet", "--inventory", str(hosts)]
    command += ["--project-dir", str(playbook.parent), "--playbook", playbook.name]
    # In a process of its own: it forks, and the servers of the tests are threads of this one.
    subprocess.run(
        [*command, "--cmdline", " ".join([*(f"-e @{folder / name}.yml" for name in ("own", *files)), *flags])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    ended = folder / "artifacts/job"
    events = [json.loads(path.read_text(encoding="utf-8")) for path in (ended / "job_events").glob("*.json")]
    [stats] = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"] or [{}]
    output = (ended / "stdout").read_text(encoding="utf-8")
    return Job(
        (ended / "status").read_text(encoding="utf-8"),
        stats.get("artifact_data", {}),
        stats.get("changed", {}),
        set(stats.get("processed", {})),
        json.dumps(events) + output,
        output,
    )


def node_variables(
    survey: Iterable[Mapping[str, Any]], artifacts: Mapping[str, Any], workflow: Mapping[str, Any]
) -> dict[str, Any]:
    """The variables of a job in a workflow, by rising precedence: defaults of its survey, artifacts of the nodes before
    it, and what the workflow was launched with.
    """
    defaults = {question["variable"]: question["default"] for question in survey if "default" in question}
    return {**defaults, **artifacts, **workflow}


def as_unsafe(value: Any) -> str:
    """YAML in which every text is marked as not to be templated, as AWX writes it."""
    if isinstance(value, str):
        return f"!unsafe {json.dumps(value)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{as_unsafe(key)}: {as_unsafe(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(as_unsafe(each) for each in value) + "]"
    return json.dumps(value)

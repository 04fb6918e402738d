# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What surveys of AWX send for a field that was left empty: null and an empty text are not set, in every Plone role."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.ansible_cli import PlaybookRun, run_playbook

DEAD = "http://127.0.0.1:9/Plone"
ENVIRONMENT = {
    "PLONE_URL": DEAD,
    "PLONE_USERNAME": "admin",
    "PLONE_PASSWORD": "secret",
    "PLONE_VALIDATE_CERTS": "false",
}
PLAY = """\
- hosts: all
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.include_role:
        name: "siteops.upgrades.{{ role }}"
"""
UNSET: dict[str, Any] = {"null": None, "empty": ""}


def failures(ended: PlaybookRun) -> dict[str, str]:
    """What each host failed with, on one line."""
    return dict(re.findall(r"^fatal: \[(\w+)\]: FAILED! => (.*)", ended.output, re.MULTILINE))


def variables(role: str, **needed: str) -> dict[str, dict[str, Any]]:
    """Hosts that have every optional variable unset, and one that has the required ones unset."""
    specs = Path(__file__).parents[2] / "roles" / role / "meta/argument_specs.yml"
    options = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    required = [name for name, option in options.items() if option.get("required")]
    # Of two variables, one may be required.
    assert set(required) <= set(needed)
    optional = set(options) - set(needed)
    hosts = {
        f"{role}_{kind}": {"role": role, **needed, **dict.fromkeys(optional, value)} for kind, value in UNSET.items()
    }
    return {**hosts, f"{role}_nothing": {"role": role, **dict.fromkeys(required, "")}} if required else hosts


def test_null_and_empty_mean_that_a_variable_is_not_set(tmp_path: Path) -> None:
    here, nowhere = str(tmp_path), str(tmp_path / "nowhere")
    play, inventory = tmp_path / "play.yml", tmp_path / "hosts.json"
    play.write_text(PLAY, encoding="utf-8")
    hosts = {
        **variables("plone_upgrade"),
        **variables("plone_backup", plone_backup_data_fs=nowhere, plone_backup_dest=here, plone_backup_python=nowhere),
        **variables(
            "plone_rehearsal",
            plone_rehearsal_src=here,
            plone_rehearsal_scratch=here,
            plone_rehearsal_python=nowhere,
        ),
        **variables("upgrade_report", upgrade_report_dir=nowhere),
    }
    wrong = {
        "rehearsal": "ONLY",
        "undo_on_failure": "maybe",
        "wait_timeout": 0,
        "window_wait": "soon",
        "checks": {"path": "/"},
        "restore": "x",
    }
    hosts["wrong"] = {"role": "plone_upgrade", **{f"plone_upgrade_{name}": value for name, value in wrong.items()}}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    ended = run_playbook(str(play), "-i", str(inventory), "--check", env=ENVIRONMENT)
    found = failures(ended)
    reached = {
        "plone_upgrade": "Connection refused",
        "plone_backup": "nowhere",
        "plone_rehearsal": "has no whole backup with the name plone",
        "upgrade_report": "nowhere",
    }
    for role, words in reached.items():
        for kind in UNSET:
            assert words in found[f"{role}_{kind}"], ended.output
    for role in sorted(set(reached) - {"plone_upgrade"}):
        nothing = found[f"{role}_nothing"]
        assert [
            name for name in hosts[f"{role}_nothing"] if name != "role" and f"{name} is required" not in nothing
        ] == []
    assert [name for name in wrong if f"plone_upgrade_{name} must be" not in found["wrong"]] == [], found["wrong"]


@pytest.mark.parametrize("kind", UNSET)
def test_a_playbook_runs_where_its_own_variables_are_not_set(kind: str, tmp_path: Path) -> None:
    names = ("plone_upgrade_hosts", "plone_upgrade_serial", "plone_upgrade_max_fail_percentage")
    ended = run_playbook(
        "siteops.upgrades.plone_upgrade",
        *("-i", "one,two,", "-e", json.dumps(dict.fromkeys(names, UNSET[kind]))),
        env=ENVIRONMENT,
    )
    assert {host: counters["failed"] for host, counters in ended.recap.items()} == {"one": 1, "two": 1}, ended.output
    assert ended.output.count("Connection refused") >= 2, ended.output

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The update of an inventory source as AWX runs it: ansible-inventory in the project, with a credential injected."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from support.controller.api import Api
from support.controller.credentials import inject_all

ENVIRONMENT = {
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_INVENTORY_EXPORT": "True",
    "ANSIBLE_VERBOSE_TO_STDERR": "True",
    "ANSIBLE_HOST_PATTERN_MISMATCH": "error",
}
"""What AWX sets for every update of an inventory."""


class InventoryUpdate(NamedTuple):
    """``hosts`` are the variables by host, ``inventory`` is what a job gets, ``said`` is the output."""

    status: str
    hosts: dict[str, dict[str, Any]]
    inventory: dict[str, Any]
    said: str


def update_inventory(api: Api, source: str, folder: Path, image: Mapping[str, str] | None = None) -> InventoryUpdate:
    """Update the source of this name, in ``folder``. The files of its credential are gone afterwards, as in AWX.

    ``image`` are variables of the execution environment.
    """
    described = api.named("inventory_sources", source)
    folder.mkdir(parents=True)
    injected = inject_all(api, [described["credential"]] if described["credential"] else [], folder)
    try:
        status, listed, said = _run(
            api.syncs.folder, described["source_path"], folder / "output.json", {**(image or {}), **injected.env}
        )
    finally:
        for path in injected.files.values():
            path.unlink()
    if status != "successful":
        return InventoryUpdate(status, {}, {}, said)
    hosts = listed["_meta"]["hostvars"]
    names = {name for group in listed.values() for name in group.get("hosts", [])}
    api.merge_inventory_variables(described["inventory"], listed.get("all", {}).get("vars", {}))
    variables = json.loads(api.one("inventories", described["inventory"])["variables"] or "{}")
    groups = {
        name: {
            "hosts": dict.fromkeys(group.get("hosts", []), {}),
            "children": dict.fromkeys(group.get("children", []), {}),
            "vars": group.get("vars", {}),
        }
        for name, group in listed.items()
        if name not in ("_meta", "all")
    }
    whole = {"all": {"hosts": {name: hosts.get(name, {}) for name in names}, "vars": variables, "children": groups}}
    return InventoryUpdate(status, {name: hosts.get(name, {}) for name in names}, whole, said)


def _run(project: Path, path: str, output: Path, injected: Mapping[str, str]) -> tuple[str, dict[str, Any], str]:
    source = project / path
    command = ["ansible-inventory", "--list", "--export", "-i", str(source), "--output", str(output)]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PLONE_", "ODOO_"))}
    ended = subprocess.run(
        [*command, "--playbook-dir", str(source.parent)],
        cwd=project,
        env={**own, **ENVIRONMENT, **injected},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = ended.stdout + ended.stderr
    if ended.returncode:
        return "failed", {}, said
    return "successful", json.loads(output.read_text(encoding="utf-8")), said

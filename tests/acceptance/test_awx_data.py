# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What awx_setup would set up, as variables of infra.aap_configuration."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from support.ansible_cli import run_playbook
from support.controller.configuration_as_code import KEYS, NODE_KEYS
from support.controller.reader import file_of

SECRETS = {"vault_plone_password": "plone-password-of-the-tests", "vault_odoo_contract": "contract-of-the-tests"}


class _Loader(yaml.SafeLoader):
    """Reads ``!unsafe`` texts too, and notes them."""


class Unsafe(str):
    """A text that Ansible does not template."""


_Loader.add_constructor("!unsafe", lambda _loader, node: Unsafe(node.value))


MORE = {
    "awx_setup_odoo_database_credential": "Odoo database",
    "awx_setup_labels": ["upgrades"],
    "awx_setup_teams": [{"name": "Site owners", "may": ["approve"]}],
    "awx_setup_notifications": [
        {
            "name": "Operations channel",
            "type": "webhook",
            "events": ["error"],
            "configuration": {"password": "webhook-password-of-the-tests"},
        }
    ],
}


def test_the_file_of_the_guide_becomes_data(tmp_path: Path) -> None:
    choices, own, made = tmp_path / "awx_setup.yml", tmp_path / "secrets.yml", tmp_path / "controller.yml"
    choices.write_text(file_of("both"), encoding="utf-8")
    own.write_text(yaml.safe_dump(SECRETS), encoding="utf-8")
    arguments = ("-e", f"@{choices}", "-e", f"@{own}", "-e", f"awx_setup_data_dest={made}", "-e", json.dumps(MORE))
    run = run_playbook("siteops.upgrades.awx_as_data", *arguments)
    assert run.status == 0, run.output
    text = made.read_text(encoding="utf-8")
    assert not [secret for secret in (*SECRETS.values(), "webhook-password-of-the-tests") if secret in text]
    secrets = {"vault_plone_fleet_password", "vault_odoo_contract_contract", "vault_operations_channel_configuration"}
    assert set(re.findall(r"vault_\w+", text)) - {"vault_"} == secrets
    data: dict[str, list[dict[str, Any]]] = yaml.load(text, _Loader)
    assert set(data) == set(KEYS)
    for variable, items in data.items():
        for item in items:
            assert set(item) <= KEYS[variable], variable
    rules = {each["name"]: each["rrule"] for each in data["controller_schedules"]}
    weekend = "DTSTART;TZID=Europe/Zurich:20260101T030000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=SA,SU"
    assert rules["Plone upgrade in the maintenance window"] == weekend
    credentials = {each["name"].split()[0]: each["credentials"] for each in data["controller_templates"]}
    odoo = ["Odoo contract", "Odoo database"]
    assert credentials == {"Plone": ["Plone fleet"], "Odoo": odoo, "Approval": [], "Upgrade": []}
    for workflow in data["controller_workflows"]:
        nodes = workflow["simplified_workflow_nodes"]
        identifiers = {node["identifier"] for node in nodes}
        for node in nodes:
            assert set(node) <= NODE_KEYS
            assert {*node.get("success_nodes", []), *node.get("failure_nodes", [])} <= identifiers
    for each in data["controller_credential_types"]:
        rendered = [value for kind_of in each["injectors"].values() for value in kind_of.values()]
        assert all(isinstance(value, Unsafe) for value in rendered)

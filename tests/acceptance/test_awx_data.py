# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What awx_setup would set up, as variables of infra.aap_configuration, for each kind of reader of the guide."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.ansible_cli import run_playbook
from support.controller.configuration_as_code import KEYS, NODE_KEYS
from support.guides import GUIDES, blocks

CLONE = Path(__file__).parents[2]
EXAMPLE = CLONE / "extensions/awx_project/awx_setup.yml"
SECRETS = {"vault_plone_password": "plone-password-of-the-tests", "vault_odoo_contract": "contract-of-the-tests"}


class _Loader(yaml.SafeLoader):
    """Reads ``!unsafe`` texts too, and notes them."""


class Unsafe(str):
    """A text that Ansible does not template."""


_Loader.add_constructor("!unsafe", lambda _loader, node: Unsafe(node.value))


def file_of(kind: str) -> str:
    """The file of a reader with Plone alone, with Odoo alone, or with both."""
    captions = {"plone": "awx_setup.yml", "odoo": "awx_setup_odoo.yml"}
    if kind not in captions:
        return EXAMPLE.read_text(encoding="utf-8")
    [found] = [block.text for block in blocks(GUIDES / "awx.rst") if block.caption == captions[kind]]
    return found


@pytest.mark.parametrize(
    ("kind", "products", "secrets"),
    [
        ("plone", {"Plone"}, {"vault_plone_fleet_password"}),
        ("odoo", {"Odoo"}, {"vault_odoo_contract_contract"}),
        (
            "both",
            {"Plone", "Odoo"},
            {"vault_plone_fleet_password", "vault_odoo_contract_contract", "vault_operations_channel_configuration"},
        ),
    ],
)
def test_the_file_of_each_reader_becomes_data(kind: str, products: set[str], secrets: set[str], tmp_path: Path) -> None:
    choices, own, made = tmp_path / "awx_setup.yml", tmp_path / "secrets.yml", tmp_path / "controller.yml"
    choices.write_text(file_of(kind), encoding="utf-8")
    needed = {name: value for name, value in SECRETS.items() if name.split("_")[1].capitalize() in products}
    own.write_text(yaml.safe_dump(needed), encoding="utf-8")
    arguments = ("-e", f"@{choices}", "-e", f"@{own}", "-e", f"awx_setup_data_dest={made}")
    run = run_playbook("siteops.upgrades.awx_as_data", *arguments)
    assert run.status == 0, run.output
    text = made.read_text(encoding="utf-8")
    assert not [secret for secret in SECRETS.values() if secret in text]
    assert set(re.findall(r"vault_\w+", text)) - {"vault_"} == secrets
    data: dict[str, list[dict[str, Any]]] = yaml.load(text, _Loader)
    assert set(data) == set(KEYS)
    for variable, items in data.items():
        for item in items:
            assert set(item) <= KEYS[variable], variable
    assert {each["name"].split()[0] for each in data["controller_templates"]} == {*products, "Approval", "Upgrade"}
    for workflow in data["controller_workflows"]:
        nodes = workflow["simplified_workflow_nodes"]
        identifiers = {node["identifier"] for node in nodes}
        for node in nodes:
            assert set(node) <= NODE_KEYS
            assert {*node.get("success_nodes", []), *node.get("failure_nodes", [])} <= identifiers
    for each in data["controller_credential_types"]:
        rendered = [value for kind_of in each["injectors"].values() for value in kind_of.values()]
        assert all(isinstance(value, Unsafe) for value in rendered)

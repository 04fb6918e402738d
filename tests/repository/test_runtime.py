# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""meta/runtime.yml says what is there."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

GROUPS = {
    "plone": ("plone_addon", "plone_site_", "plone_transaction_", "plone_upgrade"),
    "plone_database": ("plone_backup", "plone_rehearsal_", "plone_restore"),
    "odoo": ("odoo_upgrade_",),
    "odoo_database": ("odoo_database_", "odoo_filestore_"),
}
"""Each group with the beginnings of its modules' names."""

OF_NO_API = {"maintenance_window_info", "run_report", "upgrade_report_page"}
"""Modules without the options of a server."""


@pytest.fixture(scope="module")
def modules(root: pathlib.Path) -> set[str]:
    """The names of the collection's modules."""
    return {path.stem for path in (root / "plugins/modules").glob("*.py") if path.stem != "__init__"}


@pytest.fixture(scope="module")
def action_groups(root: pathlib.Path) -> dict[str, Any]:
    """The action groups of meta/runtime.yml."""
    runtime = yaml.safe_load((root / "meta/runtime.yml").read_text(encoding="utf-8"))
    groups: dict[str, Any] = runtime["action_groups"]
    return groups


@pytest.mark.parametrize("group", GROUPS)
def test_an_action_group_lists_the_modules_of_its_prefix(
    group: str, modules: set[str], action_groups: dict[str, Any]
) -> None:
    assert action_groups.get(group, []) == sorted(name for name in modules if name.startswith(GROUPS[group]))


def test_every_module_that_calls_a_server_is_in_one_group(modules: set[str], action_groups: dict[str, Any]) -> None:
    grouped = [name for names in action_groups.values() for name in names]
    assert sorted(grouped) == sorted(modules - OF_NO_API)
    assert set(action_groups) <= set(GROUPS)


def test_every_action_plugin_stands_for_a_module(root: pathlib.Path, modules: set[str]) -> None:
    actions = {path.stem for path in (root / "plugins/action").glob("*.py") if path.stem != "__init__"}
    assert actions <= modules


def test_documentation_names_the_oldest_packages_that_are_tested(root: pathlib.Path) -> None:
    lines = (root / "meta/ee-requirements.txt").read_text(encoding="utf-8").splitlines()
    tested = dict(line.split(">=") for line in lines if line and not line.startswith("#"))
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"`(\w+)` ([0-9.]+) or\s+newer", readme)) == tested
    for path in (*root.glob("plugins/doc_fragments/*.py"), *root.glob("plugins/inventory/*.py")):
        named = re.findall(
            r"^  - (requests|paramiko)\b(?: >= ([0-9.]+))?", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert {package: tested[package] for package, _version in named} == dict(named), path

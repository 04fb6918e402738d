# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role says of its variables in three places agrees: argument_specs.yml, the defaults, the README."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.siteops.upgrades.plugins.module_utils._core.role_variables import ROLE_ENVIRONMENT, SHARED

ROLES = (
    "awx_setup",
    "odoo_backup",
    "odoo_cutover",
    "odoo_test_copy",
    "odoo_upgrade",
    "plone_backup",
    "plone_rehearsal",
    "plone_upgrade",
    "service_control",
    "upgrade_report",
)
NAMED_ELSEWHERE = {"awx_setup"}
"""Their README leaves most of the variables to ansible-doc."""


class Loader(yaml.SafeLoader):
    """Takes texts that are marked as !unsafe."""


Loader.add_constructor("!unsafe", lambda loader, node: node.value)


def options(root: pathlib.Path, role: str) -> dict[str, Any]:
    """The variables that argument_specs.yml describes."""
    specs = yaml.safe_load((root / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    described: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return described


def defaults(root: pathlib.Path, role: str) -> dict[str, Any]:
    """The variables with a default, from one file or from a folder of them."""
    found: dict[str, Any] = {}
    for path in sorted((root / "roles" / role / "defaults").rglob("*.yml")):
        found.update(yaml.load(path.read_text(encoding="utf-8"), Loader) or {})
    return found


def optional(root: pathlib.Path, role: str) -> dict[str, Any]:
    """The variables that need not be set."""
    return {name: option for name, option in options(root, role).items() if not option.get("required")}


def is_fixed(value: Any) -> bool:
    """Whether a default is the same for everybody, and no template."""
    return not (isinstance(value, str) and "{{" in value)


def test_every_role_is_here(root: pathlib.Path) -> None:
    assert sorted(path.name for path in (root / "roles").iterdir()) == sorted(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_described(role: str, root: pathlib.Path) -> None:
    assert sorted(set(defaults(root, role)) - set(options(root, role))) == []


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_that_are_described(role: str, root: pathlib.Path) -> None:
    described = {name: option["default"] for name, option in options(root, role).items() if "default" in option}
    assert {name: defaults(root, role).get(name) for name in described} == described


@pytest.mark.parametrize("value", [pytest.param(None, id="null"), pytest.param("", id="empty")])
@pytest.mark.parametrize("role", sorted(set(ROLES) - NAMED_ELSEWHERE))
def test_what_surveys_send_for_an_empty_field_is_not_refused(role: str, value: str | None, root: pathlib.Path) -> None:
    given = {name: ArgumentSpecValidator({name: option}) for name, option in optional(root, role).items()}
    assert {name: found for name, spec in given.items() if (found := spec.validate({name: value}).error_messages)} == {}


@pytest.mark.parametrize("role", sorted(set(ROLES) - NAMED_ELSEWHERE - {"service_control"}))
def test_no_default_refuses_null_on_the_oldest_core(role: str, root: pathlib.Path) -> None:
    """ansible-core 2.16 checks the type of null where there is a default; later ones do so for some types only."""
    found = optional(root, role).items()
    assert [name for name, option in found if "default" in option and option["type"] != "raw"] == []


def test_roles_that_run_modules_for_databases_name_themselves(root: pathlib.Path) -> None:
    """A failure then names the variables of the role, and only those that it has."""
    marked = re.compile(r"^    group/siteops.upgrades.odoo_database:$", re.MULTILINE)
    files = {path: path.read_text(encoding="utf-8") for path in (root / "roles").glob("*/tasks/*.yml")}
    running = {path.parts[-3]: text for path, text in files.items() if marked.search(text)}
    assert sorted(running) == sorted(SHARED)
    assert [role for role, text in running.items() if not re.search(f"{ROLE_ENVIRONMENT}: .*{role}", text)] == []
    known = {name for role in SHARED for name in options(root, role)}
    named = {name for groups in SHARED.values() for _mark, variables in groups for name in variables.values()}
    assert sorted(named - known) == []


@pytest.mark.parametrize("role", sorted(set(ROLES) - NAMED_ELSEWHERE))
def test_the_readme_names_every_variable_and_its_default(role: str, root: pathlib.Path) -> None:
    readme = (root / "roles" / role / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.+?) \| .+ \|$", readme, re.MULTILINE)
    shown = {name: default for names, default in rows for name in re.findall(r"\w+", names)}
    assert sorted(shown) == sorted(options(root, role))
    fixed = {name: value for name, value in defaults(root, role).items() if is_fixed(value) and value not in ("", {})}
    words = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in fixed.items()}
    assert {name: shown[name].strip("`") for name in words} == words

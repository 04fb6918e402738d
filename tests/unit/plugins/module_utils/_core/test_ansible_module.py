# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module takes for an option that is not set."""

from __future__ import annotations

import typing as t

import pytest
from ansible.module_utils import basic

from ansible_collections.siteops.upgrades.plugins.module_utils._core.ansible_module import Module
from ansible_collections.siteops.upgrades.plugins.module_utils._core.options import from_environment

OPTIONS: dict[str, dict[str, t.Any]] = {
    "timeout": {"type": "int", "default": 60},
    "validate_certs": {"type": "bool", "default": True},
    "names": {"type": "list", "elements": "str", "default": ["one"]},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "collate": {"type": "str", "default": "C"},
    "dest": {"type": "path"},
    "username": from_environment("TESTED_USERNAME", type="str"),
}
UNSET = {
    "timeout": 60,
    "validate_certs": True,
    "names": ["one"],
    "state": "present",
    "collate": "C",
    "dest": None,
    "username": "jane",
}


def params_of(monkeypatch: pytest.MonkeyPatch, given: dict[str, t.Any]) -> dict[str, t.Any]:
    """What a module with these options makes of what a task gives it."""
    monkeypatch.setattr(basic, "_load_params", lambda: dict(given))
    monkeypatch.setenv("TESTED_USERNAME", "jane")
    return Module(argument_spec=OPTIONS).params


def test_null_means_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert params_of(monkeypatch, dict.fromkeys(OPTIONS)) == UNSET


def test_an_empty_text_means_not_set_where_it_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    given = dict.fromkeys(set(OPTIONS) - {"state", "collate"}, "")
    assert params_of(monkeypatch, given) == UNSET
    assert params_of(monkeypatch, {"collate": ""}) == {**UNSET, "collate": ""}


def test_a_required_option_stays_as_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basic, "_load_params", lambda: {"database": ""})
    assert Module(argument_spec={"database": {"type": "str", "required": True}}).params == {"database": ""}


def test_what_is_given_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"timeout": 0, "validate_certs": False, "names": [], "state": "absent", "dest": "x", "username": "joe"}
    assert params_of(monkeypatch, given) == {**given, "collate": "C"}

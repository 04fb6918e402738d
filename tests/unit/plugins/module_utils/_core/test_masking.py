# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are registered once and masked in every form."""

from __future__ import annotations

import base64
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core import masking
from ansible_collections.siteops.upgrades.plugins.module_utils._core.masking import (
    REGISTERED,
    mask_secrets,
    register_options,
    register_secrets,
)


@pytest.fixture(autouse=True)
def nothing_registered() -> None:
    REGISTERED.clear()


def test_every_form_of_a_secret_is_masked() -> None:
    register_secrets("s/cret ö", None, "")
    encoded = base64.b64encode("s/cret ö".encode()).decode()
    assert mask_secrets(f"s/cret ö, s%2Fcret%20%C3%B6, {encoded} and s") == "***, ***, *** and s"


def test_the_longest_secret_is_masked_first() -> None:
    register_secrets("secret", "admin:secret")
    assert mask_secrets("admin:secret secret") == "*** ***"


def test_options_with_no_log_are_secrets_those_of_nested_options_too() -> None:
    spec: dict[str, dict[str, t.Any]] = {
        "url": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "keys": {"type": "list", "elements": "str", "no_log": True},
        "token": {"type": "str", "no_log": True},
        "absent": {"type": "str", "no_log": True},
        "sites": {
            "type": "list",
            "elements": "dict",
            "options": {"name": {"type": "str"}, "password": {"type": "str", "no_log": True}},
        },
        "one": {"type": "dict", "options": {"pin": {"type": "int", "no_log": True}}},
    }
    values = {
        "url": "https://example.org",
        "password": "p-one",
        "keys": ["k-one", "k-two"],
        "token": None,
        "sites": [{"name": "shown", "password": "p-two"}, {"name": "shown", "password": None}],
        "one": {"pin": 4711},
    }
    register_options(spec, values)
    assert {"p-one", "k-one", "k-two", "p-two", "4711"} <= masking.REGISTERED
    assert not {"shown", "https://example.org", "None"} & masking.REGISTERED

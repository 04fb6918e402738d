# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input of odoo_upgrade_request is found before anything is sent, and named."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.wanted import wanted
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.options import request_options

GOOD: dict[str, t.Any] = {
    "contract": "M123456-abcdef",
    "email": "erp@example.com",
    "target": "18.0",
    "aim": "test",
    "filename": "shop.dump",
    "timezone": None,
}


def test_good_input_becomes_the_parameters_of_create() -> None:
    made = wanted(request_options(GOOD))
    assert made.contract == "M123456-abcdef"
    assert "M123456" not in repr(made)
    assert made.fields == {"email": "erp@example.com", "target": "18.0", "aim": "test", "filename": "shop.dump"}


def test_white_space_around_a_value_is_dropped() -> None:
    given = {**GOOD, "contract": "M1\n", "target": " 17 ", "timezone": "Europe/Brussels\n"}
    made = wanted(request_options(given))
    assert made.contract == "M1"
    assert made.fields["target"] == "17.0"
    assert made.fields["timezone"] == "Europe/Brussels"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("contract", ""),
        ("contract", " \n"),
        ("contract", "M1 M2"),
        ("contract", "M1\nM2"),
        ("contract", None),
        ("email", ""),
        ("email", "erp"),
        ("email", "@example.com"),
        ("email", "erp@"),
        ("email", "erp@shop@example.com"),
        ("email", "erp shop@example.com"),
        ("email", "erp@example.com\r\nBcc: x"),
        ("target", ""),
        ("target", "18\0"),
        ("target", "18.0 19.0"),
        ("filename", ""),
        ("filename", "."),
        ("filename", ".."),
        ("filename", "a/b"),
        ("filename", "a\\b"),
        ("filename", "a\0b"),
        ("filename", "a\nb"),
        ("filename", "é" * 128),
        ("timezone", ""),
        ("timezone", "a\tb"),
    ],
)
def test_bad_input_is_named(option: str, value: str | None) -> None:
    with pytest.raises(OptionError) as caught:
        wanted(request_options({**GOOD, option: value}))
    assert str(caught.value).startswith(f"Option '{option}'")

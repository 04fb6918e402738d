# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of servers without control characters, and every form of a secret."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.text import (
    encodings_of,
    one_line,
    strip_control_chars,
)


@pytest.mark.parametrize(
    ("text", "left"),
    (
        ("plain \u00fc\u4e2d\U0001f600", "plain \u00fc\u4e2d\U0001f600"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hwiped", "wiped"),
        ("\x1b[?25lhidden", "hidden"),
        ("\x1b]0;title\x07after", "]0;titleafter"),
        ("\x9b31mred", "31mred"),
        ("\x1b\x1b[[31mred", "31mred"),
        ("over\rwritten", "overwritten"),
        ("bell\x07 null\x00 back\x08 delete\x7f", "bell null back delete"),
        ("user\u202etxt.exe\u202c", "usertxt.exe"),
        ("\u2066isolated\u2069", "isolated"),
        ("half a pair \ud800", "half a pair "),
    ),
)
def test_what_could_act_on_a_terminal_is_gone(text: str, left: str) -> None:
    assert strip_control_chars(text) == left
    assert "\x1b" not in strip_control_chars(text)


def test_every_part_of_a_value_is_made_harmless() -> None:
    value = {"k\x1b[1m": ["\x07a", {"b": ("\x00c", 1, None, True, 2.5)}]}
    assert strip_control_chars(value) == {"k": ["a", {"b": ["c", 1, None, True, 2.5]}]}
    json.dumps(strip_control_chars(value)).encode()


def test_one_line() -> None:
    assert one_line("  two\r\n lines \t and a tab ") == "two lines and a tab"
    assert one_line(None) == "None"
    assert one_line("x" * 300) == "x" * 300
    assert one_line("x" * 301) == "x" * 299 + "\u2026"
    assert one_line({"a": 1}, 5) == "{'a'\u2026"


@pytest.mark.parametrize("secret", ("p@ss/w:rd+50% &more?", "gr\u00fc\u00dfe \u2713", "plain-and-simple"))
def test_every_spelling_of_a_secret_is_known(secret: str) -> None:
    forms = encodings_of(secret)
    assert {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)} <= forms
    assert base64.b64encode(secret.encode()).decode() in forms

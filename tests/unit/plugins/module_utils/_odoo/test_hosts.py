# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts the token of a request may be sent to."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError, UnexpectedAnswerError
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.hosts import Hosts, split_host

FRONT = "https://upgrade.odoo.com"


def required(value: t.Any, *allowed: str, front: str = FRONT) -> str:
    return Hosts(front, allowed).require("POST status", "host_uri", value)


@pytest.mark.parametrize(
    "host", ("upgrade.odoo.com", "up1.odoo.com", "a.b.odoo.com", "UP1.Odoo.Com", "up1.odoo.com:8443")
)
def test_hosts_of_the_domain_of_the_front(host: str) -> None:
    assert required(host) == host


@pytest.mark.parametrize(
    "host",
    (
        *("odoo.com", "odoo.com.example.org", "evilodoo.com", "upgrade.odoo.com.evil.example", "localhost"),
        *("127.0.0.1", "169.254.169.254", "up1.example.org"),
    ),
)
def test_a_stranger_is_named_with_the_way_to_allow_it(host: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match="'host_uri' with the host") as caught:
        required(host)
    assert host in str(caught.value)
    assert "'allowed_hosts'" in str(caught.value)


@pytest.mark.parametrize(
    "value",
    (
        *(None, "", 5, True, ["up1.odoo.com"], {"host": "up1.odoo.com"}),
        *("https://up1.odoo.com", "//up1.odoo.com", "up1.odoo.com/", "up1.odoo.com/x", "up1.odoo.com?x", "#odoo.com"),
        *("token@up1.odoo.com", "up1.odoo.com:443@evil.example", "up1.odoo.com:", "up1.odoo.com:0", ":443"),
        *("up1.odoo.com:65536", "up1.odoo.com:+443", "up1.odoo.com:44 3", "up1.odoo.com:\u0664\u0664\u0663"),
        *(" up1.odoo.com", "up1.odoo.com\n", "up1.odoo.com\x00", "up1.odoo.com.", ".odoo.com", "up1..odoo.com"),
        *("-up1.odoo.com", "up1-.odoo.com", "up_1.odoo.com", "\u0430.odoo.com", "[::1]", "::1", "*.odoo.com"),
        *("a" * 64 + ".odoo.com", "a." * 130 + "odoo.com"),
    ),
    ids=range(36),
)
def test_what_is_no_host_name_is_not_sent_to(value: t.Any) -> None:
    with pytest.raises(UnexpectedAnswerError, match="is not a host name. Nothing was sent there"):
        required(value)


@pytest.mark.parametrize(
    ("allowed", "host", "is_allowed"),
    (
        ("up1.example.org", "up1.example.org", True),
        ("up1.example.org", "UP1.example.org:444", True),
        ("up1.example.org", "up2.example.org", False),
        ("up1.example.org", "x.up1.example.org", False),
        (".example.org", "up2.example.org", True),
        (".example.org", "a.b.example.org", True),
        (".example.org", "example.org", False),
        (".example.org", "evilexample.org", False),
    ),
)
def test_the_option_allows_more(allowed: str, host: str, is_allowed: bool) -> None:
    if is_allowed:
        assert required(host, allowed) == host
    else:
        with pytest.raises(UnexpectedAnswerError, match="does not belong to"):
            required(host, allowed)


@pytest.mark.parametrize(
    ("front", "host", "is_allowed"),
    (
        ("https://127.0.0.1:8443", "127.0.0.1:9443", True),
        ("https://127.0.0.1:8443", "1.0.0.1", False),
        ("https://10.0.0.1", "0.0.1", False),
        ("https://gate", "gate", True),
        ("https://gate", "other", False),
        ("https://odoo.com", "up1.odoo.com", True),
        ("https://odoo.com", "evil.com", False),
    ),
)
def test_an_address_and_a_short_name_allow_little_else(front: str, host: str, is_allowed: bool) -> None:
    if is_allowed:
        assert required(host, front=front) == host
    else:
        with pytest.raises(UnexpectedAnswerError, match="does not belong to"):
            required(host, front=front)


@pytest.mark.parametrize("name", ("https://x.example.org", "x.example.org:443", "*.example.org", "", ".", "a b", "-x"))
def test_an_option_that_is_no_host_name(name: str) -> None:
    with pytest.raises(OptionError, match="'allowed_hosts': must be a list of host names"):
        Hosts(FRONT, (name,))


def test_name_and_port() -> None:
    assert split_host("up1.odoo.com") == ("up1.odoo.com", 0)
    assert split_host("up1.odoo.com:65535") == ("up1.odoo.com", 65535)

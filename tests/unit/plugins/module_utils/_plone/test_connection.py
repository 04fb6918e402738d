# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may ask: the options, the header made of them, and the words for a refusal."""

from __future__ import annotations

import base64
import json
import types
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.masking import REGISTERED
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.credentials import Credentials

PASSWORD = "correct-horse-battery-staple"


def token_with(claims: t.Any) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{part}.c2lnbmF0dXJl"


def credentials(username: str | None = None, password: str | None = None, token: str | None = None) -> Credentials:
    return Credentials.from_params({"username": username, "password": password, "token": token})


@pytest.mark.parametrize(
    ("given", "option", "says"),
    (
        ({}, "username", "there are no credentials at all"),
        ({"username": "", "password": "", "token": ""}, "username", "there are no credentials at all"),
        ({"username": "admin"}, "password", "is required together with 'username'"),
        ({"username": "admin", "password": ""}, "password", "is required together with 'username'"),
        ({"password": PASSWORD}, "username", "is required together with 'password'"),
        ({"username": "admin", "password": PASSWORD, "token": "aaaa.bbbb.cccc"}, "token", "not both"),
        ({"username": "admin", "token": "aaaa.bbbb.cccc"}, "token", "not both"),
        ({"password": PASSWORD, "token": "aaaa.bbbb.cccc"}, "token", "not both"),
        ({"username": "ad:min", "password": PASSWORD}, "username", "must not contain a colon"),
        ({"username": "ad\udcffmin", "password": PASSWORD}, "username", "not UTF-8"),
        ({"username": "admin", "password": f"{PASSWORD}\udcff"}, "password", "not UTF-8"),
        ({"token": "aaaa.bbbb.cccc\n"}, "token", "a line end"),
        ({"token": "aaaa.bbbb.cccc\r\nX-Injected: yes"}, "token", "a line end"),
        ({"token": "Bearer aaaa.bbbb.cccc"}, "token", "contains a space"),
        ({"token": "aaaa.b\u00fcbb.cccc"}, "token", "no token has"),
    ),
)
def test_bad_options_are_named_and_not_repeated(given: dict[str, str], option: str, says: str) -> None:
    with pytest.raises(OptionError) as caught:
        credentials(**given)
    assert str(caught.value).startswith(f"Option '{option}': ")
    assert says in str(caught.value)
    assert caught.value.result == {"option": option}
    assert PASSWORD not in str(caught.value)
    assert "aaaa" not in str(caught.value)


@pytest.mark.parametrize("password", (PASSWORD, "with: colons:", "p\u00e4ssw\u00f6rd \u2713", " spaces ", "x\ny"))
def test_basic_carries_any_password(password: str) -> None:
    request = types.SimpleNamespace(headers={})
    assert credentials("admin", password)(request) is request
    kind, _space, encoded = request.headers["Authorization"].partition(" ")
    assert (kind, base64.b64decode(encoded).decode()) == ("Basic", f"admin:{password}")


def test_bearer() -> None:
    request = types.SimpleNamespace(headers={})
    credentials(token="aaaa.bbbb.cccc")(request)
    assert request.headers["Authorization"] == "Bearer aaaa.bbbb.cccc"


def test_credentials_that_exist_are_masked() -> None:
    REGISTERED.clear()
    made = credentials("admin", PASSWORD), credentials(token="aaaa.bbbb.cccc")
    assert {PASSWORD, f"admin:{PASSWORD}", "aaaa.bbbb.cccc"} <= REGISTERED
    assert "admin" not in REGISTERED
    assert not [secret for secret in (PASSWORD, "aaaa.bbbb.cccc") if secret in repr(made)]


@pytest.mark.parametrize(
    ("made", "user"),
    (
        (Credentials("admin", PASSWORD), "admin"),
        (Credentials("site admin/../x", PASSWORD), "site admin/../x"),
        (Credentials(token=token_with({"sub": "manager"})), "manager"),
        (Credentials(token=token_with({"sub": 5})), "5"),
        (Credentials(token=token_with({})), ""),
        (Credentials(token=token_with([1, 2])), ""),
        (Credentials(token="no-json-web-token"), ""),
        (Credentials(token="a.!!!!.c"), ""),
        (Credentials(token="a.gICAgA.c"), ""),
    ),
)
def test_the_name_of_the_user(made: Credentials, user: str) -> None:
    assert made.user == user


@pytest.mark.parametrize(
    ("claims", "says"),
    (
        ({"exp": 1700000000}, "The token expired at 2023-11-14 22:13:20 UTC; get a new one"),
        ({"exp": 1700000000.9}, "The token expired at 2023-11-14 22:13:20 UTC"),
        ({"exp": 99999999999}, "The token is not valid for this site"),
        ({"exp": "1700000000"}, "The token is not valid for this site"),
        ({"exp": None}, "The token is not valid for this site"),
        ({"exp": -1e300}, "The token expired at 1970-01-01"),
        ([], "The token is not valid for this site"),
    ),
)
def test_why_a_token_was_refused(claims: t.Any, says: str) -> None:
    assert Credentials(token=token_with(claims)).why_refused.startswith(says)


def test_why_a_password_was_refused() -> None:
    assert Credentials("admin", PASSWORD).why_refused.startswith("The user name or the password is wrong")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input is found before the first request, and the option is named."""

from __future__ import annotations

import typing as t

import pytest
from ansible.module_utils.basic import AnsibleFallbackNotFound

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.masking import REGISTERED
from ansible_collections.siteops.upgrades.plugins.module_utils._core.options import (
    base_url,
    from_environment,
    require_positive,
    sends_in_clear,
    verification,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.client import PloneClient, connect
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.connection import Connection, plone_arguments
from ansible_collections.siteops.upgrades.tests.unit.certificates import Authority

if t.TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct-horse-battery-staple"


class Module:
    """Options as a module has them, and where its warnings go."""

    def __init__(self, **given: t.Any) -> None:
        self.argument_spec = plone_arguments()
        self.params = {name: option.get("default") for name, option in self.argument_spec.items()}
        self.params.update({"url": "https://plone.example.org", "username": "admin", "password": PASSWORD, **given})
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def client(self) -> PloneClient:
        return connect(Connection.from_params(self.params), self.warn)


@pytest.mark.parametrize(
    ("url", "says"),
    (
        (None, "is empty"),
        ("", "is empty"),
        ("  ", "is empty"),
        ("plone.example.org", "is not a URL that begins with http:// or https://"),
        ("//plone.example.org", "is not a URL that begins with http:// or https://"),
        ("ftp://plone.example.org", "is not a URL that begins with http:// or https://"),
        ("file:///etc/passwd", "is not a URL that begins with http:// or https://"),
        ("https://", "is not a URL that begins with http:// or https:// and a host"),
        ("https:///Plone", "is not a URL that begins with http:// or https:// and a host"),
        ("https://[::1", "is not a URL"),
        ("https://plone.example.org:port/", "is not a URL"),
        ("https://plone.example.org:0/", "is not a URL"),
        ("https://plone.example.org:99999/", "is not a URL"),
        (f"https://admin:{PASSWORD}@plone.example.org", "contains credentials"),
        ("https://admin@plone.example.org", "contains credentials"),
        ("https://plone.example.org/?x=1", "no '?' or '#' part"),
        ("https://plone.example.org/Plone?", "no '?' or '#' part"),
        ("https://plone.example.org/#x", "no '?' or '#' part"),
        ("https://plone.example.org/Plone#", "no '?' or '#' part"),
        ("https://plone.example.org/My Plone", "contains a space or a line end"),
        ("https://plone.example.org/\nPlone", "contains a space or a line end"),
    ),
)
def test_bad_urls(url: str | None, says: str) -> None:
    with pytest.raises(OptionError) as caught:
        base_url({"url": url}, "url")
    assert str(caught.value).startswith("Option 'url': ")
    assert says in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "site"),
    (
        ("https://plone.example.org", "https://plone.example.org"),
        (" https://plone.example.org/ \n", "https://plone.example.org"),
        ("https://plone.example.org/Plone//", "https://plone.example.org/Plone"),
        ("https://plone.example.org/Plone/@upgrade", "https://plone.example.org/Plone"),
        ("https://plone.example.org/Plone/@upgrade/", "https://plone.example.org/Plone"),
        ("https://plone.example.org/++api++", "https://plone.example.org/++api++"),
        ("https://plone.example.org/++api++/", "https://plone.example.org/++api++"),
        ("https://plone.example.org/++api++/@upgrade", "https://plone.example.org/++api++"),
        ("HTTPS://[2001:db8::1]:8443/Plone", "HTTPS://[2001:db8::1]:8443/Plone"),
    ),
)
def test_forms_of_the_url(url: str, site: str) -> None:
    assert Module(url=url).client().url == site


@pytest.mark.parametrize(
    ("given", "option"),
    (
        ({"url": ""}, "url"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -5}, "timeout"),
        ({"ca_path": "/nowhere/authorities.pem"}, "ca_path"),
        ({"username": None}, "username"),
        ({"password": None}, "password"),
        ({"token": "aaaa.bbbb.cccc"}, "token"),
    ),
)
def test_a_client_is_not_made_of_bad_options(given: dict[str, t.Any], option: str) -> None:
    with pytest.raises(OptionError, match=f"^Option '{option}': "):
        Module(**given).client()


def test_numbers_that_are_not_above_zero() -> None:
    with pytest.raises(OptionError, match="^Option 'wait_interval': must be greater than 0, not -1.$"):
        require_positive({"wait_timeout": 1, "wait_interval": -1}, "wait_timeout", "wait_interval")
    with pytest.raises(OptionError, match="^Option 'wait_timeout': must be at most 1000000000, not 9"):
        require_positive({"wait_timeout": 99999999999}, "wait_timeout")
    require_positive({"wait_timeout": 1}, "wait_timeout")


def test_what_certificates_are_verified_against(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate", encoding="utf-8")
    good = str(Authority(tmp_path, "ours").file)
    assert verification({"validate_certs": True, "ca_path": None}) is True
    assert verification({"validate_certs": True, "ca_path": good}) == good
    folder = tmp_path / "authorities"
    folder.mkdir()
    with pytest.raises(OptionError, match=f"ca_path.*Run: openssl rehash {folder}"):
        verification({"validate_certs": True, "ca_path": str(folder)})
    (folder / "1a2b3c4d.0").symlink_to(good)
    assert verification({"validate_certs": True, "ca_path": str(folder)}) == str(folder)
    assert verification({"validate_certs": False, "ca_path": str(nonsense)}) is False
    with pytest.raises(OptionError, match="^Option 'ca_path': there is no file or folder /nowhere.$"):
        verification({"validate_certs": True, "ca_path": "/nowhere"})
    with pytest.raises(OptionError, match="^Option 'ca_path': .*nonsense.pem contains no certificate that can be read"):
        verification({"validate_certs": True, "ca_path": str(nonsense)})


@pytest.mark.parametrize(
    ("url", "in_clear"),
    (
        ("http://plone.example.org", True),
        ("http://10.0.0.1:8080/Plone", True),
        ("http://[2001:db8::1]/Plone", True),
        ("http://localhost.example.org/", True),
        ("https://plone.example.org", False),
        ("http://localhost:8080/Plone", False),
        ("http://plone.localhost/", False),
        ("http://127.0.0.1:8080/Plone", False),
        ("http://127.1.2.3/", False),
        ("http://[::1]:8080/", False),
    ),
)
def test_a_warning_where_credentials_can_be_read_on_the_way(url: str, in_clear: bool) -> None:
    assert sends_in_clear(url) is in_clear
    module = Module(url=url)
    module.client()
    assert module.warnings == ([f"The credentials travel unencrypted to {url.rstrip('/')}; use https."] * in_clear)


def test_secrets_are_hidden_in_every_spelling() -> None:
    REGISTERED.clear()
    module = Module(password="p@ss word/50%")
    module.client()
    assert {"p@ss word/50%", "p%40ss%20word%2F50%25", "admin:p@ss word/50%"} <= REGISTERED
    assert "admin" not in REGISTERED


@pytest.mark.parametrize("value", (None, ""))
def test_an_empty_variable_counts_as_not_set(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is None:
        monkeypatch.delenv("PLONE_CA_PATH", raising=False)
    else:
        monkeypatch.setenv("PLONE_CA_PATH", value)
    read, arguments = from_environment("PLONE_CA_PATH", type="path")["fallback"]
    with pytest.raises(AnsibleFallbackNotFound):
        read(*arguments)
    monkeypatch.setenv("PLONE_CA_PATH", "/etc/ssl/ca.pem")
    assert read(*arguments) == "/etc/ssl/ca.pem"

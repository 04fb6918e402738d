# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate asks for is checked before use, and its secrets are masked without making results unreadable."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone

import pytest
import trustme

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import CallError, OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.gate_options import (
    client_certificate,
    gate_arguments,
    gate_headers,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._core.masking import (
    REGISTERED,
    hide_secret_dicts,
    register_options,
)
from ansible_collections.siteops.upgrades.tests.unit.local_server import LocalServer, document, raw, redirect

if t.TYPE_CHECKING:
    from pathlib import Path

HEADERS = gate_arguments("PLONE")["headers"]
SPEC = {"headers": HEADERS, "fleet": {"type": "list", "options": {"headers": HEADERS}}}


def test_values_of_headers_are_masked_and_short_ones_only_where_they_were_given() -> None:
    params: dict[str, t.Any] = {
        "headers": {"X-Gate": "open sesame", "X-One": "1"},
        "fleet": [{"headers": {"X-Other": "a long secret"}}],
    }
    REGISTERED.clear()
    register_options(SPEC, params)
    assert {"open sesame", "a long secret"} <= REGISTERED
    assert "1" not in REGISTERED
    assert hide_secret_dicts(SPEC, params) == {"1"}
    assert params == {"headers": {"X-Gate": "***", "X-One": "***"}, "fleet": [{"headers": {"X-Other": "***"}}]}


@pytest.mark.parametrize("text", ('{"X-Gate": "open sesame", "X-No": null}', " {'X-Gate': 'open sesame'}"))
def test_headers_may_be_a_text_whose_values_are_masked_as_well(text: str) -> None:
    assert gate_headers({"headers": text}) == {"X-Gate": "open sesame"}
    assert "open sesame" in REGISTERED


@pytest.mark.parametrize("nothing", (None, "", " ", "{}", {}), ids=repr)
def test_no_headers(nothing: t.Any) -> None:
    params = {"headers": nothing}
    assert gate_headers(params) == {}
    # Everything that Ansible masks is masked wherever it turns up.
    assert hide_secret_dicts(SPEC, params) == ({nothing} if nothing else set())


@pytest.mark.parametrize("given", ("X-Gate=hush-hush", "[]", "{hush-hush", "{1}", "{" * 9999, [], 5, True), ids=repr)
def test_headers_that_are_no_dictionary(given: t.Any) -> None:
    says = "'headers': is not a dictionary, or the text of a JSON object, of names and values"
    with pytest.raises(OptionError, match=says) as caught:
        gate_headers({"headers": given})
    assert "hush" not in str(caught.value)


def test_no_client_certificate() -> None:
    assert client_certificate({"client_cert": "", "client_key": None}) is None


@pytest.mark.parametrize("option", ("client_cert", "client_key"))
def test_a_client_certificate_that_cannot_be_used(option: str, tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    file.write_text("no certificate")
    for given, says in (
        ({option: str(tmp_path / "none")}, "there is no file"),
        ({"client_key": str(file)}, "is required together with 'client_key'"),
        ({"client_cert": str(file)}, "not a certificate and its private key in PEM form"),
        ({"client_cert": str(file), "client_key": str(file)}, "not a certificate and its private key in PEM form"),
    ):
        with pytest.raises(OptionError, match=says):
            client_certificate(given)


@pytest.mark.parametrize(
    ("days", "says"),
    (((-3, -1), "expired on "), ((1, 3), "is not valid before "), ((-1, 1), "")),
    ids=("expired", "not yet valid", "valid"),
)
def test_a_client_certificate_outside_of_its_dates_is_named(days: tuple[int, int], says: str, tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    start, end = (datetime.now(timezone.utc) + timedelta(days=number) for number in days)
    pem = trustme.CA().issue_cert("client.example", not_before=start, not_after=end).private_key_and_cert_chain_pem
    file.write_bytes(pem.bytes())
    if not says:
        assert client_certificate({"client_cert": str(file)}) == str(file)
        return
    with pytest.raises(OptionError, match=f"Option 'client_cert': the certificate in {file} {says}2"):
        client_certificate({"client_cert": str(file)})


def test_headers_do_not_leave_the_host() -> None:
    with LocalServer(document({})) as other, LocalServer(redirect(other.url)) as server:
        client = HttpClient(server.url, headers={"X-Gate": "open sesame"})
        with pytest.raises(CallError, match="was redirected to"):
            client.get("/")
        with client.open("GET", server.url, timeout=20, leave_to=lambda _url: True):
            assert "x-gate" not in other.seen[-1].headers
        assert server.seen[-1].headers["x-gate"] == "open sesame"


def test_a_server_that_speaks_http2_only() -> None:
    settings = bytes.fromhex("000012040000000000") + b"\x00" * 18
    with LocalServer(raw(settings)) as server, pytest.raises(CallError, match="the server speaks HTTP/2 only. Have it"):
        HttpClient(server.url).look(5).get("/")

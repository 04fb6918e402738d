# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificate is trusted, against a small real server with certificates made for the test."""

from __future__ import annotations

import socket
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import NotSentError, NotTrustedError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.tests.unit.certificates import Authority
from ansible_collections.siteops.upgrades.tests.unit.local_server import LocalServer, document, redirect

if t.TYPE_CHECKING:
    from pathlib import Path

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    """The authority that signed the server's certificate."""
    return Authority(tmp_path, "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Authority:
    """Another authority."""
    return Authority(tmp_path, "theirs")


@pytest.fixture
def server(ours: Authority) -> t.Iterator[LocalServer]:
    """A server with a good certificate of ours."""
    with LocalServer(document({}), tls=ours.issue()) as running:
        yield running


def ask(server: LocalServer, verify: bool | str) -> int:
    return HttpClient(server.url, verify=verify, timeout=20).send("POST", "/").status


def refused(server: LocalServer, verify: bool | str, advice: str = "Give the authority that signed it") -> str:
    with pytest.raises(NotTrustedError) as caught:
        ask(server, verify)
    assert not server.seen
    assert "POST / could not be sent: its TLS certificate is not trusted (" in str(caught.value)
    assert advice in str(caught.value)
    return str(caught.value)


def test_an_authority_that_nobody_knows(server: LocalServer) -> None:
    refused(server, True)


def test_the_authority_that_was_given(server: LocalServer, ours: Authority, theirs: Authority) -> None:
    assert ask(server, str(ours.file)) == 200
    server.seen.clear()
    refused(server, str(theirs.file))


def test_a_certificate_for_another_host(ours: Authority) -> None:
    with LocalServer(document({}), tls=ours.issue(host="plone.example")) as server:
        assert "127.0.0.1" in refused(server, str(ours.file), "Use the name that it was issued for.")


def test_a_certificate_out_of_date(ours: Authority) -> None:
    with LocalServer(document({}), tls=ours.issue(expired=True)) as server:
        assert "certificate has expired" in refused(server, str(ours.file), "Have it renewed.")


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_option_wins_over_the_environment(
    server: LocalServer, ours: Authority, theirs: Authority, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(ours.file))
    refused(server, str(theirs.file))
    monkeypatch.setenv(variable, str(theirs.file))
    assert ask(server, str(ours.file)) == 200
    assert ask(server, False) == 200


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_environment_counts_where_no_option_is_given(
    server: LocalServer, ours: Authority, theirs: Authority, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(theirs.file))
    refused(server, True)
    monkeypatch.setenv(variable, str(ours.file))
    assert ask(server, True) == 200


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_file_of_the_environment_that_is_not_there(
    server: LocalServer, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "/nowhere/authorities.pem")
    with pytest.raises(NotSentError, match="POST / could not be sent: .*/nowhere/authorities.pem.* REQUESTS_CA_BUNDLE"):
        ask(server, True)
    assert not server.seen


def test_a_server_that_need_not_be_trusted_makes_no_noise(
    server: LocalServer, recwarn: pytest.WarningsRecorder
) -> None:
    assert ask(server, False) == 200
    assert not recwarn.list


def test_a_redirect_is_verified_too(ours: Authority) -> None:
    with LocalServer(redirect("/b"), document({}), tls=ours.issue()) as redirecting:
        assert HttpClient(redirecting.url, verify=str(ours.file), timeout=20).get("/a").status == 200
    assert redirecting.asked == ["GET /a", "GET /b"]


def test_a_server_that_speaks_no_tls() -> None:
    """Nothing of a call gets out before TLS is agreed upon, so one that writes may be made again."""
    with LocalServer(document({})) as server, pytest.raises(NotSentError, match="the TLS handshake failed .*SSL"):
        HttpClient(f"https://127.0.0.1:{server.port}", timeout=20).send("POST", "/")
    assert not server.seen


def test_a_port_that_speaks_no_tls_and_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = HttpClient(f"https://127.0.0.1:{silent.getsockname()[1]}", timeout=0.5)
        with pytest.raises(NotSentError, match="the TLS handshake (did not end|failed .*). Check that scheme and port"):
            client.send("POST", "/")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificate is trusted, against a small real server with certificates made for the test."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
import typing as t

import pytest
import requests

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import NotSentError, NotTrustedError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_errors import explain
from ansible_collections.siteops.upgrades.tests.unit.certificates import Authority
from ansible_collections.siteops.upgrades.tests.unit.local_server import (
    LocalServer,
    document,
    redirect,
    with_certificate,
)

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


def old_versions(context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.minimum_version = ssl.TLSVersion.TLSv1_1


def other_ciphers(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES256-SHA")


def client_certificates(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("agree", "advice"),
    [
        (old_versions, "take TLS 1.2 or newer"),
        (other_ciphers, "takes no cipher, key exchange or signature"),
        (client_certificates, "or asks for a client certificate"),
    ],
)
def test_what_a_server_asks_for_that_this_host_has_not(
    ours: Authority, agree: t.Callable[[ssl.SSLContext], None], advice: str
) -> None:
    context = with_certificate(ours.issue())
    context.load_verify_locations(ours.file)
    agree(context)
    with LocalServer(document({}), tls=context) as server:
        with pytest.raises(NotSentError, match=f"could not be sent: the TLS handshake failed .* {advice}") as caught:
            ask(server, str(ours.file))
        assert "scheme and port" not in str(caught.value)
        assert not server.seen


def test_a_client_certificate_that_an_unknown_authority_signed(ours: Authority, theirs: Authority) -> None:
    context = with_certificate(ours.issue())
    context.load_verify_locations(ours.file)
    client_certificates(context)
    with LocalServer(document({}), tls=context) as server:
        client = HttpClient(server.url, verify=str(ours.file), timeout=20, cert=str(theirs.issue()))
        with pytest.raises(NotSentError, match="asks for a client certificate that it trusts"):
            client.send("POST", "/")


def test_a_client_certificate_that_is_asked_for_after_the_handshake() -> None:
    """By TLS 1.3: the server has read no request. Whether the alert arrives is a race, so it is given here."""
    alert = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    reason, sent, hint = explain(requests.exceptions.ConnectionError(alert))
    assert ("certificate required" in reason, sent, "asks for a client certificate" in hint) == (True, False, True)


def test_a_server_that_speaks_no_tls() -> None:
    """Nothing of a call gets out before TLS is agreed upon, so one that writes may be made again."""
    with LocalServer(document({})) as server, pytest.raises(NotSentError, match="the TLS handshake failed .*SSL"):
        HttpClient(f"https://127.0.0.1:{server.port}", timeout=20).send("POST", "/")
    assert not server.seen


def test_a_port_that_speaks_no_tls_and_waits() -> None:
    """The time limit passes once the handshake has begun, however long that takes."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def pass_the_limit() -> None:
            connection, _address = silent.accept()
            with connection:
                connection.recv(1)
                signal.pthread_kill(t.cast("int", threading.main_thread().ident), signal.SIGALRM)
                over.wait(60)

        thread = threading.Thread(target=pass_the_limit)
        thread.start()
        client = HttpClient(f"https://127.0.0.1:{silent.getsockname()[1]}", timeout=60)
        with pytest.raises(NotSentError, match="the TLS handshake did not end. Check that scheme and port"):
            client.send("POST", "/")
        over.set()
        thread.join()

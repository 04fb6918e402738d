# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that talks HTTP, against a small real server in a thread."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import time
import typing as t

import pytest
import requests

from ansible_collections.siteops.upgrades.plugins.module_utils._core import http_answer, http_client
from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import (
    AnswerLostError,
    CallError,
    NotSentError,
    UnexpectedAnswerError,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_answer import Answer
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._core.urls import same_place
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.credentials import Credentials
from ansible_collections.siteops.upgrades.tests.unit.local_server import (
    LocalServer,
    Reply,
    answer,
    closed_port,
    document,
    dripping_body,
    dripping_headers,
    page,
    raw,
    redirect,
    reset,
    silence,
)

if t.TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct-horse-battery-staple"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
BASIC = f"Basic {base64.b64encode(f'admin:{PASSWORD}'.encode()).decode()}"
SECRETS = (PASSWORD, TOKEN, BASIC.partition(" ")[2], "proxy-secret", "query-secret")

LOSSES: dict[str, Reply] = {
    "reset": reset,
    "closed": raw(b""),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "too many headers": raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n"),
    "a header without an end": raw(b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 70000),
    "truncated": answer(b'{"a": 1}', Content_Length="1000", Connection="close"),
    "broken chunks": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnonsense"),
    "a chunk that is missing": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    "broken gzip": answer(b"no gzip at all", Content_Encoding="gzip"),
}


def client(url: str, **options: t.Any) -> HttpClient:
    options.setdefault("auth", Credentials("admin", PASSWORD))
    return HttpClient(url, **{"timeout": 20, **options})


def says_nothing_secret(error: CallError) -> bool:
    words = f"{error} {error.result}"
    return not any(secret in words for secret in SECRETS)


# What arrives


def test_what_a_read_sends() -> None:
    with LocalServer(document({"a": 1})) as server:
        got = client(f"{server.url}/Plone").get("/@system", params={"x": "1"})
    assert (got.status, got.document(), got.call) == (200, {"a": 1}, "GET /Plone/@system")
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.body) == ("GET", "/Plone/@system?x=1", b"")
    # Plone answers 404 to more than one media type (measured).
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["authorization"] == BASIC
    # What a cache kept would be no proof of anything.
    assert seen.headers["cache-control"] == "no-cache"


def test_what_a_call_that_writes_sends() -> None:
    with LocalServer(document({}, 201)) as server:
        got = client(server.url, auth=Credentials(token=TOKEN)).send("POST", "/@upgrade", json={"dry_run": False})
    assert got.status == 201
    assert json.loads(server.seen[0].body) == {"dry_run": False}
    assert server.seen[0].headers["content-type"] == "application/json"
    assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_credentials_win_over_netrc(own_environment: Path) -> None:
    netrc = own_environment / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", encoding="utf-8")
    netrc.chmod(0o600)
    with LocalServer(document({})) as server:
        client(server.url).get("/")
        client(server.url, auth=Credentials(token=TOKEN)).get("/")
        client(server.url, auth=None).get("/")
    assert [seen.headers.get("authorization") for seen in server.seen] == [BASIC, f"Bearer {TOKEN}", None]


def test_whatever_status_is_an_answer() -> None:
    for status in (200, 204, 304, 400, 401, 403, 404, 409, 418, 500, 501, 599):
        with LocalServer(answer(status=status)) as server:
            assert client(server.url).get("/").status == status
            assert client(server.url).send("POST", "/").status == status
        assert server.asked == ["GET /", "POST /"]


# Answers that are no documents


@pytest.mark.parametrize(
    ("reply", "says"),
    (
        (page(), "answered 200 with an HTML page instead of JSON"),
        (answer(b"  <html>", Content_Type="application/json"), "answered 200 with an HTML page instead of JSON"),
        (answer(b""), "answered 200 with an empty body instead of JSON"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Le"), "answered 200 with an empty body instead of JSON"),
        (answer(b" \r\n "), "answered 200 with an empty body instead of JSON"),
        (answer(b"{", Content_Type="application/json"), "answered 200 with 1 bytes of application/json instead"),
        (answer(b"hello"), "answered 200 with 5 bytes of no stated type instead"),
        (answer(b"\xff\xfe\xfa", Content_Type="text/plain; charset=x"), "answered 200 with 3 bytes of text/plain"),
        (answer(b"[" * 200000), "answered 200 with 200000 bytes of no stated type instead"),
        # A length that is too short cuts the document.
        (answer(b'{"a": 1}', Content_Length="5", Connection="close"), "answered 200 with 5 bytes"),
    ),
)
def test_what_is_not_json(reply: Reply, says: str) -> None:
    with LocalServer(reply) as server:
        got = client(server.url).get("/Plone")
    with pytest.raises(UnexpectedAnswerError) as caught:
        got.document()
    assert f"GET /Plone {says}" in str(caught.value)
    assert caught.value.status == 200


def test_a_compressed_answer_is_whole() -> None:
    with LocalServer(answer(gzip.compress(b'{"a": 1}'), Content_Encoding="gzip")) as server:
        assert client(server.url).get("/").document() == {"a": 1}


@pytest.mark.parametrize(("header", "seconds"), (("7", 7.0), ("", None), ("soon", None), ("-1", None), (" 5 ", 5.0)))
def test_retry_after(header: str, seconds: float | None) -> None:
    with LocalServer(answer(status=503, Retry_After=header)) as server:
        assert client(server.url).send("POST", "/", json={}).retry_after == seconds


@pytest.mark.parametrize(("until", "seconds"), (("08:49:57", 20.0), ("08:49:37", 0.0), ("08:00:00", 0.0)))
def test_retry_after_a_date_by_the_clock_of_the_server(until: str, seconds: float) -> None:
    date = "Sun, 06 Nov 1994 {} GMT"
    headers = {"Date": date.format("08:49:37"), "Retry-After": date.format(until)}
    assert Answer("GET /", 503, headers, b"").retry_after == seconds


# Answers that are lost


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_answer_is_asked_for_again_by_a_read_and_never_by_a_call_that_writes(loss: str) -> None:
    with LocalServer(LOSSES[loss]) as server:
        for ask in (lambda: client(server.url).get("/a"), lambda: client(server.url).send("POST", "/b", json={})):
            with pytest.raises(AnswerLostError) as caught:
                ask()
            assert says_nothing_secret(caught.value)
    assert server.asked == ["GET /a"] * 3 + ["POST /b"]


def test_a_fault_that_passes_is_not_noticed() -> None:
    with LocalServer(reset, answer(status=502), document({"a": 1})) as server:
        assert client(server.url).get("/").document() == {"a": 1}
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", (429, 502, 503, 504))
def test_a_passing_status_is_read_again_and_then_given_back(status: int) -> None:
    with LocalServer(page(status)) as server:
        assert client(server.url).get("/").status == status
        assert client(server.url).send("POST", "/").status == status
    assert server.asked == ["GET /"] * 3 + ["POST /"]


def test_a_503_in_json_is_no_passing_status() -> None:
    """Zope answers so where a KeyError comes out of Python code."""
    with LocalServer(document({"type": "KeyError", "message": "0"}, 503)) as server:
        assert client(server.url).get("/").status == 503
    assert server.asked == ["GET /"]


def test_a_server_that_asks_to_wait_is_not_asked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    with LocalServer(*(answer(status=429, Retry_After=after) for after in ("7", "9999")), document({})) as server:
        assert client(server.url).get("/").status == 200
    assert naps == [7, http_client.LONGEST_WAIT_ASKED]


def test_a_document_at_the_end_of_a_transfer_has_its_time_limit() -> None:
    """The timeout of the socket starts anew with every byte that drips."""
    with LocalServer(dripping_body) as server:
        http = client(server.url, timeout=0.3)
        ask = http.transfer("POST", f"{server.url}/a", call="POST /a", data=b"x")
        with pytest.raises(AnswerLostError, match="/a got no whole answer within 0.3 seconds"), ask as response:
            http.document(response, "POST /a")


@pytest.mark.parametrize("reply", (dripping_body, dripping_headers, silence))
def test_a_server_that_never_ends_is_ended_by_the_time_limit(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "READ_AGAIN_AFTER", ())
    with LocalServer(reply) as server:
        for ask in (
            lambda: client(server.url, timeout=0.3).get("/a"),
            lambda: client(server.url).send("POST", "/a", timeout=0.3),
        ):
            with pytest.raises(AnswerLostError, match="/a got no whole answer within 0.3 seconds"):
                ask()
    # Once each; less where the limit passes before the request is sent.
    assert len(server.seen) <= 2


def test_an_answer_that_is_too_long_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_answer, "LONGEST_DOCUMENT", 2 * http_answer.MEBIBYTE)
    bomb = gzip.compress(b" " * 8 * http_answer.MEBIBYTE)
    for reply in (answer(b" " * 3 * http_answer.MEBIBYTE), answer(bomb, Content_Encoding="gzip")):
        with LocalServer(reply) as server, pytest.raises(AnswerLostError, match="GET / sent more than 2 MiB"):
            client(server.url).get("/")


# Calls that were not sent


def test_a_port_on_which_nobody_listens() -> None:
    with closed_port() as port, pytest.raises(NotSentError) as caught:
        client(f"http://127.0.0.1:{port}").send("POST", "/@upgrade", params={"key": "query-secret"})
    words = f"the connection failed (Connection refused). The address was http://127.0.0.1:{port}."
    assert f"POST /@upgrade could not be sent: {words}" in str(caught.value)
    assert says_nothing_secret(caught.value)


def test_a_host_name_that_cannot_be_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_knows(*_arguments: t.Any, **_more: t.Any) -> t.NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody_knows)
    with pytest.raises(NotSentError, match="could not be sent: the host name cannot be resolved. .* http://plone"):
        client("http://plone.example").send("POST", "/")


def test_a_host_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def time_out(*_arguments: t.Any, **_more: t.Any) -> t.NoReturn:
        raise socket.timeout("timed out")

    monkeypatch.setattr(socket.socket, "connect", time_out)
    with pytest.raises(NotSentError, match="could not be sent: the host does not answer"):
        client("http://127.0.0.1:9").send("POST", "/")


@pytest.mark.parametrize("url", ("http://a..b", f"http://{'a' * 80}.example", "http://.example"))
def test_a_host_name_that_cannot_be(url: str) -> None:
    with pytest.raises(NotSentError, match="POST / could not be sent: the URL is not valid"):
        client(url).send("POST", "/")


# Redirects


@pytest.mark.parametrize("status", (301, 302, 303, 307, 308))
def test_a_read_follows_on_the_same_host(status: int) -> None:
    with LocalServer(redirect("/b", status), redirect("c?d=1", status), document({"a": 1})) as server:
        got = client(server.url).get("/a", params={"x": "1"})
    assert (got.document(), got.call) == ({"a": 1}, "GET /a")
    assert server.asked == ["GET /a?x=1", "GET /b", "GET /c?d=1"]
    assert [seen.headers["authorization"] for seen in server.seen] == [BASIC] * 3


@pytest.mark.parametrize("method", ("GET", "POST"))
def test_another_host_receives_nothing(method: str) -> None:
    with LocalServer(document({})) as other, LocalServer(redirect(f"{other.url}/x?query-secret", 307)) as server:
        asking = client(server.url)
        with pytest.raises(UnexpectedAnswerError) as caught:
            asking.get("/") if method == "GET" else asking.send("POST", "/", json={})
    assert f"was redirected to {other.url}. Credentials are not sent there" in str(caught.value)
    assert caught.value.status == 307
    assert says_nothing_secret(caught.value)
    assert not other.seen
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", (301, 302, 303, 307, 308))
def test_a_call_that_writes_follows_nowhere(status: int) -> None:
    with LocalServer(redirect("/b", status)) as server, pytest.raises(UnexpectedAnswerError, match="was redirected to"):
        client(server.url).send("POST", "/a", json={})
    assert server.asked == ["POST /a"]


def test_redirects_without_an_end() -> None:
    with LocalServer(redirect("/")) as server, pytest.raises(UnexpectedAnswerError, match="more than 5 times"):
        client(server.url).get("/")
    assert len(server.seen) == 6


@pytest.mark.parametrize("to", ("http://[::1", "https://127.0.0.1:port/", "http://\xff/", "ftp://127.0.0.1/x"))
def test_redirects_to_what_is_no_address(to: str) -> None:
    with LocalServer(redirect(to)) as server, pytest.raises(CallError, match="GET / was redirected to"):
        client(server.url).get("/")
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("here", "there", "same"),
    (
        ("http://a.example/x", "http://a.example/y", True),
        ("http://a.example/x", "https://a.example/y", True),
        ("http://a.example:80/x", "https://a.example:443/y", True),
        ("http://a.example/x", "http://A.EXAMPLE:80/y", True),
        ("https://a.example:443/x", "https://a.example/y", True),
        ("https://a.example/x", "http://a.example/y", False),
        ("http://a.example:8080/x", "https://a.example/y", False),
        ("http://a.example/x", "http://a.example:8080/y", False),
        ("http://a.example/x", "http://b.example/x", False),
        ("http://a.example/x", "http://a.example.evil/x", False),
        ("http://a.example/x", "http://a.example@b.example/x", False),
        ("http://a.example/x", "ftp://a.example/x", False),
    ),
)
def test_what_is_the_same_place(here: str, there: str, same: bool) -> None:
    assert same_place(here, there) is same


# Proxies


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalServer(document({"a": 1})) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:proxy-secret@127.0.0.1:{proxy.port}")
        assert client("http://plone.example").get("/@system").document() == {"a": 1}
    assert proxy.asked == ["GET http://plone.example/@system"]
    assert proxy.seen[0].headers["proxy-authorization"].startswith("Basic ")


def test_no_proxy_of_the_environment_is_used_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as port, LocalServer(document({})) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert client(server.url).get("/").status == 200


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https"):
        with closed_port() as port:
            monkeypatch.setenv(f"{scheme}_proxy", f"http://user:proxy-secret@127.0.0.1:{port}")
            with pytest.raises(NotSentError, match="the proxy named in the environment cannot be reach") as caught:
                client(f"{scheme}://plone.example").send("POST", "/")
        assert says_nothing_secret(caught.value)


@pytest.mark.parametrize(
    ("status", "words"),
    (
        (403, r"did not let it through \(403\).*allowed there"),
        (407, r"refuses its user or password, or asks for them \(407\).*%40"),
        (503, r"did not let it through \(503\)"),
    ),
)
def test_a_proxy_that_refuses_the_tunnel(status: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalServer(page(status)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://user:proxy-secret@127.0.0.1:{proxy.port}")
        with pytest.raises(NotSentError, match=words) as caught:
            client("https://plone.example").send("POST", "/")
    assert proxy.asked == ["CONNECT plone.example:443"]
    assert says_nothing_secret(caught.value)


def test_a_proxy_without_tls_and_one_that_needs_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalServer(page(400)) as proxy:
        monkeypatch.setenv("https_proxy", f"https://user:proxy-secret@127.0.0.1:{proxy.port}")
        with pytest.raises(NotSentError, match="does not speak TLS itself. Write http:// in https_proxy") as caught:
            client("https://plone.example").send("POST", "/")
        assert says_nothing_secret(caught.value)
    monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", _without_pysocks)
    monkeypatch.setenv("https_proxy", "socks5h://user:proxy-secret@127.0.0.1:1080")
    with pytest.raises(NotSentError, match="library PySocks is missing") as caught:
        client("https://plone.example").send("POST", "/")
    assert says_nothing_secret(caught.value)


def _without_pysocks(*_options: object, **_more: object) -> None:
    raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")


@pytest.mark.parametrize("loss", ("reset", "closed", "no HTTP", "truncated"))
def test_an_answer_lost_behind_a_proxy_is_not_taken_for_a_call_that_was_not_sent(
    loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest urllib3 calls every broken connection to a proxy an error of the proxy."""
    with LocalServer(LOSSES[loss]) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:proxy-secret@127.0.0.1:{proxy.port}")
        with pytest.raises(AnswerLostError) as caught:
            client("http://plone.example").send("POST", "/@upgrade", json={})
    assert proxy.asked == ["POST http://plone.example/@upgrade"]
    assert says_nothing_secret(caught.value)


@pytest.mark.parametrize("proxy", ("http://user:proxy-secret@127.0.0.1:port", "nonsense://user:proxy-secret@127.0.0.1"))
def test_a_proxy_that_cannot_be(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(NotSentError) as caught:
        client("http://plone.example").send("POST", "/")
    assert says_nothing_secret(caught.value)

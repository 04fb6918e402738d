# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: bought, renewed, refused; and the causes of a 401 that are told apart."""

from __future__ import annotations

import base64
import json
import time
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import CallError, OptionError, UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_answer import Answer
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.answers import asks_for_basic
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.client import PloneClient, connect
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.connection import Connection
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.credentials import Credentials
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.sites import ZopeRoot
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.token_successor import remember_successor
from ansible_collections.siteops.upgrades.tests.unit.local_server import (
    Handler,
    LocalServer,
    Reply,
    answer,
    document,
    in_turn,
    page,
    routed,
)

if t.TYPE_CHECKING:
    from pathlib import Path

STATE = document({"versions": {"instance": "6018", "fs": "6205"}, "upgrade_steps": {}})
UNAUTHORIZED = document({"type": "Unauthorized", "message": "You are not authorized to access this resource."}, 401)
WRONG = document({"error": {"type": "Invalid credentials", "message": "Wrong login and/or password."}}, 401)
OWN_DATA = document({"id": "admin"})


def token(ends_in: float, user: str = "admin") -> str:
    claims = json.dumps({"sub": user, "exp": time.time() + ends_in}).encode()
    return f"eyJhbGciOiJIUzI1NiJ9.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2lnbmF0dXJl"


def sold(ends_in: float) -> Reply:
    return document({"token": token(ends_in)})


def client_for(server: LocalServer, **credentials: str) -> PloneClient:
    made = Credentials(**credentials)
    return PloneClient(HttpClient(server.url, timeout=20, auth=made), made)


def buyer(server: LocalServer) -> PloneClient:
    return client_for(server, username="admin", password="a secret", login="jwt")


def test_a_token_is_bought_once_with_the_password_in_the_body() -> None:
    with LocalServer(routed(GET={"/@upgrade": STATE}, POST={"/@login": sold(3600)})) as server:
        client = buyer(server)
        client.site_state()
        client.look(5).site_state()
    assert server.asked == ["POST /@login", "GET /@upgrade", "GET /@upgrade"]
    assert json.loads(server.seen[0].body) == {"login": "admin", "password": "a secret"}
    assert "authorization" not in server.seen[0].headers
    assert [seen.headers["authorization"].split()[0] for seen in server.seen[1:]] == ["Bearer", "Bearer"]


def test_each_site_sells_its_own_token_and_the_root_none() -> None:
    listed = document({"@id": "http://x/@sites", "sites": [{"@id": "http://x/a", "id": "a", "needs_upgrade": True}]})
    replies = routed(GET={"/@sites": listed, "/a/@upgrade": STATE}, POST={"/a/@login": sold(3600)})
    with LocalServer(replies) as server:
        credentials = Credentials("admin", "a secret", login="jwt")
        root = ZopeRoot(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        root.at(f"{server.url}/{root.sites()[0].id}").site_state()
    assert server.asked == ["GET /@sites", "POST /a/@login", "GET /a/@upgrade"]
    assert "authorization" not in server.seen[0].headers


def test_the_root_is_asked_as_a_visitor_and_each_site_with_the_token_that_took_the_place(home: Path) -> None:
    """The root of a real Zope answers 500 to the token of a site."""
    listed = document({"@id": "http://x/@sites", "sites": [{"@id": "http://x/a", "id": "a", "needs_upgrade": True}]})
    given, successor = token(60), token(3600)
    with LocalServer(routed(GET={"/@sites": listed, "/a/@upgrade": STATE})) as server:
        remember_successor(f"{server.url}/a", given, successor)
        credentials = Credentials(token=given)
        root = ZopeRoot(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        root.at(f"{server.url}/{root.sites()[0].id}").site_state()
        client_for(server, token=given).at(f"{server.url}/a").site_state()
    assert "authorization" not in server.seen[0].headers
    assert [seen.headers["authorization"] for seen in server.seen[1:]] == [f"Bearer {successor}"] * 2


def test_a_token_that_ends_during_a_wait_is_renewed_for_the_next_read() -> None:
    with LocalServer(routed(GET={"/@upgrade": STATE}, POST={"/@login-renew": sold(7200)})) as server:
        client = client_for(server, token=token(60))
        for _look in range(2):
            client.keep_token(10).look(5).site_state()
    assert server.asked == ["POST /@login-renew", "GET /@upgrade", "GET /@upgrade"]


@pytest.mark.parametrize(("pause", "renewals"), ((1, 4), (10, 4)), ids=("40 reads", "4 reads"))
def test_a_token_that_is_shorter_than_the_wait_is_not_renewed_with_each_read(
    monkeypatch: pytest.MonkeyPatch, pause: int, renewals: int
) -> None:
    """A site that stores tokens writes to its database for each."""
    began = now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)

    def renewed(handler: Handler) -> None:
        sold(20)(handler)

    with LocalServer(routed(GET={"/@upgrade": STATE}, POST={"/@login-renew": renewed})) as server:
        client = client_for(server, token=token(20))
        while now < began + 40:
            client.keep_token(pause).look(5).site_state()
            now += pause
    assert server.asked.count("POST /@login-renew") == renewals


def test_a_renewed_token_that_is_the_old_one_is_bought_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that stores tokens has deleted it, when both were made within one second."""
    first = token(20)
    replies = routed(POST={"/@login-renew": document({"token": first}), "/@login": document({"token": first})})
    with LocalServer(replies) as server:
        client = buyer(server)
        client.prepare_to_post(3600)
        later = time.time() + 3
        monkeypatch.setattr(time, "time", lambda: later)
        client.prepare_to_post(3600)
    assert server.asked == ["POST /@login", "POST /@login-renew", "POST /@login"]


def test_a_token_that_a_password_buys_again_is_not_warned_about() -> None:
    with LocalServer(routed(POST={"/@login-renew": sold(20), "/@login": sold(20)})) as server:
        assert buyer(server).prepare_to_post(3600) == []


def test_another_token_is_bought_when_one_is_refused() -> None:
    reads = in_turn(STATE, UNAUTHORIZED, STATE)
    with LocalServer(routed(GET={"/@upgrade": reads}, POST={"/@login": sold(3600)})) as server:
        client = buyer(server)
        client.site_state()
        client.site_state()
    assert server.asked.count("POST /@login") == 2


@pytest.mark.parametrize(
    ("reply", "says"),
    (
        (WRONG, "The user name or the password is wrong."),
        (document({"token": None}), "sold no token. Without a token of this site, set 'login' to basic"),
        (document({"error": {"type": "Login failed"}}, 501), "answered 501 and sold no token"),
        (page(403), "403 with an HTML page"),
    ),
    ids=("wrong", "none", "no plugin", "page"),
)
def test_a_site_that_sells_no_token(reply: Reply, says: str) -> None:
    with LocalServer(routed(POST={"/@login": reply})) as server, pytest.raises(CallError, match=says) as caught:
        buyer(server).site_state()
    assert "a secret" not in str(caught.value)


@pytest.mark.parametrize("has", ("a token", "a password"))
def test_a_token_that_ends_too_soon_is_renewed_before_something_is_posted(
    monkeypatch: pytest.MonkeyPatch, has: str
) -> None:
    replies = routed(GET={"/@upgrade": STATE}, POST={"/@login-renew": sold(7200), "/@login": sold(20), "/x": STATE})
    with LocalServer(replies) as server:
        client = client_for(server, token=token(20)) if has == "a token" else buyer(server)
        client.site_state()
        later = time.time() + 3
        monkeypatch.setattr(time, "time", lambda: later)
        assert client.prepare_to_post(3600) == []
        assert client.prepare_to_post(3600) == [], "the new one lasts"
        client.send("POST", "/x", {})
    assert server.asked.count("POST /@login-renew") == 1
    assert server.seen[-1].headers["authorization"] != server.seen[-3].headers["authorization"]


class StoringSite:
    """A site that knows one token, and deletes it when it is renewed; it can forget all."""

    def __init__(self, known: str, next_one: str) -> None:
        self.known, self.next_one = known, next_one

    def __call__(self, handler: Handler) -> None:
        if handler.headers.get("Authorization") != f"Bearer {self.known}":
            UNAUTHORIZED(handler)
        elif handler.path == "/@login-renew":
            self.known = self.next_one
            document({"token": self.known})(handler)
        else:
            STATE(handler)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "siteops.upgrades"


def connected(server: LocalServer, given: str, path: str = "") -> PloneClient:
    return connect(Connection.from_params(options(f"{server.url}{path}", token=given)), print)


def test_the_next_task_finds_the_token_that_took_the_place_of_its_own(home: Path) -> None:
    given, second, third = token(60), token(3000), token(9000)
    site = StoringSite(given, second)
    with LocalServer(site) as server:
        assert "before the 3600 seconds" in connected(server, given).prepare_to_post(3600)[0]
        (kept,) = home.iterdir()
        assert (kept.stat().st_mode & 0o777, home.stat().st_mode & 0o777) == (0o600, 0o700)
        assert connected(server, given, "/++api++").site_state().versions.fs == "6205", "the same site"
        site.next_one = third
        assert connected(server, given).prepare_to_post(3600) == []
        connected(server, given).site_state()
        with pytest.raises(CallError):
            connected(server, given, "/other").site_state()
    assert kept.read_text() == third
    assert list(home.iterdir()) == [kept]


def test_a_token_that_ended_meanwhile_is_no_failure_where_it_has_a_successor(home: Path) -> None:
    given, successor = token(-5), token(3600)
    with LocalServer(StoringSite(successor, "")) as server:
        remember_successor(server.url, given, successor)
        assert connected(server, given).site_state().versions.fs == "6205"


def test_a_successor_that_is_no_good_is_forgotten(home: Path) -> None:
    given = token(3600)
    with LocalServer(StoringSite(given, "")) as server:
        for bad in (token(-5), token(1800), "not a token"):
            remember_successor(server.url, given, bad)
            assert connected(server, given).site_state().versions.fs == "6205"
            assert not list(home.iterdir())
        remember_successor(server.url, given, token(1800))
        server.next_reply = lambda: UNAUTHORIZED  # type: ignore[method-assign]
        with pytest.raises(CallError, match="401"):
            connected(server, given).site_state()


def test_a_home_that_cannot_be_written_to_is_warned_about(home: Path) -> None:
    home.touch()
    given = token(60)
    with LocalServer(StoringSite(given, token(9000))) as server:
        (warning,) = connected(server, given).prepare_to_post(3600)
    assert "the new one cannot be kept for the tasks that follow" in warning


def test_a_token_that_lasts_is_left_alone() -> None:
    """A site can be set to forget a token when it is renewed, and the next task has the old one."""
    with LocalServer(routed()) as server:
        assert client_for(server, token=token(7200)).prepare_to_post(3600) == []
        assert client_for(server, username="admin", password="secret").prepare_to_post(3600) == []
    assert server.asked == []


def test_a_token_that_the_site_does_not_renew_is_warned_about() -> None:
    with LocalServer(routed()) as server:
        (warning,) = client_for(server, token=token(60)).prepare_to_post(3600)
    assert "before the 3600 seconds of 'wait_timeout' are over" in warning


def options(url: str, **given: t.Any) -> dict[str, t.Any]:
    names = ("username", "password", "token", "login", "headers", "client_cert", "client_key", "ca_path")
    return {**dict.fromkeys(names), "url": url, "validate_certs": True, "timeout": 20, **given}


def test_a_token_that_has_ended_is_refused_before_anything_is_sent() -> None:
    with LocalServer(STATE) as server, pytest.raises(OptionError, match="'token': The token expired at 2"):
        connect(Connection.from_params(options(server.url, token=token(-5))), print)
    assert server.asked == []


# A gate in front of Plone


def test_headers_go_with_every_call_and_are_secrets() -> None:
    with LocalServer(STATE) as server:
        params = options(
            server.url, username="admin", password="secret", headers={"X-Gate": "open sesame", "X-No": None}
        )
        connection = Connection.from_params(params)
        client = connect(connection, print)
        client.site_state()
        client.at(f"{server.url}/other").send("POST", "/@upgrade", {})
    assert [seen.headers.get("x-gate") for seen in server.seen] == ["open sesame"] * 2
    assert "x-no" not in server.seen[0].headers
    assert "sesame" not in repr(connection)


@pytest.mark.parametrize(
    ("headers", "says"),
    (
        ({"authorization": "Basic x"}, "cannot both be had"),
        ({"Content-Type": "x"}, "set by the client itself"),
        ({"X Y": "x"}, "'X Y' is not the name of a header"),
        ({"X-Gate": "a\nb"}, "the value of X-Gate is not a text"),
        ({"X-Gate": ["a"]}, "the value of X-Gate is not a text"),
    ),
    ids=("authorization", "ours", "name", "line end", "list"),
)
def test_headers_that_cannot_be_sent(headers: dict[str, t.Any], says: str) -> None:
    with pytest.raises(OptionError, match=says) as caught:
        Connection.from_params(options("http://x", username="a", password="b", headers=headers))
    assert caught.value.result["option"] == "headers"


def test_the_cookie_of_a_login_is_not_used() -> None:
    """It would let reads through where a proxy takes the token away, and the cause would not be found."""
    selling = answer(
        json.dumps({"token": token(60)}).encode(), Content_Type="application/json", Set_Cookie="__ac=x; Path=/"
    )
    with LocalServer(routed(GET={"/@upgrade": STATE}, POST={"/@login": selling})) as server:
        buyer(server).site_state()
    assert "cookie" not in server.seen[-1].headers


# Causes of a 401


def behind(**rules: t.Any) -> Reply:
    """A Plone that refuses Basic, or whose proxy takes the header away, and to whose user these paths are open."""

    def reply(handler: Handler) -> None:
        header = handler.headers.get("Authorization", "")
        if handler.path == "/@login":
            (sold(3600) if rules["right"] else WRONG)(handler)
        elif rules.get("stripped") or header.split()[0] not in rules["takes"]:
            UNAUTHORIZED(handler)
        else:
            {"/@users/admin": OWN_DATA, "/@upgrade": STATE if rules.get("manager") else UNAUTHORIZED}[handler.path](
                handler
            )

    return reply


@pytest.mark.parametrize(
    ("rules", "says"),
    (
        ({"right": True, "takes": ("Basic", "Bearer")}, "lacks the Manager role"),
        ({"right": False, "takes": ()}, "The user name or the password is wrong."),
        ({"right": True, "takes": ("Bearer",), "manager": True}, "does not take it by HTTP Basic. Set 'login' to jwt"),
        ({"right": True, "takes": ("Bearer",)}, "lacks the Manager role"),
        ({"right": True, "takes": ("Basic", "Bearer"), "stripped": True}, "takes the Authorization header away"),
    ),
    ids=("role", "password", "no basic", "no basic and no role", "stripped"),
)
def test_causes_of_a_401(rules: dict[str, t.Any], says: str) -> None:
    with LocalServer(behind(**rules)) as server, pytest.raises(UpgradeError, match=says):
        client_for(server, username="admin", password="secret").site_state()


def test_a_token_that_was_bought_and_does_not_arrive() -> None:
    reply = behind(right=True, takes=("Bearer",), stripped=True)
    with LocalServer(reply) as server, pytest.raises(CallError, match="but the token does not arrive: what stands in"):
        buyer(server).site_state()


GATE = "What stands in front of Plone asks for Basic authentication itself."


def refused(body: bytes, kind: str, challenge: str, server: str) -> Reply:
    return answer(body, 401, Content_Type=kind, WWW_Authenticate=challenge, Server=server)


NGINX = refused(b"<html>401 Authorization Required</html>", "text/html", 'Basic realm="intranet"', "nginx")
JSON_GATE = refused(b'{"error": "unauthorized"}', "application/json", "Basic", "a gate")


@pytest.mark.parametrize("reply", (NGINX, JSON_GATE), ids=("page", "json"))
@pytest.mark.parametrize(
    "credentials",
    ({"username": "admin", "password": "secret"}, {"token": "x"}, {"username": "a", "password": "b", "login": "jwt"}),
    ids=("basic", "token", "jwt"),
)
def test_a_gate_that_asks_for_basic_itself_is_named(reply: Reply, credentials: dict[str, str]) -> None:
    with LocalServer(reply) as server, pytest.raises(CallError, match=GATE) as caught:
        client_for(server, **credentials).site_state()
    assert "or let this host through by its address." in str(caught.value)


def test_a_basic_gate_that_lets_the_password_through_to_plone_is_named() -> None:
    """The gate knows the password, Plone does not, and @login needs no header of which the gate would approve."""
    with (
        LocalServer(routed(GET=UNAUTHORIZED, POST=NGINX)) as server,
        pytest.raises(CallError, match=GATE),
    ):
        client_for(server, username="gate", password="secret").site_state()


def test_the_title_of_a_page_of_a_proxy_is_quoted() -> None:
    reply = answer(b"<html><title>400 The SSL certificate\n &amp; error</title>", 400, Content_Type="text/html")
    with LocalServer(reply) as server, pytest.raises(CallError) as caught:
        client_for(server, username="admin", password="secret").site_state()
    assert "answered 400 with an HTML page titled '400 The SSL certificate & error' by something" in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    (
        refused(b'{"type": "Unauthorized", "message": "x"}', "application/json", 'Basic realm="Zope"', "waitress"),
        refused(b'{"type": "Unauthorized", "message": "x"}', "application/json", 'basic realm="x"', "nginx"),
        refused(b"<html>Unauthorized</html>", "text/html", 'basic realm="Zope"', "nginx"),
        refused(b"<html>Log in</html>", "text/html", "Bearer", "nginx"),
    ),
    ids=("plone", "plone behind a proxy", "zope behind a proxy", "another gate"),
)
def test_a_401_of_plone_itself_is_no_basic_gate(reply: Reply) -> None:
    with LocalServer(reply) as server, pytest.raises(CallError) as caught:
        client_for(server, username="admin", password="secret").site_state()
    assert "401" in str(caught.value)
    assert GATE not in str(caught.value)


@pytest.mark.parametrize(("server", "is_gate"), (("waitress", False), ("nginx", True)))
def test_a_401_of_zopes_own_server_is_no_basic_gate(server: str, is_gate: bool) -> None:
    headers = {"WWW-Authenticate": 'Basic realm="Site"', "Server": server}
    assert asks_for_basic(Answer("GET /@upgrade", 401, headers, b"<html></html>")) is is_gate


def test_a_page_of_volto_is_named() -> None:
    with LocalServer(page(200)) as server, pytest.raises(CallError, match=r"ends in /\+\+api\+\+"):
        client_for(server, username="admin", password="secret").site_state()

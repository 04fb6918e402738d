# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client makes of the platform's answers, and where it sends the key."""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import (
    AnswerLostError,
    CallError,
    NotSentError,
    NotTrustedError,
    UnexpectedAnswerError,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_answer import Answer
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.answers import PlatformFailure
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.client import OdooClient
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.failures import may_have_acted, passes_by_itself
from ansible_collections.siteops.upgrades.tests.unit.local_server import LocalServer, answer, document, redirect

API = "https://upgrade.example.org/database/v1"
KEY = "Aw7pItGVKFuZ_FOR3U8VFQ=="

# Both failures of the sample in the API document.
SAMPLE_FAILURES = [
    {
        "expected": ["6.0", "6.1", "7.0", "8.0"],
        "message": 'Invalid value "5.0"',
        "reason": "TARGET:INVALID",
        "value": "5.0",
    },
    {
        "code": "M123456-abcxyz",
        "message": "Can not find contract M123456-abcxyz",
        "reason": "CONTRACT:NOT_FOUND",
    },
]
SFTP_ACCESS = {
    "hostname": "upgrade.odoo.com",
    "sftp_port": 2200,
    "sftp_user": "user_10534",
    "shared_file": "db_name.dump",
    "request_id": 10534,
    "sample_command": "sftp -P 2200 user_10534@upgrade.odoo.com",
}


class OneAnswer:
    """Stands for an HttpClient that gives the same answer to every call, and remembers the calls."""

    base_url = API

    def __init__(self, body: t.Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.headers = headers or {}
        self.sent: list[tuple[str, str, dict[str, t.Any]]] = []

    def send(self, method: str, path: str, **request: t.Any) -> Answer:
        self.sent.append((method, path, request))
        return Answer(f"{method} /database/v1{path}", self.status, self.headers, self.body)

    @contextlib.contextmanager
    def transfer(self, method: str, url: str, **request: t.Any) -> t.Iterator[OneAnswer]:
        self.sent.append((method, url, request))
        yield self

    @property
    def status_code(self) -> int:
        return self.status

    def document(self, _response: t.Any, call: str) -> Answer:
        return Answer(call, self.status, self.headers, self.body)

    @property
    def client(self) -> OdooClient:
        return OdooClient(t.cast(HttpClient, self), "10534", KEY)


def failure_of(body: t.Any, status: int = 200, call: str = "process") -> CallError:
    client = OneAnswer(body, status).client
    calls: dict[str, t.Callable[[], t.Any]] = {
        "create": lambda: client.create({"target": "5.0"}),
        "process": client.process,
        "status": client.status,
    }
    with pytest.raises(CallError) as caught:
        calls[call]()
    return caught.value


@pytest.mark.parametrize("status", [200, 400, 404, 503])
def test_both_failures_of_the_sample_are_reported_at_once_whatever_the_status(status: int) -> None:
    failure = failure_of({"failures": SAMPLE_FAILURES}, status, "create")
    assert isinstance(failure, PlatformFailure)
    assert str(failure) == (
        f"POST /database/v1/create was refused by the platform ({status}): "
        'TARGET:INVALID: Invalid value "5.0" (expected: 6.0, 6.1, 7.0, 8.0); '
        "CONTRACT:NOT_FOUND: Can not find contract M123456-abcxyz. "
        "Give one of the expected versions as target. Check the reference of the enterprise contract."
    )
    assert failure.failures == SAMPLE_FAILURES
    assert failure.result["failure"]["failures"] == SAMPLE_FAILURES


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"reason": "AIM:INVALID"}, "AIM:INVALID."),
        ({"reason": "AIM:INVALID", "message": None, "value": "x"}, "AIM:INVALID (value: x)."),
        ({"message": "Broken"}, "no reason given: Broken."),
        ({}, "no reason given."),
        ("Broken", "Broken."),
        ({"reason": "A:B", "message": "m", "expected": "1.0"}, "A:B: m (expected: 1.0)."),
        ({"reason": "A:B", "message": "two\nlines"}, "A:B: two lines."),
    ],
)
def test_a_failure_is_reported_even_without_details(entry: t.Any, words: str) -> None:
    assert words in str(failure_of({"failures": [entry]}))


def test_failures_that_are_no_list_are_reported() -> None:
    assert "A:B: m" in str(failure_of({"failures": {"reason": "A:B", "message": "m"}}))


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"<html>", 502), (b"<html>", 200), (b"", 200), (b"[]", 200), ({}, 200), ({"error": 1}, 200), (b'{"fai', 200)],
)
def test_an_answer_that_leaves_open_what_was_done_is_a_lost_one(body: t.Any, status: int) -> None:
    for call in ("create", "process"):
        failure = failure_of(body, status, call)
        assert isinstance(failure, AnswerLostError)
        assert may_have_acted(failure)


@pytest.mark.parametrize("status", [301, 403, 404, 413, 429])
def test_an_answer_that_says_that_nothing_was_done_is_no_lost_one(status: int) -> None:
    failure = failure_of(b"<html>", status, "create")
    assert not may_have_acted(failure)
    assert f"answered {status} with an HTML page" in str(failure)
    assert "api_url" in str(failure)


@pytest.mark.parametrize(
    ("reasons", "status", "acted"),
    [
        (["TARGET:INVALID", "CONTRACT:NOT_FOUND"], 500, False),
        (["CONTRACT:NOT_FOUND"], 200, False),
        (["CONTRACT:NOT_FOUND", "SERVER:ERROR"], 500, True),
        (["SERVER:ERROR"], 200, True),
        (["Broken"], 500, True),
        (["Broken"], 400, False),
    ],
)
def test_only_a_failure_of_its_own_leaves_open_what_the_platform_did(
    reasons: list[str], status: int, acted: bool
) -> None:
    body = {"failures": [{"reason": reason, "message": "x"} for reason in reasons]}
    assert may_have_acted(failure_of(body, status, "create")) is acted


def test_a_call_that_an_older_platform_does_not_know() -> None:
    with pytest.raises(CallError, match="answered 404 with an HTML page. .* Only later editions of the API know"):
        OneAnswer(b"<html>", 404).client.skip_test()


def test_a_dump_that_is_too_large_for_what_stands_between() -> None:
    with pytest.raises(CallError, match=r"POST /database/v1/upload answered 413 with an HTML page\. .* to sftp"):
        OneAnswer(b"<html>", 413).client.upload(t.cast(t.Any, None), 12)


def test_a_request_without_id_or_key_is_a_lost_answer() -> None:
    requests: list[t.Any] = [None, {}, {"id": 1}, {"key": KEY}, []]
    for request in requests:
        assert isinstance(failure_of({"failures": [], "request": request}, call="create"), AnswerLostError)


def test_a_status_without_a_document_is_unexpected() -> None:
    assert isinstance(failure_of({"failures": []}, call="status"), UnexpectedAnswerError)


@pytest.mark.parametrize(
    ("body", "status", "passes"),
    [
        ({"failures": [{"reason": "SERVER:ERROR", "message": "x"}]}, 200, True),
        ({"failures": [{"reason": "SERVER:ERROR"}, {"reason": "KEY:INVALID"}]}, 200, True),
        ({"failures": [{"reason": "KEY:INVALID"}]}, 200, False),
        ({"failures": [{"reason": "KEY:INVALID"}]}, 503, True),
        (b"<html>", 429, True),
        (b"<html>", 500, True),
        (b"<html>", 503, True),
        (b"<html>", 404, False),
        (b"<html>", 200, False),
        (b'{"failures": [], "requ', 200, True),
        (b"", 200, True),
    ],
)
def test_which_faults_of_a_read_pass_by_themselves(body: t.Any, status: int, passes: bool) -> None:
    assert passes_by_itself(failure_of(body, status, "status")) is passes


def test_a_broken_connection_passes_and_a_certificate_does_not() -> None:
    assert passes_by_itself(NotSentError("POST /status", "refused"))
    assert passes_by_itself(AnswerLostError("POST /status", "lost"))
    assert not passes_by_itself(NotTrustedError("POST /status", "not trusted"))


def test_id_and_key_travel_in_the_body_of_a_form() -> None:
    http = OneAnswer({"failures": []})
    http.client.process()
    http.client.skip_test()
    form = {"data": {"request": "10534", "key": KEY}}
    assert http.sent == [("POST", "/process", form), ("POST", "/skip_test", form)]


def test_an_upload_states_its_length_and_its_type() -> None:
    http = OneAnswer({"failures": []})
    http.client.upload(t.cast(t.Any, None), 12)
    [(method, url, request)] = http.sent
    assert (method, url) == ("POST", f"{API}/upload")
    assert len(request["data"]) == 12
    assert request["headers"] == {"Content-Type": "application/octet-stream"}
    assert request["params"] == {"request": "10534", "key": KEY}
    assert KEY not in request["call"]


def test_public_keys_travel_as_a_file() -> None:
    http = OneAnswer({"failures": [], "request": {**SFTP_ACCESS, "sftp_port": "2200"}})
    access = http.client.request_sftp_access("ssh-ed25519 AAAA\n")
    assert (access.hostname, access.port, access.user) == ("upgrade.odoo.com", 2200, "user_10534")
    assert access.shared_file == "db_name.dump"
    assert http.sent[0][2]["files"] == {"ssh_keys": ("authorized_keys", "ssh-ed25519 AAAA\n", "text/plain")}


@pytest.mark.parametrize(
    "change",
    [
        {"hostname": ""},
        {"hostname": "-oProxyCommand=x"},
        {"sftp_port": 0},
        {"sftp_port": "x"},
        {"sftp_port": None},
        {"shared_file": "../x"},
        {"shared_file": "/"},
        {"shared_file": ".."},
        {"sftp_user": "a\nb"},
    ],
)
def test_an_sftp_server_that_cannot_be_one_is_refused(change: dict[str, t.Any]) -> None:
    http = OneAnswer({"failures": [], "request": {**SFTP_ACCESS, **change}})
    with pytest.raises(UnexpectedAnswerError, match="without a usable"):
        http.client.request_sftp_access("ssh-ed25519 AAAA")


@pytest.mark.parametrize(("told", "name"), [("/db_name.dump", "db_name.dump"), (None, "")])
def test_the_shared_file_of_an_sftp_server(told: str | None, name: str) -> None:
    http = OneAnswer({"failures": [], "request": {**SFTP_ACCESS, "shared_file": told}})
    assert http.client.request_sftp_access("ssh-ed25519 AAAA").shared_file == name


def result_document(url: t.Any) -> dict[str, t.Any]:
    return {"upgraded_dump_url": url, "migrated_sql_url": f"{API}/{KEY}/sql"}


def test_a_result_is_resumed_only_from_the_same_entity() -> None:
    http = OneAnswer(b"rest", 206)
    known = result_document(f"{API}/{KEY}/archive")
    with http.client.open_result("archive", offset=5, entity='"v1"', document=known) as response:
        assert response.status_code == 206
    [(method, url, request)] = http.sent
    assert (method, url) == ("GET", f"{API}/{KEY}/archive")
    assert request["headers"]["Range"] == "bytes=5-"
    assert request["headers"]["If-Range"] == '"v1"'
    assert request["headers"]["Accept-Encoding"] == "identity"
    assert request["call"] == "GET upgraded/archive"


def test_the_older_name_of_the_sql_url_is_known() -> None:
    http = OneAnswer(b"select 1;")
    with http.client.open_result("sql", document=result_document(None)):
        assert http.sent[0][1] == f"{API}/{KEY}/sql"


@pytest.mark.parametrize("url", [f"/database/eu1/{KEY}", f"//upgrade.example.org/database/eu1/{KEY}", f"../eu1/{KEY}"])
def test_the_url_of_a_result_may_be_relative(url: str) -> None:
    http = OneAnswer(b"x")
    with http.client.open_result("archive", document=result_document(url)):
        assert http.sent[0][1] == f"https://upgrade.example.org/database/eu1/{KEY}"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (f"https://stranger.example/eu1/{KEY}?a=1", f"https://upgrade.example.org/eu1/{KEY}?a=1"),
        (f"https://upgrade.example.org.evil.example/{KEY}", f"https://upgrade.example.org/{KEY}"),
        (f"https://127.0.0.1:8443/{KEY}", f"https://upgrade.example.org/{KEY}"),
        (f"https://eu1.example.org/{KEY}", f"https://eu1.example.org/{KEY}"),
        ("https://storage.example/signed", "https://storage.example/signed"),
    ],
    ids=["stranger", "longer-name", "address", "same-domain", "no-key"],
)
def test_the_key_is_sent_to_hosts_of_the_platform_alone(url: str, asked: str) -> None:
    http = OneAnswer(b"x")
    with http.client.open_result("archive", document=result_document(url)):
        assert http.sent[0][1] == asked


@pytest.mark.parametrize("start", [b'{"failures": [{"reason": "FILE:GONE", "message": "Too old"}]}', b""])
def test_a_refusal_in_place_of_a_result_is_reported(start: bytes) -> None:
    http = OneAnswer(start)
    response = t.cast(t.Any, http)
    with contextlib.ExitStack() as stack:
        if start:
            caught = stack.enter_context(pytest.raises(PlatformFailure, match="200.: FILE:GONE: Too old"))
        http.client.require_result("archive", response, start)
    assert not start or "GET upgraded/archive" in str(caught.value)


@pytest.mark.parametrize("url", [None, "", "file:///etc/passwd", f"http://upgrade.example.org/{KEY}"])
def test_a_url_that_would_give_the_key_away_is_not_called(url: t.Any) -> None:
    http = OneAnswer(b"x")
    known = result_document(url)
    with pytest.raises(UnexpectedAnswerError) as caught, http.client.open_result("archive", document=known):
        pass
    assert http.sent == []
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("status", [404, 503])
def test_an_error_page_in_place_of_a_result_is_a_failure(status: int) -> None:
    http = OneAnswer(b"<html>", status)
    known = result_document(f"{API}/{KEY}/archive")
    with pytest.raises(CallError) as caught, http.client.open_result("archive", document=known):
        pass
    assert f"GET upgraded/archive answered {status} with an HTML page. Check 'api_url'" in str(caught.value)
    assert "Read the state with odoo_upgrade_request_info" in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("https://storage.example.net/bucket/result?signature=abc", True),
        ("http://storage.example.net/result", False),
        (f"https://storage.example.net/{KEY}", False),
        ("https://storage.example.net/?k=Aw7pItGVKFuZ_FOR3U8VFQ%3D%3D", False),
        ("https://user:password@storage.example.net/", False),
    ],
)
def test_a_result_may_lie_on_another_host_that_does_not_learn_the_key(target: str, allowed: bool) -> None:
    http = OneAnswer(b"x")
    with http.client.open_result("archive", document=result_document(f"{API}/{KEY}/archive")):
        assert http.sent[0][2]["leave_to"](target) is allowed


def client_at(url: str) -> OdooClient:
    return OdooClient(HttpClient(f"{url}/database/v1"), "10534", KEY)


def test_a_redirect_to_another_host_is_followed_with_nothing_that_is_secret() -> None:
    with LocalServer(answer(b"dump")) as storage, LocalServer(redirect(f"{storage.url}/b?s=1")) as api:
        known = result_document(f"{api.url}/{KEY}/upgraded/archive")
        with client_at(api.url).open_result("archive", document=known) as response:
            assert response.content == b"dump"
    [seen] = storage.seen
    assert KEY not in str(seen)
    assert not {"authorization", "cookie", "referer"} & seen.headers.keys()


def test_a_redirect_that_carries_the_key_away_is_not_followed() -> None:
    with LocalServer(document({})) as other, LocalServer(redirect(f"{other.url}/{KEY}")) as api:
        known = result_document(f"{api.url}/{KEY}/upgraded/archive")
        with pytest.raises(UnexpectedAnswerError) as caught, client_at(api.url).open_result("archive", document=known):
            pass
    assert str(caught.value).startswith(f"GET upgraded/archive was redirected to {other.url}.")
    assert KEY not in str(caught.value)
    assert other.seen == []


def test_a_call_of_the_api_is_not_redirected() -> None:
    with LocalServer(document({})) as other, LocalServer(redirect(f"{other.url}/x", 307)) as api:
        with pytest.raises(UnexpectedAnswerError):
            client_at(api.url).process()
        with pytest.raises(UnexpectedAnswerError):
            client_at(api.url).status()
    assert other.seen == []

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of answers that a real, current Plone does not give, and of what is no Plone."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import (
    AnswerLostError,
    CallError,
    UnexpectedAnswerError,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.client import PloneClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.credentials import Credentials
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.state import SiteState, Versions
from ansible_collections.siteops.upgrades.tests.unit.local_server import (
    Handler,
    LocalServer,
    Reply,
    answer,
    document,
    page,
    reset,
    routed,
)

CREDENTIALS = Credentials("admin", "correct-horse-battery-staple")
VERSIONS = {"fs": "6205", "instance": "6018"}
STEPS = {"6018-6019": [{"id": "74dbd415", "title": "Miscellaneous"}]}
GOOD = {"@id": "x", "upgrade_steps": STEPS, "versions": VERSIONS}
GOOD_SYSTEM = {
    "plone_gs_metadata_version_file_system": "6205",
    "plone_gs_metadata_version_installed": "6018",
    "plone_restapi_version": "10.0.4",
}
KEY_ERROR = {"message": "0", "type": "KeyError", "traceback": ["File x, line 1"]}
UNAUTHORIZED = {"message": "You are not authorized to access this resource.", "type": "Unauthorized"}


def site_state(reply: Reply, credentials: Credentials = CREDENTIALS) -> SiteState:
    with LocalServer(reply) as server:
        return PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials).site_state()


def failure(reply: Reply, credentials: Credentials = CREDENTIALS) -> CallError:
    with pytest.raises(CallError) as caught:
        site_state(reply, credentials)
    return caught.value


def test_a_good_answer() -> None:
    state = site_state(routed(GET={"/@upgrade": document(GOOD)}))
    assert (state.name, state.versions, len(state.steps or ())) == ("pending", Versions("6018", "6205"), 1)


@pytest.mark.parametrize("status", (403, 404), ids=str)
def test_a_gate_that_knows_exact_addresses_only_is_asked_for_them(status: int) -> None:
    site = routed(GET={"/@upgrade": document(GOOD)})

    def exact(handler: Handler) -> None:
        known = not handler.server.local.seen[-1].mark
        (site if known else page(status))(handler)

    with LocalServer(exact) as server:
        client = PloneClient(HttpClient(server.url, timeout=20, auth=CREDENTIALS), CREDENTIALS)
        assert [client.site_state().name, client.site_state().name] == ["pending", "pending"]
        assert [bool(seen.mark) for seen in server.seen] == [True, False, False]


# No such service


@pytest.mark.parametrize(
    ("system", "release"),
    (
        (document({"plone_restapi_version": "8.31.0"}), "plone.restapi 8.31.0 has"),
        (document({}), "plone.restapi has"),
        (document([]), "plone.restapi has"),
        (document(UNAUTHORIZED, 401), "plone.restapi has"),
    ),
)
def test_a_restapi_that_is_too_old(system: Reply, release: str) -> None:
    error = failure(routed(GET={"/@system": system}))
    assert str(error) == (
        "GET /@upgrade found nothing (404). "
        f"This is a Plone site, but its {release} no @upgrade, which came with 8.32.0."
    )
    assert error.result["failure"] == {"call": "GET /@upgrade", "status": 404}


def test_a_proxy_that_changes_the_header_accept() -> None:
    message = str(failure(document({"error_type": "NotFound"}, 404)))
    assert message.startswith("GET /@upgrade found nothing (404). Plone answers so where the header Accept does not")
    assert message.endswith("or give the URL that ends in /++api++.")


def test_a_zope_without_a_site() -> None:
    assert str(failure(routed())).endswith(
        "There is a Zope server, but no Plone site at this path; check the URL's path."
    )


@pytest.mark.parametrize(
    ("reply", "what"),
    (
        (page(404), "an HTML page"),
        (answer(b"", 404), "an empty body"),
        (answer(b"not found", 404, Content_Type="text/plain"), "9 bytes of text/plain"),
    ),
)
def test_something_that_is_no_plone(reply: Reply, what: str) -> None:
    message = str(failure(reply))
    assert f"The answer was {what}: no plone.restapi is there. Check the URL" in message
    assert "ends in /++api++." in message


def test_the_page_of_a_volto_front_end() -> None:
    error = failure(page(200))
    assert isinstance(error, UnexpectedAnswerError)
    assert str(error).startswith("GET /@upgrade answered 200 with an HTML page instead of JSON.")


def test_a_diagnosis_that_cannot_be_had_does_not_hide_the_failure() -> None:
    not_found = document({"type": "NotFound"}, 404)
    assert "found nothing (404)" in str(failure(routed(GET={"/@upgrade": not_found, "/@system": reset})))
    refused = document(UNAUTHORIZED, 401)
    error = failure(routed(GET={"/@upgrade": refused, "/@users/admin": reset}))
    assert "was refused (401 Unauthorized). The user name or the password is wrong" in str(error)


# No permission


def test_a_missing_role_is_distinguished_from_a_wrong_password() -> None:
    replies: dict[str, Reply] = {
        "/@upgrade": document(UNAUTHORIZED, 401),
        "/@users/site%20admin%2Fx": document({"id": "x"}),
    }
    known = Credentials("site admin/x", "correct-horse-battery-staple")
    assert "The user 'site admin/x' is known, but lacks the Manager role" in str(failure(routed(GET=replies), known))
    assert "or the password is wrong" in str(failure(routed(GET=replies)))


def test_a_token_without_a_user_is_not_asked_after() -> None:
    with LocalServer(document(UNAUTHORIZED, 401)) as server:
        credentials = Credentials(token="no-json-web-token")
        with pytest.raises(CallError, match="The token is not valid for this site"):
            PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials).site_state()
    assert server.asked == ["GET /@upgrade"]


# GET @upgrade breaks


def test_versions_come_from_system_where_the_steps_cannot_be_listed() -> None:
    state = site_state(routed(GET={"/@upgrade": document(KEY_ERROR, 503), "/@system": document(GOOD_SYSTEM)}))
    assert (state.name, state.versions, state.steps) == ("pending", Versions("6018", "6205"), None)


@pytest.mark.parametrize("system", ({}, [], {**GOOD_SYSTEM, "plone_gs_metadata_version_installed": None}))
def test_a_system_that_reports_no_versions(system: t.Any) -> None:
    error = failure(routed(GET={"/@upgrade": document(KEY_ERROR, 503), "/@system": document(system)}))
    assert str(error).startswith("GET /@system answered 200 with JSON that is not plone.restapi's for this service.")


@pytest.mark.parametrize(
    ("reply", "says"),
    (
        (document({"type": "NameError", "message": "x is\nnot\x07 defined"}, 503), "answered 503 NameError: x is not"),
        (document({"error": {"type": "KeyErrors", "message": "0"}}, 503), "answered 503 KeyErrors: 0."),
        (document({"type": "ValueError"}, 500), "answered 500 ValueError:"),
        (document({"type": "ValueError", "message": ["a"], "traceback": 5}, 500), "answered 500 ValueError: ['a']."),
    ),
)
def test_other_failures_are_reported_in_the_servers_words(reply: Reply, says: str) -> None:
    assert f"GET /@upgrade {says}" in str(failure(reply))


@pytest.mark.parametrize(
    ("reply", "what"),
    (
        (document({"type": ["a"]}, 500), "500 with 15 bytes of application/json"),
        (
            document({"type": "about:blank", "status": 504}, 504),
            "504 with 38 bytes of application/json",
        ),
        (
            document(["KeyError"], 503),
            "503 with 12 bytes of application/json",
        ),
        (
            document({"message": "KeyError"}, 503),
            "503 with 23 bytes of application/json",
        ),
        (page(503), "503 with an HTML page"),
        (answer(b"", 500), "500 with an empty body"),
        (page(401), "401 with an HTML page"),
        (page(403), "403 with an HTML page"),
        (answer(b"", 304), "304 with an empty body"),
        (page(502), "502 with an HTML page"),
    ),
)
def test_what_is_not_plones_own_answer_is_called_so(reply: Reply, what: str) -> None:
    assert f"GET /@upgrade was answered {what} by something in front of Plone." in str(failure(reply))


def test_a_traceback_is_cut_to_its_end() -> None:
    error = failure(
        document({"type": "ValueError", "message": "m", "traceback": [f"line {n}" for n in range(50)]}, 500)
    )
    assert error.result["failure"]["traceback"] == [f"line {n}" for n in range(44, 50)]
    assert error.result["failure"]["message"] == "m"


# JSON of another shape


@pytest.mark.parametrize(
    "value",
    (
        None,
        5,
        "text",
        [],
        [GOOD],
        {},
        {"versions": VERSIONS},
        {"upgrade_steps": STEPS},
        {**GOOD, "versions": None},
        {**GOOD, "versions": []},
        {**GOOD, "versions": "6205"},
        {**GOOD, "versions": {"fs": "6205"}},
        {**GOOD, "versions": {"fs": 6205, "instance": 6018}},
        {**GOOD, "versions": {"fs": "6205", "instance": None}},
        {**GOOD, "versions": {"fs": "6205", "instance": ""}},
        {**GOOD, "versions": {"fs": "6205", "instance": ["6018"]}},
        {**GOOD, "upgrade_steps": None},
        {**GOOD, "upgrade_steps": 5},
        {**GOOD, "upgrade_steps": ["6018-6019"]},
        {**GOOD, "upgrade_steps": {"6018-6019": None}},
        {**GOOD, "upgrade_steps": {"6018-6019": ["Miscellaneous"]}},
        {**GOOD, "upgrade_steps": {"6018-6019": {"id": "x", "title": "y"}}},
    ),
    ids=json.dumps,
)
def test_json_of_another_shape(value: t.Any) -> None:
    error = failure(document(value))
    assert str(error) == (
        "GET /@upgrade answered 200 with JSON that is not plone.restapi's for this service. "
        "Check that the URL is that of a Plone site."
    )


@pytest.mark.parametrize(
    "value",
    (
        None,
        [],
        {},
        {"report": "x"},
        {"versions": VERSIONS},
        {"report": None, "versions": VERSIONS},
        {"report": ["x"], "versions": VERSIONS},
        {"report": "x", "versions": {"fs": 6205, "instance": 6205}},
    ),
    ids=json.dumps,
)
def test_an_answer_to_the_post_that_cannot_be_believed_is_lost(value: t.Any) -> None:
    with (
        LocalServer(document(value)) as server,
        pytest.raises(AnswerLostError, match="POST /@upgrade answered 200 with"),
    ):
        PloneClient(HttpClient(server.url, timeout=20), CREDENTIALS).post_upgrade(dry_run=False, timeout=20)
    assert len(server.seen) == 1


@pytest.mark.parametrize("dry_run", (True, False))
def test_the_post_always_says_whether_it_is_a_rehearsal(dry_run: bool) -> None:
    with LocalServer(document({"report": "r", "versions": VERSIONS, "upgraded": True})) as server:
        got = PloneClient(HttpClient(server.url, timeout=20), CREDENTIALS).post_upgrade(dry_run=dry_run, timeout=20)
    assert (got.migration_log, got.versions) == ("r", Versions("6018", "6205"))
    assert json.loads(server.seen[0].body) == {"dry_run": dry_run}


@pytest.mark.parametrize("status", (500, 502, 503, 504))
def test_a_page_after_the_post_proves_nothing(status: int) -> None:
    with LocalServer(page(status)) as server, pytest.raises(AnswerLostError, match="by something in front of Plone"):
        PloneClient(HttpClient(server.url, timeout=20), CREDENTIALS).post_upgrade(dry_run=False, timeout=20)
    assert len(server.seen) == 1

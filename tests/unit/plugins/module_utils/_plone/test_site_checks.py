# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check of a site sends, and how a redirect counts."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.site_checks import Check, ask
from ansible_collections.siteops.upgrades.tests.unit.local_server import LocalServer, Reply, page, redirect, routed

NOT_SET = {"status": None, "contains": None, "auth": None}


def row(server: LocalServer, **check: t.Any) -> dict[str, t.Any]:
    visitor = HttpClient(server.url, timeout=20)
    return ask(Check.of({**NOT_SET, **check}), visitor, visitor)


def test_what_is_null_is_not_set() -> None:
    with LocalServer(page()) as server:
        asked = row(server, path="/news")
    assert (asked["status"], asked["contains"], asked["auth"], asked["passed"]) == (200, "", False, True)


def test_no_cache_can_have_the_answer() -> None:
    with LocalServer(page()) as server:
        for path in ("/news", "/news", "/@search?SearchableText=plone"):
            assert row(server, path=path)["passed"]
    assert server.asked == ["GET /news", "GET /news", "GET /@search?SearchableText=plone"]
    marks = {seen.mark for seen in server.seen}
    assert len(marks) == len(server.seen)
    assert "" not in marks


@pytest.mark.parametrize("to", ("/new", "http://elsewhere.invalid/"), ids=("same host", "another host"))
def test_a_redirect_that_is_expected_is_not_followed(to: str) -> None:
    with LocalServer(routed(GET={"/old": redirect(to, 301), "/new": page()})) as server:
        assert row(server, path="/old", status=301)["passed"]
        other = row(server, path="/old", status=302)
        assert row(server, path="/new", status=301)["reason"].endswith("instead of 301.")
    assert server.asked == ["GET /old", "GET /old", "GET /new"]
    assert "answered 301 with an empty body instead of 302" in other["reason"]


@pytest.mark.parametrize(("reply", "status"), ((page(), 200), (page(404), 404)), ids=("found", "missing"))
def test_a_redirect_that_is_not_expected_is_followed(reply: Reply, status: int) -> None:
    with LocalServer(routed(GET={"/old": redirect("/new", 301), "/new": reply})) as server:
        assert row(server, path="/old", status=status)["passed"]

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row for each of many sites, whichever server and credentials they have."""

from __future__ import annotations

import base64
import threading
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._plone.status_table import FleetSite, read_rows, table
from ansible_collections.siteops.upgrades.tests.unit.local_server import (
    LocalServer,
    Reply,
    document,
    routed,
)

SHARED: dict[str, t.Any] = {
    "url": None,
    "username": "admin",
    "password": "correct-horse-battery-staple",
    "token": None,
    "validate_certs": True,
    "ca_path": None,
    "timeout": 20,
}
ENTRY = dict.fromkeys(("url", "username", "password", "token", "validate_certs", "ca_path", "error"))
PENDING = document({"upgrade_steps": {"1-2": [{"id": "x"}]}, "versions": {"fs": "6205", "instance": "6018"}})
ADDONS = document(
    {
        "items": [
            {
                "id": "behind",
                "is_installed": True,
                "upgrade_info": {"available": True, "required": True, "installedVersion": "1", "newVersion": "2"},
            }
        ]
    }
)
NOT_FOUND = document({"message": "Resource not found", "type": "NotFound"}, 404)


def site(name: str, shared: dict[str, t.Any] | None = None, **entry: t.Any) -> FleetSite:
    return FleetSite.from_entry({**ENTRY, "name": name, **entry}, {**SHARED, **(shared or {})})


def authorization(made: FleetSite) -> str:
    assert made.connection

    class Request:
        headers: t.ClassVar[dict[str, str]] = {}

    return made.connection.credentials(Request()).headers["Authorization"]  # type: ignore[no-any-return]


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def test_rows_are_in_the_order_of_the_sites() -> None:
    get = {
        "/a/@upgrade": PENDING,
        "/a/@addons": ADDONS,
        "/b/@upgrade": NOT_FOUND,
        "/b/@system": NOT_FOUND,
        "/c/@upgrade": PENDING,
        "/c/@addons": NOT_FOUND,
        "/c/@system": NOT_FOUND,
    }
    with (
        LocalServer(routed(GET=get)) as one,
        LocalServer(routed(GET={"/a/@upgrade": PENDING, "/a/@addons": ADDONS})) as two,
    ):
        sites = [
            site("first", url=f"{one.url}/a"),
            site("none", url="", error="there is no site"),
            site("broken", url=f"{one.url}/b"),
            site("second", url=f"{two.url}/a/@upgrade"),
            site("half", url=f"{one.url}/c"),
        ]
        rows = read_rows(sites, {"state", "addons"})
    results = [row.as_result() for row in rows]
    assert [row["host"] for row in results] == ["first", "none", "broken", "second", "half"]
    assert [row["state"] for row in results] == ["pending", "unreadable", "unreadable", "pending", "pending"]
    assert [row["url"] for row in results] == [f"{one.url}/a", "", f"{one.url}/b", f"{two.url}/a", f"{one.url}/c"]
    assert [row["addons_behind"] for row in results] == [["behind"], None, None, ["behind"], None]
    assert results[0]["versions"] == {"instance": "6018", "fs": "6205"}
    assert results[1]["error"] == "there is no site"
    assert "GET /b/@upgrade found nothing (404)" in results[2]["error"]
    lines = table(rows)
    assert lines[:3] == [
        "site    state            database  code      steps  add-ons behind",
        "first   pending          6018      6205          1  behind",
        "none    unreadable       ?         ?             ?  there is no site",
    ]
    assert lines[5].startswith("half    pending          6018      6205          1  GET /c/@addons found nothing")


def test_a_table_without_sites_has_its_headings() -> None:
    assert table(read_rows([], {"state"})) == ["site  state            database  code      steps  add-ons behind"]


def test_an_entry_takes_from_beside_what_it_does_not_set() -> None:
    assert authorization(site("x", url="https://a.example.org")) == basic("admin:correct-horse-battery-staple")
    own = site("x", url="https://a.example.org", username="editor", password="own", validate_certs=False)
    assert authorization(own) == basic("editor:own")
    assert own.connection
    assert own.connection.verify is False
    assert authorization(site("x", url="https://a.example.org", token="a.b.c")) == "Bearer a.b.c"
    beside = {"username": None, "password": None, "token": "d.e.f"}
    assert authorization(site("x", beside, url="https://a.example.org", username="u", password="p")) == basic("u:p")
    assert authorization(site("x", beside, url="https://a.example.org")) == "Bearer d.e.f"
    shared = site("x", {"url": "https://beside.example.org/Plone"})
    assert shared.connection
    assert shared.connection.url == "https://beside.example.org/Plone"


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ({}, "Option 'url': is empty"),
        ({"error": "plone_upgrade_url is not set"}, "plone_upgrade_url is not set"),
        ({"url": "ftp://example.org", "error": "is not the URL of a site"}, "is not the URL of a site"),
        ({"url": "https://example.org", "username": "u", "password": ""}, ""),
        ({"url": "https://example.org", "token": "a b"}, "Option 'token'"),
        ({"url": "https://example.org", "ca_path": "/nowhere"}, "Option 'ca_path': there is no file"),
    ],
)
def test_a_bad_entry_is_a_row_and_no_failure(entry: dict[str, t.Any], error: str) -> None:
    made = site("x", **entry)
    assert (made.connection is None) == bool(error)
    assert made.error.startswith(error)
    if error:
        assert [row.as_result()["state"] for row in read_rows([made], {"state"})] == ["unreadable"]


def test_a_server_is_asked_for_four_sites_at_a_time_whoever_asks() -> None:
    lock = threading.Lock()
    at_once: list[int] = [0, 0]
    gate = threading.Barrier(4)

    def counted(handler: t.Any) -> None:
        with lock:
            at_once[0] += 1
            at_once[1] = max(at_once)
        gate.wait(20)
        with lock:
            at_once[0] -= 1
        PENDING(handler)

    replies: dict[str, Reply] = {f"/{number}/@upgrade": counted for number in range(8)}
    with LocalServer(routed(GET=replies)) as server:
        sites = [
            site(str(number), url=f"{server.url}/{number}", username=f"user{number % 2}", password="x")
            for number in range(8)
        ]
        rows = read_rows(sites, {"state"})
    assert [row.reading.state_name for row in rows] == ["pending"] * 8
    assert at_once[1] == 4


def test_an_add_on_that_is_accepted_without_a_path_is_not_behind() -> None:
    stuck = {"available": False, "required": True, "installedVersion": "2", "newVersion": "3"}
    items = [{"id": name, "is_installed": True, "upgrade_info": stuck} for name in ("a", "b")]
    with LocalServer(document({"items": items})) as server:
        (row,) = read_rows([site("x", url=server.url, accept_no_path=["a"])], ["addons"])
    assert row.as_result()["addons_behind"] == ["b"]

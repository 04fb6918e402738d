# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sites are found, by which way they are reached, and what is said where they are not."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import CallError, OptionError, UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.addons import accepted_ids
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.sites import named_site
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.survey import Instance, Reading
from ansible_collections.siteops.upgrades.tests.unit.local_server import (
    LocalServer,
    Reply,
    document,
    page,
    routed,
)

OPTIONS = {
    "url": "",
    "username": "admin",
    "password": "correct-horse-battery-staple",
    "token": None,
    "validate_certs": True,
    "ca_path": None,
    "timeout": 20,
    "sites": None,
}
PUBLIC = "https://www.example.org"
SYSTEM = document({"plone_gs_metadata_version_file_system": "6205", "plone_gs_metadata_version_installed": "6018"})
UPGRADE = document({"upgrade_steps": {"6018-6019": [{"id": "x"}]}, "versions": {"fs": "6205", "instance": "6018"}})
UP_TO_DATE = document({"upgrade_steps": {}, "versions": {"fs": "6205", "instance": "6205"}})
UNAUTHORIZED = document({"message": "You are not authorized.", "type": "Unauthorized"}, 401)
NOT_FOUND = document({"message": "Resource not found", "type": "NotFound"}, 404)


def addon(name: str, installed: str, available: str, *, required: bool, offered: bool) -> dict[str, t.Any]:
    info = {"installedVersion": installed, "newVersion": available, "required": required, "available": offered}
    return {"id": name, "title": name, "is_installed": True, "upgrade_info": info}


ADDONS = document(
    {
        "items": [
            addon("behind", "1", "2", required=True, offered=True),
            addon("without.steps", "1", "2", required=True, offered=False),
            addon("current", "2", "2", required=False, offered=True),
            addon("newer.than.code", "3", "2", required=True, offered=False),
            {"id": "not.installed", "title": "", "is_installed": False, "upgrade_info": {}},
        ]
    }
)


def listing(*paths: str, root: str = PUBLIC) -> Reply:
    sites = [
        {"@id": root + path, "id": path.rpartition("/")[2], "title": f"Site {path}", "needs_upgrade": True}
        for path in paths
    ]
    return document({"@id": f"{root}/@sites", "can_manage": False, "sites": sites, "distributions": []})


def survey(server: LocalServer, *what: str, path: str = "", **options: t.Any) -> list[Reading]:
    return Instance.from_params({**OPTIONS, "url": server.url + path, **options}).survey(what)


def failure(get: dict[str, Reply], *what: str, **options: t.Any) -> UpgradeError:
    with LocalServer(routed(GET=get)) as server, pytest.raises(UpgradeError) as caught:
        survey(server, *what, **options)
    return caught.value


@pytest.mark.parametrize("prefix", ("", "/base"))
def test_sites_are_reached_by_the_way_that_led_to_the_list(prefix: str) -> None:
    get = {f"{prefix}/@sites": listing("/Plone", "/folder/Nested"), f"{prefix}/Plone/@system": SYSTEM}
    with LocalServer(routed(GET=get)) as server:
        found = [reading.as_result() for reading in survey(server, path=f"{prefix}/@sites")]
    assert [site["url"] for site in found] == [f"{server.url}{prefix}/Plone", f"{server.url}{prefix}/folder/Nested"]
    assert [site["public_url"] for site in found] == [f"{PUBLIC}/Plone", f"{PUBLIC}/folder/Nested"]
    assert [(site["id"], site["path"]) for site in found] == [("Plone", "/Plone"), ("Nested", "/folder/Nested")]
    assert [(site["needs_upgrade"], site["state"], site["error"]) for site in found] == [(True, None, "")] * 2
    assert server.asked == [f"GET {prefix}/@sites", f"GET {prefix}/Plone/@system"]


@pytest.mark.parametrize("place", ("https://elsewhere.example.org/Plone", "https://www.example.org@elsewhere/Plone"))
def test_credentials_do_not_follow_a_list_to_another_host(place: str) -> None:
    sites = [{"@id": place, "id": "Plone", "title": "", "needs_upgrade": True}]
    error = failure({"/@sites": document({"@id": f"{PUBLIC}/@sites", "sites": sites})})
    assert "JSON that is not plone.restapi's for this service" in str(error)


def test_the_list_proves_no_credentials() -> None:
    get = {"/@sites": listing("/Plone", "/Other"), "/Plone/@system": UNAUTHORIZED}
    with LocalServer(routed(GET=get)) as server, pytest.raises(CallError, match="password is wrong"):
        survey(server, "state")
    assert "GET /Other/@upgrade" not in server.asked


def test_a_broken_site_does_not_hide_the_others() -> None:
    broken = document({"type": "AttributeError", "message": "portal_setup"}, 500)
    get = {"/@sites": listing("/Broken", "/Plone"), "/Plone/@system": SYSTEM, "/Plone/@upgrade": UPGRADE}
    get.update({"/Broken/@system": broken, "/Broken/@upgrade": broken})
    with LocalServer(routed(GET=get)) as server:
        first, second = survey(server, "state")
    assert (first.state_name, second.state_name) == ("unreadable", "pending")
    assert "AttributeError: portal_setup" in first.error


def test_an_instance_without_sites() -> None:
    with LocalServer(routed(GET={"/@sites": listing(), "/@system": NOT_FOUND})) as server:
        assert survey(server, "state") == []


@pytest.mark.parametrize(
    ("get", "words"),
    [
        ({"/@sites": NOT_FOUND, "/@system": NOT_FOUND}, "name the sites in the option 'sites', such as 'Plone'"),
        ({"/@sites": NOT_FOUND, "/@system": UNAUTHORIZED}, "This is a Plone site and not the root"),
        ({"/@sites": listing(), "/@system": SYSTEM}, "This is a Plone site and not the root"),
        ({"/@sites": page(404), "/@system": page(404)}, "No plone.restapi is there"),
        ({"/@sites": page(200)}, "an HTML page instead of JSON"),
        ({"/@sites": document([])}, "JSON that is not plone.restapi's"),
    ],
)
def test_places_without_a_list(get: dict[str, Reply], words: str) -> None:
    assert words in str(failure(get))


def test_named_sites_are_read_without_a_list() -> None:
    get = {"/Plone/@upgrade": UPGRADE, "/a/b/@upgrade": UP_TO_DATE, "/@upgrade": NOT_FOUND, "/@system": NOT_FOUND}
    with LocalServer(routed(GET=get)) as server:
        named = ["/Plone/", "a/b", "/", f"{server.url}/Plone/@upgrade"]
        readings = [reading.as_result() for reading in survey(server, "state", sites=named)]
    assert [site["path"] for site in readings] == ["/Plone", "/a/b", "/", ""]
    assert [site["id"] for site in readings] == ["Plone", "b", "127.0.0.1", "Plone"]
    assert [site["state"] for site in readings] == ["pending", "up_to_date", "unreadable", "pending"]
    assert [site["needs_upgrade"] for site in readings] == [True, False, None, True]
    assert [site["steps_pending"] for site in readings] == [1, 0, None, 1]
    assert not any("@sites" in request for request in server.asked)


def test_addons_that_are_behind() -> None:
    with LocalServer(routed(GET={"/Plone/@addons": ADDONS})) as server:
        (reading,) = survey(server, "addons", sites=["Plone"])
    assert reading.addons_behind == ["behind", "without.steps"]
    assert reading.state_name is None


def test_addons_that_cannot_be_read_leave_the_state() -> None:
    get = {"/Plone/@upgrade": UPGRADE, "/Plone/@addons": document({"type": "KeyError", "message": "x"}, 500)}
    with LocalServer(routed(GET=get)) as server:
        (reading,) = survey(server, "state", "addons", sites=["Plone"])
    assert (reading.state_name, reading.addons_behind) == ("pending", None)
    assert "GET /Plone/@addons answered 500 KeyError: x" in reading.error


def test_nothing_at_all_could_be_read() -> None:
    get = {"/a/@upgrade": NOT_FOUND, "/a/@system": NOT_FOUND, "/b/@upgrade": NOT_FOUND, "/b/@system": NOT_FOUND}
    both, one = failure(get, "state", sites=["a", "b"]), failure(get, "state", sites=["b"])
    assert str(both).startswith("None of the 2 sites could be read. The first: GET /a/@upgrade found nothing (404).")
    assert [site["state"] for site in both.result["sites"]] == ["unreadable", "unreadable"]
    assert str(one).startswith("GET /b/@upgrade found nothing (404).")


@pytest.mark.parametrize("name", ("", "a b", "a/../b", "a//b", ".", "a?b", "a#b", "ftp://example.org/Plone", "a\nb"))
def test_names_that_are_no_sites(name: str) -> None:
    with pytest.raises(OptionError, match="Option 'sites'"):
        named_site(name, "http://127.0.0.1")


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"url": ""}, "url"),
        ({"url": "", "sites": ["Plone", "https://example.org/Plone"]}, "url"),
        ({"sites": ["https://admin:x@example.org/Plone"]}, "sites"),
        ({"password": ""}, "password"),
        ({"timeout": 0}, "timeout"),
    ],
)
def test_bad_options_are_named_before_the_first_request(options: dict[str, t.Any], option: str) -> None:
    with pytest.raises(OptionError, match=f"Option '{option}'"):
        Instance.from_params({**OPTIONS, "url": "http://127.0.0.1:1", **options})


def test_credentials_in_clear_are_warned_about_once_for_each_host() -> None:
    sites = ["http://a.example.org/1", "http://a.example.org/2", "https://b.example.org/1", "http://127.0.0.1/1"]
    warnings: list[str] = []
    Instance.from_params({**OPTIONS, "sites": sites}).warn_if_unencrypted(warnings.append)
    assert warnings == ["The credentials travel unencrypted to http://a.example.org/1; use https."]


@pytest.mark.parametrize(
    ("given", "ids"),
    (
        (["a.b", "c.d"], ("a.b", "c.d")),
        (['["a.b"', '"c.d"]'], ("a.b", "c.d")),
        (['["a.b"', ' "c.d"]'], ("a.b", "c.d")),
        (["[]"], ()),
        ([" "], ()),
        (None, ()),
    ),
    ids=("list", "json", "json with a space", "empty json", "blank", "not set"),
)
def test_ids_that_are_accepted(given: list[str] | None, ids: tuple[str, ...]) -> None:
    assert accepted_ids(given) == ids


@pytest.mark.parametrize("given", (["[a.b]"], ["[1]"], ["[{"]), ids=("no text", "number", "cut"))
def test_ids_that_are_no_list(given: list[str]) -> None:
    with pytest.raises(OptionError, match="'accept_no_path': begins like JSON, but is not a list of ids"):
        accepted_ids(given)

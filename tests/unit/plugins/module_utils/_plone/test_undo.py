# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an undo takes back of a database with several sites, and when it is believed.

Only the transactions read afterwards prove it.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone import undo as undo_module
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.client import PloneClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.credentials import Credentials
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.transactions import Transaction
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.undo import UndoOptions, plan, undo
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.undo_plan import plan_undo, require_own
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.way_back import prove_way_back
from ansible_collections.siteops.upgrades.tests.unit.local_server import (
    LocalServer,
    Reply,
    answer,
    document,
    page,
    routed,
)

if t.TYPE_CHECKING:
    from pathlib import Path

OWN_ENTRY = document({"items": [{"getPath": "/Plone"}]})
STATE = document({"versions": {"instance": "6205", "fs": "6205"}, "upgrade_steps": {}})
UPGRADE = {
    "id": "b",
    "time": "",
    "username": "admin",
    "size": 1,
    "description": "/Plone/POST_application_json_@upgrade",
}
UNDO = {**UPGRADE, "id": "c", "description": "/Plone/PATCH_application_json_@transactions"}
WITHOUT_HISTORY = {"history": False, "patch": None}
WRITE = {**UPGRADE, "id": "d", "description": "/Plone/POST_application_json_"}


@pytest.fixture(autouse=True)
def one_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is waited for."""
    monkeypatch.setattr(undo_module, "VISIBLE_WITHIN_SECONDS", 0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def run(*after: Reply) -> t.Any:
    """Undo the upgrade; the replies are those to PATCH and to what is asked later."""
    with LocalServer(STATE, document([UPGRADE]), OWN_ENTRY, *after) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        return undo(client, UndoOptions())


@pytest.mark.parametrize("reply", (document({"message": "reverted"}), answer(), page(), page(502)))
def test_an_undo_that_is_read_is_believed(reply: Reply) -> None:
    assert run(reply, document([UNDO, UPGRADE]), STATE).as_result()["changed"]


def test_an_undo_is_found_below_later_writes() -> None:
    assert run(document({}), document([WRITE, UNDO, UPGRADE]), STATE).as_result()["changed"]


@pytest.mark.parametrize("reply", (document({"message": "reverted"}), answer(), page(), page(502)))
def test_an_undo_that_cannot_be_read_is_not_believed(reply: Reply) -> None:
    with pytest.raises(UpgradeError, match="The transactions read afterwards show no undo. Run this again."):
        run(reply, document([UPGRADE]))


def test_an_undo_before_the_call_proves_nothing() -> None:
    with pytest.raises(UpgradeError, match="show no undo"):
        run(document({}), document([WRITE, UPGRADE, UNDO]))


def test_the_undo_of_another_site_is_not_believed() -> None:
    with pytest.raises(UpgradeError, match="show no undo"):
        run(document({}), document([{**UNDO, "description": "/Other/PATCH_application_json_@transactions"}, UPGRADE]))


# Several sites in one database


def transaction(name: str, path: str) -> Transaction:
    return Transaction(name, "2026-11-21T03:00:00", "admin", path, 1)


BEFORE = transaction("before", "/Plone/POST_application_json_")
OURS = transaction("ours", "/Plone/POST_application_json_@upgrade")
THEIRS = transaction("theirs", "/Other/POST_application_json_@upgrade")
THEIR_UNDO = transaction(
    "their undo", "/Other/PATCH_application_json_@transactions\nUndo /Other/POST_application_json_@upgrade"
)
NESTED = transaction("nested", "/Plone/sub/Nested/POST_application_json_@upgrade")


def planned(*transactions: Transaction, **options: t.Any) -> list[str]:
    return [one.id for one in plan_undo(transactions, site="/Plone", **options).transactions]


@pytest.mark.parametrize("back_to", ("", "before"))
def test_the_upgrade_of_another_site_is_left_alone(back_to: str) -> None:
    assert planned(THEIRS, BEFORE, back_to=back_to) == []
    assert planned(THEIRS, OURS, BEFORE, back_to=back_to) == ["ours"]
    assert planned(OURS, THEIRS, BEFORE, back_to=back_to) == ["ours"]


@pytest.mark.parametrize("back_to", ("", "before"))
def test_the_undo_of_another_site_does_not_stand_for_ours(back_to: str) -> None:
    assert planned(THEIR_UNDO, THEIRS, OURS, BEFORE, back_to=back_to) == ["ours"]


@pytest.mark.parametrize("back_to", ("", "before"))
def test_a_site_within_the_site_is_somebody_else(back_to: str) -> None:
    with pytest.raises(UpgradeError, match="later transactions would be lost"):
        planned(NESTED, OURS, BEFORE, back_to=back_to)


def undo_of(name: str, *paths: str) -> Transaction:
    return transaction(name, f"/Plone/PATCH_application_json_@transactions\nUndo {' '.join(paths)}")


ADDON = transaction("addon", "/Plone/POST_application_json_@addons")
CONTENT = transaction("content", "/Plone/POST_application_json_")
STEP = transaction("step", "")
OURS_AGAIN = transaction("ours again", "/Plone/POST_application_json_@upgrade")
OUR_UNDO = undo_of("our undo", OURS.description)


@pytest.mark.parametrize("back_to", ("", "before"))
def test_an_upgrade_whose_add_on_was_undone_still_stands(back_to: str) -> None:
    assert planned(undo_of("undo", ADDON.description), ADDON, OURS, BEFORE, back_to=back_to) == ["ours"]


@pytest.mark.parametrize("back_to", ("", "before"))
def test_an_upgrade_after_one_that_was_undone_is_undone(back_to: str) -> None:
    assert planned(OURS_AGAIN, OUR_UNDO, OURS, BEFORE, back_to=back_to) == ["ours again"]


@pytest.mark.parametrize("back_to", ("", "before"))
def test_what_was_undone_is_not_undone_again(back_to: str) -> None:
    everything = undo_of("undo", CONTENT.description, ADDON.description, OURS.description)
    assert planned(everything, CONTENT, ADDON, OURS, BEFORE, back_to=back_to) == []
    assert planned(OUR_UNDO, OURS, OURS_AGAIN, BEFORE) == []


@pytest.mark.parametrize("back_to", ("", "before"))
def test_an_undo_that_was_undone_took_nothing_back(back_to: str) -> None:
    again = undo_of("undo of the undo", OURS.description)
    assert planned(again, OUR_UNDO, OURS, BEFORE, back_to=back_to) == ["ours"]


def test_the_commit_of_a_step_is_not_undone_again() -> None:
    assert planned(STEP, BEFORE, back_to="before", include_later=True) == ["step"]
    assert planned(undo_of("undo"), STEP, BEFORE, back_to="before") == []


def test_an_undo_of_what_is_older_is_a_later_change() -> None:
    with pytest.raises(UpgradeError, match="later transactions would be lost"):
        planned(OURS_AGAIN, OUR_UNDO, BEFORE, OURS, back_to="before")


def test_the_upgrade_of_another_user_is_left_alone_where_only_the_own_ones_may_go() -> None:
    own = plan_undo(
        [replace(OURS, user="Plone robot"), replace(ADDON, user=""), BEFORE], site="/Plone", back_to="before"
    )
    require_own(own, "robot")
    require_own(own, "")
    with pytest.raises(UpgradeError, match="upgrades of others than 'admin'.*Plone robot") as caught:
        require_own(own, "admin")
    assert [one["id"] for one in caught.value.result["lost"]] == ["ours"]


@pytest.mark.parametrize(
    ("said", "refused"),
    ((document({"id": "admin"}), True), (document({"id": "u-17"}), False), (page(404), False)),
    ids=("id is the name", "another id", "not known"),
)
def test_a_user_is_only_distinguished_by_an_id_that_the_site_confirms(said: Reply, *, refused: bool) -> None:
    other = {**UPGRADE, "username": "Plone robot"}
    replies = {"/@upgrade": STATE, "/@transactions": document([other]), "/@users/admin": said}
    with LocalServer(routed(GET=replies)) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        context = pytest.raises(UpgradeError, match="upgrades of others") if refused else contextlib.nullcontext()
        with context:
            assert plan(client, UndoOptions(own_only=True)).as_result()["undone"]


def planned_by_url(own_entry: Reply, path: str, *transactions: dict[str, t.Any]) -> list[str]:
    """What an undo at a URL with this path would undo."""
    replies = {
        f"{path}/@upgrade": STATE,
        f"{path}/@transactions": document(transactions),
        f"{path}/@search?metadata_fields=getPath&path.depth=0": own_entry,
    }
    with LocalServer(routed(GET=replies)) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url + path, timeout=20, auth=credentials), credentials)
        return [one["id"] for one in plan(client, UndoOptions()).as_result()["undone"]]


OTHER = {**UPGRADE, "id": "o", "description": "/Other/POST_application_json_@upgrade"}
NO_ENTRY = document({"items": []})


@pytest.mark.parametrize("path", ("", "/Plone", "/++api++", "/a/proxys/path", "/Other"))
def test_a_site_behind_a_proxy_is_the_one_that_it_says_it_is(path: str) -> None:
    assert planned_by_url(OWN_ENTRY, path, OTHER, UPGRADE) == ["b"]


@pytest.mark.parametrize("silent", (NO_ENTRY, page(), document({}), document({"items": [{"getPath": 5}]}), page(500)))
def test_a_site_that_does_not_report_its_path_has_that_of_its_url(silent: Reply) -> None:
    assert planned_by_url(silent, "/Plone", OTHER, UPGRADE) == ["b"]
    assert planned_by_url(silent, "/Plone/++api++", OTHER, UPGRADE) == ["b"]
    assert planned_by_url(silent, "", UPGRADE, WRITE) == ["b"]


def test_a_site_that_cannot_be_distinguished_from_others_is_left_alone() -> None:
    for transactions in ((OTHER, UPGRADE), (OTHER, WRITE)):
        with pytest.raises(
            UpgradeError, match=r"transactions of several \(/Other, /Plone\). Give the URL by which Zope"
        ):
            planned_by_url(NO_ENTRY, "", *transactions)


# What this collection itself writes, and storages of other kinds

SITES = transaction("sites", "/GET_application_json_@sites")
LOGIN = transaction("login", "/Plone/POST_application_json_@login")


@pytest.mark.parametrize("back_to", ("", "before"))
def test_what_reads_and_logins_write_is_neither_lost_nor_undone(back_to: str) -> None:
    assert planned(SITES, LOGIN, OURS, BEFORE, back_to=back_to) == ["ours"]
    assert planned(OURS, SITES, LOGIN, BEFORE, back_to=back_to) == ["ours"]


def test_a_storage_that_reports_no_size_is_undone() -> None:
    unsized = {name: value for name, value in UPGRADE.items() if name != "size"}
    with LocalServer(STATE, document([unsized]), OWN_ENTRY, document({}), document([UNDO, unsized]), STATE) as server:
        credentials = Credentials(username="admin", password="secret")
        result = undo(PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials), UndoOptions())
    assert result.as_result()["undone"][0]["size"] is None


def test_an_undo_that_a_cache_does_not_show_is_read_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo_module, "VISIBLE_WITHIN_SECONDS", 0.1)
    reads = {
        "/@upgrade": STATE,
        "/@transactions": document([UPGRADE]),
        "/@transactions/": document([UNDO, UPGRADE]),
        "/@search?metadata_fields=getPath&path.depth=0": OWN_ENTRY,
    }
    with LocalServer(routed(GET=reads, PATCH={"/@transactions": document({})})) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        with pytest.raises(UpgradeError, match="The upgrade is undone. But a cache") as caught:
            undo(client, UndoOptions())
    assert caught.value.result["changed"]


def prove(*replies: Reply, send: bool = True) -> tuple[t.Any, list[tuple[str, bytes]]]:
    """What is proven of the way back, or the failure; and what was sent that was no read."""
    with LocalServer(STATE, *replies) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        result: t.Any
        try:
            result = prove_way_back(client, send=send).as_result()
        except UpgradeError as error:
            result = error
        return result, [(seen.method, seen.body) for seen in server.seen if seen.method != "GET"]


def test_the_way_back_is_proven_by_a_patch_that_names_nothing() -> None:
    result, sent = prove(document([WRITE]), document({"message": "reverted"}))
    assert (result["changed"], result["way_back"]) == (False, {"history": True, "patch": True})
    assert sent == [("PATCH", b'{"transaction_ids": []}')]


def test_in_check_mode_the_way_back_is_as_good_as_reads_can_say() -> None:
    result, sent = prove(document([WRITE]), send=False)
    assert (result["way_back"], sent) == ({"history": True, "patch": None}, [])


def test_without_history_there_is_no_way_back() -> None:
    result, sent = prove(document([]))
    assert "There is no way back: Nothing can be undone: GET @transactions lists no transactions." in str(result)
    assert "plone_upgrade_undo_on_failure" in str(result)
    assert (result.result["way_back"], sent) == ({"history": False, "patch": None}, [])


@pytest.mark.parametrize("status", (401, 403, 405, 502))
def test_a_patch_that_does_not_get_through_is_no_way_back(status: int) -> None:
    result, _sent = prove(document([WRITE]), page(status))
    assert "PATCH /@transactions" in str(result)
    assert str(status) in str(result)
    assert "must let PATCH through" in str(result)
    assert result.result["way_back"] == {"history": True, "patch": False}


def test_a_user_who_may_upgrade_but_not_undo_is_named() -> None:
    refused = document({"type": "Unauthorized", "message": "You are not authorized to access this resource."}, 401)
    result, _sent = prove(document([WRITE]), refused, STATE)
    assert "PATCH /@transactions was refused (401 Unauthorized). The user may upgrade the site, but lacks the" in str(
        result
    )
    assert result.result["way_back"] == {"history": True, "patch": False}


def test_an_undo_without_history_is_a_failure() -> None:
    for act in (plan, undo):
        with LocalServer(STATE, document([]), OWN_ENTRY) as server:
            credentials = Credentials(username="admin", password="secret")
            client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
            with pytest.raises(UpgradeError, match="keeps no history") as caught:
                act(client, UndoOptions())
            assert caught.value.result.get("way_back") == (WITHOUT_HISTORY if act is plan else None)


@pytest.mark.parametrize(
    ("replies", "history"),
    (
        ((page(502),), None),
        ((STATE, page(403)), None),
        ((STATE, document([]), OWN_ENTRY), False),
        ((STATE, document([WRITE, UPGRADE]), OWN_ENTRY), True),
    ),
    ids=("no state", "no transactions", "empty", "later ones"),
)
def test_a_plan_that_fails_says_what_is_known_of_the_way_back(replies: tuple[Reply, ...], history: bool | None) -> None:
    with LocalServer(*replies) as server, pytest.raises(UpgradeError) as caught:
        credentials = Credentials(username="admin", password="secret")
        plan(PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials), UndoOptions())
    assert caught.value.result["way_back"] == {"history": history, "patch": None}

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an undo is believed: whatever answers the call, only the transactions read afterwards prove it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils import _plone_undo
from ansible_collections.siteops.upgrades.plugins.module_utils._errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._http import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone_client import PloneClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone_credentials import Credentials
from ansible_collections.siteops.upgrades.plugins.module_utils._plone_undo import undo
from ansible_collections.siteops.upgrades.tests.unit.local_server import LocalServer, Reply, answer, document, page

if t.TYPE_CHECKING:
    from pathlib import Path

STATE = document({"versions": {"instance": "6205", "fs": "6205"}, "upgrade_steps": {}})
UPGRADE = {
    "id": "b",
    "time": "",
    "username": "admin",
    "size": 1,
    "description": "/Plone/POST_application_json_@upgrade",
}
UNDO = {**UPGRADE, "id": "c", "description": "/Plone/PATCH_application_json_@transactions"}
WRITE = {**UPGRADE, "id": "d", "description": "/Plone/POST_application_json_"}


@pytest.fixture(autouse=True)
def one_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is waited for."""
    monkeypatch.setattr(_plone_undo, "READ_BACK_SECONDS", 0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def run(*after: Reply) -> t.Any:
    """Undo the upgrade; the replies are those to PATCH and to what is asked later."""
    with LocalServer(STATE, document([UPGRADE]), *after) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        return undo(client, back_to="", include_later=False, foresee=False)


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

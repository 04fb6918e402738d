# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of changes of add-ons where the list of them is not what it was, or a change failed half-way."""

from __future__ import annotations

import re
import sys
import types
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core import clock
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._core.progress import Progress
from ansible_collections.siteops.upgrades.plugins.module_utils._plone import addon_change
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.addon_change import AddonRun, AddonsFailed
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.client import PloneClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.connection import Credentials, Waiting
from ansible_collections.siteops.upgrades.tests.unit.local_server import (
    LocalServer,
    Reply,
    answer,
    document,
    in_turn,
    page,
    routed,
    silence,
)
from ansible_collections.siteops.upgrades.tests.unit.skipping_time import SkippingTime

if t.TYPE_CHECKING:
    from pathlib import Path

UP_TO_DATE = document({"versions": {"instance": "6205", "fs": "6205"}, "upgrade_steps": {}})
BOOM = document({"type": "ValueError", "message": "boom", "traceback": ["File x"]}, 500)


def addons(**versions: str) -> Reply:
    """The answer of GET @addons: installed versions by id; the code has 2 of each."""
    items = [
        {
            "id": name,
            "is_installed": True,
            "upgrade_info": {
                "available": at != "2",
                "required": at != "2",
                "installedVersion": at,
                "newVersion": "2",
            },
        }
        for name, at in versions.items()
    ]
    return document({"items": items})


WAITING = Waiting(60, 10)
"""Long enough for a slow machine; sleeps take no time here."""


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is waited for long, and nothing is slept."""
    monkeypatch.setattr(clock, "time", SkippingTime())
    monkeypatch.setattr(addon_change, "VISIBLE_WITHIN_SECONDS", 0.1)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def failure(*reads: Reply, **posts: Reply) -> AddonsFailed:
    """How the upgrade of ``a`` and then ``b`` ends, where the add-ons read so, one time after the other."""
    names = list(posts)
    progress = Progress(types.SimpleNamespace(_tmpdir=None, check_mode=False, params={}))
    replies = routed(
        GET={"/@addons": in_turn(*reads), "/@upgrade": UP_TO_DATE},
        POST={f"/@addons/{name}/upgrade": reply for name, reply in posts.items()},
    )
    with LocalServer(replies) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        run = AddonRun(client, state="latest", waiting=WAITING, progress=progress)
        with pytest.raises(AddonsFailed) as caught:
            run.perform(names)
    return caught.value


OLD = addons(a="1", b="1")
HALF = addons(a="2", b="1")
GONE = "GET /@addons lists no a any more. Another site may have answered"


@pytest.mark.parametrize("reply", (answer(status=204), page(504)), ids=("answered", "lost"))
def test_an_add_on_that_is_not_listed_any_more_is_not_proven(reply: Reply) -> None:
    error = failure(OLD, OLD, addons(another="1"), a=reply)
    assert GONE in str(error)
    assert [addon["id"] for addon in error.outcome.as_result()["addons"]] == ["a"]


def test_what_was_done_is_reported_when_the_list_changes_in_between() -> None:
    error = failure(OLD, OLD, HALF, page(403), a=answer(status=204), b=answer(status=204))
    assert str(error).startswith("GET /@addons was answered 403 with an HTML page")
    assert error.outcome.as_result()["changed"]
    assert error.outcome.as_result()["changes"] == [{"id": "a", "action": "upgrade", "from": "1", "to": "2"}]


def test_a_server_that_hangs_does_not_delay_the_last_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look would take the 20 seconds of a quick call, three times."""
    monkeypatch.setattr(clock, "LEAST_TIME_TO_LOOK", 0.5)
    monkeypatch.setattr(sys.modules[__name__], "WAITING", Waiting(4, 1))
    error = failure(OLD, OLD, silence, a=page(504))
    assert re.search(
        r"The last read failed: GET /@addons got no whole answer within [0-4](\.\d)? seconds\.", str(error)
    )


def test_what_a_failed_change_left_is_read() -> None:
    unchanged = failure(OLD, OLD, OLD, a=BOOM)
    assert "POST /@addons/a/upgrade answered 500 ValueError: boom. It is as it was: pending at 1." in str(unchanged)
    assert not unchanged.outcome.as_result()["changed"]
    unreadable = failure(OLD, OLD, page(403), a=BOOM)
    assert "Whether anything was committed is unknown" in str(unreadable)


def test_what_a_failed_change_committed_is_a_change() -> None:
    error = failure(OLD, OLD, addons(a="1.5", b="1"), a=BOOM)
    assert "ValueError: boom. It is no longer as it was: now it is pending at 1.5." in str(error)
    assert error.outcome.as_result()["changes"] == [{"id": "a", "action": "upgrade", "from": "1", "to": "1.5"}]

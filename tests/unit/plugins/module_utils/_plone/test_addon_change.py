# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of changes of add-ons where the list of them is not what it was, or a change failed half-way."""

from __future__ import annotations

import contextlib
import re
import sys
import types
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core import clock
from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import NotSentError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._core.progress import Progress
from ansible_collections.siteops.upgrades.plugins.module_utils._plone import addon_change, watch
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.addon_outcome import AddonsFailed
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.addon_run import AddonRun
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.addons import Addon, Addons
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.client import PloneClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.connection import Waiting
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.credentials import Credentials
from ansible_collections.siteops.upgrades.tests.unit.local_server import (
    Handler,
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


@contextlib.contextmanager
def running(
    reads: t.Sequence[Reply], posts: t.Mapping[str, Reply], **options: t.Any
) -> t.Iterator[tuple[AddonRun, LocalServer]]:
    """A run at a server where the add-ons read so, one time after the other, and what it has seen."""
    progress = Progress(types.SimpleNamespace(_tmpdir=None, check_mode=False, params={}))
    replies = routed(
        GET={"/@addons": in_turn(*reads), "/@upgrade": UP_TO_DATE},
        POST={f"/@addons/{name}/upgrade": reply for name, reply in posts.items()},
    )
    with LocalServer(replies) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        yield AddonRun(client, state="latest", waiting=WAITING, progress=progress, **options), server


def posted(server: LocalServer) -> str:
    """The ids that were posted to, in order."""
    return " ".join(seen.path.split("/")[2] for seen in server.seen if "/@addons/" in seen.path)


def failure(*reads: Reply, **posts: Reply) -> AddonsFailed:
    """How the upgrade of ``a`` and then ``b`` ends, where the add-ons read so, one time after the other."""
    with running(reads, posts) as (run, _server), pytest.raises(AddonsFailed) as caught:
        run.perform(list(posts))
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


# What is left behind, and passes

DONE = answer(status=204)


def listed(**states: str) -> Reply:
    """The answer of GET @addons: ``at>code`` by id, with ``!`` where no step leads on."""
    items = []
    for name, state in states.items():
        at, _arrow, code = state.rstrip("!").partition(">")
        info = {
            "available": at != code and "!" not in state,
            "required": at != code,
            "installedVersion": at,
            "newVersion": code,
        }
        items.append({"id": name, "is_installed": True, "upgrade_info": info})
    return document({"items": items})


def test_an_add_on_that_no_step_leads_on_from_is_final_and_what_was_committed_is_a_change() -> None:
    reads = [listed(a="1>3")] * 2 + [listed(a="2>3!")]
    with running(reads, {"a": DONE}) as (run, server), pytest.raises(AddonsFailed, match="no upgrade path") as caught:
        run.perform(None)
    result = caught.value.outcome.as_result()
    assert result["changes"] == [{"id": "a", "action": "upgrade", "from": "1", "to": "2"}]
    assert [(left["id"], left["state"]) for left in result["left_behind"]] == [("a", "no_upgrade_path")]
    assert len(server.seen) == 6, "it was waited for"


@pytest.mark.parametrize("names", (None, ["a"]), ids=("all", "by name"))
def test_an_add_on_without_a_path_fails_each_run_and_check_mode_alike(names: list[str] | None) -> None:
    said = []
    for act in ("plan", "perform"):
        with running([listed(a="2>3!", b="3>3")], {}) as (run, server), pytest.raises(AddonsFailed) as caught:
            getattr(run, act)(names)
        assert posted(server) == ""
        said.append((str(caught.value), caught.value.outcome.as_result()))
    assert said[0] == said[1]
    assert said[0][0].startswith("a is at 2 and cannot be brought to 3: there is no upgrade path")


def test_an_add_on_without_a_path_is_a_warning_where_it_is_accepted() -> None:
    reads = [listed(a="1>3", b="2>3!")] * 2 + [listed(a="2>3!", b="2>3!")]
    with running(reads, {"a": DONE}, accept_no_path=["a", "b"]) as (run, _server):
        outcome = run.perform(None)
    assert [change["to"] for change in outcome.as_result()["changes"]] == ["2"]
    assert outcome.as_result()["left_behind"] == []
    assert [warning.split()[0] for warning in outcome.warnings] == ["b", "a"]


def test_the_failed_are_tried_again_while_a_pass_changes_something() -> None:
    """``a`` needs ``b``, ``b`` needs ``c``; the server lists them by name."""
    now = dict.fromkeys("abc", "1>2")

    def upgrade(name: str, needed: str = "") -> Reply:
        def reply(handler: Handler) -> None:
            if needed and now[needed] != "2>2":
                BOOM(handler)
                return
            now[name] = "2>2"
            DONE(handler)

        return reply

    def list_them(handler: Handler) -> None:
        listed(**now)(handler)

    posts = {"a": upgrade("a", "b"), "b": upgrade("b", "c"), "c": upgrade("c")}
    with running([list_them], posts) as (run, server):
        changes = run.perform(None).as_result()["changes"]
    assert posted(server) == "a b c a b a"
    assert [change["id"] for change in changes] == ["c", "b", "a"]


def test_code_that_is_older_than_the_site_is_warned_about_where_all_are_upgraded() -> None:
    newer = {"available": False, "required": True, "installedVersion": "9", "newVersion": "2"}
    items = [{"id": name, "is_installed": True, "upgrade_info": newer} for name in ("a", "plone.volto")]
    with running([document({"items": items})], {}) as (run, _server):
        outcome = run.perform(None)
    assert [warning.partition(",")[0] for warning in outcome.warnings] == ["a is left alone: the site has it at 9"]
    assert outcome.as_result()["changed"] is False


LACKING = b"""<div class="alert alert-danger"><p><strong>Was fehlt</strong></p>
<ul> <li>my.missing</li> <li>collective.gone</li> </ul></div><ul><li>else</li></ul>"""


@pytest.mark.parametrize(
    ("reply", "named"),
    (
        (answer(LACKING, Content_Type="text/html"), "my.missing, collective.gone."),
        (page(200), ""),
        (page(404), ""),
        (answer(LACKING, 302, Location="/login"), ""),
    ),
    ids=("named", "none named", "no page", "login"),
)
def test_packages_that_the_code_lacks_are_warned_about_where_all_are_upgraded(reply: Reply, named: str) -> None:
    replies = routed(GET={"/@addons": listed(a="2>2"), "/@@plone-upgrade": reply})
    with LocalServer(replies) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        progress = Progress(types.SimpleNamespace(_tmpdir=None, check_mode=False, params={}))
        run = AddonRun(client, state="latest", waiting=WAITING, progress=progress)
        warnings = " ".join(run.plan(None).warnings)
        assert named in warnings
        assert bool(named) == bool(warnings)
        assert run.plan(["a"]).warnings == []


def test_what_fails_does_not_stop_the_others_and_every_one_is_named() -> None:
    old = {"a": "1>2", "b": "1>2", "c": "2>3!"}
    reads = [listed(**old)] * 4 + [listed(**{**old, "b": "2>2"})]
    with running(reads, {"a": BOOM, "b": DONE}) as (run, server), pytest.raises(AddonsFailed) as caught:
        run.perform(None)
    assert posted(server) == "a b a"
    result = caught.value.outcome.as_result()
    assert [change["id"] for change in result["changes"]] == ["b"]
    assert sorted(left["id"] for left in result["left_behind"]) == ["a", "c"]
    assert "2 add-ons are left behind." in str(caught.value)
    assert "a: POST /@addons/a/upgrade answered 500 ValueError: boom." in str(caught.value)
    assert "c is at 2 and cannot be brought to 3" in str(caught.value)


def test_the_first_failure_ends_the_run_where_that_is_wanted() -> None:
    reads = [listed(a="1>2", b="1>2")]
    posts = {"a": BOOM, "b": DONE}
    with running(reads, posts, keep_going=False) as (run, server), pytest.raises(AddonsFailed) as caught:
        run.perform(None)
    assert posted(server) == "a"
    assert caught.value.outcome.as_result()["not_tried"] == ["b"]
    assert str(caught.value).endswith("Not tried: b.")


def test_nothing_else_is_tried_after_a_call_whose_end_is_unknown() -> None:
    reads = [listed(a="1>2", b="1>2")]
    with running(reads, {"a": page(504), "b": DONE}) as (run, server), pytest.raises(AddonsFailed) as caught:
        run.perform(None)
    assert posted(server) == "a"
    assert "The server may still be at work" in str(caught.value)
    assert caught.value.outcome.as_result()["not_tried"] == ["b"]


REFUSED = document({"type": "Unauthorized", "message": "You are not authorized to access this resource."}, 401)


@pytest.mark.parametrize("reply", (DONE, page(504)), ids=("answered", "lost"))
def test_credentials_that_are_refused_end_the_wait(monkeypatch: pytest.MonkeyPatch, reply: Reply) -> None:
    monkeypatch.setattr(sys.modules[__name__], "WAITING", Waiting(7200, 10))
    reads = [listed(a="1>2", b="1>2")] * 2 + [REFUSED]
    with running(reads, {"a": reply, "b": DONE}) as (run, server), pytest.raises(AddonsFailed) as caught:
        run.perform(None)
    assert posted(server).split()[0] == "a"
    assert "/@addons/b/upgrade" not in " ".join(server.asked)
    assert "Then the site refused the credentials that it had accepted before" in str(caught.value)
    assert caught.value.outcome.as_result()["not_tried"] == ["b"]


# A server that ends while an add-on is changed


def reads_so(monkeypatch: pytest.MonkeyPatch, *reads: t.Mapping[str, str] | None) -> None:
    """Have Zope itself list the add-ons so, one time after the other; None where no connection is accepted."""
    following = iter([*reads[:-1], *[reads[-1]] * 50])

    def read(self: Addons, required: t.Sequence[str] = ()) -> dict[str, Addon]:
        states = next(following)
        if states is None:
            refused = NotSentError("GET /@addons", "could not be sent: the connection failed (Connection refused)")
            refused.refused = True
            raise refused
        self._client.answered_directly = True
        return {
            name: Addon(name, "", "2", True, False, at, "2", upgrade_available=at != "2", upgrade_required=at != "2")
            for name, at in states.items()
        }

    monkeypatch.setattr(Addons, "read", read)


def test_an_add_on_whose_server_was_started_anew_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "WAITING", Waiting(7200, 10))
    old = {"a": "1", "b": "1"}
    reads_so(monkeypatch, old, old, None, None, old)
    with running([OLD], {"a": page(502), "b": DONE}) as (run, server), pytest.raises(AddonsFailed) as caught:
        run.perform(None)
    assert posted(server) == "a"
    assert (
        "another process of it answers now, which knows nothing of the upgrade of a from 1 to 2. It is as it was: "
        "pending at 1. Look at the server's log for why it was restarted, and run this again."
    ) in str(caught.value)
    assert caught.value.outcome.as_result()["not_tried"] == ["b"]
    reads_so(monkeypatch, {"a": "1", "b": "2"}, {"a": "1", "b": "2"}, {"a": "2", "b": "2"})
    with running([OLD], {"a": DONE}) as (run, server):
        assert run.perform(None).as_result()["changed"], "what the journal said was waited for"


def test_an_add_on_that_was_committed_before_the_server_ended_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"a": "1"}
    reads_so(monkeypatch, old, old, None, None, {"a": "2"})
    with running([OLD], {"a": page(502)}) as (run, _server):
        changes = run.perform(None).as_result()["changes"]
    assert [change["to"] for change in changes] == ["2"]


def test_an_add_on_whose_server_stays_down_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LONGEST_DOWN", 0)
    reads_so(monkeypatch, {"a": "1"}, {"a": "1"}, None)
    with running([OLD], {"a": page(502)}) as (run, _server), pytest.raises(AddonsFailed) as caught:
        run.perform(None)
    assert "its process has ended, and the upgrade of a from 1 to 2 with it unless that was committed" in str(
        caught.value
    )

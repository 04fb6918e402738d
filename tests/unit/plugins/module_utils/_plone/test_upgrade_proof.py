# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What proves an upgrade where several servers, caches and gateways stand behind one address."""

from __future__ import annotations

import contextlib
import re
import sys
import types
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core import clock
from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import CallError, NotSentError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_answer import Answer
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._core.progress import Progress
from ansible_collections.siteops.upgrades.plugins.module_utils._plone import server_process
from ansible_collections.siteops.upgrades.plugins.module_utils._plone import upgrade as upgrade_module
from ansible_collections.siteops.upgrades.plugins.module_utils._plone import watch as watch_module
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.answers import is_zopes_own
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.client import PloneClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.connection import Waiting
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.credentials import Credentials
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.upgrade import UpgradeRun
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.upgrade_outcome import (
    UpgradeFailed,
    UpgradeOutcome,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.watch import Watch
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

DONE_REPORT = "Starting the migration from version: 6018\nYour Plone instance is now up-to-date.\n"


def state(instance: str, fs: str) -> Reply:
    """The answer of GET @upgrade."""
    steps = {} if instance == fs else {f"{instance}-{fs}": [{"id": "x", "title": "Miscellaneous"}]}
    return document({"versions": {"instance": instance, "fs": fs}, "upgrade_steps": steps})


def done(instance: str, fs: str) -> Reply:
    """The answer of a POST @upgrade that went well."""
    return document({"versions": {"instance": instance, "fs": fs}, "report": DONE_REPORT, "upgraded": True})


PENDING, NEW_CODE, OLD_CODE, OTHER_SITE = (
    state("6018", "6205"),
    state("6205", "6205"),
    state("6018", "6018"),
    state("6111", "6111"),
)


WAITING = Waiting(60, 10)
"""Long enough for a slow machine; sleeps take no time here."""


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is waited for long, and nothing is slept."""
    monkeypatch.setattr(clock, "time", SkippingTime())
    monkeypatch.setattr(upgrade_module, "VISIBLE_WITHIN_SECONDS", 0.1)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def upgrade(post: Reply, *reads: Reply, posts: int = 1) -> UpgradeOutcome:
    """Upgrade a site whose state reads so, one time after the other."""
    progress = Progress(types.SimpleNamespace(_tmpdir=None, check_mode=False, params={}))
    with LocalServer(routed(GET={"/@upgrade": in_turn(*reads)}, POST={"/@upgrade": post})) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        try:
            run = UpgradeRun(client, dry_run=False, waiting=WAITING, progress=progress)
            return run.perform()
        finally:
            assert server.asked.count("POST /@upgrade") == posts


def failure(post: Reply, *reads: Reply, posts: int = 1) -> UpgradeFailed:
    with pytest.raises(UpgradeFailed) as caught:
        upgrade(post, *reads, posts=posts)
    return caught.value


def test_an_upgrade_is_proven_by_reading_the_version_of_the_code() -> None:
    outcome = upgrade(done("6205", "6205"), PENDING, PENDING, NEW_CODE)
    assert (outcome.as_result()["changed"], outcome.summary) == (True, "Upgraded from 6018 to 6205 in 0 steps.")


@pytest.mark.parametrize("answered", (done("6205", "6205"), page(504)), ids=("answered", "lost"))
@pytest.mark.parametrize("read", (OLD_CODE, OTHER_SITE, PENDING), ids=("old code", "other site", "kept answer"))
def test_what_another_server_reads_is_no_proof(answered: Reply, read: Reply) -> None:
    assert "still reads 6" in str(failure(answered, PENDING, PENDING, read))


def test_what_may_answer_instead_is_named() -> None:
    error = failure(done("6205", "6205"), PENDING, PENDING, OLD_CODE)
    assert "still reads 6018 in the database and 6018 in the code. What was committed is not proven." in str(error)
    assert "Servers with other code, another site or a cache may answer at this address." in str(error)


def test_a_proof_that_cannot_be_read_is_missed() -> None:
    error = failure(done("6205", "6205"), PENDING, PENDING, page(403))
    assert "GET /@upgrade was answered 403 with an HTML page" in str(error)
    assert "What was committed is not proven." in str(error)


def test_the_proof_counts_whatever_the_answer_claims() -> None:
    assert upgrade(done("6205", "6018"), PENDING, PENDING, NEW_CODE).as_result()["changed"]


def test_a_server_that_hangs_does_not_delay_the_last_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look would take the 20 seconds of a quick call, three times."""
    monkeypatch.setattr(clock, "LEAST_TIME_TO_LOOK", 0.5)
    monkeypatch.setattr(sys.modules[__name__], "WAITING", Waiting(4, 1))
    error = failure(page(504), PENDING, PENDING, silence)
    assert re.search(
        r"The last read failed: GET /@upgrade got no whole answer within [0-4](\.\d)? seconds\.", str(error)
    )


def test_nothing_is_posted_to_servers_with_different_code() -> None:
    error = failure(done("6205", "6205"), PENDING, OLD_CODE, posts=0)
    assert "reported 6205 as the version of the code, and then 6018." in str(error)


@pytest.mark.parametrize("status", (502, 503, 504))
def test_a_failure_of_a_gateway_in_json_is_not_plones(status: int) -> None:
    """The server is still at work; it commits later."""
    gateway = document({"type": "GatewayTimeout", "message": "upstream request timeout"}, status)
    outcome = upgrade(gateway, PENDING, PENDING, PENDING, NEW_CODE)
    assert (outcome.answer, outcome.as_result()["changed"]) == ("lost", True)


def test_a_failure_of_plone_is_one_at_once() -> None:
    own = document({"type": "KeyError", "message": "'x'", "traceback": ["File x"]}, 503)
    assert "POST /@upgrade answered 503 KeyError: 'x'. Nothing was committed" in str(failure(own, PENDING))


# What makes waiting useless, and reads that are stale

REFUSED = document({"type": "Unauthorized", "message": "You are not authorized to access this resource."}, 401)
STALE_LOG = "Starting the migration from version: 6205\nYour Plone instance is now up-to-date.\n"
NO_OP = document({"versions": {"instance": "6205", "fs": "6205"}, "report": STALE_LOG, "upgraded": True})


def test_credentials_that_are_refused_after_a_good_answer_leave_a_committed_upgrade() -> None:
    error = failure(done("6205", "6205"), PENDING, PENDING, REFUSED)
    assert "The upgrade is committed, as the server's answer says: the database is at 6205." in str(error)
    assert "cache" not in str(error)
    result = error.outcome.as_result()
    assert (result["changed"], result["versions_after"]["instance"]) == (True, "6205")


def test_credentials_that_are_refused_after_a_lost_answer_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "WAITING", Waiting(7200, 10))
    error = failure(page(504), PENDING, PENDING, REFUSED)
    assert "Then the site refused the credentials that it had accepted before, so the wait ended" in str(error)
    assert "Whether the upgrade was committed is not known." in str(error)
    assert "still reads" not in str(error)


def test_no_state_is_claimed_that_was_not_read() -> None:
    error = failure(page(504), PENDING, PENDING, page(500))
    assert "After 60 seconds no read of the site had succeeded. The last read failed" in str(error)


def test_a_server_that_says_that_nothing_was_to_do_shows_that_the_reads_were_stale() -> None:
    error = failure(NO_OP, PENDING)
    assert "A cache answered the reads with an older state" in str(error)
    assert "restore" not in str(error)
    assert not error.outcome.as_result()["changed"]


@pytest.mark.parametrize("past", (NEW_CODE, PENDING), ids=("a cache", "not proven"))
def test_a_cache_that_ignores_queries_too_is_read_past_by_another_path(past: Reply) -> None:
    progress = Progress(types.SimpleNamespace(_tmpdir=None, check_mode=False, params={}))
    routes = routed(GET={"/@upgrade": PENDING, "/@upgrade/": past}, POST={"/@upgrade": done("6205", "6205")})
    with LocalServer(routes) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        with pytest.raises(UpgradeFailed) as caught:
            UpgradeRun(client, dry_run=False, waiting=WAITING, progress=progress).perform()
    committed = "The upgrade is committed: the database is at 6205. But a cache in front of Plone" in str(caught.value)
    assert (committed, caught.value.outcome.as_result()["changed"]) == (past is NEW_CODE, past is NEW_CODE)


def test_a_rehearsal_of_a_site_that_is_up_to_date_shows_that_the_reads_were_stale() -> None:
    progress = Progress(types.SimpleNamespace(_tmpdir=None, check_mode=False, params={}))
    with LocalServer(routed(GET={"/@upgrade": PENDING}, POST={"/@upgrade": NO_OP})) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(server.url, timeout=20, auth=credentials), credentials)
        run = UpgradeRun(client, dry_run=True, waiting=WAITING, progress=progress)
        with pytest.raises(UpgradeFailed, match="A cache answered the reads with an older state") as caught:
            run.perform()
        marks = [seen.mark for seen in server.seen if seen.method == "GET"]
    assert "not dry" not in str(caught.value)
    assert all(marks)
    assert len(set(marks)) == len(marks), "a cache could have answered"


def test_another_run_that_was_quicker_is_no_failure() -> None:
    assert upgrade(NO_OP, PENDING, PENDING, NEW_CODE).as_result()["changed"]


def watched(*reads: str, posted: float | None = None, or_more: float = 0) -> Watch:
    """A watch that has read so: a version by Zope itself, ``p`` by a proxy, or ``x`` where no connection was taken.

    ``posted`` is how many seconds ago a change was posted whose answer was lost, ``or_more``.
    """

    class Client:
        def __init__(self, read: str) -> None:
            self._read = read
            self.answered_directly = read != "p"

        def site_state(self) -> str:
            if self._read == "x":
                refused = NotSentError("GET /@upgrade", "could not be sent")
                refused.refused = True
                raise refused
            return self._read

    watch = Watch()
    if posted is not None:
        watch.wait_for(lambda: posted, or_more)
    for read in reads:
        with contextlib.suppress(CallError):
            watch.read(t.cast(PloneClient, Client(read)), Client.site_state)  # type: ignore[arg-type]
    return watch


@pytest.mark.parametrize(
    ("headers", "own"),
    (
        ({"Server": "waitress", "Via": "waitress"}, True),
        ({"Server": "waitress"}, True),
        ({"Server": "nginx/1.22.1", "Via": "waitress"}, False),
        ({"Server": "waitress", "Via": "waitress, 1.1 varnish"}, False),
        ({}, False),
    ),
    ids=("zope 6.3", "zope", "nginx", "varnish", "nobody"),
)
def test_who_answered(headers: dict[str, str], own: bool) -> None:
    """What Plone 6.2.2 sends by itself and through nginx 1.22, as it was measured."""
    assert is_zopes_own(Answer("GET /@upgrade", 200, headers, b"")) is own


def test_a_process_that_took_the_place_of_another_is_noticed() -> None:
    assert watched("6018", "x", "x", "6018").restarted
    for reads in (("6018", "x", "6018"), ("p", "x", "x", "p"), ("x", "x", "6018"), ("6018", "6018")):
        assert not watched(*reads).is_over


def test_a_server_that_stays_down_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "LONGEST_DOWN", 0)
    assert watched("6018", "x").down
    assert not watched("p", "x").down


# The process behind a proxy

YOUNG, OLD = "   9 sec", "2 days 1 hour  9 sec"


def behind_proxy(monkeypatch: pytest.MonkeyPatch, storage: str, process: Reply, *reads: Reply) -> UpgradeOutcome:
    """An upgrade whose answer a proxy loses, before a Zope that says so of its storage and its process."""
    # As if the answer had been lost some seconds ago.
    monkeypatch.setattr(server_process, "ROUNDING", -20)
    progress = Progress(types.SimpleNamespace(_tmpdir=None, check_mode=False, params={}))
    gets = {"/Plone/@upgrade": in_turn(*reads), "/Plone/@database": document({"db_name": storage})}
    routes = routed(GET={**gets, "/Plone/Control_Panel/manage_main": process}, POST={"/Plone/@upgrade": page(502)})
    with LocalServer(routes) as server:
        credentials = Credentials(username="admin", password="secret")
        client = PloneClient(HttpClient(f"{server.url}/Plone", timeout=20, auth=credentials), credentials)
        return UpgradeRun(client, dry_run=False, waiting=WAITING, progress=progress).perform()


def control_panel(running: str) -> Reply:
    """The control panel of Zope 5.7 to 6.3 as it was measured, in short."""
    html = f'<th class="text-muted">Running For</th>\n      <td class="code">{running}</td>'
    return answer(html.encode(), Content_Type="text/html")


@pytest.mark.parametrize(
    ("storage", "process", "restarted"),
    (
        ("/srv/plone/var/Data.fs", control_panel(YOUNG), True),
        ("/srv/plone/var/Data.fs", control_panel(OLD), False),
        ("/srv/plone/var/Data.fs", page(401), False),
        ("/srv/plone/var/Data.fs", page(503), False),
        ("zeostorage (connected)", control_panel(YOUNG), False),
        ("/srv/zeo.sock (connected)", control_panel(YOUNG), False),
        ("RelStorage: PostgreSQLAdapter(history preserving)", control_panel(YOUNG), False),
    ),
    ids=("another process", "the same", "not shown", "out of reach", "zeo", "zeo on a socket", "relstorage"),
)
def test_a_process_that_was_started_later_is_believed_where_no_other_can_have_the_database(
    monkeypatch: pytest.MonkeyPatch, storage: str, process: Reply, restarted: bool
) -> None:
    with pytest.raises(UpgradeFailed) as caught:
        behind_proxy(monkeypatch, storage, process, PENDING)
    says = "another process of it answers now, which knows nothing of the upgrade. Nothing was committed"
    assert (says in str(caught.value)) is restarted
    assert ("The server may still be at work" in str(caught.value)) is not restarted


def test_what_a_process_committed_before_it_ended_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is read again after it is known that no process works on the upgrade."""
    outcome = behind_proxy(monkeypatch, "/Data.fs", control_panel(YOUNG), PENDING, PENDING, PENDING, NEW_CODE)
    assert (outcome.as_result()["changed"], outcome.answer) == (True, "lost")


def test_refused_connections_are_another_servers_where_the_process_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A balancer that passes on the headers of Zope refuses them while it is restarted itself."""
    monkeypatch.setattr(server_process, "database_is_open_once", lambda _client: False)
    # What was started within the same second or two is neither older nor younger, so the refusals count.
    # Another run's change may have been posted longer ago than is known.
    for up, or_more, restarted in (
        (0, 0, True),
        (59, 0, True),
        (61, 0, True),
        (90, 0, False),
        (90, 120, True),
        (7200, 120, False),
    ):
        monkeypatch.setattr(server_process, "seconds_up", lambda _client, up=up: up)
        assert watched("6018", "x", "x", "6018", posted=60, or_more=or_more).restarted is restarted

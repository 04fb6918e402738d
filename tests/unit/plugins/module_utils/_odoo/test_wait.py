# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a request, on a clock that only the waiting moves."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.clock import SHORTEST_PAUSE
from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import (
    AnswerLostError,
    CallError,
    NotTrustedError,
    UpgradeError,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._core.task import Task
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.status import stage_of, status_of
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.platform import Platform
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.records import Record
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.request import OdooRequest, RequestFailed
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.request_file import RequestFile
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.status import Stage, Status
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.wait import (
    READ_BACK_SECONDS,
    call_and_verify,
    wait_until,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.wanted import Handle

Look = t.Union[str, CallError]
LOST = AnswerLostError("POST /status", "the connection was lost")
BUSY = CallError("POST /status", "answered 503 with an HTML page", status=503)


class Clock:
    """Stands for the time; sleeping moves it, and so does asking for it, a little."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.naps.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


class Script:
    """Stands for a platform whose status goes through these looks, and stays at the last one."""

    def __init__(self, *looks: Look) -> None:
        self._looks = list(looks)
        self.count = 0

    protocol = "database_api"
    modules: t.ClassVar[frozenset[str]] = frozenset()

    def release(self, _notes: object) -> None:
        pass

    def status(self, _handle: Handle) -> Status:
        self.count += 1
        look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        if isinstance(look, CallError):
            raise look
        return status_of({"id": 10534, "state": look, "customer_message": "No filestore"})

    def stage_of(self, state: str) -> Stage:
        return stage_of(state)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the test."""
    made = Clock()
    monkeypatch.setattr(time, "sleep", made.sleep)
    monkeypatch.setattr(time, "monotonic", made.monotonic)
    return made


def request_of(script: Script, warnings: list[str] | None = None) -> OdooRequest:
    heard: list[str] = [] if warnings is None else warnings
    task = Task(warn=heard.append)
    return OdooRequest(task, t.cast(Platform, script), RequestFile.in_memory(Record(handle=Handle("10534", "k"))))


def wait(*looks: Look, timeout: float = 600, interval: float = 60) -> tuple[Status, OdooRequest]:
    request = request_of(Script(*looks))
    return wait_until(request, {Stage.READY}, timeout=timeout, interval=interval), request


@pytest.mark.parametrize("end", ["delivered", "done"])
def test_it_ends_with_the_result_and_remembers_the_states(end: str) -> None:
    status, request = wait("pending", "processing", "processing", "testing", "something new", end)
    assert status.state == end
    seen = [seen.state for seen in request.record.states_seen]
    assert seen == ["pending", "processing", "testing", "something new", end]


def test_a_finished_request_is_not_waited_for(clock: Clock) -> None:
    wait("done")
    assert clock.naps == []


def test_pauses_grow_up_to_the_interval(clock: Clock) -> None:
    wait(*["testing"] * 60, "done", timeout=10_000, interval=10)
    assert clock.naps[0] == SHORTEST_PAUSE
    assert clock.naps == sorted(clock.naps)
    assert clock.naps[-1] == 10


def test_pauses_are_short_again_after_a_change_of_state(clock: Clock) -> None:
    wait(*["pending"] * 60, BUSY, "testing", "done", timeout=10_000, interval=10)
    assert clock.naps[-2:] == [10, SHORTEST_PAUSE]


def test_passing_faults_are_waited_out() -> None:
    status, _request = wait(LOST, "processing", BUSY, LOST, BUSY, "done")
    assert status.state == "done"


def test_the_server_is_left_alone_for_as_long_as_it_asks(clock: Clock) -> None:
    asked = CallError("POST /status", "answered 429", status=429, retry_after=45)
    wait("processing", asked, "done")
    assert clock.now == 1000 + SHORTEST_PAUSE + 45


def test_it_does_not_ask_for_longer_than_there_is_time(clock: Clock) -> None:
    asked = CallError("POST /status", "answered 429", status=429, retry_after=4500)
    with pytest.raises(UpgradeError, match="could not be read for 100 seconds. The last read failed: .* answered 429"):
        wait(asked, timeout=100)
    assert clock.now == 1100


@pytest.mark.parametrize("state", ["invalid", "failed", "cancelled", "error"])
def test_a_request_without_a_result_is_a_failure_at_once(state: str, clock: Clock) -> None:
    with pytest.raises(RequestFailed, match=f"'{state}'. The platform says: No filestore"):
        wait("processing", state)
    assert clock.now == 1000 + SHORTEST_PAUSE


def test_what_does_not_pass_is_a_failure_at_once(clock: Clock) -> None:
    with pytest.raises(NotTrustedError):
        wait(NotTrustedError("POST /status", "its TLS certificate is not trusted"))
    assert clock.naps == []


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("testing", "in the state 'testing'. The platform goes on working"),
        ("draft", "in the state 'draft'. Upload a dump with odoo_upgrade_upload and"),
        (
            "brewing",
            "in the state 'brewing'. This collection does not know that state: .* The platform goes on working",
        ),
    ],
)
def test_at_the_deadline_the_state_is_named(state: str, words: str, clock: Clock) -> None:
    with pytest.raises(UpgradeError, match="After 600 seconds request 10534 is " + words) as caught:
        wait(state)
    assert clock.now == 1600
    assert caught.value.result["state"] == state


def test_at_the_deadline_the_last_trouble_is_reported_as_well() -> None:
    with pytest.raises(UpgradeError, match="'testing'.* The last read failed: POST /status the connection was lost"):
        wait("testing", LOST)


def verify(call_ends: CallError | None, *looks: Look) -> tuple[Status | None, list[str]]:
    def call() -> None:
        if call_ends:
            raise call_ends

    warnings: list[str] = []
    return call_and_verify(request_of(Script(*looks), warnings), call, leaving=Stage.OPEN), warnings


def test_a_call_is_proven_by_the_state_that_follows() -> None:
    status, _warnings = verify(None, "draft", "draft", "pending")
    assert status
    assert status.state == "pending"


def test_a_lost_answer_is_decided_by_the_state() -> None:
    status, warnings = verify(LOST, LOST, "pending")
    assert status
    assert status.state == "pending"
    assert len(warnings) == 1
    with pytest.raises(UpgradeError, match="the connection was lost.*has stayed in the state 'draft'.*Run this again"):
        verify(LOST, "draft")
    with pytest.raises(UpgradeError, match="could not be read afterwards"):
        verify(LOST, LOST)


def test_an_accepted_call_without_effect_is_no_success(clock: Clock) -> None:
    with pytest.raises(
        UpgradeError, match="accepted the call. Request 10534 has stayed in the state 'draft' for 30 seconds"
    ):
        verify(None, "draft")
    assert clock.now == 1000 + READ_BACK_SECONDS


def test_an_accepted_call_is_believed_with_a_warning_where_nothing_can_be_read() -> None:
    assert verify(None, LOST) == (None, ["The platform accepted the call, but the state could not be read afterwards."])


def test_a_call_that_certainly_did_nothing_is_its_own_failure(clock: Clock) -> None:
    refused = CallError("POST /process", "was refused", status=400)
    with pytest.raises(CallError) as caught:
        verify(refused, "draft")
    assert caught.value is refused
    assert clock.naps == []


def test_a_request_that_fails_at_once_after_the_call_is_reported() -> None:
    with pytest.raises(RequestFailed):
        verify(None, "invalid")


def test_a_passing_fault_of_a_read_is_read_again_twice() -> None:
    script = Script(LOST, BUSY, "done")
    assert request_of(script).status().state == "done"
    assert script.count == 3
    with pytest.raises(AnswerLostError):
        request_of(Script(LOST)).status()
    refused = Script(CallError("POST /status", "was refused", status=400))
    with pytest.raises(CallError, match="refused"):
        request_of(refused).status()
    assert refused.count == 1


def test_a_host_that_changes_with_the_status_is_remembered() -> None:
    class Moving(Script):
        def status(self, handle: Handle) -> Status:
            return Status(Stage.WORKING, "progress", handle=Handle(handle.id, handle.secret, "other.example.org"))

    request = request_of(Moving("progress"))
    request.status()
    assert request.handle == Handle("10534", "k", "other.example.org")

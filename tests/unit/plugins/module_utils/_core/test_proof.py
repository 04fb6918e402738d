# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sent once and proven by reading, on a clock that only the pauses and the calls move."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.clock import Deadline, FixedPauses, GrowingPauses
from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import (
    AnswerLostError,
    CallError,
    NotSentError,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._core.proof import (
    Decision,
    Proof,
    Reading,
    read_until,
    send_and_prove,
)

CALL = "POST /site/@upgrade"


class Clock:
    """Stands for the time; only sleeping and :meth:`work` move it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "sleep", made.sleep)
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


class Server:
    """Answers reads from a list, again and again with the last entry; an error in it is raised."""

    def __init__(self, *reads: str | Exception) -> None:
        self.reads = list(reads)
        self.asked = 0
        self.sent = 0

    def read(self) -> str:
        self.asked += 1
        latest = self.reads.pop(0) if len(self.reads) > 1 else self.reads[0]
        if isinstance(latest, Exception):
            raise latest
        return latest


def fault(retry_after: float | None = None) -> CallError:
    return CallError("GET /site", "answered 502", status=502, retry_after=retry_after)


def lost() -> AnswerLostError:
    return AnswerLostError(CALL, "got no whole answer within 5 seconds")


def is_new(state: str) -> bool:
    return state == "new"


def until_new(server: Server, deadline: Deadline, longest: float = 10, **options: t.Any) -> Reading[str]:
    return read_until(server.read, is_new, GrowingPauses(deadline, longest), **options)


# --- reading until ---


def test_a_state_that_is_there_already_is_read_once(clock: Clock) -> None:
    server = Server("new")
    assert until_new(server, Deadline(60)) == Reading("new", found=True)
    assert (server.asked, clock.naps) == (1, [])


def test_a_deadline_that_has_passed_still_leaves_one_read(clock: Clock) -> None:
    server = Server("old", "new")
    assert until_new(server, Deadline(0)) == Reading("old", found=False)
    assert (server.asked, clock.naps) == (1, [])


def test_failed_reads_are_read_through(clock: Clock) -> None:
    server = Server(fault(), "old", fault(), fault(), "new")
    assert until_new(server, Deadline(60)) == Reading("new", found=True)
    assert clock.naps == [1, 1, 1, 1]


def test_at_the_deadline_the_latest_state_and_the_last_error_are_there(clock: Clock) -> None:
    error = fault()
    reading = until_new(Server("old", error), Deadline(20))
    assert reading == Reading("old", found=False, error=error)
    assert clock.now == 1020


def test_a_state_that_was_never_read_is_none(clock: Clock) -> None:
    error = fault()
    assert until_new(Server(error), Deadline(5)) == Reading(None, found=False, error=error)
    assert clock.naps == [1] * 5


def test_the_last_read_comes_when_the_deadline_has_passed(clock: Clock) -> None:
    server = Server("old", "old", "old", "new")
    assert until_new(server, Deadline(2.5)).found
    assert clock.now == 1002.5


def test_slow_reads_use_up_the_deadline_too(clock: Clock) -> None:
    def read() -> str:
        clock.work(8)
        return "old"

    assert not read_until(read, is_new, GrowingPauses(Deadline(20), 10)).found
    assert clock.now == 1000 + 8 + 1 + 8 + 1.7 + 8  # the read after the second pause ends behind the deadline


def test_a_fault_that_does_not_pass_is_raised_at_once(clock: Clock) -> None:
    error = fault()
    with pytest.raises(CallError) as raised:
        until_new(Server("old", error, "new"), Deadline(60), passes=lambda failed: failed is not error)
    assert raised.value is error
    assert clock.naps == [1]


def test_an_exception_that_is_no_failed_call_ends_the_loop(clock: Clock) -> None:
    with pytest.raises(KeyError):
        until_new(Server("old", KeyError("x"), "new"), Deadline(60))


def test_a_pause_is_as_long_as_a_failed_read_asks_and_no_longer_than_there_is_time(clock: Clock) -> None:
    until_new(Server(fault(45), "old", fault(500), "new"), Deadline(100))
    assert clock.naps == [45, 4.5, 50.5]


def test_a_pause_is_as_long_as_a_state_asks(clock: Clock) -> None:
    until_new(Server("wait", "new"), Deadline(100), retry_after=lambda state: 30.0 if state == "wait" else None)
    assert clock.naps == [30]


def test_pauses_are_short_again_in_a_new_phase(clock: Clock) -> None:
    server = Server(*["old"] * 40, "testing", "testing", "new")
    until_new(server, Deadline(10_000), longest=60, same_phase=lambda before, after: before == after)
    assert clock.naps[-3] > 10
    assert clock.naps[-2:] == [1, 1]


def test_the_loop_can_be_stopped_before_its_deadline(clock: Clock) -> None:
    reading = until_new(Server("old"), Deadline(60), stop=lambda: clock.now >= 1003)
    assert reading == Reading("old", found=False)
    assert clock.now == 1003


def test_before_each_pause_the_latest_state_is_reported(clock: Clock) -> None:
    seen: list[str | None] = []
    until_new(Server(fault(), "old", fault(), "new"), Deadline(60), before_pause=seen.append)
    assert seen == [None, "old", "old"]


def test_a_few_fixed_pauses_end_with_the_last_try(clock: Clock) -> None:
    server = Server("old")
    assert not read_until(server.read, is_new, FixedPauses((0.5, 2.0), longest_asked=60)).found
    assert (server.asked, clock.naps) == (3, [0.5, 2.0])


def test_a_fixed_pause_follows_the_server_up_to_a_limit(clock: Clock) -> None:
    read_until(Server(fault(30), fault(900)).read, is_new, FixedPauses((0.5, 2.0), longest_asked=60))
    assert clock.naps == [30, 60]


# --- sending once ---


def prove(
    server: Server, answer: str | Exception = "done", *, deadline: Deadline | None = None, **options: t.Any
) -> Proof[str, str]:
    def send() -> str:
        server.sent += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def decide(state: str, _answer: str | None) -> Decision:
        return Decision.REFUTED if state == "failed" else Decision.proven_if(state == "new")

    given = {"longest_pause": 3, "read_back_seconds": 15, "deadline": deadline, **options}
    return send_and_prove(send, server.read, decide, **given)


def test_an_answer_alone_is_no_proof(clock: Clock) -> None:
    proof = prove(Server("old"), "done")
    assert (proof.decision, proof.proven, proof.answer, proof.state) == (Decision.OPEN, False, "done", "old")
    assert clock.now == 1015


def test_an_answer_and_the_state_read_afterwards_are_a_proof(clock: Clock) -> None:
    server = Server(fault(), "old", "new")
    proof = prove(server)
    assert proof == Proof(Decision.PROVEN, "done", None, "new", None, 0.0)
    assert (server.sent, clock.naps) == (1, [1, 1])


def test_a_call_that_was_not_sent_is_raised_and_nothing_is_read(clock: Clock) -> None:
    server = Server("old")
    with pytest.raises(NotSentError):
        prove(server, NotSentError(CALL, "could not be sent"))
    assert (server.sent, server.asked) == (1, 0)


def test_a_call_that_certainly_did_nothing_is_raised_and_nothing_is_read(clock: Clock) -> None:
    server = Server("old")
    with pytest.raises(CallError, match="answered 500"):
        prove(server, CallError(CALL, "answered 500", status=500))
    assert (server.sent, server.asked) == (1, 0)


def test_a_lost_answer_is_proven_by_reading_and_not_sent_again(clock: Clock) -> None:
    server, error = Server("old", fault(), "old", "new"), lost()
    proof = prove(server, error, deadline=Deadline(600))
    assert proof == Proof(Decision.PROVEN, None, error, "new", None, 3.0)
    assert server.sent == 1


def test_a_lost_answer_is_refuted_by_reading_before_the_deadline(clock: Clock) -> None:
    error = lost()
    proof = prove(Server("old", "failed"), error, deadline=Deadline(600))
    assert proof == Proof(Decision.REFUTED, None, error, "failed", None, 1.0)


def test_after_a_lost_answer_it_is_read_until_the_deadline_of_the_caller(clock: Clock) -> None:
    deadline = Deadline(600)
    clock.work(100)
    proof = prove(Server("old"), lost(), deadline=deadline)
    assert (proof.decision, proof.state) == (Decision.OPEN, "old")
    assert (clock.now, proof.seconds) == (1600, 500)


def test_after_a_lost_answer_without_a_deadline_it_is_read_as_after_an_answer(clock: Clock) -> None:
    assert not prove(Server("old"), lost()).proven
    assert clock.now == 1015


def test_a_state_that_cannot_be_read_leaves_the_decision_open_with_the_last_error(clock: Clock) -> None:
    error = fault()
    proof = prove(Server(error), lost(), deadline=Deadline(30))
    assert (proof.decision, proof.state, proof.error) == (Decision.OPEN, None, error)


def test_an_exception_that_only_the_caller_knows_can_mean_a_lost_answer(clock: Clock) -> None:
    error = CallError(CALL, "answered 503", status=503)
    server = Server("new")
    proof = prove(server, error, may_have_acted=lambda failed: failed.status == 503)
    assert (proof.decision, proof.lost, server.sent) == (Decision.PROVEN, error, 1)


def test_the_loss_is_reported_before_the_first_read(clock: Clock) -> None:
    server, error = Server("new"), lost()
    seen: list[tuple[CallError, int]] = []
    prove(server, error, on_lost=lambda failed: seen.append((failed, server.asked)))
    assert seen == [(error, 0)]


def test_the_seconds_end_with_the_answer(clock: Clock) -> None:
    def send() -> str:
        clock.work(7)
        return "done"

    proof = send_and_prove(
        send,
        Server("old", "new").read,
        lambda s, _a: Decision.proven_if(is_new(s)),
        longest_pause=3,
        read_back_seconds=9,
    )
    assert (proof.proven, proof.seconds) == (True, 7.0)


def test_the_answer_helps_to_decide(clock: Clock) -> None:
    def decide(state: str, answer: str | None) -> Decision:
        return Decision.REFUTED if state == answer else Decision.OPEN

    proof = send_and_prove(lambda: "old", Server("old").read, decide, longest_pause=3, read_back_seconds=9)
    assert (proof.decision, clock.naps) == (Decision.REFUTED, [])


class Killed(BaseException):
    """What ends a process."""


def test_a_kill_while_sending_goes_through(clock: Clock) -> None:
    def send() -> str:
        raise Killed

    server = Server("old")
    with pytest.raises(Killed):
        send_and_prove(send, server.read, lambda _s, _a: Decision.OPEN, longest_pause=3, read_back_seconds=9)
    assert server.asked == 0


def test_a_kill_while_reading_goes_through(clock: Clock) -> None:
    def read() -> str:
        raise Killed

    with pytest.raises(Killed):
        send_and_prove(lambda: "done", read, lambda _s, _a: Decision.OPEN, longest_pause=3, read_back_seconds=9)
    assert clock.naps == []

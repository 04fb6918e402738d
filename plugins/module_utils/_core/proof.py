# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send a change once, and read the server's state until it proves or refutes the change.

What changes a server is never repeated blindly: a call whose answer was lost may have been carried out, and an answer
that says "done" may come from a server that did nothing. So the call is sent once, and the state that is read
afterwards decides. Whoever changes something on a server uses :func:`send_and_prove`; whoever waits for a state uses
:func:`read_until`.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import enum
import time
import typing as t
from dataclasses import dataclass

from .clock import Deadline, GrowingPauses, Pauses
from .errors import AnswerLostError, CallError

A = t.TypeVar("A")
"""What a call that changes something answers."""

S = t.TypeVar("S")
"""A state that is read."""


@dataclass(frozen=True)
class Reading(t.Generic[S]):
    """How a repeated read ended.

    ``state`` is the latest state that could be read, None where none could. ``found`` says whether it is one that was
    waited for. ``error`` is what made the last read fail, None where the last read succeeded.
    """

    state: S | None
    found: bool
    error: CallError | None = None


def read_until(
    read: t.Callable[[], S],
    is_wanted: t.Callable[[S], bool],
    pauses: Pauses,
    *,
    passes: t.Callable[[CallError], bool] = lambda _error: True,
    retry_after: t.Callable[[S], float | None] = lambda _state: None,
    same_phase: t.Callable[[S, S], bool] = lambda _before, _after: True,
    stop: t.Callable[[], bool] = lambda: False,
    before_pause: t.Callable[[S | None], None] = lambda _state: None,
) -> Reading[S]:
    """Read at once, and again after each pause, until a state is wanted or the pauses end.

    :param read: reads once. Each of its :class:`CallError` is a failed read; any other exception ends the loop.
    :param is_wanted: whether this state ends the loop.
    :param pauses: how long to sleep between two reads, and when to give up. A pause is lengthened to what the server
        asks for: by ``CallError.retry_after`` after a failed read, by ``retry_after`` after another one.
    :param passes: whether a failed read may succeed later. All do by default.
    :param retry_after: seconds that a server asked to wait in a state that is not wanted.
    :param same_phase: whether two states that follow each other belong to one phase. Pauses begin short in each phase:
        how long one phase lasts says nothing about the next one.
    :param stop: asked after each read that found nothing; true ends the loop before the pauses do.
    :param before_pause: is called before each pause with the latest state (None while there is none), to report
        progress.
    :raises CallError: a read failed and ``passes`` says that it will not succeed later.
    """
    state: S | None = None
    while True:
        error: CallError | None = None
        asked = None
        try:
            latest = read()
        except CallError as failed:
            if not passes(failed):
                raise
            error, asked = failed, failed.retry_after
        else:
            if state is not None and not same_phase(state, latest):
                pauses.begin_again()
            state = latest
            if is_wanted(latest):
                return Reading(latest, found=True)
            asked = retry_after(latest)
        if stop():
            return Reading(state, found=False, error=error)
        before_pause(state)
        if not pauses.take(asked):
            return Reading(state, found=False, error=error)


class Decision(enum.Enum):
    """What a state says about a change."""

    PROVEN = "proven"
    REFUTED = "refuted"
    OPEN = "open"

    @classmethod
    def proven_if(cls, proven: bool) -> Decision:
        """``PROVEN`` or ``OPEN``: for a change that no state can refute, because it may still be under way."""
        return cls.PROVEN if proven else cls.OPEN


@dataclass(frozen=True)
class Proof(t.Generic[A, S]):
    """What is known about a change that was sent once.

    :ivar decision: what the states that were read say: ``PROVEN``, ``REFUTED``, or ``OPEN`` where the time was over
        before a state decided.
    :ivar answer: what the call answered; None where the answer was lost.
    :ivar lost: how the answer was lost; None where there is one.
    :ivar state: the latest state that could be read; None where none could.
    :ivar error: what made the last read fail; None where the last read succeeded.
    :ivar seconds: from sending to the answer, or to the last read where the answer was lost.
    """

    decision: Decision
    answer: A | None
    lost: CallError | None
    state: S | None
    error: CallError | None
    seconds: float

    @property
    def proven(self) -> bool:
        """Whether a state that was read proves the change."""
        return self.decision is Decision.PROVEN


def is_lost_answer(error: CallError) -> bool:
    """Whether a call that failed may have been carried out nevertheless, where only a lost answer leaves that open."""
    return isinstance(error, AnswerLostError)


def send_and_prove(
    send: t.Callable[[], A],
    read: t.Callable[[], S],
    decide: t.Callable[[S, A | None], Decision],
    *,
    longest_pause: float,
    read_back_seconds: float,
    deadline: Deadline | None = None,
    may_have_acted: t.Callable[[CallError], bool] = is_lost_answer,
    on_lost: t.Callable[[CallError], None] = lambda _error: None,
    stop: t.Callable[[], bool] = lambda: False,
    before_pause: t.Callable[[S | None], None] = lambda _state: None,
) -> Proof[A, S]:
    """Send a change once, whatever happens, and read the state until it decides whether the change was made.

    :param send: makes the call. It is called once.
    :param read: reads the state once.
    :param decide: what a state says about the change; it also gets the answer, None where that was lost.
    :param longest_pause: seconds between two reads at most.
    :param read_back_seconds: for how long to read after an answer. A change that the server has accepted may be seen
        a moment later.
    :param deadline: until when to read after a lost answer; ``read_back_seconds`` as well where it is None.
    :param may_have_acted: whether the call may have been carried out although it failed so.
    :param on_lost: is called once when the answer is lost, before the first read.
    :param stop: see :func:`read_until`.
    :param before_pause: see :func:`read_until`.
    :raises CallError: the call failed and changed nothing; after a :class:`NotSentError` nothing reached the server.
        A read that fails is never raised: by then the change may have been made.
    """
    started = time.monotonic()
    answer: A | None = None
    lost: CallError | None = None
    try:
        answer = send()
    except CallError as error:
        if not may_have_acted(error):
            raise
        lost = error
        on_lost(error)
    seconds = time.monotonic() - started
    limit = deadline if lost and deadline else Deadline(read_back_seconds)
    reading = read_until(
        read,
        lambda state: decide(state, answer) is not Decision.OPEN,
        GrowingPauses(limit, longest_pause),
        stop=stop,
        before_pause=before_pause,
    )
    if lost:
        seconds = time.monotonic() - started
    decision = decide(reading.state, answer) if reading.found and reading.state is not None else Decision.OPEN
    return Proof(decision, answer, lost, reading.state, reading.error, seconds)

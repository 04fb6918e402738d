# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time: limits on a call and on a whole wait, the pauses between two reads, and moments as text.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import threading
import time
import typing as t

SHORTEST_PAUSE = 1.0
"""Seconds between two reads at first."""

LEAST_TIME_TO_LOOK = 10.0
"""Seconds for the last read, which comes when the deadline has passed; a server at work may be slow."""

PART_OF_WAIT = 0.1
"""A pause as a part of the time that was waited until it begins."""


class TimeLimitPassed(Exception):
    """Raised inside ``time_limit``; not an OSError, so that no library mistakes it for a broken connection."""


@contextlib.contextmanager
def time_limit(seconds: float) -> t.Iterator[None]:
    """Raise :class:`TimeLimitPassed` in the body after that many seconds of wall clock.

    The timeout of a socket starts anew with every byte, so a server that drips one byte a second would never reach
    it. The alarm repeats each second because an exception raised inside a finalizer is swallowed by Python.
    Within another limit the one that is over first counts; the outer one is in force again after the body.
    In a thread other than the main one, where signals cannot be handled, the body runs without the limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(_signum: int, _frame: t.Any) -> None:
        raise TimeLimitPassed

    started = time.monotonic()
    outer, _interval = signal.getitimer(signal.ITIMER_REAL)
    previous = signal.signal(signal.SIGALRM, expire)
    _set_alarm(min(seconds, outer) if outer else seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if outer:
            _set_alarm(outer - (time.monotonic() - started))


def _set_alarm(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 1.0)


class Deadline:
    """A point in time that all the waiting of one module run shares."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._start = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(self.seconds - self.elapsed, 0.0)

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining <= 0

    @property
    def time_to_look(self) -> float:
        """Seconds for one read of what is waited for: what is left, and enough for an answer where that is little."""
        return round(max(self.remaining, LEAST_TIME_TO_LOOK), 1)

    @property
    def too_close(self) -> bool:
        """Whether so little time is left that a long call would be given up before its answer could arrive."""
        return self.remaining < min(1.0, self.seconds / 2)


class Pauses:
    """The pauses between the reads of one thing: after each read, :meth:`take` decides whether there is another one."""

    def take(self, asked: float | None = None) -> bool:
        """Sleep before the next read. Return false, without sleeping, when there is to be no other read.

        :param asked: seconds that the server asked to wait (Retry-After); the pause is not shorter, within its limit.
        """
        raise NotImplementedError

    def begin_again(self) -> None:
        """Make the next pauses short again, because what is read has changed. The limit stays."""


class GrowingPauses(Pauses):
    """Pauses that are short at first and grow up to ``longest`` seconds; they end with the deadline.

    What is waited for is found late by no more than a tenth of the time that it took, or by a second. That makes 11
    reads in 10 seconds, 30 in a minute, 54 in ten; from then on one in each ``longest`` where that is a minute. The
    last read comes when the deadline has passed.
    """

    def __init__(self, deadline: Deadline, longest: float) -> None:
        self.deadline = deadline
        self._longest = longest
        self._began = time.monotonic()

    def take(self, asked: float | None = None) -> bool:
        """See :meth:`Pauses.take`. A server that asks for more than what is left gets what is left."""
        if self.deadline.passed:
            return False
        pause = min(max(SHORTEST_PAUSE, PART_OF_WAIT * (time.monotonic() - self._began)), self._longest)
        time.sleep(min(max(pause, asked or 0.0), self.deadline.remaining))
        return True

    def begin_again(self) -> None:
        """See :meth:`Pauses.begin_again`."""
        self._began = time.monotonic()


class FixedPauses(Pauses):
    """A few pauses of given lengths in seconds: for a call that is tried again and then given up.

    :param longest_asked: no pause is longer than this for the sake of a server that asked to wait.
    """

    def __init__(self, seconds: t.Iterable[float], longest_asked: float) -> None:
        self._seconds = iter(seconds)
        self._longest_asked = longest_asked

    def take(self, asked: float | None = None) -> bool:
        """See :meth:`Pauses.take`."""
        pause = next(self._seconds, None)
        if pause is None:
            return False
        time.sleep(max(pause, min(asked or 0.0, self._longest_asked)))
        return True


def utc_now() -> dt.datetime:
    """The present, with its time zone."""
    return dt.datetime.now(dt.timezone.utc)


def utc_text(moment: dt.datetime, timespec: str = "milliseconds") -> str:
    """A moment as results, reports and request files write it: in UTC, such as ``2026-11-21T23:15:02.123Z``.

    :param timespec: ``milliseconds`` or ``seconds``, as ``datetime.isoformat`` takes it.
    """
    return moment.astimezone(dt.timezone.utc).isoformat(timespec=timespec).replace("+00:00", "Z")


def parse_utc(text: str) -> dt.datetime:
    """The moment that a text names, with or without a fraction of a second.

    :raises ValueError: :func:`utc_text` does not write such a text.
    """
    form = "%Y-%m-%dT%H:%M:%S.%f%z" if "." in text else "%Y-%m-%dT%H:%M:%S%z"
    return dt.datetime.strptime(text.replace("Z", "+0000"), form)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits on time: one for a single call, one for everything a module waits for.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import typing as t

SHORTEST_PAUSE = 1.0
"""Seconds between two looks at first."""

LEAST_TIME_TO_LOOK = 10.0
"""Seconds for the last look, which comes when the deadline has passed; a server at work may be slow."""

PART_OF_WAIT = 0.1
"""A pause as a part of the time that was waited until it begins."""


class TimeLimitPassed(Exception):
    """Raised inside ``time_limit``; not an OSError, so that no library takes it for a broken connection."""


@contextlib.contextmanager
def time_limit(seconds: float) -> t.Iterator[None]:
    """Raise :class:`TimeLimitPassed` in the body after that many seconds of wall clock.

    The timeout of a socket starts anew with every byte, so a server that drips one byte a second would never reach
    it. The alarm repeats each second because an exception raised inside a finalizer is swallowed by Python.
    Within another limit the one that is over first counts; the outer one holds again behind the body.
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
        """Seconds for one look at what is waited for: what is left, and enough for an answer where that is little."""
        return round(max(self.remaining, LEAST_TIME_TO_LOOK), 1)

    @property
    def too_close(self) -> bool:
        """Whether so little time is left that a long call would be given up on before its answer could come."""
        return self.remaining < min(1.0, self.seconds / 2)

    def pauses(self, longest: float) -> t.Iterator[float]:
        """Sleep, then yield the seconds slept: short at first, up to ``longest``; ends when the deadline has passed.

        What is waited for is found late by no more than a tenth of the time that it took, or by a second. That makes 11
        looks in 10 seconds, 30 in a minute, 54 in ten; from then on one in each ``longest`` where that is a minute.
        """
        began = time.monotonic()
        while not self.passed:
            nap = min(max(SHORTEST_PAUSE, PART_OF_WAIT * (time.monotonic() - began)), longest, self.remaining)
            time.sleep(nap)
            yield nap

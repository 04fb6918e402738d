# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of a progress line, from the notes that a module writes; without input, output and a clock of its own.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ..module_utils._core.human import LONGEST, duration, size

RATE_SECONDS = 30.0
"""A rate is measured over this time, so that the time left does not jump with each block."""

STALLED_SECONDS = 10.0
"""After this time without progress, a line says so instead of showing a rate."""

PLAIN_STATE = re.compile(r"[A-Za-z][\w.:+ -]{0,119}", re.ASCII)
UNKNOWN_STATE = "in a state without a plain name"


@dataclass(frozen=True)
class Moving:
    """A transfer. ``at`` is in seconds by the module's clock; ``total`` is None if it is unknown."""

    at: float
    done: int
    total: int | None


@dataclass(frozen=True)
class Waiting:
    """The module waits since ``at``, and gives up after ``at_most`` seconds; None for never."""

    at: float
    state: str
    at_most: float | None


def parsed(text: str | bytes) -> Moving | Waiting | None:
    """The note of a module; None for anything else. The text comes from a managed host, so every value is checked."""
    try:
        note = json.loads(text)
        at = _number(note["at"])
        if "state" in note:
            state = note["state"] if PLAIN_STATE.fullmatch(note["state"]) else UNKNOWN_STATE
            return Waiting(at, state, None if note["at_most"] is None else _number(note["at_most"]))
        return Moving(at, int(_number(note["done"])), None if note["total"] is None else int(_number(note["total"])))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _number(value: t.Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < LONGEST:
        raise ValueError("not a number of bytes or seconds")
    return value


class WorkProgress:
    """The notes of one piece of work so far, and the line that they make. The caller passes each moment, in seconds."""

    def __init__(self) -> None:
        self._latest: Moving | Waiting | None = None
        self._samples: list[Moving] = []
        self._seen = 0.0
        self._news = 0.0

    def add(self, note: Moving | Waiting | None, now: float) -> None:
        """Add what was read at this moment; the same note again, or None, changes nothing."""
        if note is None or note == self._latest:
            return
        before, self._latest, self._seen = self._latest, note, now
        if isinstance(note, Waiting):
            if not isinstance(before, Waiting) or before.state != note.state:
                self._news = now
            self._samples.clear()
            return
        if not self._samples or note.done != self._samples[-1].done:
            self._news = now
        if self._samples and (note.done < self._samples[-1].done or note.at <= self._samples[-1].at):
            self._samples.clear()
        self._samples.append(note)
        while len(self._samples) > 2 and note.at - self._samples[1].at >= RATE_SECONDS:
            del self._samples[0]

    def line(self, now: float) -> str:
        """The line at this moment; empty while nothing is known."""
        latest = self._latest
        if isinstance(latest, Waiting):
            elapsed = now - self._news
            words = f"{latest.state} for {duration(elapsed)}"
            if latest.at_most is not None:
                words += f", at most {duration(max(latest.at_most - elapsed, 0))} more"
            return words
        if isinstance(latest, Moving):
            return ", ".join([_amount(latest), *self._pace(latest, now)])
        return ""

    def _pace(self, latest: Moving, now: float) -> list[str]:
        """Rate and time left, if they are known."""
        if latest.done == latest.total:
            return []
        standstill = now - self._news
        if standstill >= STALLED_SECONDS:
            return [f"nothing moved for {duration(standstill)}"]
        speed = rate(self._samples, now - self._seen)
        if not speed:
            return []
        words = [f"{size(speed)}/s"]
        if latest.total is not None and latest.total > latest.done:
            words.append(f"{duration((latest.total - latest.done) / speed)} left")
        return words


def rate(samples: t.Sequence[Moving], silence: float = 0.0) -> float | None:
    """Bytes in a second between the first and the last sample; None if that is not known.

    :param silence: seconds without progress since the last new sample.
    """
    if len(samples) < 2:
        return None
    first, last = samples[0], samples[-1]
    # A module writes at most once a second, so two seconds without a new note are normal.
    seconds = last.at - first.at + max(silence - 2.0, 0.0)
    return (last.done - first.done) / seconds if seconds > 0 else None


def _amount(latest: Moving) -> str:
    if latest.total is None or latest.total < latest.done:
        return size(latest.done)
    percent = f" ({latest.done * 100 // latest.total} %)" if latest.total else ""
    return f"{size(latest.done)} of {size(latest.total)}{percent}"

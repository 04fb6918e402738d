# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for an upgrade request: through hours of tests, and through whatever a network does meanwhile.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from .._core.clock import Deadline
from .._core.errors import CallError, UpgradeError
from .platform import Stage, Status, may_have_acted, passes_by_itself
from .request import OdooRequest

UNREADABLE = "without an answer"
"""What goes on while not one answer has come, in the words of a line of progress."""

READ_BACK_SECONDS = 30
"""How long a state may take to follow a call that the platform has accepted."""


def wait_until(request: OdooRequest, reached: t.Container[Stage], *, timeout: float, interval: float) -> Status:
    """The status of a request once it is in one of these stages.

    Only reads, as often as needed: errors of the platform, too many calls, gateways in trouble and broken connections
    are waited out, for at least as long as the server asks.

    :param timeout: seconds for all of it.
    :param interval: the longest pause between two reads, in seconds.
    :raises RequestFailed: the request ended without a result.
    :raises UpgradeError: the time is over; names the state, or why it could not be read.
    :raises CallError: a read failed in a way that waiting does not fix.
    """
    progress = request.task.progress
    deadline = Deadline(timeout)
    pauses = deadline.pauses(interval)
    status, trouble = _look(request)
    while not status or status.stage not in reached:
        progress.state(status.state if status else UNREADABLE, at_most=deadline.remaining)
        paused = next(pauses, None)
        if paused is None:
            raise _too_late(request, status, trouble, timeout)
        asked_to_wait = trouble.retry_after if trouble and trouble.retry_after else 0.0
        time.sleep(min(max(asked_to_wait - paused, 0.0), deadline.remaining))
        latest, trouble = _look(request)
        if latest and (not status or latest.state != status.state):
            # How long a state lasts says nothing about the next one.
            pauses = deadline.pauses(interval)
        status = latest or status
    return status


def call_and_verify(request: OdooRequest, call: t.Callable[[], None], *, leaving: Stage) -> Status | None:
    """Make a call that has a request leave a stage, at most once, and prove by reading that it did.

    :return: the status; None, with a warning, where the platform accepted and the state cannot be read.
    :raises RequestFailed: the request left the stage, and ended without a result.
    :raises CallError: the call failed and changed nothing.
    :raises UpgradeError: the request is still in that stage, or an answer was lost and the state cannot be read.
    """
    lost: CallError | None = None
    try:
        call()
    except CallError as error:
        if not may_have_acted(error):
            raise
        lost = error
    status = _read_back(request, leaving)
    again = "Run this again: it reads the state first, and calls again only if the request is still as it was."
    if not status:
        if lost:
            raise UpgradeError(f"{lost} The state could not be read afterwards. {again}", **lost.result) from lost
        request.task.warn("The platform accepted the call; since then the state could not be read.")
    elif status.stage is leaving:
        first = str(lost) if lost else "The platform accepted the call."
        still = f"For {READ_BACK_SECONDS} seconds {request.name} has stayed in the state '{status.state}' since."
        raise UpgradeError(f"{first} {still} {again}", **(lost.result if lost else {}))
    elif lost:
        request.task.warn(f"{lost} The state read afterwards proves that the platform had acted.")
    return status


def _read_back(request: OdooRequest, leaving: Stage) -> Status | None:
    """The latest status of a request that is to leave a stage within moments; None if none came."""
    status: Status | None = None
    for _pause in _with_none_before(Deadline(READ_BACK_SECONDS).pauses(longest=3)):
        with contextlib.suppress(CallError):
            status = request.status()
            request.require_not_failed(status)
            if status.stage is not leaving:
                break
    return status


def _with_none_before(pauses: t.Iterator[float]) -> t.Iterator[float | None]:
    yield None
    yield from pauses


def _look(request: OdooRequest) -> tuple[Status | None, CallError | None]:
    """The status, or the passing fault that hindered it."""
    try:
        status = request.look()
    except CallError as error:
        if not passes_by_itself(error):
            raise
        return None, error
    request.require_not_failed(status)
    return status, None


def _too_late(request: OdooRequest, status: Status | None, trouble: CallError | None, timeout: float) -> UpgradeError:
    hindered = f" The last try: {trouble}" if trouble else ""
    if not status:
        return UpgradeError(f"The state of {request.name} could not be read for {timeout:g} seconds.{hindered}")
    advice = "The platform goes on by itself: run this again to go on waiting."
    if status.stage is Stage.OPEN:
        advice = "Nothing works on it before a dump was uploaded and odoo_upgrade_process was run."
    elif status.stage is Stage.UNKNOWN:
        advice = f"This collection does not know that state: look at the platform's page for the request. {advice}"
    message = f"After {timeout:g} seconds {request.name} is in the state '{status.state}'. {advice}{hindered}"
    return UpgradeError(message, **request.result(status, changed=False))

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a stage of an upgrade request, and changing its stage with a call that is proven by reading.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .._core.clock import Deadline, GrowingPauses
from .._core.errors import CallError, UpgradeError
from .._core.proof import Decision, read_until, send_and_prove
from .failures import may_have_acted, passes_by_itself
from .request import OdooRequest
from .status import Stage, Status

UNREADABLE = "without an answer"
"""What a line of progress says while no answer has come."""

READ_BACK_SECONDS = 30
"""How long a state may take to follow a call that the platform has accepted."""

LONGEST_PAUSE = 3
"""Seconds between two of those reads."""


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

    def report_progress(status: Status | None) -> None:
        progress.state(status.state if status else UNREADABLE, at_most=deadline.remaining)

    reading = read_until(
        lambda: _look(request),
        lambda status: status.stage in reached,
        GrowingPauses(deadline, interval),
        passes=passes_by_itself,
        same_phase=lambda before, after: before.state == after.state,
        before_pause=report_progress,
    )
    if reading.state and reading.found:
        return reading.state
    raise _too_late(request, reading.state, reading.error, timeout)


def call_and_verify(request: OdooRequest, call: t.Callable[[], None], *, leaving: Stage) -> Status | None:
    """Make a call that has a request leave a stage, at most once, and prove by reading that it did.

    :return: the status; None, with a warning, where the platform accepted and the state cannot be read.
    :raises RequestFailed: the request left the stage, and ended without a result.
    :raises CallError: the call failed and changed nothing.
    :raises UpgradeError: the request is still in that stage, or an answer was lost and the state cannot be read.
    """

    def decide(status: Status, _answer: None) -> Decision:
        return Decision.proven_if(status.stage is not leaving)

    proof = send_and_prove(
        call,
        lambda: _look(request),
        decide,
        longest_pause=LONGEST_PAUSE,
        read_back_seconds=READ_BACK_SECONDS,
        may_have_acted=may_have_acted,
    )
    status, lost = proof.state, proof.lost
    again = "Run this again: it reads the state first, and calls again only if the request is still as it was."
    if not status:
        if lost:
            raise UpgradeError(f"{lost} The state could not be read afterwards. {again}", **lost.result) from lost
        request.task.warn("The platform accepted the call, but the state could not be read afterwards.")
    elif not proof.proven:
        first = str(lost) if lost else "The platform accepted the call."
        still = f"{request.title} has stayed in the state '{status.state}' for {READ_BACK_SECONDS} seconds since."
        raise UpgradeError(f"{first} {still} {again}", **(lost.result if lost else {}))
    elif lost:
        request.task.warn(f"{lost} The state read afterwards proves that the platform carried it out.")
    return status


def _look(request: OdooRequest) -> Status:
    status = request.look()
    request.require_not_failed(status)
    return status


def _too_late(request: OdooRequest, status: Status | None, trouble: CallError | None, timeout: float) -> UpgradeError:
    last_try = f" The last read failed: {trouble}" if trouble else ""
    if not status:
        return UpgradeError(f"The state of {request.name} could not be read for {timeout:g} seconds.{last_try}")
    advice = "The platform goes on working: run this again to wait for it."
    if status.stage is Stage.OPEN:
        advice = "Upload a dump with odoo_upgrade_upload and start the upgrade with odoo_upgrade_process."
    elif status.stage is Stage.UNKNOWN:
        advice = f"This collection does not know that state: look at the platform's page of the request. {advice}"
    message = f"After {timeout:g} seconds {request.name} is in the state '{status.state}'. {advice}{last_try}"
    return UpgradeError(message, **request.result(status, changed=False))

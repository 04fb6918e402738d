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
from .._core.progress import Progress
from .database_api.client import may_have_acted, passes_by_itself
from .request import OdooRequest
from .states import DRAFT, IN_WORK, state_of

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

UNREADABLE = "without an answer"
"""What goes on while not one answer has come, in the words of a line of progress."""

READ_BACK_SECONDS = 30
"""How long a state may take to follow a call that the platform has accepted."""


def wait_until(
    request: OdooRequest, reached: t.Container[str], *, timeout: float, interval: float, progress: Progress
) -> dict[str, t.Any]:
    """The status document of a request once it is in one of these states.

    Only reads, as often as needed: errors of the platform, too many calls, gateways in trouble and broken connections
    are waited out, for at least as long as the server asks.

    :param timeout: seconds for all of it.
    :param interval: the longest pause between two reads, in seconds.
    :raises RequestFailed: the request ended without a result.
    :raises UpgradeError: the time is over; names the state, or why it could not be read.
    :raises CallError: a read failed in a way that waiting does not fix.
    """
    deadline = Deadline(timeout)
    pauses = deadline.pauses(interval)
    document, trouble = _look(request)
    while state_of(document) not in reached:
        progress.state(state_of(document) if document else UNREADABLE, at_most=deadline.remaining)
        paused = next(pauses, None)
        if paused is None:
            raise _too_late(request, document, trouble, timeout)
        asked_to_wait = trouble.retry_after if trouble and trouble.retry_after else 0.0
        time.sleep(min(max(asked_to_wait - paused, 0.0), deadline.remaining))
        latest, trouble = _look(request)
        if latest and state_of(latest) != state_of(document):
            # How long a state lasts says nothing about the next one.
            pauses = deadline.pauses(interval)
        document = latest or document
    return document


def call_and_verify(
    module: AnsibleModule, request: OdooRequest, call: t.Callable[[], None], *, leaving: str
) -> dict[str, t.Any]:
    """Make a call that has a request leave a state, at most once, and prove by reading that it did.

    :return: the status document; empty, with a warning, where the platform accepted and the state cannot be read.
    :raises RequestFailed: the request left the state, and ended without a result.
    :raises CallError: the call failed and changed nothing.
    :raises UpgradeError: the request is still in that state, or an answer was lost and the state cannot be read.
    """
    lost: CallError | None = None
    try:
        call()
    except CallError as error:
        if not may_have_acted(error):
            raise
        lost = error
    document = _read_back(request, leaving)
    again = "Run this again: it reads the state first, and calls again only if the request is still as it was."
    if not document:
        if lost:
            raise UpgradeError(f"{lost} The state could not be read afterwards. {again}", **lost.result) from lost
        module.warn("The platform accepted the call; since then the state could not be read.")
    elif state_of(document) == leaving:
        first = str(lost) if lost else "The platform accepted the call."
        still = (
            f"For {READ_BACK_SECONDS} seconds request {request.record.id} has stayed in the state '{leaving}' since."
        )
        raise UpgradeError(f"{first} {still} {again}", **(lost.result if lost else {}))
    elif lost:
        module.warn(f"{lost} The state read afterwards proves that the platform had acted.")
    return document


def _read_back(request: OdooRequest, state: str) -> dict[str, t.Any]:
    """The latest status document of a request that is to leave a state within moments; empty if none came."""
    document: dict[str, t.Any] = {}
    for _pause in _with_none_before(Deadline(READ_BACK_SECONDS).pauses(longest=3)):
        with contextlib.suppress(CallError):
            document = request.status()
            request.require_not_failed(document)
            if state_of(document) != state:
                break
    return document


def _with_none_before(pauses: t.Iterator[float]) -> t.Iterator[float | None]:
    yield None
    yield from pauses


def _look(request: OdooRequest) -> tuple[dict[str, t.Any], CallError | None]:
    """The status document, or empty with the passing fault that hindered it."""
    try:
        document = request.client.status_once()
    except CallError as error:
        if not passes_by_itself(error):
            raise
        return {}, error
    request.note_state(document)
    request.require_not_failed(document)
    return document, None


def _too_late(
    request: OdooRequest, document: dict[str, t.Any], trouble: CallError | None, timeout: float
) -> UpgradeError:
    hindered = f" The last try: {trouble}" if trouble else ""
    name = f"request {request.record.id}"
    if not document:
        return UpgradeError(f"The state of {name} could not be read for {timeout:g} seconds.{hindered}")
    state = state_of(document)
    advice = "The platform goes on by itself: run this again to go on waiting."
    if state == DRAFT:
        advice = "Nothing works on it before a dump was uploaded and odoo_upgrade_process was run."
    elif state not in IN_WORK:
        advice = f"This collection does not know that state: look at the platform's page for the request. {advice}"
    message = f"After {timeout:g} seconds {name} is in the state '{state}'. {advice}{hindered}"
    return UpgradeError(message, **request.result(document, changed=False))

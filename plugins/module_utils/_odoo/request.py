# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One upgrade request: read, noted in its file, and shown in the results of all Odoo modules.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from .._core.clock import FixedPauses
from .._core.errors import AnswerLostError, CallError, OptionError, UpgradeError
from .._core.files import BusyError
from .._core.http_client import LONGEST_WAIT_ASKED, READ_AGAIN_AFTER
from .._core.masking import masked
from .._core.proof import read_until
from .._core.text import one_line
from .failures import passes_by_itself
from .notes import Notes
from .platform import Platform
from .records import Record
from .request_file import RequestFile, RequestFileError, lock_request_file
from .status import Stage, Status
from .wanted import Handle

if t.TYPE_CHECKING:
    from .._core.task import Task


POSTGRESQL = "is_pg_version_compatible"
"""Whether the PostgreSQL that made the dump can restore the result: today's service says it once."""

NOT_READ = "The state of the request could not be read. Check any proxy in between, and run this again."

LOG_LINES = 20


class RequestFailed(UpgradeError):
    """The request ended without a result: the platform failed, or the request was cancelled."""

    def __init__(self, status: Status, request_id: str, log_lines: t.Sequence[str] = ()) -> None:
        words = one_line(status.message, 2000)
        reason = f"The platform says: {words.rstrip('.')}." if words else "The platform gives no reason."
        log = f" The last lines of its log: {one_line(' | '.join(log_lines), 1000)}" if log_lines else ""
        super().__init__(
            f"Request {request_id} ended in the state '{status.state}'. {reason}{log} There is nothing to fetch. "
            "Once the cause is fixed, make another request: with another 'request_file', or by running "
            "odoo_upgrade_request once with 'renew: true'.",
            request=status.public,
            request_id=request_id,
            state=status.state,
            log_lines=list(log_lines),
        )


@dataclass
class OdooRequest:
    """One request with what is remembered of it.

    ``exists`` is false only in check mode: there the task that makes the request has made none. Then only
    :meth:`result` may be called.
    """

    task: Task
    platform: Platform
    file: RequestFile

    @property
    def record(self) -> Record:
        """What is remembered; changes last when ``file.save()`` was called."""
        return self.file.record

    @property
    def notes(self) -> Notes:
        """What a transfer may use of the record."""
        return Notes(self.file)

    @property
    def exists(self) -> bool:
        """Whether there is a request on the platform."""
        return bool(self.record.handle)

    @property
    def handle(self) -> Handle:
        """What the platform needs to speak of the request."""
        if not self.record.handle:
            raise RuntimeError("there is no request yet")
        return self.record.handle

    @property
    def name(self) -> str:
        """The request, as messages call it within a sentence."""
        return f"request {self.record.request_id}".rstrip()

    @property
    def title(self) -> str:
        """The request, as messages call it at the start of a sentence."""
        return f"Request {self.record.request_id}".rstrip()

    def status(self) -> Status:
        """Read the request and note its state. A passing fault is read again twice.

        :raises CallError: it could not be read.
        """
        status = self.read()
        self.note(status)
        return status

    def read(self) -> Status:
        """As :meth:`status`, with nothing noted."""
        reading = read_until(
            lambda: self.platform.status(self.handle),
            lambda _status: True,
            FixedPauses(READ_AGAIN_AFTER, LONGEST_WAIT_ASKED),
            passes=passes_by_itself,
        )
        if isinstance(reading.error, AnswerLostError):
            lost = reading.error
            raise AnswerLostError(
                lost.call, lost.what, status=lost.status, hint=NOT_READ, retry_after=lost.retry_after
            ) from lost
        if reading.error or reading.state is None:
            raise reading.error or AssertionError("a read without an answer has an error")
        return reading.state

    def look(self) -> Status:
        """As :meth:`status`, with a single call: for a caller that repeats it."""
        status = self.platform.status(self.handle)
        self.note(status)
        return status

    def note(self, status: Status) -> None:
        """Remember the state, and the handle where that changed, if it is news and can be noted at once."""
        is_news = self._note_in(self.record, status)
        if not is_news or self.task.check_mode:
            return
        if self.file.locked:
            self.file.save()
            return
        # A read of the status must not fail because it cannot be noted: the disk is full, or the folder read-only.
        with (
            contextlib.suppress(BusyError, OptionError, RequestFileError),
            lock_request_file(self.file.path, 0) as file,
        ):
            same = file.record.handle and file.record.handle.secret == self.handle.secret
            if same and self._note_in(file.record, status):
                file.save()

    def _note_in(self, record: Record, status: Status) -> bool:
        moved = status.handle is not None and status.handle != record.handle
        record.handle = status.handle or record.handle
        return record.see(status.state) or moved

    def require_not_failed(self, status: Status) -> None:
        """:raises RequestFailed: the request ended without a result."""
        if status.stage is not Stage.FAILED:
            return
        lines: list[str] = []
        if "odoo_upgrade_log" in self.platform.modules:
            with contextlib.suppress(CallError):
                lines = last_lines(self.platform.log(self.handle, 0), self.handle.secret)
        if not self.task.check_mode:
            self.platform.release(self.notes)
        raise RequestFailed(status, self.record.request_id, lines)

    def stages_passed(self) -> set[Stage]:
        """The stages that the request was seen in so far."""
        return {self.platform.stage_of(seen.state) for seen in self.record.states_seen}

    def result(self, status: Status | None, *, changed: bool, **more: t.Any) -> dict[str, t.Any]:
        """The keys that the results of all Odoo modules have, and more.

        :param status: None where there is no request, or its state could not be read.
        """
        return {
            "changed": changed,
            "request_id": self.record.request_id,
            "state": status.state if status else "",
            "stage": status.stage.value if status else "",
            "finished": status is not None and status.stage is Stage.READY,
            "request": status.public if status else {},
            "states_seen": [{"state": seen.state, "at": seen.at} for seen in self.record.states_seen],
            "protocol": self.platform.protocol,
            **({POSTGRESQL: self.record.facts[POSTGRESQL] == "true"} if self.record.facts.get(POSTGRESQL) else {}),
            **more,
        }


def last_lines(log: bytes, *secrets: str) -> list[str]:
    """The last lines of a platform's log, fit for a result."""
    lines = log.decode("utf-8", "replace").splitlines()[-LOG_LINES:]
    return [str(masked(one_line(line, 500), *secrets)) for line in lines if line.strip()]

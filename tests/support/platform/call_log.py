# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A record of every call and every SFTP session. No record holds a key, a contract or a URL that carries one."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

_SETTLING_SECONDS = 2.0


@dataclass
class CallRecord:
    """One HTTP call or one SFTP connection.

    call:       create, upload, request_sftp_access, process, status, skip_test; a result such as upgraded/archive;
                status_page; sftp; unknown.
    method:     the HTTP method, or SFTP.
    form:       the wire form of an API call, such as "POST form" or "GET query".
    status:     the HTTP status that was sent; None where none was, and for SFTP.
    acted:      the platform did what was asked, whatever became of the answer.
    received:   bytes of HTTP body, or bytes written over SFTP.
    sent:       bytes of HTTP body, or bytes read over SFTP.
    fault:      the kind of the fault that was played.
    failures:   the reasons of the failures that were answered.
    opens:      SFTP: what was opened, as "name (mode)".
    events:     SFTP: what else happened (refused, authenticated, denied, cut).
    """

    number: int
    call: str
    method: str
    at: str
    request_id: int | None = None
    form: str | None = None
    range: str | None = None
    status: int | None = None
    acted: bool = False
    received: int = 0
    sent: int = 0
    fault: str | None = None
    failures: list[str] = field(default_factory=list)
    opens: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    finished: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        parts = [
            f"{self.number:4d} {self.at[11:19]} {self.method:4s} {self.call}",
            f"request {self.request_id}" if self.request_id else None,
            f"-> {self.status}" if self.status else None,
            f"[{self.form}]" if self.form else None,
            f"range {self.range}" if self.range else None,
            f"received {self.received}" if self.received else None,
            f"sent {self.sent}" if self.sent else None,
            ", ".join(self.failures + self.opens + self.events) or None,
            f"FAULT {self.fault}" if self.fault else None,
        ]
        return "  ".join(part for part in parts if part)


class CallLog:
    """The records in the order in which the calls began."""

    def __init__(self, on_finish: Callable[[CallRecord], None] | None = None) -> None:
        self._records: list[CallRecord] = []
        self._count = 0
        self._changed = threading.Condition()
        self._on_finish = on_finish

    def begin(self, call: str, method: str) -> CallRecord:
        now = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
        with self._changed:
            self._count += 1
            record = CallRecord(self._count, call, method, now)
            self._records.append(record)
        return record

    def finish(self, record: CallRecord) -> None:
        with self._changed:
            if record.finished:
                return
            record.finished = True
            self._changed.notify_all()
        if self._on_finish:
            self._on_finish(record)

    def records(self, call: str | None = None, request_id: int | None = None) -> list[CallRecord]:
        """Copies of the records, all or those of one call or request.

        Waits a moment for calls whose answer is already with the client to be written down to the end.
        """
        deadline = time.monotonic() + _SETTLING_SECONDS
        with self._changed:
            while not all(record.finished for record in self._records):
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    break
            return [
                replace(record, failures=list(record.failures), opens=list(record.opens), events=list(record.events))
                for record in self._records
                if call in (None, record.call) and request_id in (None, record.request_id)
            ]

    def clear(self) -> None:
        with self._changed:
            self._records.clear()
            self._changed.notify_all()

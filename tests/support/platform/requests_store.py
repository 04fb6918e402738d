# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade requests and the states they pass.

    draft --process--> pending -> processing -> testing -> done
                                      |            `--skip_test--> delivered
                                      `--> invalid, or whatever the settings name as the end

The document names draft and done; the order of the others follows an existing client. Time passes when somebody looks:
every access goes through `RequestStore`, which first moves the request as far as its clock allows.
"""

from __future__ import annotations

import base64
import datetime
import hmac
import os
import secrets
import shutil
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.platform import dumps, failures
from support.platform.failures import Refusal
from support.platform.settings import Settings

IN_WORK = ("pending", "processing", "testing")
WITH_RESULT = ("done", "delivered")
_FIRST_ID = 10534
_FIRST_ISSUE = 648398
_INVALID_MESSAGE = "Your database could not be upgraded. Please contact the support."


@dataclass(frozen=True)
class SftpAccess:
    """One file, under one name, for the holders of these keys (their SSH wire form)."""

    keys: frozenset[bytes]
    name: str
    path: Path
    writable: bool


@dataclass
class UpgradeRequest:
    """One request; `history` holds every state it has been in, the present one last."""

    id: int
    key: str
    issue: int
    folder: Path
    settings: Settings
    email: str
    target: str
    aim: str
    filename: str
    timezone: str | None
    created_at: datetime.datetime
    history: list[str] = field(default_factory=lambda: ["draft"])
    processed_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None
    customer_message: str | None = None
    sftp_access: SftpAccess | None = None
    _entered: float = 0.0
    _derivation: Future[None] | None = None
    _inspected: tuple[tuple[int, int], dumps.DumpInfo] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _sql_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def state(self) -> str:
        return self.history[-1]

    @property
    def original(self) -> Path:
        """The uploaded dump: the file of the `upload` method and the shared file of SFTP alike."""
        return self.folder / "original"

    @property
    def upgraded(self) -> Path:
        return self.folder / "upgraded"

    @property
    def upload_size(self) -> int:
        return self.original.stat().st_size if self.original.exists() else 0

    @property
    def dump_info(self) -> dumps.DumpInfo | None:
        """What the upload seems to be; None before there is one."""
        if not self.upload_size:
            return None
        stat = self.original.stat()
        version = (stat.st_size, stat.st_mtime_ns)
        known = self._inspected
        if known is None or known[0] != version:
            known = self._inspected = (version, dumps.inspect(self.original))
        return known[1]

    @property
    def delivers_filestore(self) -> bool:
        info = self.dump_info
        return self.settings.deliver_filestore or bool(info and info.filestore)

    @property
    def result_name(self) -> str:
        return dumps.upgraded_name(self.filename, self.delivers_filestore)

    def require_state(self, *states: str) -> None:
        """Raises Refusal in any other state."""
        if self.state not in states:
            raise Refusal(failures.state_invalid(self.state, states))

    def start_work(self, executor: ThreadPoolExecutor) -> None:
        """`process`: leave draft and derive the upgraded dump in the background."""
        with self._lock:
            self.require_state("draft")
            if not self.upload_size:
                raise Refusal(failures.file_missing())
            self._derivation = executor.submit(self._derive)
            self.processed_at = _now()
            self._enter("pending")

    def skip_test(self) -> None:
        with self._lock:
            self.require_state("testing")
            self._enter("delivered")

    def grant_sftp_access(self, keys: frozenset[bytes]) -> SftpAccess:
        """Open the one file of the present state; the access ends when the state does."""
        with self._lock:
            self.require_state("draft", *WITH_RESULT)
            if self.state == "draft":
                self.original.touch()
                access = SftpAccess(keys, self.filename, self.original, writable=True)
            else:
                access = SftpAccess(keys, self.result_name, self.upgraded, writable=False)
            self.sftp_access = access
            return access

    def force_state(self, state: str, customer_message: str | None = None) -> None:
        """Put the request into any state; a state with a result gets one when there is an upload.

        Raises DumpError when the upload cannot be upgraded.
        """
        if state in WITH_RESULT and self._derivation:
            self._derivation.result()
        with self._lock:
            if state in WITH_RESULT and self.upload_size and not self.upgraded.exists():
                self._derive()
            if state != self.state:
                self._enter(state)
            self.customer_message = customer_message

    def advance(self) -> None:
        """Leave the present in-work state now; other states have no successor and stay.

        Waits for the derivation before it leaves `processing`, without a lock: the derivation must not need one.
        """
        problem: dumps.DumpError | None = None
        if self.state == "processing" and self._derivation:
            try:
                self._derivation.result()
            except dumps.DumpError as error:
                problem = error
        with self._lock:
            following = "invalid" if problem else self._following_state()
            if following:
                self._enter(following)
            if problem:
                self.customer_message = str(problem)

    def catch_up(self) -> None:
        """Pass the states whose time is over; processing takes at least as long as the derivation."""
        with self._lock:
            while self.state in IN_WORK and self.settings.stage_seconds is not None:
                due = self._entered + self.settings.stage_seconds
                deriving = self.state == "processing" and self._derivation and not self._derivation.done()
                if deriving or time.monotonic() < due:
                    return
                self.advance()
                self._entered = due

    def sql_file(self, which: str) -> Path:
        """The dump as SQL, written at the first request for it. `which` is original or upgraded."""
        destination = self.folder / f"{which}.sql"
        with self._sql_lock:
            if not destination.exists():
                dumps.write_sql(self.original if which == "original" else self.upgraded, destination)
        return destination

    def _following_state(self) -> str | None:
        succeeds = self.settings.end_state in WITH_RESULT
        return {
            "pending": "processing",
            "processing": "testing" if succeeds else self.settings.end_state,
            "testing": self.settings.end_state,
        }.get(self.state)

    def _enter(self, state: str) -> None:
        if state == "draft":
            self._forget_results()
        self.history.append(state)
        self._entered = time.monotonic()
        self.sftp_access = None
        if state not in IN_WORK:
            self.finished_at = _now()
            self.customer_message = self.settings.customer_message or (_INVALID_MESSAGE if state == "invalid" else None)

    def _forget_results(self) -> None:
        self._derivation = None
        for path in (self.upgraded, self.folder / "original.sql", self.folder / "upgraded.sql"):
            path.unlink(missing_ok=True)

    def _derive(self) -> None:
        info = self.dump_info
        if (info is None or info.kind == "unknown") and not self.settings.accept_any_dump:
            raise dumps.DumpError("The uploaded file is not a database dump that can be read.")
        dumps.derive(self.original, self.upgraded, self.target, self.delivers_filestore)


class RequestStore:
    """All requests of a platform. Safe to use from several threads."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.settings = settings
        self._folder = folder
        self._requests: dict[int, UpgradeRequest] = {}
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="derivation")
        self._next_id = _FIRST_ID
        self.clear()

    def create(self, **information: Any) -> UpgradeRequest:
        with self._lock:
            number, self._next_id = self._next_id, self._next_id + 1
            folder = self._folder / str(number)
            folder.mkdir()
            request = UpgradeRequest(
                id=number,
                key=base64.urlsafe_b64encode(secrets.token_bytes(16)).decode("ascii"),
                issue=_FIRST_ISSUE + number - _FIRST_ID,
                folder=folder,
                settings=self.settings,
                created_at=_now(),
                **information,
            )
            self._requests[number] = request
            return request

    def get(self, number: str | int) -> UpgradeRequest | None:
        """The request as it stands now, without asking for the key."""
        with self._lock:
            request = self._requests.get(int(number)) if str(number).isdecimal() else None
        if request:
            request.catch_up()
        return request

    def authorised(self, number: str, key: str) -> UpgradeRequest:
        """The request that `key` opens; raises Refusal for a request that is not there or another key."""
        request = self.get(number)
        if request is None:
            raise Refusal(failures.request_not_found(number))
        if not hmac.compare_digest(request.key.encode(), key.encode()):
            raise Refusal(failures.key_invalid())
        return request

    def process(self, request: UpgradeRequest) -> None:
        request.start_work(self._executor)

    def all(self) -> list[UpgradeRequest]:
        with self._lock:
            requests = list(self._requests.values())
        for request in requests:
            request.catch_up()
        return requests

    def clear(self) -> None:
        """Forget all requests and their files; numbers are not given twice."""
        with self._lock:
            self._requests.clear()
            shutil.rmtree(self._folder, ignore_errors=True)
            os.makedirs(self._folder, mode=0o700)

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade requests of today's service, their states, and their open transfer.

    new --process--> pending -> progress -> done, failed, cancelled, or whatever the settings name as the end

Time passes when somebody looks, as in `support.platform.requests_store`.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from support.platform.call_log import CallLog
from support.platform.certificates import LOOPBACK
from support.platform.faults import FaultQueue
from support.platform.settings import Settings
from support.upgrade_service import results
from support.upgrade_service.line import Line, Loop
from support.upgrade_service.rsync_command import Rules
from support.upgrade_service.ssh_servers import AsyncsshServer, OpensshServer, SshServer, find_sshd

NEW, PENDING, PROGRESS, DONE = "new", "pending", "progress", "done"
IN_WORK = (PENDING, PROGRESS)
UPLOAD, DOWNLOAD = "upload", "download"
_FIRST_ID = 4190001


@dataclass
class Transfer:
    """An open transfer: a published port, the line behind it, and the ssh server behind that."""

    what: str
    port: int
    host_key: str
    line: Line
    server: SshServer
    loop: Loop

    def close(self) -> None:
        self.loop.run(self.line.stop())
        self.server.stop()


@dataclass
class ServiceRequest:
    """One request; `history` holds every state it has been in, the present one last."""

    id: int
    token: str
    contract: str
    target: str
    aim: str
    env_vars: list[str]
    ssh_key: str
    folder: Path
    settings: Settings
    history: list[str] = field(default_factory=lambda: [NEW])
    host: int = 0
    reason: str | None = None
    archived: bool = False
    dump_name: str = results.DIRECTORY_RESULT
    transfer: Transfer | None = None
    received: dict[str, str] = field(default_factory=dict)
    _entered: float = 0.0
    _making: Future[str] | None = None
    _looks: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def state(self) -> str:
        return self.history[-1]

    @property
    def data(self) -> Path:
        """The folder that clients know as /data."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.data / results.LOG

    def write_log(self, line: str) -> None:
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def start_work(self, executor: ThreadPoolExecutor) -> None:
        self._making = executor.submit(self._make)
        self._enter(PENDING)

    def _make(self) -> str:
        source = results.origin(self.data)
        self.received = results.digests(source) if source else {}
        return results.make(self.data, self.target)

    def advance(self) -> None:
        """Leave the present state of work now; other states have no successor and stay."""
        problem = ""
        if self.state == PROGRESS and self._making:
            try:
                self.dump_name = self._making.result()
            except results.Unreadable as error:
                problem = str(error)
        with self.lock:
            if self.state == PENDING:
                self._enter(PROGRESS)
                self.write_log("INFO  the upgrade of the database begins, mise à niveau vers " + self.target)
            elif self.state == PROGRESS:
                for name, digest in self.received.items():
                    self.write_log(f"INFO  received {name} sha256 {digest}")
                self.write_log(f"ERROR the upgrade failed: {problem}" if problem else "INFO  the work has ended ✓")
                self.force_state("failed" if problem else self.settings.end_state, problem or None)

    def force_state(self, state: str, reason: str | None = None) -> None:
        with self.lock:
            if state == DONE and self._making is None and results.origin(self.data):
                self.dump_name = self._make()
            self._enter(state)
            self.reason = reason or self.settings.customer_message
            if self.settings.moves_at == state:
                self.host = 1

    def catch_up(self) -> None:
        """Pass the states whose time is over; the work takes at least as long as making the result."""
        with self.lock:
            while self.state in IN_WORK and self.settings.stage_seconds is not None:
                due = self._entered + self.settings.stage_seconds
                making = self.state == PROGRESS and self._making and not self._making.done()
                if making or time.monotonic() < due:
                    return
                self.advance()
                self._entered = due

    def look_at_log(self) -> bytes | None:
        """The log as it stands, which grows while the work goes on; None before there is one."""
        with self.lock:
            if self.state == PROGRESS:
                self._looks += 1
                self.write_log(f"INFO  step {self._looks} is under way, étape {self._looks}")
            return self.log.read_bytes() if self.log.exists() else None

    def close_transfer(self) -> None:
        transfer, self.transfer = self.transfer, None
        if transfer:
            transfer.close()

    def wipe(self) -> None:
        self.close_transfer()
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir()
        self.archived = True

    def _enter(self, state: str) -> None:
        self.history.append(state)
        self._entered = time.monotonic()


class ServiceStore:
    """All requests of today's service, and what opens their transfers. Safe to use from several threads."""

    def __init__(self, folder: Path, settings: Settings, faults: FaultQueue, log: CallLog) -> None:
        self.settings = settings
        self._folder = folder
        self._faults = faults
        self._log = log
        self._requests: dict[int, ServiceRequest] = {}
        self._next_id = _FIRST_ID
        self._opened = 0
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="service")
        self._loop: Loop | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, **information: Any) -> ServiceRequest:
        with self._lock:
            number, self._next_id = self._next_id, self._next_id + 1
            request = ServiceRequest(
                id=number,
                token=secrets.token_urlsafe(32),
                folder=self._folder / str(number),
                settings=self.settings,
                **information,
            )
            request.data.mkdir(mode=0o700, parents=True)
            self._requests[number] = request
            return request

    def find(self, token: str) -> ServiceRequest | None:
        """The request that a token opens."""
        found = next((request for request in self.all() if secrets.compare_digest(request.token, token)), None)
        return found

    def get(self, number: int) -> ServiceRequest | None:
        return next((request for request in self.all() if request.id == number), None)

    def all(self) -> list[ServiceRequest]:
        with self._lock:
            requests = list(self._requests.values())
        for request in requests:
            request.catch_up()
        return requests

    def process(self, request: ServiceRequest) -> None:
        request.start_work(self._executor)

    def open_transfer(self, request: ServiceRequest, what: str) -> Transfer:
        """A new port with a new host key; what was open before ends."""
        with request.lock:
            request.close_transfer()
            with self._lock:
                self._opened += 1
                folder = self._folder / f"ssh-{self._opened}"
                self._loop = self._loop or Loop()
            readable = (request.dump_name, results.FILESTORE, results.REPORT, results.LOG)
            rules = Rules(str(request.data), what == UPLOAD, readable, self.settings.rsync_refuses)
            host_key = asyncssh.generate_private_key("ssh-ed25519")
            sshd = find_sshd() if self.settings.ssh_server != "asyncssh" else None
            if self.settings.ssh_server == "sshd" and not sshd:
                raise RuntimeError("there is no sshd that could be used")
            server: SshServer = (
                OpensshServer(sshd, folder, rules, request.ssh_key, host_key)
                if sshd
                else AsyncsshServer(self._loop, rules, request.ssh_key, host_key)
            )
            line = Line(request.id, what, server.port, server.command, self._faults, self._log, self.settings)
            port = self._loop.run(line.start())
            public = host_key.export_public_key("openssh").decode().strip()
            request.transfer = Transfer(what, port, public, line, server, self._loop)
            return request.transfer

    def clear(self) -> None:
        """Forget all requests and their files; numbers are not given twice."""
        for request in self.all():
            request.close_transfer()
        with self._lock:
            self._requests.clear()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)

    def close(self) -> None:
        for request in self.all():
            request.close_transfer()
        self._executor.shutdown(wait=True, cancel_futures=True)
        if self._loop:
            self._loop.stop()


def known_hosts(host: str, transfer: Transfer) -> str:
    """The text of a known_hosts file for a transfer on this host."""
    return f"# rehearsal\n[{host or LOOPBACK}]:{transfer.port} {transfer.host_key}\n"

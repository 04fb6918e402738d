# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SFTP server: for each request one user, who sees one file and nothing else.

It is asyncssh's server, an implementation independent of the client under test. The event loop lives in a thread of its
own, so that the platform can be used from ordinary code.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import socket
import stat
import threading
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import asyncssh

from support.platform.api import sftp_user
from support.platform.call_log import CallLog, CallRecord
from support.platform.certificates import LOOPBACK, write_private
from support.platform.faults import SFTP_CALL, FaultQueue, SftpPlan
from support.platform.pace import Pace, shorten_buffers
from support.platform.requests_store import RequestStore, SftpAccess, UpgradeRequest

_HOST_KEY_TYPE = "ecdsa-sha2-nistp256"
_USER_PREFIX = "user_"
_FAREWELL_SECONDS = 5.0
_MODES = {asyncssh.FXF_READ: "read", asyncssh.FXF_WRITE: "write", asyncssh.FXF_APPEND: "append"}


class SftpServer:
    """Listens from `start` to `stop`. The host key is kept in the folder and found there again."""

    def __init__(self, port: int, folder: Path, store: RequestStore, faults: FaultQueue, log: CallLog) -> None:
        self._store = store
        self._faults = faults
        self._log = log
        self._host_key = _ensure_host_key(folder / "ssh_host_ecdsa_key")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sftp", daemon=True)
        self._socket = socket.create_server((LOOPBACK, port))
        self._socket.setblocking(False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._connected: set[int] = set()
        self._writing: set[int] = set()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def host_key(self) -> str:
        """The public host key, as in `ssh-ed25519 AAAA...`: type and key, without host name or comment."""
        return " ".join(self._host_key.export_public_key("openssh").decode("ascii").split()[:2])

    def start(self) -> None:
        self._thread.start()
        self._loop.call_soon_threadsafe(self._begin, self._accept())

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        self._socket.close()
        for task in self._tasks:
            task.cancel()
        # The connections are aborted now; asyncssh's own tasks notice, and close what they hold open.
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        if rest:
            _done, rest = await asyncio.wait(rest, timeout=_FAREWELL_SECONDS)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _accept(self) -> None:
        while True:
            connection, _address = await self._loop.sock_accept(self._socket)
            if self._store.settings.bytes_per_second:
                shorten_buffers(connection)
            self._begin(self._serve(connection))

    async def _serve(self, connection: socket.socket) -> None:
        record = self._log.begin(SFTP_CALL, "SFTP")
        plan = SftpPlan()
        fault = self._faults.take(SFTP_CALL)
        if fault:
            record.fault = fault.kind
            fault.apply(plan)
        session = _Session(self._store, plan, record, self._writing)
        most = self._store.settings.sftp_connections
        try:
            if plan.refuse_connection or (most is not None and len(self._connected) >= most):
                record.events.append("refused")
                connection.close()
                return
            self._connected.add(id(session))
            await self._talk(connection, session)
        except (OSError, asyncssh.Error):
            record.events.append("not connected")
        finally:
            self._connected.discard(id(session))
            self._writing.discard(id(session))
            self._log.finish(record)

    async def _talk(self, connection: socket.socket, session: _Session) -> None:
        other = asyncssh.generate_private_key(_HOST_KEY_TYPE) if session.plan.other_host_key else None
        ssh = await asyncssh.run_server(
            connection,
            server_factory=lambda: _Authentication(session),
            sftp_factory=lambda channel: _Folder(channel, session),
            server_host_keys=[other or self._host_key],
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
            process_factory=None,
        )
        try:
            await ssh.wait_closed()
        except asyncio.CancelledError:
            ssh.abort()
            raise


@dataclass
class _Session:
    """What one connection is about; `request` is known once a user has named itself, `writing` is for all of them."""

    store: RequestStore
    plan: SftpPlan
    record: CallRecord
    writing: set[int]
    request: UpgradeRequest | None = None

    def access(self) -> SftpAccess | None:
        """What is open to this user at this moment: a change of state ends it, also for those who are connected."""
        if self.request is None:
            return None
        self.request.catch_up()
        return self.request.sftp_access


class _Authentication(asyncssh.SSHServer):
    """Public keys only, and only those which were given with request_sftp_access."""

    def __init__(self, session: _Session) -> None:
        self._session = session

    def begin_auth(self, username: str) -> bool:
        request = self._session.store.get(username.removeprefix(_USER_PREFIX))
        if request and sftp_user(request) == username:
            self._session.request = request
            self._session.record.request_id = request.id
        return True

    def auth_completed(self) -> None:
        self._session.record.acted = True
        self._session.record.events.append("authenticated")

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        access = self._session.access()
        return bool(access and key.public_data in access.keys and not self._session.plan.refuse_authentication)


@dataclass
class _OpenFile:
    file: IO[bytes]
    access: SftpAccess
    append: bool


class _Folder(asyncssh.SFTPServer):
    """A folder with one file. Whatever is not listed here is denied."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], session: _Session) -> None:
        super().__init__(channel)
        self._session = session
        self._record = session.record
        self._plan = session.plan
        self._moved = 0
        self._pace = Pace(session.store.settings)

    def _deny(self, *_arguments: Any) -> NoReturn:
        self._record.events.append("denied")
        raise asyncssh.SFTPPermissionDenied("Permission denied")

    # There is nothing to create, move or remove.
    remove = mkdir = rmdir = rename = posix_rename = symlink = link = readlink = _deny  # type: ignore[assignment]
    open56 = lock = unlock = statvfs = fstatvfs = _deny  # type: ignore[assignment]

    def format_user(self, uid: int | None) -> str:
        return "0"

    def format_group(self, gid: int | None) -> str:
        return "0"

    def realpath(self, path: bytes) -> bytes:
        return posixpath.normpath(posixpath.join(b"/", path)).replace(b"//", b"/")

    async def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        await asyncio.sleep(self._session.store.settings.distance_seconds)
        return _folder_attributes() if self.realpath(path) == b"/" else _file_attributes(self._named(path))

    lstat = stat

    def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        return _file_attributes(self._opened(file_obj).access)

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Only the size can be set; times and permissions are swallowed."""
        access = self._named(path)
        if attrs.size is not None:
            if not access.writable:
                self._deny()
            os.truncate(access.path, attrs.size)

    lsetstat = setstat

    def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        opened = self._opened(file_obj)
        if attrs.size is not None:
            if not opened.access.writable:
                self._deny()
            opened.file.truncate(attrs.size)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        access = self._session.access()
        if self.realpath(path) != b"/" or access is None:
            self._deny()
        await asyncio.sleep(self._session.store.settings.distance_seconds)
        for name in (b".", b".."):
            yield asyncssh.SFTPName(name, attrs=_folder_attributes())
        yield asyncssh.SFTPName(self._listed_name(access).encode(), attrs=_file_attributes(access))

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        access = self._named(path)
        writes = bool(pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_APPEND))
        if writes and not access.writable:
            self._deny()
        if writes:
            self._take_lock()
        if pflags & asyncssh.FXF_CREAT and pflags & asyncssh.FXF_EXCL:
            raise asyncssh.SFTPFailure("The file exists")
        file = access.path.open("r+b" if writes else "rb", buffering=0)
        if writes and pflags & asyncssh.FXF_TRUNC:
            file.truncate(0)
        mode = "+".join(word for flag, word in _MODES.items() if pflags & flag)
        self._record.opens.append(f"{self._listed_name(access)} ({mode})")
        return _OpenFile(file, access, bool(pflags & asyncssh.FXF_APPEND))

    def _take_lock(self) -> None:
        writing, most = self._session.writing, self._session.store.settings.sftp_writers
        if most is not None and len(writing - {id(self._session)}) >= most:
            raise asyncssh.SFTPFailure("Somebody else is writing to it")
        writing.add(id(self._session))

    def close(self, file_obj: object) -> None:
        assert isinstance(file_obj, _OpenFile)
        file_obj.file.close()

    def fsync(self, file_obj: object) -> None:
        os.fsync(self._opened(file_obj).file.fileno())

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        opened = self._opened(file_obj)
        opened.file.seek(offset)
        data = opened.file.read(size)
        self._record.sent += await self._pass(len(data))
        return data

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        opened = self._opened(file_obj)
        if not opened.access.writable:
            self._deny()
        opened.file.seek(0 if opened.append else offset, os.SEEK_END if opened.append else os.SEEK_SET)
        allowed = self._allowance(len(data))
        opened.file.write(data[:allowed])
        self._record.received += allowed
        return await self._pass(len(data))

    def _opened(self, file_obj: object) -> _OpenFile:
        assert isinstance(file_obj, _OpenFile)
        if self._session.access() is not file_obj.access:
            self._deny()
        return file_obj

    def _named(self, path: bytes) -> SftpAccess:
        access = self._session.access()
        if access is None or self.realpath(path) != self.realpath(self._listed_name(access).encode()):
            self._deny()
        return access

    def _listed_name(self, access: SftpAccess) -> str:
        return self._plan.listed_name or access.name

    def _allowance(self, count: int) -> int:
        """How many of so many bytes may pass before the session is cut or hangs."""
        limits = [limit for limit in (self._plan.cut_after, self._plan.hang_after) if limit is not None]
        return min([count, *(limit - self._moved for limit in limits)])

    async def _pass(self, count: int) -> int:
        """Count bytes of data, and let them take their time; end or stop the session where the plan says so."""
        allowed = self._allowance(count)
        self._moved += allowed
        delay = self._pace.delay(allowed)
        if delay:
            await asyncio.sleep(delay)
        if allowed == count:
            return count
        if self._plan.hang_after is not None:
            await self.connection.wait_closed()
        elif "cut" not in self._record.events:
            self._record.events.append("cut")
            self.connection.abort()
        raise asyncssh.SFTPConnectionLost("The connection was cut")


def _ensure_host_key(path: Path) -> asyncssh.SSHKey:
    with contextlib.suppress(FileNotFoundError):
        return asyncssh.read_private_key(path)
    key = asyncssh.generate_private_key(_HOST_KEY_TYPE)
    write_private(path, key.export_private_key("openssh"))
    return key


def _file_attributes(access: SftpAccess) -> asyncssh.SFTPAttrs:
    found = access.path.stat()
    permissions = stat.S_IFREG | (0o666 if access.writable else 0o444)
    return _attributes(found.st_size, permissions, found)


def _folder_attributes() -> asyncssh.SFTPAttrs:
    return asyncssh.SFTPAttrs(size=0, uid=0, gid=0, permissions=stat.S_IFDIR | 0o555, atime=0, mtime=0)


def _attributes(size: int, permissions: int, found: os.stat_result) -> asyncssh.SFTPAttrs:
    return asyncssh.SFTPAttrs(
        size=size, uid=0, gid=0, permissions=permissions, atime=int(found.st_atime), mtime=int(found.st_mtime)
    )

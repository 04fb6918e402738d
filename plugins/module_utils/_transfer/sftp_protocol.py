# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SFTP protocol (version 3, draft-ietf-secsh-filexfer-02) over a channel, with many requests in flight.

Only what moving one file needs. paramiko's own client reaches half of what this does (measured): it writes 32 KiB at a
time, and reads a whole file ahead. A session belongs to one thread; several connections are several sessions.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import collections
import contextlib
import struct
import time
import typing as t
from dataclasses import dataclass, field

from .._core.errors import UpgradeError
from .._core.text import one_line
from .resume import BrokenOffError
from .ssh_socket import SilentPeerError

IN_FLIGHT = 16 * 1024 * 1024
"""Bytes asked for or sent and not yet answered: what all sessions of a transfer hold in memory."""

LEAST_IN_FLIGHT = 4 * 1024 * 1024
"""The same for one session of many: twice what OpenSSH lets be on its way at a time (measured)."""

PAUSE_SECONDS = 0.02

SAFE_BLOCK = 32 * 1024
"""What every server takes in one request."""

LARGE_BLOCK = 255 * 1024
"""What OpenSSH takes in one request beside its header; asked for only where the server states such limits."""

SSH_PACKET = 32 * 1024
"""What one packet to OpenSSH carries; for each, paramiko's own ``sendall`` copies all that is left (measured)."""

LONGEST_PACKET = 1024 * 1024
RECEIVE_BLOCK = 64 * 1024 * 1024
"""All that has come: paramiko moves what it keeps to the front of its buffer each time (measured)."""

LIMITS = b"limits@openssh.com"
MOST_NAMES = 10_000

INIT, VERSION, OPEN, CLOSE, READ, WRITE, OPENDIR, READDIR, STAT = 1, 2, 3, 4, 5, 6, 11, 12, 17
STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED, EXTENDED_REPLY = 101, 102, 103, 104, 105, 200, 201
OK, END_OF_FILE, NO_SUCH_FILE, DENIED, FAILURE = 0, 1, 2, 3, 4
TO_READ, TO_WRITE, TO_CREATE, TO_TRUNCATE = 1, 2, 8, 16
HAS_SIZE, HAS_OWNER, HAS_MODE, HAS_TIMES, HAS_EXTENSIONS = 1, 2, 4, 8, 0x80000000
DIRECTORY, TYPE_BITS = 0o040000, 0o170000


NOT_TAKEN = "The SFTP server did not take a part of the file"


class SftpError(UpgradeError):
    """The server refused something, or answered what no SFTP server answers."""


class SftpDeniedError(SftpError):
    """The server does not let us do this, or no longer."""


class SftpBrokenError(SftpError, BrokenOffError):
    """The connection ended, or the server stopped answering."""


class Channel(t.Protocol):
    """What carries the bytes."""

    def send(self, data: bytes) -> int:
        """Send what fits into one packet and return how much that was; raises OSError."""

    def flush(self) -> None:
        """Have all that was sent go out now; raises OSError."""

    def recv(self, size: int) -> bytes:
        """Some bytes, none at the end; raises OSError."""

    def recv_ready(self) -> bool:
        """Whether ``recv`` would return at once."""


@dataclass(frozen=True)
class Entry:
    """A file on the server; ``mtime`` in seconds since the epoch, both None where the server does not say."""

    name: str
    size: int | None
    mtime: int | None
    is_folder: bool = False

    @property
    def entity(self) -> str:
        """What identifies it, as far as SFTP says."""
        return f"sftp {self.mtime} {self.name}"


@dataclass
class _Read:
    """A part of the file that was asked for; ``length`` bytes of it are still to come, ``data`` is what has come."""

    start: int
    length: int
    data: list[memoryview] = field(default_factory=list)

    @property
    def offset(self) -> int:
        """Where what is still to come begins."""
        return self.start + sum(map(len, self.data))


class SftpSession:
    """One conversation with an SFTP server.

    :param channel: a channel whose other end is an SFTP server that has not said anything yet.
    :param sessions: among how many that are open at a time memory is shared.
    :raises SftpError: it is not an SFTP server.
    """

    def __init__(self, channel: Channel, sessions: int = 1) -> None:
        self._channel = channel
        self.in_flight = max(IN_FLIGHT // sessions, LEAST_IN_FLIGHT)
        self._come = memoryview(b"")
        self._number = 0
        self._unanswered: set[int] = set()
        self.block = SAFE_BLOCK
        self._send(INIT, struct.pack(">I", 3))
        kind, body = self._packet()
        if kind != VERSION:
            raise SftpError("The server did not answer with SFTP.")
        if LIMITS in _texts(body[4:]):
            self._take_limits()

    def _take_limits(self) -> None:
        """Use large blocks where the server says that it takes them (OpenSSH's PROTOCOL file, section 4.8)."""
        kind, body = self._ask(EXTENDED, _text(LIMITS))
        if kind == EXTENDED_REPLY and len(body) >= 24:
            packet, read, write = struct.unpack_from(">3Q", body)
            limits = [limit for limit in (packet - 1024 if packet else 0, read, write) if limit > 0]
            self.block = max(min([LARGE_BLOCK, *limits]), SAFE_BLOCK)

    def stat(self, name: str) -> Entry:
        """What the server says about a file.

        :raises SftpError: it is not there, or may not be seen.
        """
        kind, body = self._ask(STAT, _text(name.encode()))
        if kind != ATTRS:
            raise _refusal(kind, body, f"The SFTP server does not report the size of {one_line(name)}")
        return _attributes(name, body, 0)[0]

    def entries(self) -> list[Entry]:
        """The files in the server's first folder.

        :raises SftpError: it cannot be listed.
        """
        what = "The SFTP server does not list its files"
        kind, body = self._ask(OPENDIR, _text(b"."))
        handle = _handle(kind, body, what)
        found: list[Entry] = []
        while len(found) < MOST_NAMES:
            kind, body = self._ask(READDIR, _text(handle))
            if kind != NAME:
                if kind == STATUS and body[:4] == struct.pack(">I", END_OF_FILE):
                    break
                raise _refusal(kind, body, what)
            found.extend(_names(body))
        self.close(handle)
        return [entry for entry in found if not entry.is_folder and entry.name not in (".", "..")]

    def open(self, name: str, flags: int) -> bytes:
        """The handle of a file.

        :raises SftpDeniedError: it may not be opened so.
        :raises SftpError: it is not there.
        """
        kind, body = self._ask(OPEN, _text(name.encode()) + struct.pack(">II", flags, 0))
        return _handle(kind, body, f"The SFTP server does not open {one_line(name)}")

    def close(self, handle: bytes) -> None:
        """Give a handle back.

        :raises SftpError: the server could not keep what was written.
        """
        kind, body = self._ask(CLOSE, _text(handle))
        _require_ok(kind, body, "The SFTP server did not close the file well")

    def write(self, handle: bytes, blocks: t.Iterable[tuple[int, bytes]]) -> t.Iterator[tuple[int, int]]:
        """Write blocks, each at its place, many in flight.

        Yields place and length of each block when the server has confirmed it and all before it. If this ends with an
        exception, up to ``in_flight`` bytes more may stand in the file.

        :raises SftpBrokenError: the connection ended.
        :raises SftpError: the server refused a block.
        """
        depth = max(1, self.in_flight // self.block)
        waiting: collections.deque[tuple[int, int, int]] = collections.deque()
        confirmed: set[int] = set()
        for offset, block in blocks:
            head = _text(handle) + struct.pack(">QI", offset, len(block))
            try:
                waiting.append((self._request(WRITE, head, block), offset, len(block)))
            except SftpBrokenError:
                # What the server had confirmed until then has arrived here, and need not be sent again.
                with contextlib.suppress(SftpError):
                    while waiting:
                        yield from self._confirmed(waiting, confirmed)
                raise
            while waiting and (len(waiting) >= depth or self._come or self._channel.recv_ready()):
                yield from self._confirmed(waiting, confirmed)
        while waiting:
            yield from self._confirmed(waiting, confirmed)

    def _confirmed(
        self, waiting: collections.deque[tuple[int, int, int]], confirmed: set[int]
    ) -> t.Iterator[tuple[int, int]]:
        number, kind, body = self._answer()
        _require_ok(kind, body, NOT_TAKEN)
        confirmed.add(number)
        while waiting and waiting[0][0] in confirmed:
            number, offset, length = waiting.popleft()
            confirmed.discard(number)
            yield offset, length

    def read(
        self, handle: bytes, ranges: t.Iterable[tuple[int, int] | None]
    ) -> t.Iterator[tuple[int, bytes | memoryview]]:
        """The bytes of ranges, in the order of these, many requests in flight. Yields blocks, each with its place.

        :param ranges: (start, end) of each; None says that there will be another one, but not yet.
        :raises SftpBrokenError: the connection ended.
        :raises SftpError: the file ends sooner, or cannot be read.
        """
        waiting: collections.deque[_Read] = collections.deque()
        asked: dict[int, _Read] = {}
        lost: SftpBrokenError | None = None
        cut = self._cut(ranges)
        part: _Read | None = _Read(0, 0)

        def ask(part: _Read) -> SftpBrokenError | None:
            try:
                asked[self._request(READ, _read_request(handle, part))] = part
            except SftpBrokenError as error:
                # What was answered until then has arrived here, and need not be asked for again.
                return error
            return None

        while part or waiting:
            while part and not lost and len(waiting) < max(1, self.in_flight // self.block):
                part = next(cut, None)
                if not part:
                    break
                if not part.length:
                    # No range is free yet, and no answer is on its way: look again in a moment.
                    if not waiting:
                        time.sleep(PAUSE_SECONDS)
                    break
                waiting.append(part)
                lost = ask(part)
            if lost and not asked:
                raise lost
            if not waiting:
                continue
            number, kind, body = self._answer()
            if number not in asked:
                continue
            answered = asked.pop(number)
            data = _data(kind, body, answered)
            answered.data.append(data)
            answered.length -= len(data)
            if answered.length:
                # Servers may answer with less than they were asked for; ask for no more than that from now on.
                self.block = max(min(self.block, len(data)), 4096)
                lost = lost or ask(answered)
            while waiting and not waiting[0].length:
                whole = waiting.popleft()
                yield whole.start, whole.data[0] if len(whole.data) == 1 else b"".join(whole.data)

    def _cut(self, ranges: t.Iterable[tuple[int, int] | None]) -> t.Iterator[_Read]:
        """The requests for ranges; one of no length where no range is free yet."""
        for piece in ranges:
            start, end = piece or (0, 0)
            if not piece:
                yield _Read(0, 0)
            while start < end:
                length = min(self.block, end - start)
                yield _Read(start, length)
                start += length

    def _ask(self, kind: int, payload: bytes) -> tuple[int, memoryview]:
        """One request and its answer; what is left of a transfer that was given up may be answered before it."""
        expected = self._request(kind, payload)
        while True:
            number, answer, body = self._answer()
            if number == expected:
                return answer, body

    def _request(self, kind: int, payload: bytes, data: bytes = b"") -> int:
        self._number = (self._number + 1) % 2**32
        self._unanswered.add(self._number)
        self._send(kind, struct.pack(">I", self._number) + payload, data)
        return self._number

    def _send(self, kind: int, payload: bytes, data: bytes = b"") -> None:
        head = struct.pack(">IB", 1 + len(payload) + len(data), kind) + payload
        message = head + data[:SSH_PACKET]
        rest = memoryview(data)[SSH_PACKET:]
        try:
            while message:
                sent = self._channel.send(message)
                if not sent:
                    raise _broken()
                unsent = message[sent:]
                message, rest = (
                    unsent + bytes(rest[: SSH_PACKET - len(unsent)]),
                    rest[max(0, SSH_PACKET - len(unsent)) :],
                )
            self._channel.flush()
        except (OSError, EOFError) as error:
            raise _broken(error) from error

    def _answer(self) -> tuple[int, int, memoryview]:
        kind, body = self._packet()
        if len(body) < 4:
            raise SftpError("The SFTP server sent a malformed reply.")
        (number,) = struct.unpack_from(">I", body)
        if number not in self._unanswered:
            raise SftpError("The SFTP server answered a request that was never sent.")
        self._unanswered.discard(number)
        return number, kind, body[4:]

    def _packet(self) -> tuple[int, memoryview]:
        (length,) = struct.unpack(">I", self._receive(4))
        if not 0 < length <= LONGEST_PACKET:
            start = one_line(struct.pack(">I", length).decode("ascii", "replace"))
            raise SftpError(
                f"The answer is not from an SFTP server: a packet has an impossible length (it begins with '{start}'). "
                "A start-up file of the user on the server may print something."
            )
        packet = self._receive(length)
        return packet[0], packet[1:]

    def _receive(self, count: int) -> memoryview:
        """So many bytes, copied only where they came in several parts."""
        parts = [self._come[:count]]
        missing = count - len(parts[0])
        self._come = self._come[count:]
        while missing:
            try:
                come = memoryview(self._channel.recv(RECEIVE_BLOCK))
            except (OSError, EOFError) as error:
                raise _broken(error) from error
            if not come:
                raise _broken()
            parts.append(come[:missing])
            self._come = come[missing:]
            missing -= len(parts[-1])
        return parts[-1] if len(parts[-1]) == count else memoryview(b"".join(parts))


def _broken(error: BaseException | None = None) -> SftpBrokenError:
    """What to raise at the end of a connection; whether that is an error for this machine depends on chance."""
    if isinstance(error, (TimeoutError, SilentPeerError)) or type(error).__name__ == "timeout":
        return SftpBrokenError("The SFTP server stopped answering.")
    reason = getattr(error, "strerror", None)
    return SftpBrokenError(f"The connection to the SFTP server was lost{f' ({reason})' if reason else ''}.")


def _text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _read_request(handle: bytes, part: _Read) -> bytes:
    return _text(handle) + struct.pack(">QI", part.offset, part.length)


def _one_text(body: memoryview, place: int) -> tuple[memoryview, int]:
    """A length-prefixed text and where it ends."""
    try:
        (length,) = struct.unpack_from(">I", body, place)
    except struct.error as error:
        raise SftpError("The SFTP server sent an answer that was cut short.") from error
    end = place + 4 + length
    if end > len(body):
        raise SftpError("The SFTP server sent an answer that was cut short.")
    return body[place + 4 : end], end


def _texts(body: memoryview) -> list[bytes]:
    found, place = [], 0
    while place < len(body):
        text, place = _one_text(body, place)
        found.append(bytes(text))
    return found


def _data(kind: int, body: memoryview, part: _Read) -> memoryview:
    if kind != DATA:
        raise _refusal(kind, body, f"The SFTP server did not give the file from byte {part.offset} on")
    data, _end = _one_text(body, 0)
    if not 0 < len(data) <= part.length:
        raise SftpError("The SFTP server gave more or less of the file than it was asked for.")
    return data


def _handle(kind: int, body: memoryview, what: str) -> bytes:
    if kind != HANDLE:
        raise _refusal(kind, body, what)
    return bytes(_one_text(body, 0)[0])


def _require_ok(kind: int, body: memoryview, what: str) -> None:
    if kind != STATUS or body[:4] != struct.pack(">I", OK):
        raise _refusal(kind, body, what)


def _refusal(kind: int, body: memoryview, what: str) -> SftpError:
    if kind != STATUS or len(body) < 4:
        return SftpError(f"{what}: it sent an answer of the wrong kind.")
    (code,) = struct.unpack_from(">I", body)
    words = one_line(bytes(_one_text(body, 4)[0]).decode("utf-8", "replace")) if len(body) >= 8 else ""
    usual = {END_OF_FILE: "the file ends there", NO_SUCH_FILE: "no such file", DENIED: "permission denied"}
    reason = words or usual.get(code, f"status {code}")
    cause = " The usual cause is a full disk or a quota on the server." if code == FAILURE and what == NOT_TAKEN else ""
    return (SftpDeniedError if code == DENIED else SftpError)(f"{what}: {reason.rstrip('.')}.{cause}")


def _names(body: memoryview) -> t.Iterator[Entry]:
    try:
        (count,), place = struct.unpack_from(">I", body), 4
        for _number in range(count):
            name, place = _one_text(body, place)
            _long_name, place = _one_text(body, place)
            entry, place = _attributes(bytes(name).decode("utf-8", "replace"), body, place)
            yield entry
    except struct.error as error:
        raise SftpError("The SFTP server sent a list that was cut short.") from error


def _attributes(name: str, body: memoryview, place: int) -> tuple[Entry, int]:
    """A file's attributes (section 5 of the draft) and where they end."""
    size = mtime = None
    mode = 0
    try:
        (flags,), place = struct.unpack_from(">I", body, place), place + 4
        if flags & HAS_SIZE:
            (size,), place = struct.unpack_from(">Q", body, place), place + 8
        if flags & HAS_OWNER:
            place += 8
        if flags & HAS_MODE:
            (mode,), place = struct.unpack_from(">I", body, place), place + 4
        if flags & HAS_TIMES:
            (_atime, mtime), place = struct.unpack_from(">II", body, place), place + 8
        if flags & HAS_EXTENSIONS:
            (count,), place = struct.unpack_from(">I", body, place), place + 4
            for _number in range(2 * count):
                _ignored, place = _one_text(body, place)
    except struct.error as error:
        raise SftpError("The SFTP server sent an answer that was cut short.") from error
    return Entry(name, size, mtime, mode & TYPE_BITS == DIRECTORY), place

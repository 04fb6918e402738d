# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session of SFTP with many requests in flight: what reading and writing one file needs, no more.

paramiko's own client reaches half of what this does (measured): it writes 32 KiB at a time, and reads a whole file
ahead. A session belongs to one thread; several connections are several sessions.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import collections
import contextlib
import struct
import time
import typing as t
from dataclasses import dataclass, field

from .._core.text import one_line
from .sftp_protocol import (
    ATTRS,
    CLOSE,
    END_OF_FILE,
    EXTENDED,
    EXTENDED_REPLY,
    NAME,
    NOT_TAKEN,
    OPEN,
    OPENDIR,
    READ,
    READDIR,
    STAT,
    STATUS,
    WRITE,
    Entry,
    SftpBrokenError,
    SftpError,
    data_of,
    entries_of,
    entry_of,
    handle_of,
    pack_text,
    refusal,
    require_ok,
)
from .sftp_requests import Channel, Requests

IN_FLIGHT = 16 * 1024 * 1024
"""Bytes asked for or sent and not yet answered: what all sessions of a transfer hold in memory."""

LEAST_IN_FLIGHT = 4 * 1024 * 1024
"""The same for one session of many: twice what OpenSSH lets be on its way at a time (measured)."""

PAUSE_SECONDS = 0.02

SAFE_BLOCK = 32 * 1024
"""What every server takes in one request."""

LARGE_BLOCK = 255 * 1024
"""What OpenSSH takes in one request beside its header; asked for only where the server states such limits."""

LIMITS = b"limits@openssh.com"
MOST_NAMES = 10_000


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
        self._requests = Requests(channel)
        self.in_flight = max(IN_FLIGHT // sessions, LEAST_IN_FLIGHT)
        self.block = SAFE_BLOCK
        if LIMITS in self._requests.begin():
            self._take_limits()

    def _take_limits(self) -> None:
        """Use large blocks where the server says that it takes them (OpenSSH's PROTOCOL file, section 4.8)."""
        kind, body = self._requests.ask(EXTENDED, pack_text(LIMITS))
        if kind == EXTENDED_REPLY and len(body) >= 24:
            packet, read, write = struct.unpack_from(">3Q", body)
            limits = [limit for limit in (packet - 1024 if packet else 0, read, write) if limit > 0]
            self.block = max(min([LARGE_BLOCK, *limits]), SAFE_BLOCK)

    def stat(self, name: str) -> Entry:
        """What the server says about a file.

        :raises SftpError: it is not there, or may not be seen.
        """
        kind, body = self._requests.ask(STAT, pack_text(name.encode()))
        if kind != ATTRS:
            raise refusal(kind, body, f"The SFTP server does not report the size of {one_line(name)}")
        return entry_of(name, body, 0)[0]

    def entries(self) -> list[Entry]:
        """The files in the server's first folder.

        :raises SftpError: it cannot be listed.
        """
        what = "The SFTP server does not list its files"
        kind, body = self._requests.ask(OPENDIR, pack_text(b"."))
        handle = handle_of(kind, body, what)
        found: list[Entry] = []
        while len(found) < MOST_NAMES:
            kind, body = self._requests.ask(READDIR, pack_text(handle))
            if kind != NAME:
                if kind == STATUS and body[:4] == struct.pack(">I", END_OF_FILE):
                    break
                raise refusal(kind, body, what)
            found.extend(entries_of(body))
        self.close(handle)
        return [entry for entry in found if not entry.is_folder and entry.name not in (".", "..")]

    def open(self, name: str, flags: int) -> bytes:
        """The handle of a file.

        :raises SftpDeniedError: it may not be opened so.
        :raises SftpError: it is not there.
        """
        kind, body = self._requests.ask(OPEN, pack_text(name.encode()) + struct.pack(">II", flags, 0))
        return handle_of(kind, body, f"The SFTP server does not open {one_line(name)}")

    def close(self, handle: bytes) -> None:
        """Give a handle back.

        :raises SftpError: the server could not keep what was written.
        """
        kind, body = self._requests.ask(CLOSE, pack_text(handle))
        require_ok(kind, body, "The SFTP server did not close the file well")

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
            head = pack_text(handle) + struct.pack(">QI", offset, len(block))
            try:
                waiting.append((self._requests.send(WRITE, head, block), offset, len(block)))
            except SftpBrokenError:
                # What the server had confirmed until then has arrived here, and need not be sent again.
                with contextlib.suppress(SftpError):
                    while waiting:
                        yield from self._confirmed(waiting, confirmed)
                raise
            while waiting and (len(waiting) >= depth or self._requests.answer_has_come):
                yield from self._confirmed(waiting, confirmed)
        while waiting:
            yield from self._confirmed(waiting, confirmed)

    def _confirmed(
        self, waiting: collections.deque[tuple[int, int, int]], confirmed: set[int]
    ) -> t.Iterator[tuple[int, int]]:
        number, kind, body = self._requests.answer()
        require_ok(kind, body, NOT_TAKEN)
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
                asked[self._requests.send(READ, _read_request(handle, part))] = part
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
            number, kind, body = self._requests.answer()
            if number not in asked:
                continue
            answered = asked.pop(number)
            data = data_of(kind, body, answered.offset, answered.length)
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


def _read_request(handle: bytes, part: _Read) -> bytes:
    return pack_text(handle) + struct.pack(">QI", part.offset, part.length)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An SFTP server of files in memory behind a channel that is none: it can answer late, short or not at all."""

from __future__ import annotations

import random
import struct

STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
LIMITS = b"limits@openssh.com"
PACKET = 30_000


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


class FakeChannel:
    """Implements the Channel of _transfer/sftp_requests.

    :param files: name -> content, written to in place.
    :param limit: bytes of data that are answered at most in one read.
    :param announced: what limits@openssh.com says of reads and writes; None does not announce it.
    :param shuffle: answer in any order.
    :param lists: whether the folder can be listed.
    :param break_after: bytes of data written or read after which the connection is gone.
    """

    def __init__(
        self,
        files: dict[str, bytearray],
        *,
        limit: int = 2**20,
        announced: int | None = 255 * 1024,
        shuffle: bool = False,
        break_after: int | None = None,
        mtime: int = 1,
        status_of_write: int = 0,
        lists: bool = True,
    ) -> None:
        self.files = files
        self.limit = limit
        self.announced = announced
        self.random = random.Random(1) if shuffle else None
        self.break_after = break_after
        self.mtime = mtime
        self.status_of_write = status_of_write
        self.lists = lists
        self.largest_request = 0
        self.opened: list[tuple[str, int]] = []
        self._listed = False
        self._moved = 0
        self._answers: list[bytes] = []
        self._out = bytearray()
        self._in = bytearray()

    @property
    def broken(self) -> bool:
        return self.break_after is not None and self._moved >= self.break_after

    def send(self, data: bytes) -> int:
        if self.broken:
            raise ConnectionResetError(104, "Connection reset by peer")
        taken = data[:PACKET]
        self._in += taken
        while len(self._in) > 4:
            (length,) = struct.unpack_from(">I", self._in)
            if len(self._in) < 4 + length:
                break
            message = bytes(self._in[4 : 4 + length])
            del self._in[: 4 + length]
            self._handle(message[0], message[1:])
        return len(taken)

    def flush(self) -> None:
        """Nothing was held back."""

    def recv(self, size: int) -> bytes:
        while not self._out and self._answers:
            place = self.random.randrange(len(self._answers)) if self.random else 0
            self._out += self._answers.pop(place)
        taken = bytes(self._out[: min(size, 70_000)])
        del self._out[: len(taken)]
        if not taken and not self.broken:
            raise TimeoutError("silence")
        return taken

    def recv_ready(self) -> bool:
        return bool(self._out or (self._answers and not self.random))

    def _answer(self, kind: int, body: bytes) -> None:
        self._answers.append(struct.pack(">IB", len(body) + 1, kind) + body)

    def _status(self, number: bytes, code: int, words: bytes = b"") -> None:
        self._answer(STATUS, number + struct.pack(">I", code) + text(words) + text(b""))

    def _handle(self, kind: int, body: bytes) -> None:
        if kind == 1:
            extensions = text(LIMITS) + text(b"1") if self.announced else b""
            self._answer(2, struct.pack(">I", 3) + extensions)
            return
        number, body = body[:4], body[4:]
        {
            3: self._open,
            4: self._close,
            5: self._read,
            6: self._write,
            11: self._open_folder,
            12: self._read_folder,
            17: self._stat,
            200: self._limits,
        }[kind](number, body)

    def _limits(self, number: bytes, body: bytes) -> None:
        announced = self.announced or 0
        self._answer(201, number + struct.pack(">4Q", announced + 1024, announced, announced, 0))

    def _open(self, number: bytes, body: bytes) -> None:
        (length,) = struct.unpack_from(">I", body)
        name = body[4 : 4 + length].decode()
        (flags,) = struct.unpack_from(">I", body, 4 + length)
        self.opened.append((name, flags))
        if name not in self.files:
            self._status(number, 2, b"No such file")
            return
        if flags & 16:
            self.files[name].clear()
        self._answer(HANDLE, number + text(name.encode()))

    def _close(self, number: bytes, body: bytes) -> None:
        self._status(number, 0)

    def _stat(self, number: bytes, body: bytes) -> None:
        name = body[4:].decode()
        if name in self.files:
            self._answer(ATTRS, number + self._attributes(name))
        else:
            self._status(number, 3)

    def _attributes(self, name: str) -> bytes:
        extension = struct.pack(">I", 1) + text(b"x@example.org") + text(b"y")
        head = struct.pack(">IQIII", 0x8000000F, len(self.files[name]), 0, 0, 0o100644)
        return head + struct.pack(">II", 0, self.mtime) + extension

    def _open_folder(self, number: bytes, body: bytes) -> None:
        if not self.lists:
            self._status(number, 8, b"not here")
            return
        self._listed = False
        self._answer(HANDLE, number + text(b"folder"))

    def _read_folder(self, number: bytes, body: bytes) -> None:
        if self._listed:
            self._status(number, 1)
            return
        self._listed = True
        folder = struct.pack(">II", 4, 0o040755)
        entries = [text(name) + text(b"long") + folder for name in (b".", b"..", b"folder")]
        entries += [text(name.encode()) + text(b"long") + self._attributes(name) for name in self.files]
        self._answer(NAME, number + struct.pack(">I", len(entries)) + b"".join(entries))

    def _handled(self, body: bytes) -> tuple[bytearray, int, bytes]:
        (length,) = struct.unpack_from(">I", body)
        name, rest = body[4 : 4 + length].decode(), body[4 + length :]
        (offset,) = struct.unpack_from(">Q", rest)
        return self.files[name], offset, rest[8:]

    def _read(self, number: bytes, body: bytes) -> None:
        content, offset, rest = self._handled(body)
        (length,) = struct.unpack(">I", rest)
        self.largest_request = max(self.largest_request, length)
        data = bytes(content[offset : offset + min(length, self.limit)])
        self._moved += len(data)
        if data:
            self._answer(DATA, number + text(data))
        else:
            self._status(number, 1)

    def _write(self, number: bytes, body: bytes) -> None:
        content, offset, rest = self._handled(body)
        data = rest[4:]
        self.largest_request = max(self.largest_request, len(data))
        self._moved += len(data)
        if self.status_of_write:
            self._status(number, self.status_of_write, b"No space left on device")
            return
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data
        self._status(number, 0)

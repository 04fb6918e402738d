# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests of SFTP over a channel of SSH: each numbered and sent whole, and the answer that belongs to it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import struct
import typing as t

from .._core.text import one_line
from .sftp_protocol import INIT, VERSION, SftpBrokenError, SftpError, unpack_texts
from .ssh_socket import SilentPeerError

SSH_PACKET = 32 * 1024
"""What one packet to OpenSSH carries; for each, paramiko's own ``sendall`` copies all that is left (measured)."""

LONGEST_PACKET = 1024 * 1024
RECEIVE_BLOCK = 64 * 1024 * 1024
"""All that has come: paramiko moves what it keeps to the front of its buffer each time (measured)."""


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


class Requests:
    """The requests and the answers that one channel carries.

    :param channel: its other end is an SFTP server that has not said anything yet.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._come = memoryview(b"")
        self._number = 0
        self._unanswered: set[int] = set()

    def begin(self) -> list[bytes]:
        """Agree on version 3; the names and values of the server's extensions.

        :raises SftpError: it is not an SFTP server.
        """
        self._send(INIT, struct.pack(">I", 3))
        kind, body = self._receive()
        if kind != VERSION:
            raise SftpError("The server did not answer with SFTP.")
        return unpack_texts(body[4:])

    @property
    def answer_has_come(self) -> bool:
        """Whether :meth:`answer` would return soon."""
        return bool(self._come) or self._channel.recv_ready()

    def ask(self, kind: int, payload: bytes) -> tuple[int, memoryview]:
        """Send a request, and return kind and content of its answer.

        What is left of a transfer that was given up may be answered before it.

        :raises SftpError: the connection ended, or the server answered what no SFTP server answers.
        """
        expected = self.send(kind, payload)
        while True:
            number, answer, body = self.answer()
            if number == expected:
                return answer, body

    def send(self, kind: int, payload: bytes, data: bytes = b"") -> int:
        """Send a request, and return its number.

        :raises SftpBrokenError: the connection ended.
        """
        self._number = (self._number + 1) % 2**32
        self._unanswered.add(self._number)
        self._send(kind, struct.pack(">I", self._number) + payload, data)
        return self._number

    def answer(self) -> tuple[int, int, memoryview]:
        """The number of the request, the kind and the content of the next answer.

        :raises SftpBrokenError: the connection ended.
        :raises SftpError: it is not an answer to a request.
        """
        kind, body = self._receive()
        if len(body) < 4:
            raise SftpError("The SFTP server sent a malformed reply.")
        (number,) = struct.unpack_from(">I", body)
        if number not in self._unanswered:
            raise SftpError("The SFTP server answered a request that was never sent.")
        self._unanswered.discard(number)
        return number, kind, body[4:]

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

    def _receive(self) -> tuple[int, memoryview]:
        """The kind and the content of the next packet."""
        (length,) = struct.unpack(">I", self._bytes(4))
        if not 0 < length <= LONGEST_PACKET:
            start = one_line(struct.pack(">I", length).decode("ascii", "replace"))
            raise SftpError(
                f"The answer is not from an SFTP server: a packet has an impossible length (it begins with '{start}'). "
                "A start-up file of the user on the server may print something."
            )
        packet = self._bytes(length)
        return packet[0], packet[1:]

    def _bytes(self, count: int) -> memoryview:
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

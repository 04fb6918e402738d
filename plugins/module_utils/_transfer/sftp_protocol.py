# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SFTP protocol (version 3, draft-ietf-secsh-filexfer-02): its numbers, texts and attributes, and its refusals.

paramiko has a reader for them too, which fills up an answer that was cut short with zeros.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import struct
import typing as t
from dataclasses import dataclass

from .._core.errors import UpgradeError
from .._core.text import one_line
from .resume import BrokenOffError

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


def pack_text(value: bytes) -> bytes:
    """A text as it travels, behind its length."""
    return struct.pack(">I", len(value)) + value


def unpack_text(body: memoryview, place: int) -> tuple[memoryview, int]:
    """A length-prefixed text and where it ends."""
    try:
        (length,) = struct.unpack_from(">I", body, place)
    except struct.error as error:
        raise SftpError("The SFTP server sent an answer that was cut short.") from error
    end = place + 4 + length
    if end > len(body):
        raise SftpError("The SFTP server sent an answer that was cut short.")
    return body[place + 4 : end], end


def unpack_texts(body: memoryview) -> list[bytes]:
    """All texts from here to the end."""
    found, place = [], 0
    while place < len(body):
        text, place = unpack_text(body, place)
        found.append(bytes(text))
    return found


def data_of(kind: int, body: memoryview, offset: int, longest: int) -> memoryview:
    """The bytes of the file in an answer to READ.

    :raises SftpError: there are none.
    """
    if kind != DATA:
        raise refusal(kind, body, f"The SFTP server did not give the file from byte {offset} on")
    data, _end = unpack_text(body, 0)
    if not 0 < len(data) <= longest:
        raise SftpError("The SFTP server gave more or less of the file than it was asked for.")
    return data


def handle_of(kind: int, body: memoryview, what: str) -> bytes:
    """The handle in an answer to OPEN.

    :raises SftpError: there is none; begins with ``what``.
    """
    if kind != HANDLE:
        raise refusal(kind, body, what)
    return bytes(unpack_text(body, 0)[0])


def require_ok(kind: int, body: memoryview, what: str) -> None:
    """Refuse an answer that is not OK.

    :raises SftpError: begins with ``what``.
    """
    if kind != STATUS or body[:4] != struct.pack(">I", OK):
        raise refusal(kind, body, what)


def refusal(kind: int, body: memoryview, what: str) -> SftpError:
    """What to raise for an answer that is not the expected one, with the server's own words."""
    if kind != STATUS or len(body) < 4:
        return SftpError(f"{what}: it sent an answer of the wrong kind.")
    (code,) = struct.unpack_from(">I", body)
    words = one_line(bytes(unpack_text(body, 4)[0]).decode("utf-8", "replace")) if len(body) >= 8 else ""
    usual = {END_OF_FILE: "the file ends there", NO_SUCH_FILE: "no such file", DENIED: "permission denied"}
    reason = words or usual.get(code, f"status {code}")
    cause = " The usual cause is a full disk or a quota on the server." if code == FAILURE and what == NOT_TAKEN else ""
    return (SftpDeniedError if code == DENIED else SftpError)(f"{what}: {reason.rstrip('.')}.{cause}")


def entries_of(body: memoryview) -> t.Iterator[Entry]:
    """The files in an answer to READDIR."""
    try:
        (count,), place = struct.unpack_from(">I", body), 4
        for _number in range(count):
            name, place = unpack_text(body, place)
            _long_name, place = unpack_text(body, place)
            entry, place = entry_of(bytes(name).decode("utf-8", "replace"), body, place)
            yield entry
    except struct.error as error:
        raise SftpError("The SFTP server sent a list that was cut short.") from error


def entry_of(name: str, body: memoryview, place: int) -> tuple[Entry, int]:
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
                _ignored, place = unpack_text(body, place)
    except struct.error as error:
        raise SftpError("The SFTP server sent an answer that was cut short.") from error
    return Entry(name, size, mtime, mode & TYPE_BITS == DIRECTORY), place

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a fetched file is a whole database dump, as far as its format shows.

Everything streams: a file of any size, or a zip of any number of members, takes the same memory.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import bz2
import os
import struct
import typing as t
import zlib
from dataclasses import dataclass

from .._core.errors import UpgradeError
from .._core.text import one_line
from .dump import EMPTY, GZIP, HEAD, HTML, MEBIBYTE, PGDMP, SQL, UNKNOWN, ZIP, format_of

SQL_END = b"database dump complete"
"""In the last lines of everything that pg_dump and pg_dumpall write as SQL."""

UNPROVEN = (
    "The server did not state the length of the file, and nothing here can prove that it is complete. Fetch it with "
    "'transport' set to sftp."
)

RunCommand = t.Callable[[t.Sequence[str]], "tuple[int, str, str]"]


class DamagedError(UpgradeError):
    """A file is not a database dump, or not a whole one."""


@dataclass(frozen=True)
class Verdict:
    """What a good file is, and what could not be checked, for the reader; empty where all was."""

    format: str
    warning: str = ""


def check(
    path: str,
    kind: str,
    run_command: RunCommand,
    pg_restore: str | None,
    *,
    length_known: bool = True,
    end_known: bool = True,
) -> Verdict:
    """Verify a file to its last byte as its format allows.

    :param kind: ``archive`` or ``sql``: what it must be.
    :param run_command: runs a program and returns status, output and errors.
    :param pg_restore: the program's path; without it a custom archive is known by its first bytes alone.
    :param length_known: whether the server stated the length; otherwise the file itself must prove that it is whole.
    :param end_known: whether the server marked the end; enough for a custom archive, in which only
        pg_restore could see more, while SQL says by itself that it is whole.
    :raises DamagedError: it is not what it must be.
    """
    try:
        with open(path, "rb") as file:
            found = format_of(file.read(HEAD))
            require_dump(found, kind)
            if found == ZIP:
                check_zip(file)
            elif found == GZIP:
                check_gzip(file)
            elif not (length_known or (_ends_as_sql(file) if found == SQL else end_known or pg_restore)):
                raise DamagedError(UNPROVEN)
    except (struct.error, zlib.error, EOFError, ValueError, OverflowError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UpgradeError(f"{path} cannot be read: {error.strerror}.") from error
        raise DamagedError(f"The file that was fetched is damaged: {one_line(error, 120)}.") from error
    if found != PGDMP:
        return Verdict(found)
    return Verdict(found, _read_archive(path, run_command, pg_restore, length_known, end_known))


def _read_archive(
    path: str, run_command: RunCommand, pg_restore: str | None, length_known: bool, end_known: bool
) -> str:
    """Have pg_restore list a custom archive, or read all of it where its length is not known.

    :return: what could not be checked, in words.
    """
    stated = "length" if length_known else "end"
    checked = f"only checked by the {stated} that the server stated and by its first bytes"
    if not pg_restore:
        return f"pg_restore is not installed here, so what was fetched was {checked}."
    what = ["--list"] if length_known else ["--file", os.devnull]
    status, _output, errors = run_command([pg_restore, *what, path])
    if not status:
        return ""
    if "unsupported version" in errors:
        if not end_known:
            raise DamagedError(UNPROVEN)
        return f"pg_restore here is too old for what was fetched, which was {checked}."
    raise DamagedError(f"The file that was fetched is damaged: pg_restore cannot read it: {one_line(errors)}.")


def require_dump(found: str, kind: str) -> None:
    """Refuse a format that cannot be the dump that was asked for.

    :raises DamagedError: names what it is instead.
    """
    words = {HTML: "an HTML page", EMPTY: "empty", UNKNOWN: "of no known format"}
    if found in words:
        raise DamagedError(f"What the server sent in place of the {kind} is not a database dump: it is {words[found]}.")
    if kind == "sql" and found not in (SQL, GZIP):
        raise DamagedError(f"What the server sent in place of SQL is a file of the format {found}.")


def _ends_as_sql(file: t.IO[bytes]) -> bool:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 4096))
    return SQL_END in file.read()


def check_gzip(file: t.IO[bytes]) -> None:
    """Unpack every member of a gzip file and throw it away; zlib compares checksum and length of each."""
    file.seek(0)
    member, rest = zlib.decompressobj(wbits=31), file.read(MEBIBYTE)
    while rest:
        member.decompress(rest, MEBIBYTE)
        if not member.eof:
            rest = member.unconsumed_tail or file.read(MEBIBYTE)
            continue
        rest = (member.unused_data or file.read(MEBIBYTE)).lstrip(b"\0")
        while not rest:
            block = file.read(MEBIBYTE)
            if not block:
                return
            rest = block.lstrip(b"\0")
        member = zlib.decompressobj(wbits=31)
    raise EOFError("the gzip stream ends too soon")


# The layout of zip files: PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16 and 4.5.3. Python's zipfile keeps every name
# of the directory in memory: 700 bytes each (measured), and a filestore has a million of them.
END = struct.Struct("<4s4H2LH")
END_64_PLACE = struct.Struct("<4sLQL")
END_64 = struct.Struct("<4sQ2H2L4Q")
ENTRY = struct.Struct("<4s4B4HL2L5H2L")
LOCAL = struct.Struct("<4s2B4HL2L2H")
END_MAGIC, END_64_PLACE_MAGIC, END_64_MAGIC = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
ENTRY_MAGIC, LOCAL_MAGIC = b"PK\x01\x02", b"PK\x03\x04"
FULL_16, FULL_32 = 0xFFFF, 0xFFFFFFFF
ENCRYPTED = 1
STORED, DEFLATED, BZIPPED = 0, 8, 12


def check_zip(file: t.IO[bytes], wanted: str = "") -> bool:
    """Unpack every member that the directory names and compare length and CRC of each; whether one has this name."""
    is_there = False
    count, place = _zip_directory(file)
    if not count:
        raise ValueError("the zip archive holds nothing")
    # Members that share their bytes make a small file into one that takes days to unpack, and no archiver writes them.
    unclaimed = place
    for _number in range(count):
        file.seek(place)
        fields = ENTRY.unpack(_exactly(file, ENTRY.size))
        magic, flags, method, crc = fields[0], fields[5], fields[6], fields[9]
        packed, size, offset = fields[10], fields[11], fields[18]
        name_length, extra_length, comment_length = fields[12:15]
        if magic != ENTRY_MAGIC:
            raise ValueError("the directory of the zip archive is damaged")
        name = _exactly(file, name_length).decode("utf-8", "replace")
        extra = _exactly(file, extra_length)
        place = file.tell() + comment_length
        size, packed, offset = _long_sizes(extra, size, packed, offset)
        if flags & ENCRYPTED:
            raise ValueError(f"the member {name} of the zip archive is encrypted")
        unclaimed -= LOCAL.size + packed
        if unclaimed < 0:
            raise ValueError("the members of the zip archive overlap")
        _check_member(file, name, method, (offset, packed, size, crc))
        is_there = is_there or name == wanted
    return is_there


def _zip_directory(file: t.IO[bytes]) -> tuple[int, int]:
    """Number of entries, and where the first one stands."""
    end_of_file = file.seek(0, os.SEEK_END)
    tail_place = max(0, end_of_file - END.size - FULL_16)
    file.seek(tail_place)
    tail = file.read()
    found = tail.rfind(END_MAGIC)
    if found < 0:
        raise ValueError("the zip archive ends without its directory")
    end_place = tail_place + found
    fields = END.unpack_from(tail, found)
    count, size, offset = fields[4], fields[5], fields[6]
    directory_end = end_place
    if FULL_16 in fields[1:5] or FULL_32 in (size, offset):
        file.seek(max(0, end_place - END_64_PLACE.size))
        magic, _disk, place, _disks = END_64_PLACE.unpack(_exactly(file, END_64_PLACE.size))
        if magic == END_64_PLACE_MAGIC:
            file.seek(place)
            long_fields = END_64.unpack(_exactly(file, END_64.size))
            if long_fields[0] != END_64_MAGIC:
                raise ValueError("the directory of the zip archive is damaged")
            count, size, offset = long_fields[7], long_fields[8], long_fields[9]
            directory_end = place
    if offset + size != directory_end:
        raise ValueError("the zip archive is shorter or longer than its directory says")
    return count, offset


def _long_sizes(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and place from the Zip64 field where the short ones are full."""
    position = 0
    while position + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, position)
        if tag == 1:
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra, position + 4))
            try:
                size, packed, offset = (next(values) if value == FULL_32 else value for value in (size, packed, offset))
            except RuntimeError as error:
                raise ValueError("the directory of the zip archive is damaged") from error
        position += 4 + length
    return size, packed, offset


def _check_member(file: t.IO[bytes], name: str, method: int, stated: tuple[int, int, int, int]) -> None:
    offset, packed, size, crc = stated
    file.seek(offset)
    fields = LOCAL.unpack(_exactly(file, LOCAL.size))
    if fields[0] != LOCAL_MAGIC:
        raise ValueError(f"the zip archive does not hold its member {name} where it should be")
    file.seek(fields[10] + fields[11], os.SEEK_CUR)
    found_crc, found_size = 0, 0
    for block in _unpacked(file, method, packed):
        found_crc = zlib.crc32(block, found_crc)
        found_size += len(block)
    if found_crc != crc or found_size != size:
        raise ValueError(f"the member {name} of the zip archive does not match its checksum")


def _unpacked(file: t.IO[bytes], method: int, packed: int) -> t.Iterator[bytes]:
    """The content of a member, in blocks of bounded size."""
    if method == STORED:
        while packed:
            block = _exactly(file, min(MEBIBYTE, packed))
            packed -= len(block)
            yield block
        return
    if method not in (DEFLATED, BZIPPED):
        raise ValueError(f"a member of the zip archive is packed by a method ({method}) that cannot be checked here")
    unpacker: t.Any = zlib.decompressobj(wbits=-15) if method == DEFLATED else bz2.BZ2Decompressor()
    while packed:
        block = _exactly(file, min(MEBIBYTE, packed))
        packed -= len(block)
        while block and not unpacker.eof:
            yield unpacker.decompress(block, MEBIBYTE)
            block = unpacker.unconsumed_tail if method == DEFLATED else b""
            while method == BZIPPED and not unpacker.needs_input and not unpacker.eof:
                yield unpacker.decompress(b"", MEBIBYTE)
    if method == DEFLATED:
        yield unpacker.flush()
    if not unpacker.eof:
        raise EOFError("a member of the zip archive ends too soon")


def _exactly(file: t.IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise EOFError("the file ends too soon")
    return data

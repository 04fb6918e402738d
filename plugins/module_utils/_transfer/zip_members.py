# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The members of a zip archive, one after the other and each with its checksum, in the same memory for any number.

Python's zipfile keeps every name of the directory in memory: 700 bytes each (measured), and a filestore has a million.
The layout is that of PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16 and 4.5.3.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import bz2
import os
import struct
import typing as t
import zlib
from dataclasses import dataclass

BLOCK = 1024 * 1024

END = struct.Struct("<4s4H2LH")
END_64_PLACE = struct.Struct("<4sLQL")
END_64 = struct.Struct("<4sQ2H2L4Q")
ENTRY = struct.Struct("<4s4B4HL2L5H2L")
LOCAL = struct.Struct("<4s2B4HL2L2H")
END_MAGIC, END_64_PLACE_MAGIC, END_64_MAGIC = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
ENTRY_MAGIC, LOCAL_MAGIC = b"PK\x01\x02", b"PK\x03\x04"
FULL_16, FULL_32 = 0xFFFF, 0xFFFFFFFF
ENCRYPTED, IS_LINK, TYPE_OF_FILE = 1, 0o120000, 0o170000
STORED, DEFLATED, BZIPPED = 0, 8, 12

METHODS = {9: "Deflate64", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
"""Those of APPNOTE.TXT, section 4.4.5, that archivers write and that cannot be read here."""

DAMAGE = (struct.error, zlib.error, EOFError, ValueError, OverflowError)


class UnsupportedMethodError(ValueError):
    """A member is packed by a method that cannot be read here, which says nothing against the archive."""


@dataclass(frozen=True)
class Member:
    """One entry of the directory."""

    name: str
    size: int
    packed: int
    crc: int
    method: int
    offset: int
    is_link: bool

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder and has no content."""
        return self.name.endswith("/")


def members(file: t.IO[bytes]) -> t.Iterator[Member]:
    """Every member that the directory names, in its order. The file may be read elsewhere in between.

    :raises ValueError: the directory is damaged, as the other exceptions of :data:`DAMAGE` say too.
    """
    count, place = _directory(file)
    if not count:
        raise ValueError("the zip archive contains nothing")
    # Members that share their bytes make a small file into one that takes days to unpack, and no archiver writes them.
    unclaimed = place
    for _number in range(count):
        file.seek(place)
        fields = ENTRY.unpack(_exactly(file, ENTRY.size))
        if fields[0] != ENTRY_MAGIC:
            raise ValueError("the directory of the zip archive is damaged")
        name_length, extra_length, comment_length = fields[12:15]
        name = _exactly(file, name_length).decode("utf-8", "replace")
        extra = _exactly(file, extra_length)
        place = file.tell() + comment_length
        size, packed, offset = _long_sizes(extra, fields[11], fields[10], fields[18])
        if fields[5] & ENCRYPTED:
            raise ValueError(f"the member {name} of the zip archive is encrypted")
        unclaimed -= LOCAL.size + packed
        if unclaimed < 0:
            raise ValueError("the members of the zip archive overlap")
        is_link = fields[17] >> 16 & TYPE_OF_FILE == IS_LINK
        yield Member(name, size, packed, fields[9], fields[6], offset, is_link)


def content(file: t.IO[bytes], member: Member) -> t.Iterator[bytes]:
    """The content of a member, in blocks; complete only when the iterator has ended.

    :raises ValueError: it is damaged, as the other exceptions of :data:`DAMAGE` say too.
    """
    file.seek(member.offset)
    fields = LOCAL.unpack(_exactly(file, LOCAL.size))
    if fields[0] != LOCAL_MAGIC:
        raise ValueError(f"the member {member.name} of the zip archive is not where the directory says")
    place = member.offset + LOCAL.size + fields[10] + fields[11]
    crc, size = 0, 0
    for block in _unpacked(file, member, place):
        crc = zlib.crc32(block, crc)
        size += len(block)
        yield block
    if crc != member.crc or size != member.size:
        raise ValueError(f"the member {member.name} of the zip archive does not match its checksum")


def _directory(file: t.IO[bytes]) -> tuple[int, int]:
    """Number of entries, and where the first one is."""
    end_of_file = file.seek(0, os.SEEK_END)
    tail_place = max(0, end_of_file - END.size - FULL_16)
    file.seek(tail_place)
    tail = file.read()
    found = tail.rfind(END_MAGIC)
    if found < 0:
        raise ValueError("the zip archive ends without its directory")
    directory_end = tail_place + found
    fields = END.unpack_from(tail, found)
    count, size, offset = fields[4], fields[5], fields[6]
    if directory_end >= END_64_PLACE.size:
        file.seek(directory_end - END_64_PLACE.size)
        magic, _disk, place, _disks = END_64_PLACE.unpack(_exactly(file, END_64_PLACE.size))
        if magic == END_64_PLACE_MAGIC:
            file.seek(place)
            long_fields = END_64.unpack(_exactly(file, END_64.size))
            if long_fields[0] != END_64_MAGIC:
                raise ValueError("the directory of the zip archive is damaged")
            count, size, offset, directory_end = *long_fields[7:10], place
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
                size, packed, offset = [next(values) if value == FULL_32 else value for value in (size, packed, offset)]
            except StopIteration as error:
                raise ValueError("the directory of the zip archive is damaged") from error
        position += 4 + length
    return size, packed, offset


def _unpacked(file: t.IO[bytes], member: Member, place: int) -> t.Iterator[bytes]:
    """The content in blocks of bounded size. The place is kept here, so that the file may be read elsewhere."""
    if member.method not in (STORED, DEFLATED, BZIPPED):
        name = METHODS.get(member.method, f"method {member.method}")
        raise UnsupportedMethodError(f"its member {member.name} is packed by {name}, which cannot be read here")
    unpacker: t.Any = zlib.decompressobj(wbits=-15) if member.method == DEFLATED else bz2.BZ2Decompressor()
    left = member.packed
    while left:
        file.seek(place)
        block = _exactly(file, min(BLOCK, left))
        place, left = place + len(block), left - len(block)
        if member.method == STORED:
            yield block
            continue
        while block and not unpacker.eof:
            yield unpacker.decompress(block, BLOCK)
            block = unpacker.unconsumed_tail if member.method == DEFLATED else b""
            while member.method == BZIPPED and not unpacker.needs_input and not unpacker.eof:
                yield unpacker.decompress(b"", BLOCK)
    if member.method == DEFLATED:
        yield unpacker.flush()
    if member.method != STORED and not unpacker.eof:
        raise EOFError(f"the member {member.name} of the zip archive ends too soon")


def _exactly(file: t.IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise EOFError("the file ends too soon")
    return data

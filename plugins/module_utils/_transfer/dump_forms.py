# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forms in which databases are dumped: recognised by their bytes, unpacked as SQL, with the versions they name.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import os
import re
import shutil
import stat
import struct
import subprocess
import tarfile
import typing as t
import zlib
from dataclasses import dataclass

from .._core.errors import UpgradeError
from .._core.process import Running
from .._core.text import one_line

try:
    import lzma
except ImportError:  # a Python that was built without it
    lzma = None  # type: ignore[assignment]

BLOCK = 1024 * 1024
HEAD = 8 * 1024

CUSTOM, DIRECTORY, TAR, SQL, ZIP, TAR_GZ = "custom", "directory", "tar", "sql", "zip", "tar.gz"
SQL_GZ, SQL_XZ, SQL_ZST, SQL_BZ2 = "sql.gz", "sql.xz", "sql.zst", "sql.bz2"
ARCHIVES = (CUSTOM, DIRECTORY, TAR)
"""What pg_restore reads."""

PACKED = {SQL_GZ: b"\x1f\x8b", SQL_XZ: b"\xfd7zXZ\0", SQL_ZST: b"\x28\xb5\x2f\xfd", SQL_BZ2: b"BZh"}
PGDMP, LOCAL_MEMBER, EMPTY_ZIP = b"PGDMP", b"PK\x03\x04", b"PK\x05\x06"
TAR_MAGIC, TAR_MAGIC_PLACE, SECTOR = b"ustar", 257, 512
IN_CUSTOM, IN_TAR, IN_DIRECTORY = 1, 3, 5

SQL_MEMBER = "dump.sql"
"""The member of Odoo's zip that holds the database."""

HTML, EMPTY, UNKNOWN = "html", "empty", "unknown"
"""What a file is that is no dump."""

SQL_START = re.compile(rb"^\s*(--|/\*|\\|(SET|BEGIN|CREATE|SELECT|INSERT|COPY|ALTER|DROP|DO|START)\b)", re.I | re.M)
DUMPED_FROM = re.compile(rb"^-- Dumped from database version (\d+(?:\.\d+)*)", re.M)
DUMPED_BY = re.compile(rb"^-- Dumped by pg_dump version (\d+(?:\.\d+)*)", re.M)
CLOSING_LINE = b"-- PostgreSQL database dump complete"
RESTRICT = re.compile(rb"^\\restrict (\w+)\r?$", re.M)

DAMAGE = (EOFError, zlib.error, struct.error, tarfile.TarError, ValueError, IndexError, OverflowError)
"""What Python's own libraries raise for damaged data; bz2 and lzma raise OSError without a number, and LZMAError."""


class DamagedError(UpgradeError):
    """A file or folder is not a database dump, or not a whole one."""


@dataclass(frozen=True)
class Form:
    """What a dump is. The versions are texts such as 15.18, empty where the form does not name them at its start."""

    name: str
    archive_version: tuple[int, int] | None = None
    dumped_from: str = ""
    dumped_by: str = ""


def recognise(path: str, seconds: float = 60, env: t.Mapping[str, str] | None = None) -> Form:
    """The form of a dump, by its content alone.

    :param seconds: how long a program that unpacks may take.
    :param env: its environment; that of this process where none is given.
    :raises DamagedError: it is no dump, or one of a form that cannot be restored; with the advice that follows.
    :raises UpgradeError: it cannot be read.
    """
    with reading(path):
        if stat.S_ISDIR(os.stat(path).st_mode):
            return _folder(path)
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DamagedError(f"{path} is neither a file nor a folder.")
            head = file.read(HEAD)
        return _file(path, head, seconds, env)


def _folder(path: str) -> Form:
    toc = os.path.join(path, "toc.dat")
    if not os.path.isfile(toc):
        raise DamagedError(
            f"The folder {path} is no dump: a dump by pg_dump -Fd has a file toc.dat in it. Give the path of the dump."
        )
    with open(toc, "rb") as file:
        return _archive(file.read(HEAD), path, DIRECTORY)


def kind_of(head: bytes) -> str:
    """What a file is by its first :data:`HEAD` bytes: the name of a form, or html, empty or unknown.

    What is compressed is taken for SQL.
    """
    if not head.strip():
        return EMPTY
    if head.startswith(PGDMP):
        return CUSTOM
    if head.startswith((LOCAL_MEMBER, EMPTY_ZIP)):
        return ZIP
    if _is_tar(head):
        return TAR
    for name, magic in PACKED.items():
        if head.startswith(magic):
            return name
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return HTML
    return SQL if b"\0" not in head and SQL_START.search(head) else UNKNOWN


def _file(path: str, head: bytes, seconds: float, env: t.Mapping[str, str] | None) -> Form:
    kind = kind_of(head)
    if kind in PACKED:
        return _packed(path, kind, seconds, env)
    if kind == CUSTOM:
        return _archive(head, path, CUSTOM)
    if kind == TAR:
        return _tar(path, TAR)
    if kind == SQL:
        return sql_form(SQL, head)
    if kind == ZIP:
        return Form(ZIP)
    if not head.strip(b"\0 \t\r\n"):
        raise DamagedError(f"{path} is {'no dump: it begins with nothing but zeros' if head.strip() else 'empty'}.")
    raise DamagedError(f"{path} is no dump{': it is an HTML page' if kind == HTML else ' of a known form'}.")


def sql_form(name: str, head: bytes) -> Form:
    """The form of SQL with this beginning.

    :raises DamagedError: it is a dump of a whole server.
    """
    if b"PostgreSQL database cluster dump" in head:
        raise DamagedError("It is a dump of a whole server by pg_dumpall. Dump the one database with pg_dump.")
    dumped_from, dumped_by = DUMPED_FROM.search(head), DUMPED_BY.search(head)
    return Form(
        name,
        dumped_from=dumped_from[1].decode() if dumped_from else "",
        dumped_by=dumped_by[1].decode() if dumped_by else "",
    )


def _packed(path: str, name: str, seconds: float, env: t.Mapping[str, str] | None) -> Form:
    """What is in a compressed file. Where the program that unpacks it is missing, SQL is assumed."""
    try:
        with contextlib.closing(unpacked(path, name, seconds, HEAD, env)) as blocks:
            head = next(blocks, b"")
    except MissingUnpackerError:
        return Form(name)
    if _is_tar(head):
        if name == SQL_GZ:
            return Form(TAR_GZ)
        raise DamagedError(f"{path} is a compressed tar archive. Pack it as zip or tar.gz, or give the dump itself.")
    if head.startswith(PGDMP):
        raise DamagedError(
            f"{path} is a custom archive that was compressed once more. Unpack it; pg_dump -Fc compresses by itself."
        )
    if not head.strip() or b"\0" in head or not SQL_START.search(head):
        raise DamagedError(f"{path} is no dump: what is compressed in it is not SQL.")
    return sql_form(name, head)


def _is_tar(head: bytes) -> bool:
    return head[TAR_MAGIC_PLACE : TAR_MAGIC_PLACE + len(TAR_MAGIC)] == TAR_MAGIC


def _tar(path: str, name: str) -> Form:
    with tarfile.open(path, "r|") as archive:
        first = archive.next()
        content = archive.extractfile(first) if first and first.name == "toc.dat" else None
        if not content:
            raise DamagedError(
                f"{path} is a tar archive, but not one of pg_dump -Ft. Give the dump itself, or pack it as zip."
            )
        return _archive(content.read(HEAD), path, name)


def _archive(head: bytes, path: str, name: str) -> Form:
    """The versions in the header of an archive, which only the source of pg_dump describes (pg_backup_archiver.c)."""
    reader = _Header(head)
    if not head.startswith(PGDMP):
        raise DamagedError(f"{path} is no dump: its table of contents does not begin as one of pg_dump.")
    try:
        version = (head[5], head[6])
        reader.place = 11
        # Since 1.15 a byte names the algorithm; before, a number was the level.
        reader.skip(1 if version >= (1, 15) else 0)
        for _number in range(7 if version >= (1, 15) else 8):
            reader.number()
        reader.text()
        dumped_from, dumped_by = reader.text(), reader.text()
    except (IndexError, ValueError) as error:
        raise DamagedError(f"{path} is damaged: the header of the archive cannot be read.") from error
    return Form(name, version, dumped_from.partition(" ")[0], dumped_by.partition(" ")[0])


class _Header:
    """Reads numbers and texts as pg_dump writes them: a sign, and as many bytes as the header says."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.place = 0

    def skip(self, count: int) -> None:
        self.place += count

    def number(self) -> int:
        size = self.head[8]
        sign, digits = self.head[self.place], self.head[self.place + 1 : self.place + 1 + size]
        if sign > 1 or len(digits) < size:
            raise ValueError("no number")
        self.place += 1 + size
        return int.from_bytes(digits, "little") * (-1 if sign else 1)

    def text(self) -> str:
        length = self.number()
        if length < 0:
            return ""
        found = self.head[self.place : self.place + length]
        if len(found) < length:
            raise ValueError("no text")
        self.place += length
        return found.decode("utf-8", "replace")


class MissingUnpackerError(UpgradeError):
    """The program or library that unpacks a form is not on this host."""


def unpacked(
    path: str, name: str, seconds: float, block: int = BLOCK, env: t.Mapping[str, str] | None = None
) -> t.Generator[bytes, None, None]:
    """The content of plain or compressed SQL, in blocks.

    :raises DamagedError: the compression's own checksums say that it is damaged.
    :raises MissingUnpackerError: nothing here unpacks it.
    """
    if name == SQL_ZST:
        yield from _through_zstd(path, seconds, block, os.environ if env is None else env)
        return
    opened = {SQL: lambda: open(path, "rb"), SQL_GZ: lambda: gzip.open(path), SQL_BZ2: lambda: bz2.open(path)}  # noqa: SIM115
    if name == SQL_XZ:
        if lzma is None:
            raise MissingUnpackerError("This Python has no module lzma, so a dump that xz compressed cannot be read.")
        opened[SQL_XZ] = lambda: lzma.open(path)
    with reading(path), opened[name]() as stream:
        while data := stream.read(block):
            yield data


def _through_zstd(path: str, seconds: float, block: int, env: t.Mapping[str, str]) -> t.Generator[bytes, None, None]:
    program = shutil.which("zstd")
    if not program:
        raise MissingUnpackerError(f"The program zstd is not installed here, so {path} cannot be read.")
    command = [program, "--decompress", "--stdout", "--quiet", "--long=31", path]
    with Running(command, env, seconds, stdout=subprocess.PIPE) as running:
        while data := running.output.read(block):
            yield data
        ended = running.end()
        if ended.status:
            raise DamagedError(f"{path} is damaged: {ended.words}.")


@contextlib.contextmanager
def reading(path: str) -> t.Iterator[None]:
    """Words for whatever goes wrong while a dump is read.

    :raises DamagedError: its content is damaged.
    :raises UpgradeError: it cannot be read.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise UpgradeError(f"{path} cannot be read: {error.strerror}.") from error
        raise DamagedError(f"{path} is damaged: {one_line(error, 200)}.") from error
    except DAMAGE as error:
        raise DamagedError(f"{path} is damaged: {one_line(error, 200)}.") from error
    except Exception as error:
        if lzma is None or not isinstance(error, lzma.LZMAError):
            raise
        raise DamagedError(f"{path} is damaged: {one_line(error, 200)}.") from error


class SqlWatch:
    """Looks at SQL that passes by in blocks: its beginning, and whether it ends as pg_dump ends it."""

    def __init__(self) -> None:
        self.size = 0
        self.head = b""
        self.tail = b""
        self._has_zeros = False

    def see(self, block: bytes) -> None:
        """Take the next block."""
        if len(self.head) < HEAD:
            self.head += block[: HEAD - len(self.head)]
        self.size += len(block)
        self._has_zeros = self._has_zeros or b"\0" in block
        self.tail = block[-HEAD:] if len(block) >= HEAD else (self.tail + block)[-HEAD:]

    def require_whole(self, what: str) -> None:
        """Refuse SQL without its closing lines.

        :param what: the SQL in words, for the message.
        :raises DamagedError: it is empty, or ends too soon.
        """
        if not self.head.strip():
            raise DamagedError(f"{what} is empty.")
        if self._has_zeros:
            raise DamagedError(f"{what} is damaged: it contains zero bytes, which no SQL does.")
        if not SQL_START.search(self.head):
            raise DamagedError(f"{what} is not SQL.")
        place = self.tail.rfind(CLOSING_LINE)
        if place < 0:
            raise DamagedError(
                f"{what} is not whole: it does not end with the line '{CLOSING_LINE.decode()}' of pg_dump."
            )
        opened = RESTRICT.search(self.head)
        if opened and b"\\unrestrict " + opened[1] not in self.tail[place:]:
            raise DamagedError(f"{what} is not whole: its last line '\\unrestrict' is missing.")

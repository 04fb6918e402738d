# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a dump is, by its content alone: its form, and the versions that it names.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
import typing as t

from .dump_forms import (
    CUSTOM,
    DIRECTORY,
    HEAD,
    HTML,
    PACKED,
    PGDMP,
    SQL,
    SQL_GZ,
    SQL_MEMBER,
    SQL_START,
    TAR,
    TAR_GZ,
    ZIP,
    DamagedError,
    Form,
    is_tar,
    kind_of,
    sql_form,
)
from .unpack import MissingUnpackerError, reading, unpacked

BACKUP_MEMBERS = ("db.dump", SQL_MEMBER)
"""The dump in a folder that click-odoo-backupdb made, or that a zip of Odoo was unpacked to."""


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
        inside = next((name for name in BACKUP_MEMBERS if os.path.isfile(os.path.join(path, name))), "")
        if inside:
            raise DamagedError(
                f"The folder {path} is a backup with a dump in it. Give the path of that file, {inside}. The folder "
                "filestore beside it is for odoo_filestore_merge."
            )
        raise DamagedError(
            f"The folder {path} is no dump: a dump by pg_dump -Fd has a file toc.dat in it. Give the path of the dump."
        )
    with open(toc, "rb") as file:
        return _archive(file.read(HEAD), path, DIRECTORY)


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


def _packed(path: str, name: str, seconds: float, env: t.Mapping[str, str] | None) -> Form:
    """What is in a compressed file. Where the program that unpacks it is missing, SQL is assumed."""
    try:
        with contextlib.closing(unpacked(path, name, seconds, HEAD, env)) as blocks:
            head = next(blocks, b"")
    except MissingUnpackerError:
        return Form(name)
    if is_tar(head):
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
        if version >= (1, 15):
            packed = head[reader.place] != 0
            reader.skip(1)
        else:
            packed = reader.number() != 0
        for _number in range(7):
            reader.number()
        reader.text()
        dumped_from, dumped_by = reader.text(), reader.text()
    except (IndexError, ValueError) as error:
        raise DamagedError(f"{path} is damaged: the header of the archive cannot be read.") from error
    return Form(
        name, version, dumped_from.partition(" ")[0], dumped_by.partition(" ")[0], None if name == TAR else packed
    )


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

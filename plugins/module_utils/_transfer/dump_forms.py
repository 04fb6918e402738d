# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forms in which databases are dumped: their names, and the bytes that each begins with.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._core.errors import UpgradeError

HEAD = 8 * 1024

CUSTOM, DIRECTORY, TAR, SQL, ZIP, TAR_GZ = "custom", "directory", "tar", "sql", "zip", "tar.gz"
SQL_GZ, SQL_XZ, SQL_ZST, SQL_BZ2 = "sql.gz", "sql.xz", "sql.zst", "sql.bz2"
ARCHIVES = (CUSTOM, DIRECTORY, TAR)
"""What pg_restore reads."""

PACKED = {SQL_GZ: b"\x1f\x8b", SQL_XZ: b"\xfd7zXZ\0", SQL_ZST: b"\x28\xb5\x2f\xfd", SQL_BZ2: b"BZh"}
PGDMP, LOCAL_MEMBER, EMPTY_ZIP = b"PGDMP", b"PK\x03\x04", b"PK\x05\x06"
TAR_MAGIC, TAR_MAGIC_PLACE, SECTOR = b"ustar", 257, 512

SQL_MEMBER = "dump.sql"
"""The member of Odoo's zip that holds the database."""

HTML, EMPTY, UNKNOWN = "html", "empty", "unknown"
"""What a file is that is no dump."""

SQL_START = re.compile(rb"^\s*(--|/\*|\\|(SET|BEGIN|CREATE|SELECT|INSERT|COPY|ALTER|DROP|DO|START)\b)", re.I | re.M)
DUMPED_FROM = re.compile(rb"^-- Dumped from database version (\d+(?:\.\d+)*)", re.M)
DUMPED_BY = re.compile(rb"^-- Dumped by pg_dump version (\d+(?:\.\d+)*)", re.M)


class DamagedError(UpgradeError):
    """A file or folder is not a database dump, or not a whole one."""


class UnreadableError(UpgradeError):
    """The system refuses to read a file or folder."""


@dataclass(frozen=True)
class Form:
    """What a dump is. The versions are texts such as 15.18, empty where the form does not name them at its start.

    ``packed`` says of an archive whether its data is compressed; None where the form alone says it.
    """

    name: str
    archive_version: tuple[int, int] | None = None
    dumped_from: str = ""
    dumped_by: str = ""
    packed: bool | None = None


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
    if is_tar(head):
        return TAR
    for name, magic in PACKED.items():
        if head.startswith(magic):
            return name
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return HTML
    return SQL if b"\0" not in head and SQL_START.search(head) else UNKNOWN


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


def is_tar(head: bytes) -> bool:
    """Whether this is the beginning of a tar archive."""
    return head[TAR_MAGIC_PLACE : TAR_MAGIC_PLACE + len(TAR_MAGIC)] == TAR_MAGIC

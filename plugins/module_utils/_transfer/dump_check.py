# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database dump read to its end before anybody relies on it: what each form can prove, and what it cannot.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import re
import tarfile
import typing as t
from dataclasses import dataclass

from .._core.errors import UpgradeError
from .._core.process import LateError, run
from .dump_forms import ARCHIVES, CUSTOM, DIRECTORY, SECTOR, SQL, SQL_MEMBER, TAR, TAR_GZ, ZIP, DamagedError, Form
from .recognise import recognise
from .sql_watch import SqlWatch
from .unpack import BLOCK, MissingUnpackerError, reading, unpacked
from .zip_members import UnsupportedMethodError, content, members

FILESTORE = "filestore/"
LEAST_SECONDS, LEAST_SPEED = 600, 1_000_000
"""Seconds that a program has to read any dump, and bytes of a dump for each further second."""

CHECKLIST = "filestore/checklist/"
"""The list of Odoo's garbage collector: half of the members of its zip, all of them empty, and none of them wanted."""

NO_CHECKSUM = {
    SQL: "plain SQL has no checksums: a changed byte in its middle is not found",
    TAR: "a tar archive has no checksums of its content: a changed byte in its data is not found",
    CUSTOM: "a changed byte in the table of contents of a custom archive can go unnoticed",
    DIRECTORY: "a changed byte in the table of contents of a directory, toc.dat, can go unnoticed",
}
ALL_ZERO = b"\0" * 2 * SECTOR
ROWS = re.compile(r"(\d+\.dat)(?:\.\w+)?", re.ASCII)
"""The rows of a table in a directory."""

INSERT = b"INSERT "
"""How rows begin that pg_dump --inserts wrote, which have no end mark."""

END_OF_ROWS = b"\\.\n\n\n"
TAR_ROWS = re.compile(r"\d+\.dat", re.ASCII)
"""The rows of a table in a tar archive, as text."""


@dataclass(frozen=True)
class CheckedDump:
    """A dump that was read to its end.

    ``not_checked`` says what that could not prove, and ``unread`` that a program was missing or too old to read it.
    ``files`` counts the members of the filestore in it.
    """

    form: Form
    files: int = 0
    not_checked: tuple[str, ...] = ()
    unread: str = ""


def check_dump(
    path: str,
    pg_restore: str | None,
    seconds: float,
    form: Form | None = None,
    env: t.Mapping[str, str] | None = None,
) -> CheckedDump:
    """Read a whole dump, and refuse one that is damaged or not whole.

    :param pg_restore: the program, newest version that is there; without it an archive is known by its header alone.
    :param seconds: how long a program may take.
    :param env: its environment; that of this process where none is given.
    :raises DamagedError: it is no dump, damaged, or not whole.
    :raises UpgradeError: it cannot be read, or a program did not end in time.
    """
    env = os.environ if env is None else env
    form = form or recognise(path, env=env)
    weakness = weaknesses(path, form)
    files, unread = 0, ""
    if form.name == ZIP:
        files, unread = _check_zip(path)
    elif form.name == TAR_GZ:
        files = _check_tar_gz(path)
    elif form.name == TAR:
        _check_tar(path)
    elif form.name in ARCHIVES:
        unread = _check_archive(path, form, pg_restore, seconds, env)
    else:
        unread = _check_sql(path, form, seconds, env)
    return CheckedDump(form, files, (*weakness, unread) if unread else weakness, unread)


def check_in_time(path: str, pg_restore: str | None, form: Form | None, env: t.Mapping[str, str]) -> CheckedDump:
    """:func:`check_dump` with as much time as the slowest disk needs.

    :raises DamagedError: as there.
    :raises UpgradeError: as there.
    """
    size = sum(os.path.getsize(os.path.join(at, name)) for at, _folders, names in os.walk(path) for name in names)
    with reading(path):
        seconds = LEAST_SECONDS + (size or os.path.getsize(path)) // LEAST_SPEED
    try:
        return check_dump(path, pg_restore, seconds, form, env)
    except LateError as error:
        raise UpgradeError(
            f"{path} could not be read to its end within {seconds} seconds, so it was not checked."
        ) from error


def weaknesses(path: str, form: Form) -> tuple[str, ...]:
    """What reading a dump of this form to its end cannot prove."""
    if form.packed is False:
        return (f"{NO_CHECKSUM[form.name]}; it was dumped without compression, so its data has no checksums either",)
    return (NO_CHECKSUM[form.name],) if form.name in NO_CHECKSUM else ()


def require_rows(path: str) -> None:
    """Refuse a dump in a folder with a file of rows that is cut, which pg_restore takes for an empty table.

    Only the files that the table of contents names are judged: it names them without the ending of their compression.

    :raises DamagedError: names the file.
    """
    with reading(path):
        with open(os.path.join(path, "toc.dat"), "rb") as file_of_contents:
            contents = file_of_contents.read()
        for name in sorted(os.listdir(path)):
            file = os.path.join(path, name)
            rows_of = ROWS.fullmatch(name)
            # A text in it follows its length, four bytes of which the last is zero.
            if not rows_of or b"\0" + rows_of.group(1).encode() not in contents:
                continue
            if not os.path.getsize(file):
                raise DamagedError(f"{path} is damaged: its file {name} is empty, and pg_dump writes an end mark.")
            if name.endswith(".dat"):
                with open(file, "rb") as rows:
                    if rows.read(len(INSERT)) == INSERT:
                        continue
                    rows.seek(-min(len(END_OF_ROWS), os.path.getsize(file)), os.SEEK_END)
                    if rows.read() != END_OF_ROWS:
                        raise DamagedError(f"{path} is damaged: its file {name} ends without the end mark of its rows.")


def _check_sql(path: str, form: Form, seconds: float, env: t.Mapping[str, str]) -> str:
    watch = SqlWatch()
    try:
        for block in unpacked(path, form.name, seconds, env=env):
            watch.see(block)
    except MissingUnpackerError as error:
        return str(error).rstrip(".")
    watch.require_whole(path if form.name == SQL else f"The SQL in {path}")
    return ""


def _check_archive(path: str, form: Form, pg_restore: str | None, seconds: float, env: t.Mapping[str, str]) -> str:
    """Have pg_restore write the SQL of an archive to nowhere, for which it unpacks all of it."""
    if form.name == DIRECTORY:
        require_rows(path)
    if not pg_restore:
        return "pg_restore is not installed here, so only the header of the archive was read"
    # Never on a tar archive: pg_restore 15 does not end on one that was cut.
    ended = run([pg_restore, "-f", os.devnull, path], env, seconds)
    if not ended.status:
        return ""
    if "unsupported version" in ended.errors or "not supported by this build" in ended.errors:
        dumped_by = f" by pg_dump {form.dumped_by}" if form.dumped_by else ""
        return f"pg_restore here is too old for an archive written{dumped_by}, so only its header was read"
    raise DamagedError(f"{path} is damaged: pg_restore cannot read it: {ended.words}.")


def _check_tar(path: str) -> None:
    """Read every member of a tar archive; pg_dump ends one with at least two sectors of zeros."""
    names = set()
    with reading(path):
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            file.seek(max(0, size - len(ALL_ZERO)))
            if size % SECTOR or file.read() != ALL_ZERO:
                raise DamagedError(f"{path} is not whole: the tar archive ends without its end mark.")
        with tarfile.open(path, "r|") as archive:
            for member in archive:
                names.add(member.name)
                rows = archive.extractfile(member) if TAR_ROWS.fullmatch(member.name) else None
                while rows and (block := rows.read(BLOCK)):
                    if b"\0" in block:
                        raise DamagedError(f"{path} is damaged: its {member.name} contains zero bytes.")
        if "restore.sql" not in names:
            raise DamagedError(f"{path} is not whole: the tar archive has no restore.sql, which pg_dump writes last.")


def tar_members(path: str) -> t.Iterator[tuple[str, int, t.Iterator[bytes]]]:
    """The ordinary files of a tar.gz, each with its size and its content, which must be read before the next one."""
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            name = member.name[2:] if member.name.startswith("./") else member.name
            file = archive.extractfile(member) if member.isfile() else None
            if file:
                yield name, member.size, iter(lambda read=file.read: read(1024 * 1024), b"")  # type: ignore[misc]


def _check_tar_gz(path: str) -> int:
    files, found = 0, False
    with reading(path):
        for name, _size, blocks in tar_members(path):
            watch = SqlWatch()
            for block in blocks:
                watch.see(block)
            if name == SQL_MEMBER:
                found = True
                watch.require_whole(f"The {SQL_MEMBER} in {path}")
            files += is_of_filestore(name)
        # tarfile stops at the end mark; only the rest of the stream has the checksum.
        for _block in unpacked(path, "sql.gz", 0):
            pass
    return _with_sql(path, found, files)


def _check_zip(path: str) -> tuple[int, str]:
    """Read every member; how many are of the filestore, and which one could not be read."""
    files, found, unread = 0, False, ""
    with reading(path), open(path, "rb") as file:
        for member in members(file):
            watch, is_sql = SqlWatch(), member.name == SQL_MEMBER
            files += is_of_filestore(member.name)
            found = found or is_sql
            try:
                for block in content(file, member):
                    watch.see(block)
            except UnsupportedMethodError as error:
                unread = unread or str(error)
                continue
            if is_sql:
                watch.require_whole(f"The {SQL_MEMBER} in {path}")
    return _with_sql(path, found, files), unread


def _with_sql(path: str, found: bool, files: int) -> int:
    if not found:
        raise DamagedError(f"{path} has no {SQL_MEMBER} in it, so there is no database in it.")
    return files


def is_of_filestore(name: str) -> bool:
    """Whether a member is a file of the filestore."""
    return name.startswith(FILESTORE) and not name.startswith(CHECKLIST) and not name.endswith("/")

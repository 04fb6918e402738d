# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Database dumps: telling their format, deriving an upgraded dump, turning one into SQL.

An "upgraded" dump is the uploaded one with a note added in the format's own way, so that it stays valid and a test can
prove that every byte made the whole journey:

    pgdmp_custom  bytes of the upload + a comment line behind the archive, which pg_restore never reads
    gzip          bytes of the upload + another gzip member holding a comment line
    sql           bytes of the upload + a comment line
    zip           the members of the upload + another member, upgrade.json
    unknown       bytes of the upload + a comment line (only taken where the settings say so)

The note names the target and the sha256 of the upload.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BLOCK = 1 << 20
_HEAD = 1 << 16
_UNITS = (("Kb", 1 << 10), ("Mb", 1 << 20), ("Gb", 1 << 30))
_SQL_IN_ZIP = "dump.sql"
_FILESTORE_IN_ZIP = "filestore/"
_STATEMENT = re.compile(rb"^\s*(--|/\*|\\|(SET|BEGIN|CREATE|SELECT|INSERT|COPY|ALTER|DROP|DO)\b)", re.I | re.M)
_SQL_SERVER_VERSION = re.compile(rb"Dumped from database version (\d+(?:\.\d+)?)")
_ARCHIVE_SERVER_VERSION = re.compile(rb"[\x00-\x1f](\d+\.\d+)[ \x00]")


SQL_END = b"--\n-- PostgreSQL database dump complete\n--\n"
"""The last lines of what pg_dump writes as SQL."""


class DumpError(Exception):
    """An upload that the platform cannot work with; the text is meant for the customer."""


@dataclass(frozen=True)
class DumpInfo:
    """What the platform guesses about an upload: its format, its PostgreSQL version, whether it holds a filestore."""

    kind: str
    postgresql: str | None
    filestore: bool

    @property
    def compressions(self) -> list[str]:
        if self.kind == "unknown":
            return []
        return ["sql"] if self.kind == "sql" else [self.kind, "sql"]


def inspect(path: Path) -> DumpInfo:
    """Guess from the first bytes (and, of a zip archive, from its table of contents)."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"PGDMP"):
        version = _ARCHIVE_SERVER_VERSION.search(head[:4096])
        return DumpInfo("pgdmp_custom", version[1].decode() if version else None, False)
    if head.startswith(b"PK\x03\x04"):
        return _inspect_zip(path)
    if head.startswith(b"\x1f\x8b"):
        return DumpInfo("gzip", _server_version(_first_bytes(path, "gzip")), False)
    if b"\0" not in head and not head.lstrip().startswith(b"<") and _STATEMENT.search(head):
        return DumpInfo("sql", _server_version(head), False)
    return DumpInfo("unknown", None, False)


def derive(original: Path, upgraded: Path, target: str, with_filestore: bool) -> None:
    """Make the upgraded dump out of the uploaded one; `with_filestore` makes a zip archive of it.

    Raises DumpError for an archive that cannot be read. Only as much is checked as the derivation needs: a zip's
    table of contents, the first bytes of everything else.
    """
    info = inspect(original)
    part = upgraded.with_name(f"{upgraded.name}.part")
    digest = _copy(original, part)
    note = {"note": "upgraded by the rehearsal platform", "sha256_of_upload": digest, "target": target}
    comment = f"\n-- {note['note']}, target {target}, sha256 of the upload {digest}\n".encode()
    if info.kind == "zip":
        _add_member(part, note)
    elif with_filestore:
        _pack_with_filestore(original, info.kind, part, note)
    else:
        with part.open("ab") as file:
            file.write(gzip.compress(comment, mtime=0) if info.kind == "gzip" else comment)
    part.replace(upgraded)


def write_sql(dump: Path, destination: Path) -> None:
    """Write the dump as plain SQL.

    A custom archive needs pg_restore. Where that is missing or cannot read the archive, the SQL is a handful of
    comment lines that say so: valid for psql, and honest.
    """
    kind = inspect(dump).kind
    part = destination.with_name(f"{destination.name}.part")
    if kind == "pgdmp_custom":
        _restore_as_sql(dump, part)
    else:
        with _sql_stream(dump, kind) as source, part.open("wb") as file:
            shutil.copyfileobj(source, file, BLOCK)
    part.replace(destination)


def upgraded_name(filename: str, filestore: bool) -> str:
    """Name of the result: `upgraded_<filename>`, or `upgraded_<stem>.zip` where a filestore is delivered."""
    if not filestore:
        return f"upgraded_{filename}"
    stem = re.sub(r"(\.(tar|sql|dump|cdump))?\.[^.]+$", "", filename) or filename
    return f"upgraded_{stem}.zip"


def human_size(size: int) -> str:
    """A size as the platform writes it: "912.99 Kb"."""
    unit, factor = next(((unit, factor) for unit, factor in _UNITS if size < 1024 * factor), _UNITS[-1])
    return f"{size / factor:.2f} {unit}"


def _inspect_zip(path: Path) -> DumpInfo:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return DumpInfo("unknown", None, False)
    if _SQL_IN_ZIP not in names:
        return DumpInfo("unknown", None, False)
    filestore = any(name.startswith(_FILESTORE_IN_ZIP) for name in names)
    return DumpInfo("zip", _server_version(_first_bytes(path, "zip")), filestore)


def _first_bytes(path: Path, kind: str) -> bytes:
    try:
        with _sql_stream(path, kind) as stream:
            return stream.read(4096)
    except (OSError, EOFError, zipfile.BadZipFile):
        return b""


def _server_version(sql: bytes) -> str | None:
    found = _SQL_SERVER_VERSION.search(sql)
    return found[1].decode() if found else None


@contextmanager
def _sql_stream(dump: Path, kind: str) -> Iterator[IO[bytes]]:
    if kind == "zip":
        with zipfile.ZipFile(dump) as archive, archive.open(_SQL_IN_ZIP) as member:
            yield member
    elif kind == "gzip":
        with gzip.open(dump) as stream:
            yield stream  # type: ignore[misc]
    else:
        with dump.open("rb") as file:
            yield file


def _copy(source: Path, destination: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as reader, destination.open("wb") as writer:
        while block := reader.read(BLOCK):
            digest.update(block)
            writer.write(block)
    return digest.hexdigest()


def _add_member(archive_path: Path, note: dict[str, str]) -> None:
    try:
        with zipfile.ZipFile(archive_path, "a") as archive:
            taken = set(archive.namelist())
            names = itertools.chain(["upgrade.json"], (f"upgrade-{n}.json" for n in itertools.count(2)))
            archive.writestr(zipfile.ZipInfo(next(name for name in names if name not in taken)), json.dumps(note))
    except zipfile.BadZipFile as error:
        raise DumpError(f"The zip archive is damaged: {error}") from error


def _pack_with_filestore(original: Path, kind: str, destination: Path, note: dict[str, str]) -> None:
    sql = destination.with_name("packed.sql")
    try:
        write_sql(original, sql) if kind != "unknown" else shutil.copyfile(original, sql)
        _raise_versions(sql, note["target"])
        with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(sql, _SQL_IN_ZIP)
            archive.writestr(zipfile.ZipInfo(f"{_FILESTORE_IN_ZIP}00/{'0' * 40}"), b"an attachment\n")
            archive.writestr(zipfile.ZipInfo("upgrade.json"), json.dumps(note))
    except (OSError, EOFError) as error:
        raise DumpError(f"The database dump cannot be read: {error}") from error
    finally:
        sql.unlink(missing_ok=True)


def _raise_versions(sql: Path, target: str) -> None:
    """Let the modules of a database of Odoo have the version that was asked for, as the real platform does."""
    table = b"public.ir_module_module"
    text = sql.read_bytes()
    place = text.rfind(SQL_END)
    if place < 0 or b"CREATE TABLE " + table not in text:
        return
    update = b"UPDATE %s SET latest_version = regexp_replace(latest_version, '^[0-9]+[.]0', '%s');\n\n"
    sql.write_bytes(text[:place] + update % (table, target.encode()) + text[place:])


def _restore_as_sql(dump: Path, destination: Path) -> None:
    tool = shutil.which("pg_restore")
    reason = "pg_restore is not installed here"
    if tool:
        done = subprocess.run([tool, "-f", str(destination), str(dump)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        reason = "pg_restore cannot read the archive"
    destination.write_text(
        "-- rehearsal platform: this custom archive could not be turned into SQL\n"
        f"-- {reason}\n"
        f"-- size of the archive: {dump.stat().st_size} bytes\n{SQL_END.decode()}",
        encoding="ascii",
    )

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of dumps by their bytes, and SQL that is whole by its ends."""

from __future__ import annotations

import gzip
import lzma
import struct
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump_forms import (
    DamagedError,
    kind_of,
    sql_form,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.recognise import recognise
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sql_watch import SqlWatch
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.unpack import unpacked

if t.TYPE_CHECKING:
    from pathlib import Path

SQL = b"""--
-- PostgreSQL database dump
--

\\restrict abcDEF123

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 17.10

SET statement_timeout = 0;
COPY x FROM stdin;
\\.
--
-- PostgreSQL database dump complete
--

\\unrestrict abcDEF123

"""


def number(value: int) -> bytes:
    return struct.pack("<BI", value < 0, abs(value))


def text(value: str) -> bytes:
    return number(len(value)) + value.encode()


def archive(minor: int, dumped_from: str, dumped_by: str) -> bytes:
    """The beginning of a custom archive, as pg_backup_archiver.c writes it."""
    compression = b"\x01" if minor >= 15 else number(-1)
    times = b"".join(map(number, (0, 0, 0, 28, 10, 126, 0)))
    names = text("shop") + text(dumped_from) + text(dumped_by)
    return b"PGDMP" + bytes((1, minor, 0, 4, 8, 1)) + compression + times + names + number(0)


@pytest.mark.parametrize("minor", [14, 15, 16])
def test_an_archive_names_its_versions(tmp_path: Path, minor: int) -> None:
    path = tmp_path / "dump"
    path.write_bytes(archive(minor, "15.18 (Debian)", "17.10"))
    form = recognise(str(path))
    assert (form.name, form.archive_version, form.dumped_from, form.dumped_by) == (
        "custom",
        (1, minor),
        "15.18",
        "17.10",
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    path.rename(folder / "toc.dat")
    assert recognise(str(folder)).name == "directory"


def test_a_header_that_is_cut_or_senseless_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    whole = archive(14, "15.18", "15.18")
    for content in (whole[:30], whole[:11] + b"\xff" * 60):
        path.write_bytes(content)
        with pytest.raises(DamagedError, match="the header of the archive cannot be read"):
            recognise(str(path))


def test_sql_names_its_versions() -> None:
    form = sql_form("sql", SQL)
    assert (form.dumped_from, form.dumped_by) == ("15.18", "17.10")


@pytest.mark.parametrize(("name", "pack"), [("sql.gz", gzip.compress), ("sql.xz", lzma.compress)])
def test_compressed_sql_is_unpacked(tmp_path: Path, name: str, pack: t.Any) -> None:
    path = tmp_path / "dump"
    path.write_bytes(pack(SQL))
    assert recognise(str(path)).name == name
    assert b"".join(unpacked(str(path), name, 60)) == SQL
    path.write_bytes(pack(b"<html>"))
    with pytest.raises(DamagedError, match="what is compressed in it is not SQL"):
        recognise(str(path))


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UpgradeError, match="No such file"):
        recognise(str(tmp_path / "nosuch"))
    with pytest.raises(DamagedError, match=r"has a file toc\.dat"):
        recognise(str(tmp_path))
    (tmp_path / "db.dump").touch()
    with pytest.raises(DamagedError, match=r"Give the path of that file, db\.dump"):
        recognise(str(tmp_path))
    with pytest.raises(DamagedError, match="neither a file nor a folder"):
        recognise("/dev/null")


def watched(content: bytes, block: int) -> SqlWatch:
    watch = SqlWatch()
    for place in range(0, len(content), block):
        watch.see(content[place : place + block])
    return watch


@pytest.mark.parametrize("block", [1, 7, 100_000])
def test_whole_sql_passes_in_blocks_of_any_size(block: int) -> None:
    watched(SQL, block).require_whole("it")
    watched(SQL + b"-- a note of a platform\n", block).require_whole("it")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (SQL[: len(SQL) // 2], "does not end with the line"),
        (SQL[:-20], "its last line '.unrestrict' is missing"),
        (SQL.replace(b"COPY x", b"COPY\0x"), "zero bytes"),
        (b"<html>", "is not SQL"),
    ],
)
def test_sql_that_is_not_whole_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(DamagedError, match=words):
        watched(content, 64).require_whole("it")


@pytest.mark.parametrize(
    ("head", "kind"),
    (
        (b"PGDMP\x01\x0e", "custom"),
        (b"\x1f\x8b\x08", "sql.gz"),
        (b"PK\x03\x04", "zip"),
        (b"\x28\xb5\x2f\xfd", "sql.zst"),
        (bytes(257) + b"ustar", "tar"),
        (b"--\n-- PostgreSQL database dump\n--\n", "sql"),
        (b"\\restrict abc\n", "sql"),
        (b"\xef\xbb\xbf\nSET statement_timeout = 0;", "sql"),
        (b"<!DOCTYPE html>", "html"),
        (b"\n  <?xml version='1.0'?>", "html"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b'{"failures": []}', "unknown"),
        (b"\0\0\0", "unknown"),
        (b"SELECT 1;\0", "unknown"),
        (b"An error occurred", "unknown"),
    ),
)
def test_the_kind_of_a_file_by_its_first_bytes(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind

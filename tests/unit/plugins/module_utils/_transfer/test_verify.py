# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files pass for a whole database dump."""

from __future__ import annotations

import gzip
import os
import struct
import typing as t
import zipfile

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._transfer import verify
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.verify import DamagedError, Verdict, check

if t.TYPE_CHECKING:
    from pathlib import Path

SQL = b"-- PostgreSQL database dump\nSELECT 1;\n"
END = b"--\n-- PostgreSQL database dump complete\n--\n"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)


def never_run(command: t.Sequence[str]) -> tuple[int, str, str]:
    raise AssertionError(command)


def verdict(path: Path, kind: str = "archive", **options: t.Any) -> Verdict:
    return check(str(path), kind, never_run, None, **options)


def damaged(path: Path, words: str, kind: str = "archive", **options: t.Any) -> None:
    with pytest.raises(DamagedError, match=words):
        verdict(path, kind, **options)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upgraded"


def write_zip(file: Path, method: int = zipfile.ZIP_DEFLATED, force: bool = False) -> None:
    with zipfile.ZipFile(file, "w", method) as archive:
        with archive.open("dump.sql", "w", force_zip64=force) as member:
            for _block in range(8):
                member.write(SQL * 3000 + os.urandom(100_000))
        for number in range(20):
            archive.writestr(f"filestore/{number:02}/ä", os.urandom(number))
        archive.comment = b"a comment"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("force", (False, True))
def test_a_whole_zip(file: Path, method: int, force: bool) -> None:
    write_zip(file, method, force)
    assert verdict(file) == Verdict("zip")


def test_a_zip_of_more_members_than_its_short_directory_can_count(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(66_000):
            archive.writestr(str(number), b"")
    assert verdict(file).format == "zip"


@pytest.mark.parametrize("method", METHODS)
def test_a_zip_with_one_wrong_byte(file: Path, method: int) -> None:
    write_zip(file, method)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    damaged(file, "damaged")


@pytest.mark.parametrize("part", (0.1, 0.5, 0.999))
def test_a_zip_that_was_cut_short(file: Path, part: float) -> None:
    write_zip(file)
    os.truncate(file, int(file.stat().st_size * part))
    damaged(file, "damaged")


def test_a_zip_that_names_less_than_it_was_cut_to(file: Path) -> None:
    write_zip(file)
    content = file.read_bytes()
    file.write_bytes(content[:1000] + content[2000:])
    damaged(file, "shorter or longer")


def test_zips_that_make_no_sense(file: Path) -> None:
    with zipfile.ZipFile(file, "w"):
        pass
    file.write_bytes(b"PK\x03\x04" + file.read_bytes())
    damaged(file, "damaged")
    end_64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 10, 2**64 - 1)
    place = struct.pack("<4sLQL", b"PK\x06\x07", 0, 4, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    file.write_bytes(b"PK\x03\x04" + end_64 + place + end)
    damaged(file, "damaged")


def test_gzip(file: Path) -> None:
    whole = gzip.compress(SQL * 100_000) + gzip.compress(END) + b"\0" * 512
    file.write_bytes(whole)
    assert verdict(file, length_known=False).format == "gzip"
    assert verdict(file, "sql").format == "gzip"
    for size in (len(whole) - 520, len(whole) // 2, 20):
        file.write_bytes(whole[:size])
        damaged(file, "damaged")
    file.write_bytes(whole + b"garbage")
    damaged(file, "damaged")


def test_a_gzip_bomb_takes_no_memory(file: Path) -> None:
    with gzip.open(file, "wb") as packed:
        for _block in range(200):
            packed.write(bytes(2**20))
    assert verdict(file).format == "gzip"


def test_sql(file: Path) -> None:
    file.write_bytes(SQL)
    assert verdict(file, "sql").format == "sql"
    assert verdict(file, "archive").format == "sql"
    damaged(file, "did not state the length", "sql", length_known=False)
    file.write_bytes(SQL + END)
    assert verdict(file, "sql", length_known=False).format == "sql"


@pytest.mark.parametrize(
    ("content", "words"),
    (
        (b"", "empty"),
        (b"<html>Please log in</html>", "an HTML page"),
        (b'{"failures": []}', "of no known format"),
    ),
)
def test_what_is_no_dump(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    damaged(file, words)


def test_an_archive_is_not_sql(file: Path) -> None:
    file.write_bytes(b"PGDMP")
    damaged(file, "pgdmp", "sql")


@pytest.mark.parametrize(
    ("status", "errors", "expected"),
    (
        (0, "", Verdict("pgdmp")),
        (1, "pg_restore: error: unsupported version (1.99) in file header", "too old"),
        (1, "pg_restore: error: did not find magic string in file header", DamagedError),
    ),
)
def test_custom_archives_are_listed(file: Path, status: int, errors: str, expected: t.Any) -> None:
    file.write_bytes(b"PGDMP")
    commands: list[t.Sequence[str]] = []

    def run(command: t.Sequence[str]) -> tuple[int, str, str]:
        commands.append(command)
        return status, "", errors

    if expected is DamagedError:
        with pytest.raises(DamagedError, match="magic string"):
            check(str(file), "archive", run, "/usr/bin/pg_restore")
    else:
        found = check(str(file), "archive", run, "/usr/bin/pg_restore")
        assert found == expected or expected in found.warning
    assert commands == [["/usr/bin/pg_restore", "--list", str(file)]]


def test_without_pg_restore_a_message_says_so(file: Path) -> None:
    file.write_bytes(b"PGDMP")
    assert "pg_restore is not installed" in verdict(file).warning


def test_an_archive_of_unknown_length_is_read_to_its_end(file: Path) -> None:
    file.write_bytes(b"PGDMP")
    damaged(file, "did not state the length", length_known=False, end_known=False)
    assert "only checked by the end that the server stated" in verdict(file, length_known=False).warning
    commands: list[t.Sequence[str]] = []

    def run(command: t.Sequence[str]) -> tuple[int, str, str]:
        commands.append(command)
        return len(commands) - 1, "", "pg_restore: error: unsupported version (1.99) in file header"

    untold = {"length_known": False, "end_known": False}
    assert check(str(file), "archive", run, "pg_restore", **untold) == Verdict("pgdmp")
    assert commands == [["pg_restore", "--file", os.devnull, str(file)]]
    with pytest.raises(DamagedError, match="did not state the length"):
        check(str(file), "archive", run, "pg_restore", **untold)


def test_an_unknown_way_of_packing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_zip(file)
    monkeypatch.setattr(verify, "DEFLATED", 99)
    damaged(file, "method")

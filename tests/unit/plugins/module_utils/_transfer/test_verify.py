# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files pass for a whole database dump that was fetched, and which may be sent."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import tarfile
import typing as t
import zipfile

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump_forms import DamagedError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.verify import Verdict, check
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.verify_upload import check_upload

if t.TYPE_CHECKING:
    from pathlib import Path

SQL = b"-- PostgreSQL database dump\nSELECT 1;\n"
END = b"--\n-- PostgreSQL database dump complete\n--\n"
HEADER = b"PGDMP\1\x0e\0\4\x08\1" + bytes(5) * 12
"""The beginning of a custom archive of the version 1.14, which names no versions of PostgreSQL."""


def noise(size: int) -> bytes:
    """The same bytes in every run: among other ones, a changed bit now and then changes nothing that is unpacked."""
    return random.Random(7).randbytes(size)


TAKES = {"custom", "sql", "sql.gz", "zip"}


def verdict(path: Path, kind: str = "archive", **options: t.Any) -> Verdict:
    return check(str(path), kind, None, {}, **options)


def damaged(path: Path, words: str, kind: str = "archive", **options: t.Any) -> None:
    with pytest.raises(DamagedError, match=words):
        verdict(path, kind, **options)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upgraded"


@pytest.fixture
def pg_restore(tmp_path: Path) -> t.Callable[[int, str], str]:
    """Makes a program that ends with this status and message, and writes its arguments to the file ``asked``."""

    def write(status: int, message: str) -> str:
        program = tmp_path / "pg_restore"
        program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho "{message}" >&2\nexit {status}\n')
        program.chmod(0o755)
        return str(program)

    return write


def packed(content: bytes | None, name: str = "dump.sql") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("filestore/aa/attachment", noise(2000))
        if content is not None:
            archive.writestr(name, content)
    return file.getvalue()


def tar(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def with_short_sizes(archive: bytes) -> bytes:
    """A zip archive whose first entry has a field of long sizes that is shorter than it says."""
    entry = archive.index(b"PK\x01\x02")
    end = archive.index(b"PK\x05\x06")
    name = entry + 46
    length = int.from_bytes(archive[entry + 28 : entry + 30], "little")
    extra = b"\x01\x00\x40\x00" + bytes(8)
    head = archive[entry : entry + 30] + len(extra).to_bytes(2, "little") + archive[entry + 32 : name]
    size = int.from_bytes(archive[end + 12 : end + 16], "little") + len(extra)
    rest = archive[name + length : end]
    closing = archive[end : end + 12] + size.to_bytes(4, "little") + archive[end + 16 :]
    return archive[:entry] + head + archive[name : name + length] + extra + rest + closing


WHOLE = SQL * 2000 + END
GZIPPED, ZIPPED = gzip.compress(SQL + noise(3000).hex().encode() + END), packed(WHOLE)
DAMAGED = {
    "sql half": (WHOLE[: len(WHOLE) // 2], "does not end with the line"),
    "sql tail": (WHOLE[:-64], "does not end with the line"),
    "sql zeros": (WHOLE[:12000] + bytes(500) + WHOLE[12500:], "zero bytes"),
    "gzip half": (GZIPPED[: len(GZIPPED) // 2], "damaged"),
    "gzip tail": (GZIPPED[:-64], "damaged"),
    "gzip bit": (GZIPPED[:3000] + bytes([GZIPPED[3000] ^ 1]) + GZIPPED[3001:], "damaged"),
    "gzip and garbage": (GZIPPED + b"garbage", "damaged"),
    "gzip of cut sql": (gzip.compress(WHOLE[:-64]), "does not end with the line"),
    "gzip of random bytes": (gzip.compress(noise(5000)), "not SQL"),
    "zip half": (ZIPPED[: len(ZIPPED) // 2], "damaged"),
    "zip tail": (ZIPPED[:-64], "damaged"),
    "zip bit": (ZIPPED[:1000] + bytes([ZIPPED[1000] ^ 1]) + ZIPPED[1001:], "damaged"),
    "zip with short sizes": (with_short_sizes(ZIPPED), "damaged"),
    "zip of cut sql": (packed(WHOLE[:-64]), "does not end with the line"),
    "zip of a page": (packed(b"<html></html>"), "is not SQL"),
    "zip with an empty dump.sql": (packed(b""), "is empty"),
    "zip without a dump": (packed(None), "no dump.sql"),
    "zip with the dump in a folder": (packed(WHOLE, "shop/dump.sql"), "no dump.sql"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_damaged_is_neither_sent_nor_given_its_name(file: Path, case: str) -> None:
    content, words = DAMAGED[case]
    file.write_bytes(content)
    damaged(file, words)
    with pytest.raises(OptionError, match=f"'src'.*{words}.*Nothing was sent.*odoo_upgrade_check_dump"):
        check_upload(str(file), TAKES, None, {})


@pytest.mark.parametrize(
    ("content", "form", "name"),
    (
        (WHOLE, "sql", "sql"),
        (GZIPPED, "sql.gz", "gzip"),
        (gzip.compress(SQL) + gzip.compress(END) + bytes(512), "sql.gz", "gzip"),
        (ZIPPED, "zip", "zip"),
    ),
)
def test_what_is_whole(file: Path, content: bytes, form: str, name: str) -> None:
    file.write_bytes(content)
    assert verdict(file, length_known=False, end_known=False).format == name
    checked = check_upload(str(file), TAKES, None, {})
    assert (checked.form.name, checked.unread) == (form, "")


@pytest.mark.parametrize(
    ("content", "words"),
    (
        (lzma.compress(WHOLE), r"form sql\.xz, .* xz --decompress --stdout \S+/shop\.sql\.x \| gzip > shop\.sql\.gz"),
        (bz2.compress(WHOLE), r"form sql\.bz2, .* bzip2 --decompress"),
        (tar("toc.dat", HEADER), r"form tar, .* pg_restore --file=-"),
        (gzip.compress(tar("dump.sql", WHOLE)), r"form tar\.gz, .* tar -xzf"),
        (b"\x85\x02\x0c\x03" + noise(500), "no dump of a known form"),
        (b"<html></html>", "an HTML page"),
        (b"", "is empty"),
    ),
)
def test_what_is_not_taken_is_refused_with_what_helps(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "shop.sql.x"
    path.write_bytes(content)
    with pytest.raises(OptionError, match=words):
        check_upload(str(path), TAKES, None, {})


def test_a_gzip_bomb_is_read_to_its_end_in_little_memory(file: Path) -> None:
    with gzip.open(file, "wb") as bomb:
        bomb.write(SQL)
        for _block in range(200):
            bomb.write(b" " * 2**20)
        bomb.write(END)
    assert verdict(file, "sql").format == "gzip"


@pytest.mark.parametrize(
    ("content", "words"),
    (
        (b"", "empty"),
        (b"<html>Please log in</html>", "an HTML page"),
        (b'{"failures": []}', "of no known format"),
        (lzma.compress(WHOLE), r"of the format sql\.xz"),
        (tar("toc.dat", HEADER), "of the format tar"),
    ),
)
def test_what_is_no_result(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    damaged(file, words)


def test_an_archive_is_not_sql(file: Path) -> None:
    file.write_bytes(b"PGDMP")
    damaged(file, "pgdmp", "sql")


@pytest.mark.parametrize(
    ("status", "message", "words"),
    (
        (0, "", ""),
        (1, "pg_restore: error: unsupported version (1.99) in file header", "too old"),
    ),
)
def test_custom_archives_are_read_to_their_end(
    file: Path, pg_restore: t.Callable[[int, str], str], status: int, message: str, words: str
) -> None:
    file.write_bytes(HEADER)
    found = check(str(file), "archive", pg_restore(status, message), {})
    assert found.format == "pgdmp"
    assert words in found.warning
    assert bool(found.warning) == bool(words)
    assert (file.parent / "asked").read_text() == f"-f {os.devnull} {file}\n"


def test_a_custom_archive_that_pg_restore_cannot_read(file: Path, pg_restore: t.Callable[[int, str], str]) -> None:
    file.write_bytes(HEADER)
    program = pg_restore(1, "pg_restore: error: could not read from input file: end of file")
    with pytest.raises(DamagedError, match="end of file"):
        check(str(file), "archive", program, {})
    with pytest.raises(OptionError, match="end of file"):
        check_upload(str(file), TAKES, program, {})


def test_without_pg_restore_a_message_says_so(file: Path) -> None:
    file.write_bytes(HEADER)
    assert "pg_restore is not installed" in verdict(file, length_known=False).warning
    assert "pg_restore is not installed" in check_upload(str(file), TAKES, None, {}).unread


def test_an_archive_that_nothing_proves_whole(file: Path, pg_restore: t.Callable[[int, str], str]) -> None:
    file.write_bytes(HEADER)
    unknown: dict[str, t.Any] = {"length_known": False, "end_known": False}
    damaged(file, "did not state the length", **unknown)
    assert check(str(file), "archive", pg_restore(0, ""), {}, **unknown).warning == ""
    with pytest.raises(DamagedError, match="did not state the length"):
        check(str(file), "archive", pg_restore(1, "unsupported version (1.99) in file header"), {}, **unknown)


def test_no_program_sees_more_than_its_environment(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODOO_UPGRADE_SFTP_PASSPHRASE", "secret")
    program = tmp_path / "pg_restore"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\n")
    program.chmod(0o755)
    file.write_bytes(HEADER)
    check_upload(str(file), TAKES, str(program), {"LC_ALL": "C"})
    seen = (tmp_path / "seen").read_text()
    assert "LC_ALL=C" in seen
    assert "secret" not in seen

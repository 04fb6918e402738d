# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of Odoo dumped, restored and given their files, on a real PostgreSQL."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import run_module
from support.postgres.odoo import (
    FILES,
    PARTNERS,
    SECRETS,
    content_of,
    make_database,
    make_filestore,
    stored_name,
)
from support.postgres.runs import Databases
from support.postgres.server import PASSWORD, ROLE, Postgres, debian_bin, running

ENDINGS = {"custom": ".dump", "directory": ".dir", "sql.gz": ".sql.gz", "zip": ".zip"}


@pytest.fixture
def databases(postgres: Postgres, tmp_path: Path) -> Databases:
    make_database(postgres, "shop")
    return Databases(postgres, tmp_path)


@pytest.fixture
def sql(databases: Databases) -> bytes:
    """The database as pg_dump writes it."""
    return databases.server.run("pg_dump", "--no-owner", "-d", "shop").encode()


def add_to_tar(archive: tarfile.TarFile, name: str, content: bytes, folder: Path) -> None:
    path = folder / "member"
    path.write_bytes(content)
    archive.add(path, name)


def zip_of(path: Path, sql: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dump.sql", sql)
        archive.writestr(f"filestore/{stored_name(content_of(1))}", content_of(1))
        archive.writestr(f"filestore/checklist/{stored_name(content_of(1))}", "")


def tar_gz_of(path: Path, sql: bytes) -> None:
    with tarfile.open(path, "w:gz") as archive:
        add_to_tar(archive, "dump.sql", sql, path.parent)
        add_to_tar(archive, f"filestore/{stored_name(content_of(1))}", content_of(1), path.parent)


def zstd_of(path: Path, sql: bytes) -> None:
    if not shutil.which("zstd"):
        pytest.skip("the program zstd is not installed")
    subprocess.run(["zstd", "-q", "-o", str(path)], input=sql, check=True)


def form(name: str) -> Callable[[Databases, Path, bytes], object]:
    """What writes a dump of this form, by PostgreSQL's own programs and Python's own libraries."""
    makers: dict[str, Callable[[Path, bytes], Any]] = {
        "sql": lambda path, sql: path.write_bytes(sql),
        "sql.gz": lambda path, sql: path.write_bytes(gzip.compress(sql)),
        "sql.bz2": lambda path, sql: path.write_bytes(bz2.compress(sql)),
        "sql.xz": lambda path, sql: path.write_bytes(lzma.compress(sql)),
        "sql.zst": zstd_of,
        "zip": zip_of,
        "tar.gz": tar_gz_of,
    }
    if name in makers:
        return lambda _databases, path, sql: makers[name](path, sql)
    letter = {"custom": "c", "directory": "d", "tar": "t"}[name]
    return lambda databases, path, _sql: databases.server.run(
        "pg_dump", f"-F{letter}", "-O", "-f", str(path), "-d", "shop"
    )


FORMS = ("custom", "directory", "tar", "sql", "sql.gz", "sql.bz2", "sql.xz", "sql.zst", "zip", "tar.gz")


def transactions_of(databases: Databases) -> int:
    """How many transactions that wrote the server has seen."""
    return int(databases.server.sql("SELECT pg_current_xact_id()"))


def test_a_dump_of_every_format_comes_back(databases: Databases) -> None:
    filestore = make_filestore(databases.folder / "filestore/shop")
    for format_, ending in ENDINGS.items():
        dest = databases.folder / f"shop{ending}"
        more = {"filestore": str(filestore)} if format_ == "zip" else {}
        result = databases.done("odoo_database_dump", database="shop", dest=str(dest), format=format_, **more)
        assert (result["changed"], result["dest"], result["dump"]["form"]) == (True, str(dest), format_)
        assert dest.stat().st_mode & 0o077 == 0
        if dest.is_file():
            assert result["dump"]["sha256"] == hashlib.sha256(dest.read_bytes()).hexdigest()
        name = f"back_{format_}"
        transactions = transactions_of(databases)
        restored = databases.done("odoo_database_restore", src=str(dest), database=name, connections=True, jobs=2)
        assert (restored["changed"], restored["version"], restored["modules"]) == (True, "16.0", 4)
        assert databases.server.sql("SELECT count(*), max(length(notes)) FROM res_partner", name) == f"{PARTNERS}|26"
        assert databases.server.sql(f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{name}'") == ROLE
        if format_ in ("custom", "directory"):
            # Without a commit for each of its objects, which takes most of the time of hundreds of small tables.
            objects = len(re.findall("(?m)^[^;]", databases.server.run("pg_restore", "--list", str(dest))))
            assert transactions_of(databases) - transactions < objects * 2 / 3
        assert databases.server.sql("SELECT nextval('res_partner_id_seq')", name) == str(PARTNERS + 1)
    # What made the restore quicker is gone.
    assert databases.server.sql("SELECT count(*) FROM pg_db_role_setting") == "0"
    left = {path.name for path in databases.folder.iterdir()} - {"filestore"}
    assert left == {f"shop{ending}{more}" for ending in ENDINGS.values() for more in ("", ".verified.json")}
    assert databases.server.databases() == {"shop", *(f"back_{name}" for name in ENDINGS)}
    for output in databases.outputs:
        assert [secret for secret in (PASSWORD, *SECRETS.values()) if secret in output] == []


def test_what_killed_runs_left_in_a_folder_of_dumps_is_removed(databases: Databases) -> None:
    left = [databases.folder / f"shop-20261101T0300{n:02}Z{ending}.part" for n, ending in enumerate(ENDINGS.values())]
    for path in left:
        path.mkdir() if path.name.endswith(".dir.part") else path.touch()
    others = [databases.folder / name for name in ("shop-test-20261101T030000Z.dump.part", "shop.dump.part")]
    for path in others:
        path.touch()
    databases.done("odoo_database_dump", "--check", database="shop", dest=str(databases.folder))
    assert all(path.exists() for path in left)
    databases.done("odoo_database_dump", database="shop", dest=str(databases.folder))
    assert [path for path in left if path.exists()] == []
    assert all(path.exists() for path in others)


def test_a_place_that_no_dump_can_take_is_refused_first(databases: Databases) -> None:
    nowhere = f"{databases.folder}/nowhere/"
    assert f"there is no folder {nowhere}" in databases.refused("odoo_database_dump", database="shop", dest=nowhere)
    pipe = databases.folder / "pipe"
    os.mkfifo(pipe)
    said = databases.refused("odoo_database_dump", database="shop", dest=str(pipe))
    assert f"{pipe} is there already, and no dump of the form custom" in said
    old = databases.folder / "shop.dump.siteops-old"
    old.mkdir()
    said = databases.refused("odoo_database_dump", database="shop", dest=str(databases.folder / "shop.dump"))
    assert f"{old} is there already" in said
    assert sorted(path.name for path in databases.folder.iterdir()) == ["pipe", old.name]


def test_only_dumps_of_its_own_names_and_form_are_rotated_away(databases: Databases) -> None:
    named = databases.folder / "before-the-cut-over.dump"
    databases.done("odoo_database_dump", database="shop", dest=str(named))
    for form_ in ("sql.gz", "custom", "custom"):
        databases.done("odoo_database_dump", database="shop", dest=str(databases.folder), format=form_, keep=1)
    left = sorted(path.suffix for path in databases.folder.iterdir() if not path.name.endswith(".json"))
    assert named.exists()
    assert left == [".dump", ".dump", ".gz"]


def test_a_young_dump_is_enough_only_with_the_filestore_that_is_asked_for(databases: Databases) -> None:
    filestore = make_filestore(databases.folder / "filestore/shop")
    # A file of a container often has a time that a zip cannot hold.
    os.utime(next(filestore.glob("??/*")), (0, 0))
    os.utime(next(reversed(list(filestore.glob("??/*")))), (2**33, 2**33))
    options = {"database": "shop", "dest": str(databases.folder / "shop.zip"), "if_older_than": 3600}
    assert databases.done("odoo_database_dump", format="zip", **options)["changed"]
    assert not databases.done("odoo_database_dump", format="zip", **options)["changed"]
    result = databases.done("odoo_database_dump", filestore=str(filestore), **options)
    assert (result["changed"], result["dump"]["files"]) == (True, FILES)
    for more in ({"filestore": str(filestore)}, {"format": "zip"}):
        assert not databases.done("odoo_database_dump", **more, **options)["changed"]


@pytest.mark.parametrize("format_", ["custom", "directory"])
def test_what_lies_beside_a_dump_is_not_touched(databases: Databases, format_: str) -> None:
    """A dump that the operator put aside is neither removed nor taken for the one of a killed run."""
    dest = databases.folder / "shop"
    aside = databases.folder / "shop.old"
    aside.mkdir()
    (aside / "toc.dat").write_bytes(b"mine")
    for _time in range(2):
        assert databases.done("odoo_database_dump", database="shop", dest=str(dest), format=format_)["changed"]
        assert (aside / "toc.dat").read_bytes() == b"mine"
    assert {path.name for path in databases.folder.iterdir()} == {"shop", "shop.old", "shop.verified.json"}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_restored_and_its_damage_found(databases: Databases, sql: bytes, name: str) -> None:
    dump = databases.folder / "dump"
    form(name)(databases, dump, sql)
    dest = databases.folder / "filestore"
    options = {"database": "restored", "connections": True, "filestore_dest": str(dest)}
    before = databases.state()
    checked = databases.done("odoo_database_restore", "--check", src=str(dump), **options)
    assert (checked["changed"], checked["dump"]["form"]) == (True, name)
    assert databases.state() == before

    for kind in ("half", "tail", "bit", *(("zeros",) if name in ("sql", "tar") else ())):
        damaged = databases.folder / f"damaged-{kind}"
        damage(dump, damaged, kind)
        if (name, kind) in {("sql", "bit"), ("tar", "bit")}:
            # No checksum: it can only be said.
            assert "no checksums" in checked["dump"]["not_checked"][0]
            continue
        if (name, kind) == ("custom", "bit"):
            # Most of an archive as small as this one is its table of contents, which has no checksum.
            assert "table of contents" in checked["dump"]["not_checked"][0]
            continue
        flags = ("--check",) if kind == "half" else ()
        message = databases.refused("odoo_database_restore", *flags, src=str(damaged), **options)
        assert any(word in message for word in ("damaged", "not whole", "failed", "is no dump")), message
        assert not dest.exists()

    result = databases.done("odoo_database_restore", src=str(dump), **options)
    assert (result["changed"], result["version"]) == (True, "16.0")
    assert databases.server.sql("SELECT count(*) FROM res_partner", "restored") == str(PARTNERS)
    assert result["filestore"]["added"] == (1 if name in ("zip", "tar.gz") else 0)
    assert result["filestore"]["missing"] == (FILES - 1 if name in ("zip", "tar.gz") else FILES)
    before = databases.state()
    again = databases.done("odoo_database_restore", src=str(dump), **options)
    assert (again["changed"], databases.state()) == (False, before)


def damage(dump: Path, damaged: Path, kind: str) -> None:
    """A copy with its second half, or its last bytes gone, or one bit or some bytes changed."""
    target = damaged
    if dump.is_dir():
        shutil.copytree(dump, damaged)
        target = max(
            (path for path in damaged.iterdir() if path.name != "toc.dat"), key=lambda path: path.stat().st_size
        )
        content = bytearray(target.read_bytes())
    else:
        content = bytearray(dump.read_bytes())
    if kind == "half":
        content = content[: len(content) // 2]
    elif kind == "tail":
        content = content[:-64]
    elif kind == "zeros":
        # In the rows of the largest table.
        place = content.index(b"\t" + hashlib.md5(b"50", usedforsecurity=False).hexdigest().encode())
        content[place + 1 : place + 30] = bytes(29)
    else:
        whole = unpacked_bytes(bytes(content))
        for place in range(len(content) // 2, len(content)):
            content[place] ^= 1
            # In a few of ten thousand places the changed bit writes the same bytes another way: nothing is damaged.
            if whole is None or unpacked_bytes(bytes(content)) != whole:
                break
            content[place] ^= 1
    target.write_bytes(content)


def unpacked_bytes(content: bytes) -> bytes | None:
    """What Python's own readers of gzip and zip find in it, or nothing where they find none."""
    try:
        if not content.startswith(b"PK"):
            return gzip.decompress(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())
    except (OSError, EOFError, RuntimeError, ValueError, zlib.error, zipfile.BadZipFile):
        return None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<html><body>Internal server error</body></html>", "is an HTML page"),
        (b"\x00" * 5000, "nothing but zeros"),
        (b"some text\n", "no dump of a known form"),
        (b"-- PostgreSQL database cluster dump\nSELECT 1;\n", "whole server"),
        (gzip.compress(b"PGDMP" + b"x" * 1000), "compressed once more"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_dump_is_refused_by_what_it_is(databases: Databases, content: bytes, words: str) -> None:
    path = databases.folder / "dump"
    path.write_bytes(content)
    assert words in databases.refused("odoo_database_restore", src=str(path), database="restored")


def test_sql_cut_before_it_was_packed_is_found(databases: Databases, sql: bytes) -> None:
    cut = sql[: len(sql) // 2]
    for name, make in (("cut.zip", zip_of), ("cut.tar.gz", tar_gz_of)):
        make(databases.folder / name, cut)
    (databases.folder / "cut.sql.gz").write_bytes(gzip.compress(cut))
    with zipfile.ZipFile(databases.folder / "none.zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
    for name in ("cut.zip", "cut.tar.gz", "cut.sql.gz"):
        message = databases.refused("odoo_database_restore", src=str(databases.folder / name), database="restored")
        assert "does not end with the line" in message
    message = databases.refused("odoo_database_restore", src=str(databases.folder / "none.zip"), database="restored")
    assert "has no dump.sql" in message


@pytest.mark.parametrize("level", ["0", "6"])
def test_rows_that_are_missing_from_a_folder_are_found(databases: Databases, level: str) -> None:
    """pg_restore takes a file of rows that is empty, or cut between two rows, for all there is."""
    dump = databases.folder / "dump"
    databases.server.run("pg_dump", "-Fd", f"-Z{level}", "-O", "-f", str(dump), "-d", "shop")
    checked = databases.done("odoo_database_restore", "--check", src=str(dump), database="restored")
    assert ("without compression" in checked["dump"]["not_checked"][0]) == (level == "0")
    rows = max((path for path in dump.iterdir() if path.name != "toc.dat"), key=lambda path: path.stat().st_size)
    content = rows.read_bytes()
    for kept in [b"", *([content[: content.rindex(b"\n", 0, len(content) // 2) + 1]] if level == "0" else [])]:
        rows.write_bytes(kept)
        for flags in (("--check",), ()):
            message = databases.refused("odoo_database_restore", *flags, src=str(dump), database="restored")
            assert message.startswith(f"Option 'src': {dump} is damaged: its file {rows.name}")
    rows.write_bytes(content)
    done = databases.done("odoo_database_restore", src=str(dump), database="restored")
    assert done["dump"]["not_checked"] == checked["dump"]["not_checked"]


def test_a_dump_that_is_not_there_names_the_option(databases: Databases) -> None:
    message = databases.refused("odoo_database_restore", src=str(databases.folder / "none"), database="restored")
    assert message.startswith("Option 'src': ")
    os.mkfifo(databases.folder / "pipe")
    message = databases.refused("odoo_database_restore", src=str(databases.folder / "pipe"), database="restored")
    assert message.startswith("Option 'src': ")


def test_what_a_killed_restore_of_another_dump_left_is_dropped(databases: Databases, sql: bytes) -> None:
    """And only that: a database of this name that somebody else made stays."""
    path = databases.folder / "dump.sql"
    path.write_bytes(sql)
    left, other = (
        f"siteops_{hashlib.sha256(f'restore of {name}'.encode()).hexdigest()[:24]}" for name in ("restored", "another")
    )
    for name, comment in (
        (left, "siteops.upgrades: unfinished restore of restored."),
        (other, "siteops.upgrades: unfinished restore of somebody else."),
    ):
        databases.server.sql(f"CREATE DATABASE {name} IS_TEMPLATE true", user=ROLE)
        databases.server.sql(f"COMMENT ON DATABASE {name} IS '{comment}'")
    databases.done("odoo_database_restore", src=str(path), database="restored")
    assert databases.server.databases() == {"shop", "restored", other}
    assert f"a database {other} that no run" in databases.refused(
        "odoo_database_restore", src=str(path), database="another"
    )


def test_a_dump_that_is_written_to_meanwhile_is_not_restored(databases: Databases, sql: bytes) -> None:
    """It would get the mark of bytes that were not the ones restored."""
    path = databases.folder / "dump.sql"
    path.write_bytes(sql)
    tools = databases.folder / "tools"
    tools.mkdir()
    for name in ("pg_restore", "pg_dump"):
        (tools / name).symlink_to(databases.server.bin / name)
    meanwhile = f'case "$*" in *--single-transaction*) echo >> "{path}";; esac'
    (tools / "psql").write_text(f'#!/bin/sh\n{meanwhile}\nexec "{databases.server.bin}/psql" "$@"\n', encoding="utf-8")
    (tools / "psql").chmod(0o755)
    message = databases.refused("odoo_database_restore", src=str(path), database="restored", pg_bin=str(tools))
    assert f"{path} was changed while it was read" in message


def test_time_limits_of_a_role_end_no_restore(databases: Databases) -> None:
    """Neither a statement nor the session that has the lock, which waits idly for all of a restore."""
    dump, locks, tools = (databases.folder / name for name in ("shop.dump", "locks", "tools"))
    databases.server.run("pg_dump", "--no-owner", "-Fc", "-f", str(dump), "-d", "shop")
    tools.mkdir()
    for name in ("psql", "pg_dump"):
        (tools / name).symlink_to(databases.server.bin / name)
    count = f"psql -XAt -d postgres -c \"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'\" > {locks}"
    late = f'case "$*" in *--jobs=*) sleep 4; {databases.server.bin}/{count};; esac'
    (tools / "pg_restore").write_text(
        f'#!/bin/sh\n{late}\nexec {databases.server.bin}/pg_restore "$@"\n', encoding="utf-8"
    )
    (tools / "pg_restore").chmod(0o755)
    databases.server.sql(f"ALTER ROLE {ROLE} SET statement_timeout = '15ms'")
    databases.server.sql(f"ALTER ROLE {ROLE} SET idle_session_timeout = '3s'")
    try:
        databases.done("odoo_database_restore", src=str(dump), database="restored", connections=True, pg_bin=str(tools))
    finally:
        databases.server.sql(f"ALTER ROLE {ROLE} RESET ALL")
    assert locks.read_text(encoding="ascii") == "1\n"
    assert databases.server.databases() == {"shop", "restored"}


def test_a_dump_that_makes_its_own_database_is_refused(databases: Databases) -> None:
    """And one of the schema alone, in check mode as well."""
    made, empty = databases.folder / "made.sql", databases.folder / "empty.dump"
    databases.server.run("pg_dump", "--no-owner", "--create", "-f", str(made), "-d", "shop")
    databases.server.run("pg_dump", "--no-owner", "--schema-only", "-Fc", "-f", str(empty), "-d", "shop")
    for flags in (("--check",), ()):
        said = databases.refused("odoo_database_restore", *flags, src=str(made), database="restored")
        assert said.startswith("Option 'src': The dump creates a database under its own name")
        said = databases.refused("odoo_database_restore", *flags, src=str(empty), database="restored")
        assert said.startswith("The dump holds no database of Odoo")
    assert databases.server.databases() == {"shop"}


def test_a_dump_cannot_run_programs(databases: Databases, sql: bytes) -> None:
    """psql would start a shell for a line of a dump that begins so."""
    mark = databases.folder / "mark"
    evil = sql.replace(b"\nSET statement_timeout", f"\n\\\\! touch {mark}\nSET statement_timeout".encode(), 1)
    path = databases.folder / "evil.sql"
    path.write_bytes(evil)
    message = databases.refused("odoo_database_restore", src=str(path), database="restored")
    assert "restrict" in message
    assert not mark.exists()


def test_a_member_with_a_path_of_its_own_is_not_written(databases: Databases, sql: bytes) -> None:
    path = databases.folder / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dump.sql", sql)
        archive.writestr("filestore/../../evil", "x")
    dest = databases.folder / "one/two"
    dest.parent.mkdir()
    options = {"src": str(path), "database": "restored", "filestore_dest": str(dest)}
    assert "a name that Odoo does not give" in databases.refused("odoo_database_restore", **options)
    assert not (databases.folder / "evil").exists()


def test_a_name_that_is_taken_is_never_overwritten(databases: Databases, sql: bytes) -> None:
    first, second = databases.folder / "first.sql", databases.folder / "second.sql"
    first.write_bytes(sql)
    second.write_bytes(sql.replace(b"Partner 1\t", b"Partner X\t"))
    assert "there is a database shop already" in databases.refused(
        "odoo_database_restore", src=str(first), database="shop"
    )
    databases.done("odoo_database_restore", src=str(first), database="restored", connections=True)
    oid = databases.server.sql("SELECT oid FROM pg_database WHERE datname = 'restored'")
    for flags in ((), ("--check",)):
        message = databases.refused("odoo_database_restore", *flags, src=str(second), database="restored")
        assert "was restored from another dump" in message
    assert databases.server.sql("SELECT oid FROM pg_database WHERE datname = 'restored'") == oid


def test_the_version_that_is_expected(databases: Databases, sql: bytes) -> None:
    path = databases.folder / "dump.sql"
    path.write_bytes(sql)
    options = {"src": str(path), "database": "restored"}
    assert "is of Odoo 16.0, not 17.0" in databases.refused("odoo_database_restore", expect_version="v17", **options)
    assert "must be a version of Odoo" in databases.refused("odoo_database_restore", expect_version="new", **options)
    assert databases.done("odoo_database_restore", expect_version="16", **options)["changed"]


def test_a_restored_database_refuses_connections(databases: Databases, sql: bytes) -> None:
    path = databases.folder / "dump.sql"
    path.write_bytes(sql)
    databases.done("odoo_database_restore", src=str(path), database="restored")
    flags = databases.server.sql("SELECT datallowconn, datistemplate FROM pg_database WHERE datname = 'restored'")
    assert flags == "f|f"
    info = databases.done("odoo_database_info", database="restored")
    assert (info["exists"], info["readable"], info["is_odoo"]) == (True, False, False)
    assert "refuses connections" in databases.refused("odoo_database_verify", database="restored")


def test_a_setting_that_the_server_does_not_know_is_found_in_check_mode_too(databases: Databases, sql: bytes) -> None:
    path = databases.folder / "dump.sql"
    path.write_bytes(sql.replace(b"\nSET statement_timeout", b"\nSET of_a_later_server = 0;\nSET statement_timeout", 1))
    options = {"src": str(path), "database": "restored"}
    for flags in (("--check",), ()):
        assert "sets of_a_later_server" in databases.refused("odoo_database_restore", *flags, **options)
    options["on_skew"] = "skip_settings"
    for flags in (("--check",), ()):
        assert databases.done("odoo_database_restore", *flags, **options)["changed"]


def test_settings_that_an_older_server_does_not_know(databases: Databases, sql: bytes) -> None:
    older = debian_bin(15)
    if not older or databases.server.sql("SHOW server_version_num") < "170000":
        pytest.skip("there is no PostgreSQL 15 of Debian beside a server of 17 or newer")
    plain, archive = databases.folder / "new.sql", databases.folder / "new.dump"
    plain.write_bytes(sql)
    databases.server.run("pg_dump", "-Fc", "-O", "-f", str(archive), "-d", "shop")
    with running(older) as server:
        here = Databases(server, databases.folder)
        for src, more in ((plain, {}), (archive, {"pg_bin": str(databases.server.bin)})):
            options = {"src": str(src), "database": "restored", "connections": True, **more}
            for flags in (("--check",), ()):
                assert "transaction_timeout" in here.refused("odoo_database_restore", *flags, **options)
            result = here.done("odoo_database_restore", on_skew="skip_settings", **options)
            assert (result["changed"], result["dump"]["dumped_by"]) == (
                True,
                databases.server.sql("SHOW server_version"),
            )
            assert server.sql("SELECT count(*) FROM res_partner", "restored") == str(PARTNERS)
            server.drop()
        message = here.refused("odoo_database_restore", src=str(archive), database="restored")
        assert "newer than this pg_restore" in message or "transaction_timeout" in message
        # The other way round: an older pg_dump refuses a newer server, and nothing is written.
        there = databases.refused(
            "odoo_database_dump", database="shop", dest=str(databases.folder / "old.dump"), pg_bin=str(older)
        )
        assert "cannot dump from a server of version" in there
        assert not (databases.folder / "old.dump").exists()


def test_dumps_are_collected_rotated_and_trusted_while_they_are_young(databases: Databases) -> None:
    folder = databases.folder / "backups"
    folder.mkdir()
    (folder / "shop-20200101T000000Z.dump").write_bytes(b"of somebody else")
    options = {"database": "shop", "dest": str(folder)}
    first = databases.done("odoo_database_dump", **options)
    make_older(Path(first["dest"]), "2026-01-01T00:00:00.000Z")
    before = databases.state()
    planned = databases.done("odoo_database_dump", "--check", keep=1, if_older_than=3600, **options)
    assert (planned["changed"], planned["removed"], databases.state()) == (True, [first["dest"]], before)
    second = databases.done("odoo_database_dump", keep=1, if_older_than=3600, **options)
    assert (second["changed"], second["removed"]) == (True, [first["dest"]])
    before = databases.state()
    for flags in ((), ("--check",)):
        third = databases.done("odoo_database_dump", *flags, keep=1, if_older_than=3600, **options)
        assert (third["changed"], third["dest"], databases.state()) == (False, second["dest"], before)
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "shop-20200101T000000Z.dump",
        Path(second["dest"]).name,
        f"{Path(second['dest']).name}.verified.json",
    }
    # A dump that is no longer what was verified is not trusted.
    with Path(second["dest"]).open("ab") as file:
        file.write(b"x")
    assert databases.done("odoo_database_dump", "--check", if_older_than=3600, **options)["changed"]


def make_older(dump: Path, moment: str) -> None:
    record = dump.with_name(f"{dump.name}.verified.json")
    content = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({**content, "dumped_at": moment}), encoding="utf-8")


def test_a_failed_dump_leaves_the_earlier_one(databases: Databases) -> None:
    """As a pg_dump that dies, and one that ends well without having dumped everything."""
    dest = databases.folder / "shop.dump"
    databases.done("odoo_database_dump", database="shop", dest=str(dest))
    whole = {path.name: path.read_bytes() for path in databases.folder.iterdir()}
    tools = databases.folder / "tools"
    tools.mkdir()
    for name in ("psql", "pg_restore", "pg_dump"):
        (tools / name).symlink_to(databases.server.bin / name)
    for body, words in (
        ('"$REAL" "$@"; echo "pg_dump: error: connection lost" >&2; exit 1', "connection lost"),
        ('"$REAL" "$@"; for last; do [ -f "$last" ] && truncate -s 3000 "$last"; done; exit 0', "is damaged"),
        ("exit 0", "is empty"),
    ):
        real = databases.server.bin / "pg_dump"
        (tools / "pg_dump").unlink()
        (tools / "pg_dump").write_text(
            f'#!/bin/sh\nREAL="{real}"\n[ "$1" = --version ] && exec "$REAL" --version\n{body}\n', encoding="utf-8"
        )
        (tools / "pg_dump").chmod(0o755)
        message = databases.refused("odoo_database_dump", database="shop", dest=str(dest), pg_bin=str(tools))
        assert words in message
        assert {path.name: path.read_bytes() for path in databases.folder.iterdir() if path.is_file()} == whole


def test_a_filestore_that_lacks_a_file_is_dumped_and_named(databases: Databases) -> None:
    filestore = make_filestore(databases.folder / "shop", range(1, FILES))
    dest = databases.folder / "shop.zip"
    ended = databases.run("odoo_database_dump", database="shop", dest=str(dest), filestore=str(filestore))
    assert (ended.failed, ended.result["dump"]["missing_files"], ended.result["dump"]["files"]) == (False, 1, FILES - 1)
    assert stored_name(content_of(0)) in ended.warnings
    with zipfile.ZipFile(dest) as archive:
        names = archive.namelist()
    assert names[:2] == ["dump.sql", "manifest.json"]
    assert [name for name in names if "checklist" in name] == []


def test_filestores_are_merged_by_links(databases: Databases) -> None:
    origin = make_filestore(databases.folder / "origin", range(4))
    new = make_filestore(databases.folder / "new", range(3, FILES))
    dest = databases.folder / "shop"
    options = {"database": "shop", "sources": [str(origin), str(new)], "dest": str(dest)}
    before = databases.state()
    planned = databases.done("odoo_filestore_merge", "--check", **options)
    assert (planned["changed"], planned["added"], databases.state()) == (True, FILES, before)
    merged = databases.done("odoo_filestore_merge", verify="hash", **options)
    assert (merged["added"], merged["linked"], merged["copied"]) == (FILES, FILES, 0)
    for number in range(FILES):
        assert (dest / stored_name(content_of(number))).read_bytes() == content_of(number)
    assert (dest / stored_name(content_of(1))).samefile(origin / stored_name(content_of(1)))
    assert not (dest / "checklist").exists()
    before = databases.state()
    assert not databases.done("odoo_filestore_merge", **options)["changed"]
    assert databases.state() == before
    copied = databases.done("odoo_filestore_merge", **{**options, "dest": f"{dest}2", "link": False})
    assert (copied["linked"], copied["copied"]) == (0, FILES)
    assert not (Path(f"{dest}2") / stored_name(content_of(1))).samefile(origin / stored_name(content_of(1)))


def test_a_merge_that_cannot_be_whole_adds_nothing(databases: Databases) -> None:
    origin = make_filestore(databases.folder / "origin", range(4))
    other = make_filestore(databases.folder / "other", range(3, FILES - 1))
    dest = databases.folder / "shop"
    options = {"database": "shop", "dest": str(dest)}
    missing = stored_name(content_of(FILES - 1))
    for flags in ((), ("--check",)):
        message = databases.refused("odoo_filestore_merge", *flags, sources=[str(origin), str(other)], **options)
        assert f"1 missing: {missing}" in message
    clash = stored_name(content_of(3))
    (other / clash).write_bytes(b"another content")
    message = databases.refused("odoo_filestore_merge", sources=[str(origin), str(other)], **options)
    assert clash in message
    # What a link in a filestore points to is not part of it.
    (other / missing).parent.mkdir(exist_ok=True)
    (other / missing).symlink_to(other / clash)
    (other / clash).write_bytes(content_of(3))
    message = databases.refused("odoo_filestore_merge", sources=[str(origin), str(other)], **options)
    assert missing in message
    assert not dest.exists()


def test_a_file_of_the_right_size_and_another_content(databases: Databases) -> None:
    origin = make_filestore(databases.folder / "origin")
    name = stored_name(content_of(2))
    (origin / name).write_bytes(bytes(len(content_of(2))))
    options = {"database": "shop", "sources": [str(origin)], "dest": str(databases.folder / "shop")}
    message = databases.refused("odoo_filestore_merge", verify="hash", **options)
    assert (
        f"1 files have another content than their name, which is the SHA-1 of the content: {origin / name}" in message
    )
    info = databases.done("odoo_database_info", database="shop", filestore=str(origin), verify="hash")
    assert info["filestore"]["damaged_files"] == [name]


def test_what_a_database_says_of_itself(databases: Databases) -> None:
    filestore = make_filestore(databases.folder / "shop", range(1, FILES))
    info = databases.done("odoo_database_info", database="shop", filestore=str(filestore))
    assert (info["exists"], info["readable"], info["is_odoo"], info["version"]) == (True, True, True, "16.0")
    assert info["modules"]["zz_shop"] == {"state": "installed", "version": "16.0.1.0"}
    assert "unused" not in info["modules"]
    assert info["counts"] == {"account_move": 2, "ir_attachment": FILES + 3, "res_partner": PARTNERS, "res_users": 2}
    assert info["invoices"] == {"out_invoice/draft": 1, "out_invoice/posted": 1}
    assert info["mails"] == {"outgoing": 2, "sent": 1}
    assert info["parameters"]["database.secret"] == info["parameters"]["database.enterprise_code"] == "(hidden)"
    assert info["filestore"]["missing_files"] == [stored_name(content_of(0))]
    assert not info["neutralized"]
    assert set(info["tools"]) == {"psql", "pg_dump", "pg_restore"}
    nothing = databases.done("odoo_database_info", database="nosuch")
    assert (nothing["exists"], nothing["modules"], nothing["version"]) == (False, {}, "")
    databases.server.sql("CREATE DATABASE other", user=ROLE)
    other = databases.done("odoo_database_info", database="other")
    assert (other["exists"], other["readable"], other["is_odoo"]) == (True, True, False)
    for output in databases.outputs:
        assert [secret for secret in (PASSWORD, *SECRETS.values()) if secret in output] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"login_password": "wrong-password"}, "Check the options 'login_user' and 'login_password'"),
        ({"login_port": 1}, "Check the options 'login_host' and 'login_port'"),
        ({"login_port": 70000}, "Option 'login_port'"),
        ({"pg_bin": "/nonexistent"}, "Option 'pg_bin'"),
        ({"database": "postgres"}, "belongs to the server itself"),
        ({"database": "a/b"}, "must not contain a slash"),
        ({"database": "x" * 64}, "at most 63 bytes"),
        ({"database": ""}, "Option 'database'"),
        ({"filestore": "/nonexistent"}, "Option 'filestore'"),
        ({"counts": ["res_partner; DROP TABLE x"]}, "Option 'counts'"),
    ],
)
def test_bad_input_names_its_option(databases: Databases, options: dict[str, Any], words: str) -> None:
    message = databases.refused("odoo_database_info", **{"database": "shop", **options})
    assert words in message
    assert "wrong-password" not in message


def test_a_name_that_looks_like_options_is_a_name(databases: Databases) -> None:
    name = "dbname='postgres' host=x\"\\\\;--"
    make_database(databases.server, name)
    assert name in databases.server.databases()
    dest = databases.folder / "odd.dump"
    databases.done("odoo_database_dump", database=name, dest=str(dest))
    databases.done("odoo_database_restore", src=str(dest), database=f"{name}2", connections=True)
    assert databases.done("odoo_database_info", database=f"{name}2")["counts"]["res_partner"] == PARTNERS


def test_a_server_ends_with_whoever_started_it() -> None:
    """Also when that was killed, and could not stop it."""
    program = (
        "import sys\nfrom support.postgres.server import newest_bin, running\n"
        "with running(newest_bin()) as server:\n    print(server.process.pid, server.folder, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        number, folder = parent.stdout.readline().split()
        parent.kill()
    try:
        give_up = time.monotonic() + 60
        while Path(f"/proc/{int(number)}/stat").exists():
            state = Path(f"/proc/{int(number)}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            if state == "Z":
                break
            assert time.monotonic() < give_up, "the server is still there"
            time.sleep(0.05)
    finally:
        shutil.rmtree(folder.decode())


def test_an_empty_variable_is_not_set(databases: Databases) -> None:
    options = {**databases.server.options, "database": "shop"}
    variables = {"PGUSER": ROLE, "PGPASSWORD": PASSWORD, "PGPORT": str(options["login_port"]), "PGHOST": "127.0.0.1"}
    for name in ("login_user", "login_password", "login_port", "login_host"):
        del options[name]
    ended = run_module("odoo_database_info", options, env={**variables, "PGSSLMODE": "", "PGDATABASE": ""})
    assert (ended.failed, ended.result.get("version")) == (False, "16.0"), ended.output
    assert os.environ.get("PGUSER") is None

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases dumped, restored, merged and swapped while runs are killed, disks are full, and two work at once."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faults import steps
from faults.figures import Figure
from faults.kills import MOMENTS
from support.ansible_cli import environment, run_module
from support.module_runner import ModuleRun, ModuleRunner
from support.postgres.odoo import FILES, PARTNERS, content_of, make_database, make_filestore, stored_name
from support.postgres.runs import Databases
from support.postgres.server import PASSWORD, Postgres

OF_EACH = max(MOMENTS * 7 // 25, 1)
"""Moments of each kind of run, of which there are seven."""

KILLED = "the module returned nothing"


@pytest.fixture(scope="module")
def killing() -> Iterator[ModuleRunner]:
    """Runs modules that are killed at a step."""
    with ModuleRunner(steps.__name__) as runner:
        yield runner


class Killed:
    """One kind of run, done again and again: to its end, killed at a step, and done once more."""

    def __init__(self, runner: ModuleRunner, databases: Databases, name: str, options: dict[str, Any]) -> None:
        self.databases = databases
        self._runner = runner
        self._name = name
        self._options = {**databases.server.options, **options}
        self._count = databases.folder / "steps"

    def run(self, kill_at: int | None = None) -> ModuleRun | None:
        """Run it; None if it was killed."""
        try:
            return self._runner.run(
                self._name, self._options, env=environment(), kill_at=kill_at, count_in=str(self._count)
            )
        except AssertionError as error:
            assert KILLED in str(error)
            return None

    def moments(self, reset: Callable[[], object]) -> Iterator[int]:
        """So many steps of an undisturbed run, spread over all of it; the run was killed there when one is yielded."""
        reset()
        whole = self.run()
        assert whole and not whole.failed, whole
        total = int(self._count.read_text(encoding="ascii"))
        for moment in sorted({number * total // OF_EACH for number in range(OF_EACH)}):
            reset()
            assert self.run(moment) is None, f"the run ended before its step {moment} of {total}"
            yield moment

    def completes(self) -> ModuleRun:
        """Run it to its end, after which a further run changes nothing."""
        ended = self.run()
        assert ended and not ended.failed, ended
        again = self.run()
        assert again and not again.failed, again
        assert not again.result["changed"], again.result
        return ended


@pytest.fixture
def databases(postgres: Postgres, tmp_path: Path) -> Databases:
    make_database(postgres, "shop", rows=3000)
    return Databases(postgres, tmp_path)


def drop_others(server: Postgres) -> None:
    """Leave only the database that the tests begin with."""
    others = server.databases() - {"shop"}
    if others:
        server.drop(*others)


def real_names(server: Postgres) -> set[str]:
    """The databases under names of their users: without the temporary ones, which no Odoo lists."""
    hidden = server.sql("SELECT datname FROM pg_database WHERE datistemplate AND datname LIKE 'siteops_%'").splitlines()
    return server.databases() - set(hidden)


def test_a_restore_that_is_killed(databases: Databases, killing: ModuleRunner, figure: Figure) -> None:
    """The name is there with everything or not at all, and the next run completes."""
    server, dest = databases.server, databases.folder / "filestore"
    dump = databases.folder / "shop.zip"
    filestore = make_filestore(databases.folder / "shop")
    databases.done("odoo_database_dump", database="shop", dest=str(dump), filestore=str(filestore))
    options = {"src": str(dump), "database": "restored", "filestore_dest": str(dest), "connections": True}
    kind = Killed(killing, databases, "odoo_database_restore", options)

    def reset() -> None:
        drop_others(server)
        subprocess.run(["rm", "-rf", str(dest)], check=True)

    for _moment in kind.moments(reset):
        there = real_names(server)
        assert there in ({"shop"}, {"shop", "restored"})
        if "restored" in there:
            assert server.sql("SELECT count(*) FROM mail_message", "restored") == "3000"
        kind.completes()
        assert server.databases() == {"shop", "restored"}
        assert server.sql("SELECT count(*) FROM mail_message", "restored") == "3000"
        assert_files(dest)
        figure("restores killed, and completed by the next run", 1)


def test_a_restore_of_an_archive_that_is_killed(databases: Databases, killing: ModuleRunner, figure: Figure) -> None:
    server, dump = databases.server, databases.folder / "shop.dir"
    databases.done("odoo_database_dump", database="shop", dest=str(dump), format="directory", jobs=2)
    options = {"src": str(dump), "database": "restored", "jobs": 2, "connections": True}
    kind = Killed(killing, databases, "odoo_database_restore", options)
    for _moment in kind.moments(lambda: drop_others(server)):
        assert real_names(server) in ({"shop"}, {"shop", "restored"})
        kind.completes()
        assert server.databases() == {"shop", "restored"}
        assert server.sql("SELECT count(*) FROM mail_message", "restored") == "3000"
        figure("restores killed, and completed by the next run", 1)


@pytest.mark.parametrize(("form", "name"), [("zip", "shop.zip"), ("directory", "shop.dir")])
def test_a_dump_that_is_killed(
    databases: Databases, killing: ModuleRunner, figure: Figure, form: str, name: str
) -> None:
    """The earlier dump stays whole until the next one is; a killed one is never taken for a dump."""
    folder, saved = databases.folder / "dumps", databases.folder / "saved"
    folder.mkdir()
    dest = folder / name
    filestore = make_filestore(databases.folder / "shop")
    more = {"filestore": str(filestore)} if form == "zip" else {"jobs": 2}
    options = {"database": "shop", "dest": str(dest), "format": form, **more}
    kind = Killed(killing, databases, "odoo_database_dump", options)

    databases.done("odoo_database_dump", **options)
    earlier = tree_hash(dest)
    folder.rename(saved)

    def reset() -> None:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
        subprocess.run(["cp", "-a", str(saved), str(folder)], check=True)

    for _moment in kind.moments(reset):
        old = folder / f"{name}.siteops-old"
        # A folder cannot be replaced in one step: for a moment the earlier one has another name.
        whole = dest if dest.exists() else old
        if tree_hash(whole) != earlier:
            checked = databases.done("odoo_database_restore", "--check", src=str(whole), database="restored")
            assert checked["dump"]["form"] == form
        ended = kind.run()
        assert ended and not ended.failed, ended
        assert ended.result["changed"]
        assert {path.name for path in folder.iterdir()} == {name, f"{name}.verified.json"}
        figure("dumps killed, and done by the next run", 1)


def test_a_merge_that_is_killed(databases: Databases, killing: ModuleRunner, figure: Figure) -> None:
    origin = make_filestore(databases.folder / "origin")
    dest = databases.folder / "dest"
    options = {"database": "shop", "sources": [str(origin)], "dest": str(dest), "link": False, "verify": "hash"}
    kind = Killed(killing, databases, "odoo_filestore_merge", options)
    for _moment in kind.moments(lambda: subprocess.run(["rm", "-rf", str(dest)], check=True)):
        for path in dest.rglob("*"):
            if path.is_file() and not path.name.endswith(".siteops-new"):
                assert path.name == hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
        kind.completes()
        assert_files(dest)
        assert_files(origin)
        figure("merges killed, and completed by the next run", 1)


@pytest.mark.parametrize("state", ["swapped", "reverted"])
def test_a_swap_that_is_killed(databases: Databases, killing: ModuleRunner, figure: Figure, state: str) -> None:
    """Nothing is lost, the next run completes, or the other direction takes it back."""
    server, filestore = databases.server, databases.folder / "filestore"
    options = {"database": "shop", "upgraded": "new", "keep_as": "old", "filestore_dir": str(filestore)}

    def reset() -> None:
        server.drop()
        subprocess.run(["rm", "-rf", str(filestore)], check=True)
        for name, numbers in (("shop", range(1)), ("new", range(FILES))):
            make_database(server, name, rows=3000)
            make_filestore(filestore / name, numbers)
        server.sql("UPDATE ir_module_module SET latest_version = '17.0.1.3' WHERE name = 'base'", "new")
        if state == "reverted":
            databases.done("odoo_database_swap", **options)

    kind = Killed(killing, databases, "odoo_database_swap", {**options, "state": state})
    back = {**options, "state": "reverted" if state == "swapped" else "swapped"}
    for number, _moment in enumerate(kind.moments(reset)):
        assert len(server.databases()) == 2
        assert len(list(filestore.glob("*/??/*"))) == FILES + 1
        if number % 2:
            ended = databases.run("odoo_database_swap", **back)
            assert not ended.failed, ended.output
            # The other one is closed only if this run had come so far.
            assert names(who_is_who(databases)) == names(OLD if state == "swapped" else NEW)
        kind.completes()
        assert who_is_who(databases) == (NEW if state == "swapped" else OLD)
        assert not list(filestore.glob(".siteops*"))
        figure("swaps killed, and completed or taken back by the next run", 1)


OLD = {"shop": ("16.0.1.3", 1, True), "new": ("17.0.1.3", FILES, False)}
NEW = {"shop": ("17.0.1.3", FILES, True), "old": ("16.0.1.3", 1, False)}


def who_is_who(databases: Databases) -> dict[str, tuple[str, int, bool]]:
    """Version, number of files, and whether it accepts connections, by name."""
    found = {}
    for name in databases.server.databases():
        opened = databases.server.sql(f"SELECT datallowconn FROM pg_database WHERE datname = '{name}'") == "t"
        databases.server.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        version = databases.server.sql("SELECT latest_version FROM ir_module_module WHERE name = 'base'", name)
        databases.server.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {opened}')
        found[name] = (version, len(list((databases.folder / "filestore" / name).glob("??/*"))), opened)
    return found


def names(found: dict[str, tuple[str, int, bool]]) -> dict[str, tuple[Any, ...]]:
    """The same, without the flag of the database that is not in service."""
    return {name: facts if name == "shop" else facts[:2] for name, facts in found.items()}


def assert_files(folder: Path) -> None:
    """The filestore is whole, and has nothing else in it."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("??/*")}
    assert found == {stored_name(content_of(number)): content_of(number) for number in range(FILES)}


def tree_hash(path: Path) -> str:
    """One hash over a file, or over all files of a folder."""
    digest = hashlib.sha256()
    for each in sorted([path, *path.rglob("*")]):
        if each.is_file():
            digest.update(f"{each.name}\0".encode() + each.read_bytes())
    return digest.hexdigest()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system cannot be mounted here: this needs root, and a container that lets it")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_is_full_during_a_dump(databases: Databases, small_disk: Path) -> None:
    for form in ("custom", "sql.gz", "zip", "directory"):
        ended = databases.run("odoo_database_dump", database="shop", dest=str(small_disk / "shop"), format=form)
        assert ended.failed, ended.output
        assert "No space left on device" in ended.msg
        assert list(small_disk.iterdir()) == []


def test_a_disk_that_is_full_during_a_restore(databases: Databases, small_disk: Path, tmp_path: Path) -> None:
    """Of its filestore: no database has the name then, and a run with more room completes."""
    dump = databases.folder / "shop.zip"
    with zipfile.ZipFile(dump, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dump.sql", databases.server.run("pg_dump", "--no-owner", "-d", "shop"))
        for number in range(20):
            content = bytes([number]) * 20_000
            name = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            archive.writestr(f"filestore/{name[:2]}/{name}", content)
    options = {"src": str(dump), "database": "restored", "connections": True}
    ended = databases.run("odoo_database_restore", filestore_dest=str(small_disk / "restored"), **options)
    assert ended.failed, ended.output
    assert "No space left on device" in ended.msg
    assert "Traceback" not in ended.output
    assert real_names(databases.server) == {"shop"}
    roomy = tmp_path / "restored"
    result = databases.done("odoo_database_restore", filestore_dest=str(roomy), **options)
    assert (result["changed"], result["filestore"]["added"]) == (True, 20)
    assert databases.server.databases() == {"shop", "restored"}


def test_two_restores_of_one_name_at_once(databases: Databases) -> None:
    """One does it, the other one is refused or finds it done; never both, never half."""
    dump = databases.folder / "shop.dump"
    databases.done("odoo_database_dump", database="shop", dest=str(dump))
    options = {**databases.server.options, "src": str(dump), "database": "restored", "connections": True}
    runs: list[ModuleRun] = []
    threads = [
        threading.Thread(target=lambda: runs.append(run_module("odoo_database_restore", options))) for _run in "12"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    changed = [run for run in runs if run.result.get("changed")]
    others = [run for run in runs if run not in changed]
    assert len(changed) == 1, [run.msg for run in runs]
    assert not others[0].failed or "Another run of this collection works on the database" in others[0].msg
    assert databases.server.databases() == {"shop", "restored"}
    assert databases.server.sql("SELECT count(*) FROM res_partner", "restored") == str(PARTNERS)


def test_no_password_is_in_an_argument(databases: Databases, tmp_path: Path) -> None:
    """Of the programs that a dump and a restore run, each of which notes its arguments here."""
    programs, noted = tmp_path / "bin", tmp_path / "arguments"
    programs.mkdir()
    for name in ("psql", "pg_dump", "pg_restore"):
        real = shlex.quote(str(databases.server.bin / name))
        (programs / name).write_text(
            f'#!/bin/sh\nprintf "%s\\n" {name} "$@" >> {shlex.quote(str(noted))}\nexec {real} "$@"\n', encoding="utf-8"
        )
        (programs / name).chmod(0o755)
    dump = databases.folder / "shop.dump"
    options = {"pg_bin": str(programs)}
    databases.done("odoo_database_dump", database="shop", dest=str(dump), **options)
    databases.done("odoo_database_restore", src=str(dump), database="restored", **options)
    arguments = noted.read_text(encoding="utf-8")
    assert {"psql", "pg_dump", "pg_restore"} <= set(arguments.splitlines())
    assert PASSWORD not in arguments

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a RelStorage on a real PostgreSQL, made by pg_dump and read by the real RelStorage."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import run_module
from support.module_runner import ModuleRun
from support.plone.small_relstorage import SmallRelStorage
from support.postgres.server import PASSWORD, Postgres


class Backups:
    """A database, the folder of its backups, and the modules run on both."""

    def __init__(self, postgres: Postgres, folder: Path, *, keeps_history: bool, shared_blobs: bool) -> None:
        self.postgres = postgres
        self.database = SmallRelStorage(postgres, folder, keeps_history=keeps_history, shared_blobs=shared_blobs)
        self.dest = folder / "backups"
        self.dest.mkdir()
        self.database.write(leaflet="first edition", photo="pixels")

    def run(self, *flags: str, **options: Any) -> ModuleRun:
        return run_module("plone_backup", {**self.database.options, "dest": str(self.dest), **options}, *flags)

    def restore(self, *flags: str, **options: Any) -> ModuleRun:
        return run_module("plone_restore", {**self.database.options, "src": str(self.dest), **options}, *flags)


@pytest.fixture(params=[True, False], ids=["history, blobs in the database", "no history, shared blobs"])
def backups(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> Backups:
    return Backups(postgres, tmp_path, keeps_history=request.param, shared_blobs=not request.param)


def refused(ended: ModuleRun, *words: str) -> None:
    assert ended.failed, ended.output
    assert "Traceback" not in ended.output
    for word in words:
        assert word in ended.msg


def test_a_backup_is_restored_beside_the_present_database_and_there_is_a_way_back(backups: Backups) -> None:
    old = backups.database.content()
    assert backups.run("--check").result["backed_up"]
    assert backups.postgres.databases() == {"plone"}
    made = backups.run()
    assert (made.failed, made.result.get("changed")) == (False, True), made.output
    record = json.loads(Path(made.result["dest"], "backup.json").read_text(encoding="utf-8"))
    assert (record["sites"], record["blobs"]) == ([{"path": "/Plone", "version": "6018"}], 2)
    assert PASSWORD not in made.output
    assert not backups.run(if_older_than=3600).result["changed"]
    assert not backups.run(state="verified").failed
    assert not backups.restore().result["changed"]
    backups.database.write("6100", leaflet="second edition")
    new = backups.database.content()
    assert backups.restore("--check").result["changed"]
    assert backups.database.content() == new
    ended = backups.restore()
    assert ended.result.get("changed"), ended.output
    assert (backups.database.content(), "the database plone_before" in ended.result["kept"]) == (old, True)
    assert not backups.restore().result["changed"]
    # What was restored can be written to.
    backups.database.write("6101")
    refused(backups.restore(), "keep_as", "plone_before is there already")
    assert backups.restore(state="reverted").result["changed"]
    assert (backups.database.content(), backups.restore(state="reverted").result["changed"]) == (new, False)
    assert backups.postgres.databases() == {"plone", "plone_restored"}


@pytest.mark.parametrize("backups", [True], indirect=True, ids=["history"])
def test_nothing_is_restored_while_somebody_is_connected_and_a_deleted_database_comes_back(backups: Backups) -> None:
    assert not backups.run().failed
    old = backups.database.content()
    backups.database.write("6100")
    new = backups.database.content()
    psql = [str(backups.postgres.bin / "psql"), "-X", "-d", "plone", "-c", "SELECT pg_sleep(600)"]
    with subprocess.Popen(psql, env=backups.postgres.environment(), stdout=subprocess.DEVNULL) as client:
        try:
            while backups.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'plone'") == "0":
                assert client.poll() is None
            for flags in ((), ("--check",)):
                refused(backups.restore(*flags), "is connected to the database plone", "nothing was changed")
        finally:
            client.kill()
    while backups.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)'") != "0":
        backups.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'plone'")
    assert backups.database.content() == new
    backups.postgres.drop("plone")
    assert backups.restore().result["changed"]
    assert (backups.database.content(), backups.postgres.databases()) == (old, {"plone"})


@pytest.mark.parametrize("backups", [True], indirect=True, ids=["history"])
def test_damage_is_refused_and_nothing_is_left_behind(backups: Backups) -> None:
    made = Path(backups.run().result["dest"])
    damage = "UPDATE object_state SET state = state || 'x'::bytea WHERE zoid = (SELECT min(zoid) FROM object_state)"
    backups.postgres.sql(damage, "plone")
    refused(backups.run(keep=1), "differ from the MD5 that RelStorage stored")
    backups.postgres.sql("DELETE FROM blob_chunk WHERE zoid = (SELECT min(zoid) FROM blob_chunk)", "plone")
    assert backups.restore(keep_as="damaged").result["changed"]
    backups.postgres.sql("DELETE FROM blob_chunk WHERE zoid = (SELECT min(zoid) FROM blob_chunk)", "plone")
    refused(backups.run(), "'blobs'", "not in the database")
    dump = made / "relstorage" / "database.dump"
    os.truncate(dump, dump.stat().st_size - 100)
    refused(backups.restore(keep_as="again"), "relstorage/database.dump has", "is damaged")
    assert [path.name for path in backups.dest.iterdir()] == [made.name]
    assert backups.postgres.databases() == {"plone", "plone_damaged"}
    shutil.rmtree(made)


def test_what_makes_no_sense_is_named(postgres: Postgres, tmp_path: Path) -> None:
    backups = Backups(postgres, tmp_path, keeps_history=True, shared_blobs=False)
    refused(backups.run(database="nobody"), "'database'", "no database nobody")
    refused(backups.run(data_fs="/srv/Data.fs"), "'database'", "excludes 'data_fs'")
    refused(backups.run(database=None), "'data_fs'", "or the 'database' of a RelStorage")
    refused(backups.run(login_password="wrong"), "login_password")
    refused(backups.run(environment={}), "cannot be read by", "can import RelStorage with 'python'")
    postgres.sql("CREATE DATABASE shop OWNER odoo")
    refused(backups.run(database="shop"), "'database'", "shop is no RelStorage")
    assert list(backups.dest.iterdir()) == []
    assert postgres.databases() == {"plone", "shop"}

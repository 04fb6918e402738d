# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a Plone database that restore, and backups that are damaged, made by the real repozo and ZODB."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import run_module
from support.guides import type_section
from support.module_runner import ModuleRun
from support.plone.environment import clean_variables
from support.plone.small_database import SmallDatabase


class Backups:
    """A database, the folder of its backups, and the modules run on both. ``first`` is the backup there is, if any."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "place"
        self.database = SmallDatabase(self.folder / "instance")
        self.dest = self.folder / "backups"
        self.dest.mkdir()
        self.database.write(leaflet="first edition", photo="pixels")
        self._without = self._kept("without")
        self.first = self.made()
        self._with = self._kept("with")

    def _kept(self, name: str) -> Path:
        copy = self.folder.with_name(name)
        subprocess.run(["cp", "-a", str(self.folder), str(copy)], check=True)
        return copy

    def begin_again(self, *, with_first: bool) -> Backups:
        """Everything as it was, with the first backup or without it."""
        shutil.rmtree(self.folder)
        subprocess.run(["cp", "-a", str(self._with if with_first else self._without), str(self.folder)], check=True)
        return self

    def run(self, *flags: str, **options: Any) -> ModuleRun:
        return run_module("plone_backup", {**self.database.options, "dest": str(self.dest), **options}, *flags)

    def made(self, **options: Any) -> Path:
        ended = self.run(**options)
        assert not ended.failed, ended.output
        assert (ended.result["changed"], ended.result["backed_up"]) == (True, True)
        return Path(ended.result["dest"])

    def verify(self) -> ModuleRun:
        return self.run(state="verified")

    def restore(self, *flags: str, **options: Any) -> ModuleRun:
        return run_module("plone_restore", {**self.database.options, "src": str(self.dest), **options}, *flags)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.dest.iterdir())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Backups:
    """Made once, because the instance's Python takes longer to start than the rest of a test."""
    return Backups(tmp_path_factory.mktemp("backups"))


@pytest.fixture
def backups(place: Backups) -> Backups:
    """A database with its first backup."""
    return place.begin_again(with_first=True)


@pytest.fixture
def none_yet(place: Backups) -> Backups:
    """A database that was never backed up."""
    return place.begin_again(with_first=False)


def refused(ended: ModuleRun, *words: str) -> None:
    assert ended.failed, ended.output
    assert "Traceback" not in ended.output
    for word in words:
        assert word in ended.msg


def removed_blob(backup: Path) -> str:
    blob = next((backup / "blobs").rglob("*.blob"))
    blob.unlink()
    return f"{blob.relative_to(backup)} is missing"


def cut_repozo_file(backup: Path) -> str:
    path = next((backup / "repozo").glob("*.fs"))
    os.truncate(path, path.stat().st_size - 100)
    return f"repozo/{path.name} has"


def removed_repozo_file(backup: Path) -> str:
    path = next((backup / "repozo").glob("*.fs"))
    path.unlink()
    return f"repozo/{path.name} is missing"


def changed_byte(backup: Path) -> str:
    path = next((backup / "repozo").glob("*.fs"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return f"repozo/{path.name} was changed"


def changed_blob(backup: Path) -> str:
    blob = next((backup / "blobs").rglob("*.blob"))
    blob.chmod(0o600)
    blob.write_bytes(b"?" * blob.stat().st_size)
    return f"{blob.relative_to(backup)} was changed"


def changed_unseen(path: Path) -> None:
    """Change one byte, and leave size and time as they were."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.chmod(0o600)
    path.write_bytes(content)
    path.chmod(status.st_mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def removed_manifest(backup: Path) -> str:
    (backup / "manifest.txt").unlink()
    return "manifest.txt cannot be read"


@pytest.mark.main
def test_a_database_that_was_deleted_comes_back_as_it_was(none_yet: Backups) -> None:
    before = none_yet.database.content()
    assert none_yet.run("--check").result["backed_up"]
    assert none_yet.names() == []
    backup = none_yet.made()
    record = json.loads((backup / "backup.json").read_text(encoding="utf-8"))
    assert (record["sites"], record["blobs"]) == ([{"path": "/Plone", "version": "6018"}], 2)
    assert backup.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(none_yet.database.folder)
    none_yet.database.data_fs.parent.mkdir(parents=True)
    assert none_yet.restore("--check").result["changed"]
    assert list(none_yet.database.folder.rglob("*.fs")) == []
    ended = none_yet.restore()
    assert (ended.failed, ended.result.get("changed"), ended.result.get("kept")) == (False, True, []), ended.output
    assert none_yet.database.content() == before
    for flags in ((), ("--check",)):
        assert not none_yet.restore(*flags).result["changed"]
    # What was restored can be written to.
    none_yet.database.write(leaflet="second edition")


def test_a_database_that_was_changed_without_a_change_of_its_size_is_restored(backups: Backups) -> None:
    before = backups.database.content()
    for number, path in enumerate((backups.database.data_fs, backups.database.blob_files()[0])):
        changed_unseen(path)
        assert backups.restore("--check").result["changed"]
        ended = backups.restore(keep_as=f"before{number}")
        assert ended.result.get("changed"), ended.output
        assert backups.database.content() == before
    assert not backups.restore().result["changed"]


def test_each_backup_is_whole_without_the_others(backups: Backups) -> None:
    first = backups.first
    backups.database.write("6100", leaflet="second edition")
    after = backups.database.content()
    second = backups.made(keep=1)
    assert backups.names() == [second.name]
    assert len(list((second / "repozo").glob("*.deltafs"))) == 1
    assert not first.exists()
    shutil.rmtree(backups.database.blobs)
    backups.database.data_fs.unlink()
    assert not backups.restore().failed
    assert backups.database.content() == after


def test_what_did_not_change_takes_no_room_and_a_packed_database_is_backed_up_anew(backups: Backups) -> None:
    first = backups.first
    backups.database.write(photo="other pixels")
    second = backups.made()
    for path in (*(first / "repozo").glob("*.fs"), *(first / "blobs").rglob("*.blob")):
        assert (second / path.relative_to(first)).samefile(path)
    digest = (first / "manifest.txt").read_text(encoding="utf-8")
    backups.database.write(objects=50, pack=True)
    third = backups.made()
    assert json.loads((third / "backup.json").read_text(encoding="utf-8"))["full"]
    assert len(list((third / "repozo").glob("*.fs"))) == 1
    assert (first / "manifest.txt").read_text(encoding="utf-8") == digest
    assert not backups.restore(src=str(first)).failed


def test_a_changed_file_of_repozo_is_not_taken_over_from_the_backup_before(backups: Backups) -> None:
    first = backups.first
    index = next((first / "repozo").glob("*.index"))
    changed_unseen(index)
    backups.database.write("6100")
    ended = backups.run(keep=1)
    assert (ended.failed, ended.result["backup"]["full"], ended.result["removed"]) == (False, True, []), ended.output
    assert f"{first} is damaged and is neither used nor removed: repozo/{index.name} was changed" in ended.warnings
    assert not backups.verify().failed
    backups.database.write("6101")
    assert not backups.run().result["backup"]["full"]


def test_a_full_backup_takes_over_no_blob_that_was_changed(backups: Backups) -> None:
    first = backups.first
    changed, same = sorted((first / "blobs").rglob("*.blob"))
    changed_unseen(changed)
    second = backups.made(full=True)
    assert not backups.verify().failed
    taken_over = [(second / path.relative_to(first)).samefile(path) for path in (changed, same)]
    assert taken_over == [False, True]


def test_check_mode_verifies_without_writing(backups: Backups) -> None:
    backup = backups.first
    before = backups.dest.stat().st_mtime_ns
    ended = backups.run("--check", state="verified")
    assert (ended.failed, "Check mode does not restore it" in ended.msg) == (False, True), ended.output
    assert backups.dest.stat().st_mtime_ns == before
    words = changed_byte(backup)
    refused(backups.run("--check", state="verified"), words)


def test_a_young_backup_is_enough_unless_it_is_damaged(none_yet: Backups) -> None:
    backup = none_yet.made(if_older_than=3600)
    ended = none_yet.run(if_older_than=3600, keep=1)
    assert (ended.result["changed"], ended.result["dest"]) == (False, str(backup))
    words = removed_repozo_file(backup)
    ended = none_yet.run(if_older_than=3600, keep=1)
    assert (ended.result["backed_up"], ended.result["removed"]) == (True, [])
    assert words in ended.warnings
    assert backup.exists()


DAMAGES = [removed_blob, cut_repozo_file, removed_repozo_file, changed_byte, changed_blob, removed_manifest]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.__name__)
def test_a_damaged_backup_is_refused_by_name(backups: Backups, damage: Any) -> None:
    backup = backups.first
    words = damage(backup)
    before = backups.database.content()
    backups.database.write("6100")
    present = backups.database.content()
    refused(backups.verify(), words)
    refused(backups.restore(), words, "is damaged")
    assert backups.database.content() == present != before
    assert backups.names() == [backup.name]
    assert sorted(path.name for path in backups.database.data_fs.parent.iterdir()) == [
        *("Data.fs", "Data.fs.index", "Data.fs.lock", "Data.fs.tmp")
    ]


def cut_end(database: SmallDatabase) -> str:
    os.truncate(database.data_fs, database.data_fs.stat().st_size - 50)
    return "ends in the middle of a transaction"


def cut_middle(database: SmallDatabase) -> str:
    content = database.data_fs.read_bytes()
    database.data_fs.write_bytes(content[: len(content) // 2] + content[len(content) // 2 + 40 :])
    return "CorruptedTransactionError"


def live_blob_removed(database: SmallDatabase) -> str:
    blob = database.blob_files()[-1]
    blob.unlink()
    return str(blob.relative_to(database.blobs))


@pytest.mark.parametrize("damage", [cut_end, cut_middle, live_blob_removed], ids=lambda each: each.__name__)
def test_a_damaged_database_is_not_backed_up_and_the_last_good_backup_stays(backups: Backups, damage: Any) -> None:
    backup = backups.first
    backups.database.write("6100", leaflet="third edition")
    words = damage(backups.database)
    refused(backups.run(keep=1), words)
    assert backups.names() == [backup.name]
    assert not backups.verify().failed


def test_a_live_blob_that_was_changed_is_refused_by_name(backups: Backups) -> None:
    backup = backups.first
    blob = backups.database.blob_files()[0]
    blob.chmod(0o600)
    blob.write_bytes(b"?" * blob.stat().st_size)
    ended = backups.run(keep=1)
    refused(ended, "1 blobs are not what they were", str(blob.relative_to(backups.database.blobs)), str(backup))
    assert backups.names() == [backup.name]


def test_a_changed_byte_of_the_database_is_warned_about_and_the_backup_before_stays(backups: Backups) -> None:
    first = backups.first
    content = backups.database.data_fs.read_bytes()
    backups.database.data_fs.write_bytes(content.replace(b"x" * 200, b"x" * 100 + b"y" + b"x" * 99, 1))
    backups.database.write("6100")
    ended = backups.run(keep=1)
    assert (ended.failed, ended.result.get("removed")) == (False, []), ended.output
    assert f"at the time of {first} is not in it as it was then" in ended.warnings
    assert ended.result["backup"]["differs_from"] == str(first)
    # A pack changes the file too, and is none of that.
    backups.database.write("6101", pack=True)
    packed = backups.run()
    assert (packed.result["backup"]["full"], packed.result["backup"]["differs_from"]) == (True, ""), packed.output


def test_a_link_among_the_blobs_is_followed_and_a_folder_within_them_takes_no_backups(none_yet: Backups) -> None:
    blob = none_yet.database.blob_files()[0]
    elsewhere = none_yet.dest.parent / "elsewhere"
    shutil.move(blob, elsewhere)
    blob.symlink_to(elsewhere)
    backup = none_yet.made()
    copied = backup / "blobs" / blob.relative_to(none_yet.database.blobs)
    assert (copied.is_symlink(), copied.read_bytes()) == (False, elsewhere.read_bytes())
    within = none_yet.database.blobs / "backups"
    within.mkdir()
    refused(none_yet.run(dest=str(within)), "'dest'", "lies in the folder of the blobs")


def test_the_backup_of_another_database_with_the_same_name_is_no_backup_of_this_one(backups: Backups) -> None:
    other = SmallDatabase(backups.dest.parent / "other")
    other.write("6100")
    made = backups.first
    ended = backups.run(**other.options, if_older_than=3600, keep=1)
    assert (ended.result.get("backed_up"), ended.result.get("removed")) == (True, []), ended.output
    assert f"{made} is of another database" in ended.warnings


def test_a_database_that_lost_its_last_transactions_is_warned_about(none_yet: Backups) -> None:
    shorter = none_yet.database.data_fs.stat().st_size
    none_yet.database.write("6100")
    none_yet.made()
    os.truncate(none_yet.database.data_fs, shorter)
    ended = none_yet.run(keep=1)
    assert "ends with a later transaction than" in ended.warnings
    assert ended.result["removed"] == []


def test_a_restore_is_refused_while_a_server_has_the_database(backups: Backups) -> None:
    backups.database.write("6100")
    present = backups.database.content()
    lock = backups.database.data_fs.with_name("Data.fs.lock")
    with open(lock, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for flags in ((), ("--check",)):
            refused(backups.restore(*flags), "Data.fs.lock locked", "nothing was changed")
    assert backups.database.content() == present
    assert not backups.restore().failed
    assert lock.exists()


def test_a_restore_exchanges_what_links_lead_to_and_heeds_the_locks_of_both(backups: Backups) -> None:
    data_fs, blobs = backups.database.data_fs, backups.database.blobs
    disk = backups.dest.parent / "disk"
    disk.mkdir()
    for path in (data_fs, blobs):
        shutil.move(path, disk / path.name)
        path.symlink_to(disk / path.name)
    old = backups.database.content()
    backups.database.write("6100", leaflet="second edition")
    for locked in (data_fs, disk / data_fs.name):
        with open(f"{locked}.lock", "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            refused(backups.restore(), f"{locked}.lock", "nothing was changed")
    assert backups.restore().result["changed"]
    assert {name: backups.database.content()[name] for name in old} == old
    assert data_fs.is_symlink() and blobs.is_symlink()
    assert {path.name for path in disk.iterdir()} >= {"Data.fs", "Data.fs.before", "blobstorage", "blobstorage.before"}


def test_the_way_back_from_a_restore(backups: Backups) -> None:
    old = backups.database.content()
    backups.database.write("6100", leaflet="second edition")
    new = backups.database.content()
    ended = backups.restore()
    assert len(ended.result["kept"]) == 3, ended.output
    assert {name: backups.database.content()[name] for name in old} == old
    backups.database.write("6101")
    present = backups.database.content()
    refused(backups.restore(), "keep_as", "Data.fs.before is there already")
    assert {name: backups.database.content()[name] for name in present} == present
    assert backups.restore("--check", state="reverted").result["changed"]
    assert backups.restore(state="reverted").result["changed"]
    assert backups.database.content() == new
    assert not backups.restore(state="reverted").result["changed"]


def test_a_restore_by_hand_as_the_guide_has_it(backups: Backups) -> None:
    old = backups.database.content()
    backups.database.write("6100", leaflet="second edition")
    folder = backups.dest.parent
    options = {f"plone_backup_{name}": value for name, value in backups.database.options.items()}
    intranet = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **options}
    intranet["plone_backup_dest"] = str(backups.dest)
    (folder / "night.yml").write_text(json.dumps({"all": {"hosts": {"intranet": intranet}}}), encoding="utf-8")
    (folder / "secrets.yml").write_text("{}", encoding="utf-8")
    said = type_section("upgrade_night.rst", "By hand", folder, {"--ask-vault-pass ": ""})
    assert "changed=1" in said
    assert {name: backups.database.content()[name] for name in old} == old


MOUNT = """
import sys, transaction
from persistent.mapping import PersistentMapping
from ZODB import DB
from ZODB.FileStorage import FileStorage

databases = {}
main = DB(FileStorage(sys.argv[1], blob_dir=sys.argv[2]), databases=databases, database_name="main")
DB(FileStorage(sys.argv[1] + ".catalog"), databases=databases, database_name="catalog")
connection = main.open()
mounted = connection.get_connection("catalog").root()["portal_catalog"] = PersistentMapping()
transaction.commit()
connection.root()["files"]["portal_catalog"] = mounted
transaction.commit()
"""


def test_a_database_that_is_mounted_into_the_one_of_the_backup_is_named(none_yet: Backups) -> None:
    database = none_yet.database
    command = [str(database.python), "-c", MOUNT, str(database.data_fs), str(database.blobs)]
    subprocess.run(command, env=clean_variables(), check=True)
    ended = none_yet.run()
    assert (ended.failed, "catalog is mounted into" in ended.warnings) == (False, True), ended.output


def test_missing_programs_and_places_are_named_before_anything_is_written(none_yet: Backups) -> None:
    refused(none_yet.run(repozo="/nonexistent/repozo"), "'repozo'")
    refused(none_yet.run(python="/nonexistent/python"), "'python'")
    refused(none_yet.run(dest="/nonexistent"), "'dest'")
    refused(none_yet.run(blobs="/nonexistent"), "'blobs'")
    refused(none_yet.run(data_fs=str(none_yet.database.python)), "'data_fs'")
    refused(none_yet.run(blobs=None), "'blobs'", "2 blobs")
    refused(none_yet.run(name="../etc"), "'name'")
    refused(none_yet.restore(), "no verified backup")
    assert none_yet.names() == []

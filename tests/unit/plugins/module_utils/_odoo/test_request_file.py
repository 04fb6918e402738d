# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request file: private, whole or not there at all, and never overwritten when it is not understood."""

from __future__ import annotations

import json
import os
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.files import BusyError
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo import request_file
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.records import (
    EarlierRequest,
    Fetched,
    Fetching,
    HostJob,
    Intention,
    Record,
    Sending,
    Sent,
    StateSeen,
    contract_mark,
    is_contract,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.request_file import (
    RequestFile,
    RequestFileError,
    lock_request_file,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.request_json import FORMAT
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.wanted import Handle
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump import FileMark
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ranges import Held, Prefix, Segment

API = "https://upgrade.example.org/database/v1"
FULL = Record(
    protocol="database_api",
    api_url=API,
    intention=Intention({"aim": "test", "target": "18.0"}, "salt:hash", "2026-11-21T03:00:00Z", "no answer"),
    handle=Handle("10534", "Aw7pItGVKFuZ_FOR3U8VFQ==", "eu1.upgrade.example.org"),
    job=HostJob("/var/backups/shop.dump", "ab"),
    sent=Sent(FileMark(5, 1, 2, 3), "ab", "sftp", "shop.dump", "2026-11-21T03:00:00Z"),
    sending=Sending(FileMark(9, 1, 2, 3), "shop.dump", Held(Prefix(4, "ab"), (Segment(6, 9),))),
    fetched=Fetched("out/shop.zip", FileMark(7, 1, 2, 3), "cd", "archive", '"etag"', "https", "2026-11-21T04:00:00Z"),
    fetching=Fetching(
        "out/shop.zip.part", "archive", '"etag"', 7, "https", Held(Prefix(3, "ab"), (Segment(5, 7, "cd"),))
    ),
    host_key="ssh-ed25519 AAAA",
    states_seen=(StateSeen("draft", "2026-11-21T03:00:00Z"), StateSeen("done", "2026-11-21T04:00:00Z")),
    earlier=(EarlierRequest("database_api", API, Handle("10533", "old key")),),
)
HANDLE: dict[str, t.Any] = {"id": "1", "secret": "k"}


def text(**fields: t.Any) -> bytes:
    return json.dumps({"format": FORMAT, "schema": 2, **fields}).encode()


def text_1(**fields: t.Any) -> bytes:
    return json.dumps({"format": FORMAT, "schema": 1, **fields}).encode()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a request file may be made."""
    return str(tmp_path / "shop.json")


@pytest.fixture
def written(path: str) -> str:
    """A request file with something in every field."""
    with lock_request_file(path, 0) as file:
        file.record = FULL
        file.save()
    return path


def names_beside(path: str) -> list[str]:
    return sorted(os.listdir(os.path.dirname(path)))


def test_everything_comes_back(written: str) -> None:
    file = RequestFile.read(written)
    assert file.exists
    assert file.record == FULL


def test_nothing_but_the_file_stays_behind(written: str) -> None:
    assert names_beside(written) == ["shop.json"]


def test_looking_makes_nothing(path: str) -> None:
    assert RequestFile.read(path) == RequestFile(path)
    with lock_request_file(path, 0) as file:
        assert not file.exists
    assert names_beside(path) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_only_its_owner_can_read_it(umask: int, path: str) -> None:
    former = os.umask(umask)
    try:
        with lock_request_file(path, 0) as file:
            file.record = FULL
            file.save()
            assert os.stat(path).st_mode & 0o777 == 0o600
            file.save()
    finally:
        os.umask(former)
    assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_kill_while_writing_leaves_the_former_content(
    step: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = os.fork()
    if not child:
        monkeypatch.setattr(os, step, lambda *_arguments: os._exit(9))
        with lock_request_file(written, 0) as file:
            file.record.handle = Handle("other", "k")
            file.save()
        os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert os.WEXITSTATUS(status) == 9
    assert RequestFile.read(written).record == FULL
    with lock_request_file(written, 0) as file:
        file.save()
    assert names_beside(written) == ["shop.json"]


def test_a_full_disk_leaves_the_former_content(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    with lock_request_file(written, 0) as file:
        file.record = Record(handle=Handle("1", "k"))
        with monkeypatch.context() as patch, pytest.raises(RequestFileError, match="No space left"):
            patch.setattr(os, "fsync", fail)
            file.save()
    assert RequestFile.read(written).record == FULL
    assert names_beside(written) == ["shop.json"]


def test_a_file_cut_short_anywhere_is_refused_and_kept(written: str) -> None:
    whole = Path(written).read_bytes().rstrip()
    for length in range(len(whole)):
        Path(written).write_bytes(whole[:length])
        with pytest.raises(RequestFileError, match="left alone"), lock_request_file(written, 0):
            pass
        assert Path(written).stat().st_size == length


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'"format"',
        b"[" * 100_000,
        b'{"format": "something else", "schema": 1}',
        text(),
        text(handle={"id": "1"}),
        text(handle={"id": "1", "secret": ""}),
        text(handle={"id": 1, "secret": "k"}),
        text(handle=HANDLE, new=""),
        text(handle=HANDLE, sent={"size": 5}),
        text(handle=HANDLE, states_seen=[{"state": "x"}]),
        text(schema="2", handle=HANDLE),
        text(schema=0, handle=HANDLE),
        text_1(),
        text_1(id="1"),
        text_1(key="k"),
        text_1(id=1, key="k"),
        text_1(id="1", key="k", new=""),
        text_1(id="1", key="k", sent={"size": "5"}),
        text_1(id="1", key="k", sent=[5]),
        text_1(id="1", key="k", sending={"segments": [5]}),
        text_1(id="1", key="k", earlier=5),
        text_1(id="1", key="k", states_seen=[{"state": "x"}]),
    ],
)
def test_foreign_content_is_refused_and_kept(content: bytes, path: str) -> None:
    Path(path).write_bytes(content)
    os.chmod(path, 0o600)
    with pytest.raises(RequestFileError, match="request_file"), lock_request_file(path, 0):
        pass
    with pytest.raises(RequestFileError):
        RequestFile.read(path)
    assert Path(path).read_bytes() == content
    assert names_beside(path) == ["shop.json"]


def test_a_newer_schema_is_refused_by_its_number_and_kept(path: str) -> None:
    content = text(schema=3, handle=HANDLE, whatever=1)
    Path(path).write_bytes(content)
    os.chmod(path, 0o600)
    with pytest.raises(RequestFileError, match="has schema 3, and this version reads up to 2.*Upgrade the collection"):
        RequestFile.read(path)
    assert Path(path).read_bytes() == content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_get_at_is_refused(mode: int, written: str) -> None:
    os.chmod(written, mode)
    with pytest.raises(RequestFileError, match="chmod 600"):
        RequestFile.read(written)


def test_a_file_of_another_user_is_refused(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(RequestFileError, match="belongs to the user with the id"):
        RequestFile.read(written)


def test_a_link_is_refused(written: str, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(written)
    with pytest.raises(RequestFileError, match="symbolic link"):
        RequestFile.read(str(link))


def test_what_is_no_file_is_refused(path: str) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(RequestFileError, match="not a regular file"):
        RequestFile.read(path)


@pytest.mark.parametrize("bad", ["", "a\nb", "a\0b"])
def test_a_path_that_none_can_be_is_refused(bad: str) -> None:
    with pytest.raises(OptionError, match="request_file"):
        RequestFile.read(bad)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(OptionError, match="missing does not exist"),
        lock_request_file(str(tmp_path / "missing/shop.json"), 0),
    ):
        pass


def test_two_runs_exclude_each_other(written: str) -> None:
    with lock_request_file(written, 0), pytest.raises(BusyError, match="Another run"), lock_request_file(written, 0):
        pass
    with lock_request_file(written, 0) as file:
        assert file.record == FULL


@pytest.fixture
def intended(path: str) -> Record:
    """The record of a file whose request is being made, or was when its run ended."""
    with lock_request_file(path, 0) as file:
        file.record = Record(api_url=FULL.api_url, intention=FULL.intention)
        file.save()
        return file.record


def test_who_only_looks_waits_for_the_run_that_is_making_the_request(path: str, intended: Record) -> None:
    with lock_request_file(path, 0) as file:

        def make_it() -> None:
            file.record.handle = Handle("10534", "k")
            file.save()

        made = threading.Timer(0.3, make_it)
        made.start()
        assert RequestFile.read(path, 60).record.request_id == "10534"
        made.join()


def test_who_only_looks_does_not_wait_for_ever(path: str, intended: Record) -> None:
    with lock_request_file(path, 0), pytest.raises(BusyError, match="Another run is using the request file"):
        RequestFile.read(path, 0.1)


def test_what_a_run_that_is_gone_intended_is_read_at_once(path: str, intended: Record) -> None:
    assert RequestFile.read(path, 60).record == intended
    assert names_beside(path) == ["shop.json"]


def test_a_run_that_ends_while_another_looks_was_not_killed(
    path: str, intended: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends_just_now(_path: str) -> bool:
        with lock_request_file(path, 0) as file:
            file.record.handle = Handle("10534", "k")
            file.save()
        return False

    monkeypatch.setattr(request_file, "is_locked", ends_just_now)
    assert RequestFile.read(path, 0).record.request_id == "10534"


def test_a_file_that_is_only_read_is_not_written(written: str) -> None:
    with pytest.raises(RuntimeError):
        RequestFile.read(written).save()


def test_a_record_without_a_file_is_saved_nowhere(tmp_path: Path) -> None:
    RequestFile.in_memory(Record(handle=Handle("1", "k"))).save()
    assert list(tmp_path.iterdir()) == []


def test_a_contract_is_known_again_and_not_kept() -> None:
    mark = contract_mark("M123456-abcdef")
    assert is_contract(mark, "M123456-abcdef")
    assert not is_contract(mark, "M123456-abcdeg")
    assert "M123456" not in mark
    assert contract_mark("M123456-abcdef") != mark


def test_a_state_is_news_once() -> None:
    record = Record()
    assert [record.see(state) for state in ("draft", "draft", "pending", "draft")] == [True, False, True, True]


def test_a_reserve_is_used_where_there_is_no_room_for_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "shop.json")

    def no_room(_path: str, _text: str, *, room: int) -> None:
        raise OSError(28, "No space left on device")

    with lock_request_file(path, 0) as file:
        file.record = Record(api_url="https://example.org", intention=Intention({}, "mark", "now"))
        file.save(reserve=500)
        monkeypatch.setattr(request_file, "write_atomically", no_room)
        file.record.handle = Handle("1", "k" * 200)
        file.save_into_reserve()
        assert RequestFile.read(path).record == file.record
        file.record.handle = Handle("1", "k" * 2000)
        with pytest.raises(RequestFileError, match="No space"):
            file.save_into_reserve()
    assert RequestFile.read(path).record.handle == Handle("1", "k" * 200)

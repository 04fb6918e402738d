# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request files that version 1 wrote, in tests against the rehearsal platform, are read and brought to schema 2."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.records import EarlierRequest, Record, is_contract
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.request_file import RequestFile, lock_request_file
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.wanted import Handle
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump import FileMark
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ranges import Held, Prefix, Segment

SAMPLES = sorted((Path(__file__).parent / "samples").glob("schema_1_*.json"))
API = "https://127.0.0.1:34221/database/v1"


def sample(name: str, folder: Path) -> str:
    """A copy of a sample, with the mode that it had."""
    path = folder / "shop.json"
    shutil.copy(Path(__file__).parent / f"samples/schema_1_{name}.json", path)
    path.chmod(0o600)
    return str(path)


def read(name: str, folder: Path) -> Record:
    return RequestFile.read(sample(name, folder)).record


def test_an_unanswered_creation(tmp_path: Path) -> None:
    record = read("unanswered", tmp_path)
    assert record.handle is None
    assert record.intention
    assert record.intention.lost_answer == "POST /database/v1/create got no whole answer within 20 seconds."
    assert is_contract(record.intention.contract, "M123456-abcxyz")
    assert (record.protocol, record.api_url) == ("database_api", API)


def test_a_dump_and_its_result(tmp_path: Path) -> None:
    record = read("fetched_by_sftp", tmp_path)
    assert record.handle == Handle("10534", "Rz738xfFrY0pekBlPM2qGw==")
    assert record.sent
    assert record.sent.mark == FileMark(25165823, 1795888737364335932, 2147739, 65024)
    assert (record.sent.name, record.sent.transport) == ("shop.sql", "sftp")
    assert record.fetched
    assert record.fetched.mark == FileMark(25165962, 1795888744187107069, 2148359, 65024)
    assert (record.fetched.dest, record.fetched.content) == ("/var/backups/upgraded.sql", "archive")
    assert record.host_key.startswith("[127.0.0.1]:41153 ecdsa-sha2-nistp256 ")
    assert [seen.state for seen in record.states_seen] == ["draft", "done"]


def test_a_broken_upload(tmp_path: Path) -> None:
    record = read("sending", tmp_path)
    assert record.sending
    assert record.sending.mark == FileMark(25165823, 1795888744853108477, 2148357, 65024)
    proven = Prefix(13317120, "3d2d7a55759a8cb6c750dbe75d4765380a00943757480be4e05e4c11b6200687")
    assert record.sending.held == Held(proven, (Segment(13317120, 15667200),))


def test_a_broken_download(tmp_path: Path) -> None:
    record = read("fetching", tmp_path)
    assert record.fetching
    assert (record.fetching.entity, record.fetching.size) == ('"18ec474d52e95030-136c88b"', 20367499)
    proven = Prefix(4194304, "2ba60016a08f78b3c38f6c8c2d5559bcccb874badb1082b06b78182c807abfdc")
    assert record.fetching.held == Held(proven)


def test_an_earlier_request(tmp_path: Path) -> None:
    record = read("renewed", tmp_path)
    assert record.earlier == (EarlierRequest("database_api", API, Handle("10534", "Rz738xfFrY0pekBlPM2qGw==")),)


@pytest.mark.parametrize("name", [path.stem.removeprefix("schema_1_") for path in SAMPLES])
def test_the_next_write_brings_it_to_schema_2(name: str, tmp_path: Path) -> None:
    path = sample(name, tmp_path)
    before = RequestFile.read(path).record
    with lock_request_file(path, 0) as file:
        file.save()
    assert json.loads(Path(path).read_text(encoding="utf-8"))["schema"] == 2
    assert RequestFile.read(path).record == before

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the parsers whatever they are given: a value of ours or an error in words, no wrong verdict."""

from __future__ import annotations

import base64
import json
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError, UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_answer import Answer
from ansible_collections.siteops.upgrades.plugins.module_utils._core.text import (
    CONTROL_CHARACTERS,
    encodings_of,
    one_line,
    strip_control_chars,
    whole_number,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.answers import (
    PlatformFailure,
    failure_in_words,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.client import OdooClient
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.status import status_of
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.records import (
    Fetching,
    Intention,
    Record,
    Sending,
    Sent,
    StateSeen,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.request import RequestFailed
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.request_file import (
    RequestFile,
    RequestFileError,
    lock_request_file,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.wanted import Handle
from ansible_collections.siteops.upgrades.plugins.module_utils._plone import addons
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.answers import read_document
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.client import PloneClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.credentials import Credentials
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.journal import SiteJournal
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.migration_log import (
    ABORTED,
    CLOSING_FAILURES,
    SUCCESS,
    judge,
    readable,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.state import state_from_system
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.transactions import Transactions
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.undo_plan import plan_undo
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump import FileMark
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ranges import Held, Prefix, Segment
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_keys import (
    problem_of_public_key,
    read_public_keys,
)

settings.register_profile(
    "faults",
    max_examples=int(os.environ.get("SITEOPS_EXAMPLES", "200")),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("faults")

TEXT = st.text(st.characters(codec=None), max_size=60)
"""Every character that JSON can carry, half surrogate pairs as well."""

NUMBERS = st.integers() | st.floats()
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
SECRET = "Aw7pItGVKFuZ_FOR3U8VFQ=="


def some(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of the keys that a parser looks for, and any value behind each."""
    return st.dictionaries(st.sampled_from(names) | TEXT, JSON, max_size=len(names) + 1)


class OneBody:
    """Stands for an HttpClient whose every answer has this body."""

    base_url = "https://upgrade.example.org"

    def __init__(self, body: bytes) -> None:
        self.body = body

    def as_user(self, _auth: object) -> OneBody:
        return self

    def get(self, path: str, **_options: Any) -> Answer:
        return Answer(f"GET {path}", 200, {"Content-Type": "application/json"}, self.body)

    def send(self, method: str, path: str, **_options: Any) -> Answer:
        return Answer(f"{method} {path}", 200, {"Content-Type": "application/json"}, self.body)


def body_of(document: Any) -> bytes:
    return json.dumps(document).encode()


def odoo(document: Any) -> OdooClient:
    return OdooClient(OneBody(body_of(document)), "1", SECRET)  # type: ignore[arg-type]


def plone(document: Any) -> PloneClient:
    return PloneClient(OneBody(body_of(document)), Credentials("a", "b"))  # type: ignore[arg-type]


def in_words(call: Callable[[], Any]) -> Any:
    """What a call returns, or None where it fails in words that could be printed."""
    try:
        return call()
    except UpgradeError as error:
        assert str(error)
        json.dumps(strip_control_chars({"msg": str(error), **error.result})).encode()
        return None


TELLING = (SUCCESS, ABORTED, *CLOSING_FAILURES, "Traceback (most recent call last):", "  File", "Ran upgrade step: x")
LINES = st.lists(st.sampled_from(TELLING) | TEXT)


@given(LINES)
def test_a_report_is_good_only_where_it_closes_with_success_and_nothing_was_aborted(lines: list[str]) -> None:
    report = "\n".join(lines)
    verdict = judge(report)
    shown = report.splitlines()
    whole = [line.strip() for line in shown]
    closing = [line for line in whole if line == SUCCESS or line.startswith(CLOSING_FAILURES)]
    assert verdict.good == (closing[-1:] == [SUCCESS] and ABORTED not in whole)
    assert len(readable(report)) <= len(shown) + 1
    assert len(verdict.steps_run) <= len(shown)


@given(st.lists(some("reason", "message", "value", "code", "expected") | JSON) | JSON)
def test_failures_are_sentences(failures: Any) -> None:
    def call() -> Any:
        return odoo({"failures": failures, "request": {"state": "draft"}}).status()

    try:
        call()
    except PlatformFailure as error:
        assert error.failures
        for failure in error.failures:
            assert "\n" not in failure_in_words(failure)
    except UpgradeError:
        raise AssertionError("a document with a request was not taken") from None


@given(some("id", "key", "state", "customer_message", "upgraded_dump_url", "filename") | JSON)
def test_a_status_document_never_shows_its_key(request: Any) -> None:
    document = in_words(lambda: odoo({"failures": [], "request": request}).status())
    if document is None:
        assert not isinstance(request, dict)
        return
    document = {**document, "key": SECRET, "customer_message": f"see https://h/?key={SECRET.replace('=', '%3d')}"}
    status = status_of(document, SECRET)
    assert isinstance(status.state, str)
    shown = json.dumps(strip_control_chars([status.state, status.message, status.public]))
    assert not [form for form in encodings_of(SECRET) if form in shown]
    assert str(RequestFailed(status, "1"))
    json.dumps(strip_control_chars(RequestFailed(status, "1").result)).encode()


@given(some("id", "key") | JSON)
def test_a_request_has_an_id_and_a_key_that_can_be_kept(request: Any) -> None:
    document = in_words(lambda: odoo({"request": request}).create({"contract": "M1"}))
    if document is not None:
        for name in ("id", "key"):
            assert str(document[name]).isascii()
            assert str(document[name]).isprintable()


@given(some("hostname", "sftp_port", "sftp_user", "shared_file", "sample_command") | JSON)
def test_an_sftp_access_can_be_used(request: Any) -> None:
    access = in_words(lambda: odoo({"request": request}).request_sftp_access("keys"))
    if access is not None:
        assert 0 < access.port < 65536
        assert "/" not in access.shared_file
        assert access.shared_file.isprintable()


@given(some("upgraded_dump_url"), TEXT)
def test_a_result_url_is_http_or_refused(document: dict[str, Any], text: str) -> None:
    for url in (document.get("upgraded_dump_url"), f"https://{text}", f"http://[{text}", text):
        named = {**document, "upgraded_dump_url": url}
        found = in_words(partial(odoo({})._result_url, "archive", "GET upgraded", named))
        assert found is None or found.partition(":")[0].lower() in ("http", "https")


HASHED = st.lists(st.builds(Segment, st.integers(), st.integers(), TEXT), max_size=3).map(tuple)
HELD = st.builds(Held, st.builds(Prefix, st.integers(), TEXT), HASHED)
MARKS = st.builds(FileMark, *[st.integers()] * 4)
RECORDS = st.builds(
    Record,
    api_url=TEXT,
    intention=st.none() | st.builds(Intention, st.dictionaries(TEXT, TEXT, max_size=3), TEXT, TEXT, TEXT),
    handle=st.builds(Handle, TEXT, TEXT.filter(bool), TEXT),
    sent=st.none() | st.builds(Sent, MARKS, TEXT, TEXT),
    sending=st.none() | st.builds(Sending, MARKS, TEXT, HELD),
    fetching=st.none() | st.builds(Fetching, *[TEXT] * 3, st.integers(), TEXT, HELD),
    states_seen=st.lists(st.builds(StateSeen, TEXT, TEXT), max_size=3).map(tuple),
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One folder for all examples; each has its own file."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@given(record=RECORDS)
def test_a_request_file_is_read_as_it_was_written(folder: Path, record: Record) -> None:
    path = str(folder / "shop.json")
    with lock_request_file(path, 0) as file:
        file.record = record
        file.save()
    assert RequestFile.read(path).record == record
    os.unlink(path)
    assert list(folder.iterdir()) == []


@given(record=RECORDS, cut=st.floats(0, 1, exclude_max=True), junk=st.binary(max_size=8))
def test_a_damaged_file_is_refused_and_left_alone(folder: Path, record: Record, cut: float, junk: bytes) -> None:
    path = folder / "shop.json"
    with lock_request_file(str(path), 0) as file:
        file.record = record
        file.save()
    whole = path.read_bytes().rstrip()
    damaged = whole[: int(len(whole) * cut)] + junk
    path.write_bytes(damaged)
    try:
        with lock_request_file(str(path), 0) as file:
            assert file.record == record
    except RequestFileError as error:
        assert "is left alone" in str(error)
    assert path.read_bytes() == damaged
    path.unlink()


@given(document=some("format", "schema", "id", "key", "handle", "intention", "sent", "states_seen") | JSON)
def test_any_other_json_is_no_request_file(folder: Path, document: Any) -> None:
    path = folder / "other.json"
    path.touch(0o600)
    fields = document if isinstance(document, dict) else {}
    marked = ({"format": "siteops.upgrades odoo request", "schema": schema, **fields} for schema in (1, 2))
    for own in (document, *marked):
        path.write_text(json.dumps(own), encoding="utf-8")
        try:
            record = RequestFile.read(str(path)).record
        except RequestFileError:
            continue
        assert record.handle or record.intention


def blob(*fields: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(field)) + field for field in fields)).decode()


KEY_LINE = f"ssh-ed25519 {blob(b'ssh-ed25519', bytes(32))}"
KEY_LINES = st.lists(
    st.binary(max_size=80)
    | TEXT.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.binary(max_size=60).map(lambda data: b"ssh-ed25519 " + base64.b64encode(data))
    | st.just(KEY_LINE.encode())
    | st.just(b"# a comment")
)


@given(lines=KEY_LINES)
def test_a_list_of_public_keys_holds_nothing_else(folder: Path, lines: list[bytes]) -> None:
    path = folder / "authorized_keys"
    path.write_bytes(b"\n".join(lines))
    try:
        keys = read_public_keys(str(path))
    except OptionError as error:
        assert "sftp_public_keys" in str(error)
        return
    assert keys
    for key in keys:
        assert problem_of_public_key(key) == ""
        assert "PRIVATE" not in key


@given(st.lists(some("id", "time", "username", "description", "size")) | JSON)
def test_transactions_are_read_or_refused(document: Any) -> None:
    found = in_words(lambda: Transactions(plone(document)).read())
    if found:
        in_words(lambda: plan_undo(found, site="/Plone"))
        in_words(lambda: plan_undo(found, site="/Plone", back_to=found[-1].id, include_later=True))


ADDON = some("id", "title", "is_installed", "upgrade_info", "version", "uninstall_profile_id")


@given(st.fixed_dictionaries({"items": st.lists(ADDON)}) | some("items") | JSON)
def test_addons_are_read_or_refused(document: Any) -> None:
    for addon in (in_words(lambda: addons.Addons(plone(document)).read()) or {}).values():
        json.dumps(strip_control_chars(addon.as_result())).encode()


VERSIONS = some("instance", "fs") | st.fixed_dictionaries({"instance": TEXT, "fs": TEXT})
STEPS = st.dictionaries(TEXT, st.lists(some("id", "title") | JSON) | JSON, max_size=4) | JSON
UPGRADE = st.fixed_dictionaries({"versions": VERSIONS | JSON, "upgrade_steps": STEPS, "report": TEXT | JSON}) | JSON


@given(UPGRADE)
def test_the_state_of_a_site_is_read_or_refused(document: Any) -> None:
    client = plone(document)
    state = in_words(client.site_state)
    if state is not None:
        assert state.name in ("up_to_date", "pending", "newer_than_code", "no_upgrade_path")
        json.dumps(strip_control_chars(state.steps_as_result())).encode()
    in_words(lambda: client.post_upgrade(dry_run=True, timeout=1))
    in_words(lambda: read_document(client.get("/@system"), state_from_system))


@given(st.binary(max_size=200) | some("posted_at", "believed_until", "what").map(body_of))
def test_a_damaged_journal_is_empty_or_named(folder: Path, content: bytes) -> None:
    path = folder / "journal"
    path.write_bytes(content)
    with path.open("r+", encoding="utf-8") as file:
        journal = SiteJournal(str(path), file)
        entry = journal.entry
        if entry:
            assert journal.advice(entry)


@given(TEXT, st.integers(0, 80))
def test_text_for_a_person_holds_nothing_that_acts(text: str, longest: int) -> None:
    shown = strip_control_chars(text)
    assert not CONTROL_CHARACTERS.search(shown)
    shown.encode()
    assert len(one_line(text, longest + 1)) <= longest + 1
    assert strip_control_chars(shown) == shown
    number = whole_number(text)
    assert number is None or number >= 0


@given(TEXT.filter(bool))
def test_every_secret_has_spellings(secret: str) -> None:
    assert secret in encodings_of(secret)

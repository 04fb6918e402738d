# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files over HTTPS, in whole and in ranges, from servers of every kind."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import random
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import (
    AnswerLostError,
    CallError,
    UnexpectedAnswerError,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._core.progress import Progress
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer import https_ranges, resume
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump import MEBIBYTE, TransferStats
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump_forms import DamagedError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.https import HttpsFetch, Known
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.https_ranges import Source
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.part_file import open_part
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ranges import Held, Prefix

if t.TYPE_CHECKING:
    from pathlib import Path

SQL = b"-- PostgreSQL database dump\n" + random.Random(7).randbytes(4 * MEBIBYTE).hex().encode()
ZIP = b"PK\x03\x04" + random.Random(7).randbytes(8 * MEBIBYTE)
TAG = '"a1"'


class FakeResponse:
    """What of a response the fetch looks at; ``raw`` is itself."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes, lost_after: int | None) -> None:
        self.status_code = status
        self.headers = headers
        self.raw = self
        self.elapsed = datetime.timedelta(seconds=0.1)
        self._body = body
        self._lost_after = lost_after

    def stream(self, size: int, decode_content: bool) -> t.Iterator[bytes]:
        assert not decode_content
        end = len(self._body) if self._lost_after is None else self._lost_after
        for place in range(0, min(end, len(self._body)), size):
            yield self._body[place : min(place + size, end)]
        if self._lost_after is not None:
            raise AnswerLostError("GET upgraded/archive", "the connection was lost")


class FakeServer:
    """Answers requests for one entity; ``losses`` are the bytes after which the connection is lost, one by one."""

    def __init__(
        self,
        body: bytes,
        *losses: int | None,
        tag: str = TAG,
        ranges: bool = True,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.body = body
        self.losses = list(losses)
        self.tag = tag
        self.ranges = ranges
        self.headers = headers or {}
        self.length_stated = True
        self.asked: list[tuple[int, str]] = []

    @contextlib.contextmanager
    def open(self, offset: int, end: int | None, entity: str) -> t.Iterator[t.Any]:
        self.asked.append((offset, entity))
        loss = self.losses.pop(0) if self.losses else None
        headers = {"ETag": self.tag, **self.headers} if self.tag else dict(self.headers)
        same = self.ranges and entity in ("", self.tag)
        if offset and same and offset >= len(self.body):
            yield FakeResponse(416, headers, b"", None)
            return
        start, end = (offset, end or len(self.body)) if same else (0, len(self.body))
        partly = start > 0 or end < len(self.body)
        if partly:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(self.body)}"
        if self.length_stated:
            headers.setdefault("Content-Length", str(end - start))
        yield FakeResponse(206 if partly else 200, headers, self.body[start:end], loss)


class Fetch:
    """Fetches into one part file, and remembers what was kept."""

    def __init__(self, dest: Path) -> None:
        self.dest = dest
        self.kept: list[Known] = []

    def run(
        self,
        server: FakeServer,
        earlier: Known | None = None,
        kind: str = "archive",
        retries: int = 2,
        connections: int = 1,
        **watch: t.Any,
    ) -> TransferStats:
        def passes(error: CallError) -> bool:
            return isinstance(error, AnswerLostError)

        with open_part(str(self.dest)) as part:
            source = Source("GET upgraded/archive", kind, server.open, passes, **watch)
            fetch = HttpsFetch(
                source, part, self._keep, retries=retries, connections=connections, progress=Progress(None)
            )
            return fetch.run(earlier)

    def _keep(self, tag: str, size: int, held: Held) -> None:
        self.kept.append(Known(tag, size, held))

    @property
    def content(self) -> bytes:
        return self.dest.with_name("dump.part").read_bytes()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "FIRST_PAUSE", 0.0)


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path / "dump")


def proven(size: int, body: bytes = SQL, tag: str = TAG) -> Known:
    return Known(tag, len(body), Held(Prefix(size, hashlib.sha256(body[:size]).hexdigest())))


def test_the_whole(fetch: Fetch) -> None:
    moved = fetch.run(FakeServer(SQL))
    assert fetch.content == SQL
    assert moved == TransferStats(len(SQL), hashlib.sha256(SQL).hexdigest(), TAG, len(SQL))
    assert all(kept == proven(kept.held.prefix.size) for kept in fetch.kept)


@pytest.mark.parametrize("body", (SQL, ZIP), ids=("SQL", "ZIP"))
@pytest.mark.parametrize("tag", (TAG, ""))
def test_breaks(fetch: Fetch, body: bytes, tag: str) -> None:
    server = FakeServer(body, 3 * MEBIBYTE, 2 * MEBIBYTE, tag=tag)
    moved = fetch.run(server)
    assert fetch.content == body
    assert moved.breaks == 2
    # Without a tag only a format that proves itself at its end is put together from ranges.
    expected = [0, 3 * MEBIBYTE, 5 * MEBIBYTE] if tag or body == ZIP else [0, 0, 0]
    assert [offset for offset, _entity in server.asked] == expected


def test_a_weak_tag_names_no_entity_but_a_date_does(fetch: Fetch) -> None:
    date = "Sat, 21 Nov 2026 03:00:00 GMT"
    server = FakeServer(SQL, MEBIBYTE, tag='W/"a1"', headers={"Last-Modified": date})
    server.ranges = False
    fetch.run(server)
    assert server.asked == [(0, ""), (MEBIBYTE, date)]
    assert fetch.content == SQL


def test_breaks_without_progress_end_it(fetch: Fetch) -> None:
    server = FakeServer(SQL, MEBIBYTE, 0, 0, 0, 0)
    with pytest.raises(AnswerLostError):
        fetch.run(server)
    assert len(server.asked) == 3
    assert fetch.content == SQL[:MEBIBYTE]
    assert fetch.kept[-1] == proven(MEBIBYTE)


def test_a_proven_part_is_resumed(fetch: Fetch) -> None:
    fetch.dest.with_name("dump.part").write_bytes(SQL[:3_000_000])
    server = FakeServer(SQL)
    moved = fetch.run(server, proven(2_000_000))
    assert server.asked == [(2_000_000, TAG)]
    assert (moved.resumed_from, moved.moved) == (2_000_000, len(SQL) - 2_000_000)
    assert fetch.content == SQL


def test_a_part_that_is_whole_needs_no_call(fetch: Fetch) -> None:
    fetch.dest.with_name("dump.part").write_bytes(SQL)
    server = FakeServer(SQL)
    moved = fetch.run(server, proven(len(SQL)))
    assert server.asked == []
    assert (moved.size, moved.moved) == (len(SQL), 0)


@pytest.mark.parametrize(
    ("server", "known"),
    (
        (FakeServer(SQL, tag='"b2"'), proven(2_000_000)),
        (FakeServer(SQL, ranges=False), proven(2_000_000)),
        (FakeServer(SQL), Known(TAG, len(SQL), Held(Prefix(2_000_000, "0" * 64)))),
        (FakeServer(SQL), Known(TAG, len(SQL) + 5, proven(2_000_000).held)),
        (FakeServer(SQL[:1_500_000]), proven(2_000_000)),
    ),
)
def test_a_part_of_something_else_is_dropped(fetch: Fetch, server: FakeServer, known: Known) -> None:
    fetch.dest.with_name("dump.part").write_bytes(SQL[:2_000_000])
    server.asked.clear()
    moved = fetch.run(server, known)
    assert fetch.content == server.body
    assert moved.resumed_from == 0


def test_a_page_in_place_of_the_rest_leaves_the_part(fetch: Fetch) -> None:
    fetch.dest.with_name("dump.part").write_bytes(SQL[:2_000_000])
    with pytest.raises(DamagedError, match="HTML page"):
        fetch.run(FakeServer(b"<html>maintenance</html>", tag=""), proven(2_000_000))
    assert fetch.content == SQL[:2_000_000]


@pytest.mark.parametrize(
    ("server", "words"),
    (
        (FakeServer(b""), "empty"),
        (FakeServer(b"<html></html>"), "HTML"),
        (FakeServer(SQL, headers={"Content-Type": "text/html; charset=utf-8"}), "HTML"),
        (FakeServer(b'{"failures": []}'), "no known format"),
    ),
)
def test_what_is_no_dump_is_not_even_begun(fetch: Fetch, server: FakeServer, words: str) -> None:
    with pytest.raises(DamagedError, match=words):
        fetch.run(server)
    assert fetch.content == b""
    assert len(server.asked) == 1


def test_an_archive_is_one_whatever_type_is_stated(fetch: Fetch) -> None:
    fetch.run(FakeServer(ZIP, headers={"Content-Type": "text/html; charset=utf-8"}))
    assert fetch.content == ZIP


def test_a_refusal_in_place_of_the_file_is_reported(fetch: Fetch) -> None:
    fetch.dest.with_name("dump.part").write_bytes(SQL[:2_000_000])
    refusal = UnexpectedAnswerError("GET upgraded/archive", "was refused")

    def require(_response: t.Any, start: bytes) -> None:
        if start.startswith(b"{"):
            raise refusal

    with pytest.raises(UnexpectedAnswerError) as caught:
        fetch.run(FakeServer(b'{"failures": ["no"]}', tag=""), proven(2_000_000), require=require)
    assert caught.value is refusal
    assert fetch.content == SQL[:2_000_000]


def test_an_archive_is_no_sql(fetch: Fetch) -> None:
    with pytest.raises(DamagedError, match="zip"):
        fetch.run(FakeServer(ZIP), kind="sql")


def test_packed_on_the_way(fetch: Fetch) -> None:
    with pytest.raises(UnexpectedAnswerError, match="packed as gzip"):
        fetch.run(FakeServer(SQL, headers={"Content-Encoding": "gzip"}))


def test_less_than_announced(fetch: Fetch) -> None:
    server = FakeServer(SQL, headers={"Content-Length": str(len(SQL) + 1)})
    with pytest.raises(AnswerLostError, match="of the"):
        fetch.run(server)


def test_more_than_announced(fetch: Fetch) -> None:
    server = FakeServer(SQL, headers={"Content-Length": str(len(SQL) - 1)})
    with pytest.raises(UnexpectedAnswerError, match="more than"):
        fetch.run(server)
    assert fetch.content == b""


def test_an_untold_length_is_passed_on(fetch: Fetch) -> None:
    server = FakeServer(SQL, MEBIBYTE)
    server.length_stated = False
    moved = fetch.run(server)
    assert not moved.length_known
    assert fetch.content == SQL
    assert [offset for offset, _entity in server.asked] == [0, 0]
    assert fetch.kept == []


@pytest.mark.parametrize(("coding", "known"), (("chunked", True), ("Chunked", True), ("identity", False), ("", False)))
def test_chunks_tell_where_the_end_is(fetch: Fetch, coding: str, known: bool) -> None:
    server = FakeServer(SQL, headers={"Transfer-Encoding": coding} if coding else {})
    server.length_stated = False
    moved = fetch.run(server)
    assert (moved.length_known, moved.end_known) == (False, known)


def test_416_without_a_range(fetch: Fetch) -> None:
    server = FakeServer(SQL)
    server.open = lambda offset, end, entity: contextlib.nullcontext(FakeResponse(416, {}, b"", None))  # type: ignore
    with pytest.raises(UnexpectedAnswerError, match="416"):
        fetch.run(server)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https_ranges, "PIECE", MEBIBYTE)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("connections", (2, 4, 8))
@pytest.mark.parametrize("losses", ((), (None, 0, 0, 0), (300_000, 300_000), (None, None, 500_000)))
def test_several_connections_fetch_one_entity_once(
    fetch: Fetch, connections: int, losses: tuple[int | None, ...]
) -> None:
    server = FakeServer(SQL, *losses)
    server.headers["Accept-Ranges"] = "bytes"
    moved = fetch.run(server, connections=connections)
    assert fetch.content[: len(SQL)] == SQL
    assert (moved.size, moved.moved, moved.sha256) == (len(SQL), len(SQL), hashlib.sha256(SQL).hexdigest())
    assert 1 <= moved.connections <= connections
    assert {entity for _offset, entity in server.asked[1:]} <= {TAG}


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("tag", ("", 'W/"weak"'))
def test_ranges_without_an_entity_are_not_asked_for(fetch: Fetch, tag: str) -> None:
    server = FakeServer(SQL, tag=tag, headers={"Accept-Ranges": "bytes"})
    assert fetch.run(server, connections=4).connections == 1
    assert len(server.asked) == 1


@pytest.mark.usefixtures("small_pieces")
def test_a_server_that_does_not_serve_the_ranges_that_it_names(fetch: Fetch) -> None:
    server = FakeServer(SQL, ranges=False, headers={"Accept-Ranges": "bytes"})
    moved = fetch.run(server, connections=4)
    assert fetch.content == SQL
    assert moved.sha256 == hashlib.sha256(SQL).hexdigest()

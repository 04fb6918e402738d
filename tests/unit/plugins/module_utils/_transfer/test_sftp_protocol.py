# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol with many requests in flight, against a server that answers in any way that the protocol allows."""

from __future__ import annotations

import random
import struct
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp_protocol import (
    TO_READ,
    TO_WRITE,
    Entry,
    SftpBrokenError,
    SftpDeniedError,
    SftpError,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp_session import (
    IN_FLIGHT,
    LARGE_BLOCK,
    SAFE_BLOCK,
    SftpSession,
)
from ansible_collections.siteops.upgrades.tests.unit.fake_sftp import FakeChannel

CONTENT = random.Random(7).randbytes(3_000_000)


def blocks(session: SftpSession, content: bytes = CONTENT) -> t.Iterator[tuple[int, bytes]]:
    for offset in range(0, len(content), session.block):
        yield offset, content[offset : offset + session.block]


def written(session: SftpSession) -> bytes:
    """What the session says was written of CONTENT, in the order in which it says so."""
    told = session.write(session.open("f", TO_WRITE), blocks(session))
    return b"".join(CONTENT[offset : offset + length] for offset, length in told)


def read(session: SftpSession, *ranges: tuple[int, int] | None) -> bytes:
    """What the session reads of ranges, each block at its place."""
    here = bytearray()
    wanted = [place for piece in ranges if piece for place in range(*piece, session.block)]
    for place, block in session.read(session.open("f", TO_READ), ranges):
        assert place in wanted or session.block < LARGE_BLOCK
        here += block
    return bytes(here)


@pytest.mark.parametrize(
    ("announced", "block"), ((None, SAFE_BLOCK), (255 * 1024, LARGE_BLOCK), (2**30, LARGE_BLOCK), (100_000, 100_000))
)
def test_blocks_are_as_large_as_the_server_takes(announced: int | None, block: int) -> None:
    channel = FakeChannel({"f": bytearray()}, announced=announced)
    session = SftpSession(channel)
    assert written(session) == CONTENT
    assert channel.largest_request == session.block == pytest.approx(block, abs=1024)


@pytest.mark.parametrize("shuffle", (False, True))
def test_a_file_goes_up_and_comes_down(shuffle: bool) -> None:
    channel = FakeChannel({"f": bytearray()}, shuffle=shuffle)
    session = SftpSession(channel)
    assert written(session) == CONTENT
    assert channel.files["f"] == CONTENT
    assert session.stat("f").size == len(CONTENT)
    handle = session.open("f", TO_READ)
    session.close(handle)
    assert read(session, (0, len(CONTENT))) == CONTENT
    assert read(session, (1_234_567, len(CONTENT))) == CONTENT[1_234_567:]
    assert read(session, (len(CONTENT), len(CONTENT))) == b""
    assert read(session, (2_000_000, 2_500_000), None, (5, 9), None) == CONTENT[2_000_000:2_500_000] + CONTENT[5:9]


def test_a_session_goes_on_after_a_transfer_was_given_up() -> None:
    channel = FakeChannel({"f": bytearray(CONTENT)}, shuffle=True, status_of_write=4)
    session = SftpSession(channel)
    handle = session.open("f", TO_WRITE)
    with pytest.raises(SftpError, match="No space left"):
        list(session.write(handle, blocks(session)))
    session.close(handle)
    assert session.stat("f").size == len(CONTENT)
    next(iter(session.read(session.open("f", TO_READ), [(0, len(CONTENT))])))
    assert read(session, (0, len(CONTENT))) == CONTENT


@pytest.mark.parametrize("shuffle", (False, True))
@pytest.mark.parametrize("limit", (4096, 32_000, 100_001))
def test_short_answers_are_made_up_for(limit: int, shuffle: bool) -> None:
    session = SftpSession(FakeChannel({"f": bytearray(CONTENT)}, limit=limit, shuffle=shuffle))
    assert read(session, (0, len(CONTENT))) == CONTENT
    assert session.block <= limit


@pytest.mark.parametrize("shuffle", (False, True))
def test_what_was_confirmed_before_a_break_is_reported(shuffle: bool) -> None:
    channel = FakeChannel({"f": bytearray()}, shuffle=shuffle, break_after=1_500_000)
    session = SftpSession(channel)
    confirmed = bytearray()
    with pytest.raises(SftpBrokenError, match="Connection reset by peer"):
        for offset, length in session.write(session.open("f", TO_WRITE), blocks(session)):
            confirmed += CONTENT[offset : offset + length]
    assert len(confirmed) >= 1_500_000
    assert CONTENT.startswith(bytes(confirmed))
    assert channel.files["f"].startswith(bytes(confirmed))


def test_what_was_read_before_a_break_is_reported() -> None:
    content = CONTENT * 10
    session = SftpSession(FakeChannel({"f": bytearray(content)}, break_after=IN_FLIGHT + 2**20))
    here = bytearray()
    with pytest.raises(SftpBrokenError):
        for _place, block in session.read(session.open("f", TO_READ), [(0, len(content))]):
            here += block
    assert len(here) >= 2**20
    assert content.startswith(bytes(here))


def test_a_server_that_stops_answering() -> None:
    channel = FakeChannel({"f": bytearray(10)})
    session = SftpSession(channel)
    channel.send = len  # type: ignore[assignment,method-assign]
    with pytest.raises(SftpBrokenError, match="stopped answering"):
        session.stat("f")


def test_a_refused_block_names_the_servers_words() -> None:
    session = SftpSession(FakeChannel({"f": bytearray()}, status_of_write=4))
    with pytest.raises(SftpError, match="No space left on device") as caught:
        list(session.write(session.open("f", TO_WRITE), blocks(session)))
    assert not isinstance(caught.value, SftpBrokenError)


def test_a_file_that_ends_too_soon() -> None:
    session = SftpSession(FakeChannel({"f": bytearray(CONTENT)}))
    with pytest.raises(SftpError, match="did not give the file"):
        list(session.read(session.open("f", TO_READ), [(0, len(CONTENT) + 1)]))


def test_files_are_listed_and_refused() -> None:
    session = SftpSession(FakeChannel({"a": bytearray(5), "b": bytearray()}, mtime=7))
    assert session.entries() == [Entry("a", 5, 7), Entry("b", 0, 7)]
    with pytest.raises(SftpError, match="No such file"):
        session.open("c", TO_READ)
    with pytest.raises(SftpDeniedError, match="permission denied"):
        session.stat("c")


class Babble:
    """A channel that says the same bytes to everything."""

    def __init__(self, said: bytes) -> None:
        self.said = said

    def send(self, data: bytes) -> int:
        """Whatever it is, it does not matter."""
        return len(data)

    def flush(self) -> None:
        """Nothing was held back."""

    def recv(self, size: int) -> bytes:
        taken, self.said = self.said[:size], self.said[size:]
        return taken

    def recv_ready(self) -> bool:
        return bool(self.said)


@pytest.mark.parametrize(
    "said",
    (
        b"",
        b"This account is not available.\r\n",
        struct.pack(">I", 0),
        struct.pack(">IB", 2**31, 2),
        struct.pack(">IB", 1, 101),
        struct.pack(">IBI", 9, 2, 3) + struct.pack(">I", 99),
    ),
)
def test_what_is_no_sftp_server(said: bytes) -> None:
    with pytest.raises(SftpError):
        SftpSession(Babble(said))


@pytest.mark.parametrize("kind", (0, 101, 102, 103, 104, 105, 200))
@pytest.mark.parametrize(
    "body", (b"", b"\0", b"\0\0\0\1", b"\0\0\0\1\xff\xff\xff\xff", b"\0\0\0\1\0\0\0\4\0\0\0\0\xff")
)
def test_answers_that_make_no_sense(kind: int, body: bytes) -> None:
    version = struct.pack(">IBI", 5, 2, 3)
    answer = struct.pack(">IB", 1 + len(body), kind) + body
    calls: tuple[t.Callable[[SftpSession], t.Any], ...] = (
        lambda session: session.stat("f").size or _fail(),
        lambda session: session.entries() or _fail(),
        _close_in_vain,
        lambda session: list(session.write(b"h", [(0, b"x")])),
        lambda session: list(session.read(b"h", [(0, 10)])),
    )
    for call in calls:
        with pytest.raises(SftpError):
            call(SftpSession(Babble(version + answer)))


def _close_in_vain(session: SftpSession) -> None:
    session.close(b"h")
    _fail()


def _fail() -> t.NoReturn:
    raise SftpError("told nothing")

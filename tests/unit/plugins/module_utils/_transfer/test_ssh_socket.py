# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is held back goes out in order, and never too late."""

from __future__ import annotations

import socket
import threading
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_socket import (
    MOST_HELD,
    BundledChannel,
    BundledSocket,
    SilentPeerError,
)

SILENCE = 5.0


@pytest.fixture
def pair() -> t.Iterator[tuple[BundledSocket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(0.01)
        there.settimeout(SILENCE)
        yield BundledSocket(here, SILENCE), there


def arrived(there: socket.socket) -> bytes:
    """All that has come so far."""
    there.setblocking(False)
    try:
        return there.recv(2**20)
    except BlockingIOError:
        return b""


def test_what_is_not_held_goes_out_at_once(pair: tuple[BundledSocket, socket.socket]) -> None:
    one, there = pair
    assert one.send(b"abc") == 3
    assert arrived(there) == b"abc"


def test_what_is_held_goes_out_when_it_is_flushed(pair: tuple[BundledSocket, socket.socket]) -> None:
    one, there = pair
    with one.held():
        one.send(b"abc")
    with one.held():
        one.send(b"def")
    assert arrived(there) == b""
    one.flush()
    assert arrived(there) == b"abcdef"


def test_another_thread_sends_at_once_behind_what_is_held(pair: tuple[BundledSocket, socket.socket]) -> None:
    one, there = pair
    with one.held():
        one.send(b"abc")
        other = threading.Thread(target=one.send, args=(b"def",))
        other.start()
        other.join()
        assert arrived(there) == b"abcdef"
        one.send(b"ghi")
    assert arrived(there) == b""


def test_no_more_is_held_than_memory_allows(pair: tuple[BundledSocket, socket.socket]) -> None:
    one, there = pair
    read: list[int] = []

    def reader() -> None:
        while sum(read) < MOST_HELD:
            read.append(len(there.recv(2**20)))

    other = threading.Thread(target=reader)
    other.start()
    with one.held():
        for _packet in range(MOST_HELD // 2**15):
            one.send(b"x" * 2**15)
        other.join(SILENCE)
    assert sum(read) == MOST_HELD


def test_a_peer_that_takes_nothing_is_given_up() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(0.01)
        one = BundledSocket(here, 0.1)
        with pytest.raises(SilentPeerError):
            one.send(b"x" * 2**24)


def test_the_rest_is_as_the_socket_has_it(pair: tuple[BundledSocket, socket.socket]) -> None:
    one, there = pair
    there.sendall(b"abc")
    assert one.recv(3) == b"abc"
    assert one.gettimeout() == 0.01
    one.close()
    assert there.recv(1) == b""


class NarrowChannel:
    """A channel that takes so much, and more only when the other side has got what was sent before."""

    def __init__(self, connection: BundledSocket, there: socket.socket, room: int) -> None:
        self._connection = connection
        self._there = there
        self._room = room
        self._left = room

    def send_ready(self) -> bool:
        return self._left > 0

    def send(self, data: bytes) -> int:
        if not self._left:
            # Raises after a while where it was held back.
            self._left = len(self._there.recv(self._room))
        taken = data[: self._left]
        self._connection.send(taken)
        self._left -= len(taken)
        return len(taken)

    def recv(self, size: int) -> bytes:
        return b"answer"[:size]

    def recv_ready(self) -> bool:
        return True


def test_nothing_is_held_back_while_the_channel_waits_for_room(pair: tuple[BundledSocket, socket.socket]) -> None:
    one, there = pair
    channel = BundledChannel(NarrowChannel(one, there, 4), one)
    assert [channel.send(b"abcd"), channel.send(b"efgh"), channel.send(b"ijkl")] == [4, 4, 4]
    channel.flush()
    assert arrived(there) == b"ijkl"
    assert (channel.recv(3), channel.recv_ready()) == (b"ans", True)

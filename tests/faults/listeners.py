# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are none: a port that is closed, one that speaks no TLS, bad certificates, and a host to be sent to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody else gets and that refuses every connection."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        yield int(taken.getsockname()[1])


class Listener:
    """A server that writes down what it is sent, and closes; a context manager.

    :param certificate: a file with key and certificate to speak TLS with.
    :param reply: what it says to the first bytes; nothing where it is empty.
    :param answers: whether it ever accepts; if not, whoever connects waits in vain.
    """

    def __init__(self, certificate: Path | None = None, reply: bytes = b"", *, answers: bool = True) -> None:
        self.received: list[bytes] = []
        self._reply = reply
        self._answers = answers
        self._socket = socket.create_server((LOOPBACK, 0))
        self._tls: ssl.SSLContext | None = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> Listener:
        if self._answers:
            threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._socket.accept()
                with contextlib.suppress(OSError), connection:
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        stream = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
        first = stream.recv(65536)
        if first:
            self.received.append(first)
            stream.sendall(self._reply)
        if self._tls:
            stream.close()

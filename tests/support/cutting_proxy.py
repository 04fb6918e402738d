# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reverse proxy that forwards a call to a real server and then spoils, or never gives, the answer."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_HEADERS = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "host"))
HTML = b"<html><body><h1>The proxy has something to say</h1></body></html>"

Spoil = Callable[["_Handler", int, list[tuple[str, str]], bytes], None]


class CuttingProxy:
    """A proxy on a free port of 127.0.0.1 in front of ``upstream``; use it as a context manager.

    ``spoil`` maps a method to what happens to answers of its calls; other methods pass unharmed. The call itself has
    always reached the server, and was answered by it or given up on after ``patience`` seconds.
    """

    def __init__(self, upstream: str, *, patience: float = 60.0, **spoil: Spoil) -> None:
        self.upstream = urlsplit(upstream)
        self.patience = patience
        self.spoil = spoil
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.proxy = self  # type: ignore[attr-defined]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{self.upstream.path}"

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        proxy: CuttingProxy = self.server.proxy  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        spoil = proxy.spoil.get(self.command, pass_on)
        try:
            status, headers, answer = self._forward(proxy, body)
        except TimeoutError:
            status, headers, answer = 504, [("Content-Type", "text/html")], HTML
        spoil(self, status, headers, answer)

    def _forward(self, proxy: CuttingProxy, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = http.client.HTTPConnection(str(proxy.upstream.hostname), proxy.upstream.port, timeout=proxy.patience)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_HEADERS}
        try:
            upstream.request(self.command, self.path, body or None, headers)
            answer = upstream.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_HEADERS]
            return answer.status, kept, answer.read()
        finally:
            upstream.close()

    def give(self, status: int, headers: list[tuple[str, str]], body: bytes, announced: int | None = None) -> None:
        """Send an answer; ``announced`` is a Content-Length that need not be true."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
        """Write nothing: a test's output is for its failures."""


def pass_on(handler: _Handler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """The answer as it came."""
    handler.give(status, headers, body)


def html(status: int) -> Spoil:
    """A page of the proxy's own in place of the answer."""

    def spoil(handler: _Handler, _status: int, _headers: list[tuple[str, str]], _body: bytes) -> None:
        handler.give(status, [("Content-Type", "text/html")], HTML)

    return spoil


def reset(handler: _Handler, _status: int, _headers: list[tuple[str, str]], _body: bytes) -> None:
    """The connection reset by the proxy, without a byte of the answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def truncate(handler: _Handler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """Half of the answer, which announced the whole."""
    handler.give(status, headers, body[: len(body) // 2], announced=len(body))
    handler.close_connection = True


def empty(handler: _Handler, status: int, _headers: list[tuple[str, str]], _body: bytes) -> None:
    """The status without a body."""
    handler.give(status, [], b"")

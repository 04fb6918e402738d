# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reverse proxy that spoils the answers of a real server, answers in its place, or never answers."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_HEADERS = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "host"))
HTML = b"<html><body><h1>The proxy has something to say</h1></body></html>"
LONG_PAUSE = 3600
"""Seconds, and bytes at one a second, that outlast any client of a test."""

Spoil = Callable[["_Handler", int, list[tuple[str, str]], bytes], None]


@dataclass
class Rule:
    """What happens to calls of one method whose path ends so (a pattern), as often as ``times`` says.

    ``acts`` is whether such a call reaches the server first; if not, the answer that is spoiled is empty.
    """

    method: str
    path: str
    spoil: Spoil
    acts: bool = True
    times: int = 1_000_000

    def due(self, method: str, path: str) -> bool:
        """Whether this call is one of them; counts it."""
        if not self.times or method != self.method or not re.search(f"{self.path}$", path.partition("?")[0]):
            return False
        self.times -= 1
        return True


class CuttingProxy:
    """A proxy on a free port of 127.0.0.1 in front of ``upstream``; use it as a context manager.

    The first of ``rules`` that is due says what happens to a call. For the others ``spoil`` maps a method to what
    happens to answers of its calls; other methods pass unharmed. Such a call has always reached the server, and was
    answered by it or given up on after ``patience`` seconds. ``arrived`` is what came, as method and path.
    """

    def __init__(self, upstream: str, *rules: Rule, patience: float = 60.0, **spoil: Spoil) -> None:
        self.upstream = urlsplit(upstream)
        self.patience = patience
        self.rules = rules
        self.spoil = spoil
        self.arrived: list[tuple[str, str]] = []
        self.stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.proxy = self  # type: ignore[attr-defined]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{self.upstream.path}"

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stopping.set()
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
        proxy.arrived.append((self.command, self.path))
        rule = next((rule for rule in proxy.rules if rule.due(self.command, self.path)), None)
        spoil = rule.spoil if rule else proxy.spoil.get(self.command, pass_on)
        status, answer = 200, b""
        headers: list[tuple[str, str]] = []
        if not rule or rule.acts:
            try:
                status, headers, answer = self._forward(proxy, body)
            except TimeoutError:
                status, headers, answer = 504, [("Content-Type", "text/html")], HTML
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            spoil(self, status, headers, answer)

    @property
    def stopping(self) -> threading.Event:
        """Set when the proxy stops."""
        proxy: CuttingProxy = self.server.proxy  # type: ignore[attr-defined]
        return proxy.stopping

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
        self.send_answer_head(status, headers, len(body) if announced is None else announced)
        self.wfile.write(body)
        self.wfile.flush()

    def send_answer_head(self, status: int, headers: list[tuple[str, str]], length: int) -> None:
        """Send everything of an answer but its body."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
        """Write nothing: a test's output is for its failures."""


def pass_on(handler: _Handler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """The answer as it came."""
    handler.give(status, headers, body)


def html(status: int, **headers: str) -> Spoil:
    """A page of the proxy's own in place of the answer; headers by name, with ``_`` for ``-``."""
    return instead(status, "text/html", HTML, **headers)


def instead(status: int, media_type: str, body: bytes, **headers: str) -> Spoil:
    """This in place of the answer; headers by name, with ``_`` for ``-``."""
    given = [("Content-Type", media_type), *((name.replace("_", "-"), value) for name, value in headers.items())]

    def spoil(handler: _Handler, _status: int, _headers: list[tuple[str, str]], _body: bytes) -> None:
        handler.give(status, given, body)

    return spoil


def redirect(location: str) -> Spoil:
    """A redirection; without a location to the same address again."""

    def spoil(handler: _Handler, _status: int, _headers: list[tuple[str, str]], _body: bytes) -> None:
        handler.give(302, [("Location", location or handler.path)], b"")

    return spoil


def never_answer(handler: _Handler, _status: int, _headers: list[tuple[str, str]], _body: bytes) -> None:
    """No answer as long as the proxy is there."""
    handler.stopping.wait(LONG_PAUSE)
    handler.close_connection = True


def drip(handler: _Handler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """The answer at one byte a second, preceded by so much white space that nobody sees the end."""
    handler.send_answer_head(200 if status == 204 else status, headers, LONG_PAUSE + len(body))
    handler.close_connection = True
    for _byte in range(LONG_PAUSE):
        handler.wfile.write(b" ")
        if handler.stopping.wait(1.0):
            return


def announce(difference: int) -> Spoil:
    """The answer with a Content-Length that is wrong by so many bytes."""

    def spoil(handler: _Handler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        content = body or b"{}"
        handler.give(200 if status == 204 else status, headers, content, announced=len(content) + difference)
        handler.close_connection = True

    return spoil


def pad(size: int) -> Spoil:
    """The answer, or an empty JSON object where it has no body, followed by so many bytes of white space."""

    def spoil(handler: _Handler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        handler.give(200 if status == 204 else status, headers, (body or b"{}") + b" " * size)

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

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small real HTTP server in a thread, that answers as a test tells it to and remembers what it was asked."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import json
import re
import socket
import ssl
import struct
import threading
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path

DRIP_SECONDS = 0.02


UNCACHED = re.compile("[?&]_=([0-9a-f]+)")
"""What a read of Plone has in its query, another value each time."""


class Seen(t.NamedTuple):
    """One request that arrived; header names in lower case. ``mark`` is what stood in the query against caches."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    mark: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    """What a reply is given to write with."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        """Read any request, remember it, and give the reply that is next."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        local = self.server.local
        mark = UNCACHED.search(self.path)
        self.path = UNCACHED.sub("", self.path)
        local.seen.append(Seen(self.command, self.path, headers, body, mark.group(1) if mark else ""))
        local.next_reply()(self)

    def give(self, status: int, headers: t.Mapping[str, str], body: bytes) -> None:
        """A whole answer; a Content-Length among the headers need not be true."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, parts: t.Iterable[bytes]) -> None:
        """Write part after part with pauses, until the client or the server is gone."""
        self.close_connection = True
        for part in parts:
            if self.server.local.stopping.wait(DRIP_SECONDS):
                return
            self.wfile.write(part)
            self.wfile.flush()

    def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002 - the name is http.server's
        """Write nothing."""


Reply = t.Callable[[Handler], None]


class LocalServer:
    """A server on a free port of 127.0.0.1, as a context manager.

    :param replies: given in this order, one for each request; the last one is given for ever.
    :param tls: a file with a key and a certificate, for https; or what the server agrees to beside these.
    """

    def __init__(self, *replies: Reply, tls: Path | ssl.SSLContext | None = None) -> None:
        self._replies = list(replies)
        self._server = _Server(self, tls)
        self.scheme = "https" if tls else "http"
        self.seen: list[Seen] = []
        self.stopping = threading.Event()

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Without a trailing slash."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[str]:
        """Method and path of what arrived, in order."""
        return [f"{request.method} {request.path}" for request in self.seen]

    def next_reply(self) -> Reply:
        """The reply whose turn it is."""
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def __enter__(self) -> LocalServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, local: LocalServer, tls: Path | ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.local = local
        if tls:
            context = tls if isinstance(tls, ssl.SSLContext) else with_certificate(tls)
            # The handshake belongs to the request's own thread: one that fails must not end the server.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Write nothing: clients that go away are what is tested."""


def with_certificate(file: Path) -> ssl.SSLContext:
    """What a server agrees to by default, with a key and a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def answer(body: bytes = b"", status: int = 200, **headers: str) -> Reply:
    """A whole answer; underscores in the names of headers stand for hyphens."""
    return lambda handler: handler.give(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


def document(value: t.Any, status: int = 200) -> Reply:
    """A JSON document."""
    return answer(json.dumps(value).encode(), status, Content_Type="application/json")


def page(status: int = 200) -> Reply:
    """An HTML page."""
    return answer(b"<!doctype html><html><body>Hello</body></html>", status, Content_Type="text/html; charset=utf-8")


def redirect(to: str, status: int = 302) -> Reply:
    """A redirect."""
    return answer(status=status, Location=to)


def raw(content: bytes) -> Reply:
    """These bytes, whatever they are, and the end of the connection."""

    def reply(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(content)

    return reply


def reset(handler: Handler) -> None:
    """The connection reset, without a byte of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def silence(handler: Handler) -> None:
    """Nothing, until the test is over."""
    handler.server.local.stopping.wait()
    handler.close_connection = True


def dripping_body(handler: Handler) -> None:
    """A body without an end, byte by byte."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.drip(iter(lambda: b" ", b""))


def dripping_headers(handler: Handler) -> None:
    """A header without an end, byte by byte."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    handler.drip(iter(lambda: b"x", b""))


def routed(**replies: Reply | t.Mapping[str, Reply]) -> Reply:
    """Replies by method and path, such as ``GET={"/@system": document({})}``; everything else is 404 with JSON."""
    nothing = document({"message": "Resource not found", "type": "NotFound"}, 404)

    def reply(handler: Handler) -> None:
        for_method = replies.get(handler.command, nothing)
        chosen = for_method if callable(for_method) else for_method.get(handler.path, nothing)
        chosen(handler)

    return reply


def in_turn(*replies: Reply) -> Reply:
    """One reply after the other, the last one for ever; for a route of its own."""
    following = itertools.chain(replies, itertools.repeat(replies[-1]))

    def reply(handler: Handler) -> None:
        next(following)(handler)

    return reply


@contextlib.contextmanager
def closed_port() -> t.Iterator[int]:
    """A port of 127.0.0.1 on which nobody listens, and nobody can for the time being."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])

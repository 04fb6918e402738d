# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP/1.1 on 127.0.0.1, with or without TLS: reads exchanges, brings answers, one thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.platform.application import CONTROL_PREFIX, Application
from support.platform.call_log import CallLog, CallRecord
from support.platform.certificates import LOOPBACK
from support.platform.dumps import BLOCK
from support.platform.exchange import Answer, Body, Dropped, Exchange
from support.platform.pace import Pace, shorten_buffers

_IDLE_SECONDS = 60
_LINGER_SECONDS = 5
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class HttpServer(ThreadingHTTPServer):
    """The listening socket. `tls_chain` is a PEM file with key and certificate, None for plain HTTP."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, port: int, tls_chain: Path | None, application: Application, log: CallLog) -> None:
        self.application = application
        self.log = log
        self.stopping = threading.Event()
        self._tls: ssl.SSLContext | None = None
        if tls_chain:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(tls_chain)
        self._open: set[socket.socket] = set()
        super().__init__((LOOPBACK, port), _Handler)

    @property
    def origin(self) -> str:
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.server_port}"

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.application.settings.bytes_per_second:
            shorten_buffers(connection)
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are what this server is for; nothing to print."""

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="http", daemon=True).start()

    def stop(self) -> None:
        """Stop listening, wake up whoever waits on purpose, end all connections."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    rbufsize = BLOCK
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._pace = Pace(self.server.application.settings)
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()

    def do_GET(self) -> None:
        path, _mark, query = self.path.partition("?")
        control = path == CONTROL_PREFIX or path.startswith(f"{CONTROL_PREFIX}/")
        if control:
            record = CallRecord(0, "control", self.command, "")
        else:
            record = self.server.log.begin(self.server.application.call_name(path), self.command)
        record.range = self.headers.get("Range")
        try:
            self._answer(Exchange(self.command, path, query, self.headers, self._body(record), record), control)
        except (Dropped, OSError):
            self._reset()
        finally:
            if not control:
                self.server.log.finish(record)

    do_POST = do_HEAD = do_PUT = do_DELETE = do_GET

    def handle_expect_100(self) -> bool:
        """Say "continue" only when the body is wanted, see Body."""
        return True

    def version_string(self) -> str:
        return "rehearsal-platform"

    def log_message(self, *_arguments: Any) -> None:
        """The call log does this, without keys."""

    def _body(self, record: CallRecord) -> Body:
        length = self.headers.get("Content-Length", "0")
        expects = self.headers.get("Expect", "").lower() == "100-continue"
        announce = self._go_on if expects else None
        return Body(self.rfile, int(length) if length.isdecimal() else 0, record, announce, self._pace, self._wait)

    def _wait(self, seconds: float) -> bool:
        """Wait; true when the server stops meanwhile."""
        return seconds > 0 and self.server.stopping.wait(seconds)

    def _go_on(self) -> None:
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer(self, exchange: Exchange, control: bool) -> None:
        application = self.server.application
        length_is_missing = exchange.method == "POST" and "Content-Length" not in self.headers
        if "Transfer-Encoding" in self.headers or (length_is_missing and exchange.record.call == "upload"):
            self._send(Answer.of_html("411 Length Required", 411), exchange, close=True)
            self._linger()
            return
        answer = application.control(exchange) if control else application.answer(exchange)
        if exchange.record.call.startswith("upgraded/"):
            self._wait(self.server.application.settings.distance_seconds)
        if answer.hang_seconds:
            self.server.stopping.wait(answer.hang_seconds)
        if answer.drop:
            raise Dropped
        held_back = exchange.body.awaits_announcement
        if not held_back:
            exchange.body.discard()
        self._send(answer, exchange, close=held_back)

    def _send(self, answer: Answer, exchange: Exchange, close: bool = False) -> None:
        declared = answer.body_length if answer.declared_length is None else answer.declared_length
        exchange.record.status = answer.status
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(declared))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if close or declared != answer.body_length or answer.end_after is not None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if exchange.method == "HEAD":
            return
        for block in self._blocks(answer):
            self.connection.sendall(block)
            exchange.record.sent += len(block)
            if self._wait(answer.seconds_per_byte or self._pace.delay(len(block))):
                raise Dropped
        if answer.cut_after is not None:
            raise Dropped

    def _blocks(self, answer: Answer) -> Iterator[bytes]:
        limits = [limit for limit in (answer.cut_after, answer.end_after) if limit is not None]
        left = min([answer.body_length, *limits])
        size = 1 if answer.seconds_per_byte else self._pace.block(BLOCK)
        if isinstance(answer.content, bytes):
            content = answer.content[answer.offset : answer.offset + left]
            yield from (content[start : start + size] for start in range(0, len(content), size))
            return
        with answer.content.open("rb") as file:
            file.seek(answer.offset)
            while left and (block := file.read(min(left, size))):
                left -= len(block)
                yield block

    def _reset(self) -> None:
        """Let the close of this connection be a reset, the way a dying server or a dropped line looks."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            # An SSLSocket's own shutdown would say good-bye first.
            self.server.close_request(self.request)

    def _linger(self) -> None:
        """Swallow what the client is still sending, or its system might throw the answer away."""
        self.connection.settimeout(_LINGER_SECONDS)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self.connection.recv(BLOCK):
                pass

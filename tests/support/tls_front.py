# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS in front of a server of the tests that speaks plain HTTP."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from pathlib import Path


class TlsFront:
    """Takes TLS connections on a free port of 127.0.0.1 and passes their bytes on to ``port``; a context manager.

    ``chain`` is a file with a private key and its certificate. With ``clients``, a file with an authority, only clients
    with a certificate of it get through. ``received`` is all that clients sent.
    """

    def __init__(self, chain: Path, port: int, clients: Path | None = None) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        self.received = received = bytearray()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                # A client that does not trust the certificate ends the handshake, and killed ones their connections.
                with (
                    contextlib.suppress(OSError),
                    context.wrap_socket(self.request, server_side=True) as client,
                    socket.create_connection(("127.0.0.1", port)) as upstream,
                ):
                    back = threading.Thread(target=_pass_on, args=(upstream, client), daemon=True)
                    back.start()
                    _pass_on(client, upstream, received)
                    back.join()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> TlsFront:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pass_on(source: socket.socket, target: socket.socket, kept: bytearray | None = None) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            if kept is not None:
                kept += chunk
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)

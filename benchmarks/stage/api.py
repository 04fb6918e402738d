# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of the database API that a transfer asks for, behind nginx.

    api.py <port> <base URL> <host> <ssh port> <user>

A request whose id is `draft` takes a dump, any other is done; the result of `<name>` is the served file `<name>`.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PORT, BASE, HOST, SSH_PORT, USER = sys.argv[1:]
SHARED = "shared.sql"


class Handler(BaseHTTPRequestHandler):
    """Every call is a POST; id and key come in the query or in a form."""

    def do_POST(self) -> None:  # noqa: N802 - the name is the library's
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        values = {**parse_qs(body.decode("utf-8", "replace")), **parse_qs(parts.query)}
        content = json.dumps(answer(parts.path.rpartition("/")[2], values.get("request", ["draft"])[0])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def answer(call: str, request: str) -> dict[str, Any]:
    if call == "status":
        document = {"id": request, "key": "benchmark", "state": "draft" if request == "draft" else "done"}
        document |= {"filename": SHARED, "upgraded_dump_url": f"{BASE}/files/{request}"}
        return {"request": document}
    if call == "request_sftp_access":
        access = {"hostname": HOST, "sftp_port": int(SSH_PORT), "sftp_user": USER, "shared_file": SHARED}
        return {"request": {**access, "sample_command": ""}, "failures": []}
    return {"failures": []}


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler).serve_forever()

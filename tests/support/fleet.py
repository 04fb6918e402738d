# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of sites that answer as Plone does where one upgrade goes well, for what only numbers show."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OLD, NEW = "6018", "6205"
REPORT = "\n".join(
    [
        f"Starting the migration from version: {OLD}",
        "Ran upgrade step: Update the registry",
        "End of upgrade path, main migration has finished.",
        "Your Plone instance is now up-to-date.",
    ]
)


class Fleet:
    """``sites`` sites below one address on 127.0.0.1; a context manager. ``posts`` counts the upgrades of each site."""

    def __init__(self, sites: int) -> None:
        self.versions = {f"site{number:03d}": OLD for number in range(sites)}
        self.posts = dict.fromkeys(self.versions, 0)
        fleet = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fleet.answer(self, {})

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                fleet.answer(self, json.loads(self.rfile.read(length)))

            def log_message(self, *arguments: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Fleet:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        """Answer one request."""
        site, _slash, service = handler.path.strip("/").partition("/")
        status, document = 200, self._documents(site, service, handler.command, body)
        if document is None:
            status, document = 404, {"type": "NotFound", "message": handler.path}
        payload = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(payload)))
        handler.end_headers()
        handler.wfile.write(payload)

    def _documents(self, site: str, service: str, method: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if site == "@sites":
            sites = [
                {"@id": f"{self.url}/{name}", "id": name, "title": name, "needs_upgrade": version != NEW}
                for name, version in self.versions.items()
            ]
            return {"@id": f"{self.url}/@sites", "sites": sites}
        if site not in self.versions:
            return None
        if service == "@upgrade" and method == "POST" and not body["dry_run"]:
            self.posts[site] += 1
            self.versions[site] = NEW
        versions = {"instance": self.versions[site], "fs": NEW}
        if service == "@upgrade":
            steps = (
                {f"{OLD}-{NEW}": [{"id": "1", "title": "Update the registry"}]} if versions["instance"] == OLD else {}
            )
            own = {"report": REPORT, "dry_run": body["dry_run"]} if method == "POST" else {"upgrade_steps": steps}
            return {"@id": f"{self.url}/{site}/@upgrade", "versions": versions, **own}
        if service == "@system":
            return {
                "@id": f"{self.url}/{site}/@system",
                "plone_version": "6.2.2",
                "plone_restapi_version": "10.0.1",
                "python_version": "3.12",
                "plone_gs_metadata_version_installed": versions["instance"],
                "plone_gs_metadata_version_file_system": NEW,
            }
        return None

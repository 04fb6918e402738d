# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API on 127.0.0.1, with a log of everything that was written to it."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from support.controller.api import Api
from support.controller.resources import RESOURCES, SURVEYED
from support.controller.store import ROOT, Refusal, page
from support.controller.users import User

TOKEN = "controller-token-of-the-tests"
ORGANIZATION_TOKEN = "token-of-an-administrator-of-an-organization"
READING_TOKEN = "token-that-may-only-read"
PATH = re.compile(rf"{ROOT}(?P<endpoint>\w+)/((?P<id>\d+)/((?P<sub>\w+)/)?)?")

BEHIND_GATEWAY = "/api/controller/v2/"
SPECIAL = ("config", "ping", "me", "project_updates", "roles")


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed cuts its connections, which is nothing to report."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Write(NamedTuple):
    """A request other than a GET, and the status that it was answered with."""

    method: str
    path: str
    body: Any
    status: int


class Controller:
    """Use it as a context manager; ``api`` holds the objects.

    ``project`` is the folder that a sync of every project fetches; the first ``failing_syncs`` fail. What AWX brings
    along is there: the credential "Ansible Galaxy", the organization "Default" and an instance group. Whoever has
    ORGANIZATION_TOKEN administers ``organization``; READING_TOKEN is another one of that user, with the scope "read".
    With ``gateway`` the API is below /api/controller/ alone, as behind the gateway of newer controllers.
    """

    def __init__(
        self, project: Path, failing_syncs: int = 0, organization: str = "Site operations", *, gateway: bool = False
    ) -> None:
        self.api = Api(project, failing_syncs)
        self._gateway = gateway
        self._users = {
            TOKEN: User("admin", superuser=True),
            ORGANIZATION_TOKEN: User("operator", organization=organization),
            READING_TOKEN: User("operator", organization=organization, only_reads=True),
        }
        self._writes: list[Write] = []
        self._calls: list[str] = []
        self._lock = threading.Lock()
        self.api.seed("organizations", name="Default")
        self.api.seed("instance_groups", name="default")
        galaxy = self.api.seed(
            "credential_types", name="Ansible Galaxy/Automation Hub API Token", managed=True, inputs={}
        )
        self.api.seed("credentials", name="Ansible Galaxy", credential_type=galaxy["id"])
        controller = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                controller.serve(self)

            do_POST = do_PATCH = do_DELETE = do_GET

            def log_message(self, *arguments: object) -> None:
                """Keep quiet; there is a log of writes."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Controller:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the modules of awx.awx here."""
        return self.environment_with(TOKEN)

    def environment_with(self, token: str) -> dict[str, str]:
        """The same for the user of another token."""
        return {
            "CONTROLLER_HOST": self.url,
            "CONTROLLER_OAUTH_TOKEN": token,
            "CONTROLLER_VERIFY_SSL": "false",
            # The modules load the system's authorities for each request, over http too: a quarter of a run's time.
            "SSL_CERT_FILE": os.devnull,
        }

    @property
    def writes(self) -> list[Write]:
        with self._lock:
            return list(self._writes)

    @property
    def calls(self) -> list[str]:
        """Every request, as method and path, in order."""
        with self._lock:
            return list(self._calls)

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        length = int(handler.headers.get("Content-Length") or 0)
        content = handler.rfile.read(length)
        with self._lock:
            self._calls.append(f"{handler.command} {handler.path}")
            try:
                user = self._users.get(handler.headers.get("Authorization", "").removeprefix("Bearer "))
                if user is None:
                    raise Refusal(401, {"detail": "Authentication credentials were not provided."})
                body = json.loads(content) if content else {}
                status, answer = self._answer(user, handler.command, self._behind_gateway(handler.path), body)
            except Refusal as refused:
                status, answer = refused.status, refused.body
            if handler.command != "GET":
                self._writes.append(Write(handler.command, handler.path, json.loads(content or b"null"), status))
        payload = b"" if answer is None else json.dumps(answer).encode()
        if self._gateway:
            payload = payload.replace(f'"{ROOT}'.encode(), f'"{BEHIND_GATEWAY}'.encode())
        handler.send_response(status)
        handler.send_header("X-API-Product-Name", "AWX")
        handler.send_header("X-API-Product-Version", "24.6.1")
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(payload)))
        handler.end_headers()
        handler.wfile.write(payload)

    def _behind_gateway(self, path: str) -> str:
        """The path that the controller sees. Raises Refusal with 404 for one that the gateway does not know."""
        if not self._gateway or path == "/api/":
            return path
        if not path.startswith(BEHIND_GATEWAY):
            raise Refusal(404, {"detail": "Not found."})
        return path.replace(BEHIND_GATEWAY, ROOT, 1)

    def _answer(self, user: User, method: str, target: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(target)
        if parts.path == "/api/":
            behind = {"apis": {"gateway": "/api/gateway/", "controller": "/api/controller/"}}
            return 200, behind if self._gateway else {"available_versions": {"v2": ROOT}}
        found = PATH.fullmatch(parts.path)
        if not found:
            raise Refusal(404, {"detail": "Not found."})
        endpoint, number, sub = found["endpoint"], int(found["id"] or 0), found["sub"] or ""
        if method != "GET" and not user.may_write(method, endpoint):
            raise Refusal(403, {"detail": "You do not have permission to perform this action."})
        if endpoint in SPECIAL:
            return self._answer_special(user, method, endpoint, number, sub, body)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if endpoint in ("jobs", "workflow_jobs"):
            wanted = query.get("id__in", "").split(",")
            return 200, self.api.job(number) if number else page([self.api.job(int(each)) for each in wanted if each])
        if endpoint not in (*RESOURCES, "unified_job_templates"):
            raise Refusal(404, {"detail": "Not found."})
        if sub:
            return self._answer_sub(method, endpoint, number, sub, body, query)
        match method:
            case "GET" if number:
                return 200, self.api.one(endpoint, number)
            case "GET":
                passing = self.api.find(endpoint, query)["results"]
                return 200, page([item for item in passing if user.sees(endpoint, item)])
            case "POST" if not number:
                return 201, self.api.create(endpoint, body)
            case "PATCH" if number:
                return 200, self.api.change(endpoint, number, body)
            case "DELETE" if number:
                self.api.remove(endpoint, number)
                return 204, None
        raise Refusal(405, {"detail": f'Method "{method}" not allowed.'})

    def _answer_special(
        self, user: User, method: str, endpoint: str, number: int, sub: str, body: Any
    ) -> tuple[int, Any]:
        if endpoint == "me":
            return 200, page([{"username": user.name, "is_superuser": user.superuser}])
        if endpoint == "project_updates":
            return 200, self.api.syncs.shown(number)
        if endpoint == "roles" and method == "GET":
            return 200, page(self.api.holders(number, sub))
        if endpoint == "roles":
            self.api.grant(number, sub, body)
            return 204, None
        return 200, {"version": "24.6.1"}

    def _answer_sub(
        self, method: str, endpoint: str, number: int, sub: str, body: Any, query: dict[str, str]
    ) -> tuple[int, Any]:
        if sub in RESOURCES[endpoint].associations:
            if method == "GET":
                return 200, page(self.api.associated(endpoint, number, sub))
            self.api.associate(endpoint, number, sub, body)
            return 204, None
        if sub == "survey_spec" and endpoint in SURVEYED:
            if method == "GET":
                return 200, self.api.get_survey(endpoint, number)
            self.api.set_survey(endpoint, number, body)
            return 200, None
        if sub == "launch" and endpoint in SURVEYED and method == "POST":
            return 201, self.api.launch(endpoint, number, body)
        if endpoint == "projects" and (method, sub) == ("GET", "playbooks"):
            return 200, sorted(self.api.syncs.playbooks(number))
        if endpoint == "projects" and (method, sub) == ("POST", "update"):
            return 202, self.api.sync(number)
        if endpoint == "workflow_job_templates" and (method, sub) == ("GET", "workflow_nodes"):
            nodes = self.api.find("workflow_job_template_nodes", {"workflow_job_template": str(number), **query})
            return 200, nodes
        if sub == "create_approval_template" and endpoint == "workflow_job_template_nodes" and method == "POST":
            return 201, self.api.create_approval(number, body)
        raise Refusal(404, {"detail": "Not found."})

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls below upgrade/request/: JSON-RPC in, JSON-RPC out, and the log as plain text. No socket here."""

from __future__ import annotations

import json
import re
import sys
import traceback
import urllib.parse
from collections.abc import Callable
from typing import Any

from support.platform.exchange import Answer, BodyTooLarge, Dropped, Exchange
from support.upgrade_service import results
from support.upgrade_service.service_requests import (
    DONE,
    DOWNLOAD,
    NEW,
    UPLOAD,
    ServiceRequest,
    ServiceStore,
    known_hosts,
)

PREFIX = "/upgrade/request/"
FRONT, HOST = "front", "host"
AT_THE_FRONT = ("create", "status", "wipe")
_RANGE = re.compile(r"bytes=(\d+)-$")
_VARIABLE = re.compile(r"^\w+=")
AIMS = ("test", "production")

PARAMETERS = {
    "create": ("contract", "target", "aim", "actuator", "env_vars", "ssh_key", "api_version"),
    "transfer/start": ("token", "transfer_type"),
    "transfer/stop": ("token",),
    "process": ("token",),
    "status": ("token",),
    "wipe": ("contract", "token"),
}
"""What each call takes: exactly these, as Odoo's own routes refuse others."""


class Refused(Exception):
    """The platform says no, as `result.error`."""


class Failed(Exception):
    """The server raised an exception, as `error.data.message`."""


class Service:
    """Answers the calls.

    hosts:  gives the addresses of the hosts in charge, as clients are sent to them.
    """

    def __init__(self, store: ServiceStore, hosts: Callable[[], list[str]]) -> None:
        self.store = store
        self._settings = store.settings
        self._hosts = hosts
        self._calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "create": self._create,
            "transfer/start": self._start,
            "transfer/stop": self._stop,
            "process": self._process,
            "status": self._status,
            "wipe": self._wipe,
        }

    def call_name(self, path: str) -> str:
        """The name of a call: its path below /upgrade/, such as request/transfer/start; or unknown."""
        name = path.removeprefix(PREFIX)
        known = path.startswith(PREFIX) and (name in self._calls or name == "logs")
        return f"request/{name}" if known else "unknown"

    def act(self, exchange: Exchange, server: str) -> Answer:
        """Answer one call on the front or on a host in charge."""
        name = exchange.path.removeprefix(PREFIX)
        if name == "logs":
            return self._logs(exchange, server)
        if name not in self._calls:
            return Answer.of_html("404 Not Found", 404)
        if exchange.method != "POST":
            return Answer.of_html("405 Method Not Allowed", 405)
        if not exchange.headers.get("Content-Type", "").startswith("application/json"):
            return Answer.of_html("400 Bad Request", 400)
        number: Any = None
        try:
            document = json.loads(exchange.body.read())
            number = document["id"]
            parameters = document["params"]
            if document["jsonrpc"] != "2.0" or not isinstance(parameters, dict):
                raise ValueError("not JSON-RPC")
        except BodyTooLarge:
            return Answer.of_html("413 Content Too Large", 413)
        except (ValueError, KeyError, TypeError):
            return Answer.of_html("400 Bad Request", 400)
        exchange.record.form = f"POST json {server}"
        try:
            self._require_parameters(name, parameters)
            if (server == FRONT) != (name in AT_THE_FRONT) and name != "status":
                raise Refused(f"{name} does not belong to this host.")
            result = self._calls[name](parameters)
            request = self.store.find(parameters.get("token") or result.get("token", ""))
            exchange.record.request_id = request.id if request else None
            exchange.record.acted = True
            return self._answer(number, {"result": result})
        except Refused as refusal:
            exchange.record.failures = [str(refusal)]
            return self._answer(number, {"result": {"error": str(refusal)}})
        except Failed as failure:
            exchange.record.failures = [str(failure)]
            return self._answer(number, _exception("odoo.exceptions.UserError", str(failure)))
        except Dropped:
            raise
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            return self._answer(number, _exception(type(error).__name__, str(error)))

    def _answer(self, number: Any, content: dict[str, Any]) -> Answer:
        return Answer.of_json({"jsonrpc": "2.0", "id": number, **content})

    def _require_parameters(self, name: str, parameters: dict[str, Any]) -> None:
        expected = set(PARAMETERS[name])
        if set(parameters) != expected:
            other = ", ".join(sorted(expected ^ set(parameters)))
            raise Failed(f"{name}() got unexpected or misses parameters: {other}")

    def _request(self, token: Any) -> ServiceRequest:
        request = self.store.find(token) if isinstance(token, str) else None
        if request is None:
            raise Refused("The token is not valid.")
        return request

    def _host(self, request: ServiceRequest) -> str:
        return self._hosts()[request.host]

    def _create(self, parameters: dict[str, Any]) -> dict[str, Any]:
        if parameters["contract"] not in self._settings.contracts:
            raise Refused("The contract is not valid.")
        if parameters["target"] not in self._settings.targets:
            raise Refused(f"The target must be one of {', '.join(self._settings.targets)}.")
        if parameters["aim"] not in AIMS or parameters["actuator"] != "cli" or parameters["api_version"] != "0.2":
            raise Refused("The request is not valid.")
        variables = parameters["env_vars"]
        if not isinstance(variables, list) or not all(_VARIABLE.match(str(variable)) for variable in variables):
            raise Refused("env_vars is not valid.")
        key = parameters["ssh_key"]
        if not isinstance(key, str) or not key.startswith(("ssh-", "ecdsa-")):
            raise Refused("ssh_key is not a public key.")
        names = ("contract", "target", "aim", "env_vars", "ssh_key")
        request = self.store.create(**{name: parameters[name] for name in names})
        answer = {"request_id": request.id, "token": request.token, "assigned_host_uri": self._host(request)}
        return {**answer, "info": self._settings.info} if self._settings.info else answer

    def _start(self, parameters: dict[str, Any]) -> dict[str, Any]:
        request = self._request(parameters["token"])
        what = parameters["transfer_type"]
        belongs = {UPLOAD: NEW, DOWNLOAD: DONE}.get(what)
        if request.state != belongs:
            raise Refused(f"No {what} in the state {request.state}.")
        if request.archived:
            raise Refused("The request is archived.")
        transfer = self.store.open_transfer(request, what)
        host = self._host(request).partition(":")[0]
        answer: dict[str, Any] = {"ssh_port": transfer.port, "known_hosts": known_hosts(host, transfer)}
        return {**answer, "dump_name": request.dump_name} if what == DOWNLOAD else answer

    def _stop(self, parameters: dict[str, Any]) -> dict[str, Any]:
        self._request(parameters["token"]).close_transfer()
        return {}

    def _process(self, parameters: dict[str, Any]) -> dict[str, Any]:
        request = self._request(parameters["token"])
        with request.lock:
            if request.state != NEW:
                raise Refused(f"The request is in the state {request.state}.")
            if request.transfer:
                raise Refused("A transfer is open.")
            if results.origin(request.data) is None:
                raise Refused("There is no dump.")
            self.store.process(request)
        return {"is_pg_version_compatible": self._settings.pg_version_compatible}

    def _status(self, parameters: dict[str, Any]) -> dict[str, Any]:
        request = self._request(parameters["token"])
        return {
            "status": request.state,
            "host_uri": self._host(request),
            "reason": request.reason,
            "archived": request.archived,
        }

    def _wipe(self, parameters: dict[str, Any]) -> dict[str, Any]:
        known = self._request(parameters["token"])
        if known.contract != parameters["contract"]:
            raise Refused("The token does not belong to this contract.")
        wiped: list[int] = []
        failed: list[int] = []
        for request in self.store.all():
            if request.contract == known.contract and not request.archived:
                if request.id in self._settings.wipe_fails:
                    failed.append(request.id)
                else:
                    request.wipe()
                    wiped.append(request.id)
        return {"wiped": wiped, "failed": failed}

    def _logs(self, exchange: Exchange, server: str) -> Answer:
        query = dict(urllib.parse.parse_qsl(exchange.raw_query))
        request = self.store.find(query.get("token", ""))
        if exchange.method != "GET" or request is None or server == FRONT:
            return Answer.of_html("404 Not Found", 404)
        exchange.record.request_id = request.id
        content = request.look_at_log()
        if content is None:
            return Answer.of_html("404 Not Found", 404)
        exchange.record.acted = True
        asked = _RANGE.match(exchange.headers.get("Range", ""))
        if not asked:
            return Answer(200, content, "text/plain; charset=utf-8")
        offset = int(asked[1])
        if offset >= len(content):
            return Answer.of_html("416 Range Not Satisfiable", 416)
        headers = {"Content-Range": f"bytes {offset}-{len(content) - 1}/{len(content)}"}
        return Answer(206, content[offset:], "text/plain; charset=utf-8", headers)


def _exception(name: str, message: str) -> dict[str, Any]:
    data = {"name": name, "message": message, "arguments": [message], "debug": f"Traceback ...\n{name}: {message}"}
    return {"error": {"code": 200, "message": "Odoo Server Error", "data": data}}

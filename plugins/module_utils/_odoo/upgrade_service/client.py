# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that only today's upgrade service of Odoo knows: its calls, their wire forms, its errors.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._core.errors import AnswerLostError, UnexpectedAnswerError
from ..._core.http_answer import Answer
from ..._core.http_client import HttpClient
from ..._core.text import one_line, whole_number
from ..._core.urls import call_name
from ..._transfer.known_hosts_lines import lines_for
from ..._transfer.rsync_transfer import Server
from ..failures import Refusal
from ..hosts import Hosts, split_host

PATH = "/upgrade/request/"
API_VERSION = "0.2"
UPLOAD, DOWNLOAD = "upload", "download"
ODOO_EXCEPTIONS = "odoo.exceptions."
"""Where Odoo's own refusals come from: the server raised them on purpose, and undid what it had begun."""

PAGES = (b"<!doctype html", b"<html")
WHOLE, PART, NOT_FOUND, NOT_SATISFIABLE = 200, 206, 404, 416
LONGEST_WORDS = 600

HINTS = {
    "create": "No request was made. Check contract and target.",
    "process": "A dump must have been sent before, with odoo_upgrade_upload.",
    "status": "Check the request's token; the request may no longer be there.",
    "transfer/start": "A dump is taken in the state new, and a result is given in the state done.",
    "wipe": "Nothing was removed.",
}
RUN_AGAIN = "Nothing was sent there; run again, and ask Odoo's support if it stays so."
NOT_THE_SERVICE = "Check 'api_url', and what stands between here and the platform."


class ServiceRefusal(Refusal):
    """The platform's own refusal, or an exception in its server."""

    def __init__(self, call: str, name: str, words: str, status: int, *, exception: str = "") -> None:
        self._is_fault = bool(exception) and not exception.startswith(ODOO_EXCEPTIONS)
        kind = "failed on the platform" if self._is_fault else "was refused by the platform"
        super().__init__(
            call,
            f"{kind} ({status}): {one_line(words, LONGEST_WORDS)}",
            status=status,
            hint="The platform failed on its own side; try again later." if self._is_fault else HINTS.get(name, ""),
        )

    @property
    def is_server_error(self) -> bool:
        return self._is_fault

    @property
    def may_have_acted(self) -> bool:
        return self._is_fault


@dataclass(frozen=True)
class Created:
    """The answer of ``create``. ``host`` is as the platform named it, unchecked."""

    request_id: str
    token: str
    host: object
    info: str


@dataclass(frozen=True)
class Opened:
    """The answer of ``transfer/start``; ``dump_name`` only of a download."""

    server: Server
    dump_name: str


class ServiceClient:
    """The calls, each made once. ``host`` is the host in charge, or empty for the front."""

    def __init__(self, http: HttpClient, hosts: Hosts) -> None:
        self._http = http
        self._hosts = hosts
        self.api_url = http.base_url

    def create(self, contract: str, fields: t.Mapping[str, t.Any], ssh_key: str) -> Created:
        """Make a request. Each call makes another one.

        :raises AnswerLostError: one may have been made that nobody can use.
        """
        parameters = {"contract": contract, **fields, "actuator": "cli", "ssh_key": ssh_key, "api_version": API_VERSION}
        call, result = self._call("create", "", parameters, writes=True)
        token, number = result.get("token"), result.get("request_id")
        if not _is_handle(token) or not _is_handle(number):
            raise AnswerLostError(call, "answered without a usable 'token' and 'request_id'")
        info = result.get("info")
        return Created(str(number), str(token), result.get("assigned_host_uri"), str(info) if info else "")

    def status(self, host: str, token: str) -> dict[str, t.Any]:
        """The status document; ``host_uri`` in it is checked.

        :raises AnswerLostError: what came back is no status; it may pass.
        """
        call, result = self._call("status", host, {"token": token})
        if not isinstance(result.get("status"), str) or not result["status"].strip():
            raise AnswerLostError(call, "answered without a 'status'")
        return {**result, "host_uri": self._hosts.require(call, "host_uri", result.get("host_uri"))}

    def allowed_host(self, name: str, field: str, value: object) -> str:
        """A host that a call answered in a field. :raises UnexpectedAnswerError: it is not allowed."""
        return self._hosts.require(self._name_of(name), field, value)

    def start(self, host: str, token: str, what: str) -> Opened:
        """Have a port opened for a transfer; may be repeated.

        :raises UnexpectedAnswerError: the answer names nothing that can be connected to.
        """
        call, result = self._call("transfer/start", host, {"token": token, "transfer_type": what})
        name = split_host(host)[0]
        value = result.get("ssh_port")
        port = value if isinstance(value, int) and not isinstance(value, bool) else whole_number(str(value)) or 0
        if not 0 < port < 65536:
            what = f"answered 'ssh_port' with {one_line(repr(value), 40)}, which is no port"
            raise UnexpectedAnswerError(call, what, hint=RUN_AGAIN)
        try:
            lines = lines_for(name, port, result.get("known_hosts"))
        except ValueError as error:
            hint = f"Without it the server cannot be recognised. {RUN_AGAIN}"
            raise UnexpectedAnswerError(call, f"answered a 'known_hosts' that {error}", hint=hint) from error
        return Opened(Server(name, port, lines), _dump_name(call, result) if what == DOWNLOAD else "")

    def stop(self, host: str, token: str) -> None:
        """Have the open transfer ended; may be repeated."""
        self._call("transfer/stop", host, {"token": token})

    def process(self, host: str, token: str) -> bool | None:
        """Start the upgrade; whether the PostgreSQL of the dump can restore the result, None where that is not said.

        :raises AnswerLostError: it may have been started.
        """
        _call, result = self._call("process", host, {"token": token}, writes=True)
        value = result.get("is_pg_version_compatible")
        return value if isinstance(value, bool) else None

    def wipe(self, contract: str, token: str) -> tuple[list[str], list[str]]:
        """Remove all dumps of all requests of a contract; the ids of those that are gone and of those that stay."""
        call, result = self._call("wipe", "", {"contract": contract, "token": token}, writes=True)
        wiped, failed = result.get("wiped"), result.get("failed")
        if not isinstance(wiped, list) or not isinstance(failed, list):
            raise AnswerLostError(call, "answered without 'wiped' and 'failed'")
        return [one_line(number, 40) for number in wiped], [one_line(number, 40) for number in failed]

    def log(self, host: str, token: str, offset: int) -> bytes:
        """What was logged from a byte on; empty where that is nothing yet.

        One byte before it is asked for too: a range that begins at the end is refused by ordinary servers.
        """
        first = max(0, offset - 1)
        headers = {"Range": f"bytes={first}-", "Accept": "text/plain, */*", "Accept-Encoding": "identity"}
        answer = self._at(host).send("GET", f"{PATH}logs", params={"token": token}, headers=headers)
        if answer.status in (NOT_FOUND, NOT_SATISFIABLE):
            return b""
        if answer.status == PART:
            return answer.body[offset - first :]
        # The type says nothing: Odoo calls a text HTML where nobody says otherwise.
        if answer.status == WHOLE and not answer.body.lstrip()[:15].lower().startswith(PAGES):
            return answer.body[offset:]
        raise _no_answer_of_the_service(answer, writes=False)

    def _at(self, host: str) -> HttpClient:
        return self._http.at(f"https://{host}") if host else self._http

    def _name_of(self, name: str) -> str:
        return call_name("POST", f"{self.api_url}{PATH}{name}")

    def _call(
        self, name: str, host: str, parameters: dict[str, t.Any], *, writes: bool = False
    ) -> tuple[str, dict[str, t.Any]]:
        """The name of the call for messages, and its result.

        :raises ServiceRefusal: the platform refuses.
        :raises AnswerLostError: no answer of the service came back.
        """
        # The service reads neither the method nor the id; its own client sends both so.
        body = {"jsonrpc": "2.0", "method": "not_used", "params": parameters, "id": "not_used"}
        answer = self._at(host).send("POST", f"{PATH}{name}", json=body)
        document = _json(answer)
        if document is None or answer.status >= 400:
            raise _no_answer_of_the_service(answer, writes=writes)
        result = document.get("result")
        error = document.get("error")
        if isinstance(result, dict):
            if result.get("error"):
                raise ServiceRefusal(answer.call, name, str(result["error"]), answer.status)
            return answer.call, result
        if error:
            words, exception = _words_of(error)
            raise ServiceRefusal(answer.call, name, words, answer.status, exception=exception)
        raise AnswerLostError(answer.call, "answered JSON without a result", status=answer.status)


def _words_of(error: object) -> tuple[str, str]:
    """The message of an ``error`` of JSON-RPC in Odoo's form, and the name of the exception behind it."""
    if not isinstance(error, dict):
        return str(error), "unknown"
    data = error.get("data")
    data = data if isinstance(data, dict) else {}
    words = data.get("message") or error.get("message") or "no reason given"
    return str(words), str(data.get("name") or "unknown")


def _json(answer: Answer) -> dict[str, t.Any] | None:
    try:
        document = answer.document()
    except UnexpectedAnswerError:
        return None
    return document if isinstance(document, dict) else None


def _no_answer_of_the_service(answer: Answer, *, writes: bool) -> AnswerLostError | UnexpectedAnswerError:
    """The error for an answer that something else than the service gave."""
    what = f"answered {answer.status} with {answer.describe_body()}"
    unknown = answer.status < 400 or (writes and answer.status >= 500)
    if unknown:
        return AnswerLostError(answer.call, what, status=answer.status, retry_after=answer.retry_after)
    hint = answer.wait_asked or NOT_THE_SERVICE
    return UnexpectedAnswerError(answer.call, what, status=answer.status, hint=hint, retry_after=answer.retry_after)


def _dump_name(call: str, result: t.Mapping[str, t.Any]) -> str:
    """The name of the dump, if it is one plain name."""
    name = result.get("dump_name")
    text = name if isinstance(name, str) else ""
    plain = text.isprintable() and not text.startswith(("-", ".")) and not set(text) & set("/\\:*?[]{}'\"`$ ")
    if not text or not plain or len(text.encode()) > 200:
        what = f"answered 'dump_name' with {one_line(repr(name), 80)}, which is not a plain name"
        raise UnexpectedAnswerError(call, what, hint="Nothing was fetched.")
    return text


def _is_handle(value: object) -> bool:
    """Whether a value can be the id or the token of a request, and be sent and kept as it came."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text

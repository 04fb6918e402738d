# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on demand: a queue of what shall go wrong, and one table (KINDS) of what can.

A call or a connection plays at most one fault: the first in the queue that is meant for it. There are four
places where a fault can act:

    before  an HTTP call reaches the platform: it may answer in the platform's stead, or spoil the exchange
    after   the platform has acted: it spoils the answer
    sftp    an SFTP connection begins: it changes the plan of the session
    ssh     a connection of today's service begins: it changes the plan of the line
"""

from __future__ import annotations

import fnmatch
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from support.platform import failures
from support.platform.exchange import Answer, Exchange

SFTP_CALL, SSH_CALL = "sftp", "ssh"
_CONNECTIONS = (SFTP_CALL, SSH_CALL)
Options = Mapping[str, Any]
_NO_OPTIONS: Options = MappingProxyType({})
_STRANGERS_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


class FaultError(ValueError):
    """A fault that does not exist or has options it does not know."""


@dataclass
class SftpPlan:
    """How an SFTP connection shall go; the defaults are a connection without any fault."""

    refuse_connection: bool = False
    refuse_authentication: bool = False
    other_host_key: bool = False
    cut_after: int | None = None
    hang_after: int | None = None
    listed_name: str | None = None


@dataclass
class SshPlan:
    """How a connection of today's service shall go; the defaults are one without any fault."""

    refuse_connection: bool = False
    cut_after: int | None = None
    hang_after: int | None = None
    close_after: float | None = None


@dataclass(frozen=True)
class Kind:
    """One row of the table. `options` are its names with their defaults; `...` marks a required one."""

    place: str
    meaning: str
    apply: Callable[[Any, Options], Answer | None]
    options: Options = field(default_factory=lambda: _NO_OPTIONS)


# Instead of the platform: (exchange, options) -> answer, or None to let the platform act.


def _http_error(exchange: Exchange, options: Options) -> Answer:
    status = options["status"]
    if options["body"] == "json":
        answer = Answer.of_json({"failures": [failures.server_error(f"HTTP status {status}")]}, status)
    else:
        answer = Answer.of_html(f"{status} Error", status)
    if options["retry_after"] is not None:
        answer.headers["Retry-After"] = str(options["retry_after"])
    return answer


def _answer(exchange: Exchange, options: Options) -> Answer:
    return _replace(Answer(200), options)


def _failure(exchange: Exchange, options: Options) -> Answer:
    failure = {"message": options["message"], "reason": options["reason"]}
    return Answer.of_json(
        {"failures": [{name: value for name, value in failure.items() if value is not None}]}, options["status"]
    )


def _login_page(exchange: Exchange, options: Options) -> Answer:
    form = '<form method="post"><input name="login"><input name="password" type="password"></form>'
    return Answer.of_html("Please log in", options["status"], form)


def _redirect(exchange: Exchange, options: Options) -> Answer:
    answer = Answer.of_html("Moved", options["status"])
    query = f"?{exchange.raw_query}" if exchange.raw_query else ""
    answer.headers["Location"] = options["location"] or f"{exchange.path}{query}"
    return answer


def _reset_before(exchange: Exchange, options: Options) -> Answer:
    return Answer(0, drop=True)


def _hang(exchange: Exchange, options: Options) -> Answer:
    return Answer(0, drop=True, hang_seconds=options["seconds"])


def _cut_upload(exchange: Exchange, options: Options) -> None:
    exchange.body.cut_after = options["after"]


def _ignore_range(exchange: Exchange, options: Options) -> None:
    del exchange.headers["Range"]


def _refuse_range(exchange: Exchange, options: Options) -> Answer | None:
    return Answer.of_html("416 Range Not Satisfiable", 416) if "Range" in exchange.headers else None


def _new_entity(exchange: Exchange, options: Options) -> None:
    exchange.entity = secrets.token_hex(4)


# On the way back: (answer, options) -> another answer, or None for the same one, spoiled.


def _reset_after(answer: Answer, options: Options) -> None:
    answer.drop = True


def _delay(answer: Answer, options: Options) -> None:
    answer.hang_seconds = options["seconds"]


def _empty_body(answer: Answer, options: Options) -> Answer:
    return Answer(answer.status, b"", answer.media_type)


def _truncated_body(answer: Answer, options: Options) -> None:
    if isinstance(answer.content, bytes):
        answer.content = answer.content[: len(answer.content) // 2]
    else:
        answer.length = answer.body_length // 2


def _other_json(answer: Answer, options: Options) -> Answer:
    return Answer.of_json(options["document"], answer.status)


def _edit(answer: Answer, options: Options) -> Answer:
    """Replace (or, without a value, remove) what stands at a dotted path such as `request.state` or `failures.0`."""
    document = json.loads(answer.content) if isinstance(answer.content, bytes) else {}
    *parents, last = (int(step) if step.isdecimal() else step for step in options["path"].split("."))
    place: Any = document
    for step in parents:
        place = place[step]
    if options["remove"]:
        del place[last]
    else:
        place[last] = options["value"]
    return Answer.of_json(document, answer.status)


def _other_host_key(answer: Answer, options: Options) -> Answer:
    """The known_hosts of transfer/start with the key of another server."""
    document = json.loads(answer.content) if isinstance(answer.content, bytes) else {}
    place = document["result"]["known_hosts"].splitlines()[-1].split()[0]
    document["result"]["known_hosts"] = f"{place} {_STRANGERS_KEY}\n"
    return Answer.of_json(document, answer.status)


def _replace(answer: Answer, options: Options) -> Answer:
    body = options["body"].encode("utf-8")
    return Answer(
        options["status"],
        body,
        options["media_type"],
        seconds_per_byte=options["seconds_per_byte"],
        declared_length=max(0, len(body) + options["difference"]),
    )


def _pad(answer: Answer, options: Options) -> None:
    if isinstance(answer.content, bytes):
        answer.content += b" " * options["size"]


def _drip(answer: Answer, options: Options) -> None:
    answer.seconds_per_byte = options["seconds"]


def _content_length(answer: Answer, options: Options) -> None:
    answer.declared_length = max(0, answer.body_length + options["difference"])


def _cut_download(answer: Answer, options: Options) -> None:
    answer.cut_after = options["after"]


def _end_download(answer: Answer, options: Options) -> None:
    answer.end_after = options["after"]


def _plan(field: str, option: str | None = None) -> Callable[[Any, Options], None]:
    return lambda plan, options: setattr(plan, field, options[option] if option else True)


_ANYTHING: Options = MappingProxyType(
    {"status": 200, "body": "", "media_type": "text/html", "seconds_per_byte": 0, "difference": 0}
)

KINDS: dict[str, Kind] = {
    "http_error": Kind(
        "before",
        "an HTTP error with an HTML page or a JSON document of failures",
        _http_error,
        {"status": 503, "body": "html", "retry_after": None},
    ),
    "failure": Kind(
        "before",
        "one failure; a null message leaves the message out",
        _failure,
        {"reason": "SERVER:ERROR", "message": "Internal server error", "status": 200},
    ),
    "answer": Kind("before", "any answer in the platform's stead", _answer, _ANYTHING),
    "login_page": Kind("before", "an HTML page where JSON or a dump is due", _login_page, {"status": 200}),
    "redirect": Kind(
        "before",
        "a redirection to `location`, without one to the same address again (a loop)",
        _redirect,
        {"location": None, "status": 302},
    ),
    "reset_before": Kind("before", "the connection is reset before the platform acts", _reset_before),
    "hang": Kind("before", "no answer and no action; reset after `seconds`", _hang, {"seconds": 3600}),
    "cut_upload": Kind("before", "reset after so many bytes of the body were received", _cut_upload, {"after": ...}),
    "ignore_range": Kind("before", "the whole file in answer to a Range", _ignore_range),
    "refuse_range": Kind("before", "status 416 in answer to any Range", _refuse_range),
    "new_entity": Kind("before", "the file has got another ETag", _new_entity),
    "reset_after": Kind("after", "the platform acts, its answer is lost", _reset_after),
    "delay": Kind("after", "the platform acts, its answer comes `seconds` later", _delay, {"seconds": 1}),
    "empty_body": Kind("after", "an empty body", _empty_body),
    "truncated_body": Kind("after", "half of the body, with a Content-Length that agrees", _truncated_body),
    "other_json": Kind("after", "another JSON document", _other_json, {"document": []}),
    "edit": Kind(
        "after",
        "the JSON document with one value replaced or removed, at a path such as request.shared_file",
        _edit,
        {"path": ..., "value": None, "remove": False},
    ),
    "replace": Kind("after", "any other answer in place of the platform's", _replace, _ANYTHING),
    "other_host_key": Kind("after", "transfer/start names the host key of another server", _other_host_key),
    "pad": Kind("after", "the JSON document followed by so many bytes of white space", _pad, {"size": ...}),
    "drip": Kind("after", "one byte of the body every `seconds`", _drip, {"seconds": 1}),
    "content_length": Kind(
        "after", "a Content-Length that is wrong by `difference` bytes", _content_length, {"difference": ...}
    ),
    "cut_download": Kind("after", "reset after so many bytes of the body were sent", _cut_download, {"after": ...}),
    "end_download": Kind(
        "after", "the connection ends in good order after so many bytes of the body", _end_download, {"after": ...}
    ),
    "sftp_refuse_connection": Kind("sftp", "the TCP connection is closed at once", _plan("refuse_connection")),
    "sftp_refuse_authentication": Kind("sftp", "no key is accepted", _plan("refuse_authentication")),
    "sftp_other_host_key": Kind("sftp", "the server shows another host key", _plan("other_host_key")),
    "sftp_cut": Kind(
        "sftp",
        "the connection is reset after so many bytes of data, written and read",
        _plan("cut_after", "after"),
        {"after": ...},
    ),
    "sftp_hang": Kind("sftp", "no more answers after so many bytes", _plan("hang_after", "after"), {"after": ...}),
    "sftp_name": Kind("sftp", "the file is shown under another name", _plan("listed_name", "name"), {"name": ...}),
    "ssh_refuse_connection": Kind("ssh", "the TCP connection is closed at once", _plan("refuse_connection")),
    "ssh_cut": Kind(
        "ssh",
        "the connection is reset after so many bytes of ssh traffic, both ways together",
        _plan("cut_after", "after"),
        {"after": ...},
    ),
    "ssh_hang": Kind("ssh", "nothing more passes after so many bytes", _plan("hang_after", "after"), {"after": ...}),
    "ssh_close": Kind(
        "ssh",
        "the platform closes the port and all its connections after so many seconds",
        _plan("close_after", "seconds"),
        {"seconds": ...},
    ),
}


@dataclass
class Fault:
    """A queued fault: let `skip` matching calls pass, then play it for `times` of them."""

    kind: str
    call: str
    times: int
    skip: int
    options: dict[str, Any]

    @classmethod
    def make(cls, kind: str, call: str | None = None, times: int = 1, skip: int = 0, **options: Any) -> Fault:
        """Check and complete. `call` is a name of a call or a pattern (`upgraded/*`), by default any that fits."""
        if kind not in KINDS:
            raise FaultError(f"there is no fault {kind!r}; there are {', '.join(KINDS)}")
        row = KINDS[kind]
        unknown = options.keys() - row.options.keys()
        missing = {name for name, default in row.options.items() if default is ...} - options.keys()
        if unknown or missing:
            complaints = [f"does not know {name}" for name in unknown] + [f"needs {name}" for name in missing]
            raise FaultError(f"the fault {kind} {' and '.join(sorted(complaints))}")
        for name, number in (("times", times), ("skip", skip)):
            if not isinstance(number, int) or number < 0:
                raise FaultError(f"{name} must be a whole number")
        connects = row.place in _CONNECTIONS
        if call is None:
            call = row.place if connects else "*"
        if (connects or call in _CONNECTIONS) and call != row.place:
            raise FaultError(f"the fault {kind} cannot meet the call {call}")
        return cls(kind, call, times, skip, {**row.options, **options})

    @property
    def place(self) -> str:
        return KINDS[self.kind].place

    def apply(self, subject: Exchange | Answer | SftpPlan | SshPlan) -> Answer | None:
        return KINDS[self.kind].apply(subject, self.options)

    def _meets(self, call: str) -> bool:
        connects = self.place in _CONNECTIONS or call in _CONNECTIONS
        return (not connects or call == self.place) and fnmatch.fnmatchcase(call, self.call)

    def due(self, call: str) -> bool:
        """Whether this call shall play the fault; counts the call."""
        if not self.times or not self._meets(call):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class FaultQueue:
    """The faults still to be played. Safe to use from several threads."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def take(self, call: str) -> Fault | None:
        """The fault that this call shall play, if any."""
        with self._lock:
            due = next((fault for fault in self._faults if fault.due(call)), None)
            self._faults = [fault for fault in self._faults if fault.times]
            return due

    def pending(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

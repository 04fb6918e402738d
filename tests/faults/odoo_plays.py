# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the faults of the matrix are brought about by the rehearsal platform for Odoo."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, urlsplit

from faults.matrix import CALLS, FAULTS, POLL, RESULT, SSH, UNSENT, Play
from faults.surroundings import UNRESOLVABLE, Detour
from support.platform import SAMPLE_CONTRACT, SQL_END, Platform
from support.platform.requests_store import UpgradeRequest

DUMP = b"-- PostgreSQL database dump\n" + b"SELECT 1;\n" * 2000 + SQL_END
FILENAME = "shop.sql"
HALF = len(DUMP) // 2
TEN_MEGABYTES = 10 * 1024 * 1024
FOR_EVER = 3600
LASTING = 1_000_000
SLOW = ("timeout", "drip")
"""Faults that end when the client loses its patience, which is small then."""

PAGE = "<html><body><h1>The proxy has something to say</h1></body></html>"
CREATION = {
    "contract": SAMPLE_CONTRACT,
    "email": "a@example.com",
    "target": "18.0",
    "aim": "test",
    "filename": FILENAME,
}

Spoiling = tuple[str, dict[str, Any]]


def _answer(**answer: Any) -> tuple[Spoiling, Spoiling]:
    """The same answer in the platform's stead, and in place of its own after it acted."""
    return ("answer", answer), ("replace", answer)


def _page(status: int) -> tuple[Spoiling, Spoiling]:
    return _answer(status=status, body=PAGE)


def _json(body: str, **more: Any) -> tuple[Spoiling, Spoiling]:
    return _answer(body=body, media_type="application/json", **more)


SPOILS: dict[str, tuple[Spoiling, Spoiling]] = {
    "reset_before": (("reset_before", {}),) * 2,
    "reset_after": (("reset_after", {}),) * 2,
    "timeout": (("hang", {"seconds": FOR_EVER}), ("delay", {"seconds": FOR_EVER})),
    "401": _page(401),
    "403": _page(403),
    "404": _page(404),
    "429": (("http_error", {"status": 429, "retry_after": 1}),) * 2,
    "500": _json('{"failures": [{"reason": "SERVER:ERROR", "message": "It fell over"}]}', status=500),
    "502": _page(502),
    "503": _page(503),
    "504": _page(504),
    "problem": _answer(status=504, body='{"title": "Gateway Timeout"}', media_type="application/problem+json"),
    "login_page": _page(200),
    "redirect_loop": (("redirect", {}),) * 2,
    "empty": _json(""),
    "truncated": _json('{"failures": [], "requ'),
    "shape": _json('{"unexpected": true}'),
    "length_long": _json('{"failures": []}', difference=10),
    "big": (("pad", {"size": TEN_MEGABYTES}),) * 2,
    "drip": _json(" " * FOR_EVER, seconds_per_byte=1),
}
"""By fault: what the platform does without acting, and after acting."""

OF_RESULTS: dict[str, Spoiling] = {
    "length_long": ("content_length", {"difference": 10}),
    "truncated": ("end_download", {"after": HALF}),
    "drip": ("drip", {"seconds": 0.0001}),
}
"""The same for dumps, where it is another thing."""

OF_SSH: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("sftp_connect", "refused"): ("edit", {"path": "request.sftp_port", "value": "closed"}),
    ("sftp_connect", "dns"): ("edit", {"path": "request.hostname", "value": UNRESOLVABLE}),
    ("sftp_connect", "reset_before"): ("sftp_refuse_connection", {}),
    ("sftp_connect", "timeout"): ("edit", {"path": "request.sftp_port", "value": "silent"}),
    ("sftp_connect", "wrong_host"): ("sftp_other_host_key", {}),
    ("sftp_connect", "401"): ("sftp_refuse_authentication", {}),
    ("sftp_connect", "shape"): ("edit", {"path": "request.sftp_port", "value": "no port"}),
    ("sftp_upload", "reset_after"): ("sftp_cut", {"after": HALF}),
    ("sftp_upload", "timeout"): ("sftp_hang", {"after": HALF}),
    ("sftp_upload", "404"): ("sftp_name", {"name": "another.sql"}),
    ("sftp_download", "reset_after"): ("sftp_cut", {"after": HALF}),
    ("sftp_download", "timeout"): ("sftp_hang", {"after": HALF}),
    ("sftp_download", "404"): ("sftp_name", {"name": "another.sql"}),
}


class Wire(NamedTuple):
    """The platform's name of a call, how it looks on the wire, and how to see on the platform whether it was done."""

    call: str
    method: str = "POST"
    done: Callable[[Platform, UpgradeRequest], bool] | None = None


def _sent(_platform: Platform, request: UpgradeRequest) -> bool:
    return request.original.exists() and request.original.read_bytes() == DUMP


WIRES: dict[str, Wire] = {
    "create": Wire("create", done=lambda platform, _request: len(platform.store.all()) > 1),
    "upload": Wire("upload", done=_sent),
    "request_sftp_access": Wire("request_sftp_access", done=lambda _platform, request: bool(request.sftp_access)),
    "process": Wire("process", done=lambda _platform, request: request.state != "draft"),
    "skip_test": Wire("skip_test", done=lambda _platform, request: request.state == "delivered"),
    "status": Wire("status"),
    "status_polling": Wire("status"),
    "result_archive": Wire("upgraded/archive", "GET"),
    "result_sql": Wire("upgraded/sql", "GET"),
    "sftp_connect": Wire("sftp", "SFTP"),
    "sftp_upload": Wire("sftp", "SFTP"),
    "sftp_download": Wire("sftp", "SFTP"),
}
STATES = {"skip_test": "testing", "status_polling": "done"}


class Stage:
    """One request on the platform, in the state that a play needs, and the options for it."""

    def __init__(self, platform: Platform, folder: Path, private_key: Path, authorities: Path) -> None:
        self._platform = platform
        self._folder = folder
        self._private_key = private_key
        self._authorities = authorities
        self.dump = folder / FILENAME
        self.dest = folder / "upgraded.sql"
        self.request_file = folder / "request.json"

    def set(self, play: Play, *, closed: int, silent: int, foreign: str) -> tuple[dict[str, Any], Detour | None]:
        """Prepare a play; the options of its module, and the detour that it takes."""
        platform, wire = self._platform, WIRES[play.call]
        platform.reset()
        self.request = platform.store.create(
            email="a@example.com", target="18.0", aim="test", filename=FILENAME, timezone=None
        )
        self.dump.write_bytes(DUMP)
        fetches = CALLS[play.call].module == "odoo_upgrade_download"
        if fetches or play.call == "process":
            self.request.original.write_bytes(DUMP)
        if fetches or play.call in STATES:
            platform.force_state(self.request.id, STATES.get(play.call, "done"))
        times = LASTING if play.lasts else 1
        if CALLS[play.call].kind != SSH and FAULTS[play.fault].hurts == UNSENT:
            return self._options(play), Detour(wire.method, f"/{wire.call}", "", times)
        self._queue(play, times, {"closed": closed, "silent": silent}, foreign)
        return self._options(play), None

    def _queue(self, play: Play, times: int, ports: dict[str, int], foreign: str) -> None:
        fault, call = self._platform.fault, WIRES[play.call].call
        if play.fault in ("range_ignored", "416"):
            fault("end_download", call, after=HALF)
            fault("ignore_range" if play.fault == "range_ignored" else "refuse_range", call)
        elif CALLS[play.call].kind == SSH:
            kind, options = OF_SSH[play.call, play.fault]
            value = options.get("value")
            options = {**options, **({"value": ports[value]} if value in ports else {})}
            fault(kind, "request_sftp_access" if kind == "edit" else "sftp", times=times, **options)
        elif play.fault == "redirect":
            fault("redirect", call, times=times, location=f"{foreign}/{play.call}")
        else:
            kind, options = SPOILS[play.fault][play.acts]
            if CALLS[play.call].kind == RESULT:
                kind, options = OF_RESULTS.get(play.fault, (kind, options))
            fault(kind, call, times=times, **options)

    def _options(self, play: Play) -> dict[str, Any]:
        module = CALLS[play.call].module
        options: dict[str, Any] = {
            "api_url": self._platform.api_url,
            "ca_path": str(self._authorities),
            "timeout": (1 if play.lasts else 4) if play.fault in SLOW else 30,
        }
        if play.call == "create":
            return {**options, **CREATION, "request_file": str(self.request_file)}
        options.update(request_id=str(self.request.id), request_key=self.request.key)
        if module == "odoo_upgrade_upload":
            options["src"] = str(self.dump)
        if module == "odoo_upgrade_download":
            options.update(dest=str(self.dest), content="sql" if play.call == "result_sql" else "archive")
        if module in ("odoo_upgrade_upload", "odoo_upgrade_download"):
            options.update(retries=2, transport="sftp" if CALLS[play.call].kind == SSH else "https")
        if CALLS[play.call].kind == SSH:
            options["sftp_host_key"] = self._platform.host_key
        if CALLS[play.call].kind == SSH or play.call == "request_sftp_access":
            options["sftp_private_key"] = str(self._private_key)
        if CALLS[play.call].kind == POLL:
            options.update(wait=True, wait_timeout=60, wait_interval=1)
        return options

    @property
    def secrets(self) -> list[str]:
        """What must not be seen, in every form."""
        keys = [request.key for request in self._platform.store.all()]
        forms = [form for key in keys for form in (key, quote(key, safe=""), quote_plus(key), _base64(key))]
        return [*forms, SAMPLE_CONTRACT]

    def ended_as_expected(self, play: Play) -> None:
        """What the platform and the folder ended up with."""
        wire, call = WIRES[play.call], CALLS[play.call]
        if wire.done:
            assert wire.done(self._platform, self.request) is play.acts
            assert len(self._platform.calls(wire.call)) <= 1
        if play.call == "sftp_upload":
            assert _sent(self._platform, self.request) is play.succeeds
        if call.module == "odoo_upgrade_download":
            assert self.dest.exists() is play.succeeds
            left = {path.name for path in self._folder.iterdir()} - {self.dump.name, self.dest.name}
            assert not left
        if call.module == "odoo_upgrade_download" and play.succeeds:
            assert self.dest.read_bytes() == self.request.upgraded.read_bytes()


def detour_to(detour: Detour | None, origin: str) -> Detour | None:
    """The same detour with an end."""
    if not detour:
        return None
    assert urlsplit(origin).scheme
    return Detour(detour.method, detour.path, origin, detour.times)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the faults of the matrix are brought about between the modules and a real Plone."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from faults.matrix import FAULTS, UNSENT, Play
from faults.surroundings import Detour
from support import cutting_proxy
from support.cutting_proxy import CuttingProxy, Rule, Spoil
from support.module_runner import ModuleRun
from support.plone import PloneServer
from support.plone.accounts import ADMIN

ADDON = "siteops.testaddon.dependent"
OLD, NEW = "6204", "6205"
"""The last step of the core alone: an upgrade that takes a fraction of a second."""

TEN_MEGABYTES = 10 * 1024 * 1024
SLOW = ("timeout", "drip")
"""Faults that end when the client loses its patience, which is small then."""

PATIENCE = 8
"""Seconds: enough for a server that acts, and not too much for one that does not."""

OWN_ERROR = (
    b'{"context": "http://127.0.0.1/Plone", "message": "the step is broken", "traceback": ["File x.py, line 1"], '
    b'"type": "ValueError"}'
)
PROBLEM = b'{"type": "about:blank", "title": "Gateway Timeout", "status": 504}'

SPOILS: dict[str, Spoil] = {
    "reset_before": cutting_proxy.reset,
    "reset_after": cutting_proxy.reset,
    "timeout": cutting_proxy.never_answer,
    "401": cutting_proxy.instead(401, "application/json", b'{"message": "No.", "type": "Unauthorized"}'),
    "403": cutting_proxy.html(403),
    "404": cutting_proxy.html(404),
    "429": cutting_proxy.html(429, Retry_After="1"),
    "500": cutting_proxy.instead(500, "application/json", OWN_ERROR),
    "502": cutting_proxy.html(502),
    "503": cutting_proxy.html(503),
    "504": cutting_proxy.html(504),
    "problem": cutting_proxy.instead(504, "application/problem+json", PROBLEM),
    "login_page": cutting_proxy.html(200),
    "redirect_loop": cutting_proxy.redirect(""),
    "empty": cutting_proxy.empty,
    "truncated": cutting_proxy.instead(200, "application/json", b'{"@id": "http://127.0.0.1/Pl'),
    "shape": cutting_proxy.instead(200, "application/json", b'{"unexpected": true}'),
    "length_long": cutting_proxy.announce(10),
    "big": cutting_proxy.pad(TEN_MEGABYTES),
    "drip": cutting_proxy.drip,
}


class Wire(NamedTuple):
    """How a call looks on the wire, the options of its module, and how to see on the server whether it was done."""

    method: str
    path: str
    options: dict[str, Any]
    done: Callable[[PloneServer], bool] | None = None


def core_is_new(plone: PloneServer) -> bool:
    return bool(plone.call("GET", f"{plone.url}/@system")[1]["plone_gs_metadata_version_installed"] == NEW)


def addon_is_installed(plone: PloneServer) -> bool:
    return bool(plone.call("GET", f"{plone.url}/@addons/{ADDON}")[1]["is_installed"])


WIRES: dict[str, Wire] = {
    "get_upgrade": Wire("GET", "/Plone/@upgrade", {}),
    "get_system": Wire("GET", "/Plone/@system", {}),
    "get_addons": Wire("GET", "/Plone/@addons", {}),
    "get_transactions": Wire("GET", "/Plone/@transactions", {}),
    "get_sites": Wire("GET", "/@sites", {}),
    "post_dry": Wire("POST", "/Plone/@upgrade", {"dry_run": True}, core_is_new),
    "post_real": Wire("POST", "/Plone/@upgrade", {}, core_is_new),
    "post_addons": Wire("POST", f"/Plone/@addons/{ADDON}/install", {"name": [ADDON]}, addon_is_installed),
    "patch_transactions": Wire("PATCH", "/Plone/@transactions", {}, lambda plone: not addon_is_installed(plone)),
}


def prepare(plone: PloneServer, call: str) -> dict[str, Any]:
    """Bring the server into the state that a call needs; what its module needs to know of it."""
    if WIRES[call].done is None:
        plone.clear_requests()
        return {}
    plone.restore()
    if call in ("post_dry", "post_real"):
        plone.set_version(OLD)
    elif call == "post_addons":
        plone.set_version(NEW)
    elif call == "patch_transactions":
        newest = plone.call("GET", f"{plone.url}/@transactions")[1][0]["id"]
        assert plone.call("POST", f"{plone.url}/@addons/{ADDON}/install", {})[0] == 204
        return {"back_to": newest}
    return {}


def options_for(play: Play) -> dict[str, Any]:
    """Options with as much patience as a play takes."""
    waits = play.call in ("post_dry", "post_real", "post_addons")
    patience = PATIENCE if play.fault in SLOW else 60
    timeout = 30
    if play.fault in SLOW and not waits:
        # One second for what is never to be answered; a read that is tried again is to be answered.
        timeout = 1 if play.lasts or (play.call == "patch_transactions" and not play.acts) else 4
    return {"timeout": timeout, **({"wait_timeout": patience, "wait_interval": 1} if waits else {})}


@contextlib.contextmanager
def playing(
    play: Play, plone: PloneServer, origins: dict[str, str], foreign: str
) -> Iterator[tuple[CuttingProxy, Detour | None]]:
    """The way to the server while a fault is played: the proxy to be addressed, and the detour to be taken."""
    wire, times = WIRES[play.call], 1_000_000 if play.lasts else 1
    path = re.escape(wire.path)
    if FAULTS[play.fault].hurts == UNSENT:
        with CuttingProxy(plone.url) as proxy:
            yield proxy, Detour(wire.method, path, origins[play.fault], times)
        return
    spoil = cutting_proxy.redirect(f"{foreign}/{play.call}") if play.fault == "redirect" else SPOILS[play.fault]
    with CuttingProxy(plone.url, Rule(wire.method, path, spoil, play.acts, times)) as proxy:
        yield proxy, None


def address(play: Play, proxy: CuttingProxy) -> dict[str, Any]:
    """URL and credentials."""
    url = proxy.url.removesuffix("/Plone") if play.call == "get_sites" else proxy.url
    return {"url": url, "username": ADMIN.name, "password": ADMIN.password}


def secrets() -> list[str]:
    """What must not be seen."""
    return [ADMIN.password, base64.b64encode(f"{ADMIN.name}:{ADMIN.password}".encode()).decode()]


def changed_as_expected(play: Play, run: ModuleRun, plone: PloneServer) -> None:
    """What the server ended up with, and what the module says of it, agree with whether the server acted."""
    wire = WIRES[play.call]
    if wire.done is None:
        assert run.result.get("changed") is False or run.failed
        return
    really = play.acts and play.call != "post_dry"
    assert wire.done(plone) is really
    if not run.failed:
        assert run.result["changed"] is really


def state_folder(folder: Path) -> dict[str, str]:
    """Where a run remembers what it posted: a folder of its own."""
    return {"XDG_STATE_HOME": str(folder / "state")}

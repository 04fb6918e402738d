# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules run in a process that is forked for each run: as quick as a function call, as clean as a new process.

Run as a program this is the parent of those processes. It has a single thread, so that a fork is safe, and has the
modules imported. It reads one JSON object a line and answers with one.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import re
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import IO, Any
from unittest import mock
from urllib.parse import urlsplit, urlunsplit

from support.ansible_cli import ModuleRun, environment

PLUGINS = "ansible_collections.siteops.upgrades.plugins"
UNRESOLVABLE = "no-such-host.invalid"
LIBRARIES = ("paramiko", "requests")
"""What takes long to import."""

SHORT = 0.05
LOOKS = 3


def _few_pauses(deadline: Any, longest: float) -> Iterator[float]:
    """As many looks as a test needs, however much time the deadline leaves: no clock decides how a wait ends."""
    for _look in range(0 if deadline.passed else LOOKS):
        time.sleep(SHORT)
        yield SHORT


def _short_pause(pauses: Any, _asked: float | None = None) -> bool:
    """The same for the loop that reads until a state is there."""
    pauses.latest, looks = SHORT, getattr(pauses, "looks", 0)
    if pauses.deadline.passed or looks == LOOKS:
        return False
    pauses.looks = looks + 1
    time.sleep(SHORT)
    return True


def _look_again(pauses: Any) -> None:
    pauses.looks = 0


IMPATIENCE: Mapping[str, object] = {
    "_core.clock.Deadline.pauses": _few_pauses,
    "_core.clock.GrowingPauses.begin_again": _look_again,
    "_core.clock.GrowingPauses.take": _short_pause,
    "_core.http.READ_AGAIN_AFTER": (SHORT, SHORT),
    "_core.http.SILENCE_AFTER_A_BODY": 3,
    "_odoo.database_api.client.READ_AGAIN_AFTER": (SHORT, SHORT),
    "_transfer.reconnect.FIRST_PAUSE": SHORT,
}
"""The pauses of the collection, cut short; in seconds."""


@dataclass(frozen=True)
class Detour:
    """Calls that lead to another server: of one method, with a path that ends so (a pattern), so many times.

    A name that changes its address, or a server that is replaced, looks like this to a client.
    """

    method: str
    path: str
    origin: str
    times: int = 1_000_000


@dataclass
class ModuleRunner:
    """Runs modules; use it as a context manager. ``variables`` are added to the environment of all runs."""

    variables: Mapping[str, str] = field(default_factory=dict)
    _parent: subprocess.Popen[str] | None = None

    def __enter__(self) -> ModuleRunner:
        command = [sys.executable, "-m", "faults.forked"]
        self._parent = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(self.variables)
        )
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._parent
        assert self._parent.stdin
        self._parent.stdin.close()
        self._parent.wait()

    def run(
        self,
        module: str,
        options: Mapping[str, Any],
        *,
        variables: Mapping[str, str] | None = None,
        detour: Detour | None = None,
    ) -> ModuleRun:
        """Run one module to its end."""
        assert self._parent
        assert self._parent.stdin
        assert self._parent.stdout
        order = {
            "module": module,
            "options": dict(options),
            "variables": dict(variables or {}),
            "detour": asdict(detour) if detour else None,
        }
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        output = json.loads(self._parent.stdout.readline())["output"]
        start = output.find("\n{")
        if start < 0:
            raise AssertionError(f"the module returned nothing:\n{output}")
        result, _end = json.JSONDecoder().raw_decode(output[start + 1 :])
        return ModuleRun(result, output)


def serve(orders: IO[str], answers: IO[str]) -> None:
    """Fork for each order and answer with what the child wrote to both streams."""
    plugins = importlib.import_module(f"{PLUGINS}.modules").__path__
    for library in (*LIBRARIES, *(f"{PLUGINS}.modules.{module.name}" for module in pkgutil.iter_modules(plugins))):
        importlib.import_module(library)
    for line in orders:
        order = json.loads(line)
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            child = os.fork()
            if not child:
                _be_module(order, output)
            os.waitpid(child, 0)
            output.seek(0)
            answers.write(json.dumps({"output": output.read()}) + "\n")
            answers.flush()


def _be_module(order: Mapping[str, Any], output: IO[str]) -> None:
    """Be a process that runs this module and ends; never returns."""
    status = 1
    try:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        os.environ.update(order["variables"])
        with contextlib.ExitStack() as stack:
            for name, value in IMPATIENCE.items():
                stack.enter_context(mock.patch(f"{PLUGINS}.module_utils.{name}", value))
            _take_detour(stack, order["detour"])
            _run(order["module"], order["options"])
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _run(module: str, options: dict[str, Any]) -> None:
    # Only the tests' own, newest ansible-core has this.
    from ansible.module_utils.testing import patch_module_args  # noqa: PLC0415

    with patch_module_args(options):
        importlib.import_module(f"{PLUGINS}.modules.{module}").main()


def _take_detour(stack: contextlib.ExitStack, detour: Mapping[str, Any] | None) -> None:
    import requests  # noqa: PLC0415 - the pages are made without it

    if not detour:
        return
    left = [detour["times"]]
    make_request, look_up = requests.Session.request, socket.getaddrinfo

    def request(self: requests.Session, method: str, url: str, **rest: Any) -> requests.Response:
        parts = urlsplit(url)
        if left[0] and method == detour["method"] and re.search(f"{detour['path']}$", parts.path):
            left[0] -= 1
            origin = urlsplit(detour["origin"])
            url = urlunsplit((origin.scheme, origin.netloc, parts.path, parts.query, ""))
        return make_request(self, method, url, **rest)

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        # The resolvers of some networks take half a minute to say so, and others answer with an address of their own.
        if host == UNRESOLVABLE:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *rest, **more)

    stack.enter_context(mock.patch.object(requests.Session, "request", request))
    stack.enter_context(mock.patch.object(socket, "getaddrinfo", getaddrinfo))


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One private server of real Plone sites."""

from __future__ import annotations

import base64
import json
import re
import shutil
import signal
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from support.free_port import free_port
from support.plone.accounts import ADMIN
from support.plone.environment import clean_variables, environment_folder
from support.plone.faults import write_faults
from support.plone.instance import Instance
from support.plone.process import end, is_running, launch
from support.plone.snapshot import PROFILE, addon_path, prepare_snapshot, site_ids

SECONDS_TO_START = 120.0
STARTS_ON_A_FREE_PORT = 5
UNCACHED = re.compile("[?&]_=[0-9a-f]+")
CORE_PROFILE = "Products.CMFPlone:plone"

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Request(NamedTuple):
    """One line of a server's access log; ``status`` is None until the server has answered."""

    method: str
    path: str
    status: int | None


class PloneServer:
    """A Plone on 127.0.0.1 with a copy of the snapshot in a private folder; use it as a context manager.

    ``profile`` is the version of the core profile that every site claims: the default has all of Plone 6's upgrade
    steps pending, "9999" is newer than the code. ``port`` is any free one unless given. ``sites`` is how many the
    instance has; what speaks of one site means the first unless another is named. ``data`` is a folder with a Data.fs
    to start from in place of the snapshot; its one site keeps the version that it has.
    """

    def __init__(
        self, profile: str = PROFILE, port: int | None = None, sites: int = 1, data: Path | None = None
    ) -> None:
        self.profile = profile
        self._data = data
        self.site_ids = site_ids(sites)
        self.port = port or 0
        self.pid = 0
        self.folder = Path(tempfile.mkdtemp(prefix="plone-server-")).resolve()
        self._instance = Instance(self.folder)
        self._mark = ""

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> PloneServer:
        """The server that another process described by state()."""
        server = cls.__new__(cls)
        server.profile, server.port, server.pid = state["profile"], state["port"], state["pid"]
        server.site_ids = state["site_ids"]
        server._data = None
        server.folder = Path(state["folder"])
        server._instance = Instance(server.folder)
        server._mark = state["mark"]
        return server

    def state(self) -> dict[str, Any]:
        """What somebody else needs to use the server, as JSON can carry it."""
        return {
            "url": self.url,
            "root_url": self.root_url,
            "port": self.port,
            "pid": self.pid,
            "username": ADMIN.name,
            "password": ADMIN.password,
            "profile": self.profile,
            "site_ids": self.site_ids,
            "urls": self.urls,
            "access_log": str(self.access_log),
            "folder": str(self.folder),
            "mark": self._mark,
        }

    @property
    def root_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """One for each site."""
        return [f"{self.root_url}/{site_id}" for site_id in self.site_ids]

    @property
    def access_log(self) -> Path:
        """See siteops.testaddon.accesslog for its two lines per request; requests() reads them."""
        return self._instance.access_log

    @property
    def running(self) -> bool:
        return is_running(self.pid, self.folder) if self.pid else False

    def __enter__(self) -> PloneServer:
        try:
            self.reset()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and remove the folder with the data and the logs."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start on the data as it is, on the same port as before if there was one; returns when it answers."""
        if self.running:
            raise RuntimeError(f"process {self.pid} serves {self.folder} already")
        fixed_port = self.port
        for _attempt in range(STARTS_ON_A_FREE_PORT):
            self.port = fixed_port or free_port()
            if self._launched():
                return
            if fixed_port or "Address already in use" not in self._console():
                break
        raise RuntimeError(f"Plone did not start on port {self.port}:\n{self._console()[-4000:]}")

    def stop(self) -> None:
        """End the process, mid-request if need be; the data stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process as a power cut would; the data stays."""
        self._end(signal.SIGKILL)

    def reset(self) -> None:
        """Back to the snapshot, with no faults and an empty access log; takes a stop and a start."""
        snapshot = self._snapshot()
        self.stop()
        self.clear_faults()
        shutil.rmtree(self._instance.data, ignore_errors=True)
        shutil.copytree(self._data or snapshot / "var", self._instance.data)
        self.start()
        if self.profile != PROFILE and not self._data:
            for site_id in self.site_ids:
                self.set_version(self.profile, site_id=site_id)
        self._mark = self._transactions()[0]
        self.clear_requests()

    def restore(self) -> None:
        """The state that reset() leaves, without a restart where that is possible."""
        # A request that is still being worked on could commit after the undo.
        idle = self.running and all(request.status for request in self.requests())
        if not (idle and self.undo()):
            self.reset()
        self.clear_faults()
        self.clear_requests()

    def undo(self) -> bool:
        """Take back all transactions since reset(), in a fraction of a second; False if that was not possible."""
        transactions = self._transactions()
        if self._mark not in transactions:
            return False
        later = transactions[: transactions.index(self._mark)]
        if later:
            status, _answer = self.call("PATCH", f"{self.url}/@transactions", {"transaction_ids": later})
            if status != 200:
                return False
            self._mark = self._transactions()[0]
        return True

    def fault(self, **faults: object) -> None:
        """Have these faults (see support.plone.faults), and no others, from the next request on."""
        write_faults(self._instance.faults, faults)

    def clear_faults(self) -> None:
        self.fault()

    def set_version(self, version: str, profile: str = CORE_PROFILE, *, site_id: str = "Plone") -> None:
        """Make a site believe that it has this version of a profile."""
        query = urllib.parse.urlencode({"profile": profile, "version": version})
        status, answer = self.call("POST", f"{self.root_url}/{site_id}/@@siteops-set-version?{query}", {})
        if status != 200:
            raise RuntimeError(f"setting {profile} to {version} answered {status}: {answer}")

    def requests(self) -> list[Request]:
        """What arrived since reset() or clear_requests(), in order, without the calls of this class itself.

        Paths are without what stands in the query of a read against caches, which is another one each time.
        """
        found: dict[str, Request] = {}
        lines = self.access_log.read_text(encoding="utf-8").splitlines() if self.access_log.exists() else []
        for key, *rest in (line.split(" ", 2) for line in lines):
            if len(rest) == 2:
                found[key] = Request(rest[0], UNCACHED.sub("", rest[1]), None)
            elif key in found:
                found[key] = found[key]._replace(status=int(rest[0]))
        return list(found.values())

    def clear_requests(self) -> None:
        self.access_log.write_text("", encoding="utf-8")

    def call(self, method: str, url: str, payload: object = None, timeout: float = 60.0) -> tuple[int, Any]:
        """A request as ``admin`` that the access log does not show: status, and the body as JSON or else as text."""
        credentials = base64.b64encode(f"{ADMIN.name}:{ADMIN.password}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Accept": "application/json", "X-Test-Support": "yes"}
        body = None
        if payload is not None:
            body = json.dumps(payload).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with _direct.open(request, timeout=timeout) as response:
                status, server, text = response.status, response.headers["X-Test-Server"], response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, server, text = error.code, error.headers["X-Test-Server"], error.read().decode()
        if server != str(self.pid):
            raise ConnectionError(f"port {self.port} is served by {server or 'a stranger'}, not by process {self.pid}")
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def _snapshot(self) -> Path:
        return prepare_snapshot(len(self.site_ids))

    def _python_path(self) -> str:
        return str(addon_path(self._snapshot()))

    def _launched(self) -> bool:
        self._instance.write(self.port)
        self._instance.console_log.write_text("", encoding="utf-8")
        command = [str(environment_folder() / "bin" / "runwsgi"), str(self._instance.wsgi_ini)]
        variables = clean_variables(PYTHONPATH=self._python_path())
        self.pid = launch(command, variables, self.folder, self._instance.console_log)
        deadline = time.monotonic() + SECONDS_TO_START
        while is_running(self.pid, self.folder) and time.monotonic() < deadline:
            try:
                if self.call("GET", f"{self.url}/@system")[0] == 200:
                    return True
            except OSError:
                time.sleep(0.05)
        self.kill()
        return False

    def _end(self, with_signal: signal.Signals) -> None:
        if self.pid:
            end(self.pid, self.folder, with_signal)
        self.pid = 0

    def _console(self) -> str:
        return self._instance.console_log.read_text(encoding="utf-8", errors="replace")

    def _transactions(self) -> list[str]:
        status, answer = self.call("GET", f"{self.url}/@transactions")
        if status != 200:
            raise RuntimeError(f"GET @transactions answered {status}: {answer}")
        return [transaction["id"] for transaction in answer]

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal platform in a process of its own, and modules that talk to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import create_default_context
from typing import Any

from .module_run import CHECKOUT, Ran, collections_folder, run_module

TARGET = "18.0"
EMAIL = "john.doe@example.com"


class Rehearsal:
    """The platform, and a folder beside it; ``options`` are those of its command line."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.collections = collections_folder(folder)
        self._command = [sys.executable, "-m", "support.platform"]
        self._environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tests")}
        self.about = json.loads(self._run("start", "--folder", str(folder / "platform"), *options))
        self._tls = create_default_context(cafile=self.about["ca_path"])
        self.key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)

    def _run(self, *arguments: str) -> str:
        command = [*self._command, *arguments, "--state", str(self.folder / "platform.json")]
        return subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, text=True, check=True).stdout

    def stop(self) -> None:
        self._run("stop")

    def ask(self, path: str) -> Any:
        """A document of the control interface."""
        return self._control(path)

    def tell(self, path: str, document: Any) -> None:
        self._control(path, json.dumps(document).encode(), "POST")

    def _control(self, path: str, content: bytes | None = None, method: str = "GET") -> Any:
        request = urllib.request.Request(f"{self.about['control_url']}/{path}", content, method=method)
        with urllib.request.urlopen(request, context=self._tls) as answer:
            return json.load(answer)

    def calls(self) -> list[dict[str, Any]]:
        """The calls since the last question, oldest first."""
        found: list[dict[str, Any]] = self.ask("calls")["calls"]
        self._control("calls", method="DELETE")
        return found

    def moved(self, call: str, direction: str) -> int:
        """Bytes that went over the wire with one kind of call, ``sent`` or ``received`` by the platform."""
        return sum(record[direction] for record in self.ask(f"calls?call={call}")["calls"])

    def module(self, name: str, **options: Any) -> Ran:
        """Run a module of this checkout."""
        return run_module(self.folder, name, **options)

    def options(self, name: str, transport: str) -> dict[str, Any]:
        """What the modules of one request have in common."""
        common = {
            "api_url": self.about["api_url"],
            "ca_path": self.about["ca_path"],
            "request_file": str(self.folder / f"{name}.json"),
        }
        if transport == "sftp":
            common |= {"sftp_private_key": str(self.key), "sftp_host_key": self.about["sftp_host_key"]}
        return {**common, "transport": transport}

    def create(self, name: str) -> str:
        """Make a request and return its id."""
        options = {key: value for key, value in self.options(name, "https").items() if key != "transport"}
        creation = {"contract": self.about["contract"], "email": EMAIL, "target": TARGET, "filename": "d.sql"}
        return str(self.module("odoo_upgrade_request", **options, **creation).result["request_id"])

    def finish(self, number: str) -> None:
        self.tell(f"requests/{number}/state", {"state": "done"})


@contextmanager
def rehearsal(folder: Path, *options: str) -> Iterator[Rehearsal]:
    """A rehearsal platform until the body ends."""
    started = Rehearsal(folder, *options)
    try:
        yield started
    finally:
        started.stop()

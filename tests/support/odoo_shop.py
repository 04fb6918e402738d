# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One dump, one request on the rehearsal platform that is made for it, and the modules that move it."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.ansible_cli import environment, run_module
from support.module_runner import ModuleRun, command_of_module
from support.platform import SAMPLE_CONTRACT, SQL_END, Platform
from support.processes import kill_when

MEBIBYTE = 1024 * 1024
SIZE = 24 * MEBIBYTE
"""Bytes of a dump that is more than what is on its way when a connection breaks."""

SMALL = 2 * MEBIBYTE
HEAD = b"-- PostgreSQL database dump\nCREATE TABLE res_users ();\n-- "
READS = {"status"}


def sql_dump(path: Path, size: int = SIZE, seed: int = 1) -> Path:
    """A dump of so many bytes that no two seeds share."""
    filling = size - len(HEAD) - len(SQL_END)
    path.write_bytes(HEAD + random.Random(seed).randbytes(filling // 2).hex().encode() + SQL_END)
    return path


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(path)], check=True)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Shop:
    """One dump and one request that is made for it; every option can be given anew for one run."""

    platform: Platform
    folder: Path
    size: int = SIZE
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dump = sql_dump(self.folder / "shop.sql", self.size)
        self.dest = self.folder / "upgraded.sql"
        self.request_file = self.folder / "shop.json"
        self.private_key = make_key(self.folder / "key")
        self.options = {
            "api_url": self.platform.api_url,
            "ca_path": str(self.platform.ca_path),
            "request_file": str(self.request_file),
            "timeout": 20,
        }
        creation = {"contract": SAMPLE_CONTRACT, "email": "a@example.com", "target": "18.0", "aim": "test"}
        run = run_module("odoo_upgrade_request", {**self.options, **creation, "filename": "shop.sql"})
        assert not run.failed, run.output
        self.number = int(run.result["request_id"])

    @property
    def ways(self) -> dict[str, dict[str, Any]]:
        return {
            "https": {"transport": "https", "connections": 1},
            "sftp": {
                "transport": "sftp",
                "connections": 1,
                "sftp_private_key": str(self.private_key),
                "sftp_host_key": self.platform.host_key,
            },
        }

    def upload(self, way: str, *flags: str, **options: Any) -> ModuleRun:
        given = {**self.options, **self.ways[way], "src": str(self.dump), **options}
        return run_module("odoo_upgrade_upload", _without_none(given), *flags)

    def download(self, way: str, *flags: str, **options: Any) -> ModuleRun:
        given = {**self.options, **self.ways[way], "dest": str(self.dest), **options}
        return run_module("odoo_upgrade_download", _without_none(given), *flags)

    def finish(self) -> None:
        """As if uploaded and processed, whatever was uploaded so far."""
        request = self.platform.request(self.number)
        if not request.upload_size:
            request.original.write_bytes(self.dump.read_bytes())
        self.platform.force_state(self.number, "done")

    @property
    def received(self) -> Path:
        return self.platform.request(self.number).original

    @property
    def result(self) -> Path:
        return self.platform.request(self.number).upgraded

    @property
    def record(self) -> dict[str, Any]:
        return json.loads(self.request_file.read_text())

    @property
    def sent_in_order(self) -> int:
        """Bytes from the start of the dump on that the request file notes as sent."""
        return self._in_order("sending")

    @property
    def fetched_in_order(self) -> int:
        """Bytes from the start of the result on that the request file notes as fetched."""
        return self._in_order("fetching")

    def _in_order(self, name: str) -> int:
        noted = self.record[name]
        return int(noted["held"]["prefix"]["size"]) if noted else 0

    def writes(self) -> list[str]:
        """The calls so far that were no mere reads."""
        return [call.call for call in self.platform.calls() if call.call not in READS]

    def forget_calls(self) -> None:
        self.platform.log.clear()

    def kill_when(self, due: Callable[[], object], module: str, options: dict[str, Any]) -> None:
        """Start a module and kill it as soon as something is the case."""
        command = command_of_module(module, _without_none({**self.options, **options}))
        kill_when(due, command, environment(), self.folder.parent / "killed.log")


def _without_none(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def succeeded(run: ModuleRun, *, changed: bool) -> dict[str, Any]:
    assert not run.failed, run.output
    assert run.result["changed"] is changed, run.output
    return run.result


def failed(run: ModuleRun, *words: str) -> None:
    assert run.failed, run.output
    assert "Traceback" not in run.output
    for word in words:
        assert word in run.msg

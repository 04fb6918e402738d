# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One dump on its way through today's upgrade service by the modules, against the rehearsal platform."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from support.ansible_cli import ModuleRun, run_module
from support.odoo_shop import sql_dump
from support.platform import SAMPLE_CONTRACT, SAMPLE_FOLDER, Platform
from support.platform.call_log import CallRecord
from support.upgrade_service.service_requests import ServiceRequest

READS = {"request/status", "request/logs"}
END_OF_ROWS = b"\\.\n\n\n"
STRANGER = "up1.odoo-upgrade.example"


def folder_dump(path: Path, files: int = 6, size: int = 300_000, seed: int = 1) -> Path:
    """A dump as pg_dump --format=directory writes it, with more files whose data no two seeds share."""
    path.mkdir()
    for file in SAMPLE_FOLDER.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    made = random.Random(seed)
    for number in range(files):
        (path / f"{9000 + number}.dat").write_bytes(made.randbytes(size - len(END_OF_ROWS)) + END_OF_ROWS)
    return path


def content(path: Path) -> dict[str, str]:
    """The SHA-256 of each file below a folder, by its path."""
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@dataclass
class ServiceJob:
    """One database: its files, and the modules with the options that they share."""

    platform: Platform
    folder: Path
    dump: Path = field(init=False)
    outputs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.dump = self.folder / "shop.sql"
        if not self.dump.exists():
            sql_dump(self.dump, 200_000)
        self.dest = self.folder / "result"
        self.request_file = self.folder / "shop.json"
        self.ssh_folder = self.folder / "shop.json.ssh"

    def run(self, module: str, *flags: str, **options: Any) -> ModuleRun:
        shared = {
            "api_url": self.platform.service_url,
            "ca_path": str(self.platform.ca_path),
            "request_file": str(self.request_file),
            "timeout": 20,
        }
        given = {name: value for name, value in {**shared, **options}.items() if value is not None}
        ended = run_module(f"odoo_upgrade_{module}", given, *flags)
        self.outputs.append(ended.output + json.dumps(ended.result))
        return ended

    def create(self, *flags: str, **options: Any) -> ModuleRun:
        return self.run("request", *flags, **{"contract": SAMPLE_CONTRACT, "target": "18.0", **options})

    def upload(self, *flags: str, **options: Any) -> ModuleRun:
        return self.run("upload", *flags, **{"src": str(self.dump), **options})

    def process(self, *flags: str) -> ModuleRun:
        return self.run("process", *flags)

    def wait(self, **options: Any) -> ModuleRun:
        return self.run("request_info", **{"wait": True, "wait_timeout": 30, "wait_interval": 1, **options})

    def download(self, *flags: str, **options: Any) -> ModuleRun:
        return self.run("download", *flags, **{"dest": str(self.dest), **options})

    def all(self) -> list[ModuleRun]:
        """Every step, as the role takes them; stops at the first that fails."""
        runs: list[ModuleRun] = []
        for step in (self.create, self.upload, self.process, self.wait, self.download):
            runs.append(step())
            if runs[-1].failed:
                break
        return runs

    @property
    def request(self) -> ServiceRequest:
        return self.platform.service_request()

    @property
    def record(self) -> dict[str, Any]:
        return json.loads(self.request_file.read_text(encoding="utf-8"))

    def calls(self) -> list[str]:
        return [record.call.removeprefix("request/") for record in self.platform.calls()]

    def writes(self) -> list[CallRecord]:
        return [record for record in self.platform.calls() if record.call not in READS]

    def times(self, call: str) -> int:
        """How often a call was carried out."""
        return len([record for record in self.platform.calls(f"request/{call}") if record.acted])

    def leftovers(self) -> list[str]:
        """Key and known_hosts, and what a broken run leaves behind."""
        return [
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.name in ("key", "key.pub", "known_hosts")
            or path.suffix in (".part", ".siteops-old", ".new", ".ssh")
        ]

    def assert_whole(self) -> None:
        """The result is what the platform made of exactly this dump."""
        log = (self.dest / "upgrade.log").read_text(encoding="utf-8")
        if self.dump.is_dir():
            for name, digest in content(self.dump).items():
                assert f"origin.dump/{name} sha256 {digest}" in log
            assert content(self.dest / "upgraded.dump") == content(self.dump)
        else:
            assert hashlib.sha256(self.dump.read_bytes()).hexdigest() in log
            assert (self.dest / "upgraded.zip").read_bytes() == (self.request.data / "upgraded.zip").read_bytes()

    def assert_nothing_secret(self) -> None:
        secrets = [SAMPLE_CONTRACT, *(request.token for request in self.platform.service_store.all())]
        for output in self.outputs:
            assert [secret for secret in secrets if secret in output] == []


def command(job: ServiceJob) -> list[str]:
    """A process that takes every step of a job, for a caller that kills it with everything that it started."""
    return [sys.executable, __file__, job.platform.service_url, str(job.platform.ca_path), str(job.folder)]


@dataclass(frozen=True)
class _Address:
    """What a job needs to know of a platform that runs in another process."""

    service_url: str
    ca_path: str


def main() -> int:
    """Take every step of the job in a folder; the dump is the folder `dump` in it."""
    url, ca_path, folder = sys.argv[1:]
    job = ServiceJob(cast("Platform", _Address(url, ca_path)), Path(folder))
    job.dump = job.folder / "dump"
    last = job.all()[-1]
    print(last.output)
    return int(last.failed)


if __name__ == "__main__":
    sys.exit(main())

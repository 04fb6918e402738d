# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dump costs on its way to the rehearsal platform and back: peak memory of the module, and bytes sent twice.

Needs ansible-core, requests, paramiko and asyncssh. It prints two tables:

1. every way of moving a large dump, with the peak resident memory of the module's own process;
2. transfers over connections that are cut, with the bytes that were sent or fetched.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import create_default_context
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
MODULES = "ansible_collections.siteops.upgrades.plugins.modules"
MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
HEAD = b"-- PostgreSQL database dump\n" + b"-- \n" * 20_000
TRANSPORTS = ("https", "sftp")


@dataclass(frozen=True)
class Ran:
    """One run of a module: its result and the peak memory of its process in MiB."""

    result: dict[str, Any]
    peak: float


def run_module(collections: Path, name: str, **options: Any) -> Ran:
    """Run a module in a process of its own, without the rest of Ansible."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": options})
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as questions:
        questions.write(arguments.encode())
        questions.seek(0)
        environment = {**os.environ, "PYTHONPATH": str(collections)}
        command = [sys.executable, "-m", f"{MODULES}.{name}"]
        process = subprocess.Popen(command, stdin=questions, stdout=answers, env=environment)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        answers.seek(0)
        result = json.loads(answers.read())
    if result.get("failed"):
        raise SystemExit(f"{name} failed: {result['msg']}")
    return Ran(result, usage.ru_maxrss / 1024)


def write_dump(path: Path, size: int) -> str:
    """A dump that begins as SQL, goes on with a hole and ends with random bytes; returns its SHA-256."""
    with path.open("wb") as file:
        file.write(HEAD)
        file.seek(size // 2)
        while file.tell() < size:
            file.write(os.urandom(min(MEBIBYTE, size - file.tell())))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Rehearsal:
    """A rehearsal platform in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ansible_collections/siteops").mkdir(parents=True)
        (folder / "ansible_collections/siteops/upgrades").symlink_to(CHECKOUT)
        self._command = [sys.executable, "-m", "support.platform"]
        self._environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tests")}
        started = self._run("start", "--folder", str(folder / "platform"), "--manual")
        self.about = json.loads(started)
        self._tls = create_default_context(cafile=self.about["ca_path"])
        self.key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)

    def _run(self, *arguments: str) -> str:
        command = [*self._command, *arguments, "--state", str(self.folder / "platform.json")]
        return subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, text=True, check=True).stdout

    def stop(self) -> None:
        self._run("stop")

    def module(self, name: str, **options: Any) -> Ran:
        """Run a module of this checkout."""
        return run_module(self.folder, name, **options)

    def ask(self, path: str) -> Any:
        """A document of the control interface."""
        with urllib.request.urlopen(f"{self.about['control_url']}/{path}", context=self._tls) as answer:
            return json.load(answer)

    def tell(self, path: str, document: Any) -> None:
        url = f"{self.about['control_url']}/{path}"
        request = urllib.request.Request(url, json.dumps(document).encode(), method="POST")
        with urllib.request.urlopen(request, context=self._tls) as answer:
            answer.read()

    def options(self, name: str, transport: str) -> dict[str, Any]:
        common = {
            "api_url": self.about["api_url"],
            "ca_path": self.about["ca_path"],
            "request_file": str(self.folder / f"{name}.json"),
        }
        if transport == "sftp":
            common |= {"sftp_private_key": str(self.key), "sftp_host_key": self.about["sftp_host_key"]}
        return {**common, "transport": transport}

    def create(self, name: str) -> str:
        options = {key: value for key, value in self.options(name, "https").items() if key != "transport"}
        creation = {"contract": self.about["contract"], "email": "a@example.com", "target": "18.0", "filename": "d.sql"}
        return str(self.module("odoo_upgrade_request", **options, **creation).result["request_id"])

    def finish(self, number: str) -> None:
        self.tell(f"requests/{number}/state", {"state": "done"})


@contextmanager
def rehearsal(folder: Path) -> Iterator[Rehearsal]:
    """A rehearsal platform until the body ends."""
    started = Rehearsal(folder)
    try:
        yield started
    finally:
        started.stop()


def measure_memory(stage: Rehearsal, size: int) -> None:
    dump = stage.folder / "large.sql"
    sha256 = write_dump(dump, size)
    print(f"\nA dump of {size / GIBIBYTE:g} GiB, half a hole and half random bytes:\n")
    print("| leg | transport | seconds | MiB/s | peak RSS MiB |\n|---|---|---|---|---|")
    for transport in TRANSPORTS:
        name = f"large-{transport}"
        number = stage.create(name)
        up = stage.module("odoo_upgrade_upload", src=str(dump), **stage.options(name, transport))
        if up.result["sent"]["sha256"] != sha256:
            raise SystemExit("the dump did not arrive as it is")
        print_leg("upload", transport, up, up.result["sent"])
        stage.finish(number)
        dest = stage.folder / "fetched.sql"
        down = stage.module("odoo_upgrade_download", dest=str(dest), **stage.options(name, transport))
        print_leg("download", transport, down, down.result["fetched"])
        dest.unlink()
        again = stage.module("odoo_upgrade_upload", src=str(dump), **stage.options(name, transport))
        print(f"| second upload, unchanged | {transport} | {again.result['sent']['duration']} | - | {again.peak:.0f} |")
        stage.tell("reset", {})


def print_leg(leg: str, transport: str, ran: Ran, details: dict[str, Any]) -> None:
    rate = details["size"] / MEBIBYTE / details["duration"]
    print(f"| {leg} | {transport} | {details['duration']:.1f} | {rate:.0f} | {ran.peak:.0f} |", flush=True)


def measure_cuts(stage: Rehearsal, size: int) -> None:
    dump = stage.folder / "cut.sql"
    write_dump(dump, size)
    after = size // 5
    print(f"\nA dump of {size / MEBIBYTE:g} MiB over connections that are reset after {after / MEBIBYTE:g} MiB each:\n")
    print("| leg | transport | resets | bytes at the server | size of the file | ratio |\n|---|---|---|---|---|---|")
    number = stage.create("cut")
    stage.tell("faults", {"kind": "sftp_cut", "times": 3, "after": after})
    up = stage.module("odoo_upgrade_upload", src=str(dump), **stage.options("cut", "sftp"))
    print_cut("upload", "sftp", up.result["sent"], moved(stage, "sftp", "received"))
    stage.finish(number)
    for transport, kind, call in (("https", "cut_download", "upgraded/archive"), ("sftp", "sftp_cut", "sftp")):
        before = moved(stage, call, "sent")
        stage.tell("faults", {"kind": kind, "call": call, "times": 2, "after": after})
        dest = stage.folder / f"cut-{transport}"
        down = stage.module("odoo_upgrade_download", dest=str(dest), **stage.options("cut", transport))
        print_cut("download", transport, down.result["fetched"], moved(stage, call, "sent") - before)


def moved(stage: Rehearsal, call: str, direction: str) -> int:
    return sum(record[direction] for record in stage.ask(f"calls?call={call}")["calls"])


def print_cut(leg: str, transport: str, details: dict[str, Any], count: int) -> None:
    size = details["size"]
    print(f"| {leg} | {transport} | {details['breaks']} | {count} | {size} | {count / size:.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gibibytes", type=float, default=3.0, help="size of the dump of the first table (default: 3)")
    parser.add_argument("--cut-mebibytes", type=int, default=512, help="size of that of the second (default: 512)")
    parser.add_argument("--folder", help="where to work; needs room for five of the dumps")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    with (
        tempfile.TemporaryDirectory(prefix="transfers-", dir=arguments.folder) as folder,
        rehearsal(Path(folder)) as stage,
    ):
        measure_memory(stage, int(arguments.gibibytes * GIBIBYTE))
        measure_cuts(stage, arguments.cut_mebibytes * MEBIBYTE)


if __name__ == "__main__":
    main()

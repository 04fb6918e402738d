# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Today's upgrade service: the modules beside Odoo's own script, both against the rehearsal platform, in turns.

The script is not in this repository: ODOO_UPGRADE_SCRIPT names it. It reaches the platform on port 443 alone, so this
needs root, and OpenSSH's server with libnss-wrapper. The platform holds the ssh traffic back for the round trip; its
HTTPS calls are not delayed, for either side.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stage.module_run import collections_folder, run_module
from stage.table import Comparison, Measured, Results
from support.platform import SAMPLE_CONTRACT, SAMPLE_FOLDER, Platform
from support.platform.call_log import CallRecord
from support.upgrade_service.ssh_servers import find_sshd

MEGABYTE = 1_000_000
MEMORY = Path("/dev/shm")
SCRIPT = os.environ.get("ODOO_UPGRADE_SCRIPT", "")
HTTPS = 443
TARGET = "18.0"
END_OF_ROWS = b"\\.\n\n\n"
CUT_FILE, CUT_AFTER = 100 * MEGABYTE, 60 * MEGABYTE
BARS = {0.0: 1.0, 0.1: 1.5}
"""The ratio of whole jobs to reach, by the round trip time in seconds."""


@dataclass
class Moves:
    """How long transfers were open, as the platform saw them: from the answer of start to that of stop."""

    _started: float = 0.0
    _open: float = 0.0

    def seen(self, record: CallRecord) -> None:
        if record.call == "request/transfer/start":
            self._started = time.perf_counter()
        elif record.call == "request/transfer/stop":
            self._open += time.perf_counter() - self._started

    def end(self) -> Measured:
        """How long those of the job that has ended were, together."""
        taken, self._open = self._open, 0.0
        return Measured(taken)


class Jobs:
    """The same job by both: a dump sent, upgraded at once, and fetched."""

    def __init__(self, platform: Platform, folder: Path, collections: Path, dump: Path, moves: Moves) -> None:
        self._platform = platform
        self._folder = folder
        self._collections = collections
        self._dump = dump
        self._moves = moves
        self.moves: dict[str, list[Measured]] = {"ours": [], "theirs": []}
        self.connections = 0

    def _fresh(self) -> Path:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._platform.reset()
        return self._folder

    def _shared(self) -> dict[str, str]:
        return {
            "api_url": self._platform.service_url,
            "ca_path": str(self._platform.ca_path),
            "request_file": str(self._folder / "shop.json"),
        }

    def ours(self) -> Measured:
        """Five modules, each a process of its own, as the role runs them."""
        folder, cpu, started = self._fresh(), 0.0, time.perf_counter()
        shared = self._shared()
        steps: dict[str, dict[str, Any]] = {
            "request": {"contract": SAMPLE_CONTRACT, "target": TARGET},
            "upload": {"src": str(self._dump)},
            "process": {},
            "request_info": {"wait": True, "wait_interval": 1},
            "download": {"dest": str(folder / "result")},
        }
        for step, options in steps.items():
            ran = run_module(self._collections, f"odoo_upgrade_{step}", **shared, **options)
            cpu += ran.cpu
            self.connections = max(self.connections, ran.result.get("sent", {}).get("connections", 0))
        self._require_result(folder / "result/upgraded.dump")
        self.moves["ours"].append(self._moves.end())
        return Measured(time.perf_counter() - started, cpu)

    def theirs(self) -> Measured:
        """The script, unchanged."""
        work = self._fresh() / "work"
        shutil.copytree(self._dump, work / "shop", copy_function=os.link)
        before, started = os.times(), time.perf_counter()
        ended = self._script(work / "shop")
        seconds, after = time.perf_counter() - started, os.times()
        if ended.returncode:
            raise SystemExit(f"the script ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        self._require_result(work / "upgraded.dump")
        self.moves["theirs"].append(self._moves.end())
        return Measured(seconds, sum(after[2:4]) - sum(before[2:4]))

    def _script(self, dump: Path, answer: str = "") -> subprocess.CompletedProcess[str]:
        temporary = self._folder / "tmp"
        temporary.mkdir(exist_ok=True)
        env = {
            **os.environ,
            "UPGRADE_SERVER_NAME": self._platform.service_url,
            "SSL_CERT_FILE": str(self._platform.ca_path),
            "TMPDIR": str(temporary),
            "HOME": str(self._folder),
        }
        command = [sys.executable, SCRIPT, "test", "-i", str(dump), "-t", TARGET, "-c", SAMPLE_CONTRACT]
        folder = dump.parent
        return subprocess.run(command, cwd=folder, env=env, input=answer, capture_output=True, text=True, check=False)

    def sent_after_a_cut(self, who: str, after: int) -> int:
        """Bytes over ssh that the upload of a file took, beside those of the file; the line was cut once."""
        dump = self._fresh() / "shop.sql"
        write_sql(dump, CUT_FILE)
        self._platform.fault("ssh_cut", after=after)
        if who == "ours":
            shared = self._shared()
            run_module(self._collections, "odoo_upgrade_request", **shared, contract=SAMPLE_CONTRACT, target=TARGET)
            run_module(self._collections, "odoo_upgrade_upload", **shared, src=str(dump))
        else:
            self._script(dump)
            self._script(dump, "y\n")
        sessions = [record for record in self._platform.calls("ssh") if "upload" in record.events]
        if [record.fault for record in sessions].count("ssh_cut") != 1:
            raise SystemExit("the line was not cut once")
        return sum(record.received for record in sessions) - dump.stat().st_size

    def _require_result(self, path: Path) -> None:
        if {file.name for file in path.iterdir()} != {file.name for file in self._dump.iterdir()}:
            raise SystemExit("the result is not that of the dump")


def write_dump(path: Path, files: int, size: int) -> Path:
    """A dump as pg_dump --format=directory writes it, with more files of random bytes."""
    shutil.copytree(SAMPLE_FOLDER, path)
    for number in range(files):
        (path / f"{9000 + number}.dat").write_bytes(random.Random(number).randbytes(size) + END_OF_ROWS)
    return path


def write_sql(path: Path, size: int) -> None:
    """A dump in one file."""
    with path.open("wb") as file:
        file.write(b"-- PostgreSQL database dump\n")
        while file.tell() < size:
            file.write(b"-- " + os.urandom(MEGABYTE // 2).hex().encode() + b"\n")
        file.write(b"\n-- PostgreSQL database dump complete\n")


def compare(results: Results, folder: Path, dump: Path, round_trip: float, runs: int) -> None:
    """Whole jobs, and the transfers in them alone."""
    where = f"{round_trip * 1000:g} ms"
    size = sum(file.stat().st_size for file in dump.iterdir()) // MEGABYTE
    results.section(f"Today's service, a directory dump of {size} MB, {where} round trip")
    moves = Moves()
    with Platform(
        host_port=HTTPS, stage_seconds=0, ssh_server="sshd", round_trip_seconds=round_trip, on_call=moves.seen
    ) as platform:
        jobs = Jobs(platform, folder / "job", collections_folder(folder / f"collections{where}"), dump, moves)
        row = Comparison(
            f"Whole job, {size} MB both ways, {where} round trip", "Odoo's script", BARS.get(round_trip, 0.0)
        )
        results.compare(row, ours=jobs.ours, theirs=jobs.theirs, runs=runs)
        alone = Comparison(f"The same, both transfers alone, {where} round trip", "Odoo's script")
        taken = {who: iter(each) for who, each in jobs.moves.items()}
        results.compare(alone, ours=partial(next, taken["ours"]), theirs=partial(next, taken["theirs"]), runs=runs)
        results.note(f"{where}: ours sent over {jobs.connections} connections.")
        if not round_trip:
            again, all_again = (jobs.sent_after_a_cut(who, CUT_AFTER) / MEGABYTE for who in ("ours", "theirs"))
            name = f"Sent again after a cut at {CUT_AFTER // MEGABYTE} of {CUT_FILE // MEGABYTE} MB, one file"
            results.state(name, f"{again:.1f} MB, by the script {all_again:.1f} MB", "less", again < all_again)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of each side, after one that does not count (default: 3)")
    parser.add_argument("--files", type=int, default=40, help="files of the dump (default: 40)")
    parser.add_argument("--megabytes", type=int, default=500, help="size of the dump (default: 500)")
    parser.add_argument("--round-trips", default="0,0.1", help="seconds, with commas between (default: 0,0.1)")
    arguments = parser.parse_args()
    results = Results("service_speed")
    if not SCRIPT or os.geteuid() or not find_sshd():
        results.skip("every row", "needs ODOO_UPGRADE_SCRIPT, root, openssh-server and libnss-wrapper")
    else:
        parent = MEMORY if MEMORY.is_dir() else None
        with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as name:
            os.environ["TMPDIR"] = tempfile.tempdir = name
            size = arguments.megabytes * MEGABYTE // arguments.files
            dump = write_dump(Path(name) / "shop", arguments.files, size)
            for round_trip in map(float, arguments.round_trips.split(",")):
                compare(results, Path(name), dump, round_trip, arguments.runs)
    results.save()


if __name__ == "__main__":
    main()

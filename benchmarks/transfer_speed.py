# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads and downloads beside curl and OpenSSH's sftp: the same files, servers and ciphers, in turns, as ratios.

What is timed of ours is what the module reports as the duration of the transfer, hashing and verification included; of
theirs, the whole command. Needs curl, nginx, OpenSSH's server and client; the rows with latency need root and iproute2.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stage.link import LOOPBACK, Link, LinkUnavailable, buffers, delayed
from stage.module_run import Ran, collections_folder, run_module
from stage.servers import ServerMissing, Servers, serving
from stage.table import Comparison, Measured, Results

MEBIBYTE = 1024 * 1024
HEAD = b"-- PostgreSQL database dump\n" + b"-- \n" * 20_000
END = b"\n-- PostgreSQL database dump complete\n"
ROUND_TRIP, RATE = 0.1, 1e9
MEMORY = Path("/dev/shm")
RESULT = "upgraded_shared.sql"


@dataclass(frozen=True)
class Leg:
    """One way of moving a dump: sizes in MiB and the ratios to reach; ``then`` is what theirs still needs when near."""

    name: str
    direction: str
    transport: str
    beside: str
    near: int
    near_bar: float
    far: int
    far_bar: float
    then: tuple[str, ...] = ()


LEGS = (
    Leg("HTTPS upload", "up", "https", "curl -T", 2048, 1.0, 256, 1.1),
    Leg("HTTPS download", "down", "https", "curl -o", 2048, 1.2, 256, 2.0, ("sha256sum",)),
    Leg("SFTP upload", "up", "sftp", "sftp put", 1024, 1.0, 256, 2.0),
    Leg("SFTP download", "down", "sftp", "sftp get", 1024, 1.0, 256, 2.0),
)


class Transfers:
    """Both sides of every leg, over one link."""

    def __init__(self, folder: Path, servers: Servers, collections: Path) -> None:
        self._folder = folder
        self._servers = servers
        self._collections = collections
        self._options = {
            "api_url": servers.api_url,
            "ca_path": str(servers.ca_path),
            "request_key": "benchmark",
            "sftp_private_key": str(servers.key),
            "sftp_host_key": servers.host_key,
        }
        self.peaks: dict[str, float] = {}

    def write_dump(self, mebibytes: int) -> None:
        """The file to send, and the same as the one to fetch."""
        for path in (self._dump, self._servers.files / RESULT):
            with path.open("wb") as file:
                file.write(HEAD)
                # Little at a time: the peak memory of a process that is started counts that of its parent.
                while file.tell() < mebibytes * MEBIBYTE:
                    file.write(os.urandom(MEBIBYTE // 2).hex().encode())
                file.write(END)

    @property
    def _dump(self) -> Path:
        return self._folder / "dump.sql"

    @property
    def _dest(self) -> Path:
        return self._folder / "fetched.sql"

    def ours(self, leg: Leg, **options: Any) -> Ran:
        """The module; what it fetched is removed."""
        if leg.direction == "up":
            options |= {"src": str(self._dump), "request_id": "draft"}
        else:
            options |= {"dest": str(self._dest), "request_id": RESULT, "force": True}
        name = "odoo_upgrade_upload" if leg.direction == "up" else "odoo_upgrade_download"
        ran = run_module(self._collections, name, **self._options, transport=leg.transport, **options)
        self._dest.unlink(missing_ok=True)
        return ran

    def ours_timed(self, leg: Leg, **options: Any) -> Measured:
        ran = self.ours(leg, **options)
        moved = ran.result["sent" if leg.direction == "up" else "fetched"]
        self.peaks[leg.name] = max(self.peaks.get(leg.name, 0), ran.peak)
        return Measured(moved["duration"], ran.cpu)

    def idle_peak(self, leg: Leg) -> float:
        """Peak memory of a module that moves nothing, with what this way of moving imports."""
        options = {"src": str(self._dump), "request_id": "draft", "_ansible_check_mode": True}
        ran = run_module(self._collections, "odoo_upgrade_upload", **self._options, transport=leg.transport, **options)
        return ran.peak

    def theirs(self, leg: Leg, *, near: bool) -> Measured:
        """curl or sftp, timed as a whole."""
        https, up = leg.transport == "https", leg.direction == "up"
        command = (self._curl_up if up else self._curl_down) if https else self._sftp
        text = f"put {self._dump} shared.sql\n" if up else f"get {RESULT} {self._dest}\n"
        before = os.times()
        started = time.perf_counter()
        subprocess.run(command, input=text.encode(), check=True, stdout=subprocess.DEVNULL)
        if leg.then and near:
            subprocess.run((*leg.then, str(self._dest)), check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        after = os.times()
        self._dest.unlink(missing_ok=True)
        return Measured(seconds, sum(after[2:4]) - sum(before[2:4]))

    @property
    def _curl(self) -> tuple[str, ...]:
        return ("curl", "--silent", "--show-error", "--fail", "--cacert", str(self._servers.ca_path))

    @property
    def _curl_up(self) -> tuple[str, ...]:
        url = f"{self._servers.api_url}/upload?request=draft&key=benchmark"
        return (*self._curl, "-X", "POST", "-T", str(self._dump), url)

    @property
    def _curl_down(self) -> tuple[str, ...]:
        return (*self._curl, "-o", str(self._dest), f"{self._servers.files_url}/{RESULT}")

    @property
    def _sftp(self) -> tuple[str, ...]:
        servers = self._servers
        known = f"UserKnownHostsFile={servers.known_hosts}"
        options = (known, "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "BatchMode=yes")
        named = tuple(part for option in options for part in ("-o", option))
        where = f"{servers.user}@{servers.host}"
        return ("sftp", "-q", "-P", str(servers.ssh_port), "-i", str(servers.key), *named, "-b", "-", where)


@contextmanager
def transfers(link: Link) -> Iterator[Transfers]:
    """Servers behind a link, and a folder in memory, until the body ends."""
    parent = MEMORY if MEMORY.is_dir() else None
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=parent)) for _n in range(2)]
        servers = stack.enter_context(serving(Path(folders[0]), link))
        yield Transfers(Path(folders[1]), servers, collections_folder(Path(folders[1]) / "collections"))


def compare(results: Results, link: Link, legs: list[Leg], runs: int, scale: float) -> None:
    """Every leg over one link, a row each, and the peak memory of each."""
    near = link is LOOPBACK
    line = "loopback, no delay, no limit" if near else f"{ROUND_TRIP * 1000:g} ms, {RATE / 1e9:g} Gbit/s"
    results.section(f"{line} ({link.made_with})" if not near else line)
    with transfers(link) as both:
        size = 0
        for leg in sorted(legs, key=lambda one: one.near if near else one.far):
            wanted = max(1, int((leg.near if near else leg.far) * scale))
            if wanted != size:
                both.write_dump(wanted)
                size = wanted
            where = "loopback" if near else f"{ROUND_TRIP * 1000:g} ms round trip"
            to_reach = leg.near_bar if near else leg.far_bar
            beside = ", then ".join((leg.beside, *leg.then)) if near else leg.beside
            row = Comparison(f"{leg.name}, {size} MiB, {where}", beside, to_reach)
            ours, theirs = partial(both.ours_timed, leg), partial(both.theirs, leg, near=near)
            results.compare(row, ours=ours, theirs=theirs, runs=runs)
        for leg in legs:
            idle, peak = both.idle_peak(leg), both.peaks[leg.name]
            what = f"{leg.name}, peak memory above an idle module's {idle:.0f} MiB"
            results.state(what, f"{max(peak - idle, 0.0):.0f} MiB", "under 100 MiB", peak - idle < 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each side, after one that does not count (default: 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="factor of all sizes, to try the benchmark out")
    parser.add_argument("--only", default="", help="legs whose name holds this text")
    parser.add_argument("--links", default="near,far", help="near, far, or both with a comma between")
    arguments = parser.parse_args()
    legs = [leg for leg in LEGS if arguments.only.lower() in leg.name.lower()]
    results = Results("transfer_speed")
    try:
        if "near" in arguments.links:
            compare(results, LOOPBACK, legs, arguments.runs, arguments.scale)
        if "far" in arguments.links:
            with delayed(ROUND_TRIP, RATE) as link:
                results.note(f"{ROUND_TRIP * 1000:g} ms, {RATE / 1e9:g} Gbit/s: {buffers(link)}")
                compare(results, link, legs, arguments.runs, arguments.scale)
    except ServerMissing as error:
        results.skip("every row", str(error))
    except LinkUnavailable as error:
        results.skip(f"every row with {ROUND_TRIP * 1000:g} ms round trip", str(error))
    results.save()


if __name__ == "__main__":
    main()

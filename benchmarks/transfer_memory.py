# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dump costs on its way to the rehearsal platform and back: memory, bytes sent twice, and a second run.

Needs ansible-core, requests, paramiko and asyncssh. It prints three tables:

1. every way of moving a large dump, with the peak resident memory of the module's own process;
2. transfers over connections that are cut, with the bytes that were sent or fetched;
3. a second run on a larger dump that is as it was, beside reading it once.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from stage.commands import timed
from stage.module_run import Ran
from stage.rehearsal import Rehearsal, rehearsal
from stage.table import Comparison, Measured, Results

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
HEAD = b"-- PostgreSQL database dump\n" + b"-- \n" * 20_000
END = b"\n-- PostgreSQL database dump complete\n"
TRANSPORTS = ("https", "sftp")
MOST_MEBIBYTES = 100
MOST_SECONDS = 2.0


def write_dump(path: Path, size: int) -> str:
    """A dump that begins and ends as SQL, half of it spaces and half random digits; returns its SHA-256."""
    with path.open("wb") as file:
        file.write(HEAD)
        while file.tell() < size // 2:
            file.write(b" " * MEBIBYTE)
        while file.tell() < size:
            file.write(os.urandom(MEBIBYTE // 2).hex().encode())
        file.write(END)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_hole(path: Path, size: int) -> None:
    """A dump that takes no room: SQL, then nothing but zeros."""
    with path.open("wb") as file:
        file.write(HEAD)
        file.truncate(size)


def measure_memory(results: Results, stage: Rehearsal, size: int) -> None:
    results.section(f"A dump of {size / GIBIBYTE:g} GiB, half spaces and half random digits")
    dump = stage.folder / "large.sql"
    sha256 = write_dump(dump, size)
    for transport in TRANSPORTS:
        name = f"large-{transport}"
        number = stage.create(name)
        options = stage.options(name, transport)
        send = partial(stage.module, "odoo_upgrade_upload", src=str(dump), **options)
        idle = send(_ansible_check_mode=True).peak
        up = send()
        if up.result["sent"]["sha256"] != sha256:
            raise SystemExit("the dump did not arrive as it is")
        state_leg(results, f"{transport.upper()} upload", up, up.result["sent"], idle)
        stage.finish(number)
        dest = stage.folder / "fetched.sql"
        down = stage.module("odoo_upgrade_download", dest=str(dest), **options)
        state_leg(results, f"{transport.upper()} download", down, down.result["fetched"], idle)
        dest.unlink()
        stage.tell("reset", {})
    dump.unlink()


def state_leg(results: Results, leg: str, ran: Ran, details: dict[str, Any], idle: float) -> None:
    rate = details["size"] / MEBIBYTE / details["duration"]
    more = ran.peak - idle
    name = f"{leg}, peak memory above an idle module's {idle:.0f} MiB ({rate:.0f} MiB/s)"
    results.state(name, f"{max(more, 0.0):.0f} MiB", f"under {MOST_MEBIBYTES} MiB", more < MOST_MEBIBYTES)


def measure_cuts(results: Results, stage: Rehearsal, size: int) -> None:
    after = size // 5
    results.section(f"A dump of {size // MEBIBYTE} MiB over connections that are reset after {after // MEBIBYTE} MiB")
    dump = stage.folder / "cut.sql"
    write_dump(dump, size)
    number = stage.create("cut")
    stage.tell("faults", {"kind": "sftp_cut", "times": 3, "after": after})
    up = stage.module("odoo_upgrade_upload", src=str(dump), **stage.options("cut", "sftp"))
    state_cut(results, "SFTP upload", up.result["sent"], stage.moved("sftp", "received"))
    stage.finish(number)
    for transport, kind, call in (("https", "cut_download", "upgraded/archive"), ("sftp", "sftp_cut", "sftp")):
        before = stage.moved(call, "sent")
        stage.tell("faults", {"kind": kind, "call": call, "times": 2, "after": after})
        dest = stage.folder / f"cut-{transport}"
        down = stage.module("odoo_upgrade_download", dest=str(dest), **stage.options("cut", transport))
        leg = f"{transport.upper()} download"
        state_cut(results, leg, down.result["fetched"], stage.moved(call, "sent") - before)
    stage.tell("reset", {})


def state_cut(results: Results, leg: str, details: dict[str, Any], count: int) -> None:
    name = f"{leg}, {details['breaks']} resets: bytes at the server beside those of the file"
    results.state(name, f"{count} of {details['size']}, {count / details['size']:.3f} x")


def measure_second_run(results: Results, stage: Rehearsal, size: int, runs: int) -> None:
    """The upload is a real one, because only what arrived is remembered."""
    results.section(f"A second run on an unchanged dump of {size / GIBIBYTE:g} GiB")
    dump = stage.folder / "unchanged.sql"
    write_hole(dump, size)
    stage.create("unchanged")
    options = stage.options("unchanged", "https")
    # No check before the first upload, as a hole is no SQL; a dump that is known again is not checked.
    send = partial(stage.module, "odoo_upgrade_upload", src=str(dump), check_dump=False, **options)
    sent = send().result["sent"]
    again: list[Ran] = []

    def ours() -> Measured:
        again.append(send())
        if again[-1].result["changed"] or again[-1].result["sent"]["sha256"] != sent["sha256"]:
            raise SystemExit("the dump was not known again")
        return Measured(again[-1].wall, again[-1].cpu)

    row = Comparison("Known again: the module's whole process", "reading it once, with sha256sum")
    results.compare(row, ours=ours, theirs=lambda: timed("sha256sum", str(dump)).took, runs=runs)
    seconds = statistics.median(ran.wall for ran in again[1:])
    to_reach = f"under {MOST_SECONDS:g} s"
    results.state("Known again: the module's whole process", f"{seconds:.2f} s", to_reach, seconds < MOST_SECONDS)
    always = send(checksum="always")
    results.state("checksum: always, which reads it anew: the module's whole process", f"{always.wall:.2f} s")
    what = "what the process reads, its own code included"
    if again[-1].read is None or always.read is None:
        results.skip(f"Known again: {what}", "only root is told")
    else:
        read = again[-1].read
        results.state(f"Known again: {what}", f"{read:.0f} MiB", "less than the dump", read * MEBIBYTE < size)
        results.state(f"checksum: always: {what}", f"{always.read:.0f} MiB")
    stage.tell("reset", {})


def has_room(results: Results, stage: Rehearsal, what: str, needed: int) -> bool:
    """Whether there is; says so among the results where not."""
    free = shutil.disk_usage(stage.folder).free
    if free < needed + GIBIBYTE:
        results.skip(what, f"needs {needed / GIBIBYTE:.1f} GiB, and one to spare; {free / GIBIBYTE:.1f} GiB are free")
    return free >= needed + GIBIBYTE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gibibytes", type=float, default=3.0, help="size of the dump of the first table (default: 3)")
    parser.add_argument("--cut-mebibytes", type=int, default=512, help="size of that of the second (default: 512)")
    parser.add_argument(
        "--unchanged-gibibytes", type=float, default=10.0, help="of the third, 0 for none (default: 10)"
    )
    parser.add_argument("--runs", type=int, default=5, help="of the third, after one that does not count (default: 5)")
    parser.add_argument("--folder", help="where to work; needs room for five of the first dump and one of the third")
    arguments = parser.parse_args()
    results = Results("transfer_memory")
    with (
        tempfile.TemporaryDirectory(prefix="transfers-", dir=arguments.folder) as folder,
        rehearsal(Path(folder), "--manual") as stage,
    ):
        size = int(arguments.gibibytes * GIBIBYTE)
        if has_room(results, stage, "memory", 5 * size):
            measure_memory(results, stage, size)
        size = arguments.cut_mebibytes * MEBIBYTE
        if has_room(results, stage, "connections that are cut", 5 * size):
            measure_cuts(results, stage, size)
        size = int(arguments.unchanged_gibibytes * GIBIBYTE)
        if size and has_room(results, stage, "a second run", size):
            measure_second_run(results, stage, size, arguments.runs)
    results.save()


if __name__ == "__main__":
    main()

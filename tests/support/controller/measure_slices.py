# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much time and memory a slice of a big fleet takes: 500 sites that answer at once, in slices as AWX cuts them.

From the folder tests: python -m support.controller.measure_slices [--sites 500] [--slices 1 5 25] [--playbook NAME]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support.controller import Injection
from support.controller.job import run_job
from support.controller.slices import slice_of
from support.fleet import Fleet

CLONE = Path(__file__).parents[3]


def measure(playbook: str, sites: int, slices: int, folder: Path) -> str:
    """One slice, in this process, whose children are measured."""
    account = Injection({"PLONE_USERNAME": "upgrader", "PLONE_PASSWORD": "password"}, {}, {})
    with Fleet(sites) as fleet:
        hosts = {name: {"plone_upgrade_url": f"{fleet.url}/{name}"} for name in fleet.versions}
        part = slice_of({"all": {"hosts": hosts}}, 1, slices)
        started = time.monotonic()
        job = run_job(folder, CLONE / "extensions/awx_project" / playbook, part, account, {})
        elapsed = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        f"| {playbook} | {sites} | {slices} | {len(part['all']['hosts'])} | {job.status} | {elapsed:.0f} "
        f"| {used.ru_utime + used.ru_stime:.0f} | {used.ru_maxrss / 1024:.0f} |"
    )


def main() -> None:
    """Measure each number of slices in a process of its own, because memory is the most that any child took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=500)
    parser.add_argument("--slices", type=int, nargs="+", default=[1, 5, 25])
    parser.add_argument("--playbook", default="plone_status.yml")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(given.playbook, given.sites, given.slices[0], Path(folder) / "job"))
        return
    print(
        "| playbook | sites | slices | in a slice | status | seconds | processor seconds | MiB of the largest process |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for slices in given.slices:
        more = ["--one", "--sites", str(given.sites), "--slices", str(slices), "--playbook", given.playbook]
        subprocess.run([sys.executable, "-m", "support.controller.measure_slices", *more], check=True)


if __name__ == "__main__":
    main()

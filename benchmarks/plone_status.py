# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of many Plone sites: the playbook plone_status beside one written with ansible.builtin.uri.

Both read versions, pending steps and add-ons of every site of one real instance, over the same inventory, and have to
tell the same. They run in turns, so that whatever else the machine does slows both down. The third row has the
inventory plugin find the sites first. From the root of a clone, with ansible-playbook on PATH and the collection where
Ansible finds it:

    PYTHONPATH=tests python benchmarks/plone_status.py [--sites 50] [--runs 5] [--forks 5]

The instance is made once and takes a second or two for each site.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support.ansible_cli import run_playbook
from support.plone import ADMIN, PloneServer

OURS, BY_URI, DISCOVERED = "plone_status", "ansible.builtin.uri", "plone_status, sites discovered"
COMPARED = ("versions", "steps_pending", "addons_behind")


def inventories(folder: Path, server: PloneServer) -> tuple[Path, Path]:
    """A plain inventory of all sites, and one of the plugin that has to find them."""
    hosts = {url.rpartition("/")[2]: {"plone_upgrade_url": url} for url in server.urls}
    plain, discovered = folder / "plain.yml", folder / "all.plone_sites.yml"
    plain.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    source = {"plugin": "siteops.upgrades.plone_sites", "url": server.root_url}
    discovered.write_text(json.dumps(source), encoding="utf-8")
    return plain, discovered


def timed(playbook: str, inventory: Path, forks: int) -> tuple[float, list[Any]]:
    """Seconds that a playbook took, and what it found out, in the order of the sites."""
    variables = {
        "ANSIBLE_SHOW_CUSTOM_STATS": "true",
        "PLONE_USERNAME": ADMIN.name,
        "PLONE_PASSWORD": ADMIN.password,
    }
    started = time.perf_counter()
    run = run_playbook(playbook, "-i", str(inventory), "-f", str(forks), env=variables)
    seconds = time.perf_counter() - started
    stats = re.search(r"^\tRUN: (\{.*)$", run.output, re.MULTILINE)
    if run.status or not stats:
        raise RuntimeError(f"{playbook} ended with {run.status}:\n{run.output}")
    return seconds, [{name: row[name] for name in COMPARED} for row in json.loads(stats.group(1))["plone_status"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=50)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--forks", type=int, default=5, help="5 is Ansible's default")
    arguments = parser.parse_args()

    by_uri = str(Path(__file__).with_name("plone_status_by_uri.yml"))
    seconds: dict[str, list[float]] = {OURS: [], BY_URI: [], DISCOVERED: []}
    with PloneServer(sites=arguments.sites) as server, tempfile.TemporaryDirectory() as scratch:
        plain, discovered = inventories(Path(scratch), server)
        runs = {
            OURS: ("siteops.upgrades.plone_status", plain),
            BY_URI: (by_uri, plain),
            DISCOVERED: ("siteops.upgrades.plone_status", discovered),
        }
        for number in range(arguments.runs + 1):
            told = {}
            for name, (playbook, inventory) in runs.items():
                taken, told[name] = timed(playbook, inventory, arguments.forks)
                if number:  # The first round only warms the server's caches.
                    seconds[name].append(taken)
            if not told[OURS] == told[BY_URI] == told[DISCOVERED]:
                sys.exit("The playbooks do not tell the same of the sites.")

    print(f"{arguments.sites} sites of one instance, {arguments.runs} runs each, {arguments.forks} forks")
    print(f"{'playbook':32} {'median':>8} {'fastest':>8} {'slowest':>8}   {'of uri':>6}")
    baseline = statistics.median(seconds[BY_URI])
    for name, values in seconds.items():
        median = statistics.median(values)
        row = f"{name:32} {median:6.2f} s {min(values):6.2f} s {max(values):6.2f} s"
        print(f"{row}   {median / baseline:6.2f}")


if __name__ == "__main__":
    main()

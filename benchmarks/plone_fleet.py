# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many Plone sites of one real instance: our playbooks beside ones written with ansible.builtin.uri.

The playbook plone_status and the one by hand read versions, pending steps and add-ons of every site, and have to tell
the same; another row has the inventory plugin find the sites first. The playbook plone_upgrade and the one by hand
rehearse and run every site's pending upgrade, 38 steps each; between the runs the sites are told that they are old
again. All sites are one process, so the server's own work does not get shorter with more forks.

Needs ansible-core and requests. An instance is made once and takes a second or two for each site.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stage.commands import Ended, timed_playbook
from stage.module_run import collections_folder
from stage.table import Comparison, Measured, Results
from support.plone import ADMIN, PROFILE, PloneServer

HERE = Path(__file__).parent
STATUS, UPGRADE = "siteops.upgrades.plone_status", "siteops.upgrades.plone_upgrade"
STATUS_BY_URI, UPGRADE_BY_URI = str(HERE / "plone_status_by_uri.yml"), str(HERE / "plone_upgrade_by_uri.yml")
COMPARED = ("versions", "steps_pending", "addons_behind")
NOT_CHECKED = (
    "plone_upgrade_by_uri.yml sends three requests a site and believes every answer of 200. It does not see a step "
    "that failed behind one, does not read the version afterwards, does not know whether a rehearsal was dry, cannot "
    "settle an answer that was lost on the way, and says nothing of add-ons. plone_upgrade does, with more calls."
)


class Fleet:
    """One instance with so many sites, and its two inventories: a plain one, and one of the plugin that finds them."""

    def __init__(self, folder: Path, server: PloneServer, forks: int) -> None:
        self._server = server
        self._collections = collections_folder(folder)
        self._forks = str(forks)
        self._told: list[Any] = []
        self.plain, self.discovered = folder / "plain.yml", folder / "all.plone_sites.yml"
        hosts = {url.rpartition("/")[2]: {"plone_upgrade_url": url} for url in server.urls}
        source = {"plugin": "siteops.upgrades.plone_sites", "url": server.root_url}
        for path, document in ((self.plain, {"all": {"hosts": hosts}}), (self.discovered, source)):
            path.write_text(json.dumps(document), encoding="utf-8")

    def status(self, playbook: str, inventory: Path) -> Measured:
        """Run a playbook that shows the status.

        :raises SystemExit: it tells something else than the ones before.
        """
        ended, calls = self._run(playbook, inventory)
        stats = re.search(r"^\tRUN: (\{.*)$", ended.output, re.MULTILINE)
        rows = json.loads(stats.group(1))["plone_status"] if stats else []
        told = [{name: row[name] for name in COMPARED} for row in rows]
        self._told = self._told or told
        if not told or told != self._told:
            raise SystemExit(f"{playbook} does not tell the same of the sites as the others.")
        return dataclasses.replace(ended.took, calls=calls)

    def upgrade(self, playbook: str) -> Measured:
        """Have a playbook upgrade all sites, which are old again before.

        :raises SystemExit: a site has still something to do afterwards.
        """
        for site_id in self._server.site_ids:
            self._server.set_version(PROFILE, site_id=site_id)
        ended, calls = self._run(playbook, self.plain)
        for url in self._server.urls:
            versions = self._server.call("GET", f"{url}/@upgrade")[1]["versions"]
            if versions["instance"] != versions["fs"]:
                raise SystemExit(f"{playbook} did not upgrade {url}.")
        return dataclasses.replace(ended.took, calls=calls)

    def _run(self, playbook: str, inventory: Path) -> tuple[Ended, int]:
        """How it ended, and the requests that the server saw."""
        variables = {
            "ANSIBLE_SHOW_CUSTOM_STATS": "true",
            "PLONE_USERNAME": ADMIN.name,
            "PLONE_PASSWORD": ADMIN.password,
        }
        self._server.clear_requests()
        arguments = ("-i", str(inventory), "-f", self._forks)
        ended = timed_playbook(playbook, *arguments, collections=self._collections, env=variables)
        return ended, len(self._server.requests())


def measure(results: Results, sites: int, runs: int, upgrade_runs: int, forks: int) -> None:
    """Every row for so many sites."""
    many = f"{sites} site{'s' if sites > 1 else ''}"
    with PloneServer(sites=sites) as server, tempfile.TemporaryDirectory() as scratch:
        fleet = Fleet(Path(scratch), server, forks)
        rows: list[tuple[Comparison, Callable[[], Measured]]] = [
            (Comparison(name, Path(STATUS_BY_URI).name), partial(fleet.status, STATUS, inventory))
            for name, inventory in (
                (f"plone_status, {many}", fleet.plain),
                (f"plone_status, {many}, discovered", fleet.discovered),
            )
        ]
        if runs:
            by_uri = partial(fleet.status, STATUS_BY_URI, fleet.plain)
            results.compare_all(rows, theirs=by_uri, runs=runs)
        if upgrade_runs:
            results.compare(
                Comparison(f"plone_upgrade, {many}", Path(UPGRADE_BY_URI).name),
                ours=partial(fleet.upgrade, UPGRADE),
                theirs=partial(fleet.upgrade, UPGRADE_BY_URI),
                runs=upgrade_runs,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sites_help = (
        "numbers of sites, with commas between; 50:2 is for at most 2 runs of 50 sites, 50:2:0 for at most 2 of their "
        "status and no upgrade (default: 1,10,50)"
    )
    parser.add_argument("--sites", default="1,10,50", help=sites_help)
    parser.add_argument(
        "--runs", type=int, default=5, help="of each status, after one that does not count (default: 5)"
    )
    parser.add_argument("--upgrade-runs", type=int, default=5, help="the same of each upgrade (default: 5); 0 for none")
    parser.add_argument("--forks", type=int, default=5, help="5 is Ansible's default")
    arguments = parser.parse_args()
    results = Results("plone_fleet")
    results.section(f"Sites of one instance, loopback, {arguments.forks} forks")
    for size in arguments.sites.split(","):
        sites, *most = size.split(":")
        runs = min([arguments.runs, *map(int, most[:1])])
        upgrade_runs = min([arguments.upgrade_runs, *map(int, most[-1:])])
        results.note(f"{sites} sites: {runs} runs of the status, {upgrade_runs} of the upgrade, each after one more.")
        measure(results, int(sites), runs, upgrade_runs, arguments.forks)
    results.note(NOT_CHECKED)
    results.save()


if __name__ == "__main__":
    main()

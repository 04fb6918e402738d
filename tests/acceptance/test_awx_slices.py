# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sliced upgrade: each job has its part of the inventory, and the report covers all of them."""

from __future__ import annotations

from pathlib import Path

from support.controller import Injection
from support.controller.job import run_job
from support.controller.slices import slice_of
from support.fleet import NEW, Fleet

PROJECT = Path(__file__).parents[2] / "extensions/awx_project"
SLICES = 2


def test_slices_upgrade_every_site_once_and_share_one_report(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    nobody = Injection({"PLONE_USERNAME": "upgrader", "PLONE_PASSWORD": "password-of-the-tests"}, {}, {})
    with Fleet(sites=3) as fleet:
        hosts = {name: {"plone_upgrade_url": f"{fleet.url}/{name}"} for name in fleet.versions}
        inventory = {"all": {"hosts": hosts, "children": {"plone_pending": {"hosts": dict.fromkeys(hosts, {})}}}}
        variables = {
            "plone_upgrade_hosts": "plone_pending",
            "plone_upgrade_rehearsal": "skip",
            "plone_upgrade_report_dir": str(reports),
        }
        jobs = [
            run_job(
                tmp_path / f"slice-{number}",
                PROJECT / "plone_upgrade.yml",
                slice_of(inventory, number, SLICES),
                nobody,
                variables,
            )
            for number in range(1, SLICES + 1)
        ]
        assert [job.status for job in jobs] == ["successful"] * SLICES, jobs[0].stdout
        assert [sorted(job.hosts) for job in jobs] == [["site000", "site002"], ["site001"]]
        assert set(fleet.versions.values()) == {NEW}
        assert set(fleet.posts.values()) == {1}
    page = run_job(
        tmp_path / "report", PROJECT / "upgrade_report.yml", {"all": {}}, nobody, {"upgrade_report_dir": str(reports)}
    )
    assert page.artifacts["upgrade_report_counts"]["hosts"] == len(hosts)
    assert page.artifacts["upgrade_report_counts"]["changed"] == len(hosts)

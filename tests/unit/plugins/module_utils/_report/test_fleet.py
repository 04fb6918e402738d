# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How hosts stand after many runs, and in what order they are told."""

from __future__ import annotations

import typing as t

from ansible_collections.siteops.upgrades.plugins.module_utils._report.fleet import gather
from ansible_collections.siteops.upgrades.plugins.module_utils._report.reader import Unreadable
from ansible_collections.siteops.upgrades.tests.unit.run_reports import run_of

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.siteops.upgrades.plugins.module_utils._report.run import Run


def run_on(folder: Path, day: int, **values: t.Any) -> Run:
    name = f"{values.get('host', 'x')}-{day}-{values.get('check_mode', '')}.json"
    times = {"started_at": f"2026-11-{day:02}T03:00:00Z", "finished_at": f"2026-11-{day:02}T03:05:00Z"}
    return run_of(folder, name, **{**times, **values})


def test_those_that_need_a_person_come_first(tmp_path: Path) -> None:
    runs = [
        run_on(tmp_path, 1, host="e", result="ok"),
        run_on(tmp_path, 1, host="d", result="changed"),
        run_on(tmp_path, 1, host="foreseen", result="changed", check_mode=True),
        run_on(tmp_path, 1, host="c", result="refused"),
        run_on(tmp_path, 1, host="b", result="failed"),
        run_on(tmp_path, 1, host="A", result="failed", product="odoo"),
        run_on(tmp_path, 1, host="u", result="unfinished", finished_at=None),
    ]
    fleet = gather([*runs, Unreadable("x.json", "It is empty.")], 0)
    assert [host.name for host in fleet.hosts] == ["A", "b", "u", "c", "foreseen", "d", "e"]
    expected = {"failed": 2, "unfinished": 1, "refused": 1, "would_change": 1, "changed": 1, "ok": 1}
    assert fleet.counts == {"hosts": 7, **expected, "runs": 7, "unreadable": 1}


def test_the_order_of_reading_does_not_matter(tmp_path: Path) -> None:
    runs = [run_on(tmp_path, day, host=name) for day in (3, 1, 2) for name in "ab"]
    assert gather(runs, 0) == gather(reversed(runs), 0)
    assert [run.started_at.day for run in gather(runs, 0).hosts[0].past] == [3, 2, 1]


def test_a_host_of_both_products_is_two(tmp_path: Path) -> None:
    fleet = gather([run_on(tmp_path, 1, product=product) for product in ("odoo", "plone")], 0)
    assert [(host.name, host.product) for host in fleet.hosts] == [("intranet", "plone"), ("intranet", "odoo")]


def test_a_check_does_not_hide_a_failure(tmp_path: Path) -> None:
    failed = run_on(tmp_path, 1, result="failed")
    checked = run_on(tmp_path, 2, result="ok", check_mode=True)
    [host] = gather([checked, failed], 0).hosts
    assert host.standing == "failed"
    assert host.latest == failed
    assert host.checked == checked
    repaired = run_on(tmp_path, 3, result="changed")
    [host] = gather([checked, failed, repaired], 0).hosts
    assert (host.standing, host.checked) == ("changed", None)


def test_so_many_past_runs_as_wanted_and_all_counted(tmp_path: Path) -> None:
    runs = [run_on(tmp_path, day, server_report="long", steps=[{"title": "x"}]) for day in range(1, 9)]
    fleet = gather(runs, 3)
    [host] = fleet.hosts
    assert [run.started_at.day for run in host.past] == [8, 7, 6]
    assert host.runs == fleet.counts["runs"] == 8
    assert host.latest.server_report == "long"
    assert {run.server_report for run in host.past} == {""}


def test_nothing_yet() -> None:
    fleet = gather([], 20)
    assert fleet.newest is None
    assert set(fleet.counts.values()) == {0}

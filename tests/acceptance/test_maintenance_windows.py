# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance windows in both roles: what they let through, and what they refuse. Their hours are tested by dates."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import PlaybookRun, run_playbook
from support.odoo_job import READS, Job, calls, calls_since, run_hosts
from support.platform import Platform
from support.plone import PloneServer
from support.plone.accounts import ADMIN

REFUSED = "Nothing is started before. Run this again then, or let it wait that long."

Role = Callable[..., PlaybookRun]


def hours(begin: float, end: float) -> dict[str, str]:
    """A window of every day, by hours from now."""
    now = datetime.now(UTC)
    return {
        "from": f"{now + timedelta(hours=begin):%H:%M}",
        "to": f"{now + timedelta(hours=end):%H:%M}",
        "timezone": "UTC",
    }


OPEN, SHORT, CLOSED = hours(-2, 6), hours(-2, 1), hours(6, 8)


def posted(plone: PloneServer) -> list[str]:
    return [request.path for request in plone.requests() if request.method != "GET"]


@pytest.fixture
def role(plone: PloneServer, tmp_path: Path) -> Role:
    """Run the role plone_upgrade on hosts that are all the same site, one after another, by their variables."""

    def run(hosts: dict[str, dict[str, Any]], *flags: str) -> PlaybookRun:
        own = {
            host: {f"plone_upgrade_{name}": value for name, value in {"wait_interval": 1, **variables}.items()}
            for host, variables in hosts.items()
        }
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": own}}), encoding="utf-8")
        env = {"PLONE_URL": plone.url, "PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
        return run_playbook("siteops.upgrades.plone_upgrade", "-i", str(inventory), "-f", "1", *flags, env=env)

    return run


def said_of(run: PlaybookRun, host: str) -> str:
    """What a host's failures say, on one line."""
    return " ".join(re.findall(rf"^fatal: \[{host}\]: FAILED! => (.*)", run.output, re.MULTILINE))


def outcomes(run: PlaybookRun) -> dict[str, tuple[int, int]]:
    """How often each host failed, and changed something."""
    return {host: (counters["failed"], counters["changed"]) for host, counters in run.recap.items()}


def reports_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir())]


def assert_reported_as_refused(report: dict[str, Any]) -> None:
    assert report["result"] == "refused"
    assert report["message"].endswith(REFUSED)
    assert [phase["result"] for phase in report["phases"] if phase["name"] == "window"] == ["refused"]


def test_a_site_is_upgraded_in_the_window_and_refused_outside(plone: PloneServer, role: Role, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    hosts = {"plain": {}, "only": {"rehearsal": "only"}, "skip": {"rehearsal": "skip"}}
    refused = role({host: {"window": CLOSED, "report_dir": str(reports), **own} for host, own in hosts.items()})
    for host in hosts:
        assert REFUSED in said_of(refused, host), refused.output
        assert f"from {CLOSED['from']} to {CLOSED['to']} (UTC), is closed" in said_of(refused, host)
    assert posted(plone) == []
    for report in reports_in(reports):
        assert_reported_as_refused(report)
        assert report["state_before"] == "pending"
    assert len(reports_in(reports)) == 3

    upgraded = role({"site": {"window": OPEN, "wait_timeout": 3600}})
    assert outcomes(upgraded) == {"site": (0, 1)}, upgraded.output
    assert "What is started now may take" not in upgraded.words
    hosts = {"core": {"addons": "none"}, "addons": {"addons": "all"}, "tried": {"addons": "all", "rehearsal": "only"}}
    afterwards = role({host: {"window": CLOSED, **own} for host, own in hosts.items()})
    assert outcomes(afterwards) == {"core": (0, 0), "addons": (1, 0), "tried": (0, 0)}, afterwards.output
    assert REFUSED in said_of(afterwards, "addons")
    assert len(posted(plone)) == 2


def test_check_mode_says_what_would_be_refused_and_what_may_reach_past_the_window(
    plone: PloneServer, role: Role
) -> None:
    """Each of core and add-ons may take four of the six hours that are left: neither alone reaches past the end."""
    hosts = {
        "closed": {"window": CLOSED},
        "short": {"window": SHORT},
        "core": {"window": OPEN, "wait_timeout": 4 * 3600},
        "addons": {"window": OPEN, "wait_timeout": 4 * 3600, "addons": "all"},
    }
    run = role(hosts, "--check")
    assert run.status == 0, run.output
    assert "Check mode works at any time; a run outside of it would be refused." in run.words
    for hours_needed in ("2 h", "8 h"):
        assert f"What is started now may take {hours_needed}, and the maintenance window closes in" in run.words
    assert "What is started now may take 4 h" not in run.words
    assert posted(plone) == []


def test_a_hook_that_outlasts_the_window_leaves_the_site_alone(plone: PloneServer, role: Role, tmp_path: Path) -> None:
    """The hook changes the window to one that is closed, as if it had worked until then."""
    before, after = tmp_path / "before.yml", tmp_path / "after.yml"
    close = {"ansible.builtin.set_fact": {"closing": CLOSED}, "name": "Take too long"}
    before.write_text(json.dumps([close]), encoding="utf-8")
    show = {"ansible.builtin.debug": {"msg": "after: {{ plone_upgrade_failed }}"}, "name": "Show what the hook sees"}
    after.write_text(json.dumps([show]), encoding="utf-8")
    window = "{{ closing | default(" + json.dumps(OPEN) + ") }}"
    hooks = {"before": [str(before)], "after": [str(after)]}
    run = role({"site": {"window": window, **hooks, "undo_on_failure": True, "rehearsal": "skip"}})
    assert run.status != 0
    assert (
        "Refuse to change the site outside of the maintenance window: The maintenance window, every day from"
        in run.words
    )
    assert '"msg": "after: True"' in run.words
    # The proof of the way back, which names no transaction.
    assert posted(plone) == ["/Plone/@transactions"]


def test_bad_hours_are_named_before_the_first_request(plone: PloneServer, role: Role) -> None:
    bad: dict[str, tuple[dict[str, Any], str]] = {
        "hour": ({"from": "25:00", "to": "04:00"}, "window.from': 25:00 is not a time"),
        "half": ({"from": "22:00"}, "to found in window"),
        "zone": ({"from": "22:00", "to": "04:00", "timezone": "Europe/Zuerich"}, "timezone': Europe/Zuerich is no"),
        "day": ({"from": "22:00", "to": "04:00", "days": ["samstag"]}, "window.days': samstag is not a day"),
        "name": ({"from": "22:00", "until": "04:00"}, "until"),
        "same": ({"from": "22:00", "to": "22:00"}, "window.to': is the same as 'from'"),
    }
    run = role({host: {"window": window} for host, (window, _words) in bad.items()})
    found = {host: said_of(run, host) for host in bad}
    assert {host for host, (_window, words) in bad.items() if words not in found[host]} == set(), run.output
    assert plone.requests() == []


def test_a_database_waits_for_the_window_at_each_step(platform: Platform, tmp_path: Path) -> None:
    """One that has no request yet, one whose request was made, and one whose tests are to be skipped."""
    reports = tmp_path / "reports"
    reports.mkdir()
    platform.settings.update({"stage_seconds": None})
    new, created, testing = jobs = [Job(platform, tmp_path / name, name) for name in ("new", "created", "testing")]
    created.create()
    testing.submit()
    platform.force_state(testing.request_id, "testing")
    before = len(calls(platform))
    own: dict[str, dict[str, Any]] = {
        "new": {"window_wait": 3600, "report_dir": str(reports)},
        "created": {},
        "testing": {"skip_test": True},
    }
    refused = run_hosts(new, {job.host: {**job.settings, **own[job.host], "window": CLOSED} for job in jobs})
    assert {host: failed for host, (failed, _changed) in outcomes(refused).items()} == dict.fromkeys(own, 1)
    for host in own:
        assert REFUSED in said_of(refused, host), refused.output
    [report] = reports_in(reports)
    assert_reported_as_refused(report)
    assert calls_since(platform, before) == READS
    assert new.files == set()

    opened = testing.run(window=OPEN, wait=False, skip_test="true")
    assert testing.counters(opened)["changed"] == 2
    testing.assert_whole()
    assert calls(platform).count("skip_test") == 1
    assert platform.request(testing.request_id).state == "delivered"
    before = len(calls(platform))
    again = testing.module("odoo_upgrade_skip_test")
    assert (again.failed, again.result["changed"]) == (False, False)
    assert calls_since(platform, before) == READS


def test_a_database_is_submitted_when_the_window_opens_and_collected_at_any_time(platform: Platform, job: Job) -> None:
    """The window opens with the next minute, so that is the longest that this takes."""
    platform.settings.update({"stage_seconds": None})
    foreseen = run_hosts(job, {"shop": {"window": CLOSED}, "long": {"window": SHORT, "wait_timeout": 86400}}, "--check")
    assert outcomes(foreseen) == {"shop": (0, 4), "long": (0, 4)}, foreseen.output
    assert "Check mode works at any time" in foreseen.words
    assert "What is started now may take 1 d, and the maintenance window closes in" in foreseen.words
    assert calls(platform) == []
    assert job.files == set()

    soon = hours((61 - datetime.now(UTC).second) / 3600, 5)
    submitted = job.run(window=soon, window_wait=120, wait=False)
    assert job.counters(submitted)["changed"] == 3
    assert "What is started now may take" not in submitted.words
    platform.force_state(job.request_id, "done")
    assert job.counters(job.run(window=CLOSED))["changed"] == 1
    job.assert_whole()

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance windows in both roles: what they let through, and what they refuse. Their hours are tested by dates."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import PlaybookRun, run_module, run_playbook
from support.odoo_job import READS, Job, calls, calls_since, run_hosts
from support.platform import Platform
from support.plone import PloneServer
from support.plone.accounts import ADMIN
from support.windows import CLOSED, OPEN, REFUSED, REFUSED_LATER, SHORT, hours

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "day": ({"from": "22:00", "to": "04:00", "days": ["samstag"]}, "window.days': samstag is not a day"),
    "name": ({"from": "22:00", "until": "04:00"}, "until"),
}
"""Windows that the role does not take, with what it says."""

Role = Callable[..., PlaybookRun]


def posted(plone: PloneServer) -> list[str]:
    return [request.path for request in plone.requests() if request.method != "GET"]


@pytest.fixture
def role(plone: PloneServer, tmp_path: Path) -> Role:
    """Run the role plone_upgrade on hosts that are all the same site, each to its end before the next one begins."""

    def run(hosts: dict[str, dict[str, Any]], *flags: str) -> PlaybookRun:
        own = {
            host: {f"plone_upgrade_{name}": value for name, value in {"wait_interval": 1, **variables}.items()}
            for host, variables in hosts.items()
        }
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": own}}), encoding="utf-8")
        env = {"PLONE_URL": plone.url, "PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
        env["ANSIBLE_STRATEGY"] = "ansible.builtin.host_pinned"
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


def test_bad_hours_are_named() -> None:
    """By the module, which the roles run first; the role's own words are among those of the next test."""
    bad: dict[str, tuple[dict[str, Any], str]] = {
        "hour": ({"from": "25:00", "to": "04:00"}, "window.from': 25:00 is not a time"),
        "half": ({"from": "22:00"}, "to found in window"),
        "zone": ({"from": "22:00", "to": "04:00", "timezone": "Europe/Zuerich"}, "timezone': Europe/Zuerich is no"),
        "same": ({"from": "22:00", "to": "22:00"}, "window.to': is the same as 'from'"),
        "day": BAD["day"],
    }
    found = {name: run_module("maintenance_window_info", {"window": window}) for name, (window, _words) in bad.items()}
    assert {name: run.msg for name, run in found.items() if not run.failed or bad[name][1] not in run.msg} == {}


def hooks_that_close_the_window(folder: Path) -> dict[str, Any]:
    """Variables of a run whose hook changes the window to one that is closed, as if it had worked until then."""
    before, after = folder / "before.yml", folder / "after.yml"
    close = {"ansible.builtin.set_fact": {"closing": CLOSED}, "name": "Take too long"}
    before.write_text(json.dumps([close]), encoding="utf-8")
    show = {"ansible.builtin.debug": {"msg": "after: {{ plone_upgrade_failed }}"}, "name": "Show what the hook sees"}
    after.write_text(json.dumps([show]), encoding="utf-8")
    window = "{{ closing | default(" + json.dumps(OPEN) + ") }}"
    return {"window": window, "before": [str(before)], "after": [str(after)], "undo_on_failure": True}


def test_a_site_is_upgraded_in_the_window_and_refused_outside(plone: PloneServer, role: Role, tmp_path: Path) -> None:
    """Two windows that are none, refused before the first request, which nobody would answer; two runs in a closed
    window, one whose hook outlasts its window, and one in its window; then, at a site that is up to date, three in a
    closed window, of which one has add-ons to change. In one play, because its start costs more than most of that.
    """
    reports = tmp_path / "reports"
    reports.mkdir()
    refused = {"plain": {}, "only": {"rehearsal": "only"}}
    afterwards = {
        "core": {"addons": "none"},
        "addons": {"addons": "all"},
        "tried": {"addons": "all", "rehearsal": "only"},
    }
    run = role({
        **{host: {"url": "http://127.0.0.1:9/Plone", "window": window} for host, (window, _words) in BAD.items()},
        **{host: {"window": CLOSED, "report_dir": str(reports), **own} for host, own in refused.items()},
        "hook": {**hooks_that_close_the_window(tmp_path), "rehearsal": "skip"},
        "site": {"window": OPEN, "wait_timeout": 3600},
        **{host: {"window": CLOSED, **own} for host, own in afterwards.items()},
    })  # fmt: skip
    assert outcomes(run) == {
        "day": (1, 0), "name": (1, 0), "plain": (1, 0), "only": (1, 0), "hook": (1, 0), "site": (0, 1),
        "core": (0, 0), "addons": (1, 0), "tried": (0, 0),
    }, run.output  # fmt: skip
    assert {host for host, (_window, words) in BAD.items() if words not in said_of(run, host)} == set(), run.output
    for host in ("plain", "only", "hook", "addons"):
        assert REFUSED in said_of(run, host), run.output
        assert f"from {CLOSED['from']} to {CLOSED['to']} (UTC), is closed" in said_of(run, host)
    for report in reports_in(reports):
        assert_reported_as_refused(report)
        assert report["state_before"] == "pending"
    assert len(reports_in(reports)) == len(refused)
    assert "Refuse to change the site outside of the maintenance window: The maintenance window" in said_of(run, "hook")
    assert '"msg": "after: True"' in run.words
    assert "What is started now may take" not in run.words
    # The hook's proof of the way back, which names no transaction; and what the site in its window posts.
    assert posted(plone) == ["/Plone/@transactions", "/Plone/@upgrade", "/Plone/@upgrade"]


def test_check_mode_says_what_would_be_refused_and_what_may_reach_past_the_window(
    plone: PloneServer, role: Role
) -> None:
    """Each of core and add-ons may take four of the six hours that are left: neither alone reaches past the end."""
    hosts = {
        "closed": {"window": CLOSED, "rehearsal": "skip"},
        "short": {"window": SHORT, "rehearsal": "only"},
        "core": {"window": OPEN, "wait_timeout": 4 * 3600, "rehearsal": "skip"},
        "addons": {"window": OPEN, "wait_timeout": 4 * 3600, "rehearsal": "skip", "addons": "all"},
    }
    run = role(hosts, "--check")
    assert run.status == 0, run.output
    assert REFUSED_LATER in run.words
    for hours_needed in ("2 h", "8 h"):
        assert f"What is started now may take {hours_needed}, and the maintenance window closes in" in run.words
    assert "What is started now may take 4 h" not in run.words
    assert posted(plone) == []


def test_a_database_waits_for_the_window_at_each_step(platform: Platform, tmp_path: Path) -> None:
    """One that has no request yet, one whose request was made, one whose tests are to be skipped; and one whose result
    is there, which is fetched at any time.

    A window opens with the next minute, so that is the longest that this takes.
    """
    reports = tmp_path / "reports"
    reports.mkdir()
    platform.settings.update({"stage_seconds": None})
    names = ("new", "created", "testing", "done")
    new, created, testing, done = jobs = [Job(platform, tmp_path / name, name) for name in names]
    created.create()
    for job in (testing, done):
        job.submit()
        platform.force_state(job.request_id, job.host)
    before = len(calls(platform))
    own: dict[str, dict[str, Any]] = {
        "new": {"window_wait": 3600, "report_dir": str(reports)},
        "created": {},
        "testing": {"skip_test": True},
        "done": {},
    }
    closed = run_hosts(new, {job.host: {**job.settings, **own[job.host], "window": CLOSED} for job in jobs})
    assert outcomes(closed) == {**dict.fromkeys(names[:3], (1, 0)), "done": (0, 1)}, closed.output
    for host in names[:3]:
        assert REFUSED in said_of(closed, host), closed.output
    [report] = reports_in(reports)
    assert_reported_as_refused(report)
    since = platform.calls()[before:]
    assert {record.call for record in since if record.request_id != done.request_id} == READS
    assert new.files == set()
    done.assert_whole()

    soon = hours((61 - datetime.now(UTC).second) / 3600, 5)
    own = {
        "created": {"window": soon, "window_wait": 120, "wait": False},
        "testing": {"window": OPEN, "wait": False, "skip_test": "true"},
    }
    opened = run_hosts(new, {job.host: {**job.settings, **own[job.host]} for job in (created, testing)})
    assert outcomes(opened) == {"created": (0, 2), "testing": (0, 2)}, opened.output
    assert "What is started now may take" not in opened.words
    assert platform.request(created.request_id).state == "pending"
    testing.assert_whole()
    assert calls(platform).count("skip_test") == 1
    assert platform.request(testing.request_id).state == "delivered"
    before = len(calls(platform))
    again = testing.module("odoo_upgrade_skip_test")
    assert (again.failed, again.result["changed"]) == (False, False)
    assert calls_since(platform, before) == READS

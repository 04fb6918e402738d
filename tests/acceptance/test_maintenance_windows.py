# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance windows in both roles: what they let through, and what they refuse. Their hours are tested by dates."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import PlaybookRun, run_playbook
from support.odoo_job import READS, Job, calls, calls_since
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


@pytest.fixture
def role(plone: PloneServer) -> Role:
    """Run the role plone_upgrade; variables are given without their prefix."""

    def run(*flags: str, **variables: Any) -> PlaybookRun:
        given = {"wait_interval": 1, **variables}
        extra = json.dumps({f"plone_upgrade_{name}": value for name, value in given.items()})
        env = {"PLONE_URL": plone.url, "PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
        return run_playbook("siteops.upgrades.plone_upgrade", "-i", "site,", "-e", extra, *flags, env=env)

    return run


def posted(plone: PloneServer) -> list[str]:
    return [request.path for request in plone.requests() if request.method != "GET"]


def test_a_site_is_upgraded_in_the_window_and_refused_outside(plone: PloneServer, role: Role) -> None:
    for variables in ({}, {"rehearsal": "only"}, {"rehearsal": "skip"}):
        refused = role(window=CLOSED, **variables)
        assert refused.status != 0
        assert REFUSED in refused.words
        assert f"from {CLOSED['from']} to {CLOSED['to']} (UTC), is closed" in refused.words
        assert posted(plone) == []
    foreseen = role("--check", window=CLOSED)
    assert foreseen.status == 0, foreseen.output
    assert "Check mode works at any time; a run outside of it would be refused." in foreseen.words
    assert posted(plone) == []
    upgraded = role(window=OPEN, wait_timeout=3600)
    assert upgraded.recap["site"]["changed"] == 1, upgraded.output
    assert "What is started now may take" not in upgraded.words
    needs_nothing = role(window=CLOSED, addons="none")
    assert needs_nothing.recap["site"]["changed"] == 0, needs_nothing.output
    behind = role(window=CLOSED, addons="all")
    assert REFUSED in behind.words
    assert role(window=CLOSED, addons="all", rehearsal="only").status == 0
    assert len(posted(plone)) == 2


def test_a_wait_that_reaches_past_the_window_is_warned_of(role: Role) -> None:
    run = role(window=SHORT, rehearsal="only")
    assert run.status == 0, run.output
    assert "What is started now may take 2 h, and the maintenance window closes in" in run.words


def test_an_upgrade_whose_add_ons_may_reach_past_the_window_is_warned_of(role: Role) -> None:
    """Each may take four of the six hours that are left, so that neither alone reaches past the end."""
    core_alone = role("--check", window=OPEN, wait_timeout=4 * 3600)
    assert core_alone.status == 0, core_alone.output
    assert "What is started now may take" not in core_alone.words
    with_addons = role("--check", window=OPEN, wait_timeout=4 * 3600, addons="all")
    assert with_addons.status == 0, with_addons.output
    assert "What is started now may take 8 h, and the maintenance window closes in" in with_addons.words


def test_a_hook_that_outlasts_the_window_leaves_the_site_alone(plone: PloneServer, role: Role, tmp_path: Path) -> None:
    """The hook changes the window to one that is closed, as if it had worked until then."""
    before, after = tmp_path / "before.yml", tmp_path / "after.yml"
    close = {"ansible.builtin.set_fact": {"closing": CLOSED}, "name": "Take too long"}
    before.write_text(json.dumps([close]), encoding="utf-8")
    tell = {"ansible.builtin.debug": {"msg": "after: {{ plone_upgrade_failed }}"}, "name": "Tell the hook after"}
    after.write_text(json.dumps([tell]), encoding="utf-8")
    window = "{{ closing | default(" + json.dumps(OPEN) + ") }}"
    run = role(window=window, before=[str(before)], after=[str(after)], undo_on_failure=True, rehearsal="skip")
    assert run.status != 0
    assert (
        "Refuse to change the site outside of the maintenance window: The maintenance window, every day from"
        in run.words
    )
    assert '"msg": "after: True"' in run.words
    assert posted(plone) == []


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({"from": "25:00", "to": "04:00"}, "window.from': 25:00 is not a time"),
        ({"from": "22:00"}, "to found in window"),
        (
            {"from": "22:00", "to": "04:00", "timezone": "Europe/Zuerich"},
            "window.timezone': Europe/Zuerich is no",
        ),
        ({"from": "22:00", "to": "04:00", "days": ["samstag"]}, "window.days': samstag is not a day"),
        ({"from": "22:00", "until": "04:00"}, "until"),
        ({"from": "22:00", "to": "22:00"}, "window.to': is the same as 'from'"),
    ],
)
def test_bad_hours_are_named_before_the_first_request(
    window: dict[str, Any], said: str, plone: PloneServer, role: Role
) -> None:
    run = role(window=window)
    assert run.status != 0
    assert said in run.words
    assert plone.requests() == []


def test_a_database_is_only_submitted_in_the_window_and_collected_at_any_time(platform: Platform, job: Job) -> None:
    platform.settings.update({"stage_seconds": None})
    refused = job.run(window=CLOSED)
    assert refused.status != 0
    assert REFUSED in refused.words
    assert calls(platform) == []
    assert job.files == set()
    foreseen = job.run("--check", window=CLOSED)
    assert job.counters(foreseen)["changed"] == 4
    assert "Check mode works at any time" in foreseen.words

    submitted = job.run(window=OPEN, wait=False)
    assert job.counters(submitted)["changed"] == 3
    assert "What is started now may take" not in submitted.words

    count = len(calls(platform))
    assert job.counters(job.run(window=CLOSED, wait=False))["changed"] == 0
    assert calls_since(platform, count) == READS
    platform.force_state(job.request_id, "done")
    assert job.counters(job.run(window=CLOSED))["changed"] == 1
    job.assert_whole()
    assert job.counters(job.run(window=CLOSED))["changed"] == 0


def test_a_request_that_was_made_and_not_submitted_waits_for_the_window(platform: Platform, job: Job) -> None:
    platform.fault("http_error", "upload", status=502, times=10)
    assert job.run(window=OPEN).status != 0
    count = len(calls(platform))
    assert REFUSED in job.run(window=CLOSED).words
    assert calls_since(platform, count) == READS


def test_tests_are_skipped_in_the_window_or_by_the_run_that_began_there(platform: Platform, job: Job) -> None:
    platform.settings.update({"stage_seconds": None})
    job.counters(job.run(wait=False))
    platform.force_state(job.request_id, "testing")
    refused = job.run(window=CLOSED, skip_test=True)
    assert refused.status != 0
    assert REFUSED in refused.words
    assert "skip_test" not in calls(platform)
    assert job.counters(job.run(window=OPEN, skip_test=True))["changed"] == 2
    job.assert_whole()


def test_a_wait_for_the_platform_past_the_window_is_warned_of(job: Job) -> None:
    warned = job.run(window=SHORT, wait_timeout=86400)
    assert job.counters(warned)["changed"] == 4
    assert "What is started now may take 1 d, and the maintenance window closes in" in warned.words


def test_a_run_waits_for_the_window_where_it_opens_soon_enough(job: Job) -> None:
    """The window opens with the next minute, so that is the longest that this takes."""
    now = datetime.now(UTC)
    soon = hours((61 - now.second) / 3600, 5)
    refused = job.run(window=CLOSED, window_wait=3600)
    assert REFUSED in refused.words
    waited = job.run(window=soon, window_wait=120)
    assert job.counters(waited)["changed"] == 4


def test_a_refusal_is_reported_as_one(plone: PloneServer, role: Role, job: Job, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    role(window=CLOSED, report_dir=str(folder))
    job.run(window=CLOSED, report_dir=str(folder))
    reports = {report["product"]: report for report in (json.loads(path.read_text()) for path in folder.iterdir())}
    for product in ("plone", "odoo"):
        assert reports[product]["result"] == "refused"
        assert reports[product]["message"].endswith(REFUSED)
        assert [phase["result"] for phase in reports[product]["phases"] if phase["name"] == "window"] == ["refused"]
    assert reports["plone"]["state_before"] == "pending"

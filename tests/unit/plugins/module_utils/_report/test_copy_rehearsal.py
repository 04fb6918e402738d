# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of a rehearsal on a copy: from the record of the role to the page, beside the run of the site."""

from __future__ import annotations

import typing as t

from ansible_collections.siteops.upgrades.plugins.module_utils._report.copy_rehearsal import CopyRehearsal
from ansible_collections.siteops.upgrades.plugins.module_utils._report.fleet import gather
from ansible_collections.siteops.upgrades.plugins.module_utils._report.html import page
from ansible_collections.siteops.upgrades.plugins.module_utils._report.markdown import document
from ansible_collections.siteops.upgrades.plugins.module_utils._report.words import result
from ansible_collections.siteops.upgrades.tests.unit.run_reports import run_of

if t.TYPE_CHECKING:
    from pathlib import Path

# With numbers as text, as Ansible before 2.19 writes them.
RECORD = {
    **{
        "collection": "siteops.upgrades",
        "name": "plone",
        "passed": True,
        "reason": "",
        "began_at": "2026-11-20T02:00:00Z",
    },
    **{"backup": "/var/backups/plone/plone-20261120T010000Z", "from": "6021", "to": "6205"},
    **{"seconds": {"dry_run": 2.5, "restore": "4.1", "upgrade": 11.2, "start": 6}, "peak_memory": "231211008"},
    **{"growth": 1474560, "catalog_before": "3010", "catalog_after": 3011},
}
OF_SITE = [
    {"name": "rehearsal", "duration": 3.5, "result": "ok"},
    {"name": "upgrade", "duration": 12.4, "result": "changed"},
]


def test_the_record_of_the_role_is_read_whatever_form_its_numbers_have() -> None:
    rehearsal = CopyRehearsal.from_json(RECORD)
    assert rehearsal
    assert (rehearsal.seconds["restore"], rehearsal.peak_memory, rehearsal.catalog_before) == (4.1, 231211008, 3010)
    assert CopyRehearsal.from_json(rehearsal.to_json()) == rehearsal
    assert CopyRehearsal.from_json({}) is None
    odd = CopyRehearsal.from_json(
        {"passed": "yes", "seconds": {"a": "x", "b": True}, "catalog_before": [], "growth": "-1"}
    )
    assert odd
    assert (odd.passed, odd.seconds, odd.catalog_before, odd.growth) == (False, {"a": 0.0, "b": 0.0}, None, 0)


def test_the_seconds_of_each_step_are_beside_those_of_the_run_of_the_site(tmp_path: Path) -> None:
    copy = run_of(
        *(tmp_path, "copy.json"),
        check_mode=True,
        result="changed",
        started_at="2026-11-20T02:00:00Z",
        rehearsal={**RECORD, "of_this_run": True},
    )
    site = run_of(tmp_path, "site.json", result="changed", phases=OF_SITE)
    fleet = gather([copy, site], 20)
    for text in (document(fleet, "Report"), page(fleet, "Report")):
        for words in ("went through", "220 MiB", "1.4 MiB", "3,010 → 3,011 objects", "11 s", "12 s", "3.5 s"):
            assert words in text, words
    assert "restore 4.1 s / -, start 6.0 s / -, dry run 2.5 s / 3.5 s, upgrade 11 s / 12 s" in document(fleet, "Report")
    assert (fleet.hosts[0].standing, result(copy)) == ("changed", "would change")


def test_a_rehearsal_alone_says_why_it_failed_and_names_no_seconds_of_the_site(tmp_path: Path) -> None:
    failed = {**RECORD, "passed": False, "reason": "PicklingError: Can't pickle it.", "of_this_run": True}
    copy = run_of(tmp_path, check_mode=True, result="failed", phases=OF_SITE, rehearsal=failed)
    fleet = gather([copy], 20)
    assert result(copy) == "failed on a copy"
    assert "failed: PicklingError: Can't pickle it." in page(fleet, "Report").replace("&#x27;", "'").replace(
        "&#39;", "'"
    )
    assert "upgrade 11 s / -" in document(fleet, "Report")

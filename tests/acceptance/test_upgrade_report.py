# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook upgrade_report as a user runs it, over a fleet with failures and over reports of real runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.siteops.upgrades.tests.unit.run_reports import begun_run, whole_run
from support.ansible_cli import PlaybookRun, run_module, run_playbook
from support.plone import PloneServer
from support.plone.accounts import ADMIN
from support.run_reports import SATURDAY, failed, fleet, idle, upgraded, write, write_broken

SCHEMA = Path(__file__).parents[2] / "roles/upgrade_report/files/run_report.schema.json"
COUNTS = {"hosts": 15, "failed": 4, "unfinished": 1, "refused": 1, "would_change": 1, "changed": 4, "ok": 4}


def made(folder: Path, *flags: str, **variables: Any) -> PlaybookRun:
    """Run the playbook; variables are given without their prefix."""
    given = {"upgrade_report_dir": str(folder), **{f"upgrade_report_{name}": each for name, each in variables.items()}}
    env = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}
    return run_playbook("siteops.upgrades.upgrade_report", "-e", json.dumps(given), *flags, env=env)


def published(run: PlaybookRun) -> dict[str, Any]:
    """The custom stats of a run."""
    shown = run.output.partition("CUSTOM STATS: ")[2]
    stats, _end = json.JSONDecoder().raw_decode(shown[shown.index("{") :])
    return dict(stats)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for reports."""
    folder = tmp_path / "reports"
    folder.mkdir()
    return folder


def pages(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What was written, with the times."""
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("index.*")}


def test_the_schema_describes_what_is_written_and_what_the_tests_use() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    for each in (whole_run().to_json(), begun_run().to_json(), *fleet()):
        validator.validate(each)


def test_a_fleet_with_failures_and_files_of_others(folder: Path) -> None:
    write(folder, fleet())
    others = write_broken(folder)

    foreseen = made(folder, "--check", "--diff")
    assert foreseen.recap["localhost"]["changed"] == 1, foreseen.output
    assert "+# Upgrade report" in foreseen.output
    assert pages(folder) == {}

    first = made(folder)
    assert first.status == 0, first.output
    assert first.recap["localhost"]["changed"] == 1
    assert published(first)["upgrade_report_counts"] == {**COUNTS, "runs": 33, "unreadable": len(others)}
    assert "Traceback" not in first.output
    written = pages(folder)
    page, markdown = (written[name][1].decode() for name in ("index.html", "index.md"))
    for name in others:
        assert name in page
        assert name in markdown.replace("\\", "")
    assert page.index(">intranet<") < page.index(">archive<") < page.index(">library<") < page.index(">museum<")

    second = made(folder, "--diff")
    assert second.recap["localhost"]["changed"] == 0, second.output
    assert pages(folder) == written

    write(folder, [idle("a newcomer", SATURDAY)])
    page_of = {"src": str(folder), "html": str(folder / "index.html"), "markdown": str(folder / "index.md")}
    assert run_module("upgrade_report_page", page_of).result["changed"]
    assert "a newcomer" in pages(folder)["index.html"][1].decode()


def test_where_the_files_go_and_how_they_are_kept(folder: Path, tmp_path: Path) -> None:
    write(folder, [upgraded("intranet", 60)])
    page = tmp_path / "page.html"
    variables = {"html": str(page), "markdown": "", "title": "A <b> title", "mode": "0640"}
    assert made(folder, **variables).status == 0
    assert page.stat().st_mode & 0o777 == 0o640
    assert "<title>A &lt;b&gt; title</title>" in page.read_text(encoding="utf-8")
    assert pages(folder) == {}
    page.chmod(0o600)
    options = {"src": str(folder), **{name: value for name, value in variables.items() if value}}
    assert run_module("upgrade_report_page", options, "--check").result["changed"]
    assert page.stat().st_mode & 0o777 == 0o600
    assert run_module("upgrade_report_page", options).result["changed"]
    assert page.stat().st_mode & 0o777 == 0o640
    assert not run_module("upgrade_report_page", options).result["changed"]


def test_a_folder_that_is_not_there_is_named_and_an_empty_one_makes_an_empty_page(folder: Path, tmp_path: Path) -> None:
    page, nowhere = tmp_path / "page.html", tmp_path / "nowhere"
    missing = run_module("upgrade_report_page", {"src": str(nowhere), "html": str(page)})
    assert f"Option 'src': {nowhere} is not a folder." in missing.msg
    assert missing.failed
    assert not page.exists()
    run = run_module("upgrade_report_page", {"src": str(folder), "html": str(page)})
    assert "There are no runs yet." in page.read_text(encoding="utf-8")
    assert set(run.result["counts"].values()) == {0}


def test_past_runs_are_as_many_as_wanted(folder: Path, tmp_path: Path) -> None:
    write(
        folder, [failed("intranet", f"Night {number}.", started=SATURDAY.replace(day=number)) for number in range(1, 9)]
    )
    page = tmp_path / "page.html"
    ended = run_module("upgrade_report_page", {"src": str(folder), "html": str(page), "limit": 3})
    assert ended.result["counts"]["runs"] == 8
    assert ended.result["hosts"] == [
        {"host": "intranet", "product": "plone", "standing": "failed", "message": "Night 8.", "longest_upgrade": 0.0}
    ]
    text = page.read_text(encoding="utf-8")
    assert "the newest 3 of 8" in text
    assert [number for number in range(1, 9) if f"Night {number}." in text] == [6, 7, 8]


@pytest.mark.main
def test_reports_of_real_runs(plone: PloneServer, folder: Path) -> None:
    """One playbook over three hosts, of which two fail; then the page of what they left."""
    hosts: dict[str, dict[str, str]] = {
        "intranet": {"plone_upgrade_url": plone.url},
        "gone": {"plone_upgrade_url": f"{plone.root_url}/gone"},
        "locked": {"plone_upgrade_url": plone.url, "plone_upgrade_password": "not-the-password"},
    }
    inventory = folder.parent / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    variables = {"plone_upgrade_report_dir": str(folder), "plone_upgrade_rehearsal": "skip"}
    credentials = {"PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
    arguments = ("siteops.upgrades.plone_upgrade", "-i", str(inventory), "-e", json.dumps(variables))
    assert run_playbook(*arguments, env=credentials).status != 0

    options = {"src": str(folder), "html": str(folder / "index.html")}
    reported = run_module("upgrade_report_page", options, "-vvvv")
    assert not reported.failed, reported.output
    counts = reported.result["counts"]
    expected = {"hosts": 3, "failed": 2, "ok": 0, "changed": 1, "runs": 3, "unreadable": 0}
    assert {name: counts[name] for name in expected} == expected
    page = pages(folder)["index.html"][1].decode()
    assert "Upgraded from 6018 to 6205" in page
    assert "404" in page
    assert "401" in page
    assert "not-the-password" not in page + reported.output
    assert ADMIN.password not in page + reported.output

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal on a copy of a real site: it finds what a dry run cannot see, and leaves the site alone."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import PlaybookRun, run_module, run_playbook
from support.plone import PROFILE, PloneServer
from support.plone.environment import environment_folder
from support.plone.small_database import SmallDatabase
from support.plone.snapshot import addon_path, prepare_snapshot


@pytest.fixture
def dest(plone: PloneServer, tmp_path: Path) -> Path:
    """The folder with a backup of the running site."""
    folder = tmp_path / "backups"
    folder.mkdir()
    var = plone.folder / "var"
    options = {"data_fs": str(var / "Data.fs"), "blobs": str(var / "blobstorage"), "dest": str(folder)}
    ended = run_module("plone_backup", {**options, "python": str(environment_folder() / "bin/python")})
    assert not ended.failed, ended.output
    assert ended.result["backup"]["sites"] == [{"path": "/Plone", "version": PROFILE}]
    return folder


def rehearse(plone: PloneServer, dest: Path, as_admin: dict[str, Any], *more: str) -> PlaybookRun:
    etc = plone.folder / "etc"
    variables = {
        "plone_rehearsal_src": str(dest),
        "plone_rehearsal_scratch": str(dest.parent),
        "plone_rehearsal_python": str(environment_folder() / "bin/python"),
        "plone_rehearsal_zope_conf": str(etc / "zope.conf"),
        "plone_rehearsal_wsgi_ini": str(etc / "wsgi.ini"),
        "plone_rehearsal_environment": {"PYTHONPATH": str(addon_path(prepare_snapshot()))},
        "ansible_pipelining": True,
        "plone_upgrade_addons": "all",
        "plone_upgrade_catalog_tolerance": 0,
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    env = {f"PLONE_{name.upper()}": str(value) for name, value in as_admin.items()}
    return run_playbook("siteops.upgrades.plone_rehearsal", "-i", "db,", "-e", json.dumps(variables), *more, env=env)


def info(dest: Path, **options: Any) -> Any:
    return run_module("plone_backup_info", {"dest": str(dest), **options})


def test_what_fails_only_at_the_commit_is_found_on_the_copy(
    plone: PloneServer, dest: Path, as_admin: dict[str, Any]
) -> None:
    code = plone.call("GET", f"{plone.url}/@upgrade")[1]["versions"]["fs"]
    assert "there is none" in info(dest, require_rehearsal="7d", code_version=code).msg
    plone.fault(step_unpicklable=True)
    plone.clear_requests()
    assert not run_module("plone_upgrade", {**as_admin, "dry_run": True}).failed
    content = (plone.folder / "var/Data.fs").read_bytes()
    ended = rehearse(plone, dest, as_admin, "-e", "plone_upgrade_addons=none")
    assert ended.status == 2, ended.output
    assert "PicklingError" in ended.words, ended.output
    assert "the site itself was not touched" in ended.words
    refused = info(dest, require_rehearsal="7d", code_version=code)
    assert (refused.failed, refused.result["refused"]) == (True, True)
    assert "the newest one failed" in refused.msg
    plone.clear_faults()
    reports = dest.parent / "reports"
    reports.mkdir()
    ended = rehearse(plone, dest, as_admin, "-e", f"plone_rehearsal_report_dir={reports}")
    assert ended.status == 0, ended.output
    report = json.loads(next(reports.iterdir()).read_text(encoding="utf-8"))
    assert (report["result"], report["check_mode"], report["rehearsal"]["of_this_run"]) == ("changed", True, True)
    assert {"restore", "start", "upgrade", "addons"} <= {phase["name"] for phase in report["phases"]}
    assert (plone.folder / "var/Data.fs").read_bytes() == content
    assert sorted(path.name for path in dest.parent.iterdir() if "rehearsal" in path.name) == []
    found = info(dest, require_rehearsal="7d", require_backup="24h", code_version=code)
    assert not found.failed, found.output
    newest, failed = found.result["rehearsals"]
    assert (newest["passed"], newest["from"], newest["to"], newest["reason"]) == (True, PROFILE, code, "")
    assert sorted(newest["seconds"]) == ["addons", "restore", "start", "upgrade"]
    assert newest["peak_memory"] > 50_000_000
    assert newest["growth"] > 0
    assert newest["catalog_before"] == newest["catalog_after"] > 0
    assert report["rehearsal"]["seconds"] == newest["seconds"]
    assert found.result["forecast"]["growth"] == newest["growth"]
    assert (failed["passed"], "upgrade" in failed["seconds"]) == (False, True)
    assert "is required" in info(dest, require_rehearsal="7d", code_version="9999").msg
    assert "must be an age" in info(dest, require_backup="soon").msg
    with_url = rehearse(plone, dest, as_admin, "-e", f"plone_upgrade_url={plone.url}")
    assert (with_url.status, "as an extra variable" in with_url.words) == (2, True), with_url.output
    assert plone.call("GET", f"{plone.url}/@upgrade")[1]["versions"]["instance"] == PROFILE


def test_an_upgrade_is_refused_with_a_damaged_backup(plone: PloneServer, dest: Path, as_admin: dict[str, Any]) -> None:
    env = {f"PLONE_{name.upper()}": str(value) for name, value in as_admin.items()}
    index = next(dest.rglob("*.index"))
    index.write_bytes(b"?" * index.stat().st_size)
    variables = {"plone_upgrade_require_backup": "24h", "plone_upgrade_backup_dest": str(dest)}
    # A host that has the backups is reached by its own connection, although the play is local.
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    there: dict[str, dict[str, str]] = {"here": here, "there.invalid": {}}
    hosts = {f"of {name}": {"plone_upgrade_backup_host": name} for name in there}
    groups = {"sites": {"hosts": hosts}, "others": {"hosts": there}}
    inventory = dest.parent / "sites.json"
    inventory.write_text(json.dumps({"all": {"children": groups}}), encoding="utf-8")
    variables["plone_upgrade_hosts"] = "sites"
    arguments = ("-i", str(inventory), "-e", json.dumps(variables))
    ended = run_playbook("siteops.upgrades.plone_upgrade", *arguments, env=env)
    assert {host: (one["failed"], one["unreachable"]) for host, one in ended.recap.items()} == {
        "of here": (1, 0),
        "of there.invalid": (0, 1),
    }, ended.output
    assert "A backup that is at most 1 d old is required" in ended.words
    assert "there is none that is whole" in ended.words
    assert [request for request in plone.requests() if request.method != "GET"] == []


PLAY = """
- name: Rehearse after something else of this play
  hosts: all
  gather_facts: false
  tasks:
    - name: Have what an upgrade of another site left
      ansible.builtin.set_fact:
        plone_upgrade_site: {versions: {fs: "9999", instance: "9998"}}

    - name: Rehearse
      ansible.builtin.include_role:
        name: siteops.upgrades.plone_rehearsal
"""


def test_a_copy_whose_server_does_not_start_is_a_failure_with_any_code(tmp_path: Path) -> None:
    database = SmallDatabase(tmp_path / "instance")
    database.write()
    dest = tmp_path / "backups"
    dest.mkdir()
    assert not run_module("plone_backup", {**database.options, "dest": str(dest)}).failed
    passed = {"collection": "siteops.upgrades", "name": "plone", "passed": True, "to": "6205", "reason": ""}
    passed["began_at"] = f"{dt.datetime.now(dt.UTC) - dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    (dest / "plone-earlier.rehearsal.json").write_text(json.dumps(passed), encoding="utf-8")
    required = {"require_rehearsal": "7d", "code_version": "6205"}
    assert not info(dest, **required).failed
    variables = {
        "plone_rehearsal_src": str(dest),
        "plone_rehearsal_scratch": str(tmp_path),
        "plone_rehearsal_python": str(database.python),
        "plone_rehearsal_command": ["/bin/false"],
        "ansible_pipelining": True,
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    variables["plone_rehearsal_report_dir"] = str(tmp_path / "reports")
    (tmp_path / "reports").mkdir()
    play = tmp_path / "play.yml"
    play.write_text(PLAY, encoding="utf-8")
    ended = run_playbook(str(play), "-i", "db,", "-e", json.dumps(variables))
    assert ended.status == 2, ended.output
    report = json.loads(next((tmp_path / "reports").iterdir()).read_text(encoding="utf-8"))
    assert (report["result"], report["check_mode"], report["rehearsal"]["passed"]) == ("failed", True, False)
    assert "ended with status 1" in report["rehearsal"]["reason"]
    assert [(phase["name"], phase["result"]) for phase in report["phases"]] == [
        ("restore", "changed"),
        ("start", "failed"),
    ]
    newest = info(dest).result["rehearsals"][0]
    assert (newest["passed"], newest["from"], newest["to"]) == (False, "", ""), ended.output
    assert "the newest one failed" in info(dest, **required).msg

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sites of one real instance: found, put into an inventory, shown in a table, upgraded and reported together."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from support.ansible_cli import SECONDS, PlaybookRun, environment, run_module, run_playbook
from support.plone import ADMIN, MANAGER, PloneServer
from support.report_folder import Folder, Report, assert_private, phases

CREDENTIALS = {"PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
STATUS = "siteops.upgrades.plone_status"
ADDON = "siteops.testaddon"
NEWEST = "6205"


@pytest.fixture(scope="module")
def fleet_server() -> Iterator[PloneServer]:
    """One instance with two sites for this module; tests take it as ``fleet``."""
    with PloneServer(sites=2) as server:
        yield server


@pytest.fixture
def fleet(fleet_server: PloneServer) -> PloneServer:
    """The instance as it was when it started."""
    fleet_server.restore()
    return fleet_server


KEY_BODY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW"
KEY_TEXT = f"-----BEGIN PRIVATE KEY-----\n{KEY_BODY}\n-----END PRIVATE KEY-----\n"


class Inventory(NamedTuple):
    """An inventory file of the plugin, and what ansible-inventory says of it."""

    path: Path

    def write(self, **options: Any) -> None:
        self.path.write_text(json.dumps({"plugin": "siteops.upgrades.plone_sites", **options}), encoding="utf-8")

    def listed(self, *flags: str, **variables: str) -> tuple[dict[str, Any], str]:
        command = ["ansible-inventory", "-i", str(self.path), "--list", *flags]
        env = environment({**CREDENTIALS, **variables})
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert ended.returncode == 0, ended.stderr
        start = re.search(r"^\{", ended.stdout, re.MULTILINE)
        assert start, ended.stdout
        return json.loads(ended.stdout[start.start() :]), ended.stdout + " ".join(ended.stderr.split())

    def variables(self, **variables: str) -> dict[str, dict[str, Any]]:
        hosts: dict[str, dict[str, Any]] = self.listed(**variables)[0]["_meta"]["hostvars"]
        return hosts


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "fleet.plone_sites.yml")


@pytest.fixture
def reports(tmp_path: Path) -> Folder:
    """Where the reports go."""
    return Folder(tmp_path / "reports")


def status(inventory: Path, *flags: str, **variables: str) -> tuple[PlaybookRun, list[dict[str, Any]]]:
    env = {**CREDENTIALS, "ANSIBLE_SHOW_CUSTOM_STATS": "true", **variables}
    run = run_playbook(STATUS, "-i", str(inventory), *flags, env=env)
    stats = re.search(r"^\tRUN: (\{.*)$", run.output, re.MULTILINE)
    assert stats, run.output
    return run, json.loads(stats.group(1))["plone_status"]


def options(fleet: PloneServer) -> dict[str, Any]:
    return {"url": fleet.root_url, "username": ADMIN.name, "password": ADMIN.password}


def test_every_site_is_found(fleet: PloneServer) -> None:
    fleet.set_version(NEWEST, site_id="Plone2")
    run = run_module("plone_site_info", {**options(fleet), "gather": ["state", "addons"]}, "--check")
    assert (run.failed, run.result["changed"]) == (False, False), run.output
    assert [site["url"] for site in run.result["sites"]] == fleet.urls
    assert [site["title"] for site in run.result["sites"]] == ["Test site Plone", "Test site Plone2"]
    assert [site["needs_upgrade"] for site in run.result["sites"]] == [True, False]
    assert [site["state"] for site in run.result["sites"]] == ["pending", "up_to_date"]
    assert [site["steps_pending"] for site in run.result["sites"]] == [38, 0]
    assert [site["addons_behind"] for site in run.result["sites"]] == [["siteops.testaddon"]] * 2
    assert {request.method for request in fleet.requests()} == {"GET"}


def test_a_virtual_host_is_reported_and_not_followed(fleet: PloneServer) -> None:
    front = f"{fleet.root_url}/VirtualHostBase/https/www.example.org:443/VirtualHostRoot"
    run = run_module("plone_site_info", {**options(fleet), "url": front, "gather": ["state"]})
    assert [site["public_url"] for site in run.result["sites"]] == [
        "https://www.example.org/Plone",
        "https://www.example.org/Plone2",
    ]
    assert [site["url"] for site in run.result["sites"]] == [f"{front}/Plone", f"{front}/Plone2"]
    assert [site["state"] for site in run.result["sites"]] == ["pending", "pending"]


def test_a_wrong_password_is_not_hidden_by_a_list_for_anybody(fleet: PloneServer) -> None:
    for gather in ([], ["state"]):
        run = run_module("plone_site_info", {**options(fleet), "password": "not-the-password-at-all", "gather": gather})
        assert run.failed
        assert "GET /Plone/@system was refused (401 Unauthorized). The user name or the password is wrong" in run.msg


def test_sites_of_a_manager_of_one(fleet: PloneServer) -> None:
    other = {"url": fleet.root_url, "username": MANAGER.name, "password": MANAGER.password}
    assert fleet.call("DELETE", f"{fleet.urls[1]}/@users/{MANAGER.name}")[0] == 204
    run = run_module("plone_site_info", {**other, "gather": ["state"]})
    assert [site["state"] for site in run.result["sites"]] == ["pending", "unreadable"], run.output
    assert "was refused (401 Unauthorized)" in run.warnings


def test_named_sites_and_one_that_is_not_there(fleet: PloneServer) -> None:
    run = run_module("plone_site_info", {**options(fleet), "sites": ["Plone2", "NoSuch"]})
    assert (run.failed, [site["state"] for site in run.result["sites"]]) == (False, ["pending", "unreadable"])
    assert "GET /NoSuch/@upgrade found nothing (404)" in run.warnings
    assert not any("@sites" in request.path for request in fleet.requests())


def test_the_root_is_distinguished_from_a_site(fleet: PloneServer) -> None:
    run = run_module("plone_site_info", {**options(fleet), "url": fleet.url})
    assert run.failed
    assert "This is a Plone site and not the root of its Zope server." in run.msg


def test_one_host_for_each_site(fleet: PloneServer, inventory: Inventory) -> None:
    fleet.set_version("9999", site_id="Plone2")
    inventory.write(
        instances=[
            {"name": "intranet", "url": fleet.root_url, "accept_no_path": '["collective.one", "collective.two"]'}
        ],
        accept_no_path=["collective.three"],
        addons=True,
        strict=True,
        compose={"steps": "plone_site_steps_pending + 1"},
        groups={"late": "plone_site_steps_pending > 30"},
        keyed_groups=[{"prefix": "profile", "key": "plone_site_versions.instance"}],
    )
    listed, output = inventory.listed()
    hosts = listed["_meta"]["hostvars"]
    assert listed["plone_pending"]["hosts"] == listed["late"]["hosts"] == ["intranet_Plone"]
    assert listed["plone_newer_than_code"]["hosts"] == listed["profile_9999"]["hosts"] == ["intranet_Plone2"]
    behind = [name for name, values in hosts.items() if values["plone_site_addons_behind"]]
    assert listed["plone_addons_behind"]["hosts"] == listed["plone_needs_work"]["hosts"] == behind
    assert listed["plone_instance_intranet"]["hosts"] == listed["plone_sites"]["hosts"] == list(hosts)
    assert hosts["intranet_Plone"] == {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "plone_site_addons_behind": ["siteops.testaddon"],
        "plone_site_error": "",
        "plone_site_id": "Plone",
        "plone_site_instance": "intranet",
        "plone_site_needs_upgrade": True,
        "plone_site_path": "/Plone",
        "plone_site_public_url": fleet.url,
        "plone_site_state": "pending",
        "plone_site_steps_pending": 38,
        "plone_site_title": "Test site Plone",
        "plone_site_versions": {"fs": NEWEST, "instance": "6018"},
        "plone_upgrade_addons_accept_no_path": ["collective.one", "collective.two"],
        "plone_upgrade_url": fleet.url,
        "steps": 39,
    }
    assert "[WARNING]" not in output
    assert {request.method for request in fleet.requests()} == {"GET"}


def test_the_cache_contains_no_secret(fleet: PloneServer, inventory: Inventory, tmp_path: Path) -> None:
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    password = "{{ lookup('ansible.builtin.env', 'FLEET_PASSWORD') }}"
    inventory.write(instances=[{"url": fleet.root_url, "username": ADMIN.name, "password": password}], **cache)
    first, output = inventory.listed("-vvvv", FLEET_PASSWORD=ADMIN.password, PLONE_PASSWORD="")
    kept = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "cache").iterdir())
    assert fleet.url in kept
    for secret in (ADMIN.password, base64.b64encode(f"{ADMIN.name}:{ADMIN.password}".encode()).decode()):
        assert secret not in kept + output
    fleet.clear_requests()
    assert inventory.listed(PLONE_PASSWORD="")[0] == first
    assert fleet.requests() == []

    inventory.write(instances=[{"url": fleet.root_url, "sites": ["Plone2"]}], **cache)
    assert [host["plone_upgrade_url"] for host in inventory.variables().values()] == [fleet.urls[1]]
    failed = inventory.listed("--flush-cache", PLONE_PASSWORD="not-the-password-at-all")[0]
    assert list(failed["plone_unreadable"]["hosts"])
    assert list(inventory.listed()[0]["plone_pending"]["hosts"])


def test_what_cannot_be_read(fleet: PloneServer, inventory: Inventory, tmp_path: Path) -> None:
    expired = tmp_path / "expired.pem"
    end = datetime.now(UTC) - timedelta(days=1)
    certificate = trustme.CA().issue_cert("upgrades.example", not_before=end - timedelta(days=9), not_after=end)
    expired.write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
    good = {"name": "good", "url": fleet.root_url, "sites": ["Plone", "NoSuch"]}
    bad = {"name": "bad", "url": fleet.root_url, "username": "admin", "password": "not-the-password-at-all"}
    away = {"name": "away", "url": "http://127.0.0.1:1"}
    gated = {"name": "gated", "url": "https://plone.example", "client_cert": str(expired)}
    inventory.write(instances=[good, bad, away, gated])
    listed, output = inventory.listed()
    assert listed["plone_pending"]["hosts"] == ["good_Plone"]
    assert listed["plone_unreadable"]["hosts"] == ["good_NoSuch", "bad", "away", "gated"]
    assert f"the certificate in {expired} expired on " in " ".join(output.split())
    assert listed["plone_needs_work"]["hosts"] == ["good_Plone"]
    assert "not-the-password-at-all" not in output
    assert "was refused (401 Unauthorized). The user name or the password is wrong" in output
    assert "GET /@sites could not be sent" in output

    inventory.write(instances=[good, bad, away], unreadable="fail")
    listed, output = inventory.listed()
    assert listed["_meta"]["hostvars"] == {}
    assert "not everything could be read" in output


def test_bad_configurations(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:1"
    bad: list[tuple[dict[str, Any], str]] = [
        ({}, "Option 'url': is empty"),
        ({"instances": [{"url": nowhere}, {"url": f"{nowhere}/"}]}, "two are called 127.0.0.1_1"),
        ({"url": nowhere, "sites": ["a/../b"]}, "Option 'sites': 'a/../b' is neither"),
        ({"url": nowhere, "token": "x"}, "Option 'token': give a token, or username and password"),
        ({"url": nowhere, "ca_path": "/nowhere"}, "Option 'ca_path': there is no file"),
        (
            {"instances": [{"url": nowhere, "accept_no_path": '["a.b",'}]},
            "Option 'instances': 'accept_no_path' of an entry is not a list of names",
        ),
        ({"url": nowhere, "client_cert": "/nowhere", "client_key": KEY_TEXT}, "Option 'client_key': holds a key"),
        ({"instances": [{"url": nowhere, "client_cert": KEY_TEXT}]}, "Option 'client_cert': holds a key"),
    ]
    inventories = [Inventory(tmp_path / f"{number}.plone_sites.yml") for number in range(len(bad))]
    for inventory, (configuration, _words) in zip(inventories, bad, strict=True):
        inventory.write(**configuration)
    first, *others = inventories
    _listed, output = first.listed(*(flag for other in others for flag in ("-i", str(other.path))))
    for inventory, (_configuration, words) in zip(inventories, bad, strict=True):
        said = rf"{re.escape(str(inventory.path))}: (?:(?!plone_sites).)*{re.escape(words)}"
        assert re.search(said, output), output
    assert KEY_BODY not in output


def test_the_status_of_sites_of_a_plain_inventory_and_of_the_plugin(
    fleet: PloneServer, inventory: Inventory, tmp_path: Path
) -> None:
    """And a site cannot have the controller run its title."""
    trace = tmp_path / "trace"
    title = f"{{{{ lookup('ansible.builtin.pipe', 'touch {trace}') }}}}"
    assert fleet.call("PATCH", fleet.url, {"title": title})[0] == 204
    fleet.clear_requests()
    refuses = {"name": "refuses", "url": fleet.root_url, "username": ADMIN.name, "password": "not-the-password-at-all"}
    inventory.write(instances=[{"name": "found", "url": fleet.root_url}, refuses])
    hosts = {
        "first": {"plone_upgrade_url": fleet.url},
        "second": {
            "plone_upgrade_url": f"{fleet.urls[1]}/@upgrade",
            "plone_upgrade_username": MANAGER.name,
            "plone_upgrade_password": MANAGER.password,
            "plone_upgrade_validate_certs": False,
        },
        "missing": {"plone_upgrade_url": f"{fleet.root_url}/NoSuch"},
        "nameless": {},
        "denied": {
            "plone_upgrade_url": fleet.url,
            "plone_upgrade_username": ADMIN.name,
            "plone_upgrade_password": "not-the-password-at-all",
        },
    }
    plain = tmp_path / "hosts.yml"
    plain.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    run, rows = status(plain, "-i", str(inventory.path), "-vvvv")
    assert run.status == 0
    read = {row["host"]: row for row in rows}
    first = read["first"]
    found = ["found_Plone", "found_Plone2"]
    assert list(read) == [*hosts, *found, "refuses"]
    assert [host for host, row in read.items() if row["state"] == "pending"] == ["first", "second", *found]
    assert {row["state"] for row in rows} == {"pending", "unreadable"}
    assert [row["steps_pending"] for row in rows] == [38, 38, None, None, None, 38, 38, None]
    assert [row["addons_behind"] for row in rows] == [[ADDON], [ADDON], None, None, None, [ADDON], [ADDON], None]
    assert first["versions"] == {"instance": "6018", "fs": NEWEST}
    assert "GET /NoSuch/@upgrade found nothing (404)" in read["missing"]["error"]
    assert "plone_upgrade_url is not set" in read["nameless"]["error"]
    assert "was refused (401 Unauthorized)" in read["denied"]["error"]
    assert re.search(r"first +pending +6018 +6205 +38 +siteops\.testaddon", run.output)
    # Whether a password is wrong, or a site does not take it, is found out by logging in.
    assert {request.method for request in fleet.requests() if not request.path.endswith("/@login")} == {"GET"}
    for secret in (ADMIN.password, MANAGER.password, "not-the-password-at-all"):
        assert secret not in run.output
    shown = ["ansible", "found_Plone", "-i", str(inventory.path), "-m", "ansible.builtin.debug"]
    ended = subprocess.run(
        [*shown, "-a", "msg={{ plone_site_title }}"],
        env=environment(CREDENTIALS),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert title in ended.stdout, ended.stdout + ended.stderr
    assert not trace.exists()


@pytest.mark.main
def test_one_command_upgrades_core_and_add_on_of_every_site_and_reports_each(
    fleet: PloneServer, inventory: Inventory, reports: Folder
) -> None:
    inventory.write(instances=[{"name": "intranet", "url": fleet.root_url}])
    variables = {"plone_upgrade_addons": "all", "plone_upgrade_report_dir": str(reports.path)}
    runs: list[PlaybookRun] = []

    def upgrade(*flags: str) -> dict[str, int]:
        arguments = ("-i", str(inventory.path), "-e", json.dumps(variables), *flags)
        runs.append(run_playbook("siteops.upgrades.plone_upgrade", *arguments, env=CREDENTIALS))
        assert runs[-1].status == 0, runs[-1].output
        return {host: counts["changed"] for host, counts in runs[-1].recap.items()}

    # What check mode and a second run say of one site, they say of each.
    assert upgrade("--check", "--limit", "intranet_Plone") == {"intranet_Plone": 2}
    assert {request.method for request in fleet.requests()} == {"GET"}
    assert upgrade("-vvvv") == {"intranet_Plone": 2, "intranet_Plone2": 2}
    addons = [fleet.call("GET", f"{url}/@addons/{ADDON}")[1]["upgrade_info"] for url in fleet.urls]
    assert [addon["installedVersion"] for addon in addons] == ["1002", "1002"]
    assert core_versions(fleet) == [NEWEST, NEWEST]
    fleet.clear_requests()
    assert upgrade("-vvvv", "--limit", "intranet_Plone") == {"intranet_Plone": 0}
    assert {request.method for request in fleet.requests()} == {"GET"}
    read = run_module("plone_site_info", {**options(fleet), "gather": ["state", "addons"]}).result["sites"]
    assert [(site["state"], site["addons_behind"]) for site in read] == [("up_to_date", [])] * 2
    planned, upgraded, second = reports.of("intranet_Plone")
    assert_planned(planned)
    assert_unchanged(second)
    for first in (upgraded, *reports.of("intranet_Plone2")):
        assert_upgraded(first)
        assert first["addons"] == planned["addons"]
    assert_private(reports, ADMIN.password, runs)


def assert_planned(planned: Report) -> None:
    """What the report of check mode says of a site."""
    assert (planned["check_mode"], planned["result"], planned["server_report"]) == (True, "changed", "")
    assert planned["message"].startswith("Would upgrade from 6018 to 6205")
    assert planned["addons"] == [{"id": ADDON, "from": "1000", "to": "1002"}]


def assert_upgraded(first: Report) -> None:
    """What the report of the upgrade says of a site."""
    assert (first["check_mode"], first["result"]) == (False, "changed")
    assert first["message"].startswith("Upgraded from 6018 to 6205 in ")
    assert (first["state_before"], first["state_after"]) == ("pending", "up_to_date")
    assert first["versions"]["before"].items() >= {"instance": "6018", "fs": NEWEST, "plone": "6.2.2"}.items()
    assert first["versions"]["after"] == {"instance": NEWEST, "fs": NEWEST}
    assert phases(first) == [
        ("check", "ok"),
        ("rehearsal", "ok"),
        ("upgrade", "changed"),
        ("addons", "changed"),
        ("verification", "ok"),
    ]
    assert {step["status"] for step in first["steps"] if step["source"]} == {"run"}
    assert first["steps"][0].items() >= {"source": "6018", "destination": "6019"}.items()
    assert "Your Plone instance is now up-to-date." in first["server_report"]
    assert sum(phase["duration"] for phase in first["phases"]) <= first["duration"]


def assert_unchanged(second: Report) -> None:
    """What the report of the next run says of a site."""
    assert (second["result"], second["state_before"], second["state_after"]) == ("ok", "up_to_date", "up_to_date")
    assert second["message"] == "The core is up_to_date at 6205."
    assert phases(second) == [("check", "ok")]
    assert (second["steps"], second["addons"]) == ([], [])


def core_versions(fleet: PloneServer) -> list[str]:
    return [fleet.call("GET", f"{url}/@upgrade")[1]["versions"]["instance"] for url in fleet.urls]


@pytest.mark.parametrize("front", ("", "/VirtualHostBase/https/www.example.org:443"), ids=("direct", "virtual host"))
def test_the_undo_of_one_site_leaves_the_other_as_it_is(fleet: PloneServer, front: str) -> None:
    first, second = (
        {**options(fleet), "url": f"{fleet.root_url}{front}/{site_id}{'/VirtualHostRoot' if front else ''}"}
        for site_id in fleet.site_ids
    )
    assert run_module("plone_upgrade", second).result["changed"]
    nothing = run_module("plone_upgrade_undo", first)
    assert (nothing.failed, nothing.result["changed"]) == (False, False), nothing.output
    assert run_module("plone_upgrade", first).result["changed"]
    undone = run_module("plone_upgrade_undo", second)
    assert (undone.failed, undone.result["changed"]) == (False, True), undone.output
    assert core_versions(fleet) == [NEWEST, "6018"]
    again = run_module("plone_upgrade_undo", second)
    assert (again.failed, again.result["changed"]) == (False, False), again.output
    assert core_versions(fleet) == [NEWEST, "6018"]


def test_a_site_that_goes_back_takes_no_other_with_it_and_is_reported_so(
    fleet: PloneServer, reports: Folder, tmp_path: Path
) -> None:
    fleet.fault(addon_error="ValueError", message="the step is broken")
    hosts = {
        "bad": {"plone_upgrade_url": fleet.urls[0], "plone_upgrade_addons": [ADDON]},
        "good": {
            "plone_upgrade_url": fleet.urls[1],
            "plone_upgrade_checks": [{"path": "/@users/manager", "auth": True, "contains": MANAGER.name}],
            "plone_upgrade_catalog_tolerance": 0,
        },
    }
    plain = tmp_path / "hosts.yml"
    plain.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    variables = {
        "plone_upgrade_undo_on_failure": True,
        "plone_upgrade_rehearsal": "skip",
        "plone_upgrade_report_dir": str(reports.path),
    }
    run = run_playbook("siteops.upgrades.plone_upgrade", "-i", str(plain), "-e", json.dumps(variables), env=CREDENTIALS)
    assert (run.recap["bad"]["failed"], run.recap["good"]["failed"]) == (1, 0), run.output
    assert core_versions(fleet) == ["6018", NEWEST]
    assert f"{ADDON}: POST /Plone/@addons/{ADDON}/upgrade answered 500 ValueError: the step is broken." in run.words
    assert fleet.call("GET", f"{fleet.url}/@addons/{ADDON}")[1]["upgrade_info"]["installedVersion"] == "1000"
    descriptions = [each["description"] for each in fleet.call("GET", f"{fleet.url}/@transactions")[1]]
    assert any(each.startswith("/Plone/PATCH_application_json_@transactions") for each in descriptions)
    [report] = reports.of("bad")
    assert (report["result"], report["state_before"], report["state_after"]) == ("failed", "pending", "pending")
    assert phases(report)[-2:] == [("addons", "failed"), ("undo", "changed")]
    assert report["versions"]["after"]["instance"] == "6018"
    assert "Upgrade the add-ons: " in report["message"]
    assert "The database went from 6205 to 6018." in report["message"]
    assert [report["result"] for report in reports.of("good")] == ["changed"]
    asked = [(request.method, request.path) for request in fleet.requests() if request.path.startswith("/Plone2/")]
    checks = [number for number, request in enumerate(asked) if request == ("GET", "/Plone2/@users/manager")]
    posts = [number for number, request in enumerate(asked) if request[0] == "POST"]
    assert (len(checks), len(posts), checks[0] < posts[0] < checks[1]) == (2, 1, True), "asked before and after"

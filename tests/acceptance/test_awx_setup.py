# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide for AWX typed as it stands, against a stand-in for the controller's API and with the real modules of
awx.awx; its workflows on a real Plone behind TLS; and what goes out of AWX again.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from support.ansible_cli import PlaybookRun, run_playbook
from support.controller import (
    ORGANIZATION_TOKEN,
    READING_TOKEN,
    TOKEN,
    Controller,
    Course,
    Described,
    awx_collection,
    check_credential_type,
    course,
    run_workflow,
    update_inventory,
)
from support.controller.reader import Typed
from support.platform.certificates import ensure_certificates
from support.plone import ADMIN, PloneServer
from support.tls_front import TlsFront

CLONE = Path(__file__).parents[2]
PROJECT = CLONE / "extensions/awx_project"
ROLE = CLONE / "roles/awx_setup"
PLAYBOOK = "siteops.upgrades.awx_setup"
COMMAND = "ansible-playbook siteops.upgrades.awx_setup -e @awx_setup.yml -e @secrets.yml"
CONTRACT = "contract-of-the-tests"
ORGANIZATION = "Site operations"
WORKFLOW = "Plone upgrade with approval"
NODES = ["approval", "preflight", "upgrade", "check", "nothing_to_do", "report", "report_failure", "report_denied"]


class Typist(NamedTuple):
    """A reader of the guide, at a controller in front of which is a Plone with TLS."""

    controller: Controller
    typed: Typed
    plone: PloneServer
    front: TlsFront
    authority: Path
    outputs: dict[str, str]

    def environment(self, token: str = TOKEN) -> dict[str, str]:
        path = os.pathsep.join([os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""), str(awx_collection())])
        own = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_COLLECTIONS_PATH": path}
        return {**own, **self.controller.environment_with(token)}

    def set_up(self, token: str = TOKEN, **variables: Any) -> list[str]:
        """Run the playbook again with other variables; returns the requests."""
        before = len(self.controller.calls)
        self.typed.again(COMMAND, self.environment(token), "-e", json.dumps(variables))
        return self.controller.calls[before:]


def part_of_the_role(folder: Path, tasks: str, **variables: Any) -> str:
    """A playbook that runs the tasks of one file of the role."""
    playbook = folder / "play.yml"
    role = {"name": "siteops.upgrades.awx_setup", "tasks_from": tasks}
    task = {"name": "Set up", "ansible.builtin.include_role": role, "vars": variables}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    return str(playbook)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typist]:
    """The guide, typed from an empty AWX on: by somebody who lacks a right, with a sync that fails, and to its end."""
    home = tmp_path_factory.mktemp("home")
    repository, reports = home / "repository.git", home / "reports"
    reports.mkdir()
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository)], check=True)
    authority, chain = ensure_certificates(home)
    with (
        PloneServer() as plone,
        TlsFront(chain, plone.port) as front,
        Controller(home / "upgrades", failing_syncs=1) as controller,
    ):
        certificate = f"{{{{ lookup('ansible.builtin.file', '{authority}') }}}}"
        words = {
            "~/.ansible/collections/ansible_collections/siteops/upgrades": str(CLONE),
            "https://git.example.org/operations/upgrades.git": str(repository),
            "https://intranet.example.org": front.url,
            "/var/lib/siteops-upgrades/reports": str(reports),
            "--ask-vault-pass ": "",
            '"upgrader"': f'"{ADMIN.name}"\n      ca_certificate: "{certificate}"',
            # There is no terminal for the editor.
            "ansible-vault create": "ansible-vault create --skip-tty-check",
            # A window that is always open.
            '["SA", "SU"]': '["MO", "TU", "WE", "TH", "FR", "SA", "SU"]',
            '"03:00"': '"00:00"',
            '"06:00"': '"24:00"',
        }
        secrets = f"vault_plone_password: {ADMIN.password}\nvault_odoo_contract: {CONTRACT}\n"
        typist = Typist(controller, Typed(home, secrets, words), plone, front, authority, {})
        typed = typist.typed
        typed.on(typist.environment(ORGANIZATION_TOKEN), until="ansible-playbook")
        assert typed.status != 0
        typist.outputs["without the right"] = " ".join(typed.output.split())
        typist.set_up()
        assert typed.status != 0
        typist.outputs["sync that failed"] = " ".join(typed.output.split())
        typist.set_up()
        assert typed.status == 0, typed.output
        typist.outputs["set up"] = typed.output
        typed.on(typist.environment())
        yield typist


def test_whoever_lacks_a_right_learns_which(done: Typist) -> None:
    """B5: an administrator of an organization, on an empty controller."""
    output = done.outputs["without the right"]
    assert "You don't have permission to POST to /api/v2/credential_types/ (HTTP 403)" in output
    assert "operator lacks a right, or the token has only the scope" in output
    assert "Credential types and the organization need a system administrator" in output


def test_a_sync_that_failed_is_pointed_to_and_repeated(done: Typist) -> None:
    """A3: the second run stops at the project, the third goes on."""
    output = done.outputs["sync that failed"]
    assert 'The task "Content | Set up the project" failed: Project update failed' in output
    assert "The output of its syncs is in AWX, in the jobs of the project Site upgrades" in output
    syncs = [write for write in done.controller.writes if write.path.endswith("/update/")]
    assert [(write.method, write.status) for write in syncs] == [("POST", 202)]


def test_everything_is_made(done: Typist) -> None:
    """A1 and A4: schedules and job templates too, of a project without collections of its own."""
    refused = [write for write in done.controller.writes if write.status >= 400]
    assert [(write.path, write.status) for write in refused] == [("/api/v2/credential_types/", 403)]
    described = Described(ROLE).variables
    ours = ("plone", "any")
    expected = {
        "credential_types": {"Plone site"},
        "organizations": {ORGANIZATION},
        "credentials": {"Plone fleet"},
        "execution_environments": {"Site upgrades"},
        "projects": {"Site upgrades"},
        "inventories": {"Plone sites", "Upgrade reports"},
        "inventory_sources": {"Plone sites"},
        "workflow_job_templates": {WORKFLOW},
        "teams": {"Site operators", "Site owners"},
        "schedules": {each["name"] for each in described["awx_setup_schedules"] if each["product"] in ours},
        "job_templates": {each["name"] for each in described["awx_setup_job_templates"] if each["product"] in ours},
    }
    for endpoint, names in expected.items():
        assert names <= {each["name"] for each in done.controller.api.all(endpoint)}, endpoint
    assert not list((done.typed.folder / "upgrades").rglob("requirements.yml"))
    project = done.controller.api.named("projects", "Site upgrades")
    assert (project["scm_update_on_launch"], project["scm_update_cache_timeout"]) == (True, 300)


def test_the_nodes_of_one_workflow_share_one_reading_of_the_sites(done: Typist) -> None:
    """C6: the sources have a cache time, and the report an inventory without a source."""
    api = done.controller.api
    source = api.named("inventory_sources", "Plone sites")
    assert (source["update_on_launch"], source["update_cache_timeout"]) == (True, 300)
    report = api.named("job_templates", "Upgrade report")["inventory"]
    assert report == api.named("inventories", "Upgrade reports")["id"]
    assert report not in {each["inventory"] for each in api.all("inventory_sources")}


def test_no_secret_is_shown(done: Typist) -> None:
    for secret in (ADMIN.password, TOKEN, ORGANIZATION_TOKEN):
        assert not [name for name, output in done.outputs.items() if secret in output]


def test_every_playbook_has_a_job_template_and_a_file_in_the_project(done: Typist) -> None:
    playbooks = {path.name for path in (CLONE / "playbooks").glob("*.yml")} - {"awx_setup.yml", "awx_as_data.yml"}
    templates = {each["playbook"] for each in Described(ROLE).variables["awx_setup_job_templates"]}
    assert {name for name in playbooks if (PROJECT / name).exists()} == templates
    for name in templates:
        [play] = yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))
        assert play["ansible.builtin.import_playbook"] == f"siteops.upgrades.{name.removesuffix('.yml')}"


def test_job_templates_ask_what_an_operator_decides(done: Typist) -> None:
    api = done.controller.api
    plone = api.named("credentials", "Plone fleet")["id"]
    for template in api.all("job_templates"):
        for what in ("job_type", "diff_mode", "limit", "credential", "verbosity"):
            assert template[f"ask_{what}_on_launch"], template["name"]
        attached = [each["id"] for each in api.associated("job_templates", template["id"], "credentials")]
        assert attached == ([plone] if template["name"].startswith("Plone") else []), template["name"]
    assert api.survey("job_templates", "Plone upgrade")["spec"][1]["choices"] == ["first", "only", "skip"]


def test_a_launch_may_leave_every_answer_out_and_empty_none(done: Typist) -> None:
    """A1: what an event, a schedule or a launch by the API sends."""
    api = done.controller.api
    for endpoint in ("job_templates", "workflow_job_templates"):
        for template in api.all(endpoint):
            api.launch(endpoint, template["id"], {})
            for question in api.survey(endpoint, template["name"])["spec"]:
                with pytest.raises(Exception, match="variables_needed_to_start"):
                    api.launch(endpoint, template["id"], {"extra_vars": {question["variable"]: ""}})


def test_teams_may_what_the_file_says(done: Typist) -> None:
    names = {each["name"] for each in done.controller.api.all("job_templates")}
    launch = {(name, "execute_role") for name in names | {WORKFLOW}}
    assert done.controller.api.roles_of("Site operators") == launch
    assert done.controller.api.roles_of("Site owners") == {(WORKFLOW, "approval_role")}


def nodes_of(controller: Controller, workflow: str) -> dict[str, dict[str, Any]]:
    """The nodes of a workflow by their identifiers, in the order in which they were made."""
    number = controller.api.named("workflow_job_templates", workflow)["id"]
    nodes = controller.api.all("workflow_job_template_nodes")
    return {node["identifier"]: node for node in nodes if node["workflow_job_template"] == number}


def test_a_workflow_plans_asks_upgrades_and_reports(done: Typist) -> None:
    """B4 and C2: workflows do not wait for each other, and the approval says where the plan is."""
    api = done.controller.api
    nodes = nodes_of(done.controller, WORKFLOW)
    assert list(nodes) == NODES
    templates = {each["id"]: each["name"] for each in api.all("job_templates")}
    assert {name: templates.get(node["unified_job_template"]) for name, node in nodes.items()} == {
        "approval": None,
        "preflight": "Plone preflight",
        "check": "Approval check",
        "nothing_to_do": "Approval check",
        "upgrade": "Plone upgrade",
        "report": "Upgrade report",
        "report_failure": "Upgrade report",
        "report_denied": "Upgrade report",
    }
    approval = api.one("workflow_approval_templates", nodes["approval"]["unified_job_template"])
    assert approval["timeout"] == 86400
    assert "The plan is in the output of the node before this one" in approval["description"]
    assert api.named("workflow_job_templates", WORKFLOW)["allow_simultaneous"] is True


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ([], Course(["preflight", "check", "approval", "upgrade", "report"], failed=False)),
        (["preflight"], Course(["preflight"], failed=True)),
        (["check"], Course(["preflight", "check", "nothing_to_do"], failed=False)),
        (["check", "nothing_to_do"], Course(["preflight", "check", "nothing_to_do"], failed=True)),
        (
            ["approval", "report_denied"],
            Course(["preflight", "check", "approval", "report_denied"], failed=True),
        ),
        (
            ["upgrade", "report_failure"],
            Course(["preflight", "check", "approval", "upgrade", "report_failure"], failed=True),
        ),
        (["report"], Course(["preflight", "check", "approval", "upgrade", "report"], failed=True)),
    ],
)
def test_a_workflow_fails_when_one_of_its_nodes_did(failing: list[str], expected: Course, done: Typist) -> None:
    """The nodes that report a failure fail by themselves, as test_awx_jobs shows."""
    assert course(nodes_of(done.controller, WORKFLOW).values(), failing) == expected


def test_what_a_workflow_asks_for_does_not_hide_what_its_preflight_publishes(done: Typist) -> None:
    for name in ("__awx_setup_plone_preflight_survey", "__awx_setup_odoo_preflight_survey"):
        asked = {each["variable"] for each in Described(ROLE).variables[name]}
        assert not asked & {"plone_upgrade_hosts", "odoo_upgrade_hosts", "plone_upgrade_plan", "odoo_upgrade_plan"}


def test_schedules_are_in_the_time_zone_of_the_operator(done: Typist) -> None:
    api = done.controller.api
    window = api.named("schedules", "Plone upgrade in the maintenance window")
    days = "MO,TU,WE,TH,FR,SA,SU"
    assert window["rrule"] == f"DTSTART;TZID=Europe/Zurich:20260101T000000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY={days}"
    assert window["enabled"] is False
    assert api.named("schedules", "Plone status on working days")["enabled"] is True


def test_secrets_are_replaced_only_on_demand(done: Typist) -> None:
    """AWX shows no secret, so that nothing can tell a new one from an old one."""
    shown = done.controller.api.named("credentials", "Plone fleet")
    assert shown["inputs"]["password"] == "$encrypted$"


def test_an_inventory_is_read_over_tls_with_the_authority_of_the_credential(done: Typist, tmp_path: Path) -> None:
    """A2: the path of the certificate, which is gone after the update, stays out of the variables of the hosts."""
    update = update_inventory(done.controller.api, "Plone sites", tmp_path / "with")
    assert update.status == "successful", update.said
    [site] = update.hosts.values()
    assert (site["plone_site_state"], site["plone_site_error"]) == ("pending", "")
    assert "plone_upgrade_ca_path" not in site


def test_an_inventory_is_read_over_tls_with_an_authority_of_the_image(done: Typist, tmp_path: Path) -> None:
    """A2: the credential has no certificate, and its empty PLONE_CA_PATH counts as none."""
    api = done.controller.api
    credential = api.named("credentials", "Plone fleet")
    kept = api.secrets(credential["id"])
    api.change("credentials", credential["id"], {"inputs": {**kept, "ca_certificate": ""}})
    try:
        unknown = update_inventory(api, "Plone sites", tmp_path / "unknown")
        trusted = {"REQUESTS_CA_BUNDLE": str(done.authority)}
        known = update_inventory(api, "Plone sites", tmp_path / "known", trusted)
    finally:
        api.change("credentials", credential["id"], {"inputs": kept})
    [site] = unknown.hosts.values()
    assert "certificate is not trusted" in site["plone_site_error"]
    [site] = known.hosts.values()
    assert site["plone_site_state"] == "pending", site["plone_site_error"]
    assert "plone_upgrade_ca_path" not in site


def launched(done: Typist) -> Mapping[str, Any]:
    """The workflow job that the guide launched, as the controller keeps it."""
    return [job for job in done.controller.api.launched if job["type"] == "workflow_job"][0]


def test_the_first_approved_upgrade(done: Typist, tmp_path: Path) -> None:
    """The workflow that the guide launches, on a Plone over TLS, with all from the credential."""
    approved = run_workflow(done.controller.api, launched(done), tmp_path, approve=True)
    assert not approved.failed, approved.said
    assert list(approved.jobs) == ["preflight", "check", "upgrade", "report"]
    assert approved.jobs["upgrade"].changed == {"intranet_Plone": 1}
    versions = done.plone.call("GET", f"{done.plone.url}/@upgrade")[1]["versions"]
    assert versions["instance"] == versions["fs"]
    assert approved.jobs["report"].artifacts["upgrade_report_counts"]["changed"] == 1
    # C3: nobody asked for add-ons, and one is behind.
    assert "add-ons behind: not asked for" in approved.jobs["preflight"].said
    assert not [name for name, job in approved.jobs.items() if ADMIN.password in job.said]


def test_a_second_run_only_reads(done: Typist) -> None:
    """B2, B3 and B5: after syncs and jobs, as an administrator of the organization whose token may only read."""
    calls = done.set_up(READING_TOKEN)
    assert done.typed.status == 0, done.typed.output
    assert {call.split()[0] for call in calls} == {"GET"}, calls
    assert " changed=0 " in done.typed.output


def test_what_is_taken_out_of_the_file_goes_out_of_awx(done: Typist) -> None:
    """B1; and a playbook that AWX has not seen yet is fetched (A3)."""
    api = done.controller.api
    upgrade = api.named("job_templates", "Plone upgrade")
    assert set(json.loads(upgrade["extra_vars"])) == {"plone_upgrade_report_dir", "plone_upgrade_window"}
    api.create("schedules", {**schedule_by_hand(api, upgrade["id"])})
    api.syncs.playbooks(api.named("projects", "Site upgrades")["id"]).discard("plone_status.yml")
    less = {
        "awx_setup_window_to": "",
        "awx_setup_report_dir": "",
        "awx_setup_plone_credential": "",
        "awx_setup_schedules": [],
        "awx_setup_teams": [{"name": "Site operators", "may": []}],
    }
    calls = done.set_up(ORGANIZATION_TOKEN, **less)
    assert done.typed.status == 0, done.typed.output
    assert json.loads(api.named("job_templates", "Plone upgrade")["extra_vars"]) == {}
    assert api.associated("job_templates", upgrade["id"], "credentials") == []
    assert api.named("inventory_sources", "Plone sites")["credential"] is None
    assert list(nodes_of(done.controller, WORKFLOW)) == NODES[:5]
    nodes = nodes_of(done.controller, WORKFLOW).values()
    assert course(nodes, ["approval"]) == Course(["preflight", "check", "approval"], failed=True)
    assert [each["name"] for each in api.all("schedules")] == ["By hand"]
    assert api.roles_of("Site operators") == set()
    assert [call for call in calls if call.startswith("POST") and call.endswith("/update/")]


def schedule_by_hand(api: Any, template: int) -> dict[str, Any]:
    """A schedule that somebody made in the web interface."""
    rrule = "DTSTART:20260101T000000Z RRULE:FREQ=DAILY;INTERVAL=1"
    return {"name": "By hand", "unified_job_template": template, "rrule": rrule}


def test_whole_products_go(done: Typist) -> None:
    """And what belongs to none; what a person made stays, and the organization."""
    api = done.controller.api
    api.seed("inventories", name="By hand", organization=api.named("organizations", ORGANIZATION)["id"])
    done.set_up(awx_setup_products=[], awx_setup_absent=["plone", "any"])
    assert done.typed.status == 0, done.typed.output
    assert api.all("workflow_job_templates") + api.all("job_templates") + api.all("schedules") == []
    assert [each["name"] for each in api.all("inventories")] == ["By hand"]
    assert {each["name"] for each in api.all("credentials")} == {"Ansible Galaxy"}
    assert "Plone site" not in {each["name"] for each in api.all("credential_types")}
    assert api.all("projects") + api.all("teams") + api.all("execution_environments") == []
    assert api.named("organizations", ORGANIZATION)


def test_the_variables_of_a_source_are_not_those_of_its_inventory(tmp_path: Path) -> None:
    """B2: AWX adds those of the group "all" to the inventory, where the next run of the role would find them."""
    with Controller(PROJECT) as controller:
        api = controller.api
        name = "Odoo databases"
        inventory = api.create(
            "inventories", {"name": name, "organization": api.named("organizations", "Default")["id"]}
        )
        source = {"name": name, "inventory": inventory["id"], "source": "scm", "source_path": "inventory/databases.yml"}
        api.create("inventory_sources", source)
        update = update_inventory(api, name, tmp_path / "update")
        assert update.status == "successful", update.said
        variables = update.inventory["all"]["children"]["odoo"]["vars"]
        assert variables["odoo_upgrade_dump"] == "/var/lib/odoo-upgrades/{{ inventory_hostname }}.dump"
        assert json.loads(api.named("inventories", name)["variables"] or "{}") == {}


def set_up(variables: dict[str, Any], environment: dict[str, str]) -> PlaybookRun:
    """Run the playbook with the example's file."""
    path = os.pathsep.join([os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""), str(awx_collection())])
    env = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_COLLECTIONS_PATH": path, **environment}
    return run_playbook(PLAYBOOK, "-e", f"@{PROJECT / 'awx_setup.yml'}", "-e", json.dumps(variables), env=env)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"awx_setup_schedules": [{"name": "x", "product": "plone", "template": "Plone upgrades", "enabled": True}]},
            "is called Plone upgrades",
        ),
        ({"awx_setup_absent": ["odoo"]}, "awx_setup_products and awx_setup_absent both name odoo"),
        (
            {"awx_setup_timezone": None, "awx_setup_labels": "", "awx_setup_odoo_inventory": "", "awx_setup_teams": []},
            "awx_setup_timezone, awx_setup_labels, awx_setup_odoo_inventory must not be null or empty. Leave it out",
        ),
        (
            {"awx_setup_job_templates": None, "awx_setup_products": ["plone"], "awx_setup_odoo_inventory": ""},
            "awx_setup_job_templates must not be null or empty. Leave it out for its default. Nothing was sent.",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_before_the_first_request(variables: dict[str, Any], says: str) -> None:
    with Controller(PROJECT) as controller:
        ended = set_up({"vault_plone_password": "", "vault_odoo_contract": "", **variables}, controller.environment)
        assert ended.status != 0
        assert says in ended.words
        assert controller.calls == []


def test_the_modules_may_be_those_of_ansible_controller(tmp_path: Path) -> None:
    """The same modules under the other name, and awx.awx out of reach."""
    collections = tmp_path / "ansible_collections"
    (collections / "ansible").mkdir(parents=True)
    (collections / "ansible/controller").symlink_to(awx_collection() / "ansible_collections/awx/awx")
    playbook = part_of_the_role(tmp_path, "organization", awx_setup_products=["plone"])
    path = os.pathsep.join([os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""), str(tmp_path)])
    needed = {"awx_setup_project_url": "https://git.example.org/x", "awx_setup_execution_environment_image": "x"}
    with Controller(PROJECT) as controller:
        env = {**controller.environment, "ANSIBLE_COLLECTIONS_PATH": path}
        ended = run_playbook(playbook, "-e", json.dumps(needed), env=env)
        assert ended.status == 0, ended.output
        assert controller.api.named("organizations", "Site operations")
        assert controller.api.named("credential_types", "Plone site")


def test_the_environment_may_be_that_of_newer_controllers(tmp_path: Path) -> None:
    """AAP_HOSTNAME and its like, for the reads of the role itself; awx.awx 24.6.1 knows none of them."""
    needed = {"awx_setup_project_url": "https://git.example.org/x", "awx_setup_execution_environment_image": "x"}
    nothing: dict[str, Any] = {"awx_setup_products": [], "awx_setup_schedules": [], "awx_setup_workflows": []}
    with Controller(PROJECT) as controller:
        env = {"AAP_HOSTNAME": controller.url, "AAP_TOKEN": TOKEN, "AAP_VALIDATE_CERTS": "false"}
        ended = run_playbook(PLAYBOOK, "-e", json.dumps({**needed, **nothing}), env=env)
        assert ended.status == 0, ended.output
        assert set(controller.calls) == {"GET /api/", "GET /api/v2/me/"}
        assert TOKEN not in ended.output


@pytest.mark.parametrize("name", ["Plone site", "Odoo upgrade"])
def test_credential_types_pass_the_rules_of_awx(name: str) -> None:
    described = Described(ROLE).credential_type(name)
    check_credential_type("cloud", described["inputs"], described["injectors"])


@pytest.mark.parametrize(
    "injectors",
    [
        {"env": {"ANSIBLE_PASSWORD": "{{ url }}"}},
        {"env": {"PATH": "{{ url }}"}},
        {"env": {"PLONE-URL": "{{ url }}"}},
        {"env": {"PLONE_URL": "{{ adress }}"}},
        {"env": {"PLONE_URL": "{{ url"}},
        {"env": {"PLONE_CA_PATH": "{{ tower.filename.ca }}"}},
        {"file": {"ca": "{{ url }}"}},
        {"file": {"template.ca": "{{ url }}"}, "env": {"PLONE_CA_PATH": "{{ tower.filename.key }}"}},
    ],
)
def test_the_rules_refuse_what_awx_refuses(injectors: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_credential_type("cloud", {"fields": [{"id": "url", "label": "URL"}]}, injectors)

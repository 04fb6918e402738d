# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide for AWX typed as it stands by readers with Plone alone, Odoo alone and both, against a stand-in for the
controller's API and with the real modules of awx.awx; its workflows, on a real Plone behind TLS and on Odoo's rehearsal
platform; and what goes out of AWX again.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from support.ansible_cli import run_playbook
from support.controller import (
    ORGANIZATION_TOKEN,
    READING_TOKEN,
    TOKEN,
    Controller,
    Course,
    Described,
    WorkflowRun,
    awx_collection,
    check_credential_type,
    course,
    run_workflow,
    update_inventory,
)
from support.controller.reader import Typed
from support.platform import SAMPLE_CONTRACT, SQL_END, Platform
from support.platform.certificates import ensure_certificates
from support.plone import ADMIN, PloneServer
from support.tls_front import TlsFront

CLONE = Path(__file__).parents[2]
PROJECT = CLONE / "extensions/awx_project"
ROLE = CLONE / "roles/awx_setup"
PLAYBOOK = "siteops.upgrades.awx_setup"
COMMAND = "ansible-playbook siteops.upgrades.awx_setup -e @awx_setup.yml -e @secrets.yml"
ORGANIZATION = "Site operations"
WORKFLOW, ODOO_WORKFLOW = "Plone upgrade with approval", "Odoo upgrade with approval"
CUT_OVER = "Odoo cut-over with approval"
NODES = ["approval", "preflight", "upgrade", "check", "nothing_to_do", "report", "report_failure", "report_denied"]
NEEDED = {"awx_setup_project_url": "https://git.example.org/x", "awx_setup_execution_environment_image": "x"}
CREDENTIALS = {"Plone": "fleet", "Odoo": "contract"}
PASSPHRASE = "passphrase-of-the-tests"
SECRETS = {
    "plone": f"vault_plone_password: {ADMIN.password}\n",
    "odoo": f"vault_odoo_contract: {SAMPLE_CONTRACT}\n",
    "both": f"vault_plone_password: {ADMIN.password}\nvault_odoo_contract: {SAMPLE_CONTRACT}\n",
}


# The guide is typed by three readers in one fixture, each object by a start of Ansible's own.
pytestmark = pytest.mark.timeout(2700)


class Typist(NamedTuple):
    """A reader of the guide, at a controller in front of which are a Plone with TLS and a rehearsal platform.

    ``outputs`` and ``calls`` are what each run said and asked the controller, ``runs`` are those of the workflows.
    """

    controller: Controller
    typed: Typed
    plone: PloneServer
    platform: Platform
    authority: Path
    outputs: dict[str, str]
    calls: dict[str, list[str]]
    runs: dict[str, WorkflowRun]

    def environment(self, token: str = TOKEN) -> dict[str, str]:
        path = os.pathsep.join([os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""), str(awx_collection())])
        own = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_COLLECTIONS_PATH": path}
        return {**own, **self.controller.environment_with(token)}

    def set_up(self, run: str, token: str = TOKEN, **variables: Any) -> bool:
        """Run the playbook again with other variables, and keep what was said under a name. Whether it ended well."""
        before = len(self.controller.calls)
        self.typed.again(COMMAND, self.environment(token), "-e", json.dumps(variables))
        self.calls[run] = self.controller.calls[before:]
        self.outputs[run] = " ".join(self.typed.output.split())
        return self.typed.status == 0


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typist]:
    """The guide, typed from an empty AWX to the first approved upgrade by a reader with Plone alone, who first lacks a
    right, and then has a sync that fails; what a reader with Odoo alone types in its place; and one with both.
    """
    home = tmp_path_factory.mktemp("home")
    repository, reports = home / "repository.git", home / "reports"
    reports.mkdir()
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository)], check=True)
    authority, chain = ensure_certificates(home)
    with (
        PloneServer() as plone,
        TlsFront(chain, plone.port) as front,
        Platform(stage_seconds=0) as platform,
        Controller(home / "upgrades", failing_syncs=1) as controller,
    ):
        words = {
            "~/.ansible/collections/ansible_collections/siteops/upgrades": str(CLONE),
            "https://git.example.org/operations/upgrades.git": str(repository),
            "https://intranet.example.org": front.url,
            "/var/lib/siteops-upgrades/reports": str(reports),
            "--ask-vault-pass ": "",
            '"upgrader"': inputs(f'"{ADMIN.name}"', ca_certificate=authority),
            '"operations@example.org"': inputs(
                '"john.doe@example.com"',
                ca_certificate=platform.ca_path,
                sftp_private_key=private_key(home / "key"),
                sftp_passphrase=PASSPHRASE,
                api_url=platform.api_url,
            ),
            # There is no terminal for the editor.
            "ansible-vault create": "ansible-vault create --skip-tty-check",
            # A window that is always open.
            '["SA", "SU"]': '["MO", "TU", "WE", "TH", "FR", "SA", "SU"]',
            '"03:00"': '"00:00"',
            '"06:00"': '"24:00"',
        }
        typed = Typed(home, SECRETS["plone"], words)
        typist = Typist(controller, typed, plone, platform, authority, {}, {}, {})
        typed.on(typist.environment(ORGANIZATION_TOKEN), until="ansible-playbook")
        assert typed.status != 0
        typist.outputs["without the right"] = " ".join(typed.output.split())
        # Before the project there is enough to set up in the next run.
        assert not typist.set_up("sync that failed", awx_setup_credential_types=[], awx_setup_credentials=[])
        by_hand = {"name": "Plone site", "kind": "cloud", "inputs": {"fields": [{"id": "url", "label": "URL"}]}}
        controller.api.create("credential_types", by_hand)
        others = same_names(controller)
        assert typist.set_up("plone"), typed.output
        for kind, number in others:
            controller.api.remove(kind, number)
        typed.on(typist.environment())
        [launched] = [job for job in controller.api.launched if job["type"] == "workflow_job"]
        typist.runs["plone"] = run_workflow(controller.api, launched, home / "plone-run", lambda: True)

        typed.become("odoo", SECRETS["odoo"])
        assert typist.set_up("odoo"), typed.output
        databases(home, platform)
        number = controller.api.named("workflow_job_templates", ODOO_WORKFLOW)["id"]
        controller.api.launch("workflow_job_templates", number, {"extra_vars": {"odoo_preflight_leave_out": "true"}})
        # Approved only if nothing was sent before.
        typist.runs["odoo"] = run_workflow(
            controller.api, controller.api.launched[-1], home / "odoo-run", lambda: platform.calls() == []
        )

        typed.become("both", SECRETS["both"])
        assert typist.set_up("both", READING_TOKEN), typed.output
        yield typist


def same_names(controller: Controller) -> list[tuple[str, int]]:
    """What another organization has of the same names: kinds and ids."""
    api = controller.api
    owner = {"organization": api.named("organizations", "Default")["id"]}
    kind = api.seed("credential_types", name="Of others", kind="cloud", inputs={}, injectors={})["id"]
    made = [
        ("credential_types", kind),
        ("projects", api.seed("projects", name="Site upgrades", **owner)["id"]),
        ("teams", api.seed("teams", name="Site owners", **owner)["id"]),
        ("credentials", api.seed("credentials", name="Plone fleet", credential_type=kind, inputs={}, **owner)["id"]),
    ]
    for name in ("Plone sites", "Upgrade reports"):
        made.append(("inventories", api.seed("inventories", name=name, kind="", **owner)["id"]))
    return made[::-1]


def inputs(first: str, **more: Path | str) -> str:
    """The end of an input of a credential in the guide's files, and more inputs: texts, or what is in a file."""
    given = {
        name: f"{{{{ lookup('ansible.builtin.file', '{value}') }}}}" if isinstance(value, Path) else value
        for name, value in more.items()
    }
    return "\n".join([first, *(f'      {name}: "{value}"' for name, value in given.items())])


def private_key(path: Path) -> Path:
    """A private key with a passphrase, in a file."""
    form = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    path.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, form
        )
    )
    return path


def databases(home: Path, platform: Platform) -> None:
    """The databases of the example's inventory: of one there is a dump, of the other there is none."""
    (home / "shop.dump").write_bytes(b"-- PostgreSQL database dump\n" + b"SELECT 1;\n" * 5000 + SQL_END)
    path = home / "upgrades/inventory/databases.yml"
    inventory = yaml.safe_load(path.read_text(encoding="utf-8").replace("/var/lib/odoo-upgrades", str(home)))
    inventory["odoo"]["vars"] |= {
        "odoo_upgrade_transport": "sftp",
        "odoo_upgrade_sftp_host_key": platform.host_key,
        "odoo_upgrade_wait_interval": 1,
    }
    path.write_text(yaml.safe_dump(inventory), encoding="utf-8")


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
    assert (syncs[0].method, syncs[0].status) == ("POST", 202)


@pytest.mark.parametrize("reader", ["plone", "odoo"])
def test_everything_of_a_product_is_made(reader: str, done: Typist) -> None:
    """A1 and A4: schedules and job templates too, of a project without collections of its own."""
    described = Described(ROLE).variables

    def ours(what: str) -> set[str]:
        return {each["name"] for each in described[f"awx_setup_{what}"] if each["product"] in (reader, "any")}

    inventory = {"plone": "Plone sites", "odoo": "Odoo databases"}[reader]
    expected = {
        "credential_types": ours("credential_types"),
        "organizations": {ORGANIZATION},
        "credentials": {{"plone": "Plone fleet", "odoo": "Odoo contract"}[reader]},
        "execution_environments": {"Site upgrades"},
        "projects": {"Site upgrades"},
        "inventories": {inventory, "Upgrade reports"},
        "inventory_sources": {inventory},
        "workflow_job_templates": ours("workflows"),
        "schedules": ours("schedules"),
        "job_templates": ours("job_templates"),
    }
    for endpoint, names in expected.items():
        assert names <= {each["name"] for each in done.controller.api.all(endpoint)}, endpoint
    # Also that which somebody had made by hand.
    for name in expected["credential_types"]:
        made, wanted = done.controller.api.named("credential_types", name), Described(ROLE).credential_type(name)
        for what in ("description", "inputs", "injectors"):
            assert made[what] == wanted[what], name


def test_nothing_is_refused_to_who_has_the_right(done: Typist) -> None:
    refused = [write for write in done.controller.writes if write.status >= 400]
    assert [(write.path, write.status) for write in refused] == [("/api/v2/credential_types/", 403)]
    assert not list((done.typed.folder / "upgrades").rglob("requirements.yml"))
    project = done.controller.api.named("projects", "Site upgrades")
    assert (project["scm_update_on_launch"], project["scm_update_cache_timeout"]) == (True, 300)


def test_a_reader_with_odoo_alone_changes_nothing_of_plone(done: Typist) -> None:
    """A product that the file does not name is left alone, its schedules too."""
    api = done.controller.api
    plone = {
        f"/api/v2/{kind}/{each['id']}/"
        for kind in ("job_templates", "workflow_job_templates", "schedules", "inventories", "inventory_sources")
        for each in api.all(kind)
        if "Plone" in each["name"]
    }
    writes = [call.split() for call in done.calls["odoo"] if not call.startswith("GET")]
    assert writes
    assert not [path for _method, path in writes if path.startswith(tuple(plone))]
    assert "DELETE" not in {method for method, _path in writes}


def test_a_second_run_only_reads(done: Typist) -> None:
    """B2, B3 and B5: by the reader with both, after syncs and jobs, as an administrator of the organization whose token
    may only read.
    """
    calls = done.calls["both"]
    assert {call.split()[0] for call in calls} == {"GET"}, calls
    assert " changed=0 " in done.outputs["both"]


def test_the_nodes_of_one_workflow_share_one_reading_of_the_sites(done: Typist) -> None:
    """C6: the sources have a cache time, and the report an inventory without a source."""
    api = done.controller.api
    source = api.named("inventory_sources", "Plone sites")
    assert (source["update_on_launch"], source["update_cache_timeout"]) == (True, 300)
    report = api.named("job_templates", "Upgrade report")["inventory"]
    assert report == api.named("inventories", "Upgrade reports")["id"]
    assert report not in {each["inventory"] for each in api.all("inventory_sources")}


def test_no_secret_is_shown(done: Typist) -> None:
    request = json.loads((done.typed.folder / "shop.json").read_text(encoding="utf-8"))
    key = (done.typed.folder / "key").read_text(encoding="utf-8").splitlines()[1]
    said = {**done.outputs, **{name: f"{run.said}{run.jobs}" for name, run in done.runs.items()}}
    tokens = (TOKEN, ORGANIZATION_TOKEN, READING_TOKEN)
    for secret in (ADMIN.password, *tokens, SAMPLE_CONTRACT, PASSPHRASE, request["handle"]["secret"], key):
        assert not [name for name, output in said.items() if secret in output]


def test_every_playbook_has_a_job_template_and_a_file_in_the_project(done: Typist) -> None:
    playbooks = {path.name for path in (CLONE / "playbooks").glob("*.yml")} - {"awx_setup.yml", "awx_as_data.yml"}
    templates = {each["playbook"] for each in Described(ROLE).variables["awx_setup_job_templates"]}
    assert {name for name in playbooks if (PROJECT / name).exists()} == templates
    for name in templates:
        [play] = yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))
        assert play["ansible.builtin.import_playbook"] == f"siteops.upgrades.{name.removesuffix('.yml')}"


def test_job_templates_ask_what_an_operator_decides(done: Typist) -> None:
    api = done.controller.api
    credential = {name: [api.named("credentials", f"{name} {what}")["id"]] for name, what in CREDENTIALS.items()}
    for template in api.all("job_templates"):
        for what in ("job_type", "diff_mode", "limit", "credential", "verbosity"):
            assert template[f"ask_{what}_on_launch"], template["name"]
        attached = [each["id"] for each in api.associated("job_templates", template["id"], "credentials")]
        assert attached == credential.get(template["name"].split()[0], []), template["name"]
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
    """Those of the reader with Plone alone, whose file names the teams."""
    names = {each["name"] for each in done.controller.api.all("job_templates")}
    launch = {(name, "execute_role") for name in names | {WORKFLOW} if not name.startswith("Odoo")}
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
    assert all(each["allow_simultaneous"] for each in api.all("workflow_job_templates"))
    assert list(nodes_of(done.controller, ODOO_WORKFLOW)) == NODES
    # A cut-over that cannot begin fails its preflight, so it has no check.
    assert list(nodes_of(done.controller, CUT_OVER)) == NODES[:3] + NODES[5:]


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


def test_an_inventory_is_read_over_tls_with_the_authority_of_the_credential(done: Typist) -> None:
    """A2: the path of the certificate, which is gone after the update, stays out of the variables of the hosts."""
    update = done.runs["plone"].updates["Plone sites"]
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
    assert site["plone_site_state"] == "up_to_date", site["plone_site_error"]
    assert "plone_upgrade_ca_path" not in site


def test_the_first_approved_upgrade_of_plone(done: Typist) -> None:
    """The workflow that the guide launches, on a Plone over TLS, with all from the credential."""
    approved = done.runs["plone"]
    assert not approved.failed, approved.said
    assert list(approved.jobs) == ["preflight", "check", "upgrade", "report"]
    assert approved.jobs["upgrade"].changed == {"intranet_Plone": 1}
    versions = done.plone.call("GET", f"{done.plone.url}/@upgrade")[1]["versions"]
    assert versions["instance"] == versions["fs"]
    assert approved.jobs["report"].artifacts["upgrade_report_counts"]["changed"] == 1
    # C3: nobody asked for add-ons, and one is behind.
    assert "add-ons behind: not asked for" in approved.jobs["preflight"].said


def test_the_first_approved_upgrade_of_odoo(done: Typist) -> None:
    """Over SFTP, with the private key, its passphrase and the authority from the credential; approved by somebody who
    saw that nothing had been sent.
    """
    approved = done.runs["odoo"]
    assert not approved.failed, approved.said
    assert list(approved.jobs) == ["preflight", "check", "upgrade", "report"]
    planned = approved.jobs["preflight"].artifacts
    assert planned["odoo_upgrade_hosts"] == "shop"
    actions = {row["host"]: row["action"] for row in planned["odoo_upgrade_plan"]}
    assert actions == {"shop": "submit", "warehouse": "blocked"}
    assert (approved.jobs["upgrade"].hosts, approved.jobs["upgrade"].changed) == ({"shop"}, {"shop": 4})
    assert done.platform.calls("sftp")
    assert (done.typed.folder / "shop-upgraded").stat().st_size > (done.typed.folder / "shop.dump").stat().st_size
    assert approved.jobs["report"].artifacts["upgrade_report_counts"]["failed"] == 0


def test_the_variables_of_a_source_are_not_those_of_its_inventory(done: Typist) -> None:
    """B2: AWX adds those of the group "all" to the inventory, where the next run of the role would find them."""
    update = done.runs["odoo"].updates["Odoo databases"]
    variables = update.inventory["all"]["children"]["odoo"]["vars"]
    assert variables["odoo_upgrade_dump"].endswith("/{{ inventory_hostname }}.dump")
    assert json.loads(done.controller.api.named("inventories", "Odoo databases")["variables"] or "{}") == {}


SCHEDULE = {
    "name": "x", "product": "plone", "template": "Plone upgrade", "enabled": True, "at": "3:00", "days": ["SA"],
}  # fmt: skip


def small(**more: Any) -> dict[str, Any]:
    """A file with little in it, which is quicker to set up: one job template, and a workflow without a check."""
    described = Described(ROLE)
    [workflow] = [each for each in described.variables["awx_setup_workflows"] if each["name"] == WORKFLOW]
    template = {each["name"]: each for each in described.variables["awx_setup_job_templates"]}["Plone upgrade"]
    parts = {"preflight": "Plone upgrade", "upgrade": "Plone upgrade"}
    return {
        "awx_setup_products": ["plone"],
        "awx_setup_job_templates": [template],
        "awx_setup_workflows": [{**{k: v for k, v in workflow.items() if k not in ("check", "report")}, **parts}],
        "awx_setup_credential_types": [],
        "awx_setup_credentials": [],
        "awx_setup_schedules": [],
        "awx_setup_teams": [{"name": "Site operators", "may": []}],
        **more,
    }


def test_what_is_taken_out_of_the_file_goes_out_of_awx(done: Typist) -> None:
    """B1; and a playbook that AWX has not seen yet is fetched (A3)."""
    api = done.controller.api
    upgrade = api.named("job_templates", "Plone upgrade")
    assert set(json.loads(upgrade["extra_vars"])) == {"plone_upgrade_report_dir", "plone_upgrade_window"}
    api.create("schedules", {**schedule_by_hand(api, upgrade["id"])})
    api.syncs.playbooks(api.named("projects", "Site upgrades")["id"]).discard("plone_upgrade.yml")
    nothing = {"awx_setup_window_to": "", "awx_setup_report_dir": "", "awx_setup_plone_credential": ""}
    changed = {**SCHEDULE, "name": "Plone upgrade in the maintenance window", "at": "03:00"}
    less = small(awx_setup_schedules=[changed], **nothing)
    assert done.set_up("less", ORGANIZATION_TOKEN, **less), done.typed.output
    assert json.loads(api.named("job_templates", "Plone upgrade")["extra_vars"]) == {}
    assert api.associated("job_templates", upgrade["id"], "credentials") == []
    assert api.named("inventory_sources", "Plone sites")["credential"] is None
    assert list(nodes_of(done.controller, WORKFLOW)) == NODES[:3]
    nodes = nodes_of(done.controller, WORKFLOW).values()
    assert course(nodes, ["approval"]) == Course(["preflight", "approval"], failed=True)
    left = {each["name"]: each for each in api.all("schedules")}
    assert set(left) == {"By hand", changed["name"]}
    assert left[changed["name"]]["enabled"]
    assert left[changed["name"]]["rrule"].endswith("BYDAY=SA")
    assert api.roles_of("Site operators") & {("Plone upgrade", "execute_role"), (WORKFLOW, "execute_role")} == set()
    assert [call for call in done.calls["less"] if call.startswith("POST") and call.endswith("/update/")]


def schedule_by_hand(api: Any, template: int) -> dict[str, Any]:
    """A schedule that somebody made in the web interface."""
    rrule = "DTSTART:20260101T000000Z RRULE:FREQ=DAILY;INTERVAL=1"
    return {"name": "By hand", "unified_job_template": template, "rrule": rrule}


def test_whole_products_go(done: Typist) -> None:
    """And what belongs to none; what a person made stays, another product, what others use, and the organization."""
    api = done.controller.api
    organization = api.named("organizations", ORGANIZATION)["id"]
    api.seed("inventories", name="By hand", organization=organization)
    shared = api.seed("credential_types", name="Shared", kind="cloud", inputs={}, injectors={})["id"]
    default = api.named("organizations", "Default")["id"]
    api.seed("credentials", name="Of others", organization=default, credential_type=shared, inputs={})
    webhook = {"url": "https://chat.example.org"}
    api.create("notification_templates", {
        "name": "Channel", "organization": organization, "notification_type": "webhook",
        "notification_configuration": webhook,
    })  # fmt: skip
    gone = small(
        awx_setup_products=[],
        awx_setup_absent=["plone", "any"],
        awx_setup_credential_types=[{"name": name, "product": "plone"} for name in ("Plone site", "Shared")],
        awx_setup_credentials=[{"name": "Plone fleet", "type": "Plone site", "inputs": {}}],
        awx_setup_notifications=[{"name": "Channel", "type": "webhook", "events": ["error"], "configuration": webhook}],
    )
    assert done.set_up("absent", **gone), done.typed.output
    left = {
        kind: {each["name"] for each in api.all(kind)}
        for kind in ("inventories", "credentials", "workflow_job_templates", "teams", "credential_types")
    }
    assert left["inventories"] == {"By hand", "Odoo databases"}
    assert left["credentials"] == {"Ansible Galaxy", "Odoo contract", "Of others"}
    assert left["workflow_job_templates"] == {ODOO_WORKFLOW, CUT_OVER}
    assert left["teams"] == {"Site owners"}
    assert {"Plone site", "Shared"} & left["credential_types"] == {"Shared"}
    assert api.all("projects") + api.all("execution_environments") + api.all("notification_templates") == []
    assert api.named("organizations", ORGANIZATION)


REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"awx_setup_schedules": [{**SCHEDULE, "template": "Plone upgrades"}]},
        ["is called Plone upgrades"],
    ),
    (
        {"awx_setup_absent": ["odoo"]},
        ["awx_setup_products and awx_setup_absent both name odoo. Nothing was sent."],
    ),
    (
        {"awx_setup_absent": ["any"]},
        ["awx_setup_absent names any, without which nothing of awx_setup_products can run."],
    ),
    (
        {"awx_setup_window_from": 1320, "awx_setup_schedules": [{**SCHEDULE, "at": 1320, "days": "SA"}]},
        [
            "awx_setup_window_from: 1320 is not a time from",
            "in quotes. awx_setup_schedules: 'days' of x is not a list of days",
        ],
    ),
    (
        {"awx_setup_timezone": "Europe/Zurichh"},
        ["awx_setup_timezone: Europe/Zurichh is not a time zone"],
    ),
    (
        {"awx_setup_timezone": None, "awx_setup_labels": "", "awx_setup_odoo_inventory": "", "awx_setup_teams": []},
        ["awx_setup_timezone, awx_setup_labels, awx_setup_odoo_inventory must not be null or empty. Leave it out"],
    ),
    (
        {"awx_setup_job_templates": None, "awx_setup_products": ["plone"], "awx_setup_odoo_inventory": ""},
        ["awx_setup_job_templates must not be null or empty. Leave it out for its default. Nothing was sent."],
    ),
    (
        {"awx_setup_execution_environment_image": "", "awx_setup_project_url": ""},
        ["awx_setup_project_url, awx_setup_execution_environment_image must not be null or empty."],
    ),
]


def test_what_does_not_fit_together_is_refused_before_the_first_request(tmp_path: Path) -> None:
    """One play for all, because each start of Ansible costs more than what it does here."""
    tasks: list[dict[str, Any]] = []
    for number, (variables, _says) in enumerate(REFUSED):
        role = {"name": "Set up", "ansible.builtin.include_role": {"name": PLAYBOOK}, "vars": variables}
        said = {"ansible.builtin.debug": {"msg": f"case {number}: {{{{ ansible_failed_result.msg }}}}"}}
        tasks.append({"block": [role], "rescue": [{"name": "Say why", **said}]})
    playbook = tmp_path / "play.yml"
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": NEEDED, "tasks": tasks}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    with Controller(PROJECT) as controller:
        ended = run_playbook(str(playbook), env=controller.environment)
        assert ended.status == 0, ended.output
        for number, (_variables, says) in enumerate(REFUSED):
            [reason] = [part for part in ended.words.split('"msg": "case ')[1:] if part.startswith(f"{number}: ")]
            assert not [words for words in says if words not in reason], reason
        assert controller.calls == []


def test_an_execution_environment_of_others_is_left_to_them(tmp_path: Path) -> None:
    """AWX has one of a name for all organizations. By the modules of ansible.controller, behind a gateway."""
    collections = tmp_path / "ansible_collections"
    (collections / "ansible").mkdir(parents=True)
    (collections / "ansible/controller").symlink_to(awx_collection() / "ansible_collections/awx/awx")
    path = os.pathsep.join([os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""), str(tmp_path)])
    role = {"ansible.builtin.include_role": {"name": PLAYBOOK}}
    present = {name: value for name, value in small().items() if name != "awx_setup_credential_types"}
    absent = {**present, "awx_setup_products": [], "awx_setup_absent": ["any"]}
    tasks = [{"name": "Set up", **role, "vars": {**NEEDED, **chosen}} for chosen in (absent, present)]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    with Controller(PROJECT, gateway=True) as controller:
        default = controller.api.named("organizations", "Default")["id"]
        others = controller.api.seed("execution_environments", name="Site upgrades", organization=default, image="y")
        env = {**controller.environment, "ANSIBLE_COLLECTIONS_PATH": path}
        ended = run_playbook(str(tmp_path / "play.yml"), env=env)
        assert ended.status != 0
        assert controller.api.named("organizations", ORGANIZATION)
        assert controller.api.named("credential_types", "Plone site")
        assert controller.api.all("execution_environments") == [others]
    assert '"organization": ["Cannot change the organization of an execution environment"]}.' in ended.words
    assert "Set awx_setup_execution_environment to a name of your own." in ended.words


def test_the_environment_may_be_that_of_newer_controllers(tmp_path: Path) -> None:
    """AAP_HOSTNAME and its like, for the reads of the role; awx.awx 24.6.1 knows none of them, and that is said."""
    nothing: dict[str, Any] = {"awx_setup_products": [], "awx_setup_absent": ["any"], "awx_setup_workflows": []}
    path = os.pathsep.join([os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""), str(awx_collection())])
    with Controller(PROJECT) as controller:
        env = {"AAP_HOSTNAME": controller.url, "AAP_TOKEN": TOKEN, "AAP_VALIDATE_CERTS": "false"}
        env["CONTROLLER_OAUTH_TOKEN"] = "token-for-another-controller"
        variables = json.dumps({**NEEDED, **nothing})
        ended = run_playbook(PLAYBOOK, "-e", variables, env={**env, "ANSIBLE_COLLECTIONS_PATH": path})
        assert ended.status != 0
        assert "The modules of awx.awx do not know the variables AAP_*. Export CONTROLLER_HOST" in ended.words
        assert set(controller.calls) == {"GET /api/", "GET /api/v2/me/"}
        assert TOKEN not in ended.output


@pytest.mark.parametrize("name", ["Plone site", "Odoo upgrade", "Odoo database"])
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

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role awx_setup against a stand-in for the controller's API, with the real modules of awx.awx; and against a real
controller where CONTROLLER_HOST names one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from support.ansible_cli import PlaybookRun, run_playbook
from support.controller import TOKEN, Controller, Course, Described, awx_collection, check_credential_type, course

CLONE = Path(__file__).parents[2]
PROJECT = CLONE / "extensions/awx_project"
CHOICES = PROJECT / "awx_setup.yml"
ROLE = CLONE / "roles/awx_setup"
PLAYBOOK = "siteops.upgrades.awx_setup"
SECRETS = {"vault_plone_password": "plone-password-of-the-tests", "vault_odoo_contract": "contract-of-the-tests"}
NODES = ["report", "report_failure", "upgrade", "approval", "preflight"]


class SetUp(NamedTuple):
    """A controller after the first run and the second."""

    controller: Controller
    first: PlaybookRun
    writes: int
    second: PlaybookRun
    writes_of_the_second: int


def set_up(
    variables: dict[str, Any], environment: dict[str, str], *flags: str, playbook: str = PLAYBOOK
) -> PlaybookRun:
    """Run the playbook as the documentation says, or another one in the same way."""
    path = os.pathsep.join([os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""), str(awx_collection())])
    env = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_COLLECTIONS_PATH": path, **environment}
    return run_playbook(playbook, "-e", f"@{CHOICES}", "-e", json.dumps({**SECRETS, **variables}), *flags, env=env)


def part_of_the_role(folder: Path, tasks: str, **variables: Any) -> str:
    """A playbook that runs the tasks of one file of the role."""
    playbook = folder / "play.yml"
    role = {"name": "siteops.upgrades.awx_setup", "tasks_from": tasks}
    task = {"name": "Set up", "ansible.builtin.include_role": role, "vars": variables}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    return str(playbook)


@pytest.fixture(scope="module")
def done() -> Iterator[SetUp]:
    """Everything set up once, and then again."""
    with Controller(PROJECT) as controller:
        first = set_up({}, controller.environment, "-v")
        writes = len(controller.writes)
        second = set_up({}, controller.environment)
        yield SetUp(controller, first, writes, second, len(controller.writes) - writes)


def test_the_first_run_makes_everything(done: SetUp) -> None:
    assert done.first.status == 0, done.first.output
    assert [write for write in done.controller.writes if write.status >= 400] == []
    expected = {
        "credential_types": {"Plone site", "Odoo upgrade"},
        "organizations": {"Site operations"},
        "credentials": {"Plone fleet", "Odoo contract"},
        "notification_templates": {"Operations channel"},
        "execution_environments": {"Site upgrades"},
        "projects": {"Site upgrades"},
        "inventories": {"Plone sites", "Odoo databases"},
        "inventory_sources": {"Plone sites", "Odoo databases"},
        "workflow_job_templates": {"Plone upgrade with approval", "Odoo upgrade with approval"},
        "schedules": {each["name"] for each in Described(ROLE).variables["awx_setup_schedules"]},
        "job_templates": {each["name"] for each in Described(ROLE).variables["awx_setup_job_templates"]},
    }
    for endpoint, names in expected.items():
        assert names <= {each["name"] for each in done.controller.api.all(endpoint)}, endpoint


def test_the_second_run_sends_no_writes(done: SetUp) -> None:
    assert done.second.status == 0, done.second.output
    assert done.writes_of_the_second == 0, done.controller.writes[done.writes :]
    assert done.second.recap["localhost"]["changed"] == 0


def test_no_secret_is_shown(done: SetUp) -> None:
    for secret in (*SECRETS.values(), TOKEN):
        assert secret not in done.first.output + done.second.output


def test_every_playbook_has_a_job_template_and_a_file_in_the_project(done: SetUp) -> None:
    playbooks = {path.name for path in (CLONE / "playbooks").glob("*.yml")} - {"awx_setup.yml"}
    templates = {each["playbook"] for each in done.controller.api.all("job_templates")}
    assert playbooks <= templates
    for name in templates:
        [play] = yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))
        assert play["ansible.builtin.import_playbook"] == f"siteops.upgrades.{name.removesuffix('.yml')}"


def test_job_templates_ask_what_an_operator_decides(done: SetUp) -> None:
    api = done.controller.api
    [plone, odoo] = [api.named("credentials", name)["id"] for name in ("Plone fleet", "Odoo contract")]
    for template in api.all("job_templates"):
        for what in ("job_type", "diff_mode", "limit", "credential", "verbosity"):
            assert template[f"ask_{what}_on_launch"], template["name"]
        attached = [each["id"] for each in api.associated("job_templates", template["id"], "credentials")]
        expected = {"Plone": [plone], "Odoo": [odoo]}.get(template["name"].split()[0], [])
        assert attached == expected, template["name"]
    assert api.survey("job_templates", "Plone upgrade")["spec"][1]["choices"] == ["first", "only", "skip"]


def nodes_of(controller: Controller, workflow: str) -> dict[str, dict[str, Any]]:
    """The nodes of a workflow by their identifiers, in the order in which they were made."""
    number = controller.api.named("workflow_job_templates", workflow)["id"]
    nodes = controller.api.all("workflow_job_template_nodes")
    return {node["identifier"]: node for node in nodes if node["workflow_job_template"] == number}


@pytest.mark.parametrize(
    ("workflow", "chain"),
    [
        ("Plone upgrade with approval", ["Plone preflight", "Plone upgrade", "Upgrade report"]),
        ("Odoo upgrade with approval", ["Odoo preflight", "Odoo upgrade", "Upgrade report"]),
    ],
)
def test_a_workflow_plans_asks_upgrades_and_reports(workflow: str, chain: list[str], done: SetUp) -> None:
    api = done.controller.api
    number = api.named("workflow_job_templates", workflow)["id"]
    nodes = nodes_of(done.controller, workflow)
    assert list(nodes) == NODES
    run = [nodes[name]["unified_job_template"] for name in ("preflight", "upgrade", "report", "report_failure")]
    assert run == [api.named("job_templates", name)["id"] for name in (*chain, chain[-1])]
    approvals = {each["id"]: each for each in api.all("workflow_approval_templates")}
    assert approvals[nodes["approval"]["unified_job_template"]]["timeout"] == 86400
    assert (nodes["report"]["extra_data"], nodes["report_failure"]["extra_data"]) == (
        {},
        {"upgrade_report_after_failure": "true"},
    )
    told = api.associated("workflow_job_templates", number, "notification_templates_approvals")
    assert [each["name"] for each in told] == ["Operations channel"]


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ([], Course(["preflight", "approval", "upgrade", "report"], failed=False)),
        (["preflight"], Course(["preflight"], failed=True)),
        (["approval"], Course(["preflight", "approval"], failed=True)),
        (
            ["upgrade", "report_failure"],
            Course(["preflight", "approval", "upgrade", "report_failure"], failed=True),
        ),
        (["report"], Course(["preflight", "approval", "upgrade", "report"], failed=True)),
    ],
)
@pytest.mark.parametrize("product", ["Plone", "Odoo"])
def test_a_workflow_fails_when_one_of_its_nodes_did(
    product: str, failing: list[str], expected: Course, done: SetUp
) -> None:
    """The report that follows a failed upgrade fails by itself, as test_awx_jobs shows."""
    nodes = nodes_of(done.controller, f"{product} upgrade with approval").values()
    assert course(nodes, failing) == expected


def test_what_a_workflow_asks_for_does_not_hide_what_its_preflight_publishes(done: SetUp) -> None:
    for workflow in done.controller.api.all("workflow_job_templates"):
        asked = {
            each["variable"] for each in done.controller.api.survey("workflow_job_templates", workflow["name"])["spec"]
        }
        assert not asked & {"plone_upgrade_hosts", "odoo_upgrade_hosts", "plone_upgrade_plan", "odoo_upgrade_plan"}


def test_the_upgrades_report_into_the_folder_that_the_report_reads(done: SetUp) -> None:
    api = done.controller.api
    folder = "/var/lib/siteops-upgrades/reports"
    for product in ("Plone", "Odoo"):
        variables = json.loads(api.named("job_templates", f"{product} upgrade")["extra_vars"])
        assert variables[f"{product.lower()}_upgrade_report_dir"] == folder
    [asked, *_others] = api.survey("job_templates", "Upgrade report")["spec"]
    assert (asked["variable"], asked["default"]) == ("upgrade_report_dir", folder)


def test_a_plone_upgrade_keeps_to_the_window_of_its_schedule(done: SetUp) -> None:
    variables = json.loads(done.controller.api.named("job_templates", "Plone upgrade")["extra_vars"])
    assert variables["plone_upgrade_window"] == {
        "days": ["SA", "SU"],
        "from": "03:00",
        "to": "06:00",
        "timezone": "Europe/Zurich",
    }


def test_without_a_folder_for_reports_a_workflow_ends_with_the_upgrade(tmp_path: Path) -> None:
    """No node may be left behind that nothing leads to: AWX would run it at once."""
    workflow = "Plone upgrade with approval"
    less = {"awx_setup_products": ["plone"], "awx_setup_credentials": [], "awx_setup_plone_credential": ""}
    none = {**less, "awx_setup_report_dir": ""}
    workflows = part_of_the_role(tmp_path, "workflows")
    with Controller(PROJECT) as controller:
        assert set_up(less, controller.environment).status == 0
        assert list(nodes_of(controller, workflow)) == NODES
        removed = set_up(none, controller.environment, playbook=workflows)
        assert removed.status == 0, removed.output
        nodes = nodes_of(controller, workflow)
        assert list(nodes) == NODES[2:]
        assert course(nodes.values(), ["upgrade"]) == Course(["preflight", "approval", "upgrade"], failed=True)
        writes = len(controller.writes)
        again = set_up(none, controller.environment, playbook=workflows)
        assert again.status == 0, again.output
        assert controller.writes[writes:] == []


def test_schedules_are_in_the_time_zone_of_the_operator(done: SetUp) -> None:
    api = done.controller.api
    window = api.named("schedules", "Plone upgrade in the maintenance window")
    assert window["rrule"] == ("DTSTART;TZID=Europe/Zurich:20260101T030000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=SA,SU")
    assert window["enabled"] is False
    assert api.named("schedules", "Plone status on working days")["enabled"] is True
    assert api.named("schedules", "Odoo upgrade, a step each night")["extra_data"] == {"odoo_upgrade_wait": "false"}


def test_secrets_are_replaced_only_on_demand(done: SetUp) -> None:
    """AWX shows no secret, so that nothing can tell a new one from an old one."""
    shown = done.controller.api.named("credentials", "Plone fleet")
    assert shown["inputs"]["password"] == "$encrypted$"


def test_what_does_not_fit_together_is_refused_before_the_first_request() -> None:
    with Controller(PROJECT) as controller:
        schedule = {"name": "x", "product": "plone", "template": "Plone upgrades", "at": "03:00", "days": ["SA"]}
        ended = set_up({"awx_setup_schedules": [{**schedule, "enabled": True}]}, controller.environment)
        assert ended.status != 0
        assert "is called Plone upgrades" in " ".join(ended.output.split())
        assert controller.writes == []


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


@pytest.mark.skipif(
    not os.environ.get("CONTROLLER_HOST"), reason="not run: CONTROLLER_HOST names no controller to set up"
)
def test_a_real_controller_is_set_up_twice() -> None:
    """CONTROLLER_HOST, CONTROLLER_OAUTH_TOKEN and CONTROLLER_PROJECT_URL, a git repository with the project's files."""
    variables = {
        "awx_setup_organization": "siteops.upgrades tests",
        "awx_setup_project_url": os.environ["CONTROLLER_PROJECT_URL"],
    }
    inherited = {name: value for name, value in os.environ.items() if name.startswith("CONTROLLER_")}
    assert set_up(variables, inherited).status == 0
    second = set_up(variables, inherited)
    assert second.status == 0, second.output
    assert second.recap["localhost"]["changed"] == 0, second.output

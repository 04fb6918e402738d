# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The job templates' playbooks run as AWX runs them: from the project, with what credentials inject and surveys answer,
and with the artifacts of the preflight in the upgrade.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from support.ansible_cli import run_module
from support.controller import READING_TOKEN, TOKEN, Controller, Described, Injection, inject
from support.controller.job import Job, node_variables, run_job
from support.platform import SAMPLE_CONTRACT
from support.plone import PloneServer
from support.plone.accounts import ADMIN
from support.postgres.server import Postgres
from support.run_reports import failed, report, write
from support.tls_front import TlsFront

CLONE = Path(__file__).parents[2]
PROJECT = CLONE / "extensions/awx_project"
OLD, NEW = "6018", "6205"

Launch = Callable[..., Job]


@pytest.fixture(scope="module")
def described() -> Described:
    """What awx_setup sets up."""
    return Described(CLONE / "roles/awx_setup")


@pytest.fixture
def credentials(described: Described, tmp_path: Path) -> Callable[..., Injection]:
    """What a credential with these values injects."""

    def injected(name: str, **values: Any) -> Injection:
        return inject(described.credential_type(name), values, tmp_path)

    return injected


@pytest.fixture
def launch(described: Described, tmp_path: Path) -> Launch:
    """Run a job template as the node of a workflow."""
    numbers = iter(range(100))

    def run(
        template: str,
        hosts: Mapping[str, Mapping[str, Any]],
        credential: Injection,
        artifacts: Mapping[str, Any],
        *flags: str,
        **answers: Any,
    ) -> Job:
        job_template = described.job_template(template)
        variables = node_variables(job_template["survey"], artifacts, answers)
        playbook = PROJECT / job_template["playbook"]
        inventory = {"all": {"hosts": hosts}}
        return run_job(tmp_path / f"job-{next(numbers)}", playbook, inventory, credential, variables, *flags)

    return run


def test_a_plan_for_plone_and_a_try_of_it(
    plone: PloneServer, credentials: Callable[..., Injection], launch: Launch
) -> None:
    user = credentials("Plone site", username=ADMIN.name, password=ADMIN.password)
    hosts = {
        "intranet": {"plone_upgrade_url": plone.url},
        "gone": {"plone_upgrade_url": f"{plone.root_url}/gone"},
    }

    stopped = launch("Plone preflight", hosts, user, {})
    assert stopped.status == "failed"
    assert stopped.artifacts["plone_upgrade_hosts"] == "intranet"

    planned = launch("Plone preflight", hosts, user, {}, plone_preflight_leave_out="true")
    assert planned.status == "successful", planned.said
    assert planned.changed == {}
    assert {request.method for request in plone.requests()} == {"GET"}
    rows = {row.pop("host"): row for row in planned.artifacts["plone_upgrade_plan"]}
    assert int(rows["intranet"].pop("steps")) == 38
    # It was never rehearsed on a copy.
    assert (rows["intranet"].pop("forecast_seconds"), rows["intranet"].pop("forecast_disk")) == (0, {})
    expected = {"state": "pending", "from": OLD, "to": NEW, "addons": [], "rehearsal": "", "reason": ""}
    assert rows["intranet"] == {**expected, "action": "upgrade"}
    assert rows["gone"]["action"] == "blocked"
    assert "404" in rows["gone"]["reason"]

    tried = launch("Plone upgrade", hosts, user, planned.artifacts, "--check", "--diff")
    assert tried.status == "successful", tried.said
    assert {request.method for request in plone.requests()} == {"GET"}

    for job in (stopped, planned, tried):
        assert ADMIN.password not in job.said


def test_one_site_by_its_credential_alone(
    plone: PloneServer, credentials: Callable[..., Injection], launch: Launch
) -> None:
    """No variable of a host: URL, user and password come from the environment. The rehearsal is the server's."""
    site = credentials("Plone site", url=plone.url, username=ADMIN.name, password=ADMIN.password)
    planned = launch("Plone preflight", {"site": {}}, site, {}, plone_preflight_rehearse="true")
    assert planned.status == "successful", planned.said
    [row] = planned.artifacts["plone_upgrade_plan"]
    assert row["rehearsal"].startswith(f"Rehearsed the upgrade from {OLD} to {NEW}")
    assert planned.changed == {}


def test_production_has_to_be_meant(credentials: Callable[..., Injection], launch: Launch, tmp_path: Path) -> None:
    contract = credentials(
        "Odoo upgrade", contract=SAMPLE_CONTRACT, email="a@example.com", api_url="http://127.0.0.1:1/database/v1"
    )
    host = {name: str(tmp_path / name) for name in ("odoo_upgrade_dump", "odoo_upgrade_dest")}
    answers = {"odoo_upgrade_aim": "production", "odoo_upgrade_production_confirmed": "false"}
    stopped = launch("Odoo preflight", {"shop": {**host, "odoo_upgrade_target": "18.0"}}, contract, {}, **answers)
    assert stopped.status == "failed"
    assert "odoo_upgrade_production_confirmed" in stopped.artifacts["odoo_upgrade_plan"][0]["reason"]


def test_the_report_after_a_failed_upgrade_is_made_and_fails(launch: Launch, tmp_path: Path) -> None:
    """As its node in the workflow asks it to, or AWX would call the workflow successful."""
    folder = tmp_path / "reports"
    folder.mkdir()
    closed = report("intranet", result="refused", message="The maintenance window is closed.")
    write(folder, [failed("press", "It did not go well."), closed])
    answers = {"upgrade_report_dir": str(folder), "upgrade_report_after_failure": "true"}
    reported = launch("Upgrade report", {"press": {}}, Injection({}, {}, {}), {}, **answers)
    assert reported.status == "failed"
    assert reported.artifacts["upgrade_report_counts"]["failed"] == 1
    assert (folder / "index.html").exists()
    # C4: what a closed window refused is counted too.
    assert "because the upgrade before it failed: 2 hosts, 1 failed, 1 refused" in reported.said


PLAN = [
    {"host": "intranet", "action": "upgrade", "from": OLD, "to": NEW, "steps": 38, "addons": [], "reason": ""},
    {"host": "gone", "action": "blocked", "from": "", "to": "", "steps": 0, "addons": [], "reason": "It is not there."},
    {"host": "press", "action": "none", "from": NEW, "to": NEW, "steps": 0, "addons": [], "reason": ""},
]


def test_the_plan_becomes_the_description_of_the_approval(launch: Launch) -> None:
    """C2: with the credential of a controller, and only of the workflow that this job is of."""
    with Controller(PROJECT) as controller:
        api = controller.api
        workflow = api.create("workflow_job_templates", {"name": "Plone upgrade with approval"})["id"]
        node = {"identifier": "approval", "workflow_job_template": workflow}
        approval = api.create("workflow_job_template_nodes", node)["id"]
        api.create_approval(approval, {"name": "Approve", "description": "", "timeout": 0})
        job = api.launch("workflow_job_templates", workflow, {})["id"]
        injected = Injection({**controller.environment, "CONTROLLER_USERNAME": ""}, {}, {})
        checked = launch("Approval check", {}, injected, {"plone_upgrade_plan": PLAN}, awx_workflow_job_id=job)
        assert checked.status == "successful", checked.stdout
        [template] = api.all("workflow_approval_templates")
        lines = f"Workflow job {job}:\nintranet: upgrade, {OLD} to {NEW}, 38 steps\ngone: blocked, It is not there."
        assert template["description"] == lines
        assert TOKEN not in checked.said
        reading = Injection({**injected.env, "CONTROLLER_OAUTH_TOKEN": READING_TOKEN}, {}, {})
        refused = launch("Approval check", {}, reading, {"plone_upgrade_plan": PLAN}, awx_workflow_job_id=job)
        assert refused.status == "failed"
        assert '"Describe the approval" failed: Status code was 403' in refused.said
        assert READING_TOKEN not in refused.said


@pytest.mark.parametrize(("answer", "status"), [("false", "failed"), ("true", "successful")])
def test_nobody_approves_nothing(answer: str, status: str, launch: Launch) -> None:
    """C1: the check fails where the plan is empty, and the node on that way ends well, and with it the workflow."""
    artifacts = {"plone_upgrade_plan": PLAN[2:]}
    checked = launch("Approval check", {}, Injection({}, {}, {}), artifacts, upgrade_plan_is_empty=answer)
    assert checked.status == status
    assert "The plan asks for nothing" in checked.said


def test_the_report_after_a_denied_approval(launch: Launch, tmp_path: Path) -> None:
    """C7: it names what was planned and not upgraded."""
    (tmp_path / "reports").mkdir()
    answers = {"upgrade_report_dir": str(tmp_path / "reports"), "upgrade_report_after_failure": "denied"}
    reported = launch("Upgrade report", {}, Injection({}, {}, {}), {"plone_upgrade_plan": PLAN}, **answers)
    assert reported.status == "failed"
    assert reported.artifacts["upgrade_report_not_approved"] == ["intranet"]
    assert "it was denied, or nobody answered in time. Not upgraded: intranet." in reported.said


@pytest.mark.parametrize(
    ("answer", "expected"),
    [({}, "True"), ({"skip_certificate_check": False}, "True"), ({"skip_certificate_check": True}, "False")],
)
@pytest.mark.parametrize("name", ["Plone site", "Odoo upgrade"])
def test_certificates_are_checked_unless_somebody_says_otherwise(
    name: str, answer: dict[str, bool], expected: str, credentials: Callable[..., Injection]
) -> None:
    """A boolean that nobody set is false in AWX, whatever its default."""
    injected = credentials(name, **answer)
    [value] = [value for variable, value in injected.env.items() if variable.endswith("_VALIDATE_CERTS")]
    assert value == expected


DEFAULTS = {
    "PLONE_VALIDATE_CERTS": "True",
    "ODOO_UPGRADE_VALIDATE_CERTS": "True",
    "ODOO_UPGRADE_API_URL": "https://upgrade.odoo.com",
}


@pytest.mark.parametrize("value", ["given", ""])
@pytest.mark.parametrize("name", ["Plone site", "Odoo upgrade", "Odoo database"])
def test_what_is_empty_is_not_set(
    name: str, value: str, described: Described, credentials: Callable[..., Injection]
) -> None:
    """AWX sets all variables of a type, so a field that is empty has to become an empty one, or the default."""
    fields = described.credential_type(name)["inputs"]["fields"]
    texts = {each["id"]: value for each in fields if each["type"] == "string"}
    injected = credentials(name, **texts)
    found = {variable for variable, given in injected.env.items() if given != DEFAULTS.get(variable, "")}
    # A token that is bought is a question of yes or no.
    switches = {"PLONE_LOGIN", "PLONE_VALIDATE_CERTS", "ODOO_UPGRADE_VALIDATE_CERTS"}
    assert found == (set(injected.env) - switches if value else set())


def test_a_gate_is_passed_with_header_and_client_certificate_of_the_credential(
    plone: PloneServer, credentials: Callable[..., Injection], tmp_path: Path
) -> None:
    """The headers were typed on several lines, which do not fit into a variable of the environment."""
    authority = trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("upgrader.example.org")
    chain, trusted = tmp_path / "chain.pem", tmp_path / "authority.pem"
    server.private_key_and_cert_chain_pem.write_to_path(chain)
    authority.cert_pem.write_to_path(trusted)
    with TlsFront(chain, plone.port, trusted) as front:
        site = {"url": plone.url.replace(plone.root_url, front.url), "username": ADMIN.name, "password": ADMIN.password}
        site["ca_certificate"] = trusted.read_text(encoding="utf-8")
        refused = run_module("plone_upgrade_info", {}, env=credentials("Plone site", **site).env)
        site["client_certificate"] = client.private_key_and_cert_chain_pem.bytes().decode()
        site["headers"] = '{\n  "X-Gate": "open sesame"\n}'
        passed = run_module("plone_upgrade_info", {}, env=credentials("Plone site", **site).env)
    assert refused.result.get("failed"), refused.result
    assert not passed.result.get("failed"), passed.result
    assert passed.result["state"] == "pending"
    assert b"X-Gate: open sesame" in front.received


def test_postgresql_is_reached_by_the_credential(postgres: Postgres, credentials: Callable[..., Injection]) -> None:
    """The other fields are empty, which libpq would take for wrong values."""
    given = postgres.options
    fields = {name: str(given[f"login_{name}"]) for name in ("host", "port")}
    fields |= {"username": str(given["login_user"]), "password": str(given["login_password"])}
    injected = credentials("Odoo database", **fields, ssl_mode="", ca_certificate="")
    options = {"database": "shop", "pg_bin": given["pg_bin"]}
    read = run_module("odoo_database_info", options, env=injected.env)
    assert not read.result.get("failed"), read.result


def test_injected_files_are_private(credentials: Callable[..., Injection]) -> None:
    injected = credentials("Plone site", ca_certificate="PEM")
    path = injected.files["template.ca"]
    assert injected.env["PLONE_CA_PATH"] == str(path)
    assert path.read_text(encoding="utf-8") == "PEM"
    assert path.stat().st_mode & 0o777 == 0o600

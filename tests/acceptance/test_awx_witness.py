# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real controller as witness of what the stand-in claims, where CONTROLLER_HOST names one.

CONTROLLER_OAUTH_TOKEN is a token of a system administrator. CONTROLLER_PROJECT_URL is a git repository with the files
of extensions/awx_project, and CONTROLLER_IMAGE the execution environment. All is made in an organization of its own,
and taken out at the end, also after a failure. Credential types have no organization, so a controller that has ours is
refused. What was seen is printed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from support.ansible_cli import PlaybookRun, run_playbook
from support.controller import awx_collection

CLONE = Path(__file__).parents[2]
EXAMPLE = CLONE / "extensions/awx_project/awx_setup.yml"
ORGANIZATION = "siteops.upgrades witness"
WORKFLOW = "Plone upgrade with approval"
SECONDS = 1800
ENDED = ("successful", "failed", "error", "canceled")

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("CONTROLLER_HOST"), reason="not run: CONTROLLER_HOST names no controller to set up"
    ),
    # Four set-ups and a workflow; the limit of the other tests would cut it in the middle.
    pytest.mark.timeout(5 * SECONDS),
]


class Witness:
    """The controller, and what it was seen to do."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._url = os.environ["CONTROLLER_HOST"].rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {os.environ['CONTROLLER_OAUTH_TOKEN']}"
        self._session.verify = os.environ.get("CONTROLLER_VERIFY_SSL", "true").lower() not in ("false", "no", "0")

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The answer to a request below /api/v2/, which has to succeed."""
        url = path if path.startswith("http") else f"{self._url}/api/v2/{path}"
        answer = self._session.request(method, url, timeout=60, **arguments)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    def named(self, endpoint: str, name: str) -> dict[str, Any]:
        """The one object of the organization with this name."""
        query = {"name": name, "organization__name": ORGANIZATION}
        [found] = self.call("GET", f"{endpoint}/", params=query)["results"]
        return dict(found)

    def saw(self, what: str) -> None:
        self.seen.append(what)


def variables() -> dict[str, Any]:
    """The choices of the example, in an organization of its own, under names of its own where AWX knows one of each."""
    chosen: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    return {
        **chosen,
        "vault_plone_password": "witness",
        "vault_odoo_contract": "witness",
        "awx_setup_organization": ORGANIZATION,
        "awx_setup_project_url": os.environ["CONTROLLER_PROJECT_URL"],
        "awx_setup_execution_environment": ORGANIZATION,
        "awx_setup_execution_environment_image": os.environ.get("CONTROLLER_IMAGE", "quay.io/ansible/awx-ee:latest"),
        "awx_setup_teams": [{"name": "Site owners", "may": ["approve"]}],
    }


def set_up(**more: Any) -> PlaybookRun:
    path = os.pathsep.join([os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""), str(awx_collection())])
    inherited = {name: value for name, value in os.environ.items() if name.startswith("CONTROLLER_")}
    env = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_COLLECTIONS_PATH": path, **inherited}
    given = json.dumps({**variables(), **more})
    # A real controller answers more slowly than the stand-in, and its project has to be synced.
    return run_playbook("siteops.upgrades.awx_setup", "-e", given, env=env, seconds=SECONDS)


@pytest.fixture
def witness(capsys: pytest.CaptureFixture[str]) -> Iterator[Witness]:
    controller = Witness()
    ours = controller.call("GET", "credential_types/", params={"name__in": "Plone site,Odoo upgrade,Odoo database"})
    assert ours["count"] == 0, "this controller has our credential types; use one that was not set up before"
    yield controller
    gone = set_up(awx_setup_products=[], awx_setup_absent=["plone", "odoo", "any"])
    query = {"name": ORGANIZATION}
    for organization in controller.call("GET", "organizations/", params=query)["results"]:
        controller.call("DELETE", f"organizations/{organization['id']}/")
    controller.saw("taken out again" if gone.status == 0 else f"NOT taken out: {gone.words}")
    with capsys.disabled():
        print("\nThe controller was seen to do this:", *controller.seen, sep="\n- ")


def test_a_real_controller_does_what_the_stand_in_does(witness: Witness) -> None:
    answer = witness.call("GET", "ping/")
    witness.saw(f"version {answer.get('version')}")
    first = set_up()
    assert first.status == 0, first.output
    witness.saw(f"set up, changed={first.recap['localhost']['changed']}")
    project = witness.named("projects", "Site upgrades")
    before = {
        each["url"]: each["modified"]
        for endpoint in ("inventories", "job_templates", "workflow_job_templates")
        for each in witness.call("GET", f"{endpoint}/", params={"organization__name": ORGANIZATION})["results"]
    }
    second = set_up()
    assert (second.status, second.recap["localhost"]["changed"]) == (0, 0), second.output
    for url, modified in before.items():
        assert witness.call("GET", url.removeprefix("/api/v2/"))["modified"] == modified, url
    witness.saw(f"second run: changed=0, nothing modified; the project is {project['status']}")
    workflow = witness.named("workflow_job_templates", WORKFLOW)["id"]
    job = witness.call("POST", f"workflow_job_templates/{workflow}/launch/", json={})
    witness.saw("launched the workflow without an answer")
    deadline = time.monotonic() + SECONDS
    while True:
        job = witness.call("GET", f"workflow_jobs/{job['id']}/")
        nodes = witness.call("GET", f"workflow_jobs/{job['id']}/workflow_nodes/")["results"]
        jobs = {each["identifier"]: each["summary_fields"].get("job", {}).get("status") for each in nodes}
        if job["status"] in ENDED or jobs.get("approval") or time.monotonic() > deadline:
            break
        time.sleep(2)
    witness.saw(f"the workflow is {job['status']}: {jobs}")
    if job["status"] not in ENDED:
        witness.call("POST", f"workflow_jobs/{job['id']}/cancel/", json={})
    less = set_up(awx_setup_window_to="", awx_setup_report_dir="", awx_setup_plone_credential="")
    assert less.status == 0, less.output
    assert json.loads(witness.named("job_templates", "Plone upgrade")["extra_vars"]) == {}
    witness.saw("window, folder for reports and credential went out of it")

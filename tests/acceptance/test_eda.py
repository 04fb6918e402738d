# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebooks, run by ansible-rulebook with its own webhook, as somebody who deploys would call it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import environment
from support.controller import TOKEN as CONTROLLER_TOKEN
from support.controller import Controller, Described
from support.free_port import free_port
from support.plone import PloneServer
from support.plone.accounts import ADMIN
from support.processes import kill_tree

CLONE = Path(__file__).parents[2]
RULEBOOK = Path(sys.executable).with_name("ansible-rulebook")
TOKEN = "webhook-token-of-the-tests"
SECONDS = 600
PLONE = {"event": "image_deployed", "product": "plone", "hosts": "intranet"}
ORGANIZATION = "Site operations"

pytestmark = [
    pytest.mark.skipif(not RULEBOOK.exists(), reason="not run: ansible-rulebook is not installed"),
    pytest.mark.skipif(not shutil.which("java"), reason="not run: there is no Java for ansible-rulebook"),
]

Started = Callable[..., "Rulebook"]


class Rulebook:
    """A running rulebook; it listens once the first event was accepted."""

    def __init__(self, name: str, folder: Path, hosts: dict[str, Any], flags: list[str], env: dict[str, str]) -> None:
        self.port = free_port()
        inventory, values, self.log = folder / "inventory.yml", folder / "variables.yml", folder / "rulebook.log"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        values.write_text(json.dumps({"webhook_port": self.port, "webhook_token": TOKEN}), encoding="utf-8")
        files = ["--inventory", str(inventory), "--vars", str(values)]
        command = [str(RULEBOOK), "--rulebook", f"siteops.upgrades.{name}", *files, "--verbose", *flags]
        with self.log.open("wb") as output:
            streams: dict[str, Any] = {"stdout": output, "stderr": subprocess.STDOUT}
            self.process = subprocess.Popen(command, cwd=folder, env=environment(env), **streams)

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def until(self, due: Callable[[], object]) -> None:
        """Wait for something; fails when the rulebook ends before, or after SECONDS."""
        deadline = time.monotonic() + SECONDS
        while not due():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)

    def post(self, event: dict[str, Any], token: str = TOKEN) -> int:
        """Post an event as soon as the webhook listens; returns the status."""
        self.until(self._listens)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}/endpoint"
        request = urllib.request.Request(url, json.dumps(event).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def _listens(self) -> bool:
        with socket.socket() as trial:
            return trial.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Started]:
    """Start rulebooks that end with the test."""
    running: list[Rulebook] = []

    def started(name: str, hosts: dict[str, Any], *flags: str, **variables: str) -> Rulebook:
        running.append(Rulebook(name, tmp_path, hosts, list(flags), variables))
        return running[-1]

    yield started
    for rulebook in running:
        kill_tree(rulebook.process)


def test_a_webhook_starts_a_preflight(plone: PloneServer, start: Started) -> None:
    """A real one. What came before with a bad token, or with a template in place of a host, started nothing."""
    hosts = {name: {"plone_upgrade_url": plone.url} for name in ("intranet", "other")}
    rulebook = start("preflight", hosts, PLONE_USERNAME=ADMIN.name, PLONE_PASSWORD=ADMIN.password)
    assert rulebook.post(PLONE, token="wrong") == 401
    assert rulebook.post({**PLONE, "hosts": "{{ lookup('pipe', 'touch injected') }}"}) == 200
    assert rulebook.post({**PLONE, "event": "image_removed"}) == 200
    assert rulebook.post(PLONE) == 200
    rulebook.until(lambda: "PLAY RECAP" in rulebook.said)
    assert rulebook.said.count("PLAY [Plan the upgrade of Plone sites]") == 1
    [recap] = [line for line in rulebook.said.splitlines() if line.startswith("intranet ")]
    assert "failed=0" in recap
    assert "upgrade: pending" in rulebook.said
    assert not [line for line in rulebook.said.splitlines() if line.startswith("other ")]
    assert not (rulebook.log.parent / "injected").exists()
    assert {request.method for request in plone.requests()} == {"GET"}
    assert ADMIN.password not in rulebook.said


def test_a_webhook_launches_the_workflow_of_a_controller(start: Started) -> None:
    described = Described(CLONE / "roles/awx_setup")
    with Controller(CLONE / "extensions/awx_project") as controller:
        organization = controller.api.create("organizations", {"name": ORGANIZATION})
        for product in ("Plone", "Odoo"):
            workflow = controller.api.create(
                "workflow_job_templates",
                {
                    "name": f"{product} upgrade with approval",
                    "organization": organization["id"],
                    "survey_enabled": True,
                },
            )
            spec = described.job_template(f"{product} preflight")["survey"]
            controller.api.set_survey(
                "workflow_job_templates", workflow["id"], {"name": "", "description": "", "spec": spec}
            )
        flags = ("--controller-url", controller.url, "--controller-token", CONTROLLER_TOKEN)
        rulebook = start("preflight_on_controller", {"localhost": {}}, *flags, EDA_JOB_TEMPLATE_REFRESH_DELAY="0.2")
        assert rulebook.post({**PLONE, "hosts": "{{ 1 }}"}) == 200
        assert rulebook.post(PLONE) == 200
        assert rulebook.post({"event": "release_published", "product": "odoo", "hosts": "shop,warehouse"}) == 200
        rulebook.until(lambda: len(controller.api.launched) == 2)
        launched = {job["name"]: job["extra_vars"] for job in controller.api.launched}
        assert launched["Plone upgrade with approval"]["plone_preflight_hosts"] == "intranet"
        assert launched["Odoo upgrade with approval"]["odoo_preflight_hosts"] == "shop,warehouse"
        assert [write for write in controller.writes if write.status >= 400] == []

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A workflow run from its first node to its last: each job by ansible-runner, and a decision at the approval."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from support.controller.answers import defaults
from support.controller.api import Api
from support.controller.credentials import inject_all
from support.controller.inventory_update import InventoryUpdate, update_inventory
from support.controller.job import Job, run_job


class WorkflowRun(NamedTuple):
    """``jobs`` by node, in the order in which they ran; ``approval`` is the description that was shown, or None.

    ``updates`` are those of the inventories, by source.
    """

    jobs: dict[str, Job]
    failed: bool
    approval: str | None
    updates: dict[str, InventoryUpdate]

    @property
    def said(self) -> str:
        """What the jobs put out, without their events."""
        return "\n".join(f"{name}: {job.stdout}" for name, job in self.jobs.items())


def run_workflow(api: Api, launched: Mapping[str, Any], folder: Path, approve: Callable[[], bool]) -> WorkflowRun:
    """Run a workflow that was launched; ``approve`` is asked at the approval.

    An inventory is updated before each job, or where its source has a cache time only before the first.
    """
    nodes = {
        node["id"]: node
        for node in api.all("workflow_job_template_nodes")
        if node["workflow_job_template"] == launched["workflow_job_template"]
    }
    led_to = {number for node in nodes.values() for number in _next(node, failed=False) + _next(node, failed=True)}
    due: list[tuple[int, dict[str, Any]]] = [(number, {}) for number in nodes if number not in led_to]
    jobs: dict[str, Job] = {}
    updates: dict[str, InventoryUpdate] = {}
    failed, approval = False, None
    while due:
        number, artifacts = due.pop(0)
        node = nodes[number]
        if node["identifier"] == "approval":
            approval = api.one("workflow_approval_templates", node["unified_job_template"])["description"]
            ended_badly = not approve()
        else:
            known = {"awx_workflow_job_id": launched["id"]}
            job = _run(
                api, node, {**node["extra_data"], **artifacts, **launched["extra_vars"], **known}, folder, updates
            )
            jobs[node["identifier"]] = job
            artifacts, ended_badly = {**artifacts, **job.artifacts}, job.status != "successful"
        following = _next(node, failed=ended_badly)
        failed = failed or (ended_badly and not following)
        due += [(each, artifacts) for each in following]
    return WorkflowRun(jobs, failed, approval, updates)


def _next(node: Mapping[str, Any], *, failed: bool) -> list[int]:
    return [*node["failure_nodes" if failed else "success_nodes"], *node["always_nodes"]]


def _run(
    api: Api,
    node: Mapping[str, Any],
    variables: Mapping[str, Any],
    folder: Path,
    updates: dict[str, InventoryUpdate],
) -> Job:
    template = api.one("job_templates", node["unified_job_template"])
    own = folder / node["identifier"]
    inventory: Mapping[str, Any] = {"all": {}}
    for source in api.all("inventory_sources"):
        if source["inventory"] == template["inventory"]:
            if source["name"] not in updates or not source["update_cache_timeout"]:
                updates[source["name"]] = update_inventory(api, source["name"], own / "update")
            inventory = updates[source["name"]].inventory
    credentials = [each["id"] for each in api.associated("job_templates", template["id"], "credentials")]
    (own / "credentials").mkdir(parents=True)
    injected = inject_all(api, credentials, own / "credentials")
    survey = api.survey("job_templates", template["name"]).get("spec", [])
    everything = {**defaults(survey), **variables}
    mine = json.loads(template["extra_vars"] or "{}")
    playbook = api.syncs.folder / template["playbook"]
    return run_job(own / "job", playbook, inventory, injected, everything, own=mine)

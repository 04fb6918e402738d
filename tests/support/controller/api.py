# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API does beside keeping objects: it launches, syncs, and gives roles away."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.controller.answers import check_answers, defaults
from support.controller.store import ROOT, Document, Refusal, Store, bad


class Api(Store):
    """``project`` is the folder that every project holds once a sync fetched it; the first ``failing_syncs`` fail."""

    def __init__(self, project: Path, failing_syncs: int = 0) -> None:
        super().__init__(project, failing_syncs)
        self._launched: list[Document] = []
        self._holders: dict[tuple[int, str], list[int]] = {}

    @property
    def launched(self) -> list[Document]:
        """Every job, with name and extra_vars, in order."""
        return copy.deepcopy(self._launched)

    def create_approval(self, node: int, body: Mapping[str, Any]) -> Document:
        """Make a node one that waits for an approval."""
        self.one("workflow_job_template_nodes", node)
        approval = self.create("workflow_approval_templates", body)
        self._objects["workflow_job_template_nodes"][node]["unified_job_template"] = approval["id"]
        return approval

    def launch(self, endpoint: str, number: int, body: Mapping[str, Any]) -> Document:
        """Launch a template. The job has ended as soon as it is asked for; nothing is run."""
        template = self.one(endpoint, number)
        given = body.get("extra_vars") or {}
        given = json.loads(given) if isinstance(given, str) else given
        survey = self._asked(endpoint, number)
        answers = check_answers(survey, given, any_variable=template["ask_variables_on_launch"])
        if answers.errors:
            raise Refusal(400, {"variables_needed_to_start": answers.errors})
        if answers.ignored and endpoint == "workflow_job_templates":
            raise bad("extra_vars", f"Variables {', '.join(answers.ignored)} are not allowed on launch.")
        if body.get("limit") and not template["ask_limit_on_launch"]:
            raise bad("limit", "Field is not configured to prompt on launch.")
        own = json.loads(template["extra_vars"] or "{}")
        self._launched.append({
            "id": self._next_id(),
            "type": "workflow_job" if endpoint == "workflow_job_templates" else "job",
            "name": template["name"],
            endpoint.removesuffix("s"): number,
            "extra_vars": {**own, **defaults(survey), **answers.accepted},
            "limit": body.get("limit", ""),
        })  # fmt: skip
        job = self.job(self._launched[-1]["id"])
        return {**job, "ignored_fields": {"extra_vars": answers.ignored} if answers.ignored else {}}

    def job(self, number: int) -> Document:
        """A job as GET shows it. Raises Refusal with 404."""
        for job in self._launched:
            if job["id"] == number:
                url = f"{ROOT}{job['type']}s/{number}/"
                ended = {"status": "successful", "failed": False, "artifacts": {}, "summary_fields": {}}
                return {**job, "url": url, **ended, "created": "", "extra_vars": json.dumps(job["extra_vars"])}
        raise Refusal(404, {"detail": "Not found."})

    def sync(self, project: int) -> Document:
        """Sync a project."""
        self.one("projects", project)
        return self.syncs.start(project, self._next_id())

    def role(self, number: int) -> tuple[str, int, str]:
        """The resource, the object and the name of a role. Raises Refusal with 404."""
        for role, present in self._roles.items():
            if present == number:
                return role
        raise Refusal(404, {"detail": "Not found."})

    def holders(self, role: int, kind: str) -> list[Document]:
        """The teams or users that have a role."""
        self.role(role)
        return [self._shown(kind, number) for number in self._holders.get((role, kind), [])]

    def grant(self, role: int, kind: str, body: Mapping[str, Any]) -> None:
        """Give a role to a team or a user, or take it away with ``disassociate``."""
        self.one(kind, body["id"])
        present = self._holders.setdefault((role, kind), [])
        if body.get("disassociate"):
            present.remove(body["id"])
        elif body["id"] not in present:
            present.append(body["id"])

    def roles_of(self, team: str) -> set[tuple[str, str]]:
        """What a team may: the name of an object and that of a role."""
        number = self.named("teams", team)["id"]
        return {
            (self._objects[endpoint][owner]["name"], name)
            for (endpoint, owner, name), role in self._roles.items()
            if number in self._holders.get((role, "teams"), [])
        }

    def secrets(self, credential: int) -> Document:
        """The inputs of a credential as a job gets them."""
        return copy.deepcopy(self._objects["credentials"][credential]["inputs"])

    def merge_inventory_variables(self, inventory: int, found: Mapping[str, Any]) -> None:
        """What an update of an inventory does with the variables of the group ``all``."""
        kept = self._objects["inventories"][inventory]
        kept["variables"] = json.dumps({**json.loads(kept["variables"] or "{}"), **found})

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syncs of a project: each takes time, can fail, and brings the playbooks that job templates may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Document = dict[str, Any]
STATES = ("pending", "running")
SCM = ("scm_type", "scm_url", "scm_branch", "credential")
"""A change of these starts a sync; another change does not."""


class Syncs:
    """The syncs of all projects. ``folder`` is what a sync fetches; the first ``failing`` ones fail."""

    def __init__(self, folder: Path, failing: int) -> None:
        self.folder = folder
        self._failing = failing
        self._syncs: dict[int, Document] = {}
        self._latest: dict[int, int] = {}
        self._files: dict[int, set[str]] = {}

    def start(self, project: int, number: int) -> Document:
        """Start the sync ``number`` of a project."""
        self._syncs[number] = {"project": project, "seen": 0, "fails": self._failing > 0}
        self._failing -= 1
        self._latest[project] = number
        return self.shown(number)

    def shown(self, number: int) -> Document:
        """A sync as GET shows it; each look at it takes it one state further. Raises KeyError."""
        sync = self._syncs[number]
        states = (*STATES, "failed" if sync["fails"] else "successful")
        status = states[min(sync["seen"], len(STATES))]
        sync["seen"] += 1
        ended = status not in STATES
        if status == "successful":
            self._files[sync["project"]] = {path.name for path in self.folder.glob("*.yml")}
        return {
            "id": number,
            "type": "project_update",
            "url": f"/api/v2/project_updates/{number}/",
            "project": sync["project"],
            "status": status,
            "failed": status == "failed",
            "started": "",
            "finished": "2026-01-01T00:00:00Z" if ended else None,
            "event_processing_finished": ended,
            "elapsed": 1.0,
            "scm_revision": "0" * 40 if status == "successful" else "",
        }

    def of(self, project: int) -> tuple[Document, Document]:
        """Fields and summary_fields that a project gets from its latest sync."""
        number = self._latest.get(project)
        revision = "0" * 40 if project in self._files else ""
        if number is None:
            return {"status": "never updated", "scm_revision": revision}, {}
        sync = self._syncs[number]
        if sync["seen"] <= len(STATES):
            status = STATES[max(sync["seen"] - 1, 0)]
            return {"status": status, "scm_revision": revision}, {"current_update": {"id": number, "status": status}}
        status = "failed" if sync["fails"] else "successful"
        return {"status": status, "scm_revision": revision}, {"last_update": {"id": number, "status": status}}

    def finish(self, project: int) -> None:
        """Let the latest sync of a project end."""
        while self.of(project)[0]["status"] in STATES:
            self.shown(self._latest[project])

    def playbooks(self, project: int) -> set[str]:
        """The playbooks that the last successful sync found."""
        return self._files.get(project, set())

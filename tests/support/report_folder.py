# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of the reports that runs leave, read and checked by the schema."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema

from support.ansible_cli import PlaybookRun

SCHEMA = Path(__file__).parents[2] / "roles/upgrade_report/files/run_report.schema.json"

Report = dict[str, Any]


class Folder:
    """The folder of the reports; every report that is read is one by the schema."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
        path.mkdir()

    @property
    def reports(self) -> list[Report]:
        """In the order of their beginnings."""
        found = [json.loads(path.read_text(encoding="utf-8")) for path in self.path.iterdir()]
        for report in found:
            self._validator.validate(report)
        return sorted(found, key=lambda report: str(report["started_at"]))

    def of(self, host: str) -> list[Report]:
        """The reports of one host, in the order of their beginnings."""
        return [report for report in self.reports if report["host"] == host]

    @property
    def latest(self) -> Report:
        return self.reports[-1]


def phases(report: Report) -> list[tuple[str, str]]:
    return [(phase["name"], phase["result"]) for phase in report["phases"]]


def assert_private(folder: Folder, secret: str, runs: list[PlaybookRun]) -> None:
    """The secret is in no report, and the files are named and kept as documented."""
    for path in folder.path.iterdir():
        assert secret not in path.read_text(encoding="utf-8")
        assert re.fullmatch(r"\w+-\d{8}T\d{6}Z(-\d+)?\.json", path.name)
        assert path.stat().st_mode & 0o777 == 0o640
        assert path.stat().st_uid == os.geteuid()
    assert not any(secret in run.output for run in runs)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code of run_report: it runs on the controller, where the reports of all hosts are kept."""

from __future__ import annotations

import dataclasses
import json
import os
import typing as t

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._core.clock import utc_now, utc_text
from ..plugin_utils import _run_report_odoo, _run_report_plone
from ..plugin_utils._run_report import Results, RunStart, began_at, ended, public_target, text
from ..plugin_utils._run_report_file import replace, reserve

ARGUMENTS = {
    "state": {"type": "str", "choices": ["begun", "ended"], "required": True},
    "dir": {"type": "path"},
    "product": {"type": "str", "choices": ["plone", "odoo"]},
    "target": {"type": "str", "default": ""},
    "on_copy": {"type": "bool", "default": False},
    "results": {"type": "dict", "default": {}},
    "registered": {"type": "dict", "default": {}},
    "begun": {"type": "dict"},
    "asked": {"type": "dict", "default": {}},
    "failure": {"type": "dict", "default": {}},
}
COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

Options = t.Mapping[str, t.Any]


class ActionModule(ActionBase):
    """Begins a report, or ends it. It never counts as a change, because the play is not about the report."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """What the task returns."""
        result = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(
            argument_spec=ARGUMENTS,
            required_if=[("state", "begun", ("dir", "product")), ("state", "ended", ("begun",))],
        )
        variables = task_vars or {}
        results = {name: variables.get(variable) for name, variable in options["registered"].items()}
        results.update(options["results"])
        result["changed"] = False
        if options["state"] == "begun":
            result.update(self._begin(options, results, variables["inventory_hostname"]))
        else:
            result.update(end(options, results))
        return result

    def _begin(self, options: Options, results: t.Mapping[str, t.Any], host: str) -> dict[str, t.Any]:
        folder = options["dir"]
        if not os.path.isdir(folder):
            raise AnsibleActionFail(f"Option 'dir': there is no folder {folder} on the controller; make it first.")
        now = utc_now()
        start = RunStart(
            product=options["product"],
            host=text(host),
            target=public_target(options["target"]),
            collection_version=collection_version(),
            check_mode=bool(self._task.check_mode) or options["on_copy"],
            started_at=utc_text(now),
            stale={name: began for name, one in results.items() if (began := began_at(one))},
        )
        try:
            path = reserve(folder, host, now, start.run().to_json())
        except OSError as error:
            raise AnsibleActionFail(f"No report can be written to {folder}: {error.strerror}.") from error
        return {"msg": f"The report will be in {path}.", "path": path, "begun": dataclasses.asdict(start)}


def end(options: Options, registered: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Write the report of a run that is over. If that fails it is a warning: the run itself is over, failed or not."""
    path = options["begun"].get("path")
    if not path:
        return {"msg": "No report was begun.", "path": ""}
    start = RunStart(**options["begun"]["begun"])
    results, run = Results(registered, start.stale), start.run()
    if run.product == "plone":
        run = _run_report_plone.describe(run, results)
    else:
        run = _run_report_odoo.describe(run, results, options["asked"])
    try:
        replace(path, ended(run, results, utc_now(), options["failure"]).to_json())
    except OSError as error:
        warning = f"The report {path} cannot be written: {error.strerror}. It still says that the run has not ended."
        return {"msg": warning, "path": path, "warnings": [warning]}
    return {"msg": f"The report is in {path}.", "path": path}


def collection_version() -> str:
    """The version of this collection, from what is installed or from the work tree."""
    try:
        with open(os.path.join(COLLECTION, "MANIFEST.json"), encoding="utf-8") as file:
            return str(json.load(file)["collection_info"]["version"])
    except FileNotFoundError:
        with open(os.path.join(COLLECTION, "galaxy.yml"), encoding="utf-8") as file:
            return str(yaml.safe_load(file)["version"])

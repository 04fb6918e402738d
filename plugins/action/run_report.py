# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code of run_report: it runs on the controller, where the reports of all hosts are kept."""

from __future__ import annotations

import dataclasses
import datetime
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

if t.TYPE_CHECKING:
    from ..module_utils._report.run import Run

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

UNEXPECTED = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading a result raises that a play of one's own registered with another module."""

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
    finished_at = utc_now()
    warnings: list[str] = []
    try:
        run = described(options, registered, start, finished_at)
    except UNEXPECTED as error:
        warnings.append(
            "The report says only how the run ended: what the tasks registered are not results of this collection's "
            f"modules ({type(error).__name__}: {text(error)})."
        )
        bare = Results(only_the_end(registered), start.stale)
        run = ended(dataclasses.replace(start.run(), message=""), bare, finished_at, options["failure"])
    try:
        replace(path, run.to_json())
    except OSError as error:
        message = f"The report {path} cannot be written: {error.strerror}. It still says that the run has not ended."
        return {"msg": message, "path": path, "warnings": [*warnings, message]}
    return {"msg": f"The report is in {path}.", "path": path, **({"warnings": warnings} if warnings else {})}


def described(
    options: Options, registered: t.Mapping[str, t.Any], start: RunStart, finished_at: datetime.datetime
) -> Run:
    """The run with its end, and with all that the results say of it."""
    results, run = Results(registered, start.stale), start.run()
    if run.product == "plone":
        run = _run_report_plone.describe(run, results)
    else:
        run = _run_report_odoo.describe(run, results, options["asked"])
    return ended(run, results, finished_at, options["failure"])


def only_the_end(registered: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Of each result whether it changed something, and whether a closed window refused it."""
    known = {name: result for name, result in registered.items() if isinstance(result, t.Mapping)}
    return {
        name: {key: result.get(key) for key in ("started_at", "skipped", "changed", "refused")}
        for name, result in known.items()
    }


def collection_version() -> str:
    """The version of this collection, from what is installed or from the work tree."""
    try:
        with open(os.path.join(COLLECTION, "MANIFEST.json"), encoding="utf-8") as file:
            return str(json.load(file)["collection_info"]["version"])
    except FileNotFoundError:
        with open(os.path.join(COLLECTION, "galaxy.yml"), encoding="utf-8") as file:
            return str(yaml.safe_load(file)["version"])

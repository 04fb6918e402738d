#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_upgrade_process: have an uploaded dump upgraded, once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_upgrade_process
short_description: Start the upgrade of an uploaded Odoo dump, once
version_added: 1.0.0
description:
  - Calls C(process) of the platform's database API if the request is in the state V(draft), and verifies that it leaves
    that state. In any later state, the module only reads.
  - If the answer is lost, the state that is read afterwards decides. The call is not repeated within a run.
  - If the request ended without a result, the task fails with the platform's own words.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_odoo
  - siteops.upgrades.odoo
attributes:
  check_mode:
    support: full
    details:
      - Only reads. If there is no request yet, predicts the start that would follow.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  dump:
    description:
      - The dump that is meant, on the host that runs the module. The module fails if the request was sent another one,
        with another path and another content, which happens where two hosts share one request file.
      - A dump that is no longer at the path that it was sent from is not compared.
    type: path
    version_added: 2.0.0
seealso:
  - module: siteops.upgrades.odoo_upgrade_upload
  - module: siteops.upgrades.odoo_upgrade_request_info
"""

EXAMPLES = r"""
- name: Start the upgrade
  siteops.upgrades.odoo_upgrade_process:
    request_file: /var/lib/odoo-upgrades/shop.json
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: The upgrade was started.
request_id:
  description: The id of the request; empty in check mode where there is none yet.
  type: str
  returned: success
  sample: "10534"
state:
  description:
    - The state of the request, as RV(siteops.upgrades.odoo_upgrade_request_info#module:state).
    - Empty in check mode where there is no request yet.
  type: str
  returned: success
  sample: pending
stage:
  description: How far the request is, as RV(siteops.upgrades.odoo_upgrade_request_info#module:stage).
  type: str
  returned: success
  sample: working
finished:
  description: Whether the upgraded database can be fetched.
  type: bool
  returned: success
  sample: false
request:
  description: The status of the request, as RV(siteops.upgrades.odoo_upgrade_request_info#module:request).
  type: dict
  returned: success
  sample: {"aim": "test", "filename": "shop.dump", "id": 10534, "key": "(hidden)", "state": "pending"}
states_seen:
  description: The states that were seen so far, as RV(siteops.upgrades.odoo_upgrade_request_info#module:states_seen).
  type: list
  elements: dict
  returned: success
  sample: [{"at": "2026-11-21T03:00:00Z", "state": "draft"}]
protocol:
  description: The protocol of the platform, V(upgrade_service) or V(database_api).
  type: str
  returned: success
  sample: upgrade_service
is_pg_version_compatible:
  description: Whether the PostgreSQL that made the dump can restore the result.
  type: bool
  returned: where today's service has said it
  sample: true
failure:
  description: The call that failed, as RV(siteops.upgrades.odoo_upgrade_request_info#module:failure).
  type: dict
  returned: when a call failed
  sample:
    call: POST /database/v1/process
    failures:
      - message: Internal server error
        reason: SERVER:ERROR
    status: 200
started_at:
  description: When the module began, in UTC.
  type: str
  returned: always
  sample: "2026-11-21T03:00:00.000Z"
finished_at:
  description: When it ended.
  type: str
  returned: always
  sample: "2026-11-21T03:00:01.204Z"
"""

import typing as t

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.module import run
from ..module_utils._core.task import Task, task_of
from ..module_utils._odoo.job import require_same_job
from ..module_utils._odoo.open_request import opened_request
from ..module_utils._odoo.options import OdooOptions, odoo_arguments, odoo_options
from ..module_utils._odoo.request import OdooRequest
from ..module_utils._odoo.status import STARTED, Stage, Status
from ..module_utils._odoo.wait import call_and_verify


def process(task: Task, options: OdooOptions, dump: str | None) -> dict[str, t.Any]:
    """The result of the module, in check mode as well."""
    with opened_request(task, options, writes=True) as request:
        require_same_job(request.file, dump, "dump")
        if not request.exists:
            return request.result(None, changed=True, msg="The upgrade would be started.")
        status = request.status()
        request.require_not_failed(status)
        if status.stage is not Stage.OPEN:
            return request.result(status, changed=False, msg=_not_started_now(request, status))
        if task.check_mode:
            return request.result(status, changed=True, msg="The upgrade would be started.")
        started = call_and_verify(
            request, lambda: request.platform.start(request.handle, request.notes), leaving=Stage.OPEN
        )
        return request.result(started, changed=True, msg="The upgrade was started.")


def _not_started_now(request: OdooRequest, status: Status) -> str:
    """What to say where the upgrade was not started now; a state that this collection does not know proves nothing."""
    if request.stages_passed() & STARTED:
        return "The upgrade was started before."
    request.task.warn(
        f"This collection does not know the state '{status.state}' of {request.name}, nor whether the upgrade "
        "was started. Look at the platform's page for the request."
    )
    return f"Nothing was started: {request.name} is in the state '{status.state}'."


def main() -> None:
    """Entry point of the module."""
    module = Module(argument_spec={**odoo_arguments(), "dump": {"type": "path"}}, supports_check_mode=True)
    params = module.params
    run(module, lambda: process(task_of(module), odoo_options(params), params["dump"] or None))


if __name__ == "__main__":
    main()

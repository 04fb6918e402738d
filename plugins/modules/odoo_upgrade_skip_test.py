#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_upgrade_skip_test: take the upgraded dump without waiting for the platform's tests."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_upgrade_skip_test
short_description: Take an upgraded Odoo dump without waiting for the platform's tests
version_added: 1.0.0
description:
  - Calls C(skip_test) of the platform's database API if the request is in the state V(testing), which can last for
    days, and verifies that it leaves that state. The platform then delivers the upgraded dump untested.
  - If there is a result already, the module only reads.
  - If the answer is lost, the state that is read afterwards decides. The call is not repeated within a run.
  - The call belongs to later editions of the API; an older platform refuses it.
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
      - Only reads. Before the state V(testing), predicts the change that would follow once it is reached.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: siteops.upgrades.odoo_upgrade_request_info
    description: Waits for the tests with O(siteops.upgrades.odoo_upgrade_request_info#module:wait_for=testing).
"""

EXAMPLES = r"""
- name: Wait until the platform begins to test the upgraded database
  siteops.upgrades.odoo_upgrade_request_info:
    request_file: /var/lib/odoo-upgrades/shop.json
    wait: true
    wait_for: testing

- name: Take the upgraded database untested
  siteops.upgrades.odoo_upgrade_skip_test:
    request_file: /var/lib/odoo-upgrades/shop.json
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: The tests were skipped.
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
  sample: delivered
stage:
  description: How far the request is, as RV(siteops.upgrades.odoo_upgrade_request_info#module:stage).
  type: str
  returned: success
  sample: ready
finished:
  description: Whether the upgraded database can be fetched.
  type: bool
  returned: success
  sample: true
request:
  description: The status of the request, as RV(siteops.upgrades.odoo_upgrade_request_info#module:request).
  type: dict
  returned: success
  sample: {"aim": "test", "filename": "shop.dump", "id": 10534, "key": "(hidden)", "state": "delivered"}
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
    call: POST /database/v1/skip_test
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
from ..module_utils._core.errors import UpgradeError
from ..module_utils._core.module import run
from ..module_utils._core.task import Task, task_of
from ..module_utils._odoo.open_request import opened_request
from ..module_utils._odoo.options import OdooOptions, odoo_arguments, odoo_options
from ..module_utils._odoo.status import BEFORE_RESULT, Stage
from ..module_utils._odoo.wait import call_and_verify

WOULD_SKIP = "The tests would be skipped."


def skip_test(task: Task, options: OdooOptions) -> dict[str, t.Any]:
    """The result of the module, in check mode as well."""
    with opened_request(task, options, writes=True, needs="odoo_upgrade_skip_test") as request:
        if not request.exists:
            return request.result(None, changed=True, msg=WOULD_SKIP)
        status = request.status()
        request.require_not_failed(status)
        if status.stage is Stage.READY:
            return request.result(status, changed=False, msg="The result is there already.")
        if task.check_mode and status.stage in BEFORE_RESULT:
            return request.result(status, changed=True, msg=WOULD_SKIP)
        if status.stage is not Stage.TESTING:
            raise UpgradeError(
                f"{request.title} is in the state '{status.state}', and only the platform's tests can be "
                "skipped. Wait for them with odoo_upgrade_request_info and 'wait_for: testing'.",
                **request.result(status, changed=False),
            )
        skipped = call_and_verify(request, lambda: request.platform.skip_tests(request.handle), leaving=Stage.TESTING)
        return request.result(skipped, changed=True, msg="The tests were skipped.")


def main() -> None:
    """Entry point of the module."""
    module = Module(argument_spec=odoo_arguments(), supports_check_mode=True)
    run(module, lambda: skip_test(task_of(module), odoo_options(module.params)))


if __name__ == "__main__":
    main()

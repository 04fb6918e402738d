#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_upgrade_request_info: the status of an upgrade request, now or when it is finished."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_upgrade_request_info
short_description: Read the status of an Odoo upgrade request, or wait until it is finished
version_added: 1.0.0
description:
  - Calls C(status) of the platform's database API and returns its document, without the key and the URLs that carry it.
  - With O(wait=true) it reads again until the request is finished. While it waits, it tolerates errors of the platform
    itself (C(SERVER:ERROR), HTTP status 429, and 500 or above) and broken connections.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.info_module
  - siteops.upgrades.attributes.actiongroup_odoo
  - siteops.upgrades.odoo
  - siteops.upgrades.progress
attributes:
  check_mode:
    support: full
    details:
      - Reads once and does not wait. If there is no request yet, RV(state) and RV(request) are empty.
  idempotent:
    support: full
    details:
      - Outside of check mode, new states are recorded in O(request_file). That does not count as a change.
options:
  wait:
    description:
      - Wait until the request is finished, and fail if it ended without a result.
      - Otherwise return the current state.
    type: bool
    default: false
  wait_for:
    description:
      - V(result) waits for the upgraded database.
      - V(testing) also ends when the platform has begun to test it, which can last for days and can be skipped with
        M(siteops.upgrades.odoo_upgrade_skip_test).
    type: str
    choices:
      - result
      - testing
    default: result
  wait_timeout:
    description:
      - Seconds to wait before the task fails and names the state. The platform goes on working, and another run can
        wait for it.
    type: int
    default: 86400
  wait_interval:
    description:
      - The longest pause in seconds between two reads. Each pause is a tenth of the time that the state has lasted, but
        at least one second, so that a short state is noticed early.
    type: int
    default: 60
seealso:
  - module: siteops.upgrades.odoo_upgrade_process
  - module: siteops.upgrades.odoo_upgrade_download
"""

EXAMPLES = r"""
- name: Read the state of a request
  siteops.upgrades.odoo_upgrade_request_info:
    request_file: /var/lib/odoo-upgrades/shop.json
  register: shop

- name: Wait for the upgraded database for up to eight hours
  siteops.upgrades.odoo_upgrade_request_info:
    request_file: /var/lib/odoo-upgrades/shop.json
    wait: true
    wait_timeout: 28800

- name: Read the state of a request that was made elsewhere
  siteops.upgrades.odoo_upgrade_request_info:
    request_id: "10534"
    request_key: "{{ vault_odoo_request_key }}"
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: Request 10534 is in the state 'done'.
request_id:
  description: The id of the request; empty in check mode where there is none yet.
  type: str
  returned: success
  sample: "10534"
state:
  description:
    - The state of the request; empty in check mode where there is none yet.
    - V(draft), made, and waiting for a dump and the start.
    - V(pending), V(processing), V(testing), in work.
    - V(done), V(delivered), the upgraded database can be fetched.
    - V(invalid), ended without a result; C(customer_message) of RV(request) says why. V(failed), V(cancelled) and
      V(error) count as the same.
    - The platform may use other states; the module waits while the request is in one of them.
  type: str
  returned: success
  sample: done
stage:
  description:
    - How far the request is, in the same words for every platform. Empty in check mode where there is no request yet.
    - V(open), it takes a dump and its upgrade was not started. V(working). V(testing), the platform tests the upgraded
      database. V(ready), the upgraded database can be fetched. V(failed), there will be no upgraded database.
      V(unknown), the platform used a state that this collection does not know.
  type: str
  returned: success
  sample: ready
finished:
  description: Whether the upgraded database can be fetched.
  type: bool
  returned: success
  sample: true
states_seen:
  description:
    - The states that were seen so far, in order, as recorded in O(request_file). A state that came and went between two
      reads is missing.
  type: list
  elements: dict
  returned: success
  contains:
    state:
      description: The state.
      type: str
      sample: draft
    at:
      description: When it was seen for the first time, in UTC.
      type: str
      sample: "2026-11-21T03:00:00Z"
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
waited:
  description: Seconds that this run waited.
  type: float
  returned: success
  sample: 1834.2
request:
  description:
    - The status document of the platform, with every key that it sends. Empty in check mode if there is no request yet.
    - The private key and all URLs are replaced by V((hidden\)), because each URL carries that key.
  type: dict
  returned: success
  contains:
    id:
      description: The id of the request.
      type: int
      sample: 10534
    key:
      description: The private key of the request, hidden.
      type: str
      sample: (hidden)
    email:
      description: The e-mail address of the request.
      type: str
      sample: john.doe@example.com
    target:
      description: The version of Odoo to upgrade to.
      type: str
      sample: "8.0"
    aim:
      description: What the upgrade is for, V(test) or V(production).
      type: str
      sample: test
    filename:
      description: The name given to the dump.
      type: str
      sample: db_name.dump
    timezone:
      description: The time zone given to the request.
      type: str
      sample: null
    state:
      description: The state, as RV(state).
      type: str
      sample: draft
    issue_stage:
      description: The stage of the issue that the platform made for the request.
      type: str
      sample: new
    issue:
      description: The id of that issue.
      type: int
      sample: 648398
    status_url:
      description: The page of the request, hidden.
      type: str
      sample: (hidden)
    notes_url:
      description: The notes about the upgrade, hidden.
      type: str
      sample: (hidden)
    original_sql_url:
      description: The uploaded database as SQL, hidden.
      type: str
      sample: (hidden)
    original_dump_url:
      description: The uploaded database as an archive, hidden.
      type: str
      sample: (hidden)
    upgraded_sql_url:
      description: The upgraded database as SQL, hidden. The URL is there in every state, but works only once finished.
      type: str
      sample: (hidden)
    upgraded_dump_url:
      description: The upgraded database as an archive, hidden; likewise.
      type: str
      sample: (hidden)
    modules_url:
      description: The custom modules, hidden.
      type: str
      sample: (hidden)
    filesize:
      description: The size of the uploaded dump, in readable form.
      type: str
      sample: 912.99 Kb
    database_uuid:
      description: The unique id of the database.
      type: str
      sample: null
    created_at:
      description: When the request was made.
      type: str
      sample: "2015-09-09 07:13:49"
    estimated_time:
      description: How long the upgrade is expected to take.
      type: str
      sample: null
    processed_at:
      description: When the upgrade was started.
      type: str
      sample: null
    elapsed:
      description: How long the upgrade took.
      type: str
      sample: "00:00"
    filestore:
      description: Whether attachments were moved to the file store.
      type: bool
      sample: false
    customer_message:
      description: An important message of the platform about the request.
      type: str
      sample: null
    database_version:
      description: The version of Odoo that the uploaded dump seems to come from.
      type: str
      sample: null
    postgresql:
      description: The version of PostgreSQL that the uploaded dump seems to come from.
      type: str
      sample: "9.4"
    compressions:
      description: How the uploaded dump is compressed.
      type: list
      elements: str
      sample: ["pgdmp_custom", "sql"]
failure:
  description: The call that failed.
  type: dict
  returned: when a call failed
  contains:
    call:
      description: Method and path.
      type: str
      sample: POST /database/v1/status
    status:
      description: The HTTP status, where there was one.
      type: int
      sample: 200
    failures:
      description: Everything that the platform named, each with C(reason) and C(message), some with more.
      type: list
      elements: dict
      sample: [{"message": "Internal server error", "reason": "SERVER:ERROR"}]
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

import time
import typing as t

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.module import run
from ..module_utils._core.options import require_positive
from ..module_utils._core.progress import progress_arguments
from ..module_utils._core.task import Task, task_of
from ..module_utils._odoo.open_request import opened_request
from ..module_utils._odoo.options import OdooOptions, odoo_arguments, odoo_options
from ..module_utils._odoo.status import Stage
from ..module_utils._odoo.wait import wait_until

REACHED = {"result": {Stage.READY}, "testing": {Stage.READY, Stage.TESTING}}


def read(task: Task, options: OdooOptions, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The result of the module, after waiting if that was asked for."""
    require_positive(params, "wait_timeout", "wait_interval")
    started = time.monotonic()
    with opened_request(task, options, writes=False) as request:
        if not request.exists:
            status = None
        elif params["wait"] and not task.check_mode:
            reached = REACHED[params["wait_for"]]
            status = wait_until(request, reached, timeout=params["wait_timeout"], interval=params["wait_interval"])
        else:
            status = request.status()
        waited = round(time.monotonic() - started, 1)
        msg = f"{request.title} is in the state '{status.state}'." if status else "There is no request yet."
        return request.result(status, changed=False, msg=msg, waited=waited)


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **odoo_arguments(),
            **progress_arguments(),
            "wait": {"type": "bool", "default": False},
            "wait_for": {"type": "str", "choices": ["result", "testing"], "default": "result"},
            "wait_timeout": {"type": "int", "default": 86400},
            "wait_interval": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    run(module, lambda: read(task_of(module), odoo_options(module.params), module.params))


if __name__ == "__main__":
    main()

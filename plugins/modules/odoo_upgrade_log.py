#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_upgrade_log: read the log that the platform writes of an upgrade."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_upgrade_log
short_description: Read the log that the platform writes of an upgrade
version_added: 2.0.0
description:
  - Fetches what today's service has logged of an upgrade into a file, from the byte on where the file ends, and returns
    the last lines.
  - The log is no verdict. An upgrade that logs errors may succeed; only the state says how it ended.
  - With O(wait=true) the log is followed until the upgrade has ended, whichever way. A read that fails meanwhile is
    repeated.
  - If the last read of the log failed, or something else than the log was answered, such as the page of a proxy, the
    module fails. Nothing is written for it.
  - The database API v1 has no log; there the module fails and sends nothing.
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
      - Reads the state and the log, and writes no file.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  dest:
    description:
      - The file that gets the log, on the host that runs the module, made with the mode C(0600) where it is missing.
        Its folder must exist. What was fetched before stays, and what is new is added.
      - A file that holds something else, such as the log of an earlier request, is refused and left as it is.
      - If not set, no file is written.
    type: path
  wait:
    description:
      - Follow the log until the upgrade has ended.
    type: bool
    default: false
  wait_timeout:
    description:
      - With O(wait=true), the seconds after which the task ends. The upgrade goes on.
    type: int
    default: 86400
  wait_interval:
    description:
      - With O(wait=true), the seconds between two reads.
    type: int
    default: 60
seealso:
  - module: siteops.upgrades.odoo_upgrade_request_info
"""

EXAMPLES = r"""
- name: Fetch the log of an upgrade
  siteops.upgrades.odoo_upgrade_log:
    request_file: /var/lib/odoo-upgrades/shop.json
    dest: /var/log/odoo-upgrades/shop.log

- name: Follow it to the end
  siteops.upgrades.odoo_upgrade_log:
    request_file: /var/lib/odoo-upgrades/shop.json
    dest: /var/log/odoo-upgrades/shop.log
    wait: true
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: Fetched 1290 bytes of the log of request 4190001.
log:
  description: The log.
  type: dict
  returned: success
  contains:
    dest:
      description: The absolute path of the file; empty where none was wanted.
      type: str
      sample: /var/log/odoo-upgrades/shop.log
    size:
      description: Bytes of the log so far.
      type: int
      sample: 4380
    bytes_received:
      description: Bytes that are new since the file was written last.
      type: int
      sample: 1290
    lines:
      description: The last lines.
      type: list
      elements: str
      sample: ["INFO  the work has ended"]
request_id:
  description: The id of the request.
  type: str
  returned: success
  sample: "4190001"
state:
  description: The state of the request, as RV(siteops.upgrades.odoo_upgrade_request_info#module:state).
  type: str
  returned: success
  sample: progress
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
  sample: {"archived": false, "host_uri": "up1.odoo.com", "reason": null, "status": "progress"}
states_seen:
  description: The states that were seen so far, as RV(siteops.upgrades.odoo_upgrade_request_info#module:states_seen).
  type: list
  elements: dict
  returned: success
  sample: [{"at": "2026-11-21T03:00:00Z", "state": "new"}]
protocol:
  description: The protocol of the platform, V(upgrade_service).
  type: str
  returned: success
  sample: upgrade_service
is_pg_version_compatible:
  description: Whether the PostgreSQL that made the dump can restore the result.
  type: bool
  returned: where the platform has said it
  sample: true
failure:
  description: The call that failed, as RV(siteops.upgrades.odoo_upgrade_request_info#module:failure).
  type: dict
  returned: when a call failed
  sample: {"call": "POST /upgrade/request/status", "status": 502}
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

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.module import run
from ..module_utils._core.task import task_of
from ..module_utils._odoo.log import log_arguments, read_log
from ..module_utils._odoo.options import odoo_arguments, odoo_options


def main() -> None:
    """Entry point of the module."""
    module = Module(argument_spec={**odoo_arguments(), **log_arguments()}, supports_check_mode=True)
    run(module, lambda: read_log(task_of(module), odoo_options(module.params), module.params))


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_upgrade_request: make an upgrade request on Odoo's platform, once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_upgrade_request
short_description: Make an upgrade request on Odoo's upgrade platform, once
version_added: 1.0.0
description:
  - Calls C(create) of the platform, once for each O(request_file), and keeps the id and the key or token of the request
    there. Neither key nor token is returned.
  - For today's service, an ssh key pair is made for the request as well. It lies in a folder of mode C(0700) beside
    O(request_file), whose name ends in C(.ssh), and is removed when the result has been fetched.
  - Every call makes another request on the platform, which can neither list nor withdraw requests. Therefore the file
    is written before the call as well. A run that was killed, or whose answer was lost, leaves that intention behind.
    The next run finds it, reports it, and makes no second request by itself.
  - If the file already describes a request, that one is used if O(contract), O(email), O(target), O(aim), O(filename)
    and O(timezone) are the same. Otherwise the task fails and shows what differs. Once the dump was sent, an
    O(filename) that is only the name of O(dump) is not compared, because the content of O(dump) is.
  - With O(request_id) and O(request_key) or O(request_token), a request that was made elsewhere is recorded in
    O(request_file).
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
      - Reads the state of a request that exists, and writes no file.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - With O(renew=true), a request that has ended is replaced by another one.
options:
  request_file:
    description:
      - The file that keeps the id and the key of the request, as JSON with the mode C(0600), on the host that runs the
        module. Its folder must exist.
      - One file describes one request, so each database needs a file of its own. Keep it until the upgraded database is
        in use, and never edit it.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_REQUEST_FILE) is used.
    type: path
    required: true
  contract:
    description:
      - The reference of the enterprise contract, such as V(M123456-abcdef). It is treated as a secret.
      - Only a salted hash of it is stored in O(request_file).
    type: str
    required: true
  email:
    description:
      - The e-mail address that the platform writes to. The database API v1 requires it; today's service ignores it.
    type: str
  target:
    description:
      - The version of Odoo to upgrade to, such as V(18.0); V(18) and V(v18) are the same. The platform decides which
        ones it accepts; if it refuses one, the failure shows its words.
    type: str
    required: true
  aim:
    description:
      - V(test) for a rehearsal, V(production) for the upgrade that counts.
    type: str
    choices:
      - test
      - production
    default: test
  filename:
    description:
      - A name for the dump, without a folder. It is also the name of the file on the SFTP server. The database API v1
        requires it; today's service ignores it.
    type: str
  timezone:
    description:
      - The time zone of the server; only needed for databases older than Odoo 6.1. Today's service ignores it.
    type: str
  dump:
    description:
      - The dump that is meant, on the host that runs the module. The module fails if the request was sent another one,
        with another path and another content, which happens where two hosts share one request file.
      - A dump that is no longer at the path that it was sent from is not compared.
    type: path
    version_added: 2.0.0
  renew:
    description:
      - Make another request with this O(request_file) where the recorded one is for another dump, contract, target or
        aim, has ended, or cannot be used. The id and the secret of the former request are kept in the file, under
        C(earlier).
      - A request has ended when the platform failed, when there is a result for another dump than O(dump), or, without
        O(dump), when there is any result. Otherwise the recorded request is used, so a run can be repeated.
      - Where the answer to an earlier creation was lost, another request is made too.
    type: bool
    default: false
seealso:
  - module: siteops.upgrades.odoo_upgrade_upload
  - module: siteops.upgrades.odoo_upgrade_request_info
"""

EXAMPLES = r"""
- name: Make a request for a test upgrade
  siteops.upgrades.odoo_upgrade_request:
    request_file: /var/lib/odoo-upgrades/shop.json
    contract: "{{ vault_odoo_contract }}"
    target: "18.0"

- name: Make one with the database API v1
  siteops.upgrades.odoo_upgrade_request:
    api_url: https://upgrade.odoo.com/database/v1
    request_file: /var/lib/odoo-upgrades/shop.json
    contract: "{{ vault_odoo_contract }}"
    email: john.doe@example.com
    target: "18.0"
    filename: shop.dump

- name: Go on with a request that was made by hand
  siteops.upgrades.odoo_upgrade_request:
    request_file: /var/lib/odoo-upgrades/shop.json
    request_id: "10534"
    request_key: "{{ vault_odoo_request_key }}"
    contract: "{{ vault_odoo_contract }}"
    email: john.doe@example.com
    target: "18.0"
    filename: shop.dump
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: Made request 10534.
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
  sample: draft
stage:
  description: How far the request is, as RV(siteops.upgrades.odoo_upgrade_request_info#module:stage).
  type: str
  returned: success
  sample: open
finished:
  description: Whether the upgraded database can be fetched.
  type: bool
  returned: success
  sample: false
request:
  description: The status of the request, as RV(siteops.upgrades.odoo_upgrade_request_info#module:request).
  type: dict
  returned: success
  sample: {"aim": "test", "filename": "shop.dump", "id": 10534, "key": "(hidden)", "state": "draft"}
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
request_file:
  description: Where the id and the key are kept.
  type: str
  returned: success
  sample: /var/lib/odoo-upgrades/shop.json
differences:
  description: What differs between the options and the request in the file. A contract is never shown.
  type: dict
  returned: when the file describes another request
  sample: {"target": {"asked": "18.0", "request": "17.0"}}
intention:
  description: The call of C(create) that was never answered.
  type: dict
  returned: when an earlier run left it
  contains:
    at:
      description: When it was called, in UTC.
      type: str
      sample: "2026-11-21T03:00:00Z"
    fields:
      description: What it was called with, without the contract.
      type: dict
      sample: {"aim": "test", "email": "john.doe@example.com", "filename": "shop.dump", "target": "18.0"}
    answer:
      description: What came back in place of an answer; empty where the run was killed.
      type: str
      sample: "POST /database/v1/create got no whole answer: the connection was lost (RemoteDisconnected)."
failure:
  description: The call that failed, as RV(siteops.upgrades.odoo_upgrade_request_info#module:failure).
  type: dict
  returned: when a call failed
  sample:
    call: POST /database/v1/create
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
from ..module_utils._core.task import task_of
from ..module_utils._odoo.create import create_once
from ..module_utils._odoo.options import odoo_arguments, odoo_options, request_options


def main() -> None:
    """Entry point of the module."""
    shared: dict[str, t.Any] = odoo_arguments()
    shared["request_file"]["required"] = True
    module = Module(
        argument_spec={
            **shared,
            "contract": {"type": "str", "required": True, "no_log": True},
            "email": {"type": "str"},
            "target": {"type": "str", "required": True},
            "aim": {"type": "str", "choices": ["test", "production"], "default": "test"},
            "filename": {"type": "str"},
            "timezone": {"type": "str"},
            "dump": {"type": "path"},
            "renew": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    run(
        module,
        lambda: create_once(
            task_of(module),
            odoo_options(params),
            request_options(params),
            renew=params["renew"],
            dump=params["dump"] or None,
        ),
    )


if __name__ == "__main__":
    main()

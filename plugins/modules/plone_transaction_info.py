#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_transaction_info: what was committed to the database of a Plone site."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_transaction_info
short_description: List what was committed to the database of a Plone site
version_added: 1.0.0
description:
  - Reads the service C(@transactions) of plone.restapi, which needs plone.restapi 8.29.0 or newer.
  - A committed upgrade is in the list, with its user, time and size. A dry run and a failed upgrade leave no trace.
  - The list is that of the whole database, including other sites in it. Packing the database shortens it. It is
    empty where the storage keeps no history, such as RelStorage with C(keep-history false).
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.info_module
  - siteops.upgrades.attributes.actiongroup_plone
  - siteops.upgrades.plone
options:
  limit:
    description:
      - How many transactions to return at most, the newest ones.
    type: int
    default: 20
seealso:
  - module: siteops.upgrades.plone_upgrade_undo
"""

EXAMPLES = r"""
- name: Remember where the database stands
  siteops.upgrades.plone_transaction_info:
    url: https://plone.example.org
    username: admin
    password: "{{ vault_plone_password }}"
    limit: 1
  register: before
"""

RETURN = r"""
transactions:
  description: The transactions, newest first.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: The identifier, to be passed to M(siteops.upgrades.plone_upgrade_undo) unchanged.
      type: str
      sample: "QkEwcnRpbTFRcGs9\n 2026-11-21T19:02:09 /Plone/POST_application_json_@upgrade "
    time:
      description: When it was committed, in the local time of the server.
      type: str
      sample: "2026-11-21T19:02:09"
    user:
      description: Who did it.
      type: str
      sample: admin
    description:
      description: What was called.
      type: str
      sample: /Plone/POST_application_json_@upgrade
    size:
      description: How many bytes it wrote. Not set where the storage does not report it, as RelStorage does not.
      type: int
      sample: 136512
    upgrade:
      description: Whether it is an upgrade of the core, or a change of an add-on through the API.
      type: bool
      sample: true
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
from ..module_utils._core.options import require_positive
from ..module_utils._plone.client import connect
from ..module_utils._plone.connection import Connection, plone_arguments
from ..module_utils._plone.transactions import Transactions


def read(module: Module) -> dict[str, t.Any]:
    """The result of the module: the newest transactions."""
    require_positive(module.params, "limit")
    client = connect(Connection.from_params(module.params), module.warn)
    transactions = Transactions(client).read()[: module.params["limit"]]
    return {"changed": False, "transactions": [transaction.as_result() for transaction in transactions]}


def main() -> None:
    """Entry point of the module."""
    arguments = {**plone_arguments(), "limit": {"type": "int", "default": 20}}
    module = Module(argument_spec=arguments, supports_check_mode=True)
    run(module, lambda: read(module))


if __name__ == "__main__":
    main()

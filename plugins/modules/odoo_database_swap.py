#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_database_swap: put an upgraded database in the place of the old one, or back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_database_swap
short_description: Swap an upgraded Odoo database in, or back, with its filestore
version_added: 1.1.0
description:
  - Renames O(database) to O(keep_as) and O(upgraded) to O(database), both in one transaction, and the folders of their
    filestores after it. Nothing is dropped.
  - With O(state=reverted) and the same options it goes the way back. The upgraded database is kept as O(upgraded).
  - Both databases refuse connections until everything is renamed. Afterwards only O(database) accepts them.
  - A journal in O(filestore_dir) records what is about to be done. If a run is killed at any point, the next one
    finishes it.
  - It refuses to start while anybody is connected. Stop Odoo first and restart it afterwards, because it keeps its
    registry by the name.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_odoo_database
  - siteops.upgrades.odoo_database
attributes:
  check_mode:
    support: full
    details:
      - Looks at names, folders and connections. Nothing is written.
  diff_mode:
    support: full
    details:
      - Shows which database has which name, by the object identifier that the server gives it.
  idempotent:
    support: full
options:
  upgraded:
    description:
      - The name of the upgraded database.
    type: str
    required: true
  keep_as:
    description:
      - The name under which the old database is kept. Without it, that of O(database) with C(_before) appended.
    type: str
  filestore_dir:
    description:
      - The folder with the filestores, each named after its database. Without it, only the databases are renamed.
    type: path
  state:
    description:
      - V(swapped) puts the upgraded database in, V(reverted) the old one back.
    type: str
    choices: [swapped, reverted]
    default: swapped
  terminate:
    description:
      - Whether to end the connections that are open. A running Odoo connects again as soon as it can.
    type: bool
    default: false
seealso:
  - module: siteops.upgrades.odoo_database_verify
"""

EXAMPLES = r"""
- name: Put the upgraded database in
  siteops.upgrades.odoo_database_swap:
    database: shop
    upgraded: shop_upgraded
    keep_as: shop_16
    filestore_dir: /var/lib/odoo/filestore
  become: true
  become_user: odoo

- name: Go back to the old one
  siteops.upgrades.odoo_database_swap:
    database: shop
    upgraded: shop_upgraded
    keep_as: shop_16
    filestore_dir: /var/lib/odoo/filestore
    state: reverted
  become: true
  become_user: odoo
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: The database shop_upgraded was put in the place of shop, which was kept as shop_16.
database:
  description: The name of the database.
  type: str
  returned: success
  sample: shop
databases:
  description: Which database has which name, by the object identifier that the server gives it.
  type: dict
  returned: success
  sample: {"shop": 16999, "shop_16": 16384}
connections:
  description: Who is connected.
  type: list
  elements: dict
  returned: when connections are open
  sample:
    - {"application": "odoo-4711", "client": "local", "database": "shop", "pid": 4711, "state": "idle", "user": "odoo"}
failure:
  description: The program that failed.
  type: dict
  returned: when a program failed
  sample: {"call": "psql", "database": "shop", "status": 3}
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
from ..module_utils._postgres.changing import swap_once
from ..module_utils._postgres.connection import postgres_arguments


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **postgres_arguments(),
            "upgraded": {"type": "str", "required": True},
            "keep_as": {"type": "str"},
            "filestore_dir": {"type": "path"},
            "state": {"type": "str", "choices": ["swapped", "reverted"], "default": "swapped"},
            "terminate": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, lambda: swap_once(module.params, task_of(module)), calls=False)


if __name__ == "__main__":
    main()

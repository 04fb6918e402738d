#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_database_info: what a database says of itself, read by SQL."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_database_info
short_description: Read version, modules, counts and filestore of an Odoo database
version_added: 1.1.0
description:
  - Reads by SQL what an upgrade has to know about a database, without Odoo's code. So it works with every version of
    Odoo, and on a host without Odoo.
  - Keep its result before an upgrade. O(siteops.upgrades.odoo_database_verify#module:baseline) compares the database
    with it afterwards.
  - Of a secret parameter, it returns only that it is there.
  - A database that does not exist, or that refuses connections, is no failure; see RV(exists) and RV(readable).
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.info_module
  - siteops.upgrades.attributes.actiongroup_odoo_database
  - siteops.upgrades.odoo_database
options:
  filestore:
    description:
      - The folder of the database's filestore, to compare with its attachments. It is the folder that is named after
        the database.
    type: path
  verify:
    description:
      - How to compare. V(stat) compares the sizes, V(hash) reads every file, V(none) does not look.
    type: str
    choices: [none, stat, hash]
    default: stat
  tools:
    description:
      - Whether to return the versions of PostgreSQL's programs on this host.
    type: bool
    default: true
  counts:
    description:
      - The tables whose rows to count. Those that do not exist are left out.
      - Without it, tables whose rows a business notices, such as V(res_partner) and V(account_move). An empty list
        counts nothing.
    type: list
    elements: str
  contract:
    description:
      - Whether to return the reference of the enterprise contract, which is a secret. Set C(no_log=true) on the task.
    type: bool
    default: false
seealso:
  - module: siteops.upgrades.odoo_database_verify
"""

EXAMPLES = r"""
- name: Keep what the database is before its upgrade
  siteops.upgrades.odoo_database_info:
    database: shop
    filestore: /var/lib/odoo/filestore/shop
  become: true
  become_user: odoo
  register: shop_before

- name: Refuse an upgrade of a filestore that lacks files
  ansible.builtin.assert:
    that: shop_before.filestore.missing == 0
"""

RETURN = r"""
msg:
  description: The database in a sentence.
  type: str
  returned: always
  sample: The database shop is Odoo 16.0 with 24 modules.
exists:
  description: Whether the server has a database of this name.
  type: bool
  returned: success
  sample: true
readable:
  description: Whether it accepts connections. Without, nothing of what follows RV(server) is known.
  type: bool
  returned: success
  sample: true
is_odoo:
  description: Whether it is a database of Odoo.
  type: bool
  returned: success
  sample: true
database:
  description: The database as the server lists it; empty if it does not exist.
  type: dict
  returned: success
  sample:
    accepts_connections: true
    collate: C
    comment: ""
    ctype: C.UTF-8
    encoding: UTF8
    name: shop
    owner: odoo
    size: 45123123
server:
  description: The version of the server.
  type: dict
  returned: success
  sample: {"major": 15, "version_num": 150018}
tools:
  description: The version of each program on this host; empty for what is not installed.
  type: dict
  returned: if O(tools=true)
  sample: {"pg_dump": "15.18", "pg_restore": "15.18", "psql": "15.18"}
version:
  description: The version of Odoo, by its module base; empty if unknown.
  type: str
  returned: success
  sample: "16.0"
modules:
  description: State and installed version of each module that is installed, or about to be changed.
  type: dict
  returned: success
  sample: {"base": {"state": "installed", "version": "16.0.1.3"}}
unfinished_modules:
  description: Modules in a state that an update leaves behind when it did not finish.
  type: list
  elements: str
  returned: success
  sample: []
parameters:
  description: Parameters that matter to an upgrade. Secrets are shown as V((hidden\)).
  type: dict
  returned: success
  sample: {"database.secret": "(hidden)", "database.uuid": "b1946ac9-2492-11ee-9d5e-0242ac120002"}
contract:
  description: The reference of the enterprise contract; empty if the database has none. It is a secret.
  type: str
  returned: if O(contract=true) and the database is readable
  sample: M123456789ABCDEF
neutralized:
  description: Whether the database is marked as neutralised.
  type: bool
  returned: success
  sample: false
counts:
  description: The number of rows by table. Of V(ir_attachment) without the assets that Odoo generates.
  type: dict
  returned: success
  sample: {"res_partner": 43, "res_users": 5}
invoices:
  description: The number of accounting entries by kind and state.
  type: dict
  returned: success
  sample: {"out_invoice/posted": 17}
open_work:
  description: What a running Odoo would do by itself.
  type: dict
  returned: success
  sample: {"active_crons": 13, "active_mail_servers": 1, "queued_mails": 1}
mails:
  description: The number of mails by state.
  type: dict
  returned: success
  sample: {"outgoing": 1, "sent": 204}
connections:
  description: Who is connected to the database.
  type: list
  elements: dict
  returned: success
  sample:
    - {"application": "odoo-4711", "client": "local", "database": "shop", "pid": 4711, "state": "idle", "user": "odoo"}
filestore:
  description: The filestore beside the attachments. At most 20 files are named.
  type: dict
  returned: if O(filestore) is set and the database is readable
  sample: {"damaged": 0, "damaged_files": [], "missing": 0, "missing_files": [], "needed": 71}
failure:
  description: The program that failed.
  type: dict
  returned: when a program failed
  sample: {"call": "psql", "database": "shop", "status": 2}
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
from ..module_utils._postgres.connection import postgres_arguments
from ..module_utils._postgres.info import database_info


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **postgres_arguments(),
            "filestore": {"type": "path"},
            "verify": {"type": "str", "choices": ["none", "stat", "hash"], "default": "stat"},
            "tools": {"type": "bool", "default": True},
            "counts": {"type": "list", "elements": "str"},
            "contract": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, lambda: database_info(module.params), calls=False)


if __name__ == "__main__":
    main()

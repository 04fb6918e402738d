#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_database_verify: compare a database with what it was before an upgrade."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_database_verify
short_description: Verify an upgraded Odoo database against what it was before
version_added: 1.1.0
description:
  - Compares version, states of modules, numbers of rows, filestore and neutralisation with what is expected, and fails
    with every reason at once.
  - Modules must be finished, and those that were installed before must still be installed. No table of the baseline may
    have fewer rows than before.
  - With O(login_url) it also asks a running Odoo for its login page, and logs in if O(web_password) is set.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.info_module
  - siteops.upgrades.attributes.actiongroup_odoo_database
  - siteops.upgrades.odoo_database
options:
  baseline:
    description:
      - The whole result of M(siteops.upgrades.odoo_database_info) from before the upgrade.
    type: dict
  expect_version:
    description:
      - The version of Odoo that the database must have, such as V(17.0). Installed modules must have it too.
    type: str
  allow_missing_modules:
    description:
      - Modules that may be gone.
    type: list
    elements: str
    default: []
  allow_fewer_rows:
    description:
      - Tables that may have fewer rows than before.
    type: list
    elements: str
    default: []
  neutralized:
    description:
      - Whether the database must be neutralised (V(true)) or must not be (V(false)). Without it, that is not compared.
      - With V(true) the mark alone is not enough. Nothing may be left of mail servers other than Odoo's placeholder,
        incoming mail servers, scheduled actions other than the one that cleans up, live payment providers, webhooks,
        and mails and other messages that wait to be sent. The placeholder must be active, because without any mail
        server Odoo sends by the one of its configuration.
    type: bool
  filestore:
    description:
      - The folder of the database's filestore, in which every file that an attachment needs must be.
    type: path
  verify:
    description:
      - How to compare the filestore. V(stat) compares the sizes, V(hash) reads every file, V(none) does not look.
    type: str
    choices: [none, stat, hash]
    default: stat
  login_url:
    description:
      - The URL of a running Odoo that serves the database, such as C(https://shop.example.com).
    type: str
  web_user:
    description:
      - The user who logs in.
    type: str
    default: admin
  web_password:
    description:
      - The password of O(web_user). Without it, only the login page is asked for.
    type: str
  validate_certs:
    description:
      - Whether to verify the certificate of O(login_url).
    type: bool
    default: true
  ca_path:
    description:
      - A file or folder of certificates to trust for O(login_url).
    type: path
  timeout:
    description:
      - Seconds that a call to O(login_url) may take.
    type: int
    default: 60
seealso:
  - module: siteops.upgrades.odoo_database_info
"""

EXAMPLES = r"""
- name: Refuse an upgraded database that lacks anything
  siteops.upgrades.odoo_database_verify:
    database: shop_upgraded
    baseline: "{{ shop_before }}"
    expect_version: "17.0"
    filestore: /var/lib/odoo/filestore/shop_upgraded
    neutralized: false
    allow_missing_modules: [web_diagram]
  become: true
  become_user: odoo
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: The database shop_upgraded is as it should be.
database:
  description: The name of the database.
  type: str
  returned: success
  sample: shop_upgraded
reasons:
  description: Everything that is not as it should be; empty after a success.
  type: list
  elements: str
  returned: success or when something is wrong
  sample: ["res_partner has 40 rows, and had 43 before"]
version:
  description: The version of Odoo.
  type: str
  returned: success or when something is wrong
  sample: "17.0"
counts:
  description: The number of rows by table, of the tables in the baseline.
  type: dict
  returned: success or when something is wrong
  sample: {"res_partner": 43}
invoices:
  description: The number of accounting entries by kind and state.
  type: dict
  returned: success or when something is wrong
  sample: {"out_invoice/posted": 17}
modules_lost:
  description: Modules that were installed before and are not any more, the allowed ones too.
  type: list
  elements: str
  returned: success or when something is wrong
  sample: [web_diagram]
neutralized:
  description: Whether the database is marked as neutralised.
  type: bool
  returned: success or when something is wrong
  sample: false
open_work:
  description: What a running Odoo would do by itself.
  type: dict
  returned: success or when something is wrong
  sample: {"active_crons": 13, "active_mail_servers": 1, "queued_mails": 0}
filestore:
  description: The filestore beside the attachments, as RV(siteops.upgrades.odoo_database_info#module:filestore).
  type: dict
  returned: if O(filestore) is set
  sample: {"damaged": 0, "damaged_files": [], "missing": 0, "missing_files": [], "needed": 71}
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
from ..module_utils._postgres.changing import verify_once
from ..module_utils._postgres.connection import postgres_arguments


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **postgres_arguments(),
            "baseline": {"type": "dict"},
            "expect_version": {"type": "str"},
            "allow_missing_modules": {"type": "list", "elements": "str", "default": []},
            "allow_fewer_rows": {"type": "list", "elements": "str", "default": []},
            "neutralized": {"type": "bool"},
            "filestore": {"type": "path"},
            "verify": {"type": "str", "choices": ["none", "stat", "hash"], "default": "stat"},
            "login_url": {"type": "str"},
            "web_user": {"type": "str", "default": "admin"},
            "web_password": {"type": "str", "no_log": True},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    run(module, lambda: verify_once(module.params, task_of(module)), calls=bool(module.params["login_url"]))


if __name__ == "__main__":
    main()

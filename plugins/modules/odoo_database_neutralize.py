#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_database_neutralize: make a copy of a production database harmless."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_database_neutralize
short_description: Neutralise a copy of an Odoo database, proven by its rows
version_added: 1.1.0
description:
  - Runs the scripts C(data/neutralize.sql) of all installed modules, which Odoo has since 16.0, and then removes what
    they leave. Everything is one transaction, and it is committed only after the database was read and nothing is left.
  - In every version it turns off mail servers, incoming mail, scheduled actions except Odoo's clean-up, payment
    providers, IAP accounts, webhooks and the jobs of the module C(queue_job). It also removes the passwords, tokens and
    keys of mail servers and the enterprise contract.
  - It keeps one mail server that reaches nobody active, because without any Odoo sends by the mail server of its
    configuration.
  - A module whose code is not found is a failure, because Odoo itself would skip it silently. See O(missing_scripts).
  - The flag C(database.is_neutralized) alone is not believed. The module looks at the rows themselves, and records
    which scripts it ran.
  - A database that refuses connections, as a restored one does, refuses them until the end, and accepts them after a
    success.
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
      - Nothing is written. A database that refuses connections cannot be read, and counts as not neutralised.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  odoo_bin:
    description:
      - The command of Odoo, as a list of the program and its first arguments, such as V(/opt/odoo/odoo-bin).
      - Odoo's own modules are found in the folders beside it, or in the Python package if it was installed.
      - If they are in neither, as where this is a command for a container, give their folders with O(addons_path). With
        O(missing_scripts=warn) C(odoo-bin neutralize --stdout) is asked instead, which says nothing of modules without
        code.
    type: list
    elements: str
  config:
    description:
      - Odoo's configuration file. Its C(addons_path) is used too.
    type: path
  addons_path:
    description:
      - The folders with the code of the installed modules. Only their SQL files are read, so Odoo need not run here.
    type: list
    elements: path
  renew_identity:
    description:
      - Whether to give the copy a new C(database.uuid) and C(database.secret). Otherwise the publisher sees one
        contract twice, and sessions of production are valid in the copy.
    type: bool
    default: true
  queued_mail:
    description:
      - What to do with what waits to be sent. These are mails, mailings, scheduled messages, and messages by SMS,
        WhatsApp and post. Mailings become drafts, scheduled messages are deleted, and the others are cancelled.
    type: str
    choices: [cancel, keep]
    default: cancel
  base_url:
    description:
      - The URL of the copy, for links in mails and reports. Without it, C(http://localhost:8069).
    type: str
  missing_scripts:
    description:
      - What to do if an installed module has no code in the known folders.
    type: str
    choices: [fail, warn]
    default: fail
seealso:
  - module: siteops.upgrades.odoo_database_restore
"""

EXAMPLES = r"""
- name: Neutralise a restored copy before anybody can open it
  siteops.upgrades.odoo_database_neutralize:
    database: shop_test
    addons_path:
      - /opt/odoo/addons
      - /opt/odoo/odoo/addons
      - /opt/custom
    base_url: https://test.shop.example.com
  become: true
  become_user: odoo
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: The database shop_test was neutralised.
database:
  description: The name of the database.
  type: str
  returned: success
  sample: shop_test
version:
  description: The version of Odoo; empty if the database could not be read in check mode.
  type: str
  returned: success
  sample: "17.0"
neutralized:
  description: How many rows of each kind had to be changed.
  type: dict
  returned: success
  sample: {"contract": 1, "crons": 9, "mail_servers": 1, "queued_mails": 1}
scripts:
  description: The modules whose scripts belong to it.
  type: list
  elements: str
  returned: success
  sample: [base, mail, web]
modules_without_code:
  description: Installed modules whose code was not found, with O(missing_scripts=warn).
  type: list
  elements: str
  returned: success
  sample: []
not_touched:
  description: What this module does not change.
  type: list
  elements: str
  returned: success
  sample: ["API keys and passwords of users"]
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
from ..module_utils._postgres.changing import neutralize_once
from ..module_utils._postgres.connection import postgres_arguments


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **postgres_arguments(),
            "odoo_bin": {"type": "list", "elements": "str"},
            "config": {"type": "path"},
            "addons_path": {"type": "list", "elements": "path"},
            "renew_identity": {"type": "bool", "default": True},
            "queued_mail": {"type": "str", "choices": ["cancel", "keep"], "default": "cancel"},
            "base_url": {"type": "str"},
            "missing_scripts": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
        },
        supports_check_mode=True,
    )
    run(module, lambda: neutralize_once(module.params, task_of(module)), calls=False)


if __name__ == "__main__":
    main()

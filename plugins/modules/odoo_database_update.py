#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_database_update: update modules of a database by Odoo, judged by the database."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_database_update
short_description: Update modules of an Odoo database, judged by the database and the log
version_added: 1.1.0
description:
  - Runs C(odoo-bin -u MODULES --stop-after-init) and judges it by the states of the modules in the database and by the
    errors in its log. Odoo ends with status 0 when a module is unknown, when its code is missing, and when modules
    are left in the state C(to upgrade). All of these are failures here.
  - The database and the modules are looked up first, because Odoo creates a database where there is none.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_odoo_database
  - siteops.upgrades.odoo_database
  - siteops.upgrades.progress
attributes:
  check_mode:
    support: partial
    details:
      - Compares the versions in the manifests with the database, as far as the code is found. Nothing is run.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - Odoo updates the modules in every run. It is a change if the version of a module is another one afterwards.
options:
  odoo_bin:
    description:
      - The command of Odoo, as a list of the program and its first arguments, such as V(/opt/odoo/odoo-bin).
    type: list
    elements: str
    required: true
  config:
    description:
      - Odoo's configuration file. Its C(addons_path) is used too.
      - Odoo works on the server of this task, whatever a configuration says. It gets C(--db_host) and C(--db_port) of
        the server that C(psql) has reached, unless O(odoo_bin) starts it in a container or on another host. Its user
        and password are those of the configuration.
    type: path
  modules:
    description:
      - The names of installed modules, or V(all).
    type: list
    elements: str
    required: true
  timeout:
    description:
      - Seconds after which Odoo is stopped, and the task fails.
    type: int
    default: 7200
seealso:
  - module: siteops.upgrades.odoo_database_verify
"""

EXAMPLES = r"""
- name: Update the custom modules of an upgraded database
  siteops.upgrades.odoo_database_update:
    database: shop_upgraded
    odoo_bin: /opt/odoo17/odoo-bin
    config: /etc/odoo/odoo17.conf
    modules: [shop_base, shop_reports]
  become: true
  become_user: odoo
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: 2 modules of shop_upgraded have another version.
database:
  description: The name of the database.
  type: str
  returned: success
  sample: shop_upgraded
version:
  description: The version of Odoo.
  type: str
  returned: success
  sample: "17.0"
updated:
  description: The modules with another version than before.
  type: dict
  returned: success
  sample: {"shop_base": {"from": "16.0.1.0", "to": "17.0.2.0"}}
log:
  description: Errors and warnings in Odoo's log, the errors first; at most 20.
  type: list
  elements: dict
  returned: when Odoo was run
  sample: [{"level": "WARNING", "text": "Two fields have the same label"}]
unfinished_modules:
  description: Modules that the update left in an unfinished state.
  type: list
  elements: str
  returned: when the update failed
  sample: [shop_reports]
status:
  description: The exit status of Odoo.
  type: int
  returned: when the update failed
  sample: 0
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
from ..module_utils._core.progress import progress_arguments
from ..module_utils._core.task import task_of
from ..module_utils._postgres.changing import update_once
from ..module_utils._postgres.connection import postgres_arguments


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **postgres_arguments(),
            **progress_arguments(),
            "odoo_bin": {"type": "list", "elements": "str", "required": True},
            "config": {"type": "path"},
            "modules": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "int", "default": 7200},
        },
        supports_check_mode=True,
    )
    run(module, lambda: update_once(module.params, task_of(module)), calls=False)


if __name__ == "__main__":
    main()

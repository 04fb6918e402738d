#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_database_dump: dump a database to a file or folder, verified before it has its name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_database_dump
short_description: Dump an Odoo database, verified before the dump gets its name
version_added: 1.1.0
description:
  - Runs C(pg_dump) into C(dest.part), reads the dump to its end, and then gives it its name. A dump that fails, at
    whatever point, leaves the earlier one as it was.
  - Beside each dump a file C(.verified.json) records its size, SHA-256 and when it was verified. O(if_older_than) and
    O(keep) look at nothing else, so a dump that something else wrote is neither trusted nor removed.
  - Dumps are made without owners, as Odoo makes them, and only their owner can read them.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_odoo_database
  - siteops.upgrades.odoo_database
  - siteops.upgrades.progress
attributes:
  check_mode:
    support: full
    details:
      - Says what would be dumped and removed. Nothing is written.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - Full with O(if_older_than). Otherwise every run makes a new dump.
options:
  dest:
    description:
      - Where to write the dump. An existing folder collects dumps under names of their own, such as
        C(shop-20261121T030000Z.dump). Any other path is the path of the one dump, which replaces an earlier one.
    type: path
    required: true
  format:
    description:
      - V(custom) is the archive of C(pg_dump -Fc), V(directory) the folder of C(pg_dump -Fd), V(sql.gz) compressed SQL,
        and V(zip) Odoo's own form, with the filestore in it.
      - V(auto) is V(zip) with O(filestore), otherwise V(custom).
    type: str
    choices: [auto, custom, directory, zip, sql.gz]
    default: auto
  filestore:
    description:
      - The folder of the database's filestore, for V(zip). The database is dumped first, so that no file that it needs
        is missing.
    type: path
  jobs:
    description:
      - How many connections dump in parallel; only O(format=directory) can use more than one.
    type: int
    default: 1
  keep:
    description:
      - How many verified dumps of this database to keep in the folder O(dest). The oldest ones are removed after a new
        one was verified. Without it, all are kept.
      - Only dumps of the same form count that bear a name of this module; those with a name of your own stay.
    type: int
  if_older_than:
    description:
      - Seconds. A verified dump of the same form that is younger is enough, and nothing is dumped. Where O(filestore)
        is set, only one with that filestore is.
    type: int
  timeout:
    description:
      - Seconds after which the dump is given up.
    type: int
    default: 21600
seealso:
  - module: siteops.upgrades.odoo_database_restore
"""

EXAMPLES = r"""
- name: Dump a database with its filestore every night, and keep seven
  siteops.upgrades.odoo_database_dump:
    database: shop
    filestore: /var/lib/odoo/filestore/shop
    dest: /var/backups/odoo
    keep: 7
    if_older_than: 72000
  become: true
  become_user: odoo

- name: Dump a big database in parallel
  siteops.upgrades.odoo_database_dump:
    database: shop
    dest: /var/backups/shop.dir
    format: directory
    jobs: 4
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: The database shop was dumped to /var/backups/odoo/shop-20261121T030000Z.zip.
dest:
  description: The path of the dump.
  type: str
  returned: success
  sample: /var/backups/odoo/shop-20261121T030000Z.zip
dumped:
  description: Whether a dump was made, or would be made in check mode.
  type: bool
  returned: success
  sample: true
dump:
  description:
    - What is known of the dump. Size, SHA-256 and C(verified_at) are empty in check mode where it would be made.
  type: dict
  returned: success
  sample:
    database: shop
    dumped_at: "2026-11-21T03:00:00.123Z"
    files: 71
    filestore: /var/lib/odoo/filestore/shop
    form: zip
    missing_files: 0
    path: /var/backups/odoo/shop-20261121T030000Z.zip
    pg_dump: "15.18"
    server_version: 150018
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    size: 1451141
    verified_at: "2026-11-21T03:00:02.456Z"
    version: "16.0"
removed:
  description: The dumps that were removed because of O(keep), or would be.
  type: list
  elements: str
  returned: success
  sample: [/var/backups/odoo/shop-20261114T030000Z.zip]
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
from ..module_utils._postgres.connection import postgres_arguments
from ..module_utils._postgres.moving import dump_once


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **postgres_arguments(),
            **progress_arguments(),
            "dest": {"type": "path", "required": True},
            "format": {
                "type": "str",
                "choices": ["auto", "custom", "directory", "zip", "sql.gz"],
                "default": "auto",
            },
            "filestore": {"type": "path"},
            "jobs": {"type": "int", "default": 1},
            "keep": {"type": "int"},
            "if_older_than": {"type": "int"},
            "timeout": {"type": "int", "default": 21600},
        },
        supports_check_mode=True,
    )
    run(module, lambda: dump_once(module.params, task_of(module)), calls=False)


if __name__ == "__main__":
    main()

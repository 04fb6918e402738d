#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_filestore_merge: add to one filestore what it lacks of others."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_filestore_merge
short_description: Merge filestores of Odoo databases by hard links, verified
version_added: 1.1.0
description:
  - Adds to one filestore the files that it lacks and other ones have. The upgrade platform returns only new files, so
    the upgraded database needs those of the origin as well.
  - Files are added by hard links, which take no room, or copied where links are not possible. Symbolic links are never
    made or followed, because the garbage collection of a copy would delete production's files through them.
  - Plans everything first. If a file is missing in all folders, or two folders have different content under one name,
    the task fails, names C(xx/sha1), and adds nothing.
  - Nothing is overwritten, and the garbage collector's list C(checklist) is left out.
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
      - Plans and compares everything. Nothing is written.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  database:
    description:
      - The database whose attachments the merged filestore must satisfy. Without it, the server is not asked.
    required: false
  sources:
    description:
      - The folders to take files from, each the filestore of one database. The first one that has a file provides it.
    type: list
    elements: path
    required: true
  dest:
    description:
      - The filestore to add to; the folder that is named after the database. It is made if it does not exist.
    type: path
    required: true
  link:
    description:
      - Whether to add files as hard links. A linked file shares owner and mode with its origin.
    type: bool
    default: true
  verify:
    description:
      - How to compare with the attachments of O(database), before and after. V(stat) compares the sizes, V(hash) reads
        every file, V(none) does not look.
      - A file that two folders have under one name must have the same content. V(stat) reads both where their sizes are
        equal and their times are not; V(hash) also compares each file that is added with its own name, which is the
        SHA-1 of its content.
    type: str
    choices: [none, stat, hash]
    default: stat
seealso:
  - module: siteops.upgrades.odoo_database_restore
"""

EXAMPLES = r"""
- name: Give the upgraded database all files
  siteops.upgrades.odoo_filestore_merge:
    database: shop_upgraded
    sources:
      - /var/lib/odoo/filestore/shop
      - /var/lib/odoo-upgrades/shop/filestore
    dest: /var/lib/odoo/filestore/shop_upgraded
  become: true
  become_user: odoo
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: 71 files were added to /var/lib/odoo/filestore/shop_upgraded.
added:
  description: How many files were added, or would be.
  type: int
  returned: success
  sample: 71
linked:
  description: How many of them are hard links.
  type: int
  returned: success
  sample: 71
copied:
  description: How many of them are copies.
  type: int
  returned: success
  sample: 0
present:
  description: How many files of the sources were there already.
  type: int
  returned: success
  sample: 0
size:
  description: The size of the added files together, in bytes.
  type: int
  returned: success
  sample: 912345
filestore:
  description: What the attachments need, as RV(siteops.upgrades.odoo_database_info#module:filestore).
  type: dict
  returned: success
  sample: {"damaged": 0, "damaged_files": [], "missing": 0, "missing_files": [], "needed": 71}
conflicts:
  description: Files with different content under one name; at most 20.
  type: list
  elements: str
  returned: when there are any
  sample: [0a/0a4d55a8d778e5022fab701977c5d840bbc486d0]
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
from ..module_utils._postgres.moving import merge_once


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **postgres_arguments(),
            **progress_arguments(),
            "database": {"type": "str"},
            "sources": {"type": "list", "elements": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "link": {"type": "bool", "default": True},
            "verify": {"type": "str", "choices": ["none", "stat", "hash"], "default": "stat"},
        },
        supports_check_mode=True,
    )
    run(module, lambda: merge_once(module.params, task_of(module)), calls=False)


if __name__ == "__main__":
    main()

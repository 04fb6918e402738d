#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_database_restore: make a database of a dump, verified before it has its name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_database_restore
short_description: Restore a dump as a new Odoo database, verified before it gets its name
version_added: 1.1.0
description:
  - Restores into a database with a temporary name, verifies it, and renames it as the last step. So there is never a
    half database under the name that you give, whenever the run is killed.
  - Takes every form in which Odoo's databases are dumped, and recognises it by its content. These are archives of
    C(pg_dump) (custom, directory, tar), SQL (plain, gzip, xz, zstd, bzip2), and Odoo's C(zip) or a C(tar.gz) with
    C(dump.sql) and C(filestore/).
  - Stops at the first error of the dump, and refuses a dump without its closing line. The exit status of a program is
    not taken for success.
  - The comment of the database keeps the SHA-256 of the dump. If it is that of O(src), nothing is done. If a database
    of another origin has the name, the task fails. Nothing is ever overwritten or dropped, except the temporary
    database of a killed run of this same job.
  - The temporary database is marked as a template, so that no running Odoo lists it. Unless O(connections=true), the
    restored database refuses connections from the moment it has its name. M(siteops.upgrades.odoo_database_neutralize)
    opens it.
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
      - Reads the dump to its end and asks the server. Nothing is written.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  src:
    description:
      - The path of the dump, a file or the folder of C(pg_dump -Fd).
    type: path
    required: true
  owner:
    description:
      - The role that will own the database and everything in it. Without it, the role that connects.
      - It must be set if a superuser restores a database for Odoo.
    type: str
  template:
    description:
      - The database to copy. Another one than V(template0) can have extensions or collations that break the restore.
    type: str
    default: template0
  collate:
    description:
      - The collation, by default that of databases that Odoo creates. An empty value takes that of the template.
    type: str
    default: C
  jobs:
    description:
      - How many connections restore an archive in parallel.
    type: int
    default: 1
  filestore_dest:
    description:
      - The folder of the database's filestore. The files in a C(zip) or C(tar.gz) are added to it, and it is compared
        with the attachments. Files that are missing are a warning here, because those of the origin are usually merged
        afterwards, with M(siteops.upgrades.odoo_filestore_merge).
    type: path
  connections:
    description:
      - Whether the database accepts connections as soon as it has its name.
      - Leave it V(false) for a copy that must be neutralised first.
    type: bool
    default: false
  expect_version:
    description:
      - The version of Odoo that the dump must be of, such as V(17.0). Otherwise the task fails and keeps nothing.
    type: str
  on_skew:
    description:
      - What to do with settings in a dump that the server does not know, because C(pg_dump) was newer than the server.
      - V(fail) fails before anything is made, in check mode too.
      - V(skip_settings) leaves out exactly those C(SET) lines at the beginning. An archive is then restored by C(psql),
        without O(jobs).
    type: str
    choices: [fail, skip_settings]
    default: fail
  timeout:
    description:
      - Seconds after which the restore is given up.
    type: int
    default: 21600
seealso:
  - module: siteops.upgrades.odoo_filestore_merge
  - module: siteops.upgrades.odoo_database_neutralize
  - module: siteops.upgrades.odoo_database_swap
"""

EXAMPLES = r"""
- name: Restore the result of an upgrade beside the old database
  siteops.upgrades.odoo_database_restore:
    src: /var/lib/odoo-upgrades/shop/upgraded.zip
    database: shop_upgraded
    filestore_dest: /var/lib/odoo/filestore/shop_upgraded
    expect_version: "17.0"
    connections: true
  become: true
  become_user: odoo

- name: Restore a big archive as a superuser, for the role odoo
  siteops.upgrades.odoo_database_restore:
    src: /var/backups/shop.dump
    database: shop_test
    owner: odoo
    jobs: 4
  become: true
  become_user: postgres
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: The database shop_upgraded was restored from a dump of the form zip.
database:
  description: The name of the database.
  type: str
  returned: success
  sample: shop_upgraded
dump:
  description:
    - The dump that was restored, and the versions of PostgreSQL that it names. C(not_checked) is what reading it to its
      end cannot prove, such as a changed byte in plain SQL; it is there where the dump was read to its end.
  type: dict
  returned: success
  sample:
    dumped_by: "15.18"
    dumped_from: "15.18"
    form: zip
    not_checked: []
    path: /var/lib/odoo-upgrades/shop/upgraded.zip
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
version:
  description: The version of Odoo; empty in check mode, and for a database that refuses connections.
  type: str
  returned: success
  sample: "17.0"
modules:
  description: The number of installed modules; 0 where the version is empty.
  type: int
  returned: success
  sample: 24
filestore:
  description:
    - How many files were added, and how many were there. After a restore into O(filestore_dest) also what the
      attachments need.
  type: dict
  returned: success
  sample: {"added": 71, "damaged": 0, "missing": 0, "needed": 71, "present": 0}
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
from ..module_utils._postgres.moving import restore_once


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **postgres_arguments(),
            **progress_arguments(),
            "src": {"type": "path", "required": True},
            "owner": {"type": "str"},
            "template": {"type": "str", "default": "template0"},
            "collate": {"type": "str", "default": "C"},
            "jobs": {"type": "int", "default": 1},
            "filestore_dest": {"type": "path"},
            "connections": {"type": "bool", "default": False},
            "expect_version": {"type": "str"},
            "on_skew": {"type": "str", "choices": ["fail", "skip_settings"], "default": "fail"},
            "timeout": {"type": "int", "default": 21600},
        },
        supports_check_mode=True,
    )
    run(module, lambda: restore_once(module.params, task_of(module)), calls=False)


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_backup: back up the database of a Plone instance, verified before the backup has its name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_backup
short_description: Back up the database of a Plone instance, verified before the backup gets its name
version_added: 1.1.0
description:
  - Backs up a FileStorage with C(repozo), and after it the blobs, into a new folder. The folder gets its name after the
    backup was restored to a scratch folder and read there to the last transaction. The server may run meanwhile.
  - Backs up a RelStorage on PostgreSQL with C(pg_dump) in the same way, named by O(database). The backup is restored to
    a scratch database of the same server, which is dropped again, and every current object of it is read with the
    instance's RelStorage. Blobs in the database are part of it; for those in a shared folder, give O(blobs).
  - Verified means that repozo restored it, that every transaction and every object can be read, that the last
    transaction is the one that the database had, that no blob of a current object is missing, and that a Plone site
    and its version were found. A backup that fails, at whatever point, leaves the earlier ones as they were.
  - Each backup is whole by itself. What did not change since the one before is a hard link to the same file, so an
    incremental backup takes little room, and any backup can be removed without harm to another.
  - A manifest in each backup has the SHA-256 of all its files. O(if_older_than) and O(keep) look only at backups whose
    files are all there. The files of C(repozo) are also compared with their SHA-256 before a backup is added to them.
    After a difference, that backup is named in a warning and kept, and the new one is added to the one before it, or is
    a full one.
  - A blob never changes. One that is not what it was in the backup before is damaged, and the module fails with its
    name. Where the database itself is not what it was then, and was not packed since, a warning says so, and the backup
    before is not removed because of O(keep). Neither is one that ends with a later transaction than the database.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_plone_database
  - siteops.upgrades.plone_database
  - siteops.upgrades.plone_postgresql
  - siteops.upgrades.progress
attributes:
  check_mode:
    support: full
    details:
      - Says what would be backed up and removed. Nothing is written. With O(state=verified), the SHA-256 of all files
        of the newest backup is compared; it is not restored, and RV(msg) says so.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - Full with O(if_older_than). Otherwise every run makes a new backup.
options:
  state:
    description:
      - V(present) makes a backup. V(verified) restores and reads the newest backup again, after it compared the SHA-256
        of all its files.
    type: str
    choices: [present, verified]
    default: present
  data_fs:
    description:
      - The path of the Data.fs. Required with O(state=present), unless O(database) is given.
    type: path
  blobs:
    description:
      - The folder of the blobs, the C(blob-dir) of the storage. Required if the database has any. For a RelStorage,
        only a C(blob-dir) with C(shared-blob-dir), because any other one is a cache of what is in the database.
    type: path
  dest:
    description:
      - An existing folder that collects backups, each a folder such as C(plone-20261121T030000Z).
    type: path
    required: true
  full:
    description:
      - Make a full backup. Without it, the changes since the backup before are added to that one's files, which repozo
        compares first; it makes a full one by itself where the database was packed.
      - With V(true), all blobs are read, here and in the backup before, and compared. Without it, a blob that has the
        size and time of the one in the backup before is taken over from there unread.
    type: bool
    default: false
  full_if_older_than:
    description:
      - Seconds. Make a full backup when the one that would be added to is that old.
    type: int
  blobs_by:
    description:
      - How blobs are taken over that no earlier backup has. V(copy) reads and writes them. V(link) makes hard links to
        the blobs of the instance where the file system allows it, which takes no room, but does not protect from a
        damage of the files themselves.
    type: str
    choices: [copy, link]
    default: copy
  keep:
    description:
      - How many verified backups of this name to keep in O(dest). The oldest ones are removed after a new one was
        verified. Damaged ones do not count and stay. Without it, all are kept.
    type: int
  if_older_than:
    description:
      - Seconds. A verified backup that is younger is enough, and none is made.
    type: int
seealso:
  - module: siteops.upgrades.plone_restore
  - module: siteops.upgrades.plone_backup_info
"""

EXAMPLES = r"""
- name: Back up a Plone every night, and keep seven
  siteops.upgrades.plone_backup:
    data_fs: /srv/plone/var/filestorage/Data.fs
    blobs: /srv/plone/var/blobstorage
    dest: /var/backups/plone
    python: /srv/plone/bin/python
    keep: 7
    if_older_than: 72000
    full_if_older_than: 604800
  become: true
  become_user: plone

- name: Back up a Plone with a RelStorage on PostgreSQL
  siteops.upgrades.plone_backup:
    database: plone
    login_host: db.example.com
    login_user: plone
    login_password: "{{ vault_plone_database_password }}"
    dest: /var/backups/plone
    python: /srv/plone/bin/python

- name: Restore and read the newest backup again
  siteops.upgrades.plone_backup:
    state: verified
    dest: /var/backups/plone
    python: /srv/plone/bin/python
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: /srv/plone/var/filestorage/Data.fs was backed up to /var/backups/plone/plone-20261121T030000Z.
dest:
  description: The path of the backup.
  type: str
  returned: success
  sample: /var/backups/plone/plone-20261121T030000Z
backed_up:
  description: Whether a backup was made, or would be made in check mode.
  type: bool
  returned: success
  sample: true
backup:
  description:
    - What is known of the backup. Most of it is empty in check mode where it would be made.
  type: dict
  returned: success
  sample:
    began_at: "2026-11-21T03:00:00.123Z"
    blobs: 1204
    data_fs: /srv/plone/var/filestorage/Data.fs
    database: ""
    database_sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    database_size: 28311552
    differs_from: ""
    full: false
    full_at: "2026-11-18T03:00:00.456Z"
    last_transaction: "0x040d52c0bc8e7b55"
    manifest_sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    name: plone
    objects: 8197
    packed: 0
    path: /var/backups/plone/plone-20261121T030000Z
    sites: [{"path": "/Plone", "version": "6205"}]
    size: 734003200
    transactions: 412
    verified_at: "2026-11-21T03:00:09.789Z"
removed:
  description: The backups that were removed because of O(keep), or would be.
  type: list
  elements: str
  returned: success
  sample: [/var/backups/plone/plone-20261114T030000Z]
missing_blobs:
  description: Blobs that current objects need and that are not there.
  type: list
  elements: str
  returned: when blobs are missing
  sample: [0x00/0x00/0x00/0x00/0x00/0x00/0x20/0x07/0x040d52c0bc8e7b55.blob]
changed_blobs:
  description: Blobs that are not what they were in the backup before.
  type: list
  elements: str
  returned: when blobs were changed
  sample: [0x00/0x00/0x00/0x00/0x00/0x00/0x20/0x07/0x040d52c0bc8e7b55.blob]
damage:
  description: What is wrong with the files of a backup.
  type: list
  elements: str
  returned: when a backup is damaged
  sample: [repozo/2026-11-21-03-00-00.fs is missing]
failure:
  description: The program that failed.
  type: dict
  returned: when a program failed
  sample: {"call": "repozo", "status": 1}
started_at:
  description: When the module began, in UTC.
  type: str
  returned: always
  sample: "2026-11-21T03:00:00.000Z"
finished_at:
  description: When it ended.
  type: str
  returned: always
  sample: "2026-11-21T03:00:09.800Z"
"""

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.module import run
from ..module_utils._core.progress import progress_arguments
from ..module_utils._core.task import task_of
from ..module_utils._plone.database_options import backup_once, program_arguments
from ..module_utils._postgres.connection import postgres_arguments
from ..module_utils._postgres.whole_database import WholeDatabases


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **program_arguments(),
            **postgres_arguments(),
            "database": {"type": "str"},
            **progress_arguments(),
            "state": {"type": "str", "choices": ["present", "verified"], "default": "present"},
            "data_fs": {"type": "path"},
            "blobs": {"type": "path"},
            "dest": {"type": "path", "required": True},
            "full": {"type": "bool", "default": False},
            "full_if_older_than": {"type": "int"},
            "blobs_by": {"type": "str", "choices": ["copy", "link"], "default": "copy"},
            "keep": {"type": "int"},
            "if_older_than": {"type": "int"},
        },
        supports_check_mode=True,
    )
    run(module, lambda: backup_once(module.params, task_of(module), WholeDatabases.of(module.params)), calls=False)


if __name__ == "__main__":
    main()

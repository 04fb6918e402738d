#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_restore: restore a backup of a Plone database, or go back to what was there before."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_restore
short_description: Restore a backup of a Plone database, beside the present one or into an empty place
version_added: 1.1.0
description:
  - Compares the SHA-256 of all files of a backup of M(siteops.upgrades.plone_backup), restores it beside the present
    database, has the instance's ZODB read it to its end, and then exchanges Data.fs, its index and the blobs. The
    present ones are kept under names of their own.
  - The exchange is made of renames under a journal. A run that was killed is finished by the next one, whatever its
    O(state) is, before it does its own work.
  - Refused while a server has the lock file of the storage. The lock is kept during the exchange, so that none starts.
  - The backup of a RelStorage is restored as a database beside the present one, which O(database) names, read there
    with the instance's RelStorage, and then both are renamed. Refused while anybody is connected to the present one.
    Empty the folder of C(cache-local-dir), if the instance has one, before its servers start again.
  - A database that is as the backup has it, byte for byte, is left alone. The SHA-256 of the present Data.fs and of the
    present blobs is compared for that; of a RelStorage, a hash of every state.
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
      - Looks at the names and sizes of the files of the backup. Their content is read only by a real run. The present
        database is compared as in a real run.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description:
      - V(restored) puts the backup in its place. V(reverted) puts back what was kept as O(keep_as), and keeps what was
        restored under names that end in C(.restored).
    type: str
    choices: [restored, reverted]
    default: restored
  src:
    description:
      - A backup, or the folder that collects backups, of which the newest with the name O(name) is restored. Required
        with O(state=restored).
    type: path
  data_fs:
    description:
      - The path of the Data.fs. Its folder must exist, the file need not. Either this or O(database) is required.
    type: path
  blobs:
    description:
      - The folder of the blobs, the C(blob-dir) of the storage. Required if the backup has any. It need not exist, but
        its parent must. For a RelStorage, only a C(blob-dir) with C(shared-blob-dir).
    type: path
  keep_as:
    description:
      - The ending of the names under which the present files are kept, such as C(Data.fs.before), and the present
        database, such as C(plone_before). Something in the way is a failure before anything moves.
    type: str
    default: before
  blobs_by:
    description:
      - V(copy) copies the blobs. V(link) makes hard links to those of the backup where the file system allows it, for a
        copy that is thrown away, such as that of a rehearsal.
    type: str
    choices: [copy, link]
    default: copy
  prove_only:
    description:
      - Only prove that the backup is whole, with the SHA-256 of all its files, and could be restored. The server may
        run. Nothing is written.
    type: bool
    default: false
seealso:
  - module: siteops.upgrades.plone_backup
"""

EXAMPLES = r"""
- name: Restore the newest backup, with Plone stopped
  siteops.upgrades.plone_restore:
    src: /var/backups/plone
    data_fs: /srv/plone/var/filestorage/Data.fs
    blobs: /srv/plone/var/blobstorage
    python: /srv/plone/bin/python
  become: true
  become_user: plone

- name: Go back to what was there before
  siteops.upgrades.plone_restore:
    state: reverted
    data_fs: /srv/plone/var/filestorage/Data.fs
    blobs: /srv/plone/var/blobstorage
    python: /srv/plone/bin/python
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: /srv/plone/var/filestorage/Data.fs was restored from /var/backups/plone/plone-20261121T030000Z.
src:
  description: The backup that was restored; empty with O(state=reverted).
  type: str
  returned: success
  sample: /var/backups/plone/plone-20261121T030000Z
backup:
  description: What is known of it, see M(siteops.upgrades.plone_backup); empty with O(state=reverted).
  type: dict
  returned: success
  sample:
    last_transaction: "0x040d52c0bc8e7b55"
    name: plone
    objects: 8197
    sites: [{"path": "/Plone", "version": "6205"}]
kept:
  description: What is kept of the database that was there before.
  type: list
  elements: str
  returned: success
  sample: [/srv/plone/var/filestorage/Data.fs.before, /srv/plone/var/blobstorage.before]
damage:
  description: What is wrong with the files of the backup.
  type: list
  elements: str
  returned: when the backup is damaged
  sample: [repozo/2026-11-21-03-00-00.fs is missing]
missing_blobs:
  description: Blobs that current objects need and that the backup does not have.
  type: list
  elements: str
  returned: when blobs are missing
  sample: [0x00/0x00/0x00/0x00/0x00/0x00/0x20/0x07/0x040d52c0bc8e7b55.blob]
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
from ..module_utils._plone.database_options import program_arguments, restore_once
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
            "state": {"type": "str", "choices": ["restored", "reverted"], "default": "restored"},
            "src": {"type": "path"},
            "data_fs": {"type": "path"},
            "blobs": {"type": "path"},
            "keep_as": {"type": "str", "default": "before"},
            "blobs_by": {"type": "str", "choices": ["copy", "link"], "default": "copy"},
            "prove_only": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, lambda: restore_once(module.params, task_of(module), WholeDatabases.of(module.params)), calls=False)


if __name__ == "__main__":
    main()

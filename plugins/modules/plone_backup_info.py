#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_backup_info: the backups in a folder, and whether each is whole."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_backup_info
short_description: List the backups of a Plone database, and whether each is whole
version_added: 1.1.0
description:
  - Lists the backups that M(siteops.upgrades.plone_backup) made in a folder, the newest first, and compares the files
    of each with its manifest.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.info_module
  - siteops.upgrades.attributes.actiongroup_plone_database
options:
  dest:
    description:
      - The folder that collects the backups.
    type: path
    required: true
  name:
    description:
      - The name of the database among the backups.
    type: str
    default: plone
  data_fs:
    description:
      - The path of the Data.fs, whose size and disk RV(forecast) is about. Without it, the size is that of the newest
        backup, and the disk that of O(dest).
    type: path
  read_files:
    description:
      - Whether to read every file and compare its SHA-256. Otherwise only names and sizes are compared. A file that
        several backups have as hard links is read once.
    type: bool
    default: false
  require_backup:
    description:
      - An age such as V(24h), V(7d) or V(1d 12h); a number alone is seconds. The task fails unless a whole backup is
        that young. Whole means what O(read_files) says. If empty, none is required.
    type: str
  require_rehearsal:
    description:
      - An age, in the same way. The task fails unless the newest rehearsal with O(code_version) passed and is that
        young. If empty, none is required.
    type: str
  code_version:
    description:
      - The version of the core profile of the code that the site runs. Rehearsals with other code do not count. One
        that failed before its server answered counts as one with this code. If empty, those with any code do.
    type: str
seealso:
  - module: siteops.upgrades.plone_backup
"""

EXAMPLES = r"""
- name: List the backups
  siteops.upgrades.plone_backup_info:
    dest: /var/backups/plone
  register: backups

- name: Refuse to go on without a backup of today and a rehearsal of this week
  siteops.upgrades.plone_backup_info:
    dest: /var/backups/plone
    require_backup: 24h
    require_rehearsal: 7d
    code_version: "6205"
"""

RETURN = r"""
msg:
  description: How many backups there are, or why it failed, in a sentence.
  type: str
  returned: always
  sample: 7 backups with the name plone are in /var/backups/plone, 7 of them whole, and 2 rehearsals.
backups:
  description:
    - Each backup as M(siteops.upgrades.plone_backup) describes it, with C(age) in seconds, and C(damage), what is wrong
      with its files.
  type: list
  elements: dict
  returned: success
  sample:
    - age: 3600
      began_at: "2026-11-21T03:00:00.123Z"
      damage: []
      name: plone
      path: /var/backups/plone/plone-20261121T030000Z
      sites: [{"path": "/Plone", "version": "6205"}]
newest:
  description: The newest one without damage; empty if there is none.
  type: dict
  returned: success
  sample: {"age": 3600, "damage": [], "path": "/var/backups/plone/plone-20261121T030000Z"}
rehearsals:
  description:
    - Each rehearsal that the role P(siteops.upgrades.plone_rehearsal#role) recorded in the folder, the newest first,
      with C(age) in seconds.
  type: list
  elements: dict
  returned: success
  sample:
    - age: 7200
      began_at: "2026-11-21T02:00:00Z"
      from: "6021"
      growth: 1474560
      passed: true
      peak_memory: 231211008
      reason: ""
      seconds: {"restore": 4.1, "start": 6.0, "upgrade": 11.2}
      to: "6205"
forecast:
  description:
    - What the next upgrade is expected to take, by the newest rehearsal that passed and the newest whole backup. What
      is not known is 0. C(restore_size) is what a restore beside the present database takes.
  type: dict
  returned: success
  sample:
    blobs_size: 705692672
    database_size: 28311552
    enough: true
    enough_to_restore: true
    free: 52613349376
    growth: 1474560
    restore_size: 734004224
    seconds: 13.7
    words: >-
      The database has 27.0 MiB and 673 MiB of blobs, and it grew by 1.4 MiB in the last rehearsal. 49.0 GiB are free on
      its disk.
refused:
  description: Whether something that is required is missing.
  type: bool
  returned: when something that is required is missing
  sample: true
started_at:
  description: When the module began, in UTC.
  type: str
  returned: always
  sample: "2026-11-21T03:00:00.000Z"
finished_at:
  description: When it ended.
  type: str
  returned: always
  sample: "2026-11-21T03:00:00.204Z"
"""

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.module import run
from ..module_utils._plone.database_options import list_backups


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "name": {"type": "str", "default": "plone"},
            "data_fs": {"type": "path"},
            "read_files": {"type": "bool", "default": False},
            "require_backup": {"type": "str"},
            "require_rehearsal": {"type": "str"},
            "code_version": {"type": "str"},
        },
        supports_check_mode=True,
    )
    run(module, lambda: list_backups(module.params), calls=False)


if __name__ == "__main__":
    main()

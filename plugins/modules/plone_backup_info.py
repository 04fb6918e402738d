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
  read_files:
    description:
      - Whether to read every file and compare its SHA-256. Otherwise only names and sizes are compared.
    type: bool
    default: false
seealso:
  - module: siteops.upgrades.plone_backup
"""

EXAMPLES = r"""
- name: List the backups
  siteops.upgrades.plone_backup_info:
    dest: /var/backups/plone
  register: backups

- name: Refuse to go on without a backup of today
  ansible.builtin.assert:
    that: backups.newest.age | default(86400) < 86400
"""

RETURN = r"""
msg:
  description: How many backups there are, or why it failed, in a sentence.
  type: str
  returned: always
  sample: 7 backups with the name plone are in /var/backups/plone, 7 of them whole.
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

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.module import run
from ..module_utils._plone.database_options import list_backups


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "name": {"type": "str", "default": "plone"},
            "read_files": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, lambda: list_backups(module), calls=False)


if __name__ == "__main__":
    main()

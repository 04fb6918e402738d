# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that the modules for the database of a Plone instance share."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``siteops.upgrades.plone_database``."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - The name of the database among the backups of a folder. A backup is called by it and by its time.
    type: str
    default: plone
  python:
    description:
      - The Python of the instance, which can import its ZODB, such as C(bin/python) of a virtual environment or
        C(bin/zopepy) of a buildout. It reads what was backed up or restored.
    type: path
    required: true
  repozo:
    description:
      - The C(repozo) of the instance. Without it, the one beside O(python), and then the one on the C(PATH).
    type: path
  environment:
    description:
      - Variables for the environment of O(python) and O(repozo). C(PYTHONPATH) and C(PYTHONHOME) of the module itself,
        and variables that begin with C(PLONE_), such as E(PLONE_PASSWORD), do not reach them unless they are named
        here.
    type: dict
    default: {}
  scratch:
    description:
      - An existing folder with room for the Data.fs, where a backup is restored to be read. Without it, this is done
        beside the backup. What is written there is removed.
    type: path
  timeout:
    description:
      - Seconds after which the work is given up.
    type: int
    default: 21600
requirements:
  - C(repozo) and ZODB of the instance on the host that runs the module; C(rsync) where there are blobs
notes:
  - Run it on the host of the database, as the user of the instance. What root restores is given to the owner of the
    present database.
"""

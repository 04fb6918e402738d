#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_addon_info: the add-ons of one Plone site and their versions."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_addon_info
short_description: List the add-ons of a Plone site, and which are behind
version_added: 1.0.0
description:
  - Reads the service C(@addons) of plone.restapi.
  - Before the core of a site is upgraded, add-ons that belong to Plone itself are behind too. The upgrade of the core
    upgrades them.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.info_module
  - siteops.upgrades.attributes.actiongroup_plone
  - siteops.upgrades.plone
options:
  name:
    description:
      - The ids of the add-ons to return. An id that the site does not know is a failure.
      - If not set, all add-ons are returned.
    type: list
    elements: str
seealso:
  - module: siteops.upgrades.plone_addon
"""

EXAMPLES = r"""
- name: List all add-ons
  siteops.upgrades.plone_addon_info:
    url: https://plone.example.org
    username: admin
    password: "{{ vault_plone_password }}"
  register: listed

- name: Show those that are behind
  ansible.builtin.debug:
    msg: "{{ listed.addons | selectattr('upgradeable') | map(attribute='id') }}"
"""

RETURN = r"""
addons:
  description: The add-ons in the order in which the server lists them.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: The name of the add-on, which is that of its package.
      type: str
      sample: collective.easyform
    title:
      description: Its title.
      type: str
      sample: EasyForm
    version:
      description: The version of the package.
      type: str
      sample: 4.4.1
    state:
      description:
        - V(not_installed).
        - V(up_to_date), the profile in the database has the version of the code.
        - V(pending), there are upgrade steps to the version of the code.
        - V(no_upgrade_path), the code is newer, but registers no upgrade step.
        - V(newer_than_code), the database was used with newer code than the one that runs now.
      type: str
      sample: pending
    installed:
      description: Whether it is installed in this site.
      type: bool
      sample: true
    installed_version:
      description: The profile version in the database.
      type: str
      sample: "1000"
    available_version:
      description: The profile version of the code.
      type: str
      sample: "1002"
    upgradeable:
      description: Whether RV(addons[].state) is V(pending).
      type: bool
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
  sample: "2026-11-21T03:00:01.204Z"
"""

import typing as t

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.module import run
from ..module_utils._plone.addons import Addons
from ..module_utils._plone.client import connect
from ..module_utils._plone.connection import Connection, plone_arguments


def read(module: Module) -> dict[str, t.Any]:
    """The result of the module: the add-ons that were asked for."""
    names = module.params["name"] or ()
    client = connect(Connection.from_params(module.params), module.warn)
    addons = Addons(client).read(required=names)
    return {"changed": False, "addons": [addons[name].as_result() for name in names or addons]}


def main() -> None:
    """Entry point of the module."""
    arguments = {**plone_arguments(), "name": {"type": "list", "elements": "str"}}
    module = Module(argument_spec=arguments, supports_check_mode=True)
    run(module, lambda: read(module))


if __name__ == "__main__":
    main()

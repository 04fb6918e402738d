#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_upgrade_info: versions, pending steps and state of one Plone site."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_upgrade_info
short_description: Read whether a Plone site needs an upgrade, and which steps are pending
version_added: 1.0.0
description:
  - Reads the services C(@upgrade) and C(@system) of plone.restapi and says which version the database has, which one
    the code has, and which upgrade steps lie between them.
  - Covers the core of Plone only. For add-ons see M(siteops.upgrades.plone_addon_info).
  - Where C(GET @upgrade) breaks, as it does on a site with an upgrade step outside a group, the versions come from
    C(@system) and the steps are unknown; RV(steps_known) says so.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.info_module
  - siteops.upgrades.attributes.actiongroup_plone
  - siteops.upgrades.plone
seealso:
  - module: siteops.upgrades.plone_upgrade
"""

EXAMPLES = r"""
- name: Ask a site for its state
  siteops.upgrades.plone_upgrade_info:
    url: https://plone.example.org
    username: admin
    password: "{{ vault_plone_password }}"
  register: site

- name: Stop if no upgrade is pending
  ansible.builtin.assert:
    that: site.state == "pending"
    fail_msg: "Nothing to do: {{ site.state }} at {{ site.versions.instance }}"
"""

RETURN = r"""
state:
  description:
    - V(up_to_date), the database has the version of the code.
    - V(pending), there are steps from the version of the database to that of the code.
    - V(newer_than_code), the database was used with newer code than the one that runs now.
    - V(no_upgrade_path), the database is older, but no step leads on; most likely plone.app.upgrade is not installed.
  type: str
  returned: success
  sample: pending
versions:
  description: Versions of the site and of what it runs on.
  type: dict
  returned: success
  contains:
    instance:
      description: The profile version in the database.
      type: str
      sample: "6018"
    fs:
      description: The profile version of the code on the file system.
      type: str
      sample: "6205"
    plone:
      description: The version of Plone.
      type: str
      sample: 6.2.2
    plone_restapi:
      description: The version of plone.restapi.
      type: str
      sample: 10.0.4
    zope:
      description: The version of Zope.
      type: str
      sample: "6.3"
    python:
      description: The version of Python.
      type: str
      sample: 3.12.1
steps:
  description: The pending upgrade steps in the order in which they run.
  type: list
  elements: dict
  returned: success
  contains:
    group:
      description: The versions that the step leads from and to.
      type: str
      sample: 6018-6019
    id:
      description: The identifier of the step, the same in every release of Plone.
      type: str
      sample: 74dbd4153ce1d9c1c1ab1f1fba0a34fd
    title:
      description: What the step says of itself. Many only say V(Miscellaneous).
      type: str
      sample: Run to6019 upgrade profile.
steps_known:
  description:
    - Whether RV(steps) could be read. They are unknown, and RV(steps) is empty, where C(GET @upgrade) itself breaks.
  type: bool
  returned: success
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
from ..module_utils._plone.client import connect
from ..module_utils._plone.connection import Connection, plone_arguments
from ..module_utils._plone.upgrade import clear_finished_upgrade


def read(module: Module) -> dict[str, t.Any]:
    """The result of the module: state, versions and steps of the site."""
    client = connect(Connection.from_params(module.params), module.warn)
    state = client.site_state()
    clear_finished_upgrade(client.url, state)
    system = client.system()
    return {
        "changed": False,
        "state": state.name,
        "versions": {
            **state.versions.as_result(),
            "plone": system.get("plone_version"),
            "plone_restapi": system.get("plone_restapi_version"),
            "zope": system.get("zope_version"),
            "python": str(system.get("python_version", "")).partition(" ")[0],
        },
        "steps": state.steps_as_result(),
        "steps_known": state.steps is not None,
    }


def main() -> None:
    """Entry point of the module."""
    module = Module(argument_spec=plone_arguments(), supports_check_mode=True)
    run(module, lambda: read(module))


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_site_info: every site of a Zope instance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_site_info
short_description: List the Plone sites of a Zope instance, and tell which need an upgrade
version_added: 1.0.0
description:
  - Lists every Plone site of a Zope instance, nested ones too, through the service C(@sites) of plone.distribution,
    which Plone has from version 6.1 on. For older servers, or where the root of the instance cannot be reached, name
    the sites in O(sites).
  - C(@sites) answers without checking credentials, so another call checks them.
  - Also reads the state of each site and its add-ons, four sites at a time, if O(gather) asks for it. A site that
    cannot be read is listed with RV(sites[].state=unreadable) and the reason. The task fails if no site at all could be
    read.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.info_module
  - siteops.upgrades.attributes.actiongroup_plone
  - siteops.upgrades.plone
options:
  url:
    description:
      - The URL of the root of the Zope instance, such as V(http://localhost:8080). Not that of a site.
      - A trailing V(/@sites) is removed. Credentials, a query or a fragment in the URL are refused.
      - Not needed where each of O(sites) is a whole URL.
      - If not set, the value of the environment variable E(PLONE_URL) is used.
    type: str
    required: false
  username:
    description:
      - A user with the V(Manager) role in all sites, which is one of the Zope root in most cases. V(Site Administrator)
        is not enough.
      - Goes with O(password), and excludes O(token).
      - If not set, the value of the environment variable E(PLONE_USERNAME) is used.
    type: str
  sites:
    description:
      - The sites to read, instead of asking the server for its list. Implies V(state) in O(gather).
      - Each is a path below O(url), such as V(Plone) or V(departments/intranet), or V(/) if O(url) itself is the URL of
        the site, or a whole URL. The same credentials are sent to all of them.
    type: list
    elements: str
  gather:
    description:
      - What to read of each site.
      - V(state) asks for versions and pending steps, as M(siteops.upgrades.plone_upgrade_info) does.
      - V(addons) asks which add-ons are behind, as M(siteops.upgrades.plone_addon_info) does.
    type: list
    elements: str
    choices:
      - state
      - addons
    default: []
  timeout:
    description:
      - Seconds that a call may take that lists the sites or checks the credentials, from resolving the host name to the
        last byte of the answer. While sites are read, the seconds that a connection may stay silent.
    type: int
    default: 60
seealso:
  - module: siteops.upgrades.plone_upgrade_info
  - module: siteops.upgrades.plone_addon_info
  - plugin: siteops.upgrades.plone_sites
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: List the sites of an instance
  siteops.upgrades.plone_site_info:
    url: http://localhost:8080
    username: admin
    password: "{{ vault_plone_password }}"
  register: instance

- name: Show those that need an upgrade
  ansible.builtin.debug:
    msg: "{{ instance.sites | selectattr('needs_upgrade') | map(attribute='url') }}"

- name: Read the sites of a server with Plone 6.0, which cannot list them, and their add-ons
  siteops.upgrades.plone_site_info:
    url: http://localhost:8080
    username: admin
    password: "{{ vault_plone_password }}"
    sites:
      - Plone
      - departments/intranet
    gather:
      - state
      - addons
"""

RETURN = r"""
sites:
  description: The sites in the order of the server or of O(sites).
  type: list
  elements: dict
  returned: success, and when no site could be read
  contains:
    id:
      description: The id of the site. Of a site in O(sites), the last part of its path.
      type: str
      sample: intranet
    path:
      description:
        - Where the site is below O(url). V(/) where O(url) is that of the site, empty where O(sites) has a whole URL.
      type: str
      sample: /departments/intranet
    url:
      description:
        - The URL under which the other modules of this collection reach the site. It begins with O(url), because that
          is known to lead to the server and is where the credentials may go.
      type: str
      sample: http://localhost:8080/departments/intranet
    public_url:
      description:
        - What the server calls the site, which follows the rules of a proxy that rewrites virtual hosts. It need not
          be reachable from here. Empty for a site in O(sites).
      type: str
      sample: https://www.example.org/departments/intranet
    title:
      description: The title of the site. Empty for a site in O(sites).
      type: str
      sample: Intranet
    needs_upgrade:
      description:
        - Whether the versions of database and code differ. This is also so where the database is newer.
        - Not set for a site that could not be read.
      type: bool
      sample: true
    state:
      description:
        - The state as RV(siteops.upgrades.plone_upgrade_info#module:state), or V(unreadable).
        - Not set without V(state) in O(gather).
      type: str
      sample: pending
    versions:
      description: The profile versions of the database (C(instance)) and of the code (C(fs)), where they were read.
      type: dict
      sample: {"fs": "6205", "instance": "6018"}
    steps_pending:
      description: How many upgrade steps are pending. Not set where the site cannot list them.
      type: int
      sample: 38
    addons_behind:
      description:
        - The ids of installed add-ons whose profile in the database is older than their code.
        - Not set where they were not read.
      type: list
      elements: str
      sample: ["collective.easyform"]
    error:
      description: Why the site, or its add-ons, could not be read. Empty where all went well.
      type: str
      sample: ""
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

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.module import run
from ..module_utils._core.options import from_environment
from ..module_utils._plone.connection import plone_arguments
from ..module_utils._plone.survey import ADDONS, STATE, Instance


def read(module: AnsibleModule) -> dict[str, t.Any]:
    """The result of the module: the sites."""
    instance = Instance.from_params(module.params)
    instance.warn_if_unencrypted(module.warn)
    what = {*module.params["gather"], *([STATE] if module.params["sites"] else [])}
    readings = instance.survey(what)
    for reading in readings:
        if reading.error:
            module.warn(f"{reading.site.url}: {reading.error}")
    return {"changed": False, "sites": [reading.as_result() for reading in readings]}


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **plone_arguments(),
            "url": from_environment("PLONE_URL", type="str"),
            "sites": {"type": "list", "elements": "str"},
            "gather": {"type": "list", "elements": "str", "choices": [STATE, ADDONS], "default": []},
        },
        supports_check_mode=True,
    )
    run(module, lambda: read(module))


if __name__ == "__main__":
    main()

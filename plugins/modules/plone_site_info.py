#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_site_info: every site of a Zope instance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_site_info
short_description: List the Plone sites of a Zope instance, and which need an upgrade
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
  fleet:
    description:
      - Sites that need not share an instance or credentials. They are read into RV(rows) and RV(table). Implies
        V(state) in O(gather).
      - What an entry does not set is taken from the options of the same name beside this list. An entry with a token
        takes no username and password from there, and the other way round.
      - Four sites of a server are read at a time. A site that cannot be read does not fail the task; its row has the
        reason.
    type: list
    elements: dict
    version_added: 1.1.0
    suboptions:
      name:
        description: The name of the site in its row.
        type: str
        required: true
      url:
        description: The URL of the site. If it is empty, the site is not asked.
        type: str
      username:
        description: As O(username).
        type: str
      password:
        description: As O(password).
        type: str
      token:
        description: As O(token).
        type: str
      login:
        description: As O(login).
        type: str
        choices:
          - basic
          - jwt
        version_added: 1.1.0
      headers:
        description: As O(headers).
        type: raw
        version_added: 1.1.0
      client_cert:
        description: As O(client_cert).
        type: path
        version_added: 1.1.0
      client_key:
        description: As O(client_key).
        type: path
        version_added: 1.1.0
      validate_certs:
        description: As O(validate_certs).
        type: bool
      ca_path:
        description: As O(ca_path).
        type: path
      accept_no_path:
        description: As O(accept_no_path).
        type: list
        elements: str
        version_added: 1.1.0
      error:
        description: The reason in the row of a site whose URL cannot be used, instead of what is wrong with the URL.
        type: str
  fleet_hosts:
    description:
      - Names of hosts in the inventory that are made the entries of O(fleet), from the variables that the role
        P(siteops.upgrades.plone_upgrade#role) takes, such as C(plone_upgrade_url) and C(plone_upgrade_password).
      - This is done on the controller, whichever host runs the module.
    type: list
    elements: str
    version_added: 1.1.0
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
  accept_no_path:
    description:
      - Ids of add-ons that do not count as behind where no upgrade step leads to the version of their code, as in
        M(siteops.upgrades.plone_addon). With O(fleet_hosts) those of C(plone_upgrade_addons_accept_no_path).
    type: list
    elements: str
    default: []
    version_added: 1.1.0
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

- name: Read sites with credentials of their own
  siteops.upgrades.plone_site_info:
    fleet:
      - name: intranet
        url: https://intranet.example.org
        token: "{{ vault_intranet_token }}"
      - name: www
        url: https://www.example.org
        username: admin
        password: "{{ vault_www_password }}"
  register: fleet

- name: Show them as a table
  ansible.builtin.debug:
    msg: "{{ fleet.table }}"

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
rows:
  description: One row for each site, in the order of O(fleet) or O(fleet_hosts).
  type: list
  elements: dict
  returned: with O(fleet) or O(fleet_hosts)
  contains:
    host:
      description: The name of the entry or host.
      type: str
      sample: intranet_Plone
    url:
      description: The URL of the site, empty where it cannot be used.
      type: str
      sample: https://intranet.example.org/Plone
    title:
      description: Empty; a site that is not listed by its server does not report its title.
      type: str
      sample: ""
    state:
      description: As RV(sites[].state).
      type: str
      sample: pending
    versions:
      description: As RV(sites[].versions).
      type: dict
      sample: {"fs": "6205", "instance": "6018"}
    steps_pending:
      description: As RV(sites[].steps_pending).
      type: int
      sample: 38
    addons_behind:
      description: As RV(sites[].addons_behind).
      type: list
      elements: str
      sample: ["collective.easyform"]
    error:
      description: As RV(sites[].error).
      type: str
      sample: ""
table:
  description: The rows as lines of text, with a line of headings.
  type: list
  elements: str
  returned: with O(fleet) or O(fleet_hosts)
  sample:
    - site            state            database  code      steps  add-ons behind
    - intranet_Plone  pending          6018      6205         38  collective.easyform
sites:
  description: The sites in the order of the server or of O(sites).
  type: list
  elements: dict
  returned: success without O(fleet) and O(fleet_hosts), and when no site could be read
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
from dataclasses import replace
from urllib.parse import urlsplit

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.errors import OptionError
from ..module_utils._core.module import run
from ..module_utils._core.options import from_environment, require_positive
from ..module_utils._plone.addons import accepted_ids
from ..module_utils._plone.connection import plone_arguments, warn_if_unencrypted
from ..module_utils._plone.credentials import BASIC, JWT
from ..module_utils._plone.status_table import FleetSite, read_rows, table
from ..module_utils._plone.survey import ADDONS, STATE, Instance

FLEET_SITE = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "token": {"type": "str", "no_log": True},
    "login": {"type": "str", "choices": [BASIC, JWT]},
    "headers": {"type": "raw", "no_log": True},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path"},
    "validate_certs": {"type": "bool"},
    "ca_path": {"type": "path"},
    "accept_no_path": {"type": "list", "elements": "str"},
    "error": {"type": "str"},
}


def read(module: Module) -> dict[str, t.Any]:
    """The result of the module: the sites, or the rows of a fleet."""
    if module.params["fleet_hosts"] is not None:
        raise OptionError("fleet_hosts", "needs the action plugin of this module, which runs on the controller.")
    what = {*module.params["gather"], *([STATE] if module.params["sites"] else [])}
    if module.params["fleet"] is not None:
        return read_fleet(module, {*what, STATE})
    instance = Instance.from_params(module.params)
    instance.warn_if_unencrypted(module.warn)
    accepted = accepted_ids(module.params["accept_no_path"])
    readings = [replace(reading, accept_no_path=accepted) for reading in instance.survey(what)]
    for reading in readings:
        if reading.error:
            module.warn(f"{reading.site.url}: {reading.error}")
    return {"changed": False, "sites": [reading.as_result() for reading in readings]}


def read_fleet(module: Module, what: t.Collection[str]) -> dict[str, t.Any]:
    """The rows of the sites in the option ``fleet``, and the table made of them."""
    require_positive(module.params, "timeout")
    sites = [FleetSite.from_entry(entry, module.params) for entry in module.params["fleet"]]
    for url in {
        urlsplit(site.connection.url).netloc: site.connection.url for site in sites if site.connection
    }.values():
        warn_if_unencrypted(url, module.warn)
    rows = read_rows(sites, what)
    return {"changed": False, "rows": [row.as_result() for row in rows], "table": table(rows)}


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **plone_arguments(),
            "url": from_environment("PLONE_URL", type="str"),
            "sites": {"type": "list", "elements": "str"},
            "fleet": {"type": "list", "elements": "dict", "options": FLEET_SITE},
            "fleet_hosts": {"type": "list", "elements": "str"},
            "gather": {"type": "list", "elements": "str", "choices": [STATE, ADDONS], "default": []},
            "accept_no_path": {"type": "list", "elements": "str", "default": []},
        },
        mutually_exclusive=[("sites", "fleet", "fleet_hosts")],
        supports_check_mode=True,
    )
    run(module, lambda: read(module))


if __name__ == "__main__":
    main()

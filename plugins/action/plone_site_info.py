# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs plone_site_info, having made entries of the option fleet from the variables of hosts in the inventory."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action.normal import ActionModule as NormalAction

from ..module_utils._core.text import one_line

OPTION = "fleet_hosts"
PREFIX = "plone_upgrade_"
CREDENTIALS = (
    "username",
    "password",
    "token",
    "login",
    "headers",
    "client_cert",
    "client_key",
    "ca_path",
    "validate_certs",
)
NO_SITE = "plone_upgrade_url is not set, or is not the URL of a site."


class ActionModule(NormalAction):
    """The variables of other hosts are only known on the controller; everything else is the module's work."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """What the task returns."""
        args = dict(self._task.args)
        hosts = args.pop(OPTION, None)
        if isinstance(hosts, list):
            variables = (task_vars or {})["hostvars"]
            args["fleet"] = [entry(str(host), variables) for host in hosts]
            self._task.args = args
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        return result


def entry(host: str, hostvars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The entry of the option fleet for a host, from the variables that the role plone_upgrade takes."""
    try:
        its = hostvars[host]
        if "plone_site_id" in its and not its["plone_site_id"]:
            # The inventory plugin has such a host in the place of an instance that could not be read.
            return {"name": host, "url": "", "error": its.get("plone_site_error") or NO_SITE}
        given = {name: its.get(f"{PREFIX}{name}") for name in CREDENTIALS}
        given["accept_no_path"] = its.get(f"{PREFIX}addons_accept_no_path")
        made = {name: value for name, value in given.items() if value not in (None, "", {}, [])}
        return {"name": host, "url": its.get(f"{PREFIX}url") or None, "error": NO_SITE, **made}
    except (AnsibleError, KeyError) as error:
        return {"name": host, "url": "", "error": f"The variables of the host cannot be read: {one_line(error)}"}

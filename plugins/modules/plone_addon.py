#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_addon: install, upgrade or uninstall add-ons of one Plone site."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_addon
short_description: Install, upgrade or uninstall add-ons of a Plone site
version_added: 1.0.0
description:
  - Installs, upgrades or uninstalls add-ons of a Plone site, one after the other, through the service C(@addons) of
    plone.restapi.
  - The server answers C(204 No Content) whether it did anything or not, even for an add-on that it does not know. So
    the ids are checked first, and each change is proven by reading the add-on back.
  - The core of the site comes first. While it is not up to date, nothing is installed or upgraded.
  - Lost answers and killed runs are handled as M(siteops.upgrades.plone_upgrade) does.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_plone
  - siteops.upgrades.plone
  - siteops.upgrades.plone_wait
  - siteops.upgrades.progress
attributes:
  check_mode:
    support: full
    details:
      - While the core is not up to date, predicts what would change once it is. See RV(core_state).
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - The ids of the add-ons, in the order in which they are to be changed.
      - Required unless O(state=latest). Without it, all installed add-ons that are behind are upgraded, in the order in
        which the server lists them. An empty list names no add-on.
      - The server does not report which add-on depends on which. List those first that others depend on, or leave it to
        O(keep_going). What an add-on installs or upgrades by itself is not changed a second time.
      - A package that was removed from the code while its profile is still installed in the site is not listed by the
        server, so it is not seen here. The page C(@@plone-upgrade) of the site names such packages.
    type: list
    elements: str
  state:
    description:
      - V(present) installs what is not installed.
      - V(latest) also runs the upgrade steps of what is installed and behind.
      - V(absent) uninstalls, even while the core is not up to date, because an old add-on can be what blocks the
        upgrade of the core.
    type: str
    choices:
      - present
      - latest
      - absent
    default: present
  keep_going:
    description:
      - Whether to go on with the other add-ons after one has failed, and to try the failed ones again while a pass
        changes something. An add-on that needs another one first so gets there in any order.
      - The task fails at the end if any add-on is left behind, and names each with its reason; see RV(left_behind).
      - Without this, the task stops at the first add-on that fails or that no upgrade path leads to the version of its
        code; see RV(not_tried).
      - Nothing else is tried after a call whose end is unknown, or while the server cannot be reached.
    type: bool
    default: true
    version_added: 1.1.0
  accept_no_path:
    description:
      - Ids of add-ons that may stay behind because no upgrade step leads to the version of their code. They are a
        warning instead of a failure.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
seealso:
  - module: siteops.upgrades.plone_addon_info
  - module: siteops.upgrades.plone_upgrade
"""

EXAMPLES = r"""
- name: Upgrade every add-on that is behind
  siteops.upgrades.plone_addon:
    url: https://plone.example.org
    username: admin
    password: "{{ vault_plone_password }}"
    state: latest

- name: Upgrade two add-ons, the base of the other first
  siteops.upgrades.plone_addon:
    url: https://plone.example.org
    username: admin
    password: "{{ vault_plone_password }}"
    name:
      - collective.easyform
      - collective.easyformplugin.registration
    state: latest
"""

RETURN = r"""
core_state:
  description:
    - The state of the core, as RV(siteops.upgrades.plone_upgrade_info#module:state).
    - Outside of check mode nothing is installed or upgraded unless it is V(up_to_date).
  type: str
  returned: when an add-on needs to be installed or upgraded
  sample: up_to_date
changes:
  description: What was done, or would be done in check mode, in order.
  type: list
  elements: dict
  returned: once the add-ons were read
  contains:
    id:
      description: The add-on.
      type: str
      sample: collective.easyform
    action:
      description: V(install), V(upgrade) or V(uninstall).
      type: str
      sample: upgrade
    from:
      description: The profile version before, empty if it was not installed.
      type: str
      sample: "1000"
    to:
      description: The profile version after, empty if it is not installed, or unknown in check mode.
      type: str
      sample: "1002"
addons:
  description: The add-ons that were asked for, as RV(siteops.upgrades.plone_addon_info#module:addons).
  type: list
  elements: dict
  returned: once the add-ons were read
  sample:
    - available_version: "1002"
      id: collective.easyform
      installed: true
      installed_version: "1002"
      state: up_to_date
      title: EasyForm
      upgradeable: false
      version: 4.4.1
left_behind:
  description: The add-ons that did not get to their state, or would not in check mode, as RV(addons), with the reason.
  type: list
  elements: dict
  returned: once the add-ons were read
  contains:
    reason:
      description: Why, in sentences.
      type: str
      sample: "collective.old is at 2000 and cannot be brought to 3000: there is no upgrade path."
not_tried:
  description: The ids of add-ons that need a change and were not tried, because another one failed before them.
  type: list
  elements: str
  returned: once the add-ons were read
  sample: []
failure:
  description: The call that failed, as RV(siteops.upgrades.plone_upgrade#module:failure).
  type: dict
  returned: when a call failed
  sample:
    call: POST /Plone/@addons/collective.easyform/upgrade
    message: boom
    status: 500
    type: ValueError
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
from dataclasses import dataclass

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.errors import OptionError
from ..module_utils._core.module import run
from ..module_utils._core.progress import Progress
from ..module_utils._plone.addon_outcome import ABSENT, LATEST, PRESENT, AddonsFailed, AddonsOutcome
from ..module_utils._plone.addon_run import AddonRun
from ..module_utils._plone.addons import accepted_ids
from ..module_utils._plone.client import connect
from ..module_utils._plone.connection import Connection, Waiting, plone_arguments, wait_arguments


@dataclass(frozen=True)
class Options:
    """What the user asks for; ``names`` is None for every add-on that is behind."""

    connection: Connection
    waiting: Waiting
    names: tuple[str, ...] | None
    state: str
    keep_going: bool
    accept_no_path: tuple[str, ...]

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Options:
        """:raises OptionError: one of the options is bad; nothing was sent."""
        names = None if params["name"] is None else tuple(dict.fromkeys(name.strip() for name in params["name"]))
        if names and "" in names:
            raise OptionError("name", "has an id without a letter. Leave it out, or leave out 'name' for all add-ons.")
        if names and names[0].lstrip().startswith(("[", "{")):
            raise OptionError(
                "name",
                "is the text of a JSON value and not a list. As an extra variable, give the whole as JSON: "
                """-e '{"plone_upgrade_addons": ["first.addon", "second.addon"]}'.""",
            )
        return cls(
            Connection.from_params(params),
            Waiting.from_params(params),
            names,
            params["state"],
            params["keep_going"],
            accepted_ids(params["accept_no_path"]),
        )


def change(module: Module) -> dict[str, t.Any]:
    """The result of the module, in check mode as well."""
    options = Options.from_params(module.params)
    client = connect(options.connection, module.warn)
    addons = AddonRun(
        client,
        state=options.state,
        waiting=options.waiting,
        progress=Progress(module),
        keep_going=options.keep_going,
        accept_no_path=options.accept_no_path,
    )
    try:
        outcome = addons.plan(options.names) if module.check_mode else addons.perform(options.names)
    except AddonsFailed as failed:
        failed.result.update(finish(module, failed.outcome))
        raise
    return finish(module, outcome)


def finish(module: Module, outcome: AddonsOutcome) -> dict[str, t.Any]:
    """Warn, and shape the result."""
    for warning in outcome.warnings:
        module.warn(warning)
    result = outcome.as_result()
    if module._diff:
        sides = {"before": "from", "after": "to"}
        result["diff"] = {
            side: {entry["id"]: entry[key] or "-" for entry in outcome.changes} for side, key in sides.items()
        }
    return result


def main() -> None:
    """Entry point of the module."""
    arguments = {
        **plone_arguments(),
        **wait_arguments(),
        "name": {"type": "list", "elements": "str"},
        "state": {"type": "str", "choices": [PRESENT, LATEST, ABSENT], "default": PRESENT},
        "keep_going": {"type": "bool", "default": True},
        "accept_no_path": {"type": "list", "elements": "str", "default": []},
    }
    required_if = [("state", PRESENT, ("name",)), ("state", ABSENT, ("name",))]
    module = Module(argument_spec=arguments, required_if=required_if, supports_check_mode=True)
    run(module, lambda: change(module))


if __name__ == "__main__":
    main()

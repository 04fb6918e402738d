#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_upgrade: upgrade one Plone site, or rehearse it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_upgrade
short_description: Upgrade a Plone site to the version of its code, or rehearse it
version_added: 1.0.0
description:
  - Runs the pending core upgrade steps of a Plone site through the service C(@upgrade) of plone.restapi, or rehearses
    them with O(dry_run=true).
  - Whether it worked is decided by the versions before and after and by the report of the migration tool. The server
    answers C(200 OK) even when a step failed, and its C(upgraded) flag is true even when there was nothing to do.
  - Nothing is posted if nothing is pending, and nothing is posted twice. When the answer is lost, by a timeout, a proxy
    or a broken connection, the state is read until the upgrade is proven or O(wait_timeout) has passed.
  - A run that was killed leaves a note under C(~/.local/state/siteops.upgrades) (or E(XDG_STATE_HOME)) on the host that
    ran the module. The next run there waits for the upgrade that was posted instead of posting again. Two runs at once
    on one host wait for each other.
  - Third-party add-ons are not touched by C(@upgrade).
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
      - Only reads. Use O(dry_run=true) outside of check mode to have the server run the steps and abort.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A dry run of a pending upgrade is posted each time, and never changes anything.
options:
  dry_run:
    description:
      - Have the server run all pending steps and throw the result away.
      - A dry run that went well does not guarantee that the upgrade will. Only a real run commits, which is when the
        catalog is written and objects are stored. It also takes several times as long.
      - If a step commits by itself, so that a dry run leaves another version in the database, the task fails.
    type: bool
    default: false
  full_report:
    description:
      - Return the server's report with whole tracebacks instead of their last lines.
    type: bool
    default: false
seealso:
  - module: siteops.upgrades.plone_upgrade_info
  - name: The upgrade service of plone.restapi
    description: What the server promises.
    link: https://6.docs.plone.org/plone.restapi/docs/source/endpoints/upgrade.html
"""

EXAMPLES = r"""
- name: Rehearse the upgrade of a site
  siteops.upgrades.plone_upgrade:
    url: https://plone.example.org
    username: admin
    password: "{{ vault_plone_password }}"
    dry_run: true

- name: Upgrade several sites with the same credentials
  module_defaults:
    group/siteops.upgrades.plone:
      username: admin
      password: "{{ vault_plone_password }}"
  block:
    - name: Upgrade the intranet, which is large
      siteops.upgrades.plone_upgrade:
        url: https://intranet.example.org
        wait_timeout: 28800
    - name: Upgrade the public site
      siteops.upgrades.plone_upgrade:
        url: https://www.example.org/++api++
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: Upgraded from 6018 to 6205 in 38 steps.
state:
  description: The state afterwards, as RV(siteops.upgrades.plone_upgrade_info#module:state).
  type: str
  returned: once the state was read
  sample: up_to_date
dry_run:
  description: Whether this was a rehearsal.
  type: bool
  returned: once the state was read
  sample: false
posted:
  description: Whether this run sent the upgrade (or the dry run) to the server.
  type: bool
  returned: once the state was read
  sample: true
answer:
  description:
    - V(received), the server's answer arrived.
    - V(lost), it did not arrive, and the state was read instead.
    - V(none), nothing was posted.
  type: str
  returned: once the state was read
  sample: received
versions_before:
  description: The profile versions of the database (C(instance)) and of the code (C(fs)) before.
  type: dict
  returned: once the state was read
  sample: {"fs": "6205", "instance": "6018"}
versions_after:
  description: The same afterwards. In check mode, those that the upgrade would lead to.
  type: dict
  returned: once the state was read
  sample: {"fs": "6205", "instance": "6205"}
steps_pending:
  description: The steps that are still pending afterwards, as RV(siteops.upgrades.plone_upgrade_info#module:steps).
  type: list
  elements: dict
  returned: once the state was read
  sample: []
steps_run:
  description:
    - The titles of the steps that ran, in order, from the report.
    - Sites of one Zope process that are upgraded at the same time write into each other's reports. A title is therefore
      listed no more often than the step was pending.
  type: list
  elements: str
  returned: once the state was read
  sample: ["Run to6019 upgrade profile.", "Miscellaneous"]
report:
  description: The lines of the server's report, with tracebacks cut unless O(full_report=true).
  type: list
  elements: str
  returned: once the state was read
  sample: ["Starting the migration from version: 6018", "Your Plone instance is now up-to-date."]
duration:
  description: Seconds from the POST to the answer, or until the upgrade was proven if the answer was lost.
  type: float
  returned: once the state was read
  sample: 1.204
failure:
  description: The call that failed.
  type: dict
  returned: when a call failed
  contains:
    call:
      description: Method and path.
      type: str
      sample: POST /Plone/@upgrade
    status:
      description: The HTTP status, where there was one.
      type: int
      sample: 500
    type:
      description: The server's name for the error.
      type: str
      sample: ValueError
    message:
      description: The server's words.
      type: str
      sample: boom
    traceback:
      description: The last lines of the server's traceback, where it sent one.
      type: list
      elements: str
      sample: ["  File \"steps.py\", line 12, in migrate", "ValueError: boom"]
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
from ..module_utils._core.module import run
from ..module_utils._core.progress import Progress
from ..module_utils._plone.client import connect
from ..module_utils._plone.connection import Connection, Waiting, plone_arguments, wait_arguments
from ..module_utils._plone.state import SiteState
from ..module_utils._plone.upgrade import UpgradeRun, plan_upgrade
from ..module_utils._plone.upgrade_outcome import UpgradeFailed, UpgradeOutcome


@dataclass(frozen=True)
class Options:
    """What the user asks for."""

    connection: Connection
    waiting: Waiting
    dry_run: bool
    full_report: bool

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Options:
        """:raises OptionError: one of the options is bad; nothing was sent."""
        connection, waiting = Connection.from_params(params), Waiting.from_params(params)
        return cls(connection, waiting, params["dry_run"], params["full_report"])


def upgrade(module: Module) -> dict[str, t.Any]:
    """The result of the module, in check mode as well."""
    options = Options.from_params(module.params)
    try:
        outcome = plan_or_perform(module, options)
    except UpgradeFailed as failed:
        for warning in failed.outcome.warnings:
            module.warn(warning)
        failed.result.update(failed.outcome.as_result(full_report=options.full_report))
        raise
    for warning in outcome.warnings:
        module.warn(warning)
    result = {"msg": outcome.summary, **outcome.as_result(full_report=options.full_report)}
    if module._diff and not options.dry_run:
        result["diff"] = {"before": as_diff(outcome.before), "after": as_diff(outcome.latest)}
    return result


def plan_or_perform(module: Module, options: Options) -> UpgradeOutcome:
    """What would be done in check mode, what was done otherwise."""
    client = connect(options.connection, module.warn)
    if module.check_mode:
        return plan_upgrade(client, dry_run=options.dry_run)
    upgrade_run = UpgradeRun(client, dry_run=options.dry_run, waiting=options.waiting, progress=Progress(module))
    return upgrade_run.perform()


def as_diff(state: SiteState) -> dict[str, t.Any]:
    """One side of the diff."""
    return {"instance": state.versions.instance, "pending_steps": [f"{s.group} {s.title}" for s in state.steps or ()]}


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **plone_arguments(),
            **wait_arguments(),
            "dry_run": {"type": "bool", "default": False},
            "full_report": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, lambda: upgrade(module))


if __name__ == "__main__":
    main()

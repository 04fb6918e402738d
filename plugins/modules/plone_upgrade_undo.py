#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_upgrade_undo: undo the upgrade of one Plone site."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_upgrade_undo
short_description: Undo the upgrade of a Plone site
version_added: 1.0.0
description:
  - Undoes the transactions that an upgrade committed, through the service C(@transactions) of plone.restapi. The code
    of the site has to be rolled back by other means.
  - Nothing else is undone unless O(include_later=true) allows it. Transactions of other sites in the same database are
    left alone.
  - The undo is a transaction of its own. The database does it as a whole, or refuses it and nothing is changed.
  - It needs a storage that keeps its history, such as FileStorage or RelStorage with C(keep-history true), and a
    database that was not packed since. A database that lists no transactions at all is a failure.
  - Reads and logins that wrote something beside, such as the first C(GET /@sites) of a database, are neither undone nor
    counted as later changes.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_plone
  - siteops.upgrades.plone
attributes:
  check_mode:
    support: full
    details:
      - Says what reads can prove of the way back. Only a C(PATCH) shows whether a proxy lets it through; see
        O(prove_only).
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - An upgrade that was undone already is not undone again.
options:
  back_to:
    description:
      - The RV(siteops.upgrades.plone_transaction_info#module:transactions[].id) of the transaction that was the newest
        before the upgrade. All upgrades of the core and changes of add-ons after it are undone together.
      - If not set, the newest upgrade of the core is undone.
    type: str
  include_later:
    description:
      - Also undo all later transactions of this site. Without this, the task fails if there are any.
    type: bool
    default: false
  own_only:
    description:
      - Fail if an upgrade that would be undone was committed by another user than the one of the credentials, and undo
        nothing. The role P(siteops.upgrades.plone_upgrade#role) sets it, so that it does not take back what another
        client upgraded at the same time. A user whose login name is not the id is not distinguished from others.
    type: bool
    default: false
    version_added: 1.1.0
  prove_only:
    description:
      - Undo nothing. Prove that what is committed from now on can be undone, and fail if it cannot. The database has to
        keep its history, and a C(PATCH @transactions) that names no transaction has to get through, which also shows
        that the user has the permission. It leaves no transaction in the database.
      - In check mode only the history is proven.
      - The role P(siteops.upgrades.plone_upgrade#role) does this before the first C(POST) if it is to undo a failure.
    type: bool
    default: false
    version_added: 1.1.0
seealso:
  - module: siteops.upgrades.plone_transaction_info
"""

EXAMPLES = r"""
- name: Undo an upgrade after which nothing else was changed
  siteops.upgrades.plone_upgrade_undo:
    url: https://plone.example.org
    username: admin
    password: "{{ vault_plone_password }}"

- name: Prove that an upgrade could be undone, before it is started
  siteops.upgrades.plone_upgrade_undo:
    url: https://plone.example.org
    username: admin
    password: "{{ vault_plone_password }}"
    prove_only: true

- name: Undo an upgrade and what editors did since
  siteops.upgrades.plone_upgrade_undo:
    url: https://plone.example.org
    username: admin
    password: "{{ vault_plone_password }}"
    include_later: true
  register: undone

- name: Show what was lost
  ansible.builtin.debug:
    msg: "{{ undone.lost | map(attribute='description') }}"
"""

RETURN = r"""
way_back:
  description: What is proven of the way back.
  type: dict
  returned: with O(prove_only=true), and in check mode
  contains:
    history:
      description: Whether the database keeps its history. Not set if that could not be read.
      type: bool
      sample: true
    patch:
      description: Whether C(PATCH @transactions) gets through. Not set if it was not sent.
      type: bool
      sample: true
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: Undid 1 transaction. The database went from 6205 to 6018.
undone:
  description:
    - The transactions that were undone, newest first, as
      RV(siteops.upgrades.plone_transaction_info#module:transactions).
  type: list
  elements: dict
  returned: success
  sample:
    - description: /Plone/POST_application_json_@upgrade
      id: "QkEwcnRpbTFRcGs9\n 2026-11-21T19:02:09 /Plone/POST_application_json_@upgrade "
      size: 136512
      time: "2026-11-21T19:02:09"
      upgrade: true
      user: admin
lost:
  description: Those of them that are not upgrades. In a failure, those that would be lost.
  type: list
  elements: dict
  returned: success, or when later transactions are the reason of a failure
  sample: []
state:
  description: The state afterwards, as RV(siteops.upgrades.plone_upgrade_info#module:state).
  type: str
  returned: success
  sample: pending
versions_before:
  description: The profile versions of the database and of the code before.
  type: dict
  returned: success
  sample: {"fs": "6205", "instance": "6205"}
versions_after:
  description: The same afterwards.
  type: dict
  returned: success
  sample: {"fs": "6205", "instance": "6018"}
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
from ..module_utils._plone.undo import UndoOptions, plan, undo
from ..module_utils._plone.way_back import prove_way_back


def undo_upgrade(module: Module) -> dict[str, t.Any]:
    """The result of the module, in check mode as well."""
    params = module.params
    options = UndoOptions(
        back_to=params["back_to"] or "", include_later=params["include_later"], own_only=params["own_only"]
    )
    client = connect(Connection.from_params(params), module.warn)
    if params["prove_only"]:
        return prove_way_back(client, send=not module.check_mode).as_result()
    outcome = plan(client, options) if module.check_mode else undo(client, options)
    result = outcome.as_result()
    if module.check_mode:
        result["way_back"] = {"history": True, "patch": None}
    if module._diff:
        result["diff"] = {
            "before": "".join(f"{one['time']} {one['description']}\n" for one in result["undone"]),
            "after": "",
        }
    return result


def main() -> None:
    """Entry point of the module."""
    arguments = {
        **plone_arguments(),
        "back_to": {"type": "str"},
        "include_later": {"type": "bool", "default": False},
        "own_only": {"type": "bool", "default": False},
        "prove_only": {"type": "bool", "default": False},
    }
    module = Module(argument_spec=arguments, supports_check_mode=True)
    run(module, lambda: undo_upgrade(module))


if __name__ == "__main__":
    main()

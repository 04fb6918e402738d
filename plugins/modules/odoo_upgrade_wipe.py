#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_upgrade_wipe: remove what the platform holds of all requests of a contract."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_upgrade_wipe
short_description: Remove all dumps of a contract from Odoo's upgrade platform
version_added: 2.0.0
description:
  - Has today's service remove B(every) dump, original and upgraded, of B(all) requests of a contract, not only of the
    one in O(request_file). That cannot be undone.
  - A request that is archived already was removed before; then nothing is sent.
  - The database API v1 has no such call; there the module fails and sends nothing.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_odoo
  - siteops.upgrades.odoo
attributes:
  check_mode:
    support: full
    details:
      - Reads the state, checks O(confirm), and says that all dumps would be removed. The platform cannot list them.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  confirm:
    description:
      - The contract whose dumps are removed, as a confirmation. It must be the one that the request was made for, which
        is checked by the salted hash in O(request_file).
    type: str
    required: true
seealso:
  - module: siteops.upgrades.odoo_upgrade_download
"""

EXAMPLES = r"""
- name: Remove all dumps of the contract from the platform
  siteops.upgrades.odoo_upgrade_wipe:
    request_file: /var/lib/odoo-upgrades/shop.json
    confirm: "{{ vault_odoo_contract }}"
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: The platform removed all dumps of 2 requests.
wiped:
  description: The ids of the requests whose dumps were removed.
  type: list
  elements: str
  returned: success, or when some were not removed
  sample: ["4190001", "4190002"]
not_wiped:
  description: The ids of the requests whose dumps are still there.
  type: list
  elements: str
  returned: success, or when some were not removed
  sample: []
request_id:
  description: The id of the request.
  type: str
  returned: success
  sample: "4190001"
state:
  description: The state of the request, as RV(siteops.upgrades.odoo_upgrade_request_info#module:state).
  type: str
  returned: success
  sample: progress
stage:
  description: How far the request is, as RV(siteops.upgrades.odoo_upgrade_request_info#module:stage).
  type: str
  returned: success
  sample: working
finished:
  description: Whether the upgraded database can be fetched.
  type: bool
  returned: success
  sample: false
request:
  description: The status of the request, as RV(siteops.upgrades.odoo_upgrade_request_info#module:request).
  type: dict
  returned: success
  sample: {"archived": false, "host_uri": "up1.odoo.com", "reason": null, "status": "progress"}
states_seen:
  description: The states that were seen so far, as RV(siteops.upgrades.odoo_upgrade_request_info#module:states_seen).
  type: list
  elements: dict
  returned: success
  sample: [{"at": "2026-11-21T03:00:00Z", "state": "new"}]
protocol:
  description: The protocol of the platform, V(upgrade_service).
  type: str
  returned: success
  sample: upgrade_service
is_pg_version_compatible:
  description: Whether the PostgreSQL that made the dump can restore the result.
  type: bool
  returned: where the platform has said it
  sample: true
failure:
  description: The call that failed, as RV(siteops.upgrades.odoo_upgrade_request_info#module:failure).
  type: dict
  returned: when a call failed
  sample: {"call": "POST /upgrade/request/status", "status": 502}
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

import contextlib
import typing as t

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.errors import CallError, OptionError, UpgradeError
from ..module_utils._core.module import run
from ..module_utils._core.task import Task, task_of
from ..module_utils._odoo.failures import may_have_acted
from ..module_utils._odoo.open_request import opened_request
from ..module_utils._odoo.options import OdooOptions, odoo_arguments, odoo_options
from ..module_utils._odoo.records import is_contract
from ..module_utils._odoo.request import OdooRequest
from ..module_utils._odoo.status import Status

ARCHIVED = "The dumps of this request were removed from the platform before."
WOULD_REMOVE = "The platform would remove all dumps, original and upgraded, of all requests of the contract."


def wipe(task: Task, options: OdooOptions, contract: str) -> dict[str, t.Any]:
    """The result of the module, in check mode as well."""
    with opened_request(task, options, writes=True, needs="odoo_upgrade_wipe") as request:
        _require_confirmed(request, contract)
        ids: dict[str, list[str]] = {"wiped": [], "not_wiped": []}
        if not request.exists:
            return request.result(None, changed=True, msg=WOULD_REMOVE, **ids)
        status = request.status()
        if _is_archived(status):
            return request.result(status, changed=False, msg=ARCHIVED, **ids)
        if task.check_mode:
            return request.result(status, changed=True, msg=WOULD_REMOVE, **ids)
        try:
            answer = request.platform.wipe(request.handle, contract)
        except CallError as error:
            if not may_have_acted(error):
                raise
            return {**_read_after(request, error), **ids}
        ids = {"wiped": answer["wiped"], "not_wiped": answer["failed"]}
        result = request.result(status, changed=bool(ids["wiped"]), **ids)
        if ids["not_wiped"]:
            raise UpgradeError(
                f"The platform removed the dumps of {len(ids['wiped'])} requests, and not those of the requests "
                f"{', '.join(ids['not_wiped'])}. Run this again, or ask Odoo's support.",
                **result,
            )
        return {**result, "msg": f"The platform removed all dumps of {len(ids['wiped'])} requests."}


def _is_archived(status: Status) -> bool:
    return status.public.get("archived") is True


def _read_after(request: OdooRequest, lost: CallError) -> dict[str, t.Any]:
    """The result after a lost answer, as far as the state of the one request proves it.

    :raises UpgradeError: it proves nothing.
    """
    with contextlib.suppress(CallError):
        status = request.status()
        if _is_archived(status):
            request.task.warn(f"{lost} The state read afterwards proves that the dumps of {request.name} were removed.")
            msg = "The platform removed the dumps. Its answer, which names the requests, was lost."
            return request.result(status, changed=True, msg=msg)
    raise UpgradeError(
        f"{lost} It is unknown whether the platform removed the dumps. Run this again: it reads the state first.",
        **lost.result,
    ) from lost


def _require_confirmed(request: OdooRequest, contract: str) -> None:
    """:raises OptionError: the confirmation is not the contract of the request."""
    intention = request.record.intention
    if not contract.strip():
        raise OptionError("confirm", "is empty; it must be the contract whose dumps are to be removed.")
    if intention and not is_contract(intention.contract, contract):
        raise OptionError("confirm", f"is not the contract that {request.name} was made for. Nothing was removed.")


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={**odoo_arguments(), "confirm": {"type": "str", "required": True, "no_log": True}},
        supports_check_mode=True,
    )
    run(module, lambda: wipe(task_of(module), odoo_options(module.params), module.params["confirm"].strip()))


if __name__ == "__main__":
    main()

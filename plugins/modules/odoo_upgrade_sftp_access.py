#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_upgrade_sftp_access: open the SFTP server of an upgrade request."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_upgrade_sftp_access
short_description: Open the SFTP server of an Odoo upgrade request for a list of public keys
version_added: 1.0.0
description:
  - Calls C(request_sftp_access) of the platform's database API, for those who move the dump with a program of their
    own. M(siteops.upgrades.odoo_upgrade_upload) and M(siteops.upgrades.odoo_upgrade_download) request the access by
    themselves.
  - In the state V(draft) the server accepts the dump under the name RV(access.shared_file). In V(done) or V(delivered)
    it offers the upgraded dump for reading. In any other state the platform opens no server, and the module fails.
  - The access is temporary, and the API does not say whether it is still open. So each run opens it again and reports
    a change.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_odoo
  - siteops.upgrades.odoo
  - siteops.upgrades.odoo_sftp
attributes:
  check_mode:
    support: full
    details:
      - Checks the keys and reads the state.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each run opens the access again.
seealso:
  - module: siteops.upgrades.odoo_upgrade_upload
  - module: siteops.upgrades.odoo_upgrade_download
"""

EXAMPLES = r"""
- name: Let two administrators in
  siteops.upgrades.odoo_upgrade_sftp_access:
    request_file: /var/lib/odoo-upgrades/shop.json
    sftp_public_keys: /etc/odoo-upgrades/authorized_keys
  register: opened

- name: Show how to connect
  ansible.builtin.debug:
    var: opened.access.sample_command
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: The SFTP server is open for 2 keys.
access:
  description: How to connect.
  type: dict
  returned: success, outside of check mode
  contains:
    hostname:
      description: The host to connect to.
      type: str
      sample: upgrade.odoo.com
    sftp_port:
      description: The port.
      type: int
      sample: 2200
    sftp_user:
      description: The user to log in as.
      type: str
      sample: user_10534
    shared_file:
      description: The name of the one file that is served.
      type: str
      sample: shop.dump
    sample_command:
      description: A command that connects.
      type: str
      sample: sftp -P 2200 user_10534@upgrade.odoo.com
public_keys:
  description: The keys that were (in check mode, would be) let in, by their fingerprints.
  type: list
  elements: str
  returned: success
  sample: ["ssh-ed25519 SHA256:N4eIYNeHmV6hGCxvAhGAJ8x3yhM3Z6Sn5NPhw9DBsTs"]
request_id:
  description: The id of the request; empty in check mode where there is none yet.
  type: str
  returned: success
  sample: "10534"
state:
  description:
    - The state of the request, as RV(siteops.upgrades.odoo_upgrade_request_info#module:state).
    - Empty in check mode where there is no request yet.
  type: str
  returned: success
  sample: draft
stage:
  description: How far the request is, as RV(siteops.upgrades.odoo_upgrade_request_info#module:stage).
  type: str
  returned: success
  sample: open
finished:
  description: Whether the upgraded database can be fetched.
  type: bool
  returned: success
  sample: false
request:
  description: The status of the request, as RV(siteops.upgrades.odoo_upgrade_request_info#module:request).
  type: dict
  returned: success
  sample: {"aim": "test", "filename": "shop.dump", "id": 10534, "key": "(hidden)", "state": "draft"}
states_seen:
  description: The states that were seen so far, as RV(siteops.upgrades.odoo_upgrade_request_info#module:states_seen).
  type: list
  elements: dict
  returned: success
  sample: [{"at": "2026-11-21T03:00:00Z", "state": "draft"}]
protocol:
  description: The protocol of the platform, V(upgrade_service) or V(database_api).
  type: str
  returned: success
  sample: upgrade_service
is_pg_version_compatible:
  description: Whether the PostgreSQL that made the dump can restore the result.
  type: bool
  returned: where today's service has said it
  sample: true
failure:
  description: The call that failed, as RV(siteops.upgrades.odoo_upgrade_request_info#module:failure).
  type: dict
  returned: when a call failed
  sample:
    call: POST /database/v1/request_sftp_access
    failures:
      - message: Internal server error
        reason: SERVER:ERROR
    status: 200
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
from ..module_utils._core.errors import UpgradeError
from ..module_utils._core.module import run
from ..module_utils._core.task import Task, task_of
from ..module_utils._odoo.connect import connect
from ..module_utils._odoo.open_request import opened_request
from ..module_utils._odoo.options import OdooOptions, odoo_arguments, odoo_options
from ..module_utils._odoo.status import Stage
from ..module_utils._odoo.transfer_options import sftp_key_arguments, sftp_keys
from ..module_utils._transfer.ssh_host_keys import fingerprint
from ..module_utils._transfer.ssh_keys import identity
from ..module_utils._transfer.ssh_private_key import key_of


def open_access(task: Task, options: OdooOptions, public_keys: str) -> dict[str, t.Any]:
    """The result of the module, in check mode as well."""
    keys = [fingerprint(line) for line in public_keys.splitlines()]
    with opened_request(task, options, writes=False) as request:
        status = request.status() if request.exists else None
        if status and status.stage not in (Stage.OPEN, Stage.READY):
            raise UpgradeError(
                f"{request.title} is in the state {status.state}; the platform opens its SFTP server "
                "before the upgrade is started, and again when there is a result.",
                state=status.state,
            )
        result = request.result(status, changed=True, public_keys=keys)
        if task.check_mode:
            return {"msg": f"The SFTP server would be opened for {len(keys)} keys.", **result}
        result["access"] = request.platform.sftp_access(request.handle, public_keys)
        return {"msg": f"The SFTP server is open for {len(keys)} keys.", **result}


def main() -> None:
    """Entry point of the module."""
    module = Module(argument_spec={**odoo_arguments(), **sftp_key_arguments()}, supports_check_mode=True)

    def work() -> dict[str, t.Any]:
        task, options = task_of(module), odoo_options(module.params)
        connect(options, task).require("odoo_upgrade_sftp_access")
        keys = sftp_keys(module.params)
        own = key_of(keys.private_key, keys.private_key_text, keys.passphrase)
        listed = identity(own, keys.public_keys, agent=False).public_keys
        return open_access(task, options, listed)

    run(module, work)


if __name__ == "__main__":
    main()

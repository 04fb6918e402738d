#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_upgrade_upload: send a database dump to an upgrade request, once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_upgrade_upload
short_description: Send a database dump to an Odoo upgrade request, once
version_added: 1.0.0
description:
  - Sends a dump to the database API v1 by HTTPS, in one piece, or by SFTP; to today's service by rsync over ssh. A
    broken upload by SFTP or rsync is resumed, within the run and by the next run.
  - Before the first request, a dump that is to be sent is read to its end. One that is damaged, not whole, or of a form
    that the platform is not known to take is refused, unless O(check_dump=false).
  - To today's service, rsync compares the content on both ends after the transfer.
  - O(request_file) records what was sent, by size, SHA-256, modification time and inode. A dump that still matches is
    not read. One that was only touched or copied is read once, and not sent again.
  - A changed dump is sent again while the request is in V(draft). After that the task fails, because the platform
    accepts no other dump.
  - The dump is hashed while it is sent. If it changes meanwhile, the task fails, and the dump never arrives whole.
  - By SFTP, a file on the server is continued only if O(request_file) proves that it came from this very dump.
    Otherwise it is emptied first.
  - Without O(request_file) nothing is remembered. Every run then sends the dump while the request is in V(draft), no
    other run resumes a broken upload, and in any later state the task fails.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_odoo
  - siteops.upgrades.odoo
  - siteops.upgrades.odoo_sftp
  - siteops.upgrades.odoo_sftp.transfer
  - siteops.upgrades.progress
attributes:
  check_mode:
    support: full
    details:
      - Reads the dump, as far as O(check_dump) asks for it, and the state. Nothing is sent or written.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - Full with O(request_file).
options:
  src:
    description:
      - The path of the dump on the host that runs the module, a custom archive of C(pg_dump), SQL, SQL in gzip, or the
        zip archive of Odoo's database manager.
      - Today's service also takes the folder that C(pg_dump --format=directory) writes.
    type: path
    required: true
  check_dump:
    description:
      - Whether to read the dump to its end before it is sent. Checksums of gzip and zip are compared, SQL must end with
        the closing line of C(pg_dump), a zip archive must have C(dump.sql) in it, and C(pg_restore) must be able to
        read a custom archive or a folder. Where C(pg_restore) is missing or too old, a warning says so.
      - With V(false) any file is sent.
    type: bool
    default: true
    version_added: 2.0.0
notes:
  - If an upload by HTTPS gets no answer, it is unknown whether the platform has the dump. The module then fails, and
    its next run sends the dump again.
  - Memory use does not depend on the size of the dump.
seealso:
  - module: siteops.upgrades.odoo_upgrade_request
  - module: siteops.upgrades.odoo_upgrade_process
  - module: siteops.upgrades.odoo_upgrade_sftp_access
"""

EXAMPLES = r"""
- name: Send a dump by HTTPS
  siteops.upgrades.odoo_upgrade_upload:
    request_file: /var/lib/odoo-upgrades/shop.json
    src: /var/backups/shop.dump

- name: Send a large dump by SFTP, to a server with a known host key
  siteops.upgrades.odoo_upgrade_upload:
    request_file: /var/lib/odoo-upgrades/shop.json
    src: /var/backups/shop.dump
    sftp_private_key: ~/.ssh/id_ed25519
    sftp_host_key: ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBB...
    sftp_threshold: 500M
    retries: 20
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: Sent 912345678 bytes by SFTP.
sent:
  description: The dump that the platform has.
  type: dict
  returned: success
  contains:
    src:
      description: The absolute path of the dump.
      type: str
      sample: /var/backups/shop.dump
    size:
      description: Its size in bytes.
      type: int
      sample: 912345678
    sha256:
      description: The SHA-256 of its content; empty in check mode where it would be sent.
      type: str
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    form:
      description:
        - Its form, V(custom), V(directory), V(sql), V(sql.gz) or V(zip). With O(check_dump=false) also V(tar),
          V(tar.gz), V(sql.xz), V(sql.zst) or V(sql.bz2), and empty where it is of no known form.
      type: str
      sample: custom
    not_checked:
      description: What the check could not prove, because the form has no checksums or a program is missing.
      type: list
      elements: str
      sample: ["a changed byte in the table of contents of a custom archive can go unnoticed"]
    transport:
      description: How it was sent, V(https) or V(sftp).
      type: str
      sample: sftp
    at:
      description: When it had arrived, in UTC.
      type: str
      sample: "2026-11-21T03:00:00Z"
    duration:
      description: Seconds that it took in this run.
      type: float
      sample: 83.141
    bytes_sent:
      description: Bytes that this run sent, including those sent twice because a connection broke.
      type: int
      sample: 512345678
    resumed_from:
      description: Bytes that earlier runs had sent.
      type: int
      sample: 400000000
    breaks:
      description: How often the transfer broke in this run and was resumed.
      type: int
      sample: 0
    connections:
      description: The most connections that moved bytes at the same time in this run; 0 if nothing was moved.
      type: int
      sample: 4
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
    call: POST /database/v1/upload
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

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.module import run
from ..module_utils._core.task import task_of
from ..module_utils._odoo.options import odoo_arguments, odoo_options
from ..module_utils._odoo.transfer_options import transfer_arguments, upload_options
from ..module_utils._odoo.upload import upload_once


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **odoo_arguments(),
            **transfer_arguments(),
            "src": {"type": "path", "required": True},
            "check_dump": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    run(module, lambda: upload_once(task_of(module), odoo_options(params), upload_options(params)))


if __name__ == "__main__":
    main()

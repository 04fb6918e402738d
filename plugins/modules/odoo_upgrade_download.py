#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module odoo_upgrade_download: fetch and verify an upgraded database, once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_upgrade_download
short_description: Fetch and verify an upgraded Odoo database, once
version_added: 1.0.0
description:
  - Fetches the result of a request in the state V(done) or V(delivered), by HTTPS, SFTP or rsync, beside O(dest) under
    a name that ends in C(.part). It is renamed to O(dest) when it has arrived whole and was verified.
  - With today's service, rsync compares the content on both ends, and each attachment is compared with the SHA-1 in
    its name. Then the ssh key of the request is removed.
  - The length is verified, and the dump is read to its end. Depending on the format, the checksum of each member of a
    zip archive and those of a gzip file must match, SQL must end with the closing line of C(pg_dump), a zip archive
    must have C(dump.sql) in it, and C(pg_restore), if installed, must be able to read a custom archive or a folder. A
    web page, an empty file or a file of an unknown format is never accepted as a dump.
  - A broken transfer is resumed, within the run and by the next run, if the server still has the same file and the
    C(.part) file is proven to be its beginning. Otherwise it starts from the first byte.
  - The free space on the file system is checked before the first byte is fetched, and before the first call where an
    earlier run recorded the size of the result. In check mode, before there is a request, the module warns where there
    is less space than O(dump) takes, unless that is plain SQL or a zip archive, whose results can be much smaller.
  - If O(dest) is the recorded result, it is not fetched again. If another file is there, the task fails unless
    O(force=true).
  - Without O(request_file) nothing is remembered. Any file at O(dest) then counts as another file, and no other run
    resumes a broken transfer.
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
      - Reads the state and looks at O(dest). Nothing is fetched or written.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - Full with O(request_file).
options:
  dest:
    description:
      - Where the result goes, on the host that runs the module. The folder that it is in must exist and have room.
      - With the database API v1, the path of a file. A folder is refused.
      - With today's service, the path of a folder, which must be empty or not be there. It gets the dump under the name
        that the platform gave it, C(filestore/), C(upgrade-report.html) and C(upgrade.log). It is filled under a name
        that ends in C(.part), verified, and renamed.
    type: path
    required: true
  dump:
    description:
      - The dump that is meant, on the host that runs the module. The module fails if the request was sent another one,
        with another path and another content, which happens where two hosts share one request file.
      - A dump that is no longer at the path that it was sent from is not compared.
    type: path
    version_added: 2.0.0
  content:
    description:
      - V(archive), the upgraded database in the form in which it is delivered. With a filestore that is a zip archive.
      - V(sql), the same as SQL; only by HTTPS.
    type: str
    choices: [archive, sql]
    default: archive
  mode:
    description:
      - The permissions of each file as octal digits in quotes, such as V("0640"). Without quotes they need the leading
        zero, as for C(ansible.builtin.file). While the file is being fetched, only its owner has access.
    type: raw
    default: "0600"
  owner:
    description:
      - The user that the result is given to, by name or number, once it is verified. Only root can give it to another
        user.
    type: str
    version_added: 2.0.0
  group:
    description:
      - The group that the result is given to, by name or number.
    type: str
    version_added: 2.0.0
  force:
    description:
      - Replace a file at O(dest) that is not recorded as the result.
    type: bool
    default: false
notes:
  - By SFTP, the module requests access again, lists the files, and fetches V(upgraded_<filename>) or
    V(upgraded_<stem>.zip).
  - Memory use does not depend on the size of the result.
seealso:
  - module: siteops.upgrades.odoo_upgrade_request_info
"""

EXAMPLES = r"""
- name: Wait for the upgraded database
  siteops.upgrades.odoo_upgrade_request_info:
    request_file: /var/lib/odoo-upgrades/shop.json
    wait: true
    wait_timeout: 259200

- name: Fetch it
  siteops.upgrades.odoo_upgrade_download:
    request_file: /var/lib/odoo-upgrades/shop.json
    dest: /var/backups/shop-upgraded.dump
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: Fetched 1012345678 bytes by HTTPS to /var/backups/shop-upgraded.dump.
fetched:
  description: The upgraded database.
  type: dict
  returned: success
  contains:
    dest:
      description: The absolute path of the file.
      type: str
      sample: /var/backups/shop-upgraded.dump
    content:
      description: What it is, V(archive) or V(sql).
      type: str
      sample: archive
    format:
      description: Its format, V(pgdmp), V(directory), V(zip), V(gzip) or V(sql); empty where this run did not fetch it.
      type: str
      sample: pgdmp
    not_checked:
      description: What the verification could not prove, because the form has no checksums or a program is missing.
      type: list
      elements: str
      sample: []
    size:
      description: Its size in bytes; 0 in check mode where it would be fetched.
      type: int
      sample: 1012345678
    sha256:
      description: The SHA-256 of its content; empty in check mode where it would be fetched.
      type: str
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    transport:
      description: How it was fetched, V(https), V(sftp) or V(rsync).
      type: str
      sample: https
    at:
      description: When it had arrived and was verified, in UTC.
      type: str
      sample: "2026-11-21T07:00:00Z"
    duration:
      description: Seconds that it took in this run.
      type: float
      sample: 91.2
    bytes_received:
      description: Bytes that this run fetched, including those fetched twice because a connection broke.
      type: int
      sample: 1012345678
    resumed_from:
      description: Bytes that earlier runs had fetched.
      type: int
      sample: 0
    breaks:
      description: How often the transfer broke in this run and was resumed.
      type: int
      sample: 0
    connections:
      description: The most connections that moved bytes at the same time in this run; 0 if nothing was moved.
      type: int
      sample: 4
    files:
      description: What lies in O(dest) with today's service, each with its size in bytes.
      type: list
      elements: dict
      sample: [{"name": "upgraded.dump", "size": 1012345678}, {"name": "upgrade.log", "size": 4380}]
    dump:
      description: The path of the dump with today's service.
      type: str
      sample: /var/backups/shop-18/upgraded.dump
    filestore:
      description: The path of the filestore with today's service; empty where there is none.
      type: str
      sample: /var/backups/shop-18/filestore
    report:
      description: The path of the platform's report with today's service; empty where there is none.
      type: str
      sample: /var/backups/shop-18/upgrade-report.html
    log:
      description: The path of the platform's log with today's service; empty where there is none.
      type: str
      sample: /var/backups/shop-18/upgrade.log
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
  sample: done
stage:
  description: How far the request is, as RV(siteops.upgrades.odoo_upgrade_request_info#module:stage).
  type: str
  returned: success
  sample: ready
finished:
  description: Whether the upgraded database can be fetched.
  type: bool
  returned: success
  sample: true
request:
  description: The status of the request, as RV(siteops.upgrades.odoo_upgrade_request_info#module:request).
  type: dict
  returned: success
  sample: {"aim": "test", "filename": "shop.dump", "id": 10534, "key": "(hidden)", "state": "done"}
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
    call: GET upgraded/archive
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
from ..module_utils._odoo.download import download_once
from ..module_utils._odoo.options import odoo_arguments, odoo_options
from ..module_utils._odoo.transfer_options import download_options, transfer_arguments


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **odoo_arguments(),
            **transfer_arguments(),
            "dest": {"type": "path", "required": True},
            "dump": {"type": "path"},
            "content": {"type": "str", "choices": ["archive", "sql"], "default": "archive"},
            "mode": {"type": "raw", "default": "0600"},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    run(module, lambda: download_once(task_of(module), odoo_options(params), download_options(params)))


if __name__ == "__main__":
    main()

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options for moving dumps, over SFTP above all."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragments ``siteops.upgrades.odoo_sftp`` and ``siteops.upgrades.odoo_sftp.transfer``."""

    DOCUMENTATION = r"""
options:
  sftp_private_key:
    description:
      - The path of the SSH private key that logs in to the SFTP server. It stays on the host that runs the module.
      - Types V(ed25519), V(rsa) and V(ecdsa), in OpenSSH's or PEM form. As with C(ssh), only its owner may be
        able to read it.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_SFTP_PRIVATE_KEY) is used.
    type: path
  sftp_private_key_text:
    description:
      - The private key itself, where it is a variable of AWX, of a CI system or of a vault. It is written to no file.
      - Mutually exclusive with O(sftp_private_key).
      - If not set, the value of the environment variable E(ODOO_UPGRADE_SFTP_PRIVATE_KEY_TEXT) is used.
    type: str
    version_added: 2.0.0
  sftp_passphrase:
    description:
      - The passphrase of the private key, where it has one.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_SFTP_PASSPHRASE) is used.
    type: str
  sftp_public_keys:
    description:
      - The path of a list of public keys in the style of C(authorized_keys). The SFTP server lets their holders in.
      - It may hold only public keys, blank lines and comments. Anything else, above all a private key, is refused, and
        the message names the line. Comments are not sent.
      - If not set, the public key is derived from O(sftp_private_key).
    type: path
"""

    TRANSFER = r"""
options:
  transport:
    description:
      - V(https) moves the dump through the API itself.
      - V(sftp) asks the platform to open a temporary SFTP server, and logs in with O(sftp_private_key). Without a
        private key it uses the keys of the SSH agent, limited to O(sftp_public_keys) where that is set.
      - Today's service has rsync over ssh alone, and takes V(auto) only.
      - V(auto) uses SFTP for dumps larger than O(sftp_threshold) if O(sftp_private_key) or O(sftp_public_keys) is set,
        and HTTPS otherwise. The size of a result is not known beforehand, so the size of the uploaded dump decides.
    type: str
    choices: [auto, https, sftp]
    default: auto
  sftp_threshold:
    description:
      - The size above which O(transport=auto) uses SFTP, in bytes or with a unit, such as V(500M) or V(2G).
    type: str
    default: 1G
  sftp_known_hosts:
    description:
      - The path of a C(known_hosts) file that must list the SFTP server. Mutually exclusive with O(sftp_host_key).
    type: path
  sftp_host_key:
    description:
      - The one host key that the SFTP server must show, such as V(ssh-ed25519 AAAA...).
      - Without this option and O(sftp_known_hosts), the key that is seen first is stored in O(request_file), with a
        warning, and any other key is refused from then on. Without O(request_file), one of the two is required.
    type: str
  retries:
    description:
      - How many times in a row a broken transfer is resumed without any progress in between. Any progress resets the
        count.
      - The pause before each attempt starts at half a second and grows to half a minute.
      - An upload by HTTPS is sent once in a run, and never retried.
    type: int
    default: 5
  connections:
    description:
      - How many connections a transfer may use at a time, from 1 to 16. A single connection is limited by how much data
        can be in flight during one round trip, so several connections are faster to a server that is far away.
      - SFTP uses them if a round trip takes longer than 5 ms, and at most one for each 4 MiB. To a nearer server, two
        connections are enough to upload, and one to download.
      - A download by HTTPS uses them if the answer takes longer than 20 ms and the server identifies the file by an
        C(ETag) or C(Last-Modified) header. An upload by HTTPS always uses one.
      - Today's service uses them for a dump in the directory format of C(pg_dump), one for each 4 MiB at most.
      - If the server refuses some of them, the transfer goes on with fewer, and with one if only one may write.
    type: int
    default: 4
  ssh_options:
    description:
      - More options for C(ssh), such as V(ProxyJump=gate.example.org). The user's own configuration is not used.
      - With today's service they are for its transfers, without the user's agent. Those that say which server it is,
        and how it is recognised, cannot be given.
      - With SFTP they are for jump hosts only, so one of them must be C(ProxyJump). The others, such as
        C(IdentityFile) or C(UserKnownHostsFile), are for the login to the last of its hosts.
    type: list
    elements: str
    default: []
    version_added: 2.0.0
  checksum:
    description:
      - When to read and hash a file again that an earlier run sent or fetched, to see whether it is still the same.
      - With V(where_changed), a file with the recorded size, modification time and inode counts as the same and is not
        read. A file with the recorded size but another modification time or inode is read and hashed.
      - With V(always), every file with the recorded size is read and hashed.
    type: str
    choices: [where_changed, always]
    default: where_changed
requirements:
  - paramiko >= 2.12, for SFTP
"""

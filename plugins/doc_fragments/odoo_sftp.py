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
      - Types V(ed25519), V(rsa) and V(ecdsa), in OpenSSH's or PEM form.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_SFTP_PRIVATE_KEY) is used.
    type: path
  sftp_passphrase:
    description:
      - The passphrase of O(sftp_private_key), where it has one.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_SFTP_PASSPHRASE) is used.
    type: str
  sftp_public_keys:
    description:
      - The path of a list of public keys in the style of C(authorized_keys). The SFTP server lets their holders in.
      - Only public keys, blank lines and comments may be in it. Anything else, a private key above all, is refused by
        the number of its line. Comments are not sent.
      - Derived from the private key where it is not given.
    type: path
"""

    TRANSFER = r"""
options:
  transport:
    description:
      - V(https) moves the dump through the API itself.
      - V(sftp) has a temporary SFTP server opened and logs in with O(sftp_private_key), or without one with the keys of
        the SSH agent (only those in O(sftp_public_keys), where that is given).
      - V(auto) takes SFTP for dumps larger than O(sftp_threshold) where O(sftp_private_key) or O(sftp_public_keys) is
        given, and HTTPS otherwise. The size of a result is not known beforehand, so that of the sent dump counts.
    type: str
    choices: [auto, https, sftp]
    default: auto
  sftp_threshold:
    description:
      - From which size on O(transport=auto) takes SFTP, in bytes or as V(500M) or V(2G).
    type: str
    default: 1G
  sftp_known_hosts:
    description:
      - The path of a C(known_hosts) file that the SFTP server must be found in. Excludes O(sftp_host_key).
    type: path
  sftp_host_key:
    description:
      - The one host key that the SFTP server must show, such as V(ssh-ed25519 AAAA...).
      - Without this and without O(sftp_known_hosts), the key that is seen first is kept in O(request_file), with a
        warning, and another one is refused from then on. Without a O(request_file) either, one of the two is required.
    type: str
  retries:
    description:
      - How many times in a row a transfer that broke off is taken up again without a byte of progress in between. With
        progress the count starts anew.
      - The pause before each is half a second at first, and grows to half a minute.
      - A dump that is sent by HTTPS is sent once, whatever this says.
    type: int
    default: 5
  connections:
    description:
      - How many connections a transfer may use at a time, from 1 to 16. One connection is bound by what may be on its
        way in a round trip, so several are faster over a distance.
      - By SFTP they are used where a round trip takes longer than 5 ms; otherwise two are enough to send, and one to
        fetch. A download by HTTPS uses them where the answer
        takes longer than 20 ms and the server names the entity that its ranges are of. A dump that is sent by HTTPS
        goes over one.
      - By SFTP there is one for each 4 MiB at most.
      - Where the server refuses some of them the transfer goes on with fewer, and with one where only one may write.
    type: int
    default: 4
  checksum:
    description:
      - When to read a file again that was sent or fetched by an earlier run, to see that it is still the same.
      - With V(where_changed) a file of the noted size, time of change and inode is taken to be the same, so that a
        second run does not read it; a file of the same size with anything else of that changed is read and hashed.
      - With V(always) every file of the noted size is read and hashed.
    type: str
    choices: [where_changed, always]
    default: where_changed
requirements:
  - paramiko, for SFTP
"""

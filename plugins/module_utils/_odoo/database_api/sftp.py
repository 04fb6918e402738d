# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SFTP server of a request of the database API v1: who logs in, and how the server is recognised.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..._core.errors import OptionError
from ..._transfer.known_hosts_file import KnownHosts
from ..._transfer.sftp import SftpServer
from ..._transfer.ssh_host_keys import FirstSeen, GivenKey, HostKeys, fingerprint
from ..._transfer.ssh_jump import jump_hosts
from ..._transfer.ssh_keys import identity
from ..._transfer.ssh_private_key import key_of

if t.TYPE_CHECKING:
    from ..._core.task import Task
    from ..notes import Notes
    from ..transfer_options import TransferOptions
    from .answers import SftpAccess
    from .client import OdooClient


class SftpLogin:
    """Everything that SFTP needs from the options, checked before the first request.

    :raises OptionError: one of the options cannot be used, or the server could not be recognised.
    """

    def __init__(self, options: TransferOptions, notes: Notes, task: Task) -> None:
        self._options = options
        self._notes = notes
        self._task = task
        keys = options.sftp.keys
        self.identity = identity(
            key_of(keys.private_key, keys.private_key_text, keys.passphrase), keys.public_keys, agent=True
        )
        self._host_keys = self._make_host_keys()

    def server(self, client: OdooClient, filename: str) -> SftpServer:
        """The server; its access is asked for when it is first used.

        :param filename: what the file there is called, as documented, where the platform does not say.
        """

        def ask() -> SftpAccess:
            access = client.request_sftp_access(self.identity.public_keys)
            return replace(access, shared_file=access.shared_file or filename)

        jump = jump_hosts(self._options.ssh_options)
        return SftpServer(ask, self.identity, self._host_keys, self._options.timeout, jump)

    def _make_host_keys(self) -> HostKeys:
        sftp = self._options.sftp
        if sftp.host_key and sftp.known_hosts:
            raise OptionError("sftp_host_key", "is given together with 'sftp_known_hosts'; give one of them.")
        if sftp.host_key:
            return GivenKey(sftp.host_key)
        if sftp.known_hosts:
            return KnownHosts(sftp.known_hosts)
        if not self._notes.outlive_the_run:
            raise OptionError(
                "sftp_host_key",
                "is required, or 'sftp_known_hosts', or a 'request_file' that keeps the key that is seen first. "
                "Without one of them the SFTP server cannot be recognised.",
            )
        return FirstSeen(self._notes.host_key, self._keep)

    def _keep(self, line: str) -> None:
        place, _space, key = line.partition(" ")
        self._notes.note_host_key(line)
        self._task.warn(
            f"The SFTP server {place} was seen for the first time and is trusted from now on by its key "
            f"{fingerprint(key)}. Give 'sftp_host_key' or 'sftp_known_hosts' to verify it the first time as well."
        )

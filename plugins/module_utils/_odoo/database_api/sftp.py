# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SFTP server of an upgrade request: from options and what is remembered to a server that can be logged in to.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible.module_utils.common.text.formatters import human_to_bytes

from ..._core.errors import CallError, OptionError, UpgradeError
from ..._core.options import from_environment, require_not_negative
from ..._transfer.sftp import SftpServer
from ..._transfer.sftp_protocol import SftpBrokenError
from ..._transfer.ssh_host_keys import FirstSeen, GivenKey, HostKeys, KnownHosts, fingerprint
from ..._transfer.ssh_keys import Identity, identity
from ..request import OdooRequest
from .client import SftpAccess, passes_by_itself

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

AUTO, HTTPS, SFTP = "auto", "https", "sftp"
WHERE_CHANGED, ALWAYS = "where_changed", "always"
MOST_CONNECTIONS = 16


def key_arguments() -> dict[str, dict[str, t.Any]]:
    """The options that say who logs in; documented in the fragment ``odoo_sftp``."""
    return {
        "sftp_private_key": from_environment("ODOO_UPGRADE_SFTP_PRIVATE_KEY", type="path"),
        "sftp_passphrase": from_environment("ODOO_UPGRADE_SFTP_PASSPHRASE", type="str", no_log=True),
        "sftp_public_keys": {"type": "path"},
    }


def transfer_arguments() -> dict[str, dict[str, t.Any]]:
    """The options of everything that moves a dump; documented in the fragment ``odoo_sftp``."""
    return {
        **key_arguments(),
        "sftp_known_hosts": {"type": "path"},
        "sftp_host_key": {"type": "str", "no_log": False},
        "sftp_threshold": {"type": "str", "default": "1G"},
        "transport": {"type": "str", "choices": [AUTO, HTTPS, SFTP], "default": AUTO},
        "retries": {"type": "int", "default": 5},
        "connections": {"type": "int", "default": 4},
        "checksum": {"type": "str", "choices": [WHERE_CHANGED, ALWAYS], "default": WHERE_CHANGED},
    }


def transport_for(params: t.Mapping[str, t.Any], size: int) -> str:
    """``https`` or ``sftp`` for a dump of so many bytes.

    :raises OptionError: ``sftp_threshold``, ``retries`` or ``connections`` is bad.
    """
    require_not_negative(params, "retries")
    if not 1 <= params["connections"] <= MOST_CONNECTIONS:
        raise OptionError("connections", f"must be from 1 to {MOST_CONNECTIONS}, not {params['connections']}.")
    try:
        threshold = human_to_bytes(params["sftp_threshold"].strip().replace("iB", "B"))
    except ValueError as error:
        raise OptionError("sftp_threshold", "must be a number of bytes, or a size such as 500M or 2G.") from error
    if params["transport"] != AUTO:
        return str(params["transport"])
    keys_given = params["sftp_private_key"] or params["sftp_public_keys"]
    return SFTP if keys_given and size > threshold else HTTPS


def is_passing(error: UpgradeError) -> bool:
    """Whether a transfer that failed with this may go well later with nothing changed here."""
    return isinstance(error, SftpBrokenError) or (isinstance(error, CallError) and passes_by_itself(error))


def identity_of(params: t.Mapping[str, t.Any], *, agent: bool) -> Identity:
    """Who logs in, by the options; see :func:`identity`."""
    return identity(params["sftp_private_key"], params["sftp_passphrase"], params["sftp_public_keys"], agent=agent)


class SftpPreparation:
    """Everything that SFTP needs from the options, checked before the first request.

    :raises OptionError: one of the options cannot be used, or the server could not be recognised.
    """

    def __init__(self, module: AnsibleModule, request: OdooRequest) -> None:
        self._module = module
        self._request = request
        self.identity = identity_of(module.params, agent=True)
        self._host_keys = self._make_host_keys()

    def server(self, filename: str) -> SftpServer:
        """The server; its access is asked for when it is first used.

        :param filename: what the file there is called, as documented, where the platform does not tell.
        """

        def ask() -> SftpAccess:
            access = self._request.client.request_sftp_access(self.identity.public_keys)
            return replace(access, shared_file=access.shared_file or filename)

        return SftpServer(ask, self.identity, self._host_keys, self._module.params["timeout"])

    def _make_host_keys(self) -> HostKeys:
        params = self._module.params
        if params["sftp_host_key"] and params["sftp_known_hosts"]:
            raise OptionError("sftp_host_key", "is given beside 'sftp_known_hosts'; give one of them.")
        if params["sftp_host_key"]:
            return GivenKey(params["sftp_host_key"])
        if params["sftp_known_hosts"]:
            return KnownHosts(params["sftp_known_hosts"])
        if not params["request_file"]:
            raise OptionError(
                "sftp_host_key",
                "is missing. Without it, without 'sftp_known_hosts', and without a 'request_file' to keep the key "
                "that is seen first, the SFTP server could not be told from another one.",
            )
        return FirstSeen(self._request.record.host_key, self._keep)

    def _keep(self, line: str) -> None:
        place, _space, key = line.partition(" ")
        self._request.record.host_key = line
        self._request.file.save()
        self._module.warn(
            f"The SFTP server {place} was seen for the first time and is trusted from now on by its key "
            f"{fingerprint(key)}. Give 'sftp_host_key' or 'sftp_known_hosts' to be sure the first time as well."
        )

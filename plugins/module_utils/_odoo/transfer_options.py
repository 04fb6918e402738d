# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules that send and fetch: their argument specs, and the frozen values that are made of them.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.common.text.formatters import human_to_bytes

from .._core.errors import OptionError
from .._core.options import from_environment, require_not_negative
from .._core.progress import progress_arguments
from .options import Params, texts

AUTO, HTTPS, SFTP = "auto", "https", "sftp"
WHERE_CHANGED, ALWAYS = "where_changed", "always"
ARCHIVE, SQL = "archive", "sql"
MOST_CONNECTIONS = 16


@dataclass(frozen=True)
class SftpKeys:
    """Who logs in to an SFTP server."""

    private_key: str | None = None
    private_key_text: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    public_keys: str | None = None


@dataclass(frozen=True)
class SftpOptions:
    """How to log in to an SFTP server, how to recognise it, and the size of a dump above which it is used."""

    keys: SftpKeys = SftpKeys()
    known_hosts: str | None = None
    host_key: str | None = None
    threshold: int = 0


@dataclass(frozen=True)
class TransferOptions:
    """How a dump or a result travels."""

    transport: str = AUTO
    retries: int = 5
    connections: int = 4
    timeout: int = 60
    always_read: bool = False
    sftp: SftpOptions = SftpOptions()
    ssh_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class UploadOptions:
    """What is sent, and whether it is looked at before; ``src`` as given."""

    src: str
    check_dump: bool
    transfer: TransferOptions


@dataclass(frozen=True)
class DownloadOptions:
    """What is fetched and where it goes; ``dest`` as given."""

    dest: str
    content: str
    mode: t.Any
    force: bool
    transfer: TransferOptions
    dump: str | None = None
    owner: str | None = None
    group: str | None = None


def sftp_key_arguments() -> dict[str, dict[str, t.Any]]:
    """The options that say who logs in; documented in the fragment ``odoo_sftp``."""
    return {
        "sftp_private_key": from_environment("ODOO_UPGRADE_SFTP_PRIVATE_KEY", type="path"),
        "sftp_private_key_text": from_environment("ODOO_UPGRADE_SFTP_PRIVATE_KEY_TEXT", type="str", no_log=True),
        "sftp_passphrase": from_environment("ODOO_UPGRADE_SFTP_PASSPHRASE", type="str", no_log=True),
        "sftp_public_keys": {"type": "path"},
    }


def transfer_arguments() -> dict[str, dict[str, t.Any]]:
    """The options of everything that moves a dump; documented in the fragments ``odoo_sftp`` and ``progress``."""
    return {
        **sftp_key_arguments(),
        "sftp_known_hosts": {"type": "path"},
        "sftp_host_key": {"type": "str", "no_log": False},
        "sftp_threshold": {"type": "str", "default": "1G"},
        "transport": {"type": "str", "choices": [AUTO, HTTPS, SFTP], "default": AUTO},
        "retries": {"type": "int", "default": 5},
        "connections": {"type": "int", "default": 4},
        "ssh_options": {"type": "list", "elements": "str", "default": []},
        "checksum": {"type": "str", "choices": [WHERE_CHANGED, ALWAYS], "default": WHERE_CHANGED},
        **progress_arguments(),
    }


def sftp_keys(params: Params) -> SftpKeys:
    """Who logs in to an SFTP server."""
    names = ("private_key", "private_key_text", "passphrase", "public_keys")
    return SftpKeys(*(params[f"sftp_{name}"] or None for name in names))


def transfer_options(params: Params) -> TransferOptions:
    """How a dump travels.

    :raises OptionError: ``sftp_threshold``, ``retries`` or ``connections`` is bad.
    """
    require_not_negative(params, "retries")
    if not 1 <= params["connections"] <= MOST_CONNECTIONS:
        raise OptionError("connections", f"must be from 1 to {MOST_CONNECTIONS}, not {params['connections']}.")
    try:
        threshold = human_to_bytes(params["sftp_threshold"].strip().replace("iB", "B"))
    except ValueError as error:
        raise OptionError("sftp_threshold", "must be a number of bytes, or a size such as 500M or 2G.") from error
    return TransferOptions(
        params["transport"],
        params["retries"],
        params["connections"],
        params["timeout"],
        params["checksum"] == ALWAYS,
        SftpOptions(sftp_keys(params), params["sftp_known_hosts"], params["sftp_host_key"], threshold),
        texts(params["ssh_options"]),
    )


def upload_options(params: Params) -> UploadOptions:
    """What is sent.

    :raises OptionError: as :func:`transfer_options`.
    """
    return UploadOptions(params["src"], params["check_dump"], transfer_options(params))


def download_options(params: Params) -> DownloadOptions:
    """What is fetched and where it goes.

    :raises OptionError: as :func:`transfer_options`.
    """
    return DownloadOptions(
        params["dest"],
        params["content"],
        params["mode"],
        params["force"],
        transfer_options(params),
        params["dump"] or None,
        params["owner"],
        params["group"],
    )

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the Odoo modules: their argument specs, and the frozen values that are made of them once.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.common.text.formatters import human_to_bytes

from .._core.errors import OptionError
from .._core.options import (
    base_url,
    connection_arguments,
    from_environment,
    require_not_negative,
    require_positive,
    verification,
)
from .._core.progress import progress_arguments

API_URL = "https://upgrade.odoo.com"
AUTO, HTTPS, SFTP = "auto", "https", "sftp"
WHERE_CHANGED, ALWAYS = "where_changed", "always"
ARCHIVE, SQL = "archive", "sql"
MOST_CONNECTIONS = 16
SHORT_TARGET = re.compile(r"[vV]?(\d+)(?:\.(\d+))?")

Params = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class RequestReference:
    """A request that the options name without a file; each text as given, empty where it was not."""

    id: str = ""
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class OdooOptions:
    """The options that all Odoo modules share."""

    api_url: str
    verify: bool | str
    timeout: int
    request_file: str
    reference: RequestReference
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class RequestOptions:
    """What a request is to be made with; each text as given, None where it was not."""

    contract: str | None = field(repr=False)
    target: str | None
    aim: str
    email: str | None
    filename: str | None
    timezone: str | None


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


def odoo_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec that all Odoo modules share; documented in the fragment ``odoo``."""
    return {
        "api_url": from_environment("ODOO_UPGRADE_API_URL", type="str", default=API_URL),
        "request_file": from_environment("ODOO_UPGRADE_REQUEST_FILE", type="path"),
        "request_id": from_environment("ODOO_UPGRADE_REQUEST_ID", type="str"),
        "request_key": from_environment("ODOO_UPGRADE_REQUEST_KEY", type="str", no_log=True),
        "request_token": from_environment("ODOO_UPGRADE_REQUEST_TOKEN", type="str", no_log=True),
        "allowed_hosts": {"type": "list", "elements": "str", "default": []},
        **connection_arguments("ODOO_UPGRADE"),
    }


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


def odoo_options(params: Params) -> OdooOptions:
    """The shared options.

    :raises OptionError: one of them is bad.
    """
    require_positive(params, "timeout")
    require_not_negative(params, "progress_interval")
    return OdooOptions(
        base_url(params, "api_url"),
        verification(params),
        params["timeout"],
        params["request_file"] or "",
        RequestReference(*(_text(params[name]) for name in ("request_id", "request_key", "request_token"))),
        _texts(params["allowed_hosts"]),
    )


def request_options(params: Params) -> RequestOptions:
    """What a request is to be made with, for the platform to judge."""
    names = ("contract", "aim", "email", "filename", "timezone")
    return RequestOptions(target=_target(params["target"]), **{name: params[name] for name in names})


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
        _texts(params["ssh_options"]),
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


def _target(value: str | None) -> str | None:
    """A version of Odoo as the platforms write it: ``18`` and ``v18`` are ``18.0``."""
    found = SHORT_TARGET.fullmatch((value or "").strip())
    return f"{found[1]}.{found[2] or 0}" if found else value


def _text(value: str | None) -> str:
    return (value or "").strip()


def _texts(values: t.Iterable[str]) -> tuple[str, ...]:
    """The texts of a list; empty ones, which a survey makes of an empty answer, are none."""
    return tuple(filter(None, map(_text, values)))

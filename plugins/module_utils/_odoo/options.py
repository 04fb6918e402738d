# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that all Odoo modules share, and those of a new request: argument specs, and frozen values of them.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._core.options import (
    base_url,
    connection_arguments,
    from_environment,
    require_not_negative,
    require_positive,
    verification,
)

API_URL = "https://upgrade.odoo.com"
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
        texts(params["allowed_hosts"]),
    )


def request_options(params: Params) -> RequestOptions:
    """What a request is to be made with, for the platform to judge."""
    names = ("contract", "aim", "email", "filename", "timezone")
    return RequestOptions(target=_target(params["target"]), **{name: params[name] for name in names})


def _target(value: str | None) -> str | None:
    """A version of Odoo as the platforms write it: ``18`` and ``v18`` are ``18.0``."""
    found = SHORT_TARGET.fullmatch((value or "").strip())
    return f"{found[1]}.{found[2] or 0}" if found else value


def _text(value: str | None) -> str:
    return (value or "").strip()


def texts(values: t.Iterable[str]) -> tuple[str, ...]:
    """The texts of a list; empty ones, which a survey makes of an empty answer, are none."""
    return tuple(filter(None, map(_text, values)))

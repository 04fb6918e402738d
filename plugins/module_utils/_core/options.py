# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that several modules share, and the checks that find bad input before the first request.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import typing as t
from urllib.parse import unquote, urlsplit

from ansible.module_utils.basic import AnsibleFallbackNotFound

from .errors import OptionError
from .masking import register_secrets

GREATEST = 1_000_000_000
"""Thirty years in seconds; the system's timers refuse ten times as many."""

HASHED_NAME = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""The name by which OpenSSL finds a certificate in a folder."""


def from_environment(variable: str, **option: t.Any) -> dict[str, t.Any]:
    """An option of an argument spec that falls back to an environment variable, unless that is empty."""
    return {**option, "fallback": (value_of, [variable])}


def value_of(variable: str) -> str:
    """The value of an environment variable.

    A credential of AWX sets all its variables, also those of empty fields; Ansible takes an empty path for the current
    folder.

    :raises AnsibleFallbackNotFound: it is not set, or empty.
    """
    value = os.environ.get(variable)
    if not value:
        raise AnsibleFallbackNotFound
    return value


def without_secrets(module: t.Any) -> dict[str, str]:
    """The environment variables that options hide, emptied: for a program that has no business with them."""
    hidden = [
        option["fallback"][1]
        for option in module.argument_spec.values()
        if option.get("no_log") and "fallback" in option
    ]
    return {variable: "" for variables in hidden for variable in variables if variable in os.environ}


def connection_arguments(prefix: str) -> dict[str, dict[str, t.Any]]:
    """The argument spec of TLS and timeout, with environment variables that begin with ``prefix``."""
    return {
        "validate_certs": from_environment(f"{prefix}_VALIDATE_CERTS", type="bool", default=True),
        "ca_path": from_environment(f"{prefix}_CA_PATH", type="path"),
        "timeout": {"type": "int", "default": 60},
    }


def verification(params: t.Mapping[str, t.Any]) -> bool | str:
    """What to verify a server's certificate against: true, false or a path.

    :raises OptionError: what ``ca_path`` names is not there, or is a file without certificates.
    """
    if not params["validate_certs"]:
        return False
    path = params["ca_path"]
    if path and not os.path.exists(path):
        raise OptionError("ca_path", f"there is no file or folder {path}.")
    if path and os.path.isdir(path) and not any(HASHED_NAME.fullmatch(name) for name in _names_in(path)):
        raise OptionError(
            "ca_path", f"the folder {path} holds no certificate under its hashed name. Run: openssl rehash {path}"
        )
    if path and not os.path.isdir(path):
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            raise OptionError(
                "ca_path", f"{path} contains no certificate that can be read ({error.strerror})."
            ) from error
    return path or True


def _names_in(folder: str) -> list[str]:
    """:raises OptionError: the folder cannot be read."""
    try:
        return os.listdir(folder)
    except OSError as error:
        raise OptionError("ca_path", f"the folder {folder} cannot be read: {error.strerror}.") from error


def require_positive(params: t.Mapping[str, t.Any], *options: str) -> None:
    """Refuse numbers of seconds (or of anything) that are not above zero, or more than a clock can count.

    :raises OptionError: names the option.
    """
    for option in options:
        if params[option] <= 0:
            raise OptionError(option, f"must be greater than 0, not {params[option]}.")
        if params[option] > GREATEST:
            raise OptionError(option, f"must be at most {GREATEST}, not {params[option]}.")


def require_not_negative(params: t.Mapping[str, t.Any], option: str) -> None:
    """Refuse a number below zero, in the modules that have the option.

    :raises OptionError: names the option.
    """
    if params.get(option, 0) < 0:
        raise OptionError(option, f"must be 0 or greater, not {params[option]}.")


def base_url(params: t.Mapping[str, t.Any], option: str) -> str:
    """The URL of an option without a trailing slash.

    :raises OptionError: it is empty, no http or https URL, or contains credentials, a query or a fragment.
    """
    value = (params[option] or "").strip()
    if not value:
        raise OptionError(option, "is empty; give a URL such as https://example.org/path.")
    try:
        parts = urlsplit(value)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if not port_is_valid or parts.scheme not in ("http", "https") or not parts.hostname:
        raise OptionError(option, "is not a URL that begins with http:// or https:// and a host.")
    if "@" in parts.netloc:
        user = parts.netloc.rpartition("@")[0]
        register_secrets(value, user, *user.split(":", 1), unquote(parts.password or ""))
        if "username" in params:
            raise OptionError(option, "contains credentials; give them as options of their own, which are masked.")
        raise OptionError(
            option, "contains credentials, which this module cannot send: the platform asks for none. Leave them out."
        )
    if "?" in value or "#" in value:
        raise OptionError(option, "must end with a path: no '?' or '#' part.")
    if re.search(r"[\s\x00-\x1f]", value):
        raise OptionError(option, "contains a space or a line end; write a space as %20.")
    return value.rstrip("/")


def sends_in_clear(url: str) -> bool:
    """Whether what is sent to this URL can be read on the way: plain http to a host that is not this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        return False
    host = parts.hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")

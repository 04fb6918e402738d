# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a gate in front of a server asks for, as options: more headers and a client certificate, checked before use.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import re
import ssl
import typing as t
from datetime import datetime, timezone

from ansible.module_utils.common.validation import check_type_dict

from .errors import OptionError
from .masking import SHORTEST_VALUE, register_secrets
from .options import from_environment

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What the name of a header may consist of (RFC 9110, 5.6.2)."""

SET_BY_US = (
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "te",
    "transfer-encoding",
    "upgrade",
)

NO_TWO_AUTHORIZATIONS = (
    "must not have an Authorization header: that one carries the credentials for the server itself. A Basic gate and "
    "Basic for what is behind it cannot both be had, because a request has one such header. Have the gate ask for "
    "another header or a client certificate ('client_cert'), or let this host through by its address."
)


class NoPassphrase(Exception):
    """Raised in place of a passphrase, which would be asked for at a terminal."""


class OutOfDateError(OptionError):
    """A certificate that is not good today; it was yesterday, or will be tomorrow, so where many are read it is one."""


def gate_arguments(prefix: str) -> dict[str, dict[str, t.Any]]:
    """The argument spec of the options, with environment variables that begin with ``prefix``."""
    return {
        # Not a dict: of a text, Ansible would mask the whole in a failure, and show the dict that it made of it.
        "headers": from_environment(f"{prefix}_HEADERS", type="raw", no_log=True),
        "client_cert": from_environment(f"{prefix}_CLIENT_CERT", type="path"),
        "client_key": from_environment(f"{prefix}_CLIENT_KEY", type="path"),
    }


def gate_headers(params: t.Mapping[str, t.Any], option: str = "headers") -> dict[str, str]:
    """The headers of an option by name; those without a value are left out. Their values are secrets.

    :raises OptionError: they are no dictionary, HTTP cannot carry one, or the client sets it itself.
    """
    headers: dict[str, str] = {}
    for given, value in _dictionary(params.get(option), option).items():
        name = str(given).strip()
        if value is None or value == "":
            continue
        if not TOKEN.fullmatch(name):
            raise OptionError(option, f"'{name[:60]}' is not the name of a header.")
        if name.lower() == "authorization":
            raise OptionError(option, NO_TWO_AUTHORIZATIONS)
        if name.lower() in SET_BY_US:
            raise OptionError(option, f"must not have {name}, which is set by the client itself.")
        text = str(value).strip()
        if not isinstance(value, (str, int, float)) or not text.isprintable() or not _is_latin(text):
            raise OptionError(option, f"the value of {name} is not a text of one line that HTTP can carry.")
        headers[name] = text
    register_secrets(*(text for text in headers.values() if len(text) >= SHORTEST_VALUE))
    return headers


def _dictionary(value: t.Any, option: str) -> dict[str, t.Any]:
    """A dictionary, or what the text of one stands for; empty where the option is not set."""
    if isinstance(value, str):
        text = value.strip()
        try:
            value = check_type_dict(text) if text.startswith("{") else text or None
        except (TypeError, ValueError, RecursionError, MemoryError):
            value = text
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OptionError(option, "is not a dictionary, or the text of a JSON object, of names and values.")
    return value


def client_certificate(params: t.Mapping[str, t.Any]) -> str | tuple[str, str] | None:
    """The client certificate as requests takes it: a file with certificate and key, or one for each; None without one.

    :raises OptionError: a file is missing, or the two do not make a usable pair.
    """
    cert, key = params.get("client_cert") or "", params.get("client_key") or ""
    for option, path in (("client_cert", cert), ("client_key", key)):
        if "-----BEGIN" in path or "\n" in path:
            register_secrets(path)
            raise OptionError(option, "is the text of a certificate or key; give the path of a file that contains it.")
        if path and not os.path.isfile(path):
            raise OptionError(option, f"there is no file {path}.")
    if key and not cert:
        raise OptionError("client_cert", "is required together with 'client_key'.")
    if not cert:
        return None
    _must_be_a_pair(cert, key)
    _must_be_valid_now(cert)
    return (cert, key) if key else cert


def _must_be_a_pair(cert: str, key: str) -> None:
    option = "client_key" if key else "client_cert"

    def refuse_passphrase() -> str:
        raise NoPassphrase

    try:
        ssl.create_default_context().load_cert_chain(cert, key or None, password=refuse_passphrase)
    except NoPassphrase as error:
        raise OptionError(
            option, "is protected by a passphrase, which cannot be given; use a key without one."
        ) from error
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", "") or getattr(error, "strerror", "") or type(error).__name__
        files = "'client_cert' and 'client_key' are" if key else "the file is"
        raise OptionError(option, f"{files} not a certificate and its private key in PEM form ({reason}).") from error


def _must_be_valid_now(cert: str) -> None:
    """Refuse a certificate outside of its dates, of which a server only says that it has an error.

    The package cryptography, which ansible-core needs, reads the dates; where a module runs without it, they are not
    looked at.
    """
    try:
        from cryptography import x509  # noqa: PLC0415
    except ImportError:
        return
    with open(cert, "rb") as file:
        content = file.read()
    try:
        certificate = x509.load_pem_x509_certificate(content)
    except ValueError:
        return
    # Releases of cryptography before 42 have the dates without a zone only, and newer ones warn of them.
    has_zone = hasattr(certificate, "not_valid_after_utc")
    start = certificate.not_valid_before_utc if has_zone else _as_utc(certificate.not_valid_before)
    end = certificate.not_valid_after_utc if has_zone else _as_utc(certificate.not_valid_after)
    now = datetime.now(timezone.utc)
    if now > end:
        raise OutOfDateError("client_cert", f"the certificate in {cert} expired on {_in_words(end)}; give a new one.")
    if now < start:
        raise OutOfDateError("client_cert", f"the certificate in {cert} is not valid before {_in_words(start)}.")


def _as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=timezone.utc)


def _in_words(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True

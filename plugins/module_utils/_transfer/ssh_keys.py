# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who logs in over SSH: the keys of an agent or one private key, and the list of public keys that opens a server.

paramiko is imported where it is first needed, so that work without SFTP goes without it.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import struct
import typing as t
import warnings
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError

FIELDS_OF_TYPE = {
    "ssh-ed25519": 2,
    "ssh-rsa": 3,
    "ecdsa-sha2-nistp256": 3,
    "ecdsa-sha2-nistp384": 3,
    "ecdsa-sha2-nistp521": 3,
}
"""Key types that can be used, with the number of fields in the wire form of each (RFC 4253, 5656, 8709)."""

LONGEST_FILE = 1024 * 1024
ED25519_BYTES = 32


@dataclass(frozen=True)
class Identity:
    """``public_keys`` is the text that names who may log in, ``keys`` are paramiko's objects that can prove it.

    Without ``keys`` this host cannot log in.
    """

    public_keys: str
    keys: tuple[t.Any, ...] = ()


def paramiko_module() -> t.Any:
    """The paramiko package, kept from writing to the module's own output.

    :raises UpgradeError: it is not installed, or does not go with the installed cryptography.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import paramiko  # noqa: PLC0415
    except Exception as error:
        raise UpgradeError(
            f"SFTP needs the Python library paramiko on the host that runs the module: {error}. "
            "Install it, or set 'transport' to https."
        ) from error
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
    return paramiko


def identity(own: t.Any, public_keys: str | None, *, agent: bool) -> Identity:
    """Who logs in, by the private key of the options and by ``sftp_public_keys``.

    :param own: paramiko's object for the private key; None where none is given.
    :param agent: use the keys of the SSH agent where no private key is given; otherwise the list alone is enough.
    :raises OptionError: one of them cannot be used, or the list does not hold the key that would log in.
    """
    listed = read_public_keys(public_keys) if public_keys else []
    if own:
        keys: tuple[t.Any, ...] = (own,)
    elif agent:
        keys = _agent_keys(listed)
    else:
        keys = ()
    if not keys and not listed:
        raise OptionError("sftp_private_key", "is required for SFTP, or 'sftp_public_keys'.")
    lines = [public_line(key) for key in keys]
    if own and listed and lines[0] not in listed:
        raise OptionError("sftp_public_keys", "does not hold the public key of 'sftp_private_key'.")
    return Identity("".join(f"{line}\n" for line in listed or lines), keys)


def read_public_keys(path: str) -> list[str]:
    """The keys in an authorized_keys-like file, each as ``type base64``; comments stay here.

    :raises OptionError: ``sftp_public_keys`` is unreadable, or holds anything but public keys, blank lines and
        comments; names the line and never shows it.
    """
    option = "sftp_public_keys"
    content = read_key_file(path, option)
    keys: list[str] = []
    for number, raw in enumerate(content.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith(b"#"):
            continue
        if b"PRIVATE KEY" in line:
            raise OptionError(option, f"line {number} of {path} begins a private key, which must stay here.")
        words = line.split()
        key = b" ".join(words[:2]).decode("ascii", "replace")
        problem = problem_of_public_key(key)
        if problem:
            raise OptionError(
                option, f"line {number} of {path} is not a public key, a blank line or a comment: {problem}."
            )
        if key not in keys:
            keys.append(key)
    if not keys:
        raise OptionError(option, f"{path} holds no public key.")
    return keys


def problem_of_public_key(line: str) -> str:
    """What is wrong with ``type base64``; empty if nothing is."""
    kind, _space, text = line.partition(" ")
    if kind not in FIELDS_OF_TYPE:
        return f"it must begin with one of {', '.join(FIELDS_OF_TYPE)}"
    try:
        fields = list(_fields(base64.b64decode(text, validate=True)))
    except (binascii.Error, struct.error, ValueError):
        return "the key is damaged or was cut short"
    if len(fields) != FIELDS_OF_TYPE[kind] or fields[0] != kind.encode() or not all(fields):
        return "the key is not of the type that the line says"
    if kind == "ssh-ed25519" and len(fields[1]) != ED25519_BYTES:
        return "the key is damaged or was cut short"
    return ""


def public_line(key: t.Any) -> str:
    """The public key of one of paramiko's objects as ``type base64``."""
    blob = key.asbytes()
    return f"{next(_fields(blob)).decode('ascii', 'replace')} {base64.b64encode(blob).decode()}"


def _agent_keys(listed: t.Sequence[str]) -> tuple[t.Any, ...]:
    """The keys of the agent that can be used; with a list only those in it."""
    paramiko = paramiko_module()
    if not os.environ.get("SSH_AUTH_SOCK"):
        raise OptionError("sftp_private_key", "is missing, and there is no SSH agent (SSH_AUTH_SOCK is not set).")
    try:
        offered = paramiko.Agent().get_keys()
    except (paramiko.SSHException, OSError) as error:
        raise OptionError("sftp_private_key", "is missing, and the SSH agent does not answer.") from error
    usable = tuple(key for key in offered if problem_of_public_key(public_line(key)) == "")
    keys = tuple(key for key in usable if not listed or public_line(key) in listed)
    if not keys:
        whose = "none of those in 'sftp_public_keys'" if listed else "no ed25519, rsa or ecdsa key"
        raise OptionError("sftp_private_key", f"is missing, and the SSH agent has {whose}.")
    return keys


def read_key_file(path: str, option: str) -> bytes:
    """The content of a file that holds keys.

    :raises OptionError: it cannot be read, or is far too long; names the option.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise OptionError(option, f"the file {path} cannot be read: {error.strerror}.") from error
    if len(content) > LONGEST_FILE:
        raise OptionError(option, f"the file {path} is longer than any that holds SSH keys.")
    return content


def _fields(blob: bytes) -> t.Iterator[bytes]:
    """The length-prefixed fields of a key's wire form (RFC 4251, section 5)."""
    while blob:
        (length,) = struct.unpack_from(">I", blob)
        if len(blob) < 4 + length:
            raise ValueError("cut short")
        yield blob[4 : 4 + length]
        blob = blob[4 + length :]

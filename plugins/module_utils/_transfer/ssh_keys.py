# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SSH keys to log in with: a private key or those of an agent, and the list of public keys that opens a server.

paramiko and cryptography are imported where they are first needed, so that work without SFTP goes without them.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import binascii
import io
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


def identity(private_key: str | None, passphrase: str | None, public_keys: str | None, *, agent: bool) -> Identity:
    """Who logs in, by the options ``sftp_private_key``, ``sftp_passphrase`` and ``sftp_public_keys``.

    :param agent: use the keys of the SSH agent where no private key is given; otherwise the list alone is enough.
    :raises OptionError: one of them cannot be used, or the list does not hold the key that would log in.
    """
    listed = read_public_keys(public_keys) if public_keys else []
    if passphrase and not private_key:
        raise OptionError("sftp_passphrase", "is given without 'sftp_private_key'.")
    if private_key:
        keys: tuple[t.Any, ...] = (load_private_key(private_key, passphrase),)
    elif agent:
        keys = _agent_keys(listed)
    else:
        keys = ()
    if not keys and not listed:
        raise OptionError("sftp_private_key", "is required for SFTP, or 'sftp_public_keys'.")
    own = [public_line(key) for key in keys]
    if private_key and listed and own[0] not in listed:
        raise OptionError("sftp_public_keys", "does not hold the public key of 'sftp_private_key'.")
    return Identity("".join(f"{line}\n" for line in listed or own), keys)


def read_public_keys(path: str) -> list[str]:
    """The keys in an authorized_keys-like file, each as ``type base64``; comments stay here.

    :raises OptionError: ``sftp_public_keys`` is unreadable, or holds anything but public keys, blank lines and
        comments; names the line and never shows it.
    """
    option = "sftp_public_keys"
    content = _read(path, option)
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


def load_private_key(path: str, passphrase: str | None) -> t.Any:
    """paramiko's object for a private key of any usual format.

    :raises OptionError: ``sftp_private_key`` cannot be used, or ``sftp_passphrase`` is missing, wrong or not needed.
    """
    option = "sftp_private_key"
    content = _read(path, option)
    if b"PRIVATE KEY-----" not in content:
        if problem_of_public_key(b" ".join(content.split()[:2]).decode("ascii", "replace")) == "":
            raise OptionError(option, f"{path} is a public key; give the file beside it that has no .pub in its name.")
        raise OptionError(option, f"{path} is not a private key in OpenSSH's or PEM form.")
    paramiko = paramiko_module()
    key = _decrypted(path, content, passphrase)
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    kinds = {
        ed25519.Ed25519PrivateKey: paramiko.Ed25519Key,
        rsa.RSAPrivateKey: paramiko.RSAKey,
        ec.EllipticCurvePrivateKey: paramiko.ECDSAKey,
    }
    wrapper = next((wrapper for kind, wrapper in kinds.items() if isinstance(key, kind)), None)
    if wrapper is None:
        raise OptionError(option, f"{path} is a key of another type than ed25519, rsa or ecdsa.")
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()
    try:
        return wrapper.from_private_key(io.StringIO(plain))
    except (paramiko.SSHException, ValueError) as error:
        raise OptionError(option, f"{path} cannot be used by paramiko; make a new key of type ed25519.") from error


def public_line(key: t.Any) -> str:
    """The public key of one of paramiko's objects as ``type base64``."""
    blob = key.asbytes()
    return f"{next(_fields(blob)).decode('ascii', 'replace')} {base64.b64encode(blob).decode()}"


def _decrypted(path: str, content: bytes, passphrase: str | None) -> t.Any:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    openssh = b"BEGIN OPENSSH" in content
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    secret = passphrase.encode() if passphrase else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load(content, password=secret)
    except TypeError as error:
        if secret:
            raise OptionError("sftp_passphrase", f"is given, but the key {path} has no passphrase.") from error
        raise OptionError("sftp_passphrase", f"is missing; the key {path} has a passphrase.") from error
    except UnsupportedAlgorithm as error:
        raise OptionError("sftp_private_key", f"{path} is of a kind that cannot be read here.") from error
    except ValueError as error:
        if not secret and "assword" in str(error):
            raise OptionError("sftp_passphrase", f"is missing; the key {path} has a passphrase.") from error
        if secret:
            raise OptionError("sftp_passphrase", f"does not open the key {path}; one of them is wrong.") from error
        raise OptionError("sftp_private_key", f"{path} is damaged.") from error


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


def _read(path: str, option: str) -> bytes:
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

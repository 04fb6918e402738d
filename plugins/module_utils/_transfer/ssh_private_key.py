# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private key to log in with over SSH, from a file or as text, in any usual format.

A key that is given as text is written to no file. cryptography is imported where it is first needed.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import stat
import typing as t
import warnings
from dataclasses import dataclass

from .._core.errors import OptionError
from .ssh_keys import paramiko_module, problem_of_public_key, read_key_file

FILE, TEXT = "sftp_private_key", "sftp_private_key_text"
PUTTY = b"PuTTY-User-Key-File"
OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"


@dataclass(frozen=True)
class _Source:
    """Where a key comes from: the option, and the name in messages."""

    option: str
    name: str
    content: bytes

    def refused(self, problem: str) -> OptionError:
        return OptionError(self.option, f"{self.name} {problem}".strip())


def key_of(path: str | None, text: str | None, passphrase: str | None) -> t.Any:
    """paramiko's object for the key that the options give; None where they give none.

    :raises OptionError: ``sftp_private_key`` or ``sftp_private_key_text`` cannot be used, or ``sftp_passphrase`` is
        missing, wrong or not needed.
    """
    if path and text:
        raise OptionError(TEXT, f"is given together with '{FILE}'; give one of them.")
    if path:
        return load_private_key(path, passphrase)
    if text:
        # The variables of CI systems often have the line ends of a key as two characters.
        lines = text if "\n" in text.strip() else text.replace("\\n", "\n")
        return _load(_Source(TEXT, "", f"{lines.strip()}\n".encode()), passphrase)
    if passphrase:
        raise OptionError("sftp_passphrase", f"is given without '{FILE}'.")
    return None


def load_private_key(path: str, passphrase: str | None) -> t.Any:
    """paramiko's object for the private key in a file; raises what :func:`key_of` raises."""
    source = _Source(FILE, path, read_key_file(path, FILE))
    status = os.stat(path)
    # As ssh does it, which leaves alone what belongs to another user.
    if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) & 0o077 and b"PRIVATE KEY" in source.content:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise source.refused(f"can be read by others (mode {mode}), and ssh refuses such a key. Run: chmod 0600 {path}")
    return _load(source, passphrase)


def _load(source: _Source, passphrase: str | None) -> t.Any:
    content = source.content
    if b"PRIVATE KEY-----" not in content:
        raise source.refused(_not_a_private_key(source))
    paramiko = paramiko_module()
    key = _decrypted(source, passphrase)
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    kinds = {
        ed25519.Ed25519PrivateKey: paramiko.Ed25519Key,
        rsa.RSAPrivateKey: paramiko.RSAKey,
        ec.EllipticCurvePrivateKey: paramiko.ECDSAKey,
    }
    wrapper = next((wrapper for kind, wrapper in kinds.items() if isinstance(key, kind)), None)
    if wrapper is None:
        raise source.refused("is a key of another type than ed25519, rsa or ecdsa.")
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()
    try:
        return wrapper.from_private_key(io.StringIO(plain))
    except (paramiko.SSHException, ValueError) as error:
        raise source.refused("cannot be used by paramiko; make a new key of type ed25519.") from error


def _not_a_private_key(source: _Source) -> str:
    if source.content.startswith(PUTTY):
        file = source.name or "key.ppk"
        return f"is a key of PuTTY. Convert it with: puttygen {file} -O private-openssh -o id_key"
    if problem_of_public_key(b" ".join(source.content.split()[:2]).decode("ascii", "replace")) == "":
        return "is a public key; give the file beside it that has no .pub in its name."
    return "is not a private key in OpenSSH's or PEM form."


def _decrypted(source: _Source, passphrase: str | None) -> t.Any:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    openssh = b"BEGIN OPENSSH" in source.content
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    secret = passphrase.encode() if passphrase else None
    the_key = f"the key {source.name}".rstrip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load(source.content, password=secret)
    except TypeError as error:
        if secret:
            raise OptionError("sftp_passphrase", f"is given, but {the_key} has no passphrase.") from error
        raise OptionError("sftp_passphrase", f"is missing; {the_key} has a passphrase.") from error
    except UnsupportedAlgorithm as error:
        if _needs_hardware(source.content):
            raise source.refused("needs its security key (FIDO) to log in; give a key of type ed25519.") from error
        raise source.refused("is of a kind that cannot be read here.") from error
    except ValueError as error:
        if not secret and "assword" in str(error):
            raise OptionError("sftp_passphrase", f"is missing; {the_key} has a passphrase.") from error
        if secret:
            raise OptionError("sftp_passphrase", f"does not open {the_key}; one of them is wrong.") from error
        if _needs_hardware(source.content):
            raise source.refused("needs its security key (FIDO) to log in; give a key of type ed25519.") from error
        raise source.refused("is damaged.") from error


def _needs_hardware(content: bytes) -> bool:
    body = content.partition(OPENSSH)[2].partition(b"-----END")[0]
    try:
        return b"sk-ssh-" in base64.b64decode(body) or b"sk-ecdsa-" in base64.b64decode(body)
    except binascii.Error:
        return False

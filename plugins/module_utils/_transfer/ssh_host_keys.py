# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an SSH server is the one that is meant: by one given key, or by the key seen first.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import hashlib
import typing as t

from .._core.errors import OptionError, UpgradeError
from .ssh_keys import problem_of_public_key

SSH_PORT = 22
CHANGED = "This can be a man-in-the-middle attack. Find out why the key changed before you continue."


class HostKeyError(UpgradeError):
    """The server's key is not the one that it should be, so nothing was sent to it."""


class HostKeys(t.Protocol):
    """A way to judge the key of a server; ``line`` is ``type base64``, ``place`` as :func:`place_of` makes it."""

    def types(self, place: str) -> list[str]:
        """Key types that the server should be asked for first."""

    def check(self, place: str, line: str) -> None:
        """:raises HostKeyError: this is not the key of the server at this place."""


class GivenKey:
    """The one key of the option ``sftp_host_key``, with or without host names before it.

    :raises OptionError: it is not a public key.
    """

    def __init__(self, line: str) -> None:
        words = line.split()
        candidates = [" ".join(words[start : start + 2]) for start in (0, 1)]
        key = next((candidate for candidate in candidates if not problem_of_public_key(candidate)), None)
        if key is None:
            raise OptionError("sftp_host_key", "is not a host key; give a line such as: ssh-ed25519 AAAA...")
        self._key = key

    def types(self, _place: str) -> list[str]:
        """The type of the key."""
        return [self._key.partition(" ")[0]]

    def check(self, place: str, line: str) -> None:
        """:raises HostKeyError: it is another key."""
        if line != self._key:
            raise HostKeyError(
                f"The SFTP server {place} showed the key {fingerprint(line)} instead of {fingerprint(self._key)}, "
                f"which 'sftp_host_key' gives. {CHANGED}"
            )


class FirstSeen:
    """Trust on first use: the key seen first is kept, and no other one accepted for the same server afterwards.

    :param pinned: what was kept earlier, as ``place type base64``; empty where nothing was.
    :param keep: called with that line before anything is sent to a server that is seen for the first time.
    """

    def __init__(self, pinned: str, keep: t.Callable[[str], None]) -> None:
        self._pinned = pinned
        self._keep = keep

    def types(self, _place: str) -> list[str]:
        """The type of the key that was kept."""
        return self._pinned.split()[1:2]

    def check(self, place: str, line: str) -> None:
        """:raises HostKeyError: another key was kept for this server."""
        pinned_place, _space, pinned_line = self._pinned.partition(" ")
        if pinned_line == line:
            return
        if pinned_place == place:
            raise HostKeyError(
                f"The SFTP server {place} showed the key {fingerprint(line)}, but {fingerprint(pinned_line)} the first "
                f"time. {CHANGED} If the new key is right, give it as 'sftp_host_key' or in 'sftp_known_hosts'."
            )
        self._pinned = f"{place} {line}"
        self._keep(self._pinned)


def place_of(host: str, port: int) -> str:
    """A server as known_hosts names it."""
    return host if port == SSH_PORT else f"[{host}]:{port}"


def fingerprint(line: str) -> str:
    """Type and SHA-256 fingerprint of ``type base64``, as OpenSSH shows it."""
    kind, _space, text = line.partition(" ")
    digest = hashlib.sha256(base64.b64decode(text)).digest()
    return f"{kind} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

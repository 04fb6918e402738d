# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an SSH server is one that a known_hosts file lists: the file is searched by OpenSSH's own ssh-keygen.

So hashed names, wildcards, negation and markers mean what they mean to ssh, and a line that it cannot use is no reason
to refuse the others.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t

from .._core.errors import OptionError
from .._core.process import run
from .ssh_command import program, quiet_environment
from .ssh_host_keys import CHANGED, HostKeyError, fingerprint
from .ssh_keys import problem_of_public_key

SEARCH_SECONDS = 60
FOUND = re.compile(r"# Host .* found: line (\d+) ?(CA|REVOKED)?\s*")
REVOKED, AUTHORITY = "REVOKED", "CA"


class _Entry(t.NamedTuple):
    """One line that names the server. ``key`` is ``type base64``."""

    number: int
    marker: str
    key: str

    @property
    def problem(self) -> str:
        """Why its key cannot be compared with the one that a server shows; empty where it can be."""
        if self.marker == AUTHORITY:
            return "certificates of hosts are not supported"
        return problem_of_public_key(self.key)


class KnownHosts:
    """The keys in a known_hosts file.

    :raises OptionError: ``sftp_known_hosts`` cannot be read.
    :raises UpgradeError: ``ssh-keygen`` is not installed.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._keygen = program("ssh-keygen")
        self._entries: dict[str, list[_Entry]] = {}
        try:
            with open(path, "rb") as file:
                file.read(1)
        except OSError as error:
            raise OptionError("sftp_known_hosts", f"the file {path} cannot be read: {error.strerror}.") from error

    def types(self, place: str) -> list[str]:
        """The types of the keys that the file has for this server."""
        return list(dict.fromkeys(entry.key.partition(" ")[0] for entry in self._known(place)))

    def check(self, place: str, line: str) -> None:
        """:raises HostKeyError: the file does not know the server, knows it by other keys, or revokes this one."""
        for entry in (*self._named(place), *self._named(_host_of(place))):
            if entry.marker == REVOKED and entry.key == line:
                raise HostKeyError(
                    f"The SFTP server {place} showed the key {fingerprint(line)}, which line {entry.number} of "
                    f"{self._path} revokes. Nothing was sent. {CHANGED}"
                )
        known = self._known(place)
        if line in [entry.key for entry in known]:
            return
        shown = f"The SFTP server {place} showed the key {fingerprint(line)}"
        if known:
            numbers = ", ".join(str(entry.number) for entry in known)
            raise HostKeyError(f"{shown}, which is not the one in {self._path} (line {numbers}). {CHANGED}")
        unusable = [entry for entry in self._named(place) or self._named(_host_of(place)) if entry.marker != REVOKED]
        if unusable:
            lines = "; ".join(f"line {entry.number}: {entry.problem}" for entry in unusable)
            raise HostKeyError(
                f"The SFTP server {place} is in {self._path} only with keys that cannot be used ({lines}). It showed "
                f"the key {fingerprint(line)}; if that is the right one, add the line: {place} {line}"
            )
        raise HostKeyError(
            f"The SFTP server {place} is not in {self._path}. It showed the key {fingerprint(line)}; if that is "
            f"the right one, add the line: {place} {line}"
        )

    def _known(self, place: str) -> list[_Entry]:
        """The usable lines. Like OpenSSH: a key that is listed without a port holds for every port."""
        for name in (place, _host_of(place)):
            usable = [entry for entry in self._named(name) if not entry.marker and not entry.problem]
            if usable:
                return usable
        return []

    def _named(self, name: str) -> list[_Entry]:
        """Every line that names the server, in its order."""
        if name not in self._entries:
            command = (self._keygen, "-F", name.lower(), "-f", self._path)
            self._entries[name] = list(_entries(run(command, quiet_environment(), SEARCH_SECONDS).output))
        return self._entries[name]


def _host_of(place: str) -> str:
    """The host of a place, without brackets and port."""
    return place[1:].partition("]")[0] if place.startswith("[") else place


def _entries(output: bytes) -> t.Iterator[_Entry]:
    found: re.Match[str] | None = None
    for line in output.decode("utf-8", "replace").splitlines():
        heading = FOUND.fullmatch(line)
        if heading:
            found = heading
        elif found:
            words = line.split()[2 if found[2] else 1 :]
            yield _Entry(int(found[1]), found[2] or "", " ".join(words[:2]))
            found = None

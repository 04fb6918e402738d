# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SHA-256 of a dump, computed beside the restore that reads the same bytes.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import hashlib
import os
import threading
import typing as t

from .._core.errors import UpgradeError
from .._transfer.dump_forms import DamagedError, UnreadableError

BLOCK = 1024 * 1024


class DumpHash:
    """The hash of a dump, begun at once in a thread: a large dump takes seconds, in which a restore gets on."""

    def __init__(self, path: str) -> None:
        """:raises UnreadableError: the dump cannot be read."""
        self._path = path
        self._before = _state_of(path)
        self._value = ""
        self._error: UpgradeError | None = None
        self._thread = threading.Thread(target=self._compute, daemon=True)
        self._thread.start()

    def _compute(self) -> None:
        try:
            self._value = sha256_of(self._path)
        except UpgradeError as error:
            self._error = error

    def value(self) -> str:
        """The hash.

        :raises UpgradeError: the dump cannot be read to its end.
        """
        self._thread.join()
        if self._error:
            raise self._error
        return self._value

    def require_unchanged(self) -> None:
        """What was read under this hash must be one and the same dump.

        :raises DamagedError: somebody wrote to it meanwhile.
        """
        if _state_of(self._path) != self._before:
            raise DamagedError(f"{self._path} was changed while it was read.")


def sha256_of(path: str) -> str:
    """The SHA-256 of a dump: of a file's content, or of a folder's files by name and content.

    :raises UnreadableError: it cannot be read.
    """
    try:
        if not os.path.isdir(path):
            return _hash(path).hexdigest()
        digest = hashlib.sha256()
        for name in sorted(os.listdir(path)):
            digest.update(f"{_hash(os.path.join(path, name)).hexdigest()}  {name}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()
    except OSError as error:
        raise UnreadableError(f"{error.filename or path} cannot be read: {error.strerror}.") from error


def _hash(path: str) -> t.Any:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest


def _state_of(path: str) -> list[tuple[str, int, int, int]]:
    """What changes when somebody writes to a dump or replaces it."""
    try:
        names = [os.path.join(path, name) for name in sorted(os.listdir(path))] if os.path.isdir(path) else [path]
        states = [(name, os.stat(name)) for name in names]
    except OSError as error:
        raise UnreadableError(f"{error.filename or path} cannot be read: {error.strerror}.") from error
    return [(name, state.st_ino, state.st_size, state.st_mtime_ns) for name, state in states]

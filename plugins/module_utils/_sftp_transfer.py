# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file up to an SFTP server or down from it, taken up where the connection broke off.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

from ._dump import CheckpointPace, DumpFile, Moved, Prefix
from ._errors import UpgradeError
from ._part_file import PartFile
from ._reconnect import Reconnections
from ._sftp import SftpServer
from ._sftp_protocol import (
    TO_CREATE,
    TO_READ,
    TO_TRUNCATE,
    TO_WRITE,
    Entry,
    SftpBrokenError,
    SftpDeniedError,
    SftpError,
    SftpSession,
)

NOTHING = Prefix(0, hashlib.sha256().hexdigest())


class SftpUpload:
    """One dump on its way to one file on a server.

    :param name: the file's name there.
    :param keep: puts on disk what the server is known to hold of the dump, as a prefix of it; None while that is
        nothing certain. It is called before anything is done to the file on the server.
    """

    def __init__(
        self, dump: DumpFile, server: SftpServer, name: str, keep: t.Callable[[Prefix | None], None], retries: int
    ) -> None:
        self._dump = dump
        self._server = server
        self._name = name
        self._keep = keep
        self._retries = retries
        self._confirmed = 0
        self._digest = hashlib.sha256()
        self._begun = False
        self._moved = Moved()

    def run(self, earlier: Prefix | None) -> Moved:
        """Send it.

        :param earlier: what an earlier run put on disk by ``keep``, for this very dump.
        :raises SftpError: the server refuses, or the connection broke too often. What is confirmed was kept.
        :raises DumpChangedError: the dump changed meanwhile; nothing was kept.
        """
        digest = self._dump.has(earlier) if earlier else None
        if earlier and digest is not None:
            self._confirmed, self._digest, self._begun = earlier.size, digest, True
        patience = Reconnections(self._retries)
        while True:
            before = self._confirmed
            try:
                with self._server.session() as session:
                    self._send(session)
                break
            except (SftpBrokenError, SftpDeniedError) as error:
                # An access that ends while somebody is at work shows as a denial.
                if isinstance(error, SftpDeniedError) and self._confirmed == before:
                    raise
                self._moved.breaks += 1
                patience.after(error, self._confirmed)
        self._moved.size, self._moved.sha256 = self._confirmed, self._digest.hexdigest()
        return self._moved

    def _send(self, session: SftpSession) -> None:
        name = self._usable_name()
        if self._begun and (session.stat(name).size or 0) < self._confirmed:
            self._begun = False
        if self._begun:
            handle = session.open(name, TO_WRITE)
        else:
            self._confirmed, self._digest = 0, hashlib.sha256()
            self._keep(None)
            handle = session.open(name, TO_WRITE | TO_CREATE | TO_TRUNCATE)
            if session.stat(name).size:
                raise SftpError(f"The SFTP server did not empty {name} to receive another dump.")
            self._begun = True
            self._keep(NOTHING)
        if not self._moved.moved:
            self._moved.resumed_from = self._confirmed
        try:
            self._write(session, handle)
        except UpgradeError as error:
            with contextlib.suppress(UpgradeError):
                self._keep(self._prefix if isinstance(error, SftpError) else None)
            raise
        session.close(handle)
        size = session.stat(name).size
        if size != self._dump.size:
            self._keep(None)
            raise SftpError(f"The SFTP server has {size} bytes of {name} instead of {self._dump.size}; run again.")

    def _usable_name(self) -> str:
        if self._server.access.shared_file != self._name:
            raise SftpError("The SFTP server serves another file than before; run again.")
        return self._name

    def _write(self, session: SftpSession, handle: bytes) -> None:
        pace = CheckpointPace(self._confirmed)
        for block in session.write(handle, self._blocks(session.block)):
            self._digest.update(block)
            self._confirmed += len(block)
            if pace.due(self._confirmed):
                self._keep(self._prefix)

    def _blocks(self, length: int) -> t.Iterator[tuple[int, bytes]]:
        for offset, block in self._dump.blocks(self._confirmed, length):
            self._moved.moved += len(block)
            yield offset, block

    @property
    def _prefix(self) -> Prefix:
        return Prefix(self._confirmed, self._digest.hexdigest())


def fetch(
    part: PartFile,
    server: SftpServer,
    choose: t.Callable[[list[Entry]], Entry],
    earlier: t.Callable[[str, int], Prefix | None],
    keep: t.Callable[[str, int], None],
    retries: int,
) -> Moved:
    """One file of a server into a part file, whole.

    :param choose: picks the file from the server's list, or raises.
    :param earlier: what an earlier run put on disk by ``keep`` of the same entity and size.
    :param keep: puts the present state of the part on disk, for the entity and size that it is of.
    :raises SftpError: the server refuses, or the connection broke too often. What is in the part can be taken up.
    """
    moved = Moved()
    patience = Reconnections(retries)
    while True:
        before = part.offset
        try:
            with server.session() as session:
                entry = _known_size(choose(session.entries()), session)
                _begin(part, entry, moved, earlier)
                keep(entry.entity, moved.size)
                try:
                    _receive(session, entry, part, moved, keep)
                except UpgradeError:
                    with contextlib.suppress(UpgradeError):
                        part.sync()
                        keep(entry.entity, moved.size)
                    raise
            break
        except (SftpBrokenError, SftpDeniedError) as error:
            if isinstance(error, SftpDeniedError) and part.offset == before:
                raise
            moved.breaks += 1
            patience.after(error, part.offset)
    moved.sha256 = part.sha256
    return moved


def _begin(part: PartFile, entry: Entry, moved: Moved, earlier: t.Callable[[str, int], Prefix | None]) -> None:
    """Keep in the part what came from this very entry, and see that there is room for the rest."""
    size = entry.size or 0
    if not moved.entity:
        prefix = earlier(entry.entity, size)
        if prefix is None or not part.take_up(prefix):
            part.restart()
        moved.resumed_from = part.offset
    elif (moved.entity, moved.size) != (entry.entity, size):
        part.restart()
    moved.entity, moved.size = entry.entity, size
    part.require_space(size)


def _receive(
    session: SftpSession, entry: Entry, part: PartFile, moved: Moved, keep: t.Callable[[str, int], None]
) -> None:
    handle = session.open(entry.name, TO_READ)
    pace = CheckpointPace(part.offset)
    for block in session.read(handle, part.offset, moved.size):
        part.write(block)
        moved.moved += len(block)
        if pace.due(part.offset):
            part.sync()
            keep(entry.entity, moved.size)
    session.close(handle)


def _known_size(entry: Entry, session: SftpSession) -> Entry:
    known = entry if entry.size is not None else session.stat(entry.name)
    if known.size is None:
        raise SftpError(f"The SFTP server does not tell the size of {entry.name}.")
    return known

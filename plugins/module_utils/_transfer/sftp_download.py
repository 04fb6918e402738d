# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file fetched from an SFTP server over one connection or several, and resumed where they broke off.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import typing as t

from .._core.errors import UpgradeError
from .._core.progress import Progress
from .dump import MEBIBYTE, CheckpointPace, TransferStats
from .part_file import PartFile
from .queues import Incoming
from .ranges import Held, Range
from .resume import Retries
from .sftp import SftpServer
from .sftp_connections import SftpConnections
from .sftp_protocol import TO_READ, Entry, SftpBrokenError, SftpDeniedError, SftpError
from .sftp_session import SftpSession

PIECE = 4 * MEBIBYTE
"""Bytes that one connection fetches in a row."""

REQUESTS_OF_A_LIST = 4


class SftpDownload:
    """One file on its way into a part file.

    :param choose: picks the file from the server's list, or raises.
    :param keep: puts a state of the part on disk, for the entity and size that it is of.
    :param connections: how many may be used; see :class:`SftpConnections`.
    :param likely: the names to try on a server that gives no list.
    """

    def __init__(
        self,
        part: PartFile,
        server: SftpServer,
        choose: t.Callable[[list[Entry]], Entry],
        keep: t.Callable[[str, int, Held], None],
        *,
        retries: int,
        connections: int,
        progress: Progress,
        likely: t.Iterable[str] = (),
    ) -> None:
        self._part = part
        self._server = server
        self._choose = choose
        self._likely = tuple(likely)
        self._keep = keep
        self._retries = retries
        self._connections = SftpConnections(server, connections)
        self._progress = progress
        self._moved = TransferStats()

    def run(self, earlier: t.Callable[[str, int], Held | None]) -> TransferStats:
        """Fetch it whole.

        :param earlier: what an earlier run put on disk by ``keep`` of the same entity and size.
        :raises SftpError: the server refuses, or the connection broke too often. What is in the part can be resumed.
        """
        part, moved = self._part, self._moved
        retries = Retries(self._retries)
        while True:
            before = part.total
            try:
                with self._connections.first() as session:
                    self._fetch(session, earlier)
                break
            except (SftpBrokenError, SftpDeniedError) as error:
                if isinstance(error, SftpDeniedError) and part.total == before:
                    raise
                moved.breaks += 1
                retries.pause_after(error, part.total)
        part.hash_rest()
        moved.sha256, moved.moved, moved.connections = part.sha256, part.written, self._connections.used
        return moved

    def _fetch(self, session: SftpSession, earlier: t.Callable[[str, int], Held | None]) -> None:
        with self._connections.measure_distance(REQUESTS_OF_A_LIST, enough=1):
            entry = self._known(session)
        self._begin(entry, earlier)
        self._keep(entry.entity, self._moved.size, self._part.held())
        try:
            self._work(session, entry)
        except UpgradeError:
            with contextlib.suppress(UpgradeError):
                self._part.sync()
                self._keep(entry.entity, self._moved.size, self._part.held())
            raise

    def _known(self, session: SftpSession) -> Entry:
        """What the server has, with its size."""
        entry = self._choose(self._listed(session))
        known = entry if entry.size is not None else session.stat(entry.name)
        if known.size is None:
            raise SftpError(f"The SFTP server does not report the size of {entry.name}.")
        return known

    def _listed(self, session: SftpSession) -> list[Entry]:
        """The server's list; where it gives none, what it has of the likely names."""
        try:
            return session.entries()
        except SftpBrokenError:
            raise
        except SftpError:
            found = [entry for entry in (_if_there(session, name) for name in self._likely) if entry]
            if not found:
                raise
            return found

    def _begin(self, entry: Entry, earlier: t.Callable[[str, int], Held | None]) -> None:
        """Keep in the part what came from this very entry, and see that there is room for the rest."""
        part, moved, size = self._part, self._moved, entry.size or 0
        if not moved.entity:
            held = earlier(entry.entity, size)
            if held is None or not part.resume(held):
                part.restart()
            moved.resumed_from = part.total
        elif (moved.entity, moved.size) != (entry.entity, size):
            part.restart()
        moved.entity, moved.size = entry.entity, size
        part.require_space(size)

    def _work(self, session: SftpSession, entry: Entry) -> None:
        part, size = self._part, self._moved.size
        incoming = Incoming(part, size)
        pace = CheckpointPace(part.total)

        def move(session: SftpSession, is_first: bool) -> t.Iterator[int]:
            if not is_first and self._known(session) != entry:
                raise SftpBrokenError("Another connection shows another file.")
            return self._move(session, entry.name, incoming)

        def tick() -> None:
            self._progress.moved(part.total, size)
            if pace.due(part.offset):
                part.sync()
                self._keep(entry.entity, size, Held(part.prefix))

        def is_done() -> bool:
            return part.total == size

        left = size - part.total
        self._connections.work(session, move, left=left, is_done=is_done, tick=tick, stop=incoming.stop)

    def _move(self, session: SftpSession, name: str, incoming: Incoming) -> t.Iterator[int]:
        """Fetch ranges until none is left; what did not come of them is given back."""
        taken: dict[int, int] = {}

        def ranges() -> t.Iterator[Range | None]:
            while True:
                piece = incoming.take(PIECE)
                if piece:
                    taken[piece[0]] = piece[1]
                elif not incoming.waits:
                    return
                yield piece

        handle = session.open(name, TO_READ)
        try:
            for place, block in session.read(handle, ranges()):
                self._part.write(block, place)
                end = taken.pop(place)
                if place + len(block) < end:
                    taken[place + len(block)] = end
                yield len(block)
        finally:
            for start, end in taken.items():
                incoming.give_back(start, end)
        session.close(handle)


def _if_there(session: SftpSession, name: str) -> Entry | None:
    try:
        return session.stat(name)
    except SftpBrokenError:
        raise
    except SftpError:
        return None

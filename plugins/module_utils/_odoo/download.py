# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the result of an upgrade request is fetched once, verified, and given its name.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import time
import typing as t

from .._core.errors import UpgradeError
from .._transfer.dump import FileMark, TransferStats
from .._transfer.dump_forms import CUSTOM, HEAD, SQL_GZ, DamagedError, kind_of
from .._transfer.folder_dump import FolderDump
from .._transfer.part_file import SUFFIX
from .._transfer.room import free_bytes, require_room
from .._transfer.verify import Verdict
from .failures import passes_by_itself
from .job import opened, require_same_job
from .open_request import opened_request
from .records import Fetched, timestamp
from .request import OdooRequest
from .status import BEFORE_RESULT, Stage, Status

if t.TYPE_CHECKING:
    from .._core.task import Task
    from .options import OdooOptions
    from .transfer_options import DownloadOptions

ABOUT_AS_LARGE = (CUSTOM, SQL_GZ)
"""Forms of a dump, beside a folder, whose result is about as large: plain SQL gets packed, a zip may hold files."""


def download_once(task: Task, options: OdooOptions, download: DownloadOptions) -> dict[str, t.Any]:
    """The result of odoo_upgrade_download.

    :raises OptionError: one of the options is bad; nothing was sent.
    :raises UpgradeError: there is no result, or it did not arrive whole.
    """
    with opened_request(task, options, writes=True) as request:
        require_same_job(request.file, download.dump, "dump")
        return _Download(request, download).result()


class _Download:
    def __init__(self, request: OdooRequest, options: DownloadOptions) -> None:
        self._request = request
        self._task = request.task
        self._record = request.record
        self._content = options.content
        self._force = options.force
        self._destination = request.platform.destination(options, request.task)
        self._dest = self._destination.path
        self._dump = options.dump
        self._download = request.platform.download(options, request.notes, request.task)

    def result(self) -> dict[str, t.Any]:
        noted = self._noted()
        fetched = noted if noted and self._destination.holds(noted, self._task.progress) else None
        if not fetched:
            self._download.prepare()
            self._require_room(noted)
        status = self._request.status() if self._request.exists else None
        if status:
            self._require_result(status)
        if fetched:
            self._release()
            return self._answer(
                status, fetched, f"{self._dest} already holds the result of this request, since {fetched.at}."
            )
        if self._destination.is_taken and not self._force:
            raise UpgradeError(
                f"There is another file at {self._dest}, which is not recorded as the result of this request. Move it "
                "away, give another 'dest', or set 'force' to true to replace it."
            )
        if self._task.check_mode or not status:
            msg = f"The result would be fetched by {self._download.transport.upper()}."
            return self._answer(status, self._note(TransferStats(), FileMark(0, 0, 0, 0)), msg, TransferStats())
        if noted and self._destination.is_left_unnamed(noted):
            self._destination.give_away()
            self._destination.give_name()
            self._release()
            return self._answer(status, noted, "Renamed the file that an earlier run fetched.", TransferStats())
        return self._fetch(status)

    def _require_room(self, noted: Fetched | None) -> None:
        """Refuse before the first call where the size of the result is known, and does not fit; warn where it may not.

        :raises UpgradeError: there is not enough room beside ``dest``.
        """
        fetching, earlier = self._record.fetching, self._record.fetched
        if noted and self._destination.is_left_unnamed(noted):
            return
        if fetching and fetching.size and fetching.part == self._dest + SUFFIX:
            here = fetching.held.total if os.path.lexists(fetching.part) else 0
            require_room(self._dest, fetching.size - here)
        elif earlier and earlier.content == self._content:
            require_room(self._dest, earlier.mark.size)
        elif self._dump and not self._request.exists and os.path.exists(self._dump):
            with opened(self._dump, "dump") as dump:
                size, free = dump.size, free_bytes(os.path.dirname(self._dest))
                is_packed = isinstance(dump, FolderDump) or kind_of(dump.block(0, HEAD)) in ABOUT_AS_LARGE
                if free < size and is_packed:
                    self._task.warn(
                        f"Fetching the result to {self._dest} can fail later: {free} bytes are free in "
                        f"{os.path.dirname(self._dest)}, and a result is about as large as its dump, which has {size} "
                        "bytes. Make room, or give another 'dest'."
                    )

    def _require_result(self, status: Status) -> None:
        self._request.require_not_failed(status)
        to_come = self._task.check_mode and status.stage in BEFORE_RESULT
        if status.stage is not Stage.READY and not to_come:
            raise UpgradeError(
                f"Request {self._record.request_id} is in the state {status.state}; there is no result yet. Wait for "
                "it with odoo_upgrade_request_info and 'wait: true'.",
                state=status.state,
            )

    def _noted(self) -> Fetched | None:
        fetched = self._record.fetched
        return fetched if fetched and (fetched.dest, fetched.content) == (self._dest, self._content) else None

    def _fetch(self, status: Status) -> dict[str, t.Any]:
        started = time.monotonic()
        with self._destination.open() as part:
            try:
                stats = self._download.fetch(part, self._request.handle, status, self._task.progress)
            except UpgradeError as error:
                kept = self._record.fetching if self._request.file.path else None
                if not kept:
                    part.discard()
                if not passes_by_itself(error):
                    raise
                here = kept.held.total if kept else 0
                again = f"to go on: {here} bytes are here." if here else "to fetch it from the start."
                raise UpgradeError(f"{error} Run this again {again}", **error.result) from error
            verdict = self._verify(part, stats)
            part.finish()
            fetched = self._record.fetched = self._note(stats, part.mark)
            self._record.fetching = None
            self._request.file.save()
            self._destination.give_away()
            part.promote()
        self._release()
        duration = time.monotonic() - started
        if verdict.warning:
            self._task.warn(verdict.warning)
        msg = f"Fetched {stats.size} bytes by {self._download.transport.upper()} to {self._dest}."
        return self._answer(status, fetched, msg, stats, duration, verdict)

    def _release(self) -> None:
        if not self._task.check_mode:
            self._destination.remove_former()
            self._request.platform.release(self._request.notes)

    def _verify(self, part: t.Any, stats: TransferStats) -> Verdict:
        """:raises DamagedError: it is not a whole dump; it was removed."""
        self._task.progress.state("verifying")
        try:
            return self._destination.verify(part, stats)
        except DamagedError as error:
            part.discard()
            self._request.notes.note_fetching(None)
            raise DamagedError(f"{error} It was removed; run again to fetch it from the start.") from error

    def _note(self, stats: TransferStats, mark: FileMark) -> Fetched:
        transport = self._download.transport
        return Fetched(self._dest, mark, stats.sha256, self._content, stats.entity, transport, timestamp())

    def _answer(
        self,
        status: Status | None,
        fetched: Fetched,
        msg: str,
        stats: TransferStats | None = None,
        duration: float = 0.0,
        verdict: Verdict | None = None,
    ) -> dict[str, t.Any]:
        details = {
            "dest": self._dest,
            "content": self._content,
            "format": verdict.format if verdict else "",
            "not_checked": list(verdict.not_checked) if verdict else [],
            "size": fetched.mark.size,
            "sha256": fetched.sha256,
            "transport": fetched.transport,
            "at": fetched.at,
            "duration": round(duration, 3),
            "bytes_received": stats.moved if stats else 0,
            "resumed_from": stats.resumed_from if stats else 0,
            "breaks": stats.breaks if stats else 0,
            "connections": stats.connections if stats else 0,
            **self._destination.describe(),
        }
        return {"msg": msg, **self._request.result(status, changed=stats is not None, fetched=details)}

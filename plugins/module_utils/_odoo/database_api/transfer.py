# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dumps and results of the database API v1: sent and fetched by HTTPS or by SFTP.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from ..._core.errors import AnswerLostError, OptionError, UpgradeError
from ..._transfer.dump import HashedBody, TransferStats
from ..._transfer.https import HttpsFetch, Known
from ..._transfer.https_ranges import Source
from ..._transfer.ranges import Held
from ..._transfer.sftp import SftpIncompatibleError, SftpUnreachableError
from ..._transfer.sftp_download import SftpDownload
from ..._transfer.sftp_upload import SftpUpload
from ..failures import passes_by_itself
from ..platform import Download, Upload
from ..records import Fetching, Sending
from ..status import Status
from ..transfer_options import AUTO, HTTPS, SFTP, SQL, DownloadOptions, TransferOptions
from ..wanted import Handle
from .result_name import choose_result, result_names
from .sftp import SftpLogin

if t.TYPE_CHECKING:
    from ..._core.progress import Progress
    from ..._core.task import Task
    from ..._transfer.dump import DumpFile
    from ..._transfer.part_file import PartFile
    from ..._transfer.sftp_protocol import Entry
    from ..notes import Notes
    from .client import OdooClient


class DatabaseApiUpload(Upload):
    """One dump to be sent."""

    def __init__(self, client: OdooClient, options: TransferOptions, dump: DumpFile, notes: Notes, task: Task) -> None:
        self.transport = transport_for(options, dump.size)
        self._client = client
        self._options = options
        self._dump = dump
        self._notes = notes
        self._task = task
        self._sftp: SftpLogin | None = None
        self._name = ""

    def prepare(self) -> None:
        if self.transport == SFTP:
            self._sftp = SftpLogin(self._options, self._notes, self._task)

    def send(self, handle: Handle, status: Status, progress: Progress) -> TransferStats:
        client = self._client.for_request(handle.id, handle.secret)
        if not self._sftp:
            return self._send_by_https(client, progress)
        try:
            return self._send_by_sftp(client, self._sftp, status, progress)
        except UpgradeError as error:
            if not falls_back(self._options, error, self._earlier()):
                raise
            self.transport = HTTPS
            self._task.warn(f"{error} The dump is sent by HTTPS instead.")
            return self._send_by_https(client, progress)

    def _send_by_https(self, client: OdooClient, progress: Progress) -> TransferStats:
        self._notes.note_sending(None)
        body = HashedBody(self._dump, progress)
        try:
            client.upload(body, self._dump.size)
        except AnswerLostError as error:
            raise UpgradeError(
                f"{error} It is unknown whether the platform has the dump ({body.offset} of {self._dump.size} bytes "
                "were read for it), so nothing was noted. The next run sends it again while the request is in draft. "
                "Where a proxy in between ends the call each time, set 'transport' to sftp.",
                **error.result,
            ) from error
        if body.offset != self._dump.size:
            raise UpgradeError(
                f"The platform accepted the upload after {body.offset} of the dump's {self._dump.size} bytes. "
                "Nothing was noted; the next run sends it again."
            )
        return TransferStats(self._dump.size, body.sha256, moved=body.offset)

    def _send_by_sftp(self, client: OdooClient, sftp: SftpLogin, status: Status, progress: Progress) -> TransferStats:
        server = sftp.server(client, filename_of(status, self._notes))
        self._name = server.access.shared_file
        upload = SftpUpload(
            self._dump,
            server,
            self._name,
            self._keep,
            retries=self._options.retries,
            connections=self._options.connections,
            progress=progress,
        )
        try:
            stats = upload.run(self._earlier())
        except UpgradeError as error:
            if not passes_by_itself(error) or falls_back(self._options, error, self._earlier()):
                raise
            there = self._earlier() if self._notes.outlive_the_run else None
            count = there.total if there else 0
            again = f"to go on: {count} bytes are there." if count else "to send it from the start."
            raise UpgradeError(f"{error} Run this again {again}", **error.result) from error
        stats.entity = self._name
        return stats

    def _earlier(self) -> Held | None:
        """What an earlier run proved to be on the server of this very dump, unchanged since."""
        sending = self._notes.sending
        same = sending and (sending.mark, sending.name) == (self._dump.mark, self._name)
        return sending.held if sending and same else None

    def _keep(self, held: Held | None) -> None:
        self._notes.note_sending(Sending(self._dump.mark, self._name, held) if held else None)


class DatabaseApiDownload(Download):
    """The result to be fetched."""

    def __init__(self, client: OdooClient, options: DownloadOptions, notes: Notes, task: Task) -> None:
        self._client = client
        self._options = options.transfer
        self._content = options.content
        self._notes = notes
        self._task = task
        self._sftp: SftpLogin | None = None
        self.transport = self._choose_transport()

    def _choose_transport(self) -> str:
        """How to fetch it: ``auto`` goes by the size of what was sent, the best guess before the result is seen."""
        sent = self._notes.sent
        transport = transport_for(self._options, sent.mark.size if sent else 0)
        if self._content == SQL and transport == SFTP:
            if self._options.transport != AUTO:
                raise OptionError("transport", "must be https for SQL; the SFTP server only has the archive.")
            return HTTPS
        return transport

    def prepare(self) -> None:
        if self.transport == SFTP:
            self._sftp = SftpLogin(self._options, self._notes, self._task)

    def fetch(self, part: PartFile, handle: Handle, status: Status, progress: Progress) -> TransferStats:
        client = self._client.for_request(handle.id, handle.secret)
        if not self._sftp:
            return self._fetch_by_https(part, client, status, progress)
        try:
            return self._fetch_by_sftp(part, client, self._sftp, status, progress)
        except UpgradeError as error:
            if not falls_back(self._options, error, self._noted_part(part)):
                raise
            self.transport = HTTPS
            self._task.warn(f"{error} The result is fetched by HTTPS instead.")
            return self._fetch_by_https(part, client, status, progress)

    def _fetch_by_https(self, part: PartFile, client: OdooClient, status: Status, progress: Progress) -> TransferStats:
        content, document = self._content, status.detail

        def opened(offset: int, end: int | None, entity: str) -> t.Any:
            return client.open_result(content, offset=offset, end=end, entity=entity, document=document)

        def require(response: t.Any, start: bytes) -> None:
            client.require_result(content, response, start)

        source = Source(f"GET upgraded/{content}", content, opened, passes_by_itself, require)
        noted = self._noted_part(part)
        earlier = Known(noted.entity, noted.size, noted.held) if noted else None
        return HttpsFetch(source, part, self._keeper(part), **self._manner(progress)).run(earlier)

    def _fetch_by_sftp(
        self, part: PartFile, client: OdooClient, sftp: SftpLogin, status: Status, progress: Progress
    ) -> TransferStats:
        noted = self._noted_part(part)
        filename = filename_of(status, self._notes)

        def choose(entries: list[Entry]) -> Entry:
            return choose_result(filename, entries)

        def earlier(entity: str, size: int) -> Held | None:
            same = noted and (noted.entity, noted.size) == (entity, size)
            return noted.held if noted and same else None

        server, likely = sftp.server(client, filename), result_names(filename)
        download = SftpDownload(part, server, choose, self._keeper(part), likely=likely, **self._manner(progress))
        return download.run(earlier)

    def _manner(self, progress: Progress) -> dict[str, t.Any]:
        return {"retries": self._options.retries, "connections": self._options.connections, "progress": progress}

    def _noted_part(self, part: PartFile) -> Fetching | None:
        noted = self._notes.fetching
        same = noted and (noted.part, noted.content, noted.transport) == (part.path, self._content, self.transport)
        return noted if same else None

    def _keeper(self, part: PartFile) -> t.Callable[[str, int, Held], None]:
        """What notes a state of the part."""

        def keep(entity: str, size: int, held: Held) -> None:
            self._notes.note_fetching(Fetching(part.path, self._content, entity, size, self.transport, held))

        return keep


def transport_for(options: TransferOptions, size: int) -> str:
    """``https`` or ``sftp`` for a dump of so many bytes."""
    if options.transport != AUTO:
        return options.transport
    keys = options.sftp.keys
    return (
        SFTP
        if (keys.private_key or keys.private_key_text or keys.public_keys) and size > options.sftp.threshold
        else HTTPS
    )


def falls_back(options: TransferOptions, error: UpgradeError, begun: object) -> bool:
    """Whether ``auto`` goes on by HTTPS: SFTP cannot be used from here, and nothing was moved by it."""
    unusable = (SftpUnreachableError, SftpIncompatibleError)
    return options.transport == AUTO and not begun and isinstance(error, unusable)


def filename_of(status: Status, notes: Notes) -> str:
    """The name of the dump on the platform; what the request was made with where the status document has none."""
    return str(status.detail.get("filename") or notes.filename)

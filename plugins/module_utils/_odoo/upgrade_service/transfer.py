# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dumps and results of today's service: sent and fetched by rsync, in transfers that the platform opens.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import hashlib
import os
import threading
import typing as t
from dataclasses import replace

from ..._core.errors import UpgradeError
from ..._transfer.dump import TransferStats
from ..._transfer.dump_forms import CUSTOM, DIRECTORY, HEAD, SQL, SQL_GZ, ZIP, DamagedError, kind_of
from ..._transfer.folder_dump import FolderDump, folder_sha256
from ..._transfer.ranges import Held, Prefix
from ..._transfer.resume import BrokenOffError
from ..._transfer.rsync_transfer import Job, OpenTransfer, require_same
from ..._transfer.ssh_command import program
from ..failures import passes_by_itself
from ..platform import Download, Upload
from ..records import Fetching, Sending
from ..status import Status
from ..wanted import Handle
from .attempts import Transfers
from .client import DOWNLOAD, UPLOAD

if t.TYPE_CHECKING:
    from ..._core.progress import Progress
    from ..._core.task import Task
    from ..._transfer.ssh_command import SshFolder
    from ..notes import Notes
    from ..platform import Dump
    from ..transfer_options import TransferOptions
    from .client import Opened, ServiceClient
    from .result_part import ResultPart

RSYNC = "rsync"
ROOT = "/data"
SUFFIXES = {CUSTOM: ".dump", DIRECTORY: ".dump", SQL: ".sql", SQL_GZ: ".sql.gz", ZIP: ".zip"}
"""What the platform wants a dump of each form that it takes to be called, after ``origin``."""

FILESTORE, REPORT, LOG = "filestore", "upgrade-report.html", "upgrade.log"
BESIDE_THE_DUMP = (FILESTORE, REPORT, LOG)
NOTHING = Prefix(0, hashlib.sha256().hexdigest())


class ServiceUpload(Upload):
    """One dump to be sent."""

    transport = RSYNC

    def __init__(
        self,
        client: ServiceClient,
        options: TransferOptions,
        dump: Dump,
        notes: Notes,
        task: Task,
        folder: SshFolder,
    ) -> None:
        self._transfers = Transfers(client, UPLOAD, options, task, folder)
        self._dump = dump
        self._notes = notes
        self._task = task

    def prepare(self) -> None:
        for name in ("rsync", "ssh"):
            program(name)
        self._suffix = _suffix_of(self._dump)

    def send(self, handle: Handle, status: Status, progress: Progress) -> TransferStats:
        name = f"origin{self._suffix}"
        # A folder and a file of one name are kept apart: rsync would put the file into the folder.
        there = f"{name}/" if isinstance(self._dump, FolderDump) else name
        self._require_room_for(there)
        self._notes.note_sending(Sending(self._dump.mark, there, Held(NOTHING)))
        digest = _Digest(self._dump)
        job = self._job(name)

        def work(transfer: OpenTransfer, _opened: Opened) -> None:
            transfer.carry(job, progress)
            progress.state("verifying")
            require_same(transfer, job, self._task.warn)

        try:
            self._transfers.run(handle, work)
        except UpgradeError as error:
            if not passes_by_itself(error):
                raise
            raise UpgradeError(f"{error} Run this again to go on where it broke off.", **error.result) from error
        stats = self._transfers.stats
        stats.size, stats.sha256, stats.entity = self._dump.size, digest.value(), there
        self._dump.require_unchanged()
        return stats

    def _require_room_for(self, there: str) -> None:
        """:raises UpgradeError: a dump of another form was sent to this request, and would stay beside this one."""
        sent, sending = self._notes.sent, self._notes.sending
        earlier = sending.name if sending else sent.name if sent else ""
        if earlier and earlier != there:
            raise UpgradeError(
                f"An earlier run sent {earlier}, all of it or a part, which stays on the platform beside {there}. Make "
                "another request for this dump: with another 'request_file', or with 'renew: true'."
            )

    def _job(self, name: str) -> Job:
        path = os.path.abspath(self._dump.path)
        files = None
        if isinstance(self._dump, FolderDump):
            files = {member.name: member.size for member in self._dump.members}
            path = f"{path}/"
        return Job("The upload", True, (path,), f"{ROOT}/{name}", self._dump.size, files, ("--delete-after",))


class ServiceDownload(Download):
    """The result to be fetched."""

    transport = RSYNC

    def __init__(
        self, client: ServiceClient, options: TransferOptions, notes: Notes, task: Task, folder: SshFolder
    ) -> None:
        self._transfers = Transfers(client, DOWNLOAD, options, task, folder)
        self._notes = notes
        self._task = task
        self._folder = folder

    def prepare(self) -> None:
        for name in ("rsync", "ssh"):
            program(name)
        fetched = self._notes.fetched
        if fetched and not self._folder.has_key:
            raise UpgradeError(
                f"The result of request {self._notes.request_id} was fetched to {fetched.dest} at {fetched.at}. Its "
                "ssh key was removed then, so it cannot be fetched again. Copy the result from there, or make another "
                "request with 'renew: true'."
            )

    def fetch(self, part: ResultPart, handle: Handle, status: Status, progress: Progress) -> TransferStats:
        noted = self._notes.fetching
        if not noted or (noted.part, noted.entity) != (part.path, handle.id):
            part.empty()
        target = f"{part.path}/"

        def work(transfer: OpenTransfer, opened: Opened) -> None:
            part.dump_name = opened.dump_name
            source = f"{ROOT}/{opened.dump_name}"
            files = transfer.list_files(source)
            size = sum(files.values())
            part.require_space(size)
            self._note(part, handle, size)
            dump = Job("The download", False, (source,), target, size, files, ("--safe-links",))
            try:
                transfer.carry(dump, progress)
            except BrokenOffError:
                raise
            except UpgradeError as error:
                # It could not be listed either.
                if files or part.size:
                    raise
                raise _no_such_dump(opened, str(error)) from error
            if not os.path.lexists(os.path.join(part.path, opened.dump_name)):
                raise _no_such_dump(opened)
            beside = tuple(f"{ROOT}/{name}" for name in BESIDE_THE_DUMP)
            rest = Job("The download", False, beside, target, options=("--safe-links", "--ignore-missing-args"))
            transfer.carry(rest, progress)
            progress.state("verifying")
            require_same(transfer, replace(rest, sources=(source, *beside), size=size), self._task.warn)

        try:
            self._transfers.run(handle, work)
        finally:
            if part.size:
                self._note(part, handle, part.size)
            else:
                self._notes.note_fetching(None)
        stats = self._transfers.stats
        stats.size, stats.sha256, stats.entity = part.size, _sha256_of(part), part.dump_name
        return stats

    def _note(self, part: ResultPart, handle: Handle, size: int) -> None:
        held = Held(Prefix(part.size, NOTHING.sha256))
        self._notes.note_fetching(Fetching(part.path, "archive", handle.id, size, RSYNC, held))


def _no_such_dump(opened: Opened, words: str = "") -> UpgradeError:
    said = f" ({words.rstrip('.')})" if words else ""
    return UpgradeError(
        f"The platform names {opened.dump_name} as 'dump_name', and there is no such file{said}. Nothing was fetched; "
        "ask Odoo's support."
    )


class _Digest:
    """The hash of a dump, taken while it travels."""

    def __init__(self, dump: Dump) -> None:
        self._dump = dump
        self._result: str | UpgradeError = ""
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._result = self._dump.read_sha256()
        except UpgradeError as error:
            self._result = error

    def value(self) -> str:
        """:raises DumpChangedError: the dump is no longer what was opened."""
        self._thread.join()
        if isinstance(self._result, UpgradeError):
            raise self._result
        return self._result


def _sha256_of(part: ResultPart) -> str:
    """The hash of what was fetched.

    :raises DamagedError: it holds something that is no file, such as a link; it is removed, or it would stay for ever.
    """
    try:
        return folder_sha256(part.path)
    except UpgradeError as error:
        part.empty()
        what = f"What was fetched holds something that is no file: {error}. It was removed; ask Odoo's support."
        raise DamagedError(what) from error


def _suffix_of(dump: Dump) -> str:
    """What the dump's name on the platform ends in. One that nobody knows was not to be checked, and goes as it is."""
    form = DIRECTORY if isinstance(dump, FolderDump) else kind_of(dump.block(0, HEAD))
    return SUFFIXES.get(form, SUFFIXES[CUSTOM])

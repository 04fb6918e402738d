# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a dump is sent to an upgrade request once, and how a later run knows that it was sent.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from dataclasses import replace

from .._core.errors import CallError, UpgradeError
from .._transfer.dump import TransferStats
from .._transfer.recognise import recognise
from .._transfer.verify_upload import check_upload
from .job import is_same_place, opened, refusal
from .open_request import opened_request
from .records import HostJob, Sent, timestamp
from .request import OdooRequest
from .status import Stage, Status

if t.TYPE_CHECKING:
    from .._core.task import Task
    from .options import OdooOptions
    from .platform import Dump
    from .transfer_options import UploadOptions


def upload_once(task: Task, options: OdooOptions, upload: UploadOptions) -> dict[str, t.Any]:
    """The result of odoo_upgrade_upload.

    :raises OptionError: one of the options is bad, or the dump is no whole one; nothing was sent.
    :raises UpgradeError: the request takes no dump any more, or the dump did not arrive whole.
    """
    with opened(upload.src, "src") as dump, opened_request(task, options, writes=True) as request:
        return _Upload(request, upload, dump).result()


class _Upload:
    def __init__(self, request: OdooRequest, options: UploadOptions, dump: Dump) -> None:
        self._request = request
        self._task = request.task
        self._record = request.record
        self._dump = dump
        self._check_dump = options.check_dump
        self._always_read = options.transfer.always_read
        self._upload = request.platform.upload(options.transfer, dump, request.notes, request.task)
        self._form = ""
        self._not_checked: tuple[str, ...] = ()

    def result(self) -> dict[str, t.Any]:
        sent = self._already_sent()
        if not sent:
            self._require_same_job()
            self._upload.prepare()
        self._look_at_dump(before_sending=not sent)
        status = self._request.status() if self._request.exists else None
        if sent:
            return self._answer(status, sent, f"The platform already has this dump, since {sent.at}.")
        if status and status.stage is not Stage.OPEN:
            raise self._too_late(status.state)
        if self._task.check_mode or not status:
            sent = self._note(TransferStats(self._dump.size))
            way = self._upload.transport.upper()
            return self._answer(status, sent, f"The dump would be sent by {way}.", TransferStats())
        started = time.monotonic()
        stats = self._upload.send(self._request.handle, status, self._task.progress)
        duration = time.monotonic() - started
        sent = self._record.sent = self._note(stats)
        self._record.sending = None
        self._record.job = self._job(sent)
        self._request.file.save()
        with contextlib.suppress(CallError):
            status = self._request.status()
        way = self._upload.transport.upper()
        return self._answer(status, sent, f"Sent {stats.size} bytes by {way}.", stats, duration)

    def _job(self, sent: Sent) -> HostJob:
        return HostJob(os.path.abspath(self._dump.path), sent.sha256)

    def _require_same_job(self) -> None:
        """Refuse a dump that differs in path and content from the one that this request was sent.

        :raises OptionError: names both.
        """
        job = self._record.job
        if job and not is_same_place(job, self._dump.path):
            self._task.progress.state("reading")
            if self._dump.read_sha256() != job.sha256:
                raise refusal(self._request.file, self._dump.path, "src")

    def _look_at_dump(self, before_sending: bool) -> None:
        """Recognise the dump; one that is to be sent is read to its end.

        :raises OptionError: it is no whole dump of a form that the platform takes.
        """
        path, env = self._dump.path, self._task.environment
        if not (before_sending and self._check_dump):
            with contextlib.suppress(UpgradeError):
                self._form = recognise(path, env=env).name
            return
        self._task.progress.state("verifying")
        checked = check_upload(path, self._request.platform.takes, self._task.find_program("pg_restore"), env)
        self._form, self._not_checked = checked.form.name, checked.not_checked
        if checked.unread:
            self._task.warn(f"{path} was not read to its end before it was sent: {checked.unread}.")

    def _already_sent(self) -> Sent | None:
        """What was noted of this very dump when it was sent; it is read where its mark alone does not identify it."""
        sent = self._record.sent
        if not sent or sent.mark.size != self._dump.size:
            return None
        if sent.mark != self._dump.mark or self._always_read:
            self._task.progress.state("reading")
            if self._dump.read_sha256() != sent.sha256:
                return None
        # The dump may have been moved, and may be gone from its former path when a later step compares the two.
        news = replace(sent, mark=self._dump.mark), self._job(sent)
        if news == (sent, self._record.job):
            return sent
        self._record.sent, self._record.job = news
        if not self._task.check_mode:
            self._request.file.save()
        return self._record.sent

    def _too_late(self, state: str) -> UpgradeError:
        sent = self._record.sent
        noted = (
            f"it was sent another dump at {sent.at}: {sent.mark.size} bytes with the SHA-256 {sent.sha256}"
            if sent
            else "this request file records no dump that was sent to it"
        )
        return UpgradeError(
            f"Request {self._record.request_id} is in the state {state} and takes no dump any more; {noted}. To "
            f"upgrade {self._dump.path}, make another request: with another 'request_file', or by 'renew: true'.",
            state=state,
        )

    def _note(self, stats: TransferStats) -> Sent:
        return Sent(self._dump.mark, stats.sha256, self._upload.transport, stats.entity, timestamp())

    def _answer(
        self,
        status: Status | None,
        sent: Sent,
        msg: str,
        stats: TransferStats | None = None,
        duration: float = 0.0,
    ) -> dict[str, t.Any]:
        details = {
            "src": os.path.abspath(self._dump.path),
            "size": sent.mark.size,
            "sha256": sent.sha256,
            "form": self._form,
            "not_checked": list(self._not_checked),
            "transport": sent.transport,
            "at": sent.at,
            "duration": round(duration, 3),
            "bytes_sent": stats.moved if stats else 0,
            "resumed_from": stats.resumed_from if stats else 0,
            "breaks": stats.breaks if stats else 0,
            "connections": stats.connections if stats else 0,
        }
        return {"msg": msg, **self._request.result(status, changed=stats is not None, sent=details)}

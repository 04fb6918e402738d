# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Today's upgrade service as one implementation of the seam.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from ..._core.errors import (
    AnswerLostError,
    CallError,
    NotSentError,
    OptionError,
    UnexpectedAnswerError,
    UpgradeError,
)
from ..._core.masking import register_secrets
from ..._transfer.ssh_command import SshFolder, checked_ssh_options, program
from ..failures import may_have_acted
from ..platform import Platform
from ..status import Stage, Status
from ..wanted import Handle, Wanted
from . import wanted as checks
from .client import ServiceClient
from .result_folder import ResultFolder
from .status import created, stage_of, status_of
from .transfer import SUFFIXES, ServiceDownload, ServiceUpload

if t.TYPE_CHECKING:
    from ..._core.http_client import HttpClient
    from ..._core.task import Task
    from ..destination import Destination
    from ..hosts import Hosts
    from ..notes import Notes
    from ..options import RequestOptions, RequestReference
    from ..platform import Dump
    from ..transfer_options import DownloadOptions, TransferOptions

COMPATIBLE = "is_pg_version_compatible"
KEY_FOLDER = ".ssh"
PROGRAMS = ("rsync", "ssh", "ssh-keygen")


class UpgradeService(Platform):
    """The service behind one URL, such as https://upgrade.odoo.com."""

    protocol = "upgrade_service"
    title = "today's upgrade service"
    takes = frozenset(SUFFIXES)
    modules = frozenset(("odoo_upgrade_log", "odoo_upgrade_wipe"))
    after_lost_creation = (
        "The platform may have made a request whose token is unknown here; it can neither be listed nor withdrawn, so "
        "create is not called again. Such a request does no work before a dump is sent to it. To make another one, run "
        "odoo_upgrade_request once with 'renew: true'."
    )

    def __init__(self, http: HttpClient, hosts: Hosts, task: Task) -> None:
        self._client = ServiceClient(http, hosts)
        self._task = task
        self.api_url = http.base_url

    def given(self, reference: RequestReference) -> Handle | None:
        return checks.given(reference)

    def wanted(self, options: RequestOptions) -> Wanted:
        wanted = checks.wanted(options)
        for name in PROGRAMS:
            program(name)
        return wanted

    def ignored(self, options: RequestOptions) -> list[str]:
        return checks.ignored(options)

    def create(self, wanted: Wanted, notes: Notes) -> tuple[Handle, Status]:
        folder, new = _folder(notes), SshFolder(f"{notes.path}{KEY_FOLDER}.new")
        try:
            public_key = new.make_key()
        except UpgradeError as error:
            raise NotSentError("create", f"was not called: {error}") from error
        try:
            made = self._client.create(wanted.contract, {**wanted.fields, "env_vars": []}, public_key)
        except CallError as error:
            if may_have_acted(error):
                folder.replace_by(new)
            else:
                new.remove()
            raise
        folder.replace_by(new)
        register_secrets(made.token)
        if made.info:
            self._task.warn(f"The platform says: {made.info}")
        try:
            host = self._client.allowed_host("create", "assigned_host_uri", made.host)
        except UnexpectedAnswerError as error:
            handle = Handle(made.request_id, made.token)
            return handle, created(handle, problem=str(error))
        handle = Handle(made.request_id, made.token, host)
        return handle, created(handle)

    def fields(self, status: Status) -> dict[str, str]:
        return {}

    def stage_of(self, state: str) -> Stage:
        return stage_of(state)

    def status(self, handle: Handle) -> Status:
        try:
            document = self._client.status(handle.host, handle.secret)
        except (CallError, UnexpectedAnswerError):
            if not handle.host:
                raise
            # The host in charge may have changed, which the front knows.
            document = self._client.status("", handle.secret)
        return status_of(document, handle)

    def start(self, handle: Handle, notes: Notes) -> None:
        if notes.path and not notes.sent:
            raise UpgradeError(
                f"No dump is recorded in {notes.path} as sent and compared with what the platform has. Run "
                "odoo_upgrade_upload first. The upgrade was not started."
            )
        try:
            compatible = self._client.process(handle.host, handle.secret)
        except AnswerLostError:
            notes.note_fact(COMPATIBLE, "")
            raise
        notes.note_fact(COMPATIBLE, "" if compatible is None else str(compatible).lower())

    def log(self, handle: Handle, offset: int) -> bytes:
        return self._client.log(handle.host, handle.secret, offset)

    def wipe(self, handle: Handle, contract: str) -> dict[str, t.Any]:
        wiped, failed = self._client.wipe(contract, handle.secret)
        return {"wiped": wiped, "failed": failed}

    def upload(self, options: TransferOptions, dump: Dump, notes: Notes, task: Task) -> ServiceUpload:
        checks.check_transfer(options)
        checked_ssh_options(options.ssh_options)
        return ServiceUpload(self._client, options, dump, notes, task, _folder_with_key(notes))

    def download(self, options: DownloadOptions, notes: Notes, task: Task) -> ServiceDownload:
        checks.check_download(options)
        checked_ssh_options(options.transfer.ssh_options)
        return ServiceDownload(self._client, options.transfer, notes, task, _folder_with_key(notes))

    def destination(self, options: DownloadOptions, task: Task) -> Destination:
        return ResultFolder(options, task)

    def is_usable(self, notes: Notes) -> bool:
        return _folder(notes).has_key or bool(notes.fetched)

    def release(self, notes: Notes) -> None:
        if notes.path:
            _folder(notes).remove()


def _folder(notes: Notes) -> SshFolder:
    return SshFolder(f"{notes.path}{KEY_FOLDER}")


def _folder_with_key(notes: Notes) -> SshFolder:
    """The folder for a transfer. :raises OptionError: there is no request file for it to be beside."""
    if not notes.path:
        raise OptionError(
            "request_file", "is required: dumps and results travel with the ssh key that was made with the request."
        )
    return _folder(notes)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an upgrade request is made once: from options to a request file that records it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import replace

from .._core.errors import CallError, OptionError, UpgradeError
from .._core.masking import HIDDEN, masked, register_secrets
from .connect import connect
from .failures import Refusal, may_have_acted
from .job import is_other_content, is_same_place, require_same_job
from .notes import Notes
from .open_request import creation_unanswered, given_request, same_request, use_file
from .platform import Platform
from .records import EarlierRequest, Record, intention_of, is_contract
from .request import OdooRequest
from .request_file import RequestFile, RequestFileError, lock_request_file
from .status import Stage, Status
from .wanted import Handle, Wanted

if t.TYPE_CHECKING:
    from .._core.task import Task
    from .options import OdooOptions, RequestOptions

ROOM_FOR_ANSWER = 2048
"""Bytes kept for the handle, so that a disk that fills up during the call does not cost the request."""

ANOTHER = "To make another request, give another 'request_file' or run this once with 'renew: true'."


def create_once(
    task: Task, options: OdooOptions, request: RequestOptions, *, renew: bool, dump: str | None = None
) -> dict[str, t.Any]:
    """The result of odoo_upgrade_request: the request in the file, the one that was given, or a new one.

    :param renew: make another request where the recorded one is for another job, or has ended.
    :param dump: the dump that is meant; None where that is unknown.
    :raises OptionError: one of the options is bad; nothing was sent.
    :raises UpgradeError: the file is about another request, or about one that was never answered.
    :raises CallError: a call failed.
    """
    platform = connect(options, task)
    wanted = platform.wanted(request)
    register_secrets(wanted.contract)
    given = given_request(task, options, platform)
    path = options.request_file
    opened = (
        contextlib.nullcontext(RequestFile.read(path, options.timeout))
        if task.check_mode
        else lock_request_file(path, options.timeout)
    )
    with opened as file:
        use_file(task, platform, file)
        creation = _Creation(OdooRequest(task, platform, file), wanted, dump)
        if renew:
            if given:
                raise OptionError(
                    "renew", "makes another request, but 'request_id' and 'request_key' name an existing one."
                )
            if creation.needs_another():
                return creation.create(platform.ignored(request))
        if file.record.handle:
            require_same_job(file, dump, "dump")
            return creation.use_recorded(given)
        if given:
            return creation.record_given(given)
        if file.record.intention:
            raise creation_unanswered(platform, file)
        return creation.create(platform.ignored(request))


class _Creation:
    """One run of the module, with the file in its hands."""

    def __init__(self, request: OdooRequest, wanted: Wanted, dump: str | None) -> None:
        self._request = request
        self._task = request.task
        self._platform: Platform = request.platform
        self._file = request.file
        self._wanted = wanted
        self._dump = dump

    def needs_another(self) -> bool:
        """Whether ``renew`` makes another request: the recorded one is for another job, has ended, or is unknown.

        A request that was sent the dump that is meant has only ended where there will be no result. So a run that is
        repeated goes on with the request that it made.
        """
        record = self._file.record
        if not record.handle or self._differences():
            return True
        other = is_other_content(record, self._dump)
        if (other and not is_same_place(record.job, self._dump)) or not self._platform.is_usable(Notes(self._file)):
            return True
        try:
            stage = self._request.read().stage
        except Refusal as error:
            if error.is_server_error:
                raise
            return True
        return stage is Stage.FAILED or (stage is Stage.READY and (other or not (self._dump and record.job)))

    def use_recorded(self, given: Handle | None) -> dict[str, t.Any]:
        """The request that the file is about, if it is the one that the options ask for."""
        record = self._file.record
        if given and not same_request(self._request.handle, given):
            raise OptionError(
                "request_id",
                f"or 'request_key' is not that of request {record.request_id} in {self._file.path}. {ANOTHER}",
            )
        self._refuse_another(self._differences(), f"The request {record.request_id} in {self._file.path}")
        return self._result(self._status_of_known(), f"Request {record.request_id} was made before.", changed=False)

    def record_given(self, given: Handle) -> dict[str, t.Any]:
        """Put a request that was made elsewhere into the file."""
        record = self._file.record
        record.protocol, record.api_url, record.handle = self._platform.protocol, self._platform.api_url, given
        status = self._request.read()
        shown = self._platform.fields(status)
        self._refuse_another(self._field_differences({**self._wanted.fields, **shown}), f"The request {given.id}")
        record.intention = intention_of(self._wanted)
        return self._result(status, f"Recorded request {given.id}.", changed=True, save=True)

    def create(self, ignored: t.Sequence[str]) -> dict[str, t.Any]:
        """Make a request with at most one call, with the intention on disk before it.

        :param ignored: options that the platform has no use for, for a warning.
        """
        if self._task.check_mode:
            nothing = OdooRequest(self._task, self._platform, RequestFile.in_memory(Record()))
            return nothing.result(None, changed=True, msg="A request would be made.", request_file=self._file.path)
        former = self._file.record if self._file.exists else None
        intention = intention_of(self._wanted)
        self._file.record = Record(self._platform.protocol, self._platform.api_url, intention, earlier=_earlier(former))
        self._file.save(reserve=ROOM_FOR_ANSWER)
        try:
            handle, status = self._platform.create(self._wanted, Notes(self._file))
        except CallError as error:
            if may_have_acted(error):
                self._file.record.intention = replace(intention, lost_answer=masked(str(error), self._wanted.contract))
                self._file.save()
                raise UpgradeError(f"{error} {self._platform.after_lost_creation}", **error.result) from error
            self._put_back(former)
            raise
        register_secrets(handle.secret)
        self._file.record.handle = handle
        if ignored:
            names = ", ".join(f"'{name}'" for name in ignored)
            self._task.warn(
                f"{self._platform.title.capitalize()} has no use for {names}, which the request leaves out."
            )
        try:
            result = self._result(status, f"Made request {handle.id}.", changed=True, save=True)
        except RequestFileError as error:
            raise UpgradeError(  # pylint: disable=bad-exception-cause
                f"The platform made request {handle.id}, but {error} Its secret was lost with this run, and the "
                "request with it; fix the cause and run this once with 'renew: true'.",
                request_id=handle.id,
            ) from error
        if status.problem:
            del result["msg"]
            raise UpgradeError(f"{status.problem} Request {handle.id} was made and recorded; it is not lost.", **result)
        return result

    def _put_back(self, former: Record | None) -> None:
        """The file as it was before a call of which it is certain that it made no request."""
        if former:
            self._file.record = former
            self._file.save()
        else:
            self._file.remove()

    def _status_of_known(self) -> Status:
        try:
            return self._request.read()
        except Refusal as error:
            if error.is_server_error:
                raise
            where = f"That was asked about request {self._file.record.request_id} of {self._file.path}."
            raise UpgradeError(f"{error} {where} {ANOTHER}", **error.result) from error  # pylint: disable=bad-exception-cause

    def _differences(self) -> dict[str, dict[str, t.Any]]:
        """In what the options ask for another request than the recorded one."""
        intention = self._file.record.intention
        if not intention:
            return {}
        differences = self._field_differences(intention.fields)
        # The content decides about a dump that was sent, not the name that its file has today.
        if self._file.record.job and self._dump and self._wanted.fields.get("filename") == os.path.basename(self._dump):
            differences.pop("filename", None)
        if not is_contract(intention.contract, self._wanted.contract):
            differences["contract"] = {"asked": HIDDEN, "request": HIDDEN}
        return differences

    def _field_differences(self, recorded: t.Mapping[str, str]) -> dict[str, dict[str, t.Any]]:
        asked = self._wanted.fields
        return {
            name: {"asked": asked.get(name), "request": recorded.get(name)}
            for name in sorted({*recorded, *asked})
            if asked.get(name) != recorded.get(name)
        }

    def _refuse_another(self, differences: dict[str, dict[str, t.Any]], what: str) -> None:
        """Fail where the options ask for another request than the recorded one."""
        words = [
            "it was made for another contract"
            if name == "contract"
            else f"{name} is {_shown(two['request'])}, not {_shown(two['asked'])}"
            for name, two in differences.items()
        ]
        if words:
            raise UpgradeError(
                f"{what} differs from what the options ask for: {'; '.join(words)}. {ANOTHER}", differences=differences
            )

    def _result(self, status: Status, msg: str, *, changed: bool, save: bool = False) -> dict[str, t.Any]:
        if save and not self._task.check_mode:
            self._file.record.see(status.state)
            self._file.save_into_reserve()
        self._request.note(status)
        return self._request.result(status, changed=changed, msg=msg, request_file=self._file.path)


def _earlier(former: Record | None) -> tuple[EarlierRequest, ...]:
    if not former:
        return ()
    if not former.handle:
        return former.earlier
    return (*former.earlier, EarlierRequest(former.protocol, former.api_url, former.handle))


def _shown(value: str | None) -> str:
    return f"'{value}'" if value else "not set"

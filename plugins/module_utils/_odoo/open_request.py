# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request that the options name, opened from its file or by its id, and checked against what is recorded.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import typing as t

from .._core.errors import OptionError, UpgradeError
from .._core.masking import register_secrets
from .connect import connect
from .platform import Platform
from .records import Record
from .request import OdooRequest
from .request_file import RequestFile, lock_request_file
from .wanted import Handle

if t.TYPE_CHECKING:
    from .._core.task import Task
    from .options import OdooOptions


@contextlib.contextmanager
def opened_request(task: Task, options: OdooOptions, *, writes: bool, needs: str = "") -> t.Iterator[OdooRequest]:
    """The request that the options name, from its file or by its id.

    :param writes: lock the file against other runs, to write to it. In check mode it is only read.
    :param needs: the module, where not every platform has its call.
    :raises OptionError: one of the options is bad, or there is no such request; nothing was sent.
    :raises UpgradeError: the platform lacks the call, the file cannot be used, or another run holds it.
    """
    platform = connect(options, task)
    if needs:
        platform.require(needs)
    given = given_request(task, options, platform)
    path = options.request_file
    with contextlib.ExitStack() as stack:
        if path and writes and not task.check_mode:
            file = stack.enter_context(lock_request_file(path, options.timeout))
        elif path:
            file = RequestFile.read(path, options.timeout)
        elif given:
            file = RequestFile.in_memory(Record(platform.protocol, platform.api_url, handle=given))
        else:
            raise OptionError("request_file", "is required, or 'request_id' and 'request_key'.")
        use_file(task, platform, file)
        _check_record(task, platform, file, given)
        yield OdooRequest(task, platform, file)


def given_request(task: Task, options: OdooOptions, platform: Platform) -> Handle | None:
    """The request that the options name by its id and secret, or None.

    :raises OptionError: they are incomplete or malformed.
    """
    given = platform.given(options.reference)
    if given:
        register_secrets(given.secret)
    return given


def use_file(task: Task, platform: Platform, file: RequestFile) -> None:
    """Mask the secrets in a request file, and refuse to send them to another platform than the one that made them.

    :raises OptionError: names both.
    """
    register_secrets(*file.record.secrets)
    recorded = file.record.api_url
    if recorded and recorded != platform.api_url:
        raise OptionError(
            "api_url",
            f"is {platform.api_url}, but {file.path} is about a request at {recorded}. Give that URL or another file.",
        )


def creation_unanswered(platform: Platform, file: RequestFile) -> UpgradeError:
    """The failure for a file whose request was asked for and never answered, with the ways out."""
    intention = file.record.intention
    at = intention.at if intention else ""
    answer = intention.lost_answer if intention else ""
    came_back = f"got no answer ({answer.rstrip('.')})" if answer else "was killed before the answer arrived"
    return UpgradeError(
        f"A run at {at} asked the platform for the request of {file.path} and {came_back}. "
        f"{platform.after_lost_creation}",
        intention={"at": at, "fields": dict(intention.fields) if intention else {}, "answer": answer},
    )


def _check_record(task: Task, platform: Platform, file: RequestFile, given: Handle | None) -> None:
    record = file.record
    if record.handle and given and not same_request(record.handle, given):
        raise OptionError(
            "request_id",
            f"or 'request_key' is not that of request {record.request_id} in {file.path}. "
            "Give the file or the two, not both.",
        )
    if record.intention and not record.handle:
        raise creation_unanswered(platform, file)
    if not record.handle and not task.check_mode:
        raise OptionError("request_file", f"{file.path} does not exist; run odoo_upgrade_request first.")


def same_request(recorded: Handle, given: Handle) -> bool:
    """Whether two handles are of the same request. The id may be unknown where the options give a secret alone."""
    return recorded.secret == given.secret and given.id in ("", recorded.id)

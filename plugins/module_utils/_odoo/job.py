# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The job of a request file: the dump that its request was sent, and whether another dump is meant now.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._core.errors import OptionError, UpgradeError
from .._transfer.dump import open_dump
from .._transfer.folder_dump import CONTENTS, open_folder

if t.TYPE_CHECKING:
    from .platform import Dump
    from .records import HostJob, Record
    from .request_file import RequestFile

OWN_FILE = (
    "One request file is for one database. Give each host and database a 'request_file' of its own; to upgrade the "
    "other dump with this file, run odoo_upgrade_request with 'renew: true'."
)


def opened(path: str, option: str) -> t.ContextManager[Dump]:
    """The dump at a path, a file or a folder.

    :raises OptionError: it cannot be read, or is one file of a dump in a folder; names the option.
    """
    folder, name = os.path.split(os.path.abspath(path))
    if name == CONTENTS and os.path.isfile(path):
        raise OptionError(option, f"{path} is the table of contents of a dump in a folder; give the folder, {folder}.")
    return contextlib.nullcontext(open_folder(path, option)) if os.path.isdir(path) else open_dump(path, option)


def is_same_place(job: HostJob | None, path: str | None) -> bool:
    """Whether a path is the one that the job was sent from."""
    return bool(job and path and os.path.abspath(path) == job.dump)


def is_other_content(record: Record, path: str | None) -> bool:
    """Whether the dump at a path has another content than the one that was sent, or is being sent.

    :param path: None where no dump is named: that says nothing.
    :raises OptionError: another dump than the recorded one is named, and it cannot be read.
    """
    if not path or (is_same_place(record.job, path) and not os.path.exists(path)):
        return False
    with opened(path, "dump") as dump:
        known = record.sent or record.sending
        if not known or known.mark == dump.mark:
            return False
        return not record.job or dump.read_sha256() != record.job.sha256


def require_same_job(file: RequestFile, dump: str | None, option: str) -> None:
    """Refuse to go on where the request was sent another dump than the one that is meant.

    A dump at the recorded path may be gone: it is not needed any more. One at another path is read and compared.

    :param dump: as the option gives it; None where no dump is named, which compares nothing.
    :raises OptionError: names both dumps.
    """
    job = file.record.job
    if not job or not dump or is_same_place(job, dump):
        return
    try:
        with opened(dump, option) as there:
            same = there.read_sha256() == job.sha256
    except UpgradeError as error:
        raise OptionError(
            option,
            f"is {os.path.abspath(dump)}, but the request in {file.path} was sent {job.dump}, and the two cannot be "
            f"compared: {error} {OWN_FILE}",
        ) from error
    if not same:
        raise refusal(file, dump, option)


def refusal(file: RequestFile, dump: str, option: str) -> OptionError:
    """The failure for another dump than the one that was sent."""
    job = file.record.job
    sent = f"{job.dump} with the SHA-256 {job.sha256}" if job else "another dump"
    return OptionError(
        option,
        f"is {os.path.abspath(dump)}, but the request in {file.path} was sent another dump: {sent}. {OWN_FILE}",
    )

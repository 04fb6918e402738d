# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the log of an upgrade is read by bytes, added to a file, and followed to the end of the upgrade.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
import typing as t

from .._core.clock import Deadline
from .._core.errors import CallError, OptionError, UpgradeError
from .._core.options import require_positive
from .destination import require_room_for_name
from .failures import passes_by_itself
from .open_request import opened_request
from .request import OdooRequest, last_lines
from .status import BEFORE_RESULT, Stage, Status

if t.TYPE_CHECKING:
    from .._core.task import Task
    from .options import OdooOptions

TAIL = 64 * 1024
MOST_FAILURES = 5
"""Reads of the log in a row that may fail once the upgrade has ended, before the module gives up."""

COMPARED = 1024
"""Bytes at the end of the file that must be at the same place of the platform's log before anything is added."""


def log_arguments() -> dict[str, dict[str, t.Any]]:
    """The options of odoo_upgrade_log."""
    return {
        "dest": {"type": "path"},
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 86400},
        "wait_interval": {"type": "int", "default": 60},
    }


def read_log(task: Task, options: OdooOptions, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The result of odoo_upgrade_log.

    :raises OptionError: one of the options is bad; nothing was sent.
    :raises UpgradeError: the platform has no log, or the file cannot be written.
    """
    require_positive(params, "wait_timeout", "wait_interval")
    dest = os.path.abspath(params["dest"]) if params["dest"] else ""
    with (
        opened_request(task, options, writes=False, needs="odoo_upgrade_log") as request,
        contextlib.ExitStack() as stack,
    ):
        if not request.exists:
            return request.result(None, changed=False, msg="There is no request yet.", log={})
        log = _Log(request, dest, writes=bool(dest) and not task.check_mode)
        stack.callback(log.close)
        deadline = Deadline(params["wait_timeout"])
        status = request.status()
        log.read_on()
        waits = params["wait"] and not task.check_mode
        while waits and (_goes_on(status) or 0 < log.failures < MOST_FAILURES) and not deadline.passed:
            time.sleep(min(params["wait_interval"], deadline.remaining))
            with contextlib.suppress(CallError):
                status = request.look()
            log.read_on()
        log.require_read()
        size, new = log.size, log.received
        details = {"dest": dest, "size": size, "bytes_received": new, "lines": log.lines()}
        done = "Would fetch" if dest and task.check_mode else "Fetched"
        msg = f"{done} {new} bytes of the log of {request.name}."
        return request.result(status, changed=bool(dest and new), msg=msg, log=details)


def _goes_on(status: Status) -> bool:
    return status.stage in BEFORE_RESULT or status.stage is Stage.UNKNOWN


class _Log:
    """The log so far: in the file where one is wanted, its end in memory."""

    def __init__(self, request: OdooRequest, dest: str, *, writes: bool) -> None:
        self._request = request
        if dest:
            _require_place(dest)
        self._writes = writes
        self._file = _opened(dest) if writes and os.path.exists(dest) else None
        self.size = self._file.seek(0, os.SEEK_END) if self._file else _size_of(dest)
        self.received = 0
        self.failures = 0
        self._failure: CallError | None = None
        self._dest = dest
        self._tail = _end_of(dest, self.size) if dest and self.size else b""
        self._to_compare = self._tail[-COMPARED:]

    def read_on(self) -> None:
        """Fetch what is new. A log that cannot be read now is read the next time: it is no verdict.

        :raises OptionError: the file holds another log, such as that of an earlier request.
        """
        try:
            new = self._after_compared() if self._to_compare else self._from(self.size)
        except CallError as error:
            if not passes_by_itself(error):
                raise
            self._request.task.warn(f"The log could not be read: {error}")
            self.failures, self._failure = self.failures + 1, error
            return
        self.failures, self._failure = 0, None
        if not new:
            return
        if self._writes:
            self._file = self._file or _opened(self._dest)
            try:
                self._file.write(new)
                self._file.flush()
            except OSError as error:
                raise UpgradeError(f"{self._file.name} cannot be written: {error.strerror}.") from error
        self.size += len(new)
        self.received += len(new)
        self._tail = (self._tail + new)[-TAIL:]

    def require_read(self) -> None:
        """:raises UpgradeError: the last read failed, so what is known of the log may not be all of it."""
        if self._failure:
            here = f" {self.size} bytes of it are in {self._dest}." if self._file else ""
            raise UpgradeError(f"The log could not be read: {self._failure}{here} Run this again.")

    def _from(self, offset: int) -> bytes:
        return self._request.platform.log(self._request.handle, offset)

    def _after_compared(self) -> bytes:
        """What is new, once the end of the file proved to be of this log. Before there is a log, nothing is proven."""
        known = self._to_compare
        answer = self._from(self.size - len(known))
        if not answer.startswith(known):
            if not answer and not self._from(0):
                return b""
            raise OptionError(
                "dest",
                f"{self._dest} does not hold the log of {self._request.name}, so nothing was added to it. "
                "Give another path, or move the file away.",
            )
        self._to_compare = b""
        return answer[len(known) :]

    def lines(self) -> list[str]:
        """The last lines; none of a file that could not be compared with the log."""
        if self._to_compare:
            return []
        return last_lines(self._tail, self._request.handle.secret)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


def _require_place(dest: str) -> None:
    """:raises OptionError: the file cannot be written, as far as that can be seen without making it."""
    folder = os.path.dirname(dest)
    if os.path.lexists(dest):
        if not os.path.isfile(dest) or os.path.islink(dest):
            raise OptionError("dest", f"{dest} is not a regular file.")
        if not os.access(dest, os.R_OK | os.W_OK):
            raise OptionError("dest", f"the file {dest} cannot be read and written.")
    elif not os.path.isdir(folder):
        raise OptionError("dest", f"the folder {folder} does not exist; make it first.")
    elif not os.access(folder, os.W_OK | os.X_OK):
        raise OptionError("dest", f"the folder {folder} cannot be written to.")
    require_room_for_name(dest, "")


def _opened(dest: str) -> t.IO[bytes]:
    """The file to add to. :raises OptionError: it cannot be written."""
    try:
        descriptor = os.open(dest, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise OptionError("dest", f"the file {dest} cannot be written: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OptionError("dest", f"{dest} is not a regular file.")
    return os.fdopen(descriptor, "r+b")


def _end_of(dest: str, size: int) -> bytes:
    """The last bytes of the file. :raises OptionError: it cannot be read."""
    try:
        with open(dest, "rb") as file:
            file.seek(max(0, size - TAIL))
            return file.read()
    except OSError as error:
        raise OptionError("dest", f"the file {dest} cannot be read: {error.strerror}.") from error


def _size_of(dest: str) -> int:
    try:
        return os.path.getsize(dest) if dest else 0
    except OSError:
        return 0

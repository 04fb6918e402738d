# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this machine remembers of one upgrade request: a JSON file of mode 0600 that outlives every run.

A request cannot be made twice, listed or withdrawn on the platform, so the file is written before it is made (the
intention) and again at once after the answer. Every write replaces the whole file in one step: a run that is killed
leaves the old content or the new one.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
import typing as t
from dataclasses import dataclass, field

from .._core.errors import OptionError, UpgradeError
from .._core.files import (
    LOOK_AGAIN_AFTER,
    BusyError,
    is_locked,
    locked_file,
    remove_if_exists,
    sync_folder_of,
    write_atomically,
    write_into_room,
)
from .records import Record
from .request_json import LONGEST, SCHEMA, NewerSchemaError, from_json, to_json


class RequestFileError(UpgradeError):
    """The file is there and is not one that can be used; it is never overwritten then."""


@dataclass
class RequestFile:
    """The record of one file: from :func:`lock_request_file` or :meth:`read`, or without a file :meth:`in_memory`."""

    path: str
    record: Record = field(default_factory=Record)
    exists: bool = False
    locked: bool = False

    @classmethod
    def read(cls, path: str, seconds: float = 0) -> RequestFile:
        """The file as it is, for looking only; an empty record where there is none.

        :param seconds: how long to wait for another run that is making the request right now.
        :raises BusyError: that run still is.
        :raises OptionError: the path cannot be used.
        :raises RequestFileError: the content cannot be.
        """
        check_path(path)
        record = _load_when_idle(path, seconds)
        return cls(path, record or Record(), exists=record is not None)

    @classmethod
    def in_memory(cls, record: Record) -> RequestFile:
        """A record without a file: :meth:`save` does nothing."""
        return cls("", record, exists=False, locked=True)

    def remove(self) -> None:
        """Remove the file: no request was made."""
        if self.path and self.locked:
            remove_if_exists(self.path)
            sync_folder_of(self.path)
            self.exists = False

    def save(self, reserve: int = 0) -> None:
        """Replace the file by the record; on disk when this returns.

        :param reserve: bytes that the record may grow by, for :meth:`save_into_reserve`.
        :raises RequestFileError: it cannot be written, for example because the disk is full.
        """
        if not self.locked:
            raise RuntimeError("a request file is only written while it is locked")
        if not self.path:
            return
        try:
            write_atomically(self.path, to_json(self.record), room=reserve)
        except OSError as error:
            raise RequestFileError(f"The request file {self.path} cannot be written: {error.strerror}.") from error
        self.exists = True

    def save_into_reserve(self) -> None:
        """As :meth:`save`, for what must not be lost: where there is no room for another file, this one is overwritten.

        A power failure during that can damage it, which the next run notices and refuses.

        :raises RequestFileError: it cannot be written, nor is there a reserve that is large enough.
        """
        try:
            self.save()
        except RequestFileError:
            if not (self.path and write_into_room(self.path, to_json(self.record))):
                raise


@contextlib.contextmanager
def lock_request_file(path: str, seconds: float) -> t.Iterator[RequestFile]:
    """The file, locked against other runs on this machine until the body ends; only the file itself stays behind.

    :param seconds: how long to wait for another run that has locked it.
    :raises BusyError: that run still has it locked.
    :raises OptionError: the path cannot be used.
    :raises RequestFileError: the content cannot be.
    """
    check_path(path)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked_file(lock_path(path), seconds, _busy(path, seconds)))
        except OSError as error:
            raise OptionError("request_file", f"{lock_path(path)} cannot be made: {error.strerror}.") from error
        stack.callback(remove_if_exists, lock_path(path))
        record = _load(path)
        yield RequestFile(path, record or Record(), exists=record is not None, locked=True)


def lock_path(path: str) -> str:
    """The file beside a request file that is there while a run holds it."""
    return f"{path}.lock"


def check_path(path: str) -> None:
    """Refuse a path that no request file can have.

    :raises OptionError: it is empty, holds control characters, or its folder is not there.
    """
    if not path or not path.isprintable():
        raise OptionError("request_file", "is empty or holds control characters; give the path of a file.")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise OptionError("request_file", f"the folder {folder} does not exist; make it first, of mode 0700.")


def _busy(path: str, seconds: float) -> str:
    return (
        f"Another run is using the request file {path}, and did not end in the {seconds:g} seconds that this one "
        "waited. Run this again once that run has ended. The module of a playbook that was killed may still be at work."
    )


def _load_when_idle(path: str, seconds: float) -> Record | None:
    """The record, once no other run is about to add the request that it makes.

    :raises BusyError: another run still is after that time.
    """
    give_up = time.monotonic() + seconds
    record = _load(path)
    while record and record.intention and not record.handle:
        if not _in_use(path):
            # The run may have written and ended between the two looks.
            before, record = record, _load(path)
            if record == before:
                break
        elif time.monotonic() < give_up:
            time.sleep(LOOK_AGAIN_AFTER)
            record = _load(path)
        else:
            raise BusyError(_busy(path, seconds))
    return record


def _in_use(path: str) -> bool:
    try:
        return is_locked(lock_path(path))
    except OSError as error:
        raise OptionError("request_file", f"{lock_path(path)} cannot be read: {error.strerror}.") from error


def _load(path: str) -> Record | None:
    """The record in a file, or None where there is no file.

    :raises RequestFileError: it is not a request file, was cut short, or others than its owner can read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (
            "is a symbolic link; give the file itself" if os.path.islink(path) else f"cannot be read: {error.strerror}"
        )
        raise RequestFileError(f"The request file {path} {reason}.") from error
    with os.fdopen(descriptor, "rb") as file:
        _check_keeping(path, os.fstat(descriptor))
        content = file.read(LONGEST + 1)
    try:
        return from_json(content)
    except NewerSchemaError as error:
        raise RequestFileError(
            f"The request file {path} was written by a newer version of this collection: it has schema {error.schema}, "
            f"and this version reads up to {SCHEMA}. It is left alone. Upgrade the collection on this host."
        ) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RequestFileError(
            f"{path} is not a request file, or was damaged, and is left alone. Put a good copy in its place, or give "
            "another path as 'request_file'. To start anew, move it away: if it described a request, "
            "odoo_upgrade_request can record that request in a new file by 'request_id' and 'request_key'."
        ) from error


def _check_keeping(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RequestFileError(f"{path} is not a regular file; give another path as 'request_file'.")
    if status.st_uid != os.geteuid():
        raise RequestFileError(
            f"The request file {path} belongs to the user with the id {status.st_uid}, and this runs as "
            f"{os.geteuid()}. Run as that user, or change the owner."
        )
    if status.st_mode & 0o077:
        raise RequestFileError(
            f"The request file {path} holds the secret of the request, and other users have access to it (mode "
            f"{stat.S_IMODE(status.st_mode):04o}). If you trust those who had access, run: chmod 600 {path}"
        )

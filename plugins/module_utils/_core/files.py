# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that one process at a time holds.

The lock is the kernel's, so it is gone with the process that held it, however that ended.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t

from .errors import UpgradeError

LOOK_AGAIN_AFTER = 0.2


class BusyError(UpgradeError):
    """Another process holds the file, and still did when the wait was over."""


@contextlib.contextmanager
def exclusive(path: str, seconds: float, busy: str) -> t.Iterator[t.IO[str]]:
    """Open a file of mode 0600, making it where it is missing, and hold it for the body.

    The body may unlink the file while it holds it: whoever waits for it notices and makes a new one.

    :param seconds: how long to wait for another process.
    :param busy: the sentence for the reader when that was not enough.
    :raises BusyError: another process still holds it.
    :raises OSError: the file cannot be opened or made.
    """
    give_up = time.monotonic() + seconds
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
            if _lock(file) and is_still_at(path, file):
                yield file
                return
        if time.monotonic() >= give_up:
            raise BusyError(busy)
        time.sleep(LOOK_AGAIN_AFTER)


def is_held(path: str) -> bool:
    """Whether a process holds the file of :func:`exclusive`; nothing is made where there is none.

    :raises OSError: the file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    with os.fdopen(descriptor, encoding="utf-8") as file:
        return not _lock(file, fcntl.LOCK_SH)


def _lock(file: t.IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_still_at(path: str, file: t.IO[str]) -> bool:
    """Whether the path still names this file: somebody may have unlinked it meanwhile."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False

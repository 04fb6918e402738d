# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Data.fs looked at without ZODB: its last transaction, its lock, and whether it ends in the middle of one.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import struct
import time
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError

MAGIC = (b"FS21", b"FS30")
HEAD = struct.Struct(">8sQc")
LENGTH = struct.Struct(">Q")
VOTED = b"c"
SECONDS_TO_FINISH = 10.0
LOCK = ".lock"


@dataclass(frozen=True)
class LastTransaction:
    """The last finished transaction of a Data.fs, and where it ends."""

    tid: str
    end: int


def last_transaction(path: str, option: str = "data_fs") -> LastTransaction:
    """The last finished transaction.

    A server may be writing one at this moment, so a file that ends in the middle of one is looked at again for some
    seconds.

    :raises OptionError: it is no Data.fs, or has no transaction.
    :raises UpgradeError: it ends in the middle of a transaction, as a damaged file does.
    """
    give_up = time.monotonic() + SECONDS_TO_FINISH
    while True:
        try:
            with open(path, "rb") as file:
                if file.read(4) not in MAGIC:
                    raise OptionError(option, f"{path} is not the Data.fs of a FileStorage.")
                found = _read_last(file)
        except OSError as error:
            raise OptionError(option, f"{path} cannot be read: {error.strerror}.") from error
        if found:
            return found
        if time.monotonic() >= give_up:
            raise UpgradeError(
                f"The file {path} ends in the middle of a transaction and did not change for {SECONDS_TO_FINISH:g} "
                "seconds, so it is damaged, or its server died while it wrote. Start its server, which truncates such "
                "a file to its last whole transaction, and look at what is missing.",
                damaged=path,
            )
        time.sleep(0.2)


def _read_last(file: t.BinaryIO) -> LastTransaction | None:
    """The last finished transaction; None where the file ends in the middle of one."""
    size = end = os.fstat(file.fileno()).st_size
    if end == 4:
        raise OptionError("data_fs", "the file has no transaction, so there is nothing to back up.")
    while end > 4:
        file.seek(max(end - LENGTH.size, 4))
        tail = file.read(LENGTH.size)
        if len(tail) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack(tail)
        start = end - LENGTH.size - length
        if start < 4 or length < HEAD.size:
            return None
        file.seek(start)
        head = file.read(HEAD.size)
        tid, again, status = HEAD.unpack(head)
        if again != length:
            return None
        if status in (b" ", b"u", b"p"):
            return LastTransaction(f"0x{tid.hex()}", end)
        # A transaction that is voted on and not finished yet, at the end of the file.
        if status != VOTED or end != size:
            return None
        end = start
    return None

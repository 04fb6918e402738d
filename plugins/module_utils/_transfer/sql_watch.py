# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SQL that passes by in blocks: its beginning, and whether it ends as pg_dump ends it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re

from .dump_forms import HEAD, SQL_START, DamagedError

CLOSING_LINE = b"-- PostgreSQL database dump complete"
RESTRICT = re.compile(rb"^\\restrict (\w+)\r?$", re.M)


class SqlWatch:
    """Looks at SQL that passes by in blocks: its beginning, and whether it ends as pg_dump ends it."""

    def __init__(self) -> None:
        self.size = 0
        self.head = b""
        self.tail = b""
        self._has_zeros = False

    def see(self, block: bytes) -> None:
        """Take the next block."""
        if len(self.head) < HEAD:
            self.head += block[: HEAD - len(self.head)]
        self.size += len(block)
        self._has_zeros = self._has_zeros or b"\0" in block
        self.tail = block[-HEAD:] if len(block) >= HEAD else (self.tail + block)[-HEAD:]

    def require_whole(self, what: str) -> None:
        """Refuse SQL without its closing lines.

        :param what: the SQL in words, for the message.
        :raises DamagedError: it is empty, or ends too soon.
        """
        if not self.head.strip():
            raise DamagedError(f"{what} is empty.")
        if self._has_zeros:
            raise DamagedError(f"{what} is damaged: it contains zero bytes, which no SQL does.")
        if not SQL_START.search(self.head):
            raise DamagedError(f"{what} is not SQL.")
        place = self.tail.rfind(CLOSING_LINE)
        if place < 0:
            raise DamagedError(
                f"{what} is not whole: it does not end with the line '{CLOSING_LINE.decode()}' of pg_dump."
            )
        opened = RESTRICT.search(self.head)
        if opened and b"\\unrestrict " + opened[1] not in self.tail[place:]:
            raise DamagedError(f"{what} is not whole: its last line '\\unrestrict' is missing.")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of an Odoo that ran: its warnings and errors, and the exception that was the cause.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t

from .._core.text import one_line

LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ \d+ (WARNING|ERROR|CRITICAL) (\S+) (.*)$")
ANY_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ \d+ [A-Z]+ ")
EXCEPTION = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:: .*)?$", re.ASCII)
"""The line of a traceback that says what went wrong; it follows the indented ones."""

MOST_KEPT = 1000
LONGEST_LINE = 64 * 1024
"""Bytes of a line of the log that are looked at: a line with the arguments of a statement has no limit."""


class Complaints:
    """The warnings and errors of a log of Odoo that passes by in blocks, whatever its length."""

    def __init__(self) -> None:
        self.seen = 0
        self.has_lines = False
        self._begun = b""
        self._errors: list[dict[str, str]] = []
        self._warnings: list[dict[str, str]] = []
        self._latest: dict[str, str] | None = None
        self._in_traceback = False

    def see(self, block: bytes) -> None:
        """Take the next block."""
        self.seen += len(block)
        *lines, rest = (self._begun + block).split(b"\n")
        for line in lines:
            self._look_at(line)
        self._begun = rest[:LONGEST_LINE]

    def found(self) -> list[dict[str, str]]:
        """Those that were found, the errors first. The last block was seen."""
        self._look_at(self._begun)
        self._begun = b""
        return [{"level": each["level"], "text": self._text(each)} for each in (*self._errors, *self._warnings)]

    @property
    def cause(self) -> str:
        """The first error that an exception was the reason of, or the first one: Odoo says first that it failed."""
        texts = [self._text(each) for each in sorted(self._errors, key=lambda each: not each["reason"])]
        return texts[0] if texts else ""

    @staticmethod
    def _text(line: t.Mapping[str, str]) -> str:
        return line["text"].rstrip(". ") + (f": {line['reason']}" if line["reason"] else "")

    def _look_at(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        match = LOG_LINE.match(text)
        self.has_lines = self.has_lines or bool(ANY_LINE.match(text))
        if match:
            kept = self._warnings if match[1] == "WARNING" else self._errors
            self._in_traceback = False
            self._latest = {"level": match[1], "text": one_line(match[3], 300), "reason": ""}
            # Python repeats a warning of its own for each module that gives cause for it.
            if len(kept) < MOST_KEPT and (kept is self._errors or self._latest not in kept):
                kept.append(self._latest)
        elif ANY_LINE.match(text):
            self._latest = None
            self._in_traceback = False
        elif text.startswith("Traceback (most recent call last)"):
            self._in_traceback = True
        elif self._latest and self._in_traceback and EXCEPTION.match(text):
            # The last exception of several is the one that was not handled.
            self._latest["reason"] = one_line(text, 300)
            self._in_traceback = False

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of rsync: its options, its progress as it is printed, its silence, and the words for how it ended.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import subprocess
import time
import typing as t
from dataclasses import dataclass, field

from .._core.errors import UpgradeError
from .._core.text import one_line
from .resume import BrokenOffError
from .ssh_command import program, quiet_environment

PROGRESS = re.compile(r"\s*(\d+)\s+\d+%")
SENT_FILE = re.compile(r"\(xfr#[1-9]")
LITERAL, MATCHED = re.compile(r"Literal data: (\d+) bytes"), re.compile(r"Matched data: (\d+) bytes")
CHANGE = re.compile(r"(?:[<>ch][fLDS]\S{9}|\*deleting) +(.*)")
"""A line of ``--itemize-changes`` about data; those that begin with a dot are about attributes alone."""

REFUSED_KEY = ("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED", "host key is known for")
LONGEST_WORDS = 64 * 1024
LONGEST_LINES = 10_000
SLOWEST_READ = 20 * 1024 * 1024
"""Bytes that the slowest disk reads in a second: while rsync compares a file, it says nothing."""

UNREACHABLE = 255
BROKEN_OFF = frozenset((10, 12, 20, 30, 35, UNREACHABLE))
"""rsync's exit codes for a connection that failed; 12 and 255 are those of a refused command or key too."""


class HostKeyRefused(UpgradeError):
    """The server did not show the key that it should have, so nothing was sent to it."""


@dataclass
class Run:
    """What one run of rsync did.

    ``done`` is the last count of bytes, those that were there before included; ``changes`` the names of files whose
    data differed; ``literal`` the bytes that went over the network, as far as that is known.
    """

    status: int = 0
    words: str = ""
    done: int = 0
    first: int = 0
    literal: int = 0
    matched: int = 0
    sent_files: bool = False
    changes: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    silent: bool = False

    @property
    def moved(self) -> int:
        """Bytes that were sent or received."""
        return self.literal or max(0, self.done - self.first)

    def require_success(self, what: str) -> None:
        """:raises UpgradeError: rsync failed, in its own words and those of ssh."""
        if not self.status and not self.silent:
            return
        if any(word in self.words for word in REFUSED_KEY):
            raise HostKeyRefused(
                f"{what}: the server did not show the key that the platform named in 'known_hosts'. Nothing was sent "
                "to it. This can be a man-in-the-middle attack; run again, and ask Odoo's support if it stays so: "
                f"{self.explanation}."
            )
        if self.silent:
            raise BrokenOffError(f"{what} was ended: rsync said nothing for too long.")
        message = f"{what} failed with rsync's exit status {self.status}: {self.explanation}."
        if self.status in BROKEN_OFF:
            raise BrokenOffError(message)
        raise UpgradeError(message)

    @property
    def explanation(self) -> str:
        """The words of ssh and rsync on one line, without what they repeat."""
        lines = [line for line in self.words.splitlines() if line.strip() and not line.startswith("@@@")]
        return one_line("; ".join(dict.fromkeys(lines)), 600).rstrip(".") or "it gives no reason"


class Rsync:
    """One process, and a way to end it from another thread.

    :param folder: the working directory, which holds key and known_hosts.
    :param patterns: text for ``--include-from=-``.
    :param moved: called with the count of bytes as it grows.
    :param silence: seconds without a word after which it is ended.
    """

    def __init__(
        self,
        arguments: t.Sequence[str],
        folder: str,
        *,
        patterns: str = "",
        moved: t.Callable[[int], None] = lambda _count: None,
        silence: float,
    ) -> None:
        self._command = [program("rsync"), *arguments]
        self._folder = folder
        self._patterns = patterns
        self._moved = moved
        self._silence = silence
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self) -> Run:
        """Run it to its end."""
        run = Run()
        try:
            process = self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                self._command,
                cwd=self._folder,
                env=quiet_environment(),
                stdin=subprocess.PIPE if self._patterns else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise UpgradeError(f"rsync cannot be started: {error.strerror}.") from error
        try:
            if process.stdin:
                with contextlib.suppress(BrokenPipeError), process.stdin:
                    process.stdin.write(self._patterns.encode())
            if self._stopped:
                process.terminate()
            self._listen(process, run)
            run.status = process.wait(self._silence)
        except subprocess.TimeoutExpired:
            run.silent = True
        finally:
            self._end(process)
        return run

    def stop(self) -> None:
        """Have it end; it keeps what it can."""
        self._stopped = True
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def _listen(self, process: subprocess.Popen[bytes], run: Run) -> None:
        """Read both outputs until they end, or until there was silence for too long."""
        rest = b""
        last = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for output in (process.stdout, process.stderr):
                if output:
                    selector.register(output, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(1.0)
                if not ready and time.monotonic() - last > self._silence:
                    run.silent = True
                    return
                for key, _events in ready:
                    last = time.monotonic()
                    block = os.read(key.fd, 64 * 1024)
                    if not block:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is process.stderr:
                        run.words = (run.words + block.decode("utf-8", "replace"))[-LONGEST_WORDS:]
                    else:
                        *lines, rest = re.split(rb"[\r\n]", (rest + block)[-LONGEST_WORDS:])
                        self._read(lines, run)
        self._read([rest], run)

    def _read(self, lines: t.Sequence[bytes], run: Run) -> None:
        for raw in lines:
            line = raw.decode("utf-8", "replace")
            found = PROGRESS.match(line)
            if found:
                run.first = run.first or int(found[1])
                run.done = max(run.done, int(found[1]))
                run.sent_files = run.sent_files or bool(SENT_FILE.search(line))
                self._moved(run.done)
                continue
            for counter, pattern in (("literal", LITERAL), ("matched", MATCHED)):
                number = pattern.match(line)
                if number:
                    setattr(run, counter, int(number[1]))
            change = CHANGE.match(line)
            if change:
                run.changes.append(change[1])
            if line and len(run.lines) < LONGEST_LINES:
                run.lines.append(line)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def silence_for(size: int, timeout: float) -> float:
    """Seconds that rsync may say nothing about files of so many bytes, which it may have to read first."""
    return max(60.0, 4 * timeout) + 2 * size / SLOWEST_READ

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program of the system: run with a deadline, fed and read in blocks, and ended together with this process.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import re
import signal
import subprocess
import threading
import typing as t
from dataclasses import dataclass

from .errors import UpgradeError
from .text import one_line

MOST_TEXT = 64 * 1024
"""Bytes kept of what a program writes to standard error: the first ones, which name the cause."""

PR_SET_PDEATHSIG = 1


class ToolError(UpgradeError):
    """A program is missing, failed, or did not end in time."""


class LateError(ToolError):
    """A program did not end in time and was stopped."""


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it wrote."""

    status: int
    output: bytes
    errors: str

    @property
    def words(self) -> str:
        """What the program said of a failure, on one line, without what it repeats for context."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        telling = [line for line in lines if re.search(r"\b(ERROR|FATAL|error|fatal|DETAIL|HINT):", line)]
        if not telling and any(line.startswith("Traceback (most recent") for line in lines):
            # What was called from where is for the authors of a program in Python; its last line is what went wrong.
            telling = lines[-1:]
        words = " ".join(dict.fromkeys(telling or lines)) or f"it ended with status {self.status} and no message"
        return one_line(words, 600)


class Running:
    """A program that was started: fed through its standard input, read from its standard output, and ended in time.

    It is killed with this process, also when that is killed itself, so that no orphan goes on with the work.
    """

    def __init__(
        self,
        command: t.Sequence[str],
        env: t.Mapping[str, str],
        seconds: float,
        *,
        stdin: t.Any = subprocess.DEVNULL,
        stdout: t.Any = subprocess.PIPE,
        watch: t.Callable[[bytes], None] | None = None,
    ) -> None:
        """:param watch: sees all that it writes to standard error, of which only the first bytes are kept."""
        self.name = os.path.basename(command[0])
        self.seconds = seconds
        self.late = False
        self._errors = bytearray()
        self._watch = watch
        try:
            # run_command of AnsibleModule has no deadline and keeps all output in memory.
            self.process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                env=dict(env),
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one call into the C library
            )
        except OSError as error:
            raise ToolError(f"{command[0]} cannot be run: {error.strerror}.") from error
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def _read_errors(self) -> None:
        errors = t.cast(io.BufferedReader, self.process.stderr)
        with contextlib.suppress(OSError, ValueError):
            while block := errors.read1(MOST_TEXT):
                self._errors += block[: max(0, MOST_TEXT - len(self._errors))]
                if self._watch:
                    self._watch(block)

    def _expire(self) -> None:
        self.late = True
        self.kill()

    @property
    def said(self) -> str:
        """What it has written to standard error so far."""
        return self._errors.decode("utf-8", "replace")

    def kill(self) -> None:
        """End it and all that it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def output(self) -> t.IO[bytes]:
        """Its standard output, where that is a pipe."""
        return t.cast(t.IO[bytes], self.process.stdout)

    def write(self, data: bytes) -> bool:
        """Feed it; whether it still reads."""
        try:
            t.cast(t.IO[bytes], self.process.stdin).write(data)
        except (BrokenPipeError, ValueError):
            return False
        return True

    def end(self, output: bytes = b"") -> Ended:
        """Wait until it ends.

        :raises LateError: it did not end in time.
        """
        with contextlib.suppress(OSError, ValueError):
            if self.process.stdin:
                self.process.stdin.close()
        self.process.wait()
        self._timer.cancel()
        self._reader.join(5)
        with contextlib.suppress(OSError):
            for stream in (self.process.stdout, self.process.stderr):
                if stream:
                    stream.close()
        if self.late:
            raise LateError(
                f"{self.name} did not end within {self.seconds:g} seconds and was stopped. "
                "Give it more time with the option 'timeout', or find out what it waits for."
            )
        return Ended(self.process.returncode, output, self._errors.decode("utf-8", "replace"))

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_error: t.Any) -> None:
        if self.process.poll() is None:
            self.kill()
        with contextlib.suppress(ToolError):
            self.end()


def run(
    command: t.Sequence[str],
    env: t.Mapping[str, str],
    seconds: float,
    *,
    text: str | None = None,
    watch: t.Callable[[bytes], None] | None = None,
) -> Ended:
    """Run a program to its end, with a text as its standard input.

    :param watch: as that of :class:`Running`.
    :raises ToolError: it cannot be run or did not end in time.
    """
    stdin = subprocess.DEVNULL if text is None else subprocess.PIPE
    with Running(command, env, seconds, stdin=stdin, watch=watch) as running:
        feeder = None
        if text is not None:
            # In a thread, so that a program that writes before it has read everything stops nobody.
            feeder = threading.Thread(target=_feed, args=(running, text.encode("utf-8", "surrogatepass")), daemon=True)
            feeder.start()
        output = running.output.read()
        if feeder:
            feeder.join(5)
        return running.end(output)


def _feed(running: Running, data: bytes) -> None:
    running.write(data)
    with contextlib.suppress(OSError, ValueError):
        if running.process.stdin:
            running.process.stdin.close()


_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    """Have the kernel kill the child when its parent ends. Where the kernel does not know that, nothing happens."""
    with contextlib.suppress(AttributeError):
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

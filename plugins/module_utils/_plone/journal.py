# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this machine remembers of a change that it has posted, until it knows how the change ended.

A server goes on with an upgrade when its client is gone (measured), and shows no sign of it until it commits. So only
the machine that posted an upgrade knows that it is under way: it keeps one small file for each site, locked while a run
may post, and left behind by a run that was killed.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import typing as t
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from .._core.errors import UpgradeError
from .._core.files import BusyError, is_still_at, locked_file

API_PREFIX = "/++api++"

LATEST = 253402300799
"""The last second that has four digits for its year."""

LONGEST_ENTRY = 4096
"""Bytes; an entry has about a hundred."""

UPGRADE_WORDS = "the upgrade from "
"""How the words for an upgrade of the core begin; no others do."""

BELIEVED_AT_LEAST = 600
"""Seconds for which a change without an answer is believed to be under way, however short a wait was asked for."""

CLOCK_CORRECTION = 60
"""Seconds by which a clock may have been set between two runs."""


@dataclass(frozen=True)
class Posted:
    """A change that was posted and whose end is unknown; times in seconds since the epoch.

    ``what`` names it in words, such as ``the upgrade from 6018``; the same words ask for it again.

    ``believed_until`` is when the next run may assume that the server does not work on it any more.
    """

    posted_at: float
    believed_until: float
    what: str

    @classmethod
    def now(cls, what: str, wait_timeout: float) -> Posted:
        """A change that is posted now, by a run that waits ``wait_timeout`` seconds."""
        posted_at = time.time()
        return cls(posted_at, posted_at + max(2 * wait_timeout, BELIEVED_AT_LEAST), what)

    def seconds_ago(self) -> float:
        """How long ago it was posted, at least: the clock of this machine may have been set since."""
        return time.time() - self.posted_at - CLOCK_CORRECTION

    @property
    def may_be_running(self) -> bool:
        """Whether the server may still work on it; a clock that was set back does not make it run for ever."""
        return self.posted_at <= time.time() < self.believed_until


class SiteJournal:
    """The locked file of one site; see :func:`open_journal`. Without a file it remembers nothing."""

    def __init__(self, path: str = "", file: t.IO[str] | None = None) -> None:
        self.path = path
        self._file = file

    @property
    def remembers(self) -> bool:
        """Whether there is a file to write to."""
        return self._file is not None

    @property
    def entry(self) -> Posted | None:
        """What an earlier run posted, if the server may still work on it."""
        if self._file is None:
            return None
        try:
            entry = Posted(**json.loads(os.pread(self._file.fileno(), LONGEST_ENTRY, 0)))
            return entry if isinstance(entry.what, str) and entry.may_be_running else None
        except (ValueError, TypeError, RecursionError):
            # It is written before anything is posted: a file cut short by a kill means that nothing was posted.
            return None

    def posted(self, what: str) -> Posted | None:
        """This change as an earlier run posted it, if the server may still work on it."""
        entry = self.entry
        return entry if entry and entry.what == what else None

    def advice(self, entry: Posted) -> str:
        """What a reader should know and do about a change whose end is unknown."""
        until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(min(entry.believed_until, LATEST)))
        return (
            "The server may still be at work: it goes on without its client and shows nothing until it commits. Look "
            "at its log and its processor load. Run this again to go on waiting: nothing is posted a second time "
            f"before {until}. If you know that the server was restarted, remove {self.path} and run again at once."
        )

    def write(self, entry: Posted) -> None:
        """Remember a change that is about to be posted; on disk when this returns.

        :raises UpgradeError: there is a file, and it cannot be written.
        """
        if self._file is None:
            return
        try:
            os.ftruncate(self._file.fileno(), 0)
            os.pwrite(self._file.fileno(), json.dumps(asdict(entry)).encode(), 0)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise UpgradeError(
                f"Nothing was posted, because {self.path}, which keeps a record of it in case this run is killed, "
                f"cannot be written to: {error.strerror}."
            ) from error

    def clear(self) -> None:
        """Remove the entry: how the change ended is known."""
        if self._file is not None:
            os.ftruncate(self._file.fileno(), 0)
            os.fsync(self._file.fileno())


def clear_if_finished(url: str, is_finished: t.Callable[[Posted], bool]) -> None:
    """Remove the entry of a killed run, if what was just read of the site shows that the change is done.

    Otherwise the next run would wait for the change again after it was undone. It neither waits nor fails: at
    worst the entry stays a while longer.
    """
    if os.path.exists(_path(url)):
        with contextlib.suppress(BusyError, OSError), open_journal(url, 0) as journal:
            entry = journal.entry
            if entry is None or is_finished(entry):
                journal.clear()


@contextlib.contextmanager
def open_journal(url: str, seconds: float) -> t.Iterator[SiteJournal]:
    """Open and lock the journal of a site for the body; its file is removed at the end unless it has an entry.

    :param seconds: how long to wait for another run on this machine.
    :raises BusyError: that run still has the journal locked.
    """
    busy = (
        f"Another run on this machine is upgrading {url}, and did not end in the {seconds:g} seconds that this one "
        "waited. Run this again once it has ended."
    )
    path = _path(url)
    with contextlib.ExitStack() as stack:
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            file = stack.enter_context(locked_file(path, seconds, busy))
        except OSError:
            file = None
        try:
            yield SiteJournal(path if file else "", file)
        finally:
            if file is not None and os.fstat(file.fileno()).st_size == 0 and is_still_at(path, file):
                os.unlink(path)


def _path(url: str) -> str:
    return state_file(url, "plone")


def state_file(url: str, kind: str, more: str = "") -> str:
    """The path of a file with what this machine remembers of a site; ``more`` tells several of a kind apart."""
    parts = urlsplit(url.removesuffix(API_PREFIX))
    site = f"{parts.scheme}://{parts.netloc.lower()}{parts.path}"
    name = hashlib.sha256(f"{site} {more}".rstrip().encode()).hexdigest()[:32]
    folder = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(folder, "siteops.upgrades", f"{kind}-{name}.json")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this machine remembers of an upgrade that it has posted, until it knows how that ended.

A server goes on with an upgrade when its client is gone (measured), and shows no sign of it until it commits. So the
only witness of an upgrade under way is the machine that posted it: one small file for each site, held while a run may
post, and left behind by a run that was killed.

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

from ._lock import exclusive

API_PREFIX = "/++api++"


@dataclass(frozen=True)
class PostedUpgrade:
    """An upgrade that was posted and not seen to end; times in seconds since the epoch.

    ``believed_until`` is when the next run may take it that the server is not at it any more.
    """

    posted_at: float
    believed_until: float
    instance: str

    @property
    def may_be_running(self) -> bool:
        """Whether the server may still be at it; a clock that was set back does not make it run for ever."""
        return self.posted_at <= time.time() < self.believed_until


class SiteJournal:
    """The open file of one site; see :func:`open_journal`. With no file it remembers nothing."""

    def __init__(self, path: str = "", file: t.IO[str] | None = None) -> None:
        self.path = path
        self._file = file

    @property
    def remembers(self) -> bool:
        """Whether there is a file to remember with."""
        return self._file is not None

    def posted(self) -> PostedUpgrade | None:
        """The upgrade that an earlier run posted, if it may be running still."""
        if self._file is None:
            return None
        self._file.seek(0)
        try:
            entry = PostedUpgrade(**json.load(self._file))
            return entry if entry.may_be_running else None
        except (ValueError, TypeError):
            # Written before anything is posted: a file cut short by a kill means that nothing was.
            return None

    def write(self, entry: PostedUpgrade) -> None:
        """Remember an upgrade that is about to be posted; on disk when this returns."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            json.dump(asdict(entry), self._file)
            self._file.flush()
            os.fsync(self._file.fileno())

    def clear(self) -> None:
        """Forget: how it ended is known."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            os.fsync(self._file.fileno())


@contextlib.contextmanager
def open_journal(url: str, seconds: float) -> t.Iterator[SiteJournal]:
    """Hold the journal of a site; its file is removed at the end unless it remembers something.

    :param seconds: how long to wait for another run on this machine that holds it.
    :raises BusyError: that run still holds it.
    """
    busy = f"Another run on this machine has been upgrading {url} for the {seconds:g} seconds that this one waited."
    path = _path(url)
    with contextlib.ExitStack() as stack:
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            file = stack.enter_context(exclusive(path, seconds, busy))
        except OSError:
            file = None
        try:
            yield SiteJournal(path if file else "", file)
        finally:
            if file is not None and os.fstat(file.fileno()).st_size == 0:
                os.unlink(path)


def _path(url: str) -> str:
    parts = urlsplit(url.removesuffix(API_PREFIX))
    name = hashlib.sha256(f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".encode()).hexdigest()[:32]
    folder = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(folder, "siteops.upgrades", f"plone-{name}.json")

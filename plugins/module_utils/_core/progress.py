# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress of long work, reported by a module while it works.

A module cannot print: its only output is its result. So it keeps a small file in the temporary folder that Ansible made
for this very task, and an action plugin on the controller reads it and prints the lines.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import typing as t

from .files import write_atomically

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

FILE_NAME = "siteops_upgrades_progress.json"
"""The file in the task's temporary folder: a JSON object with ``at`` and either ``done`` and ``total`` or ``state``
and ``at_most``, see :class:`Progress`. ``at`` is the module's monotonic clock in seconds, good for differences only."""

DEFAULT_INTERVAL = 10
"""Seconds between two lines, where the option does not say otherwise."""

WRITE_SECONDS = 1.0
"""The shortest time between two notes of bytes, so that progress costs nothing beside the transfer."""


def progress_arguments() -> dict[str, dict[str, t.Any]]:
    """The option of the modules that report progress; documented in the fragment ``progress``."""
    return {"progress_interval": {"type": "int", "default": DEFAULT_INTERVAL}}


class Progress:
    """Reports progress, if the controller may read it. It never fails, and never disturbs the work.

    Nothing is written without a module, in check mode, where the option ``progress_interval`` is 0 or missing, and
    where the controller made no temporary folder. It may be called by several threads, as often as they like.
    """

    def __init__(self, module: AnsibleModule | None) -> None:
        self._path = ""
        # Not the property 'tmpdir': it makes a folder where the controller made none, and would not look.
        folder = getattr(module, "_tmpdir", None)
        if module and folder and not module.check_mode and module.params.get("progress_interval"):
            self._path = os.path.join(folder, FILE_NAME)
        self._lock = threading.Lock()
        self._next_write = 0.0
        self._state = ""
        self._ended: int | None = None

    def moved(self, done: int, total: int | None) -> None:
        """A transfer is under way.

        :param done: bytes of the whole that are safe so far, those of earlier runs included.
        :param total: bytes of the whole; None where that is unknown.
        """
        # The end is reported at once, and once: much may come after it, without another call.
        is_end = done == total and total != self._ended
        if not self._path or (time.monotonic() < self._next_write and not is_end):
            return
        # A thread that comes while another one writes has nothing newer to say, but for the end.
        if self._lock.acquire(blocking=is_end, timeout=WRITE_SECONDS if is_end else -1):
            try:
                self._state = ""
                self._ended = total if done == total else None
                self._write({"done": done, "total": total})
            finally:
                self._lock.release()

    def state(self, name: str, at_most: float | None = None) -> None:
        """Something is waited for.

        :param name: what is waited for, in a word or two that go before "for 5 min": "processing", "verifying".
        :param at_most: seconds until the module gives up; None where it does not.
        """
        if self._path and self._lock.acquire(timeout=WRITE_SECONDS):
            try:
                if name != self._state:
                    self._state = name
                    self._write({"state": name, "at_most": at_most})
            finally:
                self._lock.release()

    def _write(self, note: dict[str, t.Any]) -> None:
        now = time.monotonic()
        self._next_write = now + WRITE_SECONDS
        # The folder may belong to the user that logged in, and this process to root: a link in it is not followed.
        # The controller may run as that user, so all who can enter the folder may read the file; it contains no secret.
        with contextlib.suppress(OSError, ValueError):
            write_atomically(self._path, json.dumps({"at": now, **note}), mode=0o644, sync=False)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transfers of one kind, opened again after a break until all of it is over or the tries are used up.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import typing as t

from ..._core.errors import CallError, UpgradeError
from ..._transfer.dump import TransferStats
from ..._transfer.resume import BrokenOffError, Retries
from ..._transfer.rsync_transfer import Manner, OpenTransfer
from ..failures import passes_by_itself
from ..wanted import Handle

if t.TYPE_CHECKING:
    from ..._core.task import Task
    from ..._transfer.ssh_command import SshFolder
    from ..transfer_options import TransferOptions
    from .client import Opened, ServiceClient


class Transfers:
    """Opens transfers of one kind again and again, until everything is over or the tries are used up."""

    def __init__(
        self, client: ServiceClient, what: str, options: TransferOptions, task: Task, folder: SshFolder
    ) -> None:
        self._client = client
        self._what = what
        self._task = task
        self._folder = folder
        self._retries = Retries(options.retries)
        self._manner = Manner(folder, options.timeout, options.connections, options.retries, tuple(options.ssh_options))
        self._plain = False
        self._single = False
        self.stats = TransferStats()

    def run(self, handle: Handle, work: t.Callable[[OpenTransfer, Opened], None]) -> None:
        """Do the work in an open transfer; after a break in another one, which goes on where the first one ended.

        :raises UpgradeError: the platform refuses, or too many tries brought nothing.
        """
        self._folder.require_key()
        transfer: OpenTransfer | None = None
        while True:
            furthest = 0
            try:
                opened = self._client.start(handle.host, handle.secret, self._what)
                with self._folder.known_hosts(opened.server.known_hosts):
                    transfer = OpenTransfer(
                        opened.server, self._manner, self.stats, plain=self._plain, single=self._single
                    )
                    work(transfer, opened)
                break
            except (BrokenOffError, CallError) as error:
                self._stop(handle)
                if not passes_by_itself(error):
                    raise
                furthest = transfer.furthest if transfer else 0
                self.stats.breaks += 1
                self._retries.pause_after(error, furthest)
                # Where nothing was let through, it may be the options that are refused: try the platform's own.
                self._plain = not self._plain if isinstance(error, BrokenOffError) and not furthest else self._plain
                self._single = bool(transfer and transfer.single)
                handle = self._moved(handle)
            except BaseException:
                self._stop(handle)
                raise
        self._close(handle)

    def _close(self, handle: Handle) -> None:
        """End the transfer, which may be asked for again.

        :raises CallError: it stays open; the platform would not process then.
        """
        while True:
            try:
                return self._client.stop(handle.host, handle.secret)
            except CallError as error:
                if not passes_by_itself(error):
                    raise
                self._retries.pause_after(error, 0)

    def _stop(self, handle: Handle) -> None:
        with contextlib.suppress(UpgradeError):
            self._client.stop(handle.host, handle.secret)

    def _moved(self, handle: Handle) -> Handle:
        """The handle with the host that is in charge now."""
        for host in (handle.host, ""):
            with contextlib.suppress(CallError):
                document = self._client.status(host, handle.secret)
                return Handle(handle.id, handle.secret, str(document["host_uri"]))
        return handle

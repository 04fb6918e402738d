# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The seam: what an upgrade platform of Odoo can do, whichever protocol it speaks.

Modules and roles decide by ``Stage`` and call a :class:`Platform`. What the protocol calls its states, its URLs and
its fields stays inside the implementation, which :mod:`connect` chooses.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from abc import ABC, abstractmethod

from .._core.errors import UpgradeError
from .status import Stage, Status
from .wanted import Handle, Wanted

if t.TYPE_CHECKING:
    from .._core.progress import Progress
    from .._core.task import Task
    from .._transfer.dump import DumpFile, TransferStats
    from .._transfer.folder_dump import FolderDump
    from .destination import Destination
    from .notes import Notes
    from .options import RequestOptions, RequestReference
    from .transfer_options import DownloadOptions, TransferOptions

    Dump = t.Union[DumpFile, FolderDump]


class Upload(ABC):
    """One dump to be sent to one request. Bad options are found when it is made."""

    transport: str
    """How it is sent, in a word for people and results."""

    def prepare(self) -> None:
        """Check what is needed beyond the options, such as keys; called before the first request.

        :raises OptionError: names the option.
        """
        return

    @abstractmethod
    def send(self, handle: Handle, status: Status, progress: Progress) -> TransferStats:
        """Send all of it.

        :raises UpgradeError: it did not arrive whole. What can be resumed was noted.
        """


class Download(ABC):
    """The result of one request to be fetched. Bad options are found when it is made."""

    transport: str
    """How it is fetched, in a word for people and results."""

    def prepare(self) -> None:
        """As :meth:`Upload.prepare`."""
        return

    @abstractmethod
    def fetch(self, part: t.Any, handle: Handle, status: Status, progress: Progress) -> TransferStats:
        """Fetch all of it.

        :param part: what :meth:`Destination.open` gave.
        :raises UpgradeError: it did not arrive whole. What can be resumed was noted.
        """


class Platform(ABC):
    """One platform, reached through one URL. Every call raises ``CallError`` where it fails."""

    protocol: t.ClassVar[str]
    """The name that the request file keeps."""

    title: t.ClassVar[str]
    """The name for people."""

    takes: t.ClassVar[frozenset[str]]
    """The forms of a dump that the platform is known to take."""

    after_lost_creation: t.ClassVar[str]
    """What to do after a call that makes a request and whose answer was lost."""

    modules: t.ClassVar[frozenset[str]] = frozenset()
    """Those modules that only some platforms have a call for, and this one has."""

    api_url: str

    @abstractmethod
    def given(self, reference: RequestReference) -> Handle | None:
        """The request that the options name by its id and secret; None where they name none.

        :raises OptionError: they are incomplete, or nothing that this platform hands out.
        """

    @abstractmethod
    def wanted(self, options: RequestOptions) -> Wanted:
        """What a request is to be made with.

        :raises OptionError: one of the options is empty or malformed.
        """

    def ignored(self, options: RequestOptions) -> list[str]:
        """The names of options that are given and that this platform has no use for; nothing depends on them."""
        return []

    @abstractmethod
    def create(self, wanted: Wanted, notes: Notes) -> tuple[Handle, Status]:
        """Make a request. Each call makes another one.

        :raises AnswerLostError: one may have been made that nobody can use.
        """

    @abstractmethod
    def fields(self, status: Status) -> dict[str, str]:
        """Those fields of :class:`Wanted` that a status repeats."""

    @abstractmethod
    def stage_of(self, state: str) -> Stage:
        """The stage behind the platform's own word."""

    @abstractmethod
    def status(self, handle: Handle) -> Status:
        """Read a request, with a single call."""

    @abstractmethod
    def start(self, handle: Handle, notes: Notes) -> None:
        """Start the upgrade of the dump that was sent.

        :raises AnswerLostError: it may have been started.
        """

    @abstractmethod
    def upload(self, options: TransferOptions, dump: Dump, notes: Notes, task: Task) -> Upload:
        """A dump to be sent.

        :raises OptionError: names the option.
        """

    @abstractmethod
    def download(self, options: DownloadOptions, notes: Notes, task: Task) -> Download:
        """The result to be fetched.

        :raises OptionError: names the option.
        """

    @abstractmethod
    def destination(self, options: DownloadOptions, task: Task) -> Destination:
        """Where the result goes: a file or a folder, as this platform delivers it.

        :raises OptionError: names the option.
        """

    def require(self, module: str) -> None:
        """Refuse a module whose call this platform does not have; nothing was sent.

        :raises UpgradeError: names both.
        """
        if module not in self.modules:
            raise UpgradeError(f"{module}: {self.title} has no such call. Nothing was sent.")

    def skip_tests(self, handle: Handle) -> None:
        """Have the result delivered without the platform's tests; decided by reading, as :meth:`start`."""
        self.require("odoo_upgrade_skip_test")

    def sftp_access(self, handle: Handle, public_keys: str) -> dict[str, t.Any]:
        """Have an SFTP server opened for the holders of these keys; the address of it, for the result."""
        self.require("odoo_upgrade_sftp_access")
        return {}

    def is_usable(self, notes: Notes) -> bool:
        """Whether this host still has what it needs beyond the handle to use a request."""
        return True

    def release(self, notes: Notes) -> None:
        """Remove what is kept on this host for the transfers of a request that needs no more of them."""
        return

    def log(self, handle: Handle, offset: int) -> bytes:
        """What the platform has logged of the upgrade, from a byte on."""
        self.require("odoo_upgrade_log")
        return b""

    def wipe(self, handle: Handle, contract: str) -> dict[str, t.Any]:
        """Remove what the platform holds of a contract."""
        self.require("odoo_upgrade_wipe")
        return {}

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the result of an upgrade goes: checked before the first request, filled, verified, and given its name.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import stat
import typing as t
from abc import ABC, abstractmethod

from .._core.errors import OptionError
from .._transfer.dump import FileMark, hash_of
from .._transfer.part_file import SUFFIX, PartFile, give_name, open_part
from .._transfer.verify import Verdict, check
from .ownership import Ownership, ownership

if t.TYPE_CHECKING:
    from .._core.progress import Progress
    from .._core.task import Task
    from .._transfer.dump import TransferStats
    from .records import Fetched
    from .transfer_options import DownloadOptions


class Destination(ABC):
    """The path that a result gets, as one platform delivers it."""

    path: str
    owner: Ownership

    def give_away(self) -> None:
        """Give what was fetched, and has not got its name yet, to the user and the group of the options.

        It is noted as fetched by then: one that belongs to somebody else is not taken for a part.

        :raises UpgradeError: that is not possible.
        """
        self.owner.give(self.path + SUFFIX)

    @property
    def is_taken(self) -> bool:
        """Whether anything is there."""
        return os.path.lexists(self.path)

    @abstractmethod
    def holds(self, fetched: Fetched, progress: Progress) -> bool:
        """Whether what is there is this result; it is read where its mark does not say so."""

    @abstractmethod
    def is_left_unnamed(self, fetched: Fetched) -> bool:
        """Whether a run verified this result and was killed before it got its name."""

    @abstractmethod
    def give_name(self) -> None:
        """Give its name to a result that a killed run left without it."""

    @abstractmethod
    def remove_former(self) -> None:
        """Remove what the result replaced, where that could not be replaced in one step."""

    @abstractmethod
    def open(self) -> t.ContextManager[t.Any]:
        """The place to fetch into, locked against other runs. It has ``path``, ``mark``, ``sync``, ``promote`` and
        ``discard`` as :class:`PartFile` has them."""

    def describe(self) -> dict[str, t.Any]:
        """What lies there, for the result of the module, beside what every result has."""
        return {}

    @abstractmethod
    def verify(self, part: t.Any, stats: TransferStats) -> Verdict:
        """Verify what was fetched to its last byte.

        :raises DamagedError: it is not a whole database dump.
        """


class FileDestination(Destination):
    """A result that is one file.

    :raises OptionError: ``dest`` is a folder, or its own folder is missing or cannot be written to, or ``mode`` is bad.
    """

    def __init__(self, options: DownloadOptions, task: Task) -> None:
        self.path = _file_path(options.dest)
        self._mode = permissions(options.mode)
        self.owner = ownership(options.owner, options.group)
        self._content = options.content
        self._always_read = options.transfer.always_read
        self._task = task

    @property
    def mode(self) -> int:
        """The permissions that the file gets."""
        return self._mode

    def holds(self, fetched: Fetched, progress: Progress) -> bool:
        mark = _mark(self.path)
        if mark is None or mark.size != fetched.mark.size:
            return False
        if mark == fetched.mark and not self._always_read:
            return True
        progress.state("reading")
        try:
            with open(self.path, "rb", buffering=0) as file:
                return bool(hash_of(file).hexdigest() == fetched.sha256)
        except OSError as error:
            raise OptionError("dest", f"{self.path} cannot be read: {error.strerror}.") from error

    def is_left_unnamed(self, fetched: Fetched) -> bool:
        return _mark(self.path + SUFFIX) == fetched.mark

    def give_name(self) -> None:
        give_name(self.path + SUFFIX, self.path)

    def remove_former(self) -> None:
        """A file is replaced in one step."""

    def open(self) -> t.ContextManager[PartFile]:
        return open_part(self.path, self._mode)

    def verify(self, part: PartFile, stats: TransferStats) -> Verdict:
        return check(
            part.path,
            self._content,
            self._task.find_program("pg_restore"),
            self._task.environment,
            length_known=stats.length_known,
            end_known=stats.end_known,
        )


def permissions(value: t.Any) -> int:
    """The permission bits, of octal digits or of the number that YAML makes of such digits without quotes.

    :raises OptionError: it is anything else.
    """
    try:
        mode = value if isinstance(value, int) and not isinstance(value, bool) else int(value, 8)
    except (ValueError, TypeError):
        mode = -1
    if not 0 <= mode <= 0o777:
        raise OptionError("mode", 'must be octal digits in quotes, such as "0600".')
    return mode


def _file_path(given: str) -> str:
    dest = os.path.abspath(given)
    folder = os.path.dirname(dest)
    if os.path.isdir(dest) or given.endswith(os.sep):
        raise OptionError("dest", f"{dest} is a folder; give the path of the file.")
    if os.path.lexists(dest) and not os.path.isfile(dest):
        raise OptionError("dest", f"{dest} is not a regular file; give another path.")
    if not os.path.isdir(folder):
        raise OptionError("dest", f"the folder {folder} does not exist; make it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OptionError("dest", f"the folder {folder} cannot be written to.")
    require_room_for_name(dest)
    return dest


def require_room_for_name(dest: str, suffix: str = SUFFIX) -> None:
    """Refuse a path beside which the file that is being fetched cannot be made.

    :raises OptionError: its name is too long with the suffix, or its file system takes no files.
    """
    folder = os.path.dirname(dest)
    try:
        longest, blocks = os.pathconf(folder, "PC_NAME_MAX"), os.statvfs(folder).f_blocks
    except OSError as error:
        raise OptionError("dest", f"the folder {folder} cannot be used: {error.strerror}.") from error
    if len(os.fsencode(os.path.basename(dest) + suffix)) > longest:
        raise OptionError(
            "dest",
            f"the name of {dest} is too long: with {suffix}, as it is called for a while, it is over {longest} bytes.",
        )
    if not blocks:
        raise OptionError("dest", f"the folder {folder} is on a file system that takes no files.")


def _mark(path: str) -> FileMark | None:
    """What identifies a regular file; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return FileMark.of_status(status) if stat.S_ISREG(status.st_mode) else None

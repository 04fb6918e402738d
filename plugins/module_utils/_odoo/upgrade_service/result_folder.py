# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder that a result of today's service goes into: filled beside it, verified, and renamed in one step.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import typing as t

from ..._core.errors import OptionError, UpgradeError
from ..._transfer.dump import MEBIBYTE, FileMark
from ..._transfer.dump_forms import DamagedError
from ..._transfer.folder_dump import CONTENTS, FolderDump, folder_sha256, members_of
from ..._transfer.part_file import SUFFIX, give_name, require_room
from ..._transfer.verify import Verdict, check
from ..destination import Destination, permissions, require_room_for_name
from ..ownership import ownership

if t.TYPE_CHECKING:
    from ..._core.progress import Progress
    from ..._transfer.dump import TransferStats
    from ..options import DownloadOptions
    from ..records import Fetched
    from ..task import Task

FILESTORE, REPORT, LOG = "filestore", "upgrade-report.html", "upgrade.log"
CONTENT_NAME = re.compile(r"(?:.*/)?([0-9a-f]{2})/(\1[0-9a-f]{38})")
"""An attachment: its SHA-1, in a folder of the first two digits."""

OLD_SUFFIX = ".siteops-old"
"""What the name of the folder that is replaced ends with; no folder of a user is called so."""


class ResultFolder(Destination):
    """A result that is a folder.

    :raises OptionError: ``dest`` is a file, or the folder that it goes into is missing or cannot be written to.
    """

    def __init__(self, options: DownloadOptions, task: Task) -> None:
        self.path = _folder_path(options.dest)
        self._mode = permissions(options.mode)
        self.owner = ownership(options.owner, options.group)
        self._always_read = options.transfer.always_read
        self._task = task

    @property
    def is_taken(self) -> bool:
        return bool(_entries(self.path))

    def holds(self, fetched: Fetched, progress: Progress) -> bool:
        mark = _mark(self.path)
        if mark is None or mark.size != fetched.mark.size:
            return False
        if mark == fetched.mark and not self._always_read:
            return True
        progress.state("reading")
        try:
            return folder_sha256(self.path) == fetched.sha256
        except (OSError, UpgradeError) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise OptionError("dest", f"{self.path} cannot be read: {words}.") from error

    def is_left_unnamed(self, fetched: Fetched) -> bool:
        return _mark(self.path + SUFFIX) == fetched.mark

    def give_name(self) -> None:
        _replace(self.path + SUFFIX, self.path)

    def remove_former(self) -> None:
        shutil.rmtree(self.path + OLD_SUFFIX, ignore_errors=True)

    @contextlib.contextmanager
    def open(self) -> t.Iterator[ResultPart]:
        path = self.path + SUFFIX
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise UpgradeError(f"{path} cannot be made: {error.strerror}.") from error
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise UpgradeError(f"{path} was not made by this user's earlier run; move it away.")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UpgradeError(f"Another run is fetching into {path}. Run this again once it has ended.") from error
            os.fchmod(descriptor, 0o700)
            yield ResultPart(path, self.path, self._mode)
        finally:
            os.close(descriptor)

    def verify(self, part: ResultPart, stats: TransferStats) -> Verdict:
        dump = os.path.join(part.path, part.dump_name)
        try:
            members = list(members_of(part.path))
        except (OSError, UpgradeError) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise DamagedError(f"What was fetched holds something that is no file: {words}.") from error
        if os.path.isdir(dump) and not os.path.isfile(os.path.join(dump, CONTENTS)):
            raise DamagedError(f"The dump {part.dump_name} that was fetched has no {CONTENTS}.")
        verdict = check(dump, "archive", self._task.find_program("pg_restore"), self._task.environment)
        for member in members:
            found = CONTENT_NAME.fullmatch(member.name)
            if member.name.startswith(f"{FILESTORE}/") and found:
                _require_sha1(os.path.join(part.path, member.name), found[2])
        return verdict

    def describe(self) -> dict[str, t.Any]:
        if not os.path.isdir(self.path):
            return {}
        members = list(members_of(self.path))
        sizes: dict[str, int] = {}
        for member in members:
            top = member.name.partition("/")[0]
            sizes[top] = sizes.get(top, 0) + member.size
        dump = next((name for name in sizes if name not in (FILESTORE, REPORT, LOG)), "")
        paths = {"dump": dump, "filestore": FILESTORE, "report": REPORT, "log": LOG}
        return {
            "files": [{"name": name, "size": size} for name, size in sorted(sizes.items())],
            **{name: os.path.join(self.path, path) if path in sizes else "" for name, path in paths.items()},
        }


class ResultPart:
    """The folder beside ``dest`` that is being filled."""

    def __init__(self, path: str, dest: str, mode: int) -> None:
        self.path = path
        self.dump_name = ""
        self._dest = dest
        self._mode = mode

    @property
    def size(self) -> int:
        """Bytes that are in it."""
        try:
            return sum(member.size for member in members_of(self.path))
        except (OSError, UpgradeError):
            return 0

    @property
    def mark(self) -> FileMark:
        """What identifies it, also under its final name."""
        return _mark(self.path) or FileMark(0, 0, 0, 0)

    def require_space(self, size: int) -> None:
        """Refuse to begin what cannot be finished.

        :raises UpgradeError: the file system has less room than is still needed.
        """
        require_room(self._dest, size - self.size)

    def empty(self) -> None:
        """Throw away what is in it.

        :raises UpgradeError: that is not possible.
        """
        try:
            for entry in os.scandir(self.path):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
        except OSError as error:
            raise UpgradeError(f"{self.path} cannot be emptied: {error.strerror}.") from error

    def finish(self) -> None:
        """Have everything on disk with its permissions.

        :raises UpgradeError: the disk fails.
        """
        # Who may read a file may enter the folders that it is in.
        enter = self._mode | (self._mode & 0o444) >> 2
        try:
            for folder, _folders, files in os.walk(self.path):
                for name in files:
                    path = os.path.join(folder, name)
                    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                    try:
                        os.fchmod(descriptor, self._mode)
                        os.fsync(descriptor)
                    finally:
                        os.close(descriptor)
                os.chmod(folder, enter)
        except OSError as error:
            raise UpgradeError(f"{self.path} cannot be written: {error.strerror}.") from error

    def promote(self) -> None:
        """Give the folder its name. :raises UpgradeError: that is not possible."""
        _replace(self.path, self._dest)

    def discard(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)


def _folder_path(given: str) -> str:
    dest = os.path.abspath(given)
    parent = os.path.dirname(dest)
    if os.path.lexists(dest) and (os.path.islink(dest) or not os.path.isdir(dest)):
        raise OptionError(
            "dest",
            f"{dest} is not a folder; today's service delivers a folder. Give one that is empty, or is not there.",
        )
    if not os.path.isdir(parent):
        raise OptionError("dest", f"the folder {parent} does not exist; make it first.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OptionError("dest", f"the folder {parent} cannot be written to.")
    require_room_for_name(dest, OLD_SUFFIX)
    return dest


def _entries(path: str) -> list[str]:
    """What is in a folder; nothing where there is none. :raises OptionError: it cannot be read."""
    try:
        return os.listdir(path) if os.path.isdir(path) else []
    except OSError as error:
        raise OptionError("dest", f"the folder {path} cannot be read: {error.strerror}.") from error


def _mark(path: str) -> FileMark | None:
    """What identifies all files in a folder; None where there is none."""
    try:
        members = tuple(members_of(path))
        return FolderDump(path, members).mark if members else None
    except (OSError, UpgradeError):
        return None


def _replace(path: str, dest: str) -> None:
    """Rename a folder; one that is in the way is kept under another name until :meth:`ResultFolder.remove_former`."""
    old = dest + OLD_SUFFIX
    taken = bool(_entries(dest))
    if taken:
        shutil.rmtree(old, ignore_errors=True)
        give_name(dest, old)
    try:
        give_name(path, dest)
    except UpgradeError:
        if taken:
            give_name(old, dest)
        raise


def _require_sha1(path: str, name: str) -> None:
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(MEBIBYTE), b""):
                digest.update(block)
    except OSError as error:
        raise UpgradeError(f"{path} cannot be read: {error.strerror}.") from error
    if digest.hexdigest() != name:
        raise DamagedError(f"The attachment {name[:2]}/{name} that was fetched has other content than its name says.")

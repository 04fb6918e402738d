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
from ..._transfer.dump import MEBIBYTE
from ..._transfer.dump_forms import DamagedError
from ..._transfer.folder_dump import CONTENTS, folder_sha256, members_of
from ..._transfer.part_file import SUFFIX
from ..._transfer.verify import Verdict, check
from ..destination import Destination, permissions, require_room_for_name
from ..ownership import ownership
from .result_part import OLD_SUFFIX, ResultPart, entries_of, mark_of, replace_folder

if t.TYPE_CHECKING:
    from ..._core.progress import Progress
    from ..._core.task import Task
    from ..._transfer.dump import TransferStats
    from ..records import Fetched
    from ..transfer_options import DownloadOptions

FILESTORE, REPORT, LOG = "filestore", "upgrade-report.html", "upgrade.log"
CONTENT_NAME = re.compile(r"(?:.*/)?([0-9a-f]{2})/(\1[0-9a-f]{38})")
"""An attachment: its SHA-1, in a folder of the first two digits."""


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
        return bool(entries_of(self.path))

    def holds(self, fetched: Fetched, progress: Progress) -> bool:
        mark = mark_of(self.path)
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
        return mark_of(self.path + SUFFIX) == fetched.mark

    def give_name(self) -> None:
        replace_folder(self.path + SUFFIX, self.path)

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

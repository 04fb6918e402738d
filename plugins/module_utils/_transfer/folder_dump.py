# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dump in many files, as ``pg_dump --format=directory`` writes it: recognised again, and hashed file by file.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError
from .dump import DumpChangedError, FileMark, hash_of

CONTENTS = "toc.dat"
"""The file that makes a folder a dump: the table of contents, in the form of a custom archive without data."""

ARCHIVE = b"PGDMP"
MOST_FILES = 200_000


@dataclass(frozen=True)
class Member:
    """One file of the dump, by its name within it."""

    name: str
    size: int
    mtime_ns: int
    inode: int


class FolderDump:
    """A dump that is a folder; see :func:`open_folder`. Its mark and hash are those of all its files."""

    is_folder = True

    def __init__(self, path: str, members: tuple[Member, ...]) -> None:
        self.path = path
        self.members = members
        status = os.stat(path)
        newest = max(member.mtime_ns for member in members)
        digest = hashlib.sha256(repr(members).encode("utf-8", "surrogateescape")).digest()
        # One number stands for all files, so that a mark of a folder is of the same type as one of a file.
        self.mark = FileMark(self.size, newest, int.from_bytes(digest[:6], "big"), status.st_dev)

    @property
    def size(self) -> int:
        """Bytes in all files together."""
        return sum(member.size for member in self.members)

    def read_sha256(self) -> str:
        """One hash for all files, by their names and contents.

        :raises DumpChangedError: a file is no longer what was opened.
        """
        whole = hashlib.sha256()
        for member in self.members:
            path = os.path.join(self.path, member.name)
            try:
                with open(path, "rb", buffering=0) as file:
                    digest = hash_of(file)
            except OSError as error:
                raise DumpChangedError(f"The dump's file {path} cannot be read: {error.strerror}.") from error
            whole.update(f"{digest.hexdigest()}  {member.name}\n".encode("utf-8", "surrogateescape"))
        self.require_unchanged()
        return whole.hexdigest()

    def require_unchanged(self) -> None:
        """:raises DumpChangedError: a file came, went or changed since it was opened."""
        if tuple(members_of(self.path)) != self.members:
            raise DumpChangedError(
                f"The dump {self.path} changed while it was being sent. Wait until it is written, and run again."
            )


def open_folder(path: str, option: str) -> FolderDump:
    """A folder as a dump.

    :param option: the option that names it.
    :raises OptionError: it is no dump of ``pg_dump --format=directory``, or a file in it cannot be read.
    """
    contents = os.path.join(path, CONTENTS)
    try:
        with open(contents, "rb") as file:
            head = file.read(len(ARCHIVE))
        members = tuple(members_of(path))
    except FileNotFoundError as error:
        raise OptionError(
            option, f"{path} is a folder without {CONTENTS}; give a dump of pg_dump --format=directory, or one file."
        ) from error
    except (OSError, UpgradeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise OptionError(option, f"the folder {path} cannot be read: {words}.") from error
    if head != ARCHIVE:
        raise OptionError(option, f"{contents} is not the table of contents of a dump of pg_dump.")
    return FolderDump(path, members)


def members_of(path: str) -> t.Iterator[Member]:
    """The files of a folder and of the folders in it, by name.

    :raises UpgradeError: something in it is neither a file nor a folder, or there are too many files.
    :raises OSError: it cannot be read.
    """
    for count, name in enumerate(sorted(_names(path)), start=1):
        status = os.lstat(os.path.join(path, name))
        if not stat.S_ISREG(status.st_mode):
            raise UpgradeError(f"{name} is not a regular file")
        if count > MOST_FILES:
            raise UpgradeError(f"it holds more than {MOST_FILES} files")
        yield Member(name, status.st_size, status.st_mtime_ns, status.st_ino)


def _names(path: str) -> t.Iterator[str]:
    for folder, folders, files in os.walk(path, onerror=_raise):
        for name in (*files, *(name for name in folders if os.path.islink(os.path.join(folder, name)))):
            yield os.path.relpath(os.path.join(folder, name), path)


def _raise(error: OSError) -> None:
    raise error


def folder_sha256(path: str) -> str:
    """The hash of :meth:`FolderDump.read_sha256` for a folder that was fetched."""
    return FolderDump(path, tuple(members_of(path))).read_sha256()

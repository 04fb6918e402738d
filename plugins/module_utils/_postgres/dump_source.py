# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dump of any form as what a restore needs of it: its SQL in blocks, and the files of its filestore.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._core.clock import Deadline
from .._core.errors import OptionError, UpgradeError
from .._core.process import Running, ToolError
from .._transfer.dump_check import FILESTORE, is_of_filestore, tar_members
from .._transfer.dump_forms import ARCHIVES, SQL_MEMBER, TAR_GZ, ZIP, DamagedError, Form
from .._transfer.unpack import reading, unpacked
from .._transfer.zip_members import content, members
from .filestore import STORED_NAME, sha1_of
from .merge import NEW, make_like
from .tools import Programs, installed

BLOCK = 1024 * 1024


def newest_pg_restore(programs: Programs) -> str | None:
    """The newest pg_restore on this host, because that one reads every older archive; None if there is none."""
    with contextlib.suppress(ToolError):
        best, version = programs.path("pg_restore"), programs.version("pg_restore")
        newer = [each for each in installed("pg_restore") if each[0] > version] if not programs.folder else []
        return newer[-1][1].path("pg_restore") if newer else best
    return None


class SqlSource:
    """The SQL of a dump. ``done`` and ``total`` say how far it was read; the total is None where it is unknown."""

    def __init__(self, path: str, form: Form, programs: Programs, deadline: Deadline) -> None:
        self.path = path
        self.form = form
        self.done = 0
        self.total: int | None = None
        self._programs = programs
        self._deadline = deadline

    def blocks(self) -> t.Generator[bytes, None, None]:
        """The SQL.

        :raises DamagedError: the dump is damaged; so the last block may be followed by a failure.
        """
        name = self.form.name
        makers: dict[str, t.Callable[[], t.Iterator[bytes]]] = {ZIP: self._of_zip, TAR_GZ: self._of_tar_gz}
        make = self._of_archive if name in ARCHIVES else makers.get(name, self._of_sql)
        with contextlib.ExitStack() as stack:
            stack.enter_context(reading(self.path))
            for block in make():
                self.done += len(block)
                yield block

    def _of_sql(self) -> t.Iterator[bytes]:
        if self.form.name == "sql":
            self.total = os.path.getsize(self.path)
        yield from unpacked(self.path, self.form.name, self._deadline.remaining)

    def _of_archive(self) -> t.Iterator[bytes]:
        command = [self._programs.path("pg_restore"), "--no-owner", "-f", "-", self.path]
        with Running(command, os.environ, self._deadline.remaining) as running:
            while block := running.output.read(BLOCK):
                yield block
            ended = running.end()
            if ended.status:
                raise DamagedError(f"{self.path} cannot be restored: pg_restore failed: {ended.words}.")

    def _of_zip(self) -> t.Iterator[bytes]:
        with open(self.path, "rb") as file:
            for member in members(file):
                if member.name == SQL_MEMBER:
                    self.total = member.size
                    yield from content(file, member)
                    return
        raise DamagedError(f"{self.path} has no {SQL_MEMBER} in it, so there is no database in it.")

    def _of_tar_gz(self) -> t.Iterator[bytes]:
        for name, _size, blocks in tar_members(self.path):
            if name == SQL_MEMBER:
                yield from blocks
                return
        raise DamagedError(f"{self.path} has no {SQL_MEMBER} in it, so there is no database in it.")

    def unpack_files(self, dest: str, check_mode: bool, *, read_present: bool) -> dict[str, int]:
        """Add the files of the dump's filestore to a folder; what is there already is left alone.

        :param read_present: whether to compare what is there with its name, which is the SHA-1 of the content.
        :raises UpgradeError: the folder cannot be written to, or the dump is damaged.
        """
        require_parent(dest)
        added = present = 0
        for name, size, blocks in self._files():
            path = os.path.join(dest, name)
            if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) == size:
                if read_present and sha1_of(path) != name.rpartition("/")[2]:
                    raise UpgradeError(f"{path} has another content than its name says. Nothing was overwritten.")
                present += 1
                continue
            if os.path.lexists(path):
                raise UpgradeError(
                    f"{path} has another content than the file of this name in the dump. Nothing was overwritten."
                )
            added += 1
            if not check_mode:
                _write(path, blocks(), dest)
        return {"added": added, "present": present}

    def _files(self) -> t.Iterator[tuple[str, int, t.Callable[[], t.Iterable[bytes]]]]:
        """Name in the filestore, size, and content of each file."""
        if self.form.name == ZIP:
            with reading(self.path), open(self.path, "rb") as file:
                for member in members(file):
                    if is_of_filestore(member.name) and not member.is_link:
                        yield _stored(member.name), member.size, lambda one=member: content(file, one)  # type: ignore[misc]
        elif self.form.name == TAR_GZ:
            with reading(self.path):
                for name, size, blocks in tar_members(self.path):
                    if is_of_filestore(name):
                        yield _stored(name), size, lambda one=blocks: one  # type: ignore[misc]


def require_parent(dest: str) -> None:
    """Refuse a filestore that cannot be made.

    :raises OptionError: the folder above it is missing, or something else has its name.
    """
    parent = os.path.dirname(os.path.abspath(dest))
    if not os.path.isdir(parent):
        raise OptionError("filestore_dest", f"there is no folder {parent}.")
    if os.path.lexists(dest) and not os.path.isdir(dest):
        raise OptionError("filestore_dest", f"{dest} is not a folder.")


def _stored(name: str) -> str:
    """The name in a filestore, which is the only kind of name that is ever written to.

    :raises DamagedError: it is another one, such as one that leads out of the folder.
    """
    found = name[len(FILESTORE) :]
    if not STORED_NAME.fullmatch(found):
        raise DamagedError(f"The dump has a file in its filestore with a name that Odoo does not give: {name[:120]!r}.")
    return found


def _write(path: str, blocks: t.Iterable[bytes], filestore: str) -> None:
    """Write a file in one step, for the owner of the folder that holds the filestore: Odoo, where root writes."""
    new = f"{path}{NEW}"
    try:
        make_like(filestore, os.path.dirname(os.path.abspath(filestore)))
        make_like(os.path.dirname(path), filestore)
        owner = os.stat(filestore)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            with contextlib.suppress(PermissionError):
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            for block in blocks:
                file.write(block)
        os.rename(new, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(new)
        if error.errno is None:
            raise
        raise UpgradeError(f"{path} cannot be written: {error.strerror}. Mend that, and run again.") from error

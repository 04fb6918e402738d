# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dump's content unpacked in blocks, with words for what is damaged or cannot be read.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import os
import shutil
import struct
import subprocess
import tarfile
import typing as t
import zlib

from .._core.errors import UpgradeError
from .._core.process import Running
from .._core.text import one_line
from .dump_forms import SQL, SQL_BZ2, SQL_GZ, SQL_XZ, SQL_ZST, DamagedError, UnreadableError

try:
    import lzma
except ImportError:  # a Python that was built without it
    lzma = None  # type: ignore[assignment]

BLOCK = 1024 * 1024
DAMAGE = (EOFError, zlib.error, struct.error, tarfile.TarError, ValueError, IndexError, OverflowError)
"""What Python's own libraries raise for damaged data; bz2 and lzma raise OSError without a number, and LZMAError."""


class MissingUnpackerError(UpgradeError):
    """The program or library that unpacks a form is not on this host."""


def unpacked(
    path: str, name: str, seconds: float, block: int = BLOCK, env: t.Mapping[str, str] | None = None
) -> t.Generator[bytes, None, None]:
    """The content of plain or compressed SQL, in blocks.

    :raises DamagedError: the compression's own checksums say that it is damaged.
    :raises MissingUnpackerError: nothing here unpacks it.
    """
    if name == SQL_ZST:
        yield from _through_zstd(path, seconds, block, os.environ if env is None else env)
        return
    opened = {SQL: lambda: open(path, "rb"), SQL_GZ: lambda: gzip.open(path), SQL_BZ2: lambda: bz2.open(path)}  # noqa: SIM115
    if name == SQL_XZ:
        if lzma is None:
            raise MissingUnpackerError("This Python has no module lzma, so a dump that xz compressed cannot be read.")
        opened[SQL_XZ] = lambda: lzma.open(path)
    with reading(path), opened[name]() as stream:
        while data := stream.read(block):
            yield data


def _through_zstd(path: str, seconds: float, block: int, env: t.Mapping[str, str]) -> t.Generator[bytes, None, None]:
    program = shutil.which("zstd")
    if not program:
        raise MissingUnpackerError(f"The program zstd is not installed here, so {path} cannot be read.")
    command = [program, "--decompress", "--stdout", "--quiet", "--long=31", path]
    with Running(command, env, seconds, stdout=subprocess.PIPE) as running:
        while data := running.output.read(block):
            yield data
        ended = running.end()
        if ended.status:
            raise DamagedError(f"{path} is damaged: {ended.words}.")


@contextlib.contextmanager
def reading(path: str) -> t.Iterator[None]:
    """Words for whatever goes wrong while a dump is read.

    :raises DamagedError: its content is damaged.
    :raises UpgradeError: it cannot be read.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
        raise DamagedError(f"{path} is damaged: {one_line(error, 200)}.") from error
    except DAMAGE as error:
        raise DamagedError(f"{path} is damaged: {one_line(error, 200)}.") from error
    except Exception as error:
        if lzma is None or not isinstance(error, lzma.LZMAError):
            raise
        raise DamagedError(f"{path} is damaged: {one_line(error, 200)}.") from error

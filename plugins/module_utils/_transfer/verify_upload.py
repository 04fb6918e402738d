# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a dump that is to be sent is whole, as far as its format can tell; also for a dump in many files.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import struct
import zlib

from .._core.text import one_line
from .dump import GZIP, HEAD, PGDMP, ZIP, format_of
from .verify import DamagedError, RunCommand, check_gzip, check_zip

SQL_IN_ZIP = "dump.sql"


def check_upload(path: str, run_command: RunCommand, pg_restore: str | None) -> str:
    """Verify a file to its last byte, or a folder by its table of contents.

    :return: what could not be checked, in words.
    :raises DamagedError: it is not whole.
    """
    if os.path.isdir(path):
        return list_archive(path, run_command, pg_restore)
    try:
        with open(path, "rb") as file:
            found = format_of(file.read(HEAD))
            if found == ZIP and not check_zip(file, SQL_IN_ZIP):
                raise DamagedError(
                    f"The zip archive {path} has no {SQL_IN_ZIP} at its root, which the platform needs. "
                    "Nothing was sent."
                )
            if found == GZIP:
                check_gzip(file)
    except (struct.error, zlib.error, EOFError, ValueError, OverflowError, OSError) as error:
        raise DamagedError(f"The dump {path} is damaged: {one_line(error, 120)}. Nothing was sent.") from error
    return list_archive(path, run_command, pg_restore) if found == PGDMP else ""


def list_archive(path: str, run_command: RunCommand, pg_restore: str | None) -> str:
    """Have pg_restore list a custom archive or a folder; what could not be checked, in words.

    :raises DamagedError: it cannot be listed.
    """
    if not pg_restore:
        return f"pg_restore is not installed here, so {path} was only checked by its first bytes."
    status, _output, errors = run_command([pg_restore, "--list", path])
    if not status:
        return ""
    if "unsupported version" in errors:
        return f"pg_restore here is too old for {path}, which was only checked by its first bytes."
    raise DamagedError(f"{path} is not a whole dump: pg_restore cannot read it: {one_line(errors)}.")

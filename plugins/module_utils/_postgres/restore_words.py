# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words for a restore that failed: what pg_restore or psql said, which option it is about, and what can be done.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import typing as t

from .._core.errors import OptionError, UpgradeError
from .._transfer.dump_forms import DamagedError, UnreadableError
from .refusal import DatabaseError
from .sql_stream import SkewError

NO_ODOO = "The dump holds no database of Odoo: its module base is not installed. Nothing was kept."
UNREADABLE = (
    *("could not read from input file", "could not uncompress data", "could not close data file"),
    *("could not open input file", "unexpected end of file", "corrupt tar header", "did not find magic string"),
    *("unexpected section code", "unrecognized data block type", "could not read input file", "entry ID"),
)
"""What pg_restore says of a dump that is damaged."""


@contextlib.contextmanager
def naming_src() -> t.Iterator[None]:
    """Have the failures of a dump name the option.

    :raises OptionError: the dump is damaged, or cannot be read.
    """
    try:
        yield
    except DamagedError as error:
        raise OptionError("src", f"{error} Nothing was restored.") from error  # pylint: disable=bad-exception-cause
    except UnreadableError as error:
        raise OptionError("src", str(error)) from error  # pylint: disable=bad-exception-cause


def restore_failed(program: str, words: str) -> UpgradeError:
    """The failure of a restore, with the server's words and what can be done."""
    if "unrecognized configuration parameter" in words:
        return SkewError(
            f"{program} failed: {words}. The dump was written by a pg_dump newer than the server: set 'on_skew' to "
            "skip_settings, or restore on a server as new as the pg_dump. Nothing was kept."
        )
    hint = ""
    for part, advice in (
        *((part, "The dump is damaged or not whole.") for part in UNREADABLE),
        ("unsupported version", "The archive is newer than this pg_restore: install a newer client, or set 'pg_bin'."),
        ("must be member of role", "The dump names owners; dump again with --no-owner, or connect as a superuser."),
        ("must be able to SET ROLE", "The dump names owners; dump again with --no-owner, or connect as a superuser."),
        ("must be owner of extension", "The template already has that extension; use template0."),
        ("permission denied to create extension", "Only a superuser may create it: restore as one, with 'owner'."),
        ("is not available", "Install it on the host of the database server: PostgreSQL's contrib package has it."),
        ("could not open extension control file", "Install PostgreSQL's contrib package on the database server."),
        ("No space left on device", "Make room on the disk of the database server."),
        ("does not exist", "Create what the dump refers to, or dump again with --no-owner --no-privileges."),
    ):
        if part in words:
            hint = f" {advice}"
            break
    return DatabaseError(f"{program} failed: {words.rstrip('.')}. Nothing was kept.{hint}")

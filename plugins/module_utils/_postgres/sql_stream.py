# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SQL of a dump on its way into psql: its first and last lines adapted to the server and to psql, the rest as it is.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import secrets
import typing as t

from .._core.errors import UpgradeError
from .._transfer.dump_forms import DamagedError
from .._transfer.sql_watch import CLOSING_LINE, SqlWatch
from .tools import Programs

SETTING = re.compile(rb"^SET (\w+) = [^;\n]*;\r?$")
RESTRICT_LINE = re.compile(rb"^\\(un)?restrict \w+\r?\n?", re.M)
OWN_DATABASE = re.compile(rb"(CREATE|DROP) DATABASE |\\connect ")
"""How the SQL of pg_dump --create begins, with and without --clean."""

CLEANING = re.compile(rb"ALTER TABLE (?!IF EXISTS )[^;]* DROP CONSTRAINT |DROP (?![A-Z ]*IF EXISTS )")
"""How that of pg_dump --clean begins, where --if-exists was not given."""

LONGEST_HEAD = 64 * 1024
KEPT_BACK = 8 * 1024
"""Bytes at the end that are kept back until it is known that they are the end."""

FIRST_WITH_RESTRICT = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}
"""The minor version of each psql from which on it knows \\restrict; later major versions have always known it."""


class SkewError(UpgradeError):
    """A dump has settings that the server does not know."""


def knows_restrict(programs: Programs) -> bool:
    """Whether this psql knows \\restrict, after which SQL cannot run commands of psql, such as a shell."""
    major, minor = programs.version("psql")[:2]
    return major > max(FIRST_WITH_RESTRICT) or minor >= FIRST_WITH_RESTRICT.get(major, 1000)


def adapted(
    blocks: t.Iterable[bytes], watch: SqlWatch, settings: t.Container[str], skip_settings: bool, restrict: bool
) -> t.Iterator[bytes]:
    """The SQL for psql.

    The dump's own \\restrict and \\unrestrict are left out, because an older psql does not know them; where psql
    does, the whole dump stands between two with a key of this run.

    :param watch: sees every byte of the dump as it is.
    :param settings: the settings that the server knows.
    :param skip_settings: whether to leave out settings that it does not know.
    :raises SkewError: it does not know one, and they may not be left out.
    """
    key = secrets.token_hex(16).encode()
    if restrict:
        yield b"\\restrict " + key + b"\n"
    head, head_done, kept = b"", False, b""
    for block in blocks:
        watch.see(block)
        if not head_done:
            head += block
            if len(head) < LONGEST_HEAD:
                continue
            head_done, block = True, adapted_head(head, settings, skip_settings)  # noqa: PLW2901
        kept += block
        if len(kept) > KEPT_BACK:
            yield kept[:-KEPT_BACK]
            kept = kept[-KEPT_BACK:]
    if not head_done:
        kept = adapted_head(head, settings, skip_settings)
    # Only behind the closing line: the same characters at the start of a row of data are data.
    end = kept.rfind(CLOSING_LINE)
    yield kept if end < 0 else kept[:end] + RESTRICT_LINE.sub(b"", kept[end:])
    if restrict:
        yield b"\n\\unrestrict " + key + b"\n"


def adapted_head(head: bytes, settings: t.Container[str], skip_settings: bool) -> bytes:
    """The first lines, up to the first that is neither a comment nor a setting.

    :raises SkewError: as :func:`adapted`.
    :raises DamagedError: the dump is about a database of its own, or about one that is there already.
    """
    lines = head.splitlines(keepends=True)
    result, unknown = [], []
    for number, line in enumerate(lines):
        found = SETTING.match(line.rstrip(b"\n"))
        if RESTRICT_LINE.match(line):
            continue
        if not found and line.strip() and not line.startswith((b"--", b"SELECT pg_catalog.set_config", b"SET ")):
            _require_no_drops(line)
            result += lines[number:]
            break
        if found and found[1].decode() not in settings:
            unknown.append(found[1].decode())
            continue
        result.append(line)
    if unknown and not skip_settings:
        raise SkewError(
            f"The dump sets {', '.join(unknown)}, which this server does not know: it was written by a pg_dump newer "
            "than the server. Set 'on_skew' to skip_settings to leave out exactly such lines, or restore on a server "
            "as new as the pg_dump."
        )
    return b"".join(result)


def _require_no_drops(statement: bytes) -> None:
    if OWN_DATABASE.match(statement):
        raise DamagedError(
            "The dump creates a database under its own name, as pg_dump --create writes it. Dump again without "
            "--create, or delete the lines of CREATE DATABASE, ALTER DATABASE, DROP DATABASE and \\connect from it."
        )
    if CLEANING.match(statement):
        raise DamagedError(
            "The dump first drops tables that a new database does not have, as pg_dump --clean writes it. Dump again "
            "without --clean, or with --if-exists too."
        )

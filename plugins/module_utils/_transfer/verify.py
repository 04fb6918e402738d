# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what was fetched is a whole database dump, as far as its form can prove.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .dump_check import check_in_time
from .dump_forms import CUSTOM, EMPTY, HEAD, HTML, SQL, SQL_GZ, TAR_GZ, UNKNOWN, ZIP, DamagedError, kind_of
from .unpack import reading

RESULT_NAMES = {CUSTOM: "pgdmp", SQL_GZ: "gzip", TAR_GZ: "gzip"}
"""What the results of modules call a form where that is another name."""

RESULT_KINDS = (CUSTOM, SQL, SQL_GZ, ZIP)

UNPROVEN = (
    "The server did not state the length of the file, and nothing here can prove that it is complete. Fetch it with "
    "'transport' set to sftp."
)

PROXY = "Check any proxy between this host and the server, and run this again."


@dataclass(frozen=True)
class Verdict:
    """What a good dump is, what its form cannot prove, and what a missing program left unread, for the reader."""

    format: str
    not_checked: tuple[str, ...] = ()
    warning: str = ""


def check(
    path: str,
    kind: str,
    pg_restore: str | None,
    env: t.Mapping[str, str],
    *,
    length_known: bool = True,
    end_known: bool = True,
) -> Verdict:
    """Read a file or a folder to its end, and refuse what is no whole dump.

    :param kind: ``archive`` or ``sql``: what it must be.
    :param pg_restore: the program's path; without it a custom archive is known by its header alone.
    :param env: the environment of programs.
    :param length_known: whether the server stated the length.
    :param end_known: whether the server marked the end. Where it did neither, the dump itself must prove that it is
        whole, which a custom archive does only to pg_restore.
    :raises DamagedError: it is not what it must be.
    """
    if not os.path.isdir(path):
        with reading(path), open(path, "rb") as file:
            require_dump(kind_of(file.read(HEAD)), kind)
    try:
        checked = check_in_time(path, pg_restore, None, env)
    except DamagedError as error:
        raise DamagedError(f"What was fetched is not a whole dump: {error}") from error  # pylint: disable=bad-exception-cause
    if checked.unread and not (length_known or end_known):
        raise DamagedError(UNPROVEN)
    name = checked.form.name
    warning = f"What was fetched was not read to its end: {checked.unread}." if checked.unread else ""
    return Verdict(RESULT_NAMES.get(name, name), checked.not_checked, warning)


def require_dump(found: str, kind: str) -> None:
    """Refuse a file that cannot be the dump that was asked for, by what :func:`kind_of` says of it.

    :raises DamagedError: names what it is instead.
    """
    words = {HTML: "an HTML page", EMPTY: "empty", UNKNOWN: "of no known format"}
    if found in words:
        advice = f" {PROXY}" if found == HTML else ""
        raise DamagedError(
            f"What the server sent in place of the {kind} is not a database dump: it is {words[found]}.{advice}"
        )
    if found not in RESULT_KINDS or (kind == "sql" and found not in (SQL, SQL_GZ)):
        wanted = "SQL" if kind == "sql" else "a dump that the platform delivers"
        raise DamagedError(
            f"What the server sent in place of {wanted} is a file of the format {RESULT_NAMES.get(found, found)}."
        )

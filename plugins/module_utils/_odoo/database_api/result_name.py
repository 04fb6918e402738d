# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which file of the SFTP server is the upgraded dump.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from ..._core.text import one_line
from ..._transfer.sftp_protocol import Entry, SftpError

PREFIX = "upgraded_"


def result_names(filename: str) -> list[str]:
    """The names that the upgraded dump may have, the documented one first.

    It is ``upgraded_<filename>``, or ``upgraded_<stem>.zip`` where attachments became a filestore. How much of a name
    like ``db.tar.gz`` is the stem is not documented, so each of its dots may be the end.
    """
    stems = [filename, *(filename[:place] for place, letter in enumerate(filename) if letter == "." and place)]
    return list(dict.fromkeys([PREFIX + filename, *(f"{PREFIX}{stem}.zip" for stem in stems)]))


def choose_result(filename: str, entries: t.Sequence[Entry]) -> Entry:
    """The upgraded dump among the files on the SFTP server, by its name.

    :raises SftpError: none of the files is that; names those that are there.
    """
    documented, *packed = result_names(filename)
    exact = [entry for entry in entries if _bare(entry) == documented]
    found = exact or [entry for entry in entries if _bare(entry) in packed]
    if len(found) == 1:
        return found[0]
    names = one_line(", ".join(sorted(entry.name for entry in entries)), 400) or "no files at all"
    raise SftpError(
        f"The SFTP server has {names}, and {'more than one' if found else 'none'} of them is the upgraded {filename}. "
        "Set 'transport' to https."
    )


def _bare(entry: Entry) -> str:
    """The name without the slash of the server's first folder, which some put before it."""
    return entry.name.removeprefix("/")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files spread over several connections of rsync, about as many bytes for each.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t

WORTH_A_CONNECTION = 4 * 1024 * 1024
"""Bytes that each connection should have to carry."""

PLAIN_NAME = re.compile(r"[\w.-]+(/[\w.-]+)*")


def groups_of(sizes: t.Mapping[str, int], connections: int) -> list[list[str]]:
    """The names of files for each connection; none where one connection is enough.

    :param sizes: of the files, by their path from the root of the transfer.
    :param connections: the most that may be open.
    """
    files = {name: size for name, size in sizes.items() if PLAIN_NAME.fullmatch(name)}
    most = min(connections, sum(files.values()) // WORTH_A_CONNECTION, len(files))
    if most < 2:
        return []
    totals = [0] * most
    groups: list[list[str]] = [[] for _number in range(most)]
    for name in sorted(files, key=lambda name: -files[name]):
        place = totals.index(min(totals))
        totals[place] += files[name]
        groups[place].append(name)
    return groups


def patterns_for(names: list[str]) -> str:
    """Patterns of rsync that include these files, and the folders that they are in."""
    folders = {name[: place + 1] for name in names for place, letter in enumerate(name) if letter == "/"}
    return "".join(f"/{name}\n" for name in (*sorted(folders), *names))

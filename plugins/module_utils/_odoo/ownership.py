# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user and the group that a result is given to, known and allowed before the first request.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import grp
import os
import pwd
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError

UNCHANGED = -1


@dataclass(frozen=True)
class Ownership:
    """Whom a result belongs to, by number."""

    user: int = UNCHANGED
    group: int = UNCHANGED

    def give(self, path: str) -> None:
        """Give away a file, or a folder with everything in it.

        :raises UpgradeError: that is not possible.
        """
        if (self.user, self.group) == (UNCHANGED, UNCHANGED):
            return
        try:
            for folder, folders, files in os.walk(path):
                for name in (*folders, *files):
                    os.lchown(os.path.join(folder, name), self.user, self.group)
            os.lchown(path, self.user, self.group)
        except OSError as error:
            raise UpgradeError(
                f"{path} cannot be given to the user {self.user} and the group {self.group}: {error.strerror}. It is "
                "fetched and verified; run this again once that is possible."
            ) from error


def ownership(owner: str | None, group: str | None) -> Ownership:
    """The owner that the options ``owner`` and ``group`` name.

    :raises OptionError: there is no such user or group, or this process may not give files to them.
    """
    found = Ownership(
        _number("owner", "user", owner, lambda name: pwd.getpwnam(name).pw_uid),
        _number("group", "group", group, lambda name: grp.getgrnam(name).gr_gid),
    )
    if os.geteuid():
        if found.user not in (UNCHANGED, os.geteuid()):
            raise OptionError("owner", "is another user than the one that this runs as, and only root can do that.")
        if found.group not in (UNCHANGED, os.getegid(), *os.getgroups()):
            raise OptionError("group", "is no group of the user that this runs as, and only root can do that.")
    return found


def _number(option: str, what: str, value: str | None, find: t.Callable[[str], int]) -> int:
    name = (value or "").strip()
    if not name:
        return UNCHANGED
    try:
        return find(name)
    except KeyError as error:
        if name.isascii() and name.isdigit():
            return int(name)
        raise OptionError(option, f"there is no {what} {name} on this host.") from error

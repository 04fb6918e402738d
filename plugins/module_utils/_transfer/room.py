# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The room on a file system, asked for before something is begun that could not be finished.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os

from .._core.errors import UpgradeError


def free_bytes(folder: str) -> int:
    """What may still be written to the file system of a folder; 0 where it cannot be asked."""
    try:
        system = os.statvfs(folder)
    except OSError:
        return 0
    return system.f_bavail * system.f_frsize


def require_room(dest: str, needed: int) -> None:
    """Refuse to begin what cannot be finished.

    :param needed: bytes that are still to be written beside ``dest``.
    :raises UpgradeError: its file system has less room.
    """
    folder = os.path.dirname(dest)
    free = free_bytes(folder)
    if free < needed:
        raise UpgradeError(
            f"There is not enough room for {dest}: {needed} bytes are still needed, and {free} are free in {folder}. "
            "Nothing was fetched now; make room or give another 'dest'.",
            needed=needed,
            free=free,
        )

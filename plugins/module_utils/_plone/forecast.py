# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade is expected to take, by the rehearsals and backups of a database: seconds, and room on its disk.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t

from .._core.human import size

PREPARATION = ("restore", "start")
"""Steps of a rehearsal that the upgrade of the site does not have."""


def forecast(
    backups: t.Sequence[t.Mapping[str, t.Any]], rehearsals: t.Sequence[t.Mapping[str, t.Any]], place: str
) -> dict[str, t.Any]:
    """The numbers for the next upgrade; those that are not known are 0.

    :param backups: the whole ones, the newest first.
    :param rehearsals: the newest first.
    :param place: the folder or the Data.fs on whose disk there must be room.
    """
    passed: t.Mapping[str, t.Any] = next((row for row in rehearsals if row["passed"]), {})
    newest: t.Mapping[str, t.Any] = backups[0] if backups else {}
    seconds = passed.get("seconds")
    took = sum(_number(each) for name, each in seconds.items() if name not in PREPARATION) if seconds else 0
    present = _size(place)
    database = present or int(newest.get("database_size", 0))
    blobs = max(int(newest.get("size", 0)) - int(newest.get("database_size", 0)), 0)
    growth = int(_number(passed.get("growth")))
    free = _free(place)
    return {
        "seconds": round(took, 1),
        "database_size": database,
        "blobs_size": blobs,
        "growth": growth,
        "restore_size": database + blobs,
        "free": free,
        "enough": not free or free >= growth,
        "enough_to_restore": not free or free >= growth + database + blobs,
        "words": _words(database, blobs, growth, free, bool(passed)),
    }


def _words(database: int, blobs: int, growth: int, free: int, rehearsed: bool) -> str:
    if not database:
        return ""
    grew = f", and it grew by {size(growth)} in the last rehearsal" if rehearsed else ""
    text = f"The database has {size(database)} and {size(blobs)} of blobs{grew}."
    if not free:
        return text
    text += f" {size(free)} are free on its disk."
    if free < growth:
        return f"{text} That is not enough for the upgrade."
    if free < growth + database + blobs:
        return f"{text} That is not enough to restore a backup beside it."
    return text


def _number(value: t.Any) -> float:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return max(float(value), 0.0)
    return 0.0


def _size(place: str) -> int:
    with contextlib.suppress(OSError):
        return os.path.getsize(place) if os.path.isfile(place) else 0
    return 0


def _free(place: str) -> int:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(place if os.path.isdir(place) else os.path.dirname(place)).free
    return 0

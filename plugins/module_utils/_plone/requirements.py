# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be there before a site is upgraded: a whole backup and a rehearsal that passed, neither of them too old.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import typing as t

from .._core.clock import parse_utc, utc_now
from .._core.errors import OptionError, UpgradeError
from .._core.human import duration
from .backup_folder import COLLECTION, backups_in
from .backup_manifest import Digests, damage_of

REHEARSAL = ".rehearsal.json"
UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
AGE = re.compile(r"\s*(\d+)\s*(s|min|m|h|d|w|)\s*")
MOST_BYTES = 1024 * 1024
MOST_AGE = 100 * 365 * 86400


def age_of(params: t.Mapping[str, t.Any], option: str) -> int | None:
    """The seconds of an age such as ``24h``, ``7d`` or ``1d 12h``; None if nothing is asked.

    :raises OptionError: it is no age.
    """
    text = str(params[option] if params[option] is not None else "").strip().lower()
    if not text:
        return None
    parts = AGE.findall(text)
    if "".join(AGE.sub("", text).split()) or not parts:
        raise OptionError(option, f"must be an age such as 24h or 7d, not {text!r}.")
    seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
    if not 0 < seconds <= MOST_AGE:
        raise OptionError(option, f"must be greater than 0 and at most a hundred years, not {text!r}.")
    return seconds


def backup_rows(dest: str, name: str, *, read_files: bool) -> list[dict[str, t.Any]]:
    """Every backup with its age and damage, the newest first."""
    digests = Digests()
    return [
        {
            **backup.as_result(),
            "age": round(backup.age),
            "damage": damage_of(backup, read_files=read_files, digests=digests),
        }
        for backup in backups_in(dest, name)
    ]


def rehearsal_rows(dest: str, name: str) -> list[dict[str, t.Any]]:
    """Every rehearsal that the role plone_rehearsal recorded beside the backups, the newest first."""
    found = []
    for entry in os.scandir(dest):
        if not entry.name.endswith(REHEARSAL) or not entry.is_file(follow_symlinks=False):
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            with open(entry.path, encoding="utf-8") as file:
                row = json.loads(file.read(MOST_BYTES))
            if row.pop("collection") == COLLECTION and row["name"] == name and isinstance(row["passed"], bool):
                row["age"] = round(_age(row["began_at"]))
                found.append(row)
    return sorted(found, key=lambda row: str(row["began_at"]), reverse=True)


def require_backup(rows: t.Sequence[t.Mapping[str, t.Any]], limit: int, where: str) -> None:
    """Refuse without a whole backup that is young enough.

    :raises UpgradeError: says what there is.
    """
    good = [row for row in rows if not row["damage"]]
    if good and good[0]["age"] <= limit:
        return
    found = f"the newest whole one is {duration(good[0]['age'])} old" if good else "there is none that is whole"
    raise UpgradeError(
        f"A backup that is at most {duration(limit)} old is required ('require_backup'), and in {where} {found}. "
        "Make one with the role plone_backup, and run again.",
        refused=True,
    )


def require_rehearsal(rows: t.Sequence[t.Mapping[str, t.Any]], limit: int, version: str, where: str) -> None:
    """Refuse unless the newest rehearsal with this version of the code passed and is young enough.

    One that failed before its code answered has no version, and may have been one with this code.

    :raises UpgradeError: says what there is.
    """
    same = [row for row in rows if not version or (row.get("to") or (not row["passed"] and version)) == version]
    code = f" to the version {version} of the code" if version else ""
    if same and same[0]["passed"] and same[0]["age"] <= limit:
        return
    if not same:
        found = "there is none"
    elif not same[0]["passed"]:
        found = f"the newest one failed: {str(same[0].get('reason', '')).rstrip('.')}"
    else:
        found = f"the newest one is {duration(same[0]['age'])} old"
    raise UpgradeError(
        f"A rehearsal{code} that passed and is at most {duration(limit)} old is required ('require_rehearsal'), and in "
        f"{where} {found}. Rehearse with the role plone_rehearsal, and run again.",
        refused=True,
    )


def _age(moment: str) -> float:
    began = parse_utc(moment)
    return max((utc_now() - began).total_seconds(), 0.0) if isinstance(began, dt.datetime) else 0.0

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of the dumps in a folder: a small file beside each says that it was verified, and when.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import itertools
import json
import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from .._core.clock import parse_utc, utc_now, utc_text
from .._core.errors import UpgradeError
from .._core.files import remove_if_exists, write_atomically
from .._transfer.dump_forms import CUSTOM, DIRECTORY, SQL_GZ, ZIP

ENDINGS = {CUSTOM: ".dump", DIRECTORY: ".dir", SQL_GZ: ".sql.gz", ZIP: ".zip"}
RECORD = ".verified.json"
COLLECTION = "siteops.upgrades"
MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Record:
    """One dump. Without ``verified_at`` it is not there yet."""

    path: str
    database: str
    form: str
    dumped_at: str
    size: int = 0
    sha256: str = ""
    version: str = ""
    pg_dump: str = ""
    server_version: int = 0
    files: int = 0
    missing_files: int = 0
    filestore: str = ""
    verified_at: str = ""

    @classmethod
    def planned(cls, path: str, database: str, form: str) -> Record:
        """A dump that is about to be written."""
        return cls(os.path.abspath(path), database, form, utc_text(utc_now()))

    def verified(self, **facts: t.Any) -> Record:
        """The same dump, read to its end."""
        return dataclasses.replace(self, **facts, verified_at=utc_text(utc_now()))

    @property
    def age(self) -> float:
        """Seconds since the dump began."""
        return (dt.datetime.now(dt.timezone.utc) - parse_utc(self.dumped_at)).total_seconds()

    def save(self) -> None:
        """Write the record beside the dump.

        :raises OSError: it cannot be written.
        """
        content = {"collection": COLLECTION, **dataclasses.asdict(self), "path": os.path.basename(self.path)}
        write_atomically(f"{self.path}{RECORD}", json.dumps(content, indent=2) + "\n")

    def as_result(self) -> dict[str, t.Any]:
        """For the result of a module."""
        return dataclasses.asdict(self)


def read(path: str) -> Record | None:
    """The record of a dump, None where there is none, or where it does not belong to what is there."""
    try:
        with open(f"{path}{RECORD}", encoding="utf-8") as file:
            content = json.loads(file.read(MOST_BYTES))
        if content.pop("collection") != COLLECTION:
            return None
        record = Record(**{**content, "path": os.path.abspath(path)})
        parse_utc(record.dumped_at)
        size = sum(entry.stat().st_size for entry in os.scandir(path)) if os.path.isdir(path) else os.path.getsize(path)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return record if record.verified_at and record.size == size else None


def kept_dumps(folder: str, database: str) -> list[Record]:
    """The verified dumps of a database in a folder, the newest first."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.endswith(RECORD):
                record = read(os.path.join(folder, name[: -len(RECORD)]))
                if record and record.database == database:
                    found.append(record)
    return sorted(found, key=lambda each: each.dumped_at, reverse=True)


def collected_dumps(folder: str, database: str, form: str) -> list[Record]:
    """Of those, the ones of a form that bear a name of :func:`new_path`; what somebody named is nobody's to remove."""
    own = re.compile(rf"{re.escape(database)}-\d{{8}}T\d{{6}}Z(-\d+)?{re.escape(ENDINGS[form])}")
    return [
        record
        for record in kept_dumps(folder, database)
        if record.form == form and own.fullmatch(os.path.basename(record.path))
    ]


def newest_verified(dest: str, into_folder: bool, database: str, form: str, filestore: str) -> Record | None:
    """The newest verified dump of this database and form at a destination, with the filestore that is asked for."""
    found = kept_dumps(dest, database) if into_folder else list(filter(None, [read(dest)]))
    for record in found:
        packed = not filestore or record.filestore == os.path.abspath(filestore)
        if packed and (record.database, record.form) == (database, form):
            return record
    return None


def remove_beyond(records: t.Sequence[Record], check_mode: bool) -> list[str]:
    """Remove dumps with their records; only what has one was made by this collection.

    :raises UpgradeError: one cannot be removed.
    """
    for record in () if check_mode else records:
        try:
            if os.path.isdir(record.path):
                shutil.rmtree(record.path)
            else:
                remove_if_exists(record.path)
            remove_if_exists(f"{record.path}{RECORD}")
        except OSError as error:
            raise UpgradeError(f"The old dump {record.path} cannot be removed: {error.strerror}.") from error
    return [record.path for record in records]


def new_path(folder: str, database: str, form: str) -> str:
    """The path of a new dump in a folder. A second dump of the same second gets a number, so that it replaces none."""
    stem = os.path.join(folder, f"{database}-{utc_now():%Y%m%dT%H%M%SZ}")
    numbered = (f"{stem}-{number}{ENDINGS[form]}" for number in itertools.count(2))
    return next(path for path in itertools.chain([stem + ENDINGS[form]], numbered) if not os.path.lexists(path))

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of reports: each appears whole or not at all, and never in the place of another.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
import re
import secrets
import typing as t

MODE = 0o640
"""Reports hold no secret, and who writes the page of them may be another user of the same group."""

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_HOST = 100


def reserve(folder: str, host: str, moment: dt.datetime, document: t.Mapping[str, t.Any]) -> str:
    """Write a document under a name that no other report has, such as ``shop-20261121T231502Z.json``.

    :returns: the path of the file.
    :raises OSError: it cannot be written.
    """
    name = UNSAFE.sub("_", host).lstrip(".")[:LONGEST_HOST] or "host"
    stem = os.path.join(folder, f"{name}-{moment.astimezone(dt.timezone.utc):%Y%m%dT%H%M%SZ}")
    with _written(stem, document) as temporary:
        for number in itertools.count(1):
            path = f"{stem}.json" if number == 1 else f"{stem}-{number}.json"
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
                return path
    raise AssertionError("itertools.count has no end")


def replace(path: str, document: t.Mapping[str, t.Any]) -> None:
    """Put a document in the place of the one that was reserved.

    :raises OSError: it cannot be written.
    """
    with _written(path.removesuffix(".json"), document) as temporary:
        os.rename(temporary, path)


@contextlib.contextmanager
def _written(stem: str, document: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """A file beside the one to be, hidden, with a name that no reader takes for a report; gone afterwards."""
    folder, name = os.path.split(stem)
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), MODE)
            json.dump(document, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)

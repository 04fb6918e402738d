# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of run reports: each appears whole or not at all, and a new one never replaces another one.

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

from ..module_utils._core.files import write_atomically

MODE = 0o640
"""Reports hold no secret, and another user of the same group may make the page of them."""

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_HOST = 100

Document = t.Mapping[str, t.Any]


def reserve(folder: str, host: str, moment: dt.datetime, document: Document) -> str:
    """Write a document under a name that no other report has, such as ``shop-20261121T231502Z.json``.

    :returns: the path of the file.
    :raises OSError: it cannot be written.
    """
    name = UNSAFE.sub("_", host).lstrip(".")[:LONGEST_HOST] or "host"
    stem = os.path.join(folder, f"{name}-{moment.astimezone(dt.timezone.utc):%Y%m%dT%H%M%SZ}")
    for number in itertools.count(1):
        path = f"{stem}.json" if number == 1 else f"{stem}-{number}.json"
        with contextlib.suppress(FileExistsError):
            _write(path, document, overwrite=False)
            return path
    raise AssertionError("itertools.count has no end")


def replace(path: str, document: Document) -> None:
    """Replace the document that was reserved.

    :raises OSError: it cannot be written.
    """
    _write(path, document, overwrite=True)


def _write(path: str, document: Document, *, overwrite: bool) -> None:
    """Write through a temporary file that is hidden and whose name no reader takes for a report."""
    folder, name = os.path.split(path.removesuffix(".json"))
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.new")
    content = json.dumps(document, indent=2) + "\n"
    write_atomically(path, content, mode=MODE, overwrite=overwrite, temporary=temporary)

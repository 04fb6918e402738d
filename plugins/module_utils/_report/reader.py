# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run reports from a folder that anybody may write to.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import json
import os
import stat
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError
from .run import NotARunReport, Run
from .values import LONGEST_NAME, clean

SUFFIX = ".json"
LARGEST_FILE = 64 * 1024 * 1024


@dataclass(frozen=True)
class Unreadable:
    """A file that is named like a run report and is not one."""

    file: str
    reason: str


def read_folder(folder: str) -> t.Iterator[Run | Unreadable]:
    """Every file of the folder whose name ends in .json, by name, without hidden files and subfolders.

    :raises OptionError: the folder cannot be listed.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise OptionError("src", f"{folder} cannot be read as a folder: {error.strerror}.") from error
    for name in names:
        if name.endswith(SUFFIX) and not name.startswith("."):
            yield read_file(os.path.join(folder, name))


def read_file(path: str) -> Run | Unreadable:
    """One run, or the reason why the file is not one; raises nothing, for any content."""
    name = clean(os.fsencode(os.path.basename(path)).decode("utf-8", "replace"), LONGEST_NAME)
    try:
        return Run.from_json(_document(path), file=name)
    except NotARunReport as why:
        return Unreadable(name, clean(str(why)))


def _document(path: str) -> t.Any:
    try:
        # Without O_NONBLOCK, a named pipe would be waited for.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise NotARunReport("It is not a regular file.")
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise NotARunReport(f"It cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_FILE:
        raise NotARunReport(f"It has more than {LARGEST_FILE // 1024 // 1024} MiB.")
    try:
        return json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise NotARunReport(f"It is not UTF-8: byte {error.start}.") from error
    except json.JSONDecodeError as error:
        raise NotARunReport(f"It is not JSON: line {error.lineno}, column {error.colno}.") from error
    except (ValueError, RecursionError) as error:
        raise NotARunReport("It is JSON with a number too long or a nesting too deep for a report.") from error

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a dump is written: whether it may be, the name that it has meanwhile, and the step to its own.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import re
import shutil

from .._core.errors import OptionError
from .._core.files import remove_if_exists, rename_durably
from .._transfer.dump_forms import DIRECTORY

PART, OLD = ".part", ".siteops-old"
"""What this module puts behind the name of a dump: while it is written, and of the folder that it replaces."""


def is_collection(dest: str) -> bool:
    """Whether ``dest`` is a folder in which dumps are collected under names of their own, and no dump itself."""
    return os.path.isdir(dest) and not os.path.exists(os.path.join(dest, "toc.dat"))


def require_place(dest: str, form: str, keep: int | None) -> None:
    """Find before anything is written that a dump of this form cannot be put there.

    :raises OptionError: names the option and what is in the way.
    """
    collected = is_collection(dest)
    parent = os.path.dirname(os.path.abspath(dest))
    if not os.path.isdir(parent):
        raise OptionError("dest", f"there is no folder {parent}.")
    folder = dest if collected else parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OptionError("dest", f"the folder {folder} cannot be written to.")
    if keep is not None and not collected:
        raise OptionError("keep", "needs a folder for 'dest', in which the dumps get names of their own.")
    if collected:
        return
    # What a run left that was killed between the two steps of replace() is the earlier dump too.
    there = next((path for path in (dest, f"{dest}{OLD}") if os.path.lexists(path)), "")
    if there and (os.path.isdir(there) != (form == DIRECTORY) or not (os.path.isdir(there) or os.path.isfile(there))):
        raise OptionError("dest", f"{there} is there already, and no dump of the form {form}.")
    if os.path.isdir(there) and not os.access(there, os.W_OK | os.X_OK):
        raise OptionError("dest", f"the folder {there} is there already, and this account may not remove its files.")


def clear_remains(folder: str, database: str) -> None:
    """Remove what killed runs left of dumps of this database under names of their own."""
    pattern = re.compile(rf"{re.escape(database)}-\d{{8}}T\d{{6}}Z(-\d+)?\.[a-z.]+{re.escape(PART)}")
    for name in os.listdir(folder):
        if pattern.fullmatch(name):
            remove(os.path.join(folder, name))


def size_of(path: str) -> int:
    """The bytes of a file, or of all files in a folder."""
    if os.path.isdir(path):
        return sum(os.path.getsize(os.path.join(path, name)) for name in os.listdir(path))
    return os.path.getsize(path)


def prepare(dest: str) -> str:
    """The path to write to, empty again, after a run that was killed at whatever moment."""
    if not os.path.lexists(dest) and os.path.isdir(f"{dest}{OLD}"):
        # Killed between the two steps of replace().
        os.rename(f"{dest}{OLD}", dest)
    part = f"{dest}{PART}"
    remove(part)
    return part


def remove(path: str) -> None:
    """Remove a file or a folder under a temporary name, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        remove_if_exists(path)


def replace(part: str, dest: str) -> None:
    """Give the verified dump its name. A folder cannot be replaced in one step: the old one is kept until the end."""
    if not os.path.isdir(part):
        rename_durably(part, dest)
        return
    remove(f"{dest}{OLD}")
    if os.path.lexists(dest):
        os.rename(dest, f"{dest}{OLD}")
    rename_durably(part, dest)
    remove(f"{dest}{OLD}")

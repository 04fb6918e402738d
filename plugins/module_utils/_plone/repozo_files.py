# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of repozo in a backup: a full one, or those of the backup before with the changes since then.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import shutil
import time

from .._core.process import ToolError
from .backup_folder import Backup
from .instance_programs import Programs

NAME_FORMAT, NAME_LENGTH = "%Y-%m-%d-%H-%M-%S", 19
LONGEST_WAIT_FOR_NAME = 3.0
FULL = (".fs", ".fsz")


def write_repozo_files(
    programs: Programs, data_fs: str, folder: str, base: Backup | None, seconds: float
) -> tuple[str, bool]:
    """Have repozo back up a Data.fs into a new folder.

    :param base: the backup whose files are taken over and added to.
    :return: when the full backup that this one adds to was made, empty if this is a full one; and whether repozo
        compared the database with the files of the backup before.
    :raises ToolError: repozo failed.
    :raises OSError: the folder cannot be written.
    """
    os.mkdir(folder, 0o700)
    chained = base is not None
    if base:
        _link_files(base.files, folder)
        chained = _wait_for_later_name(folder)
        if not chained:
            shutil.rmtree(folder)
            os.mkdir(folder, 0o700)
    earlier = set(os.listdir(folder))
    programs.run_repozo(seconds, "-B", "-k", "-r", folder, "-f", data_fs, *(() if chained else ("-F",)))
    names = set(os.listdir(folder))
    if not any(name.endswith(FULL) for name in names):
        raise ToolError("repozo ended with success and wrote no backup.")
    kept_full = {name for name in earlier & names if name.endswith(FULL)}
    return base.full_at if base and kept_full else "", chained


def _link_files(source: str, dest: str) -> None:
    """Take over the files of the backup before. repozo only adds to its .dat file, so that one is copied."""
    for name in os.listdir(source):
        there, here = os.path.join(source, name), os.path.join(dest, name)
        if name.endswith(".dat"):
            shutil.copy2(there, here)
        else:
            os.link(there, here)


def _wait_for_later_name(folder: str) -> bool:
    """Wait until repozo gives a later name than those that are there; it names and sorts its files by the second.

    :return: false where the names are of the future, so that nothing can be added to these files.
    """
    newest = max((name[:NAME_LENGTH] for name in os.listdir(folder)), default="")
    give_up = time.monotonic() + LONGEST_WAIT_FOR_NAME
    while time.strftime(NAME_FORMAT, time.gmtime()) <= newest:
        if time.monotonic() > give_up:
            return False
        time.sleep(0.1)
    return True

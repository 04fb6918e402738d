# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules for a Plone database do before and after their work: options, a sentence.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import hashlib
import os
import re
import typing as t

from .._core.errors import OptionError
from .._core.options import require_not_negative, require_positive
from .._core.task import Task
from .backup import BackupRun
from .backup_plan import BackupPlan
from .database_server import DatabaseServer
from .file_storage import FileStorage
from .forecast import forecast
from .instance_programs import programs_of
from .rel_storage import RelStorage
from .requirements import age_of, backup_rows, rehearsal_rows, require_backup, require_rehearsal
from .restore import REVERTED, RestorePlan, RestoreRun
from .storage import Storage

Params = t.Mapping[str, t.Any]
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def program_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec of the instance's programs; documented in the fragment ``plone_database``."""
    return {
        "python": {"type": "path", "required": True},
        "repozo": {"type": "path"},
        "environment": {"type": "dict", "default": {}},
        "scratch": {"type": "path"},
        "name": {"type": "str", "default": "plone"},
        "timeout": {"type": "int", "default": 21600},
    }


def _storage_of(params: Params, server: DatabaseServer | None) -> Storage:
    """The storage that the options name.

    :param server: the PostgreSQL server of a RelStorage, where the options name a database.
    :raises OptionError: they name none.
    """
    blobs = os.path.abspath(params["blobs"]) if params["blobs"] else ""
    if params["database"] and server:
        if params["data_fs"]:
            raise OptionError("database", "excludes 'data_fs'; give one of them.")
        # Of this name and folder, so that the next run drops what a killed one left.
        own = f"{params['database']} {os.path.abspath(params['dest']) if params.get('dest') else ''}"
        scratch = f"siteops_{hashlib.sha256(own.encode()).hexdigest()[:24]}"
        return RelStorage(programs_of(params, needs_repozo=False), blobs, server, params["database"], scratch)
    return FileStorage(programs_of(params), blobs, os.path.abspath(params["data_fs"]) if params["data_fs"] else "")


def backup_once(params: Params, task: Task, server: DatabaseServer | None) -> dict[str, t.Any]:
    """The work of the module plone_backup.

    :param server: the PostgreSQL server of a RelStorage, where the options name a database.

    :raises UpgradeError: names the option, or what is damaged.
    """
    _require_common(params)
    for option in ("keep", "full_if_older_than"):
        if params[option] is not None:
            require_positive(params, option)
    if params["if_older_than"] is not None:
        require_not_negative(params, "if_older_than")
    dest = params["dest"] or ""
    if not os.path.isdir(dest):
        raise OptionError("dest", f"there is no folder {dest}." if dest else "is empty; give a folder.")
    storage = _storage_of(params, server)
    if params["state"] == "present" and not params["data_fs"] and not params["database"]:
        raise OptionError("data_fs", "is empty; give the path of the Data.fs, or the 'database' of a RelStorage.")
    plan = BackupPlan(
        dest=os.path.abspath(dest),
        name=params["name"],
        data_fs=os.path.abspath(params["data_fs"]) if params["data_fs"] else "",
        database=params["database"] or "",
        full=params["full"],
        full_if_older_than=params["full_if_older_than"],
        link_blobs=params["blobs_by"] == "link",
        scratch=params["scratch"] or "",
        keep=params["keep"],
        if_older_than=params["if_older_than"],
        timeout=params["timeout"],
    )
    backup = BackupRun(storage, plan, task.progress)
    if params["state"] == "verified":
        result = backup.verify(task.check_mode)
        msg = (
            f"The files of the backup {result['dest']} are as its manifest says. Check mode does not restore it."
            if task.check_mode
            else f"The backup {result['dest']} was restored to a scratch folder and read: it is whole."
        )
    else:
        result = backup.run(task.check_mode)
        done = "would be" if task.check_mode else "was"
        what = storage.place[:1].upper() + storage.place[1:]
        msg = (
            f"{what} {done} backed up to {result['dest']}."
            if result["backed_up"]
            else f"The verified backup {result['dest']} is young enough."
        )
    task.warn_all(backup.warnings)
    return {"msg": msg, **result}


def restore_once(params: Params, task: Task, server: DatabaseServer | None) -> dict[str, t.Any]:
    """The work of the module plone_restore.

    :param server: the PostgreSQL server of a RelStorage, where the options name a database.

    :raises UpgradeError: names the option, or what is damaged.
    """
    _require_common(params)
    if not params["keep_as"]:
        raise OptionError("keep_as", "is empty.")
    if not params["data_fs"] and not params["database"]:
        raise OptionError("data_fs", "is empty; give the path of the Data.fs, or the 'database' of a RelStorage.")
    if not NAME.fullmatch(params["keep_as"]):
        raise OptionError("keep_as", "must consist of letters, digits and the characters '_', '.' and '-'.")
    if params["state"] != REVERTED and not params["src"]:
        raise OptionError("src", "is empty; give a backup, or the folder of the backups.")
    storage = _storage_of(params, server)
    storage.follow_links()
    place = storage.place[:1].upper() + storage.place[1:]
    plan = RestorePlan(
        src=params["src"] or "",
        name=params["name"],
        keep_as=params["keep_as"],
        link_blobs=params["blobs_by"] == "link",
        state=params["state"],
        timeout=params["timeout"],
    )
    restore = RestoreRun(storage, plan, task.progress)
    if params["prove_only"]:
        if plan.state == REVERTED:
            raise OptionError("prove_only", "goes with 'state' restored.")
        result = restore.prove()
        return {"msg": f"{result['src']} is whole and could be restored to {storage.place}.", **result}
    result = restore.run(task.check_mode)
    task.warn_all(restore.warnings)
    done = "would be" if task.check_mode else "was"
    if plan.state == REVERTED:
        msg = (
            f"The database of before {done} put back as {storage.place}."
            if result["changed"]
            else f"{place} is the one of before already."
        )
    elif result["changed"]:
        msg = f"{place} {done} restored from {result['src']}."
    else:
        msg = f"{place} is as {result['src']} has it already."
    return {"msg": msg, **result}


def list_backups(params: Params) -> dict[str, t.Any]:
    """The work of the module plone_backup_info.

    :raises UpgradeError: names the option, or says that no backup is good or young enough.
    """
    dest = params["dest"] or ""
    if not os.path.isdir(dest):
        raise OptionError("dest", f"there is no folder {dest}." if dest else "is empty; give a folder.")
    backup_age, rehearsal_age = age_of(params, "require_backup"), age_of(params, "require_rehearsal")
    rows = backup_rows(dest, params["name"], read_files=params["read_files"])
    rehearsals = rehearsal_rows(dest, params["name"])
    if backup_age is not None:
        require_backup(rows, backup_age, dest)
    if rehearsal_age is not None:
        require_rehearsal(rehearsals, rehearsal_age, params["code_version"] or "", dest)
    good = [row for row in rows if not row["damage"]]
    return {
        "changed": False,
        "msg": f"{len(rows)} backups with the name {params['name']} are in {dest}, {len(good)} of them whole, and "
        f"{len(rehearsals)} rehearsals.",
        "backups": rows,
        "newest": good[0] if good else {},
        "rehearsals": rehearsals,
        "forecast": forecast(good, rehearsals, params["data_fs"] or dest),
    }


def _require_common(params: Params) -> None:
    require_positive(params, "timeout")
    if not NAME.fullmatch(params["name"] or ""):
        raise OptionError("name", "must consist of letters, digits and the characters '_', '.' and '-'.")
    if params["scratch"] and not os.path.isdir(params["scratch"]):
        raise OptionError("scratch", f"there is no folder {params['scratch']}.")

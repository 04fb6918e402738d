# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that move a database do before and after their work: options, a sentence.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import typing as t

from .._core.errors import OptionError
from .._core.options import require_positive
from .._core.task import Task
from .._transfer.dump_forms import CUSTOM, DIRECTORY, ZIP
from .connection import database_name
from .database import Server
from .dump import Dump, DumpPlan
from .filestore import folder_of
from .merge import merge
from .odoo_facts import wanted_series
from .restore import Restore, RestorePlan
from .temporary_database import NewDatabase

Params = t.Mapping[str, t.Any]


def restore_once(params: Params, task: Task) -> dict[str, t.Any]:
    """The work of the module odoo_database_restore.

    :raises UpgradeError: names the option, or what the server said.
    """
    database = database_name(params["database"])
    require_positive(params, "jobs", "timeout")
    if not params["src"]:
        raise OptionError("src", "is empty; give the path of a dump.")
    expected = wanted_series(params["expect_version"], "expect_version") if params["expect_version"] else ""
    plan = RestorePlan(
        src=params["src"],
        database=database,
        new=NewDatabase(
            owner=params["owner"] or "",
            template=params["template"] or "template0",
            collate=params["collate"] or "",
            connections=params["connections"],
        ),
        jobs=params["jobs"],
        filestore_dest=params["filestore_dest"] or "",
        expect_version=expected,
        skip_settings=params["on_skew"] == "skip_settings",
        timeout=params["timeout"],
    )
    restore = Restore(Server.of(params), plan, task.progress)
    result = restore.run(task.check_mode)
    task.warn_all(restore.warnings)
    form = result["dump"]["form"]
    done = "would be" if task.check_mode else "was"
    return {
        "msg": f"The database {database} {done} restored from a dump of the form {form}."
        if result["changed"]
        else f"The database {database} was restored from this dump before.",
        **result,
    }


def dump_once(params: Params, task: Task) -> dict[str, t.Any]:
    """The work of the module odoo_database_dump.

    :raises UpgradeError: names the option, or what pg_dump said.
    """
    database = database_name(params["database"])
    require_positive(params, "jobs", "timeout", *(name for name in ("keep",) if params[name] is not None))
    if params["if_older_than"] is not None and params["if_older_than"] < 0:
        raise OptionError("if_older_than", f"must be 0 or greater, not {params['if_older_than']}.")
    if not params["dest"]:
        raise OptionError("dest", "is empty; give a folder, or the path of the dump.")
    form = params["format"]
    if form == "auto":
        form = ZIP if params["filestore"] else CUSTOM
    if params["filestore"]:
        if form != ZIP:
            raise OptionError("filestore", f"can only be dumped with format zip, not {form}; merge it on its own.")
        folder_of(params["filestore"], "filestore")
    if params["dest"].endswith("/") and form != DIRECTORY and not os.path.isdir(params["dest"]):
        raise OptionError("dest", f"there is no folder {params['dest']}.")
    if params["jobs"] > 1 and form != DIRECTORY:
        raise OptionError("jobs", f"needs the format directory; pg_dump writes {form} over one connection.")
    plan = DumpPlan(
        database=database,
        dest=params["dest"] if os.path.isdir(params["dest"]) else params["dest"].rstrip("/"),
        form=form,
        filestore=params["filestore"] or "",
        jobs=params["jobs"],
        keep=params["keep"],
        if_older_than=params["if_older_than"],
        timeout=params["timeout"],
    )
    dump = Dump(Server.of(params), plan, task.progress)
    result = dump.run(task.check_mode)
    task.warn_all(dump.warnings)
    done = "would be" if task.check_mode else "was"
    return {
        "msg": f"The database {database} {done} dumped to {result['dest']}."
        if result["dumped"]
        else f"The verified dump {result['dest']} is young enough.",
        **result,
    }


def merge_once(params: Params, task: Task) -> dict[str, t.Any]:
    """The work of the module odoo_filestore_merge.

    :raises UpgradeError: names the option, or the files.
    """
    sources = [folder for folder in params["sources"] if folder]
    if not sources:
        raise OptionError("sources", "is empty; give at least one folder.")
    if not params["dest"]:
        raise OptionError("dest", "is empty; give the folder of a filestore.")
    database, server = params["database"] or "", None
    if database:
        server = Server.of(params)
        server.require_readable(database_name(database))
    result = merge(
        server,
        database,
        sources,
        params["dest"],
        link=params["link"],
        verify=params["verify"],
        check_mode=task.check_mode,
        progress=task.progress,
    )
    done = "would be" if task.check_mode else "were"
    return {"msg": f"{result['added']} files {done} added to {params['dest']}.", **result}

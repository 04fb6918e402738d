# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything about one database that an upgrade has to know, as one result.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .connection import database_name
from .database import Server
from .filestore import compare, folder_of, needed_by
from .odoo_facts import (
    UNFINISHED,
    contract_of,
    counts_of,
    groups_of,
    invoices_of,
    modules_of,
    open_work_of,
    parameters_of,
    series_of,
    tables_of,
    wanted_tables,
)

NOTHING: t.Mapping[str, t.Any] = {
    "version": "",
    "modules": {},
    "unfinished_modules": [],
    "parameters": {},
    "neutralized": False,
    "counts": {},
    "invoices": {},
    "open_work": {},
    "mails": {},
}


def database_info(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The result of the module odoo_database_info.

    :raises UpgradeError: an option makes no sense, or the server cannot be asked.
    """
    name = database_name(params["database"])
    counts = wanted_tables(params["counts"], "counts")
    if params["filestore"]:
        folder_of(params["filestore"], "filestore")
    server = Server.of(params)
    found = server.find(name)
    result: dict[str, t.Any] = {
        "changed": False,
        "exists": bool(found),
        "readable": bool(found and found.accepts_connections),
        "is_odoo": False,
        "database": {},
        "server": {"major": server.major, "version_num": server.version},
        **NOTHING,
        "connections": server.connections(name),
    }
    if params["tools"]:
        result["tools"] = server.programs.versions()
    if not found:
        return {**result, "msg": f"There is no database {name} on {server.place}."}
    result["database"] = {
        "name": found.name,
        "owner": found.owner,
        "encoding": found.encoding,
        "collate": found.collate,
        "ctype": found.ctype,
        "size": found.size,
        "comment": found.comment,
        "accepts_connections": found.accepts_connections,
    }
    if not found.accepts_connections:
        return {**result, "msg": f"The database {name} refuses connections, so its content was not read."}
    if "ir_module_module" not in tables_of(server, name):
        return {**result, "msg": f"The database {name} is no database of Odoo."}
    result.update(odoo_content(server, name, counts))
    if params["contract"]:
        result["contract"] = contract_of(server, name)
    if params["filestore"]:
        compared = compare(needed_by(server, name), [params["filestore"]], params["verify"])
        result["filestore"] = compared.as_result()
    result["msg"] = f"The database {name} is Odoo {result['version']} with {len(result['modules'])} modules."
    return result


def odoo_content(server: Server, name: str, counts: t.Sequence[str] | None) -> dict[str, t.Any]:
    """What is read inside of a database of Odoo."""
    modules = modules_of(server, name)
    parameters = parameters_of(server, name)
    return {
        "is_odoo": True,
        "version": series_of(modules),
        "modules": modules,
        "unfinished_modules": sorted(each for each, module in modules.items() if module["state"] in UNFINISHED),
        "parameters": parameters,
        "neutralized": parameters.get("database.is_neutralized", "").lower() in ("true", "1"),
        "counts": counts_of(server, name, counts),
        "invoices": invoices_of(server, name),
        "open_work": open_work_of(server, name),
        "mails": groups_of(server, name, "mail_mail", "state"),
    }

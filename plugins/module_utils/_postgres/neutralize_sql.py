# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SQL that neutralises: what a database has of the dangers is counted and removed, and it gets a new identity.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import hashlib
import secrets
import typing as t
import uuid
from dataclasses import replace

from .dangers import Danger
from .database import Server, literal
from .odoo_facts import columns_of, tables_of

FLAG = "database.is_neutralized"
MARK = "siteops_upgrades.neutralized"
"""A parameter that records which scripts were run, and for which identity."""

DEFAULT_URL = "http://localhost:8069"


def present(server: Server, database: str, wanted: t.Sequence[Danger]) -> list[Danger]:
    """Those that this version of Odoo with its modules has."""
    tables = tables_of(server, database)
    columns = {table: columns_of(server, database, table) for table in {each.table for each in wanted} & tables}
    return [
        replace(each, condition=f"({each.condition}) AND NOT {each.spared}") if each.spared_by in tables else each
        for each in wanted
        if set(each.columns) <= columns.get(each.table, set()) and (not each.needs or each.needs in tables)
    ]


def counted(server: Server, database: str, wanted: t.Sequence[Danger]) -> dict[str, int]:
    """How many rows of each are left."""
    if not wanted:
        return {}
    selects = [
        f"SELECT {literal(each.name)} AS name, count(*) AS rows FROM public.{each.table} WHERE {each.condition}"
        for each in wanted
    ]
    return {row["name"]: row["rows"] for row in server.rows(" UNION ALL ".join(selects), database)}


def statements(wanted: t.Sequence[Danger]) -> str:
    """The SQL that removes them."""
    return "".join(f"{each.change.format(condition=each.condition)};\n" for each in wanted)


def set_parameter(key: str, value: str) -> str:
    """The SQL that sets a parameter, whether it is there or not."""
    return (
        f"UPDATE public.ir_config_parameter SET value = {literal(value)} WHERE key = {literal(key)};\n"
        f"INSERT INTO public.ir_config_parameter (key, value) SELECT {literal(key)}, {literal(value)}"
        f" WHERE NOT EXISTS (SELECT FROM public.ir_config_parameter WHERE key = {literal(key)});\n"
    )


def new_identity() -> tuple[str, str]:
    """A new uuid for the database, and the SQL that sets it with a new secret. The old ones belong to production."""
    identity = str(uuid.uuid4())
    return identity, (
        set_parameter("database.uuid", identity)
        + set_parameter("database.secret", secrets.token_hex(32))
        + "UPDATE public.ir_config_parameter SET value = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
        " WHERE key = 'database.create_date';\n"
    )


def mark_of(scripts: t.Mapping[str, str], identity: str) -> str:
    """What :data:`MARK` records; another script or another identity makes another one."""
    digest = hashlib.sha256(identity.encode())
    for name, sql in sorted(scripts.items()):
        digest.update(f"\0{name}\0{sql}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a database says of itself as an Odoo: version, modules, parameters, counts; read by SQL, without Odoo's code.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t

from .._core.errors import OptionError
from .database import Server, identifier, literal
from .refusal import DatabaseError

COUNTED = (
    "account_move",
    "account_move_line",
    "crm_lead",
    "hr_employee",
    "ir_attachment",
    "product_template",
    "project_task",
    "purchase_order",
    "res_company",
    "res_partner",
    "res_users",
    "sale_order",
    "stock_move",
)
"""Tables whose rows a business notices."""

SHOWN = (
    "database.uuid",
    "database.create_date",
    "database.expiration_date",
    "database.expiration_reason",
    "database.is_neutralized",
    "web.base.url",
    "ir_attachment.location",
)
HIDDEN_PARAMETERS = ("database.secret", "database.enterprise_code")
HIDDEN = "(hidden)"

UNFINISHED = ("to install", "to upgrade", "to remove")
"""States of modules that an update leaves behind when it did not finish."""

TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)

ASSETS = "(url LIKE '/web/assets/%' OR url LIKE '/web/content/%/web.assets%' OR url LIKE '/web/content/%.assets_%')"
"""Attachments that Odoo generates and deletes by itself."""


def tables_of(server: Server, database: str) -> set[str]:
    """The tables in the schema that Odoo uses."""
    rows = server.rows(
        "SELECT relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = 'public' AND relkind IN ('r', 'p')",
        database,
    )
    return {row["name"] for row in rows}


def columns_of(server: Server, database: str, table: str) -> set[str]:
    """The columns of a table."""
    rows = server.rows(
        "SELECT attname AS name FROM pg_attribute"
        f" WHERE attrelid = to_regclass({literal('public.' + identifier(table))}) AND attnum > 0 AND NOT attisdropped",
        database,
    )
    return {row["name"] for row in rows}


def modules_of(server: Server, database: str) -> dict[str, dict[str, str]]:
    """State and installed version of every module that is not plainly uninstalled.

    :raises DatabaseError: the database is none of Odoo.
    """
    if "ir_module_module" not in tables_of(server, database):
        raise DatabaseError(
            f"The database {database} is no database of Odoo: it has no table ir_module_module. Check the name."
        )
    rows = server.rows(
        "SELECT name, coalesce(state, '') AS state, coalesce(latest_version, '') AS version"
        " FROM public.ir_module_module WHERE state NOT IN ('uninstalled', 'uninstallable') ORDER BY name",
        database,
    )
    return {row["name"]: {"state": row["state"], "version": row["version"]} for row in rows}


def series_of(modules: t.Mapping[str, t.Mapping[str, str]]) -> str:
    """The version of Odoo, such as 17.0, by what is installed of its module base; empty where that says nothing."""
    return series(modules.get("base", {}).get("version", ""))


def series(version: str) -> str:
    """The first two parts of a version: 17.0 of 17.0.1.3, and saas~18.2 of saas~18.2.1.0."""
    return ".".join(version.split(".")[:2])


def wanted_series(text: str, option: str) -> str:
    """The version that an option names: 17, v17 and 17.0 are one.

    :raises OptionError: it is none.
    """
    found = re.fullmatch(r"[vV]?((?:saas[~-])?\d+)(\.\d+)?", text.strip(), re.ASCII)
    if not found:
        raise OptionError(option, f"must be a version of Odoo such as 17.0, not {text!r}.")
    return found[1].replace("saas-", "saas~") + (found[2] or ".0")


def parameters_of(server: Server, database: str) -> dict[str, str]:
    """The parameters that matter to an upgrade; of a secret only that it is there."""
    names = ", ".join(map(literal, (*SHOWN, *HIDDEN_PARAMETERS)))
    rows = server.rows(
        f"SELECT key, CASE WHEN key IN ({', '.join(map(literal, HIDDEN_PARAMETERS))}) THEN {literal(HIDDEN)}"
        f" ELSE value END AS value FROM public.ir_config_parameter WHERE key IN ({names}) ORDER BY key",
        database,
    )
    return {row["key"]: row["value"] or "" for row in rows}


def contract_of(server: Server, database: str) -> str:
    """The reference of the enterprise contract, a secret; empty where the database has none."""
    rows = server.rows(
        "SELECT value FROM public.ir_config_parameter WHERE key = 'database.enterprise_code'",
        database,
    )
    return str(rows[0]["value"] or "").strip() if rows else ""


def wanted_tables(names: t.Sequence[str | None] | None, option: str) -> list[str] | None:
    """The names of tables in an option, None where it is not set, as where a survey left every entry empty.

    :raises OptionError: a name is no table's.
    """
    found = [name for name in names or () if name]
    for name in found:
        if not TABLE_NAME.fullmatch(name):
            raise OptionError(option, f"{name!r} is not the name of a table.")
    return None if names is None or (names and not found) else found


def counts_of(server: Server, database: str, wanted: t.Sequence[str] | None) -> dict[str, int]:
    """The number of rows of tables; those that are not there are left out.

    :param wanted: None for those that a business notices.
    """
    there = tables_of(server, database)
    names = [name for name in (COUNTED if wanted is None else wanted) if name in there]
    if not names:
        return {}
    conditions = {"ir_attachment": f" WHERE url IS NULL OR NOT {ASSETS}"}
    selects = [
        f"SELECT {literal(name)} AS name, count(*) AS rows FROM public.{identifier(name)}{conditions.get(name, '')}"
        for name in dict.fromkeys(names)
    ]
    return {row["name"]: row["rows"] for row in server.rows(" UNION ALL ".join(selects), database)}


def groups_of(server: Server, database: str, table: str, column: str, condition: str = "true") -> dict[str, int]:
    """The number of rows for each value of a column; empty where the table or the column is not there."""
    if column not in columns_of(server, database, table):
        return {}
    rows = server.rows(
        f"SELECT coalesce({identifier(column)}::text, '') AS name, count(*) AS rows"
        f" FROM public.{identifier(table)} WHERE {condition} GROUP BY 1 ORDER BY 1",
        database,
    )
    return {row["name"]: row["rows"] for row in rows}


def invoices_of(server: Server, database: str) -> dict[str, int]:
    """Accounting entries by kind and state, such as ``out_invoice/posted``."""
    columns = columns_of(server, database, "account_move")
    kind = next((name for name in ("move_type", "type") if name in columns), "")
    if not kind or "state" not in columns:
        return {}
    rows = server.rows(
        f"SELECT {identifier(kind)} || '/' || state AS name, count(*) AS rows FROM public.account_move"
        f" WHERE {identifier(kind)} IS NOT NULL AND state IS NOT NULL GROUP BY 1 ORDER BY 1",
        database,
    )
    return {row["name"]: row["rows"] for row in rows}


def open_work_of(server: Server, database: str) -> dict[str, int]:
    """What a running Odoo would do by itself: active scheduled actions, queued mails, active mail servers."""
    found = {}
    for name, table, condition in (
        ("active_crons", "ir_cron", "active"),
        ("active_mail_servers", "ir_mail_server", "active"),
        ("active_fetchmail_servers", "fetchmail_server", "active"),
        ("queued_mails", "mail_mail", "state = 'outgoing'"),
    ):
        column = condition.split()[0]
        if column in columns_of(server, database, table):
            sql = f"SELECT count(*) FROM public.{table} WHERE {condition}"
            found[name] = int(server.value(sql, database))
    return found

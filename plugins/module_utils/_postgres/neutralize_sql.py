# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a copy of a production database must not keep: for each thing how to find it by SQL, and how to remove it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import hashlib
import secrets
import typing as t
import uuid
from dataclasses import dataclass, replace

from .database import Server, literal
from .odoo_facts import columns_of, tables_of

FLAG = "database.is_neutralized"
MARK = "siteops_upgrades.neutralized"
"""A parameter that records which scripts were run, and for which identity."""

DEFAULT_URL = "http://localhost:8069"
NO_WEBHOOK = "neutralization - disable webhook"
AUTOVACUUM = (
    "id IN (SELECT res_id FROM public.ir_model_data"
    " WHERE module = 'base' AND name = 'autovacuum_job' AND model = 'ir.cron')"
)


@dataclass(frozen=True)
class Danger:
    """One thing. ``columns`` must be there, otherwise the version of Odoo does not have it."""

    name: str
    table: str
    columns: tuple[str, ...]
    condition: str
    change: str
    spared_by: str = ""
    """A table; where it is there, ``spared`` is a condition for rows that are no danger."""
    spared: str = ""


def dangers(cancel_mail: bool) -> list[Danger]:
    """Everything that is looked for in every version; what Odoo's own scripts do beside is not repeated here."""
    found = [
        Danger(
            "mail_servers",
            "ir_mail_server",
            ("active", "smtp_host"),
            "active AND smtp_host IS DISTINCT FROM 'invalid'",
            "UPDATE public.ir_mail_server SET active = false WHERE {condition}",
        ),
        Danger(
            "mail_server_logins",
            "ir_mail_server",
            ("smtp_user", "smtp_pass"),
            "smtp_user IS NOT NULL OR smtp_pass IS NOT NULL",
            "UPDATE public.ir_mail_server SET smtp_user = NULL, smtp_pass = NULL WHERE {condition}",
        ),
        Danger(
            "fetchmail_servers",
            "fetchmail_server",
            ("active",),
            "active",
            "UPDATE public.fetchmail_server SET active = false WHERE {condition}",
        ),
        Danger(
            "fetchmail_server_logins",
            "fetchmail_server",
            ("password",),
            "password IS NOT NULL",
            "UPDATE public.fetchmail_server SET password = NULL WHERE {condition}",
        ),
        Danger(
            "crons",
            "ir_cron",
            ("active",),
            "active",
            "UPDATE public.ir_cron SET active = false WHERE {condition}",
            spared_by="ir_model_data",
            spared=AUTOVACUUM,
        ),
        *(
            Danger(
                "payment_providers",
                table,
                ("state",),
                "state NOT IN ('test', 'disabled')",
                f"UPDATE public.{table} SET state = 'disabled' WHERE {{condition}}",
            )
            for table in ("payment_provider", "payment_acquirer")
        ),
        Danger(
            "iap_accounts",
            "iap_account",
            ("account_token",),
            "account_token IS NOT NULL AND account_token NOT LIKE '%+disabled'",
            "UPDATE public.iap_account SET account_token = split_part(account_token, '+', 1) || '+disabled'"
            " WHERE {condition}",
        ),
        Danger(
            "webhooks",
            "ir_act_server",
            ("webhook_url",),
            f"webhook_url IS NOT NULL AND webhook_url <> {literal(NO_WEBHOOK)}",
            f"UPDATE public.ir_act_server SET webhook_url = {literal(NO_WEBHOOK)} WHERE {{condition}}",
        ),
        Danger(
            "contract",
            "ir_config_parameter",
            ("key",),
            "key = 'database.enterprise_code'",
            "DELETE FROM public.ir_config_parameter WHERE {condition}",
        ),
    ]
    if cancel_mail:
        found.append(
            Danger(
                "queued_mails",
                "mail_mail",
                ("state",),
                "state = 'outgoing'",
                "UPDATE public.mail_mail SET state = 'cancel' WHERE {condition}",
            )
        )
    return found


def present(server: Server, database: str, wanted: t.Sequence[Danger]) -> list[Danger]:
    """Those that this version of Odoo with its modules has."""
    tables = tables_of(server, database)
    columns = {table: columns_of(server, database, table) for table in {each.table for each in wanted} & tables}
    return [
        replace(each, condition=f"({each.condition}) AND NOT {each.spared}") if each.spared_by in tables else each
        for each in wanted
        if set(each.columns) <= columns.get(each.table, set())
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

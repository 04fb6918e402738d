# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a copy of a production database must not keep: for each thing how to find it by SQL, and how to remove it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

from dataclasses import dataclass

from .database import literal

NO_WEBHOOK = "neutralization - disable webhook"
PLACEHOLDER = "smtp_host = 'invalid'"
"""The mail server of Odoo's script. While it is active, Odoo does not use the server of its configuration instead."""

ADD_PLACEHOLDER = (
    "INSERT INTO public.ir_mail_server SELECT one.* FROM jsonb_populate_record(NULL::public.ir_mail_server,"
    " jsonb_build_object('id', nextval(pg_get_serial_sequence('public.ir_mail_server', 'id')),"
    " 'name', 'neutralization - disable emails', 'smtp_host', 'invalid', 'smtp_port', 1025, 'smtp_encryption', 'none',"
    " 'smtp_authentication', 'login', 'sequence', 10, 'active', true)) AS one WHERE NOT EXISTS"
    f" (SELECT FROM public.ir_mail_server WHERE active AND {PLACEHOLDER})"
)
"""By names, because not every version has all of these columns."""

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
    needs: str = ""
    """Another table that must be there."""


ALWAYS = (
    Danger(
        "mail_servers",
        "ir_mail_server",
        ("active", "smtp_host"),
        "active AND smtp_host IS DISTINCT FROM 'invalid'",
        "UPDATE public.ir_mail_server SET active = false WHERE {condition}",
    ),
    Danger(
        "mail_fallback",
        "ir_module_module",
        ("name",),
        f"name = 'base' AND NOT EXISTS (SELECT FROM public.ir_mail_server WHERE active AND {PLACEHOLDER})",
        ADD_PLACEHOLDER,
        needs="ir_mail_server",
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
        "queued_jobs",
        "queue_job",
        ("state",),
        "state IN ('wait_dependencies', 'pending', 'enqueued', 'started')",
        "UPDATE public.queue_job SET state = 'cancelled' WHERE {condition}",
    ),
    Danger(
        "contract",
        "ir_config_parameter",
        ("key",),
        "key = 'database.enterprise_code'",
        "DELETE FROM public.ir_config_parameter WHERE {condition}",
    ),
)

TOKENS = {
    "gmail_tokens": ("google_gmail_refresh_token", "google_gmail_access_token", "google_gmail_authorization_code"),
    "outlook_tokens": ("microsoft_outlook_refresh_token", "microsoft_outlook_access_token"),
    "keys": ("smtp_ssl_private_key",),
}
"""What stands for the password of a mail server, where its provider or a certificate decides; no script removes it."""

LOGINS = tuple(
    Danger(
        f"{table.removeprefix('ir_')}_{what}",
        table,
        columns,
        " OR ".join(f"{column} IS NOT NULL" for column in columns),
        f"UPDATE public.{table} SET {', '.join(f'{column} = NULL' for column in columns)} WHERE {{condition}}",
    )
    for table in ("ir_mail_server", "fetchmail_server")
    for what, columns in TOKENS.items()
)

QUEUED = (
    *(
        Danger(
            name,
            table,
            ("state",),
            f"state IN ({waiting})",
            f"UPDATE public.{table} SET state = '{cancelled}' WHERE {{condition}}",
        )
        for name, table, waiting, cancelled in (
            ("queued_mails", "mail_mail", "'outgoing'", "cancel"),
            ("queued_sms", "sms_sms", "'outgoing'", "canceled"),
            ("queued_letters", "snailmail_letter", "'pending'", "canceled"),
            ("queued_whatsapp", "whatsapp_message", "'outgoing'", "cancel"),
            ("queued_mailings", "mailing_mailing", "'in_queue', 'sending'", "draft"),
        )
    ),
    # Rows that wait for their time. They have no state; Odoo deletes them to cancel them.
    *(
        Danger(name, table, ("id",), "true", f"DELETE FROM public.{table} WHERE {{condition}}")
        for name, table in (
            ("scheduled_notifications", "mail_message_schedule"),
            ("scheduled_messages", "mail_scheduled_message"),
        )
    ),
)
"""What waits to be sent: no script of Odoo touches it, and the first run of its queue sends it."""


def dangers(cancel_mail: bool) -> list[Danger]:
    """Everything that is looked for in every version; what Odoo's own scripts do beside is not repeated here."""
    return [*ALWAYS, *LOGINS, *(QUEUED if cancel_mail else ())]

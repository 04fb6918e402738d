# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database like Odoo's, made by SQL of our own: the tables that count, with attachments and a filestore."""

from __future__ import annotations

import hashlib
from pathlib import Path

from support.postgres.server import PATTERN, ROLE, Postgres

SECRETS = {
    "database.secret": "the-secret-that-signs-tokens",
    "database.enterprise_code": "M123456789ABCDEF",
    "smtp_pass": "smtp-pass-word",
    "gmail_token": "gmail-refresh-token",
}
"""What no output may hold."""

UUID = "11111111-2222-3333-4444-555555555555"
PARTNERS, FILES = 43, 7

WITH_STRATEGY = 150000
"""The first version of PostgreSQL that lets a client choose how a database is copied."""

# Columns, states and what may not be null as in a database of Odoo 16.0 with 24 modules; whatsapp_message and
# mail_scheduled_message as in the code of 18.0; queue_job as in the code of that module.
SCHEMA = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE TABLE ir_module_module (
    id serial PRIMARY KEY, name varchar UNIQUE, state varchar, latest_version varchar, author varchar);
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL);
CREATE TABLE ir_attachment (
    id serial PRIMARY KEY, name varchar, type varchar, url varchar, store_fname varchar, checksum varchar(40),
    file_size integer, db_datas bytea);
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, notes text);
CREATE INDEX res_partner_name_trgm ON res_partner USING gin (name gin_trgm_ops);
CREATE TABLE res_users (
    id serial PRIMARY KEY, login varchar UNIQUE, partner_id integer NOT NULL REFERENCES res_partner (id));
CREATE TABLE ir_model_data (id serial PRIMARY KEY, module varchar, name varchar, model varchar, res_id integer);
CREATE TABLE ir_cron (id serial PRIMARY KEY, cron_name varchar, active boolean);
CREATE TABLE ir_mail_server (
    id serial PRIMARY KEY, name varchar NOT NULL, smtp_host varchar NOT NULL, smtp_port integer NOT NULL,
    smtp_encryption varchar NOT NULL, smtp_authentication varchar NOT NULL, smtp_user varchar, smtp_pass varchar,
    active boolean, smtp_ssl_private_key bytea, google_gmail_refresh_token varchar, google_gmail_access_token varchar,
    google_gmail_authorization_code varchar);
CREATE TABLE fetchmail_server (
    id serial PRIMARY KEY, name varchar, active boolean, password varchar, microsoft_outlook_refresh_token varchar,
    microsoft_outlook_access_token varchar);
CREATE TABLE mail_mail (id serial PRIMARY KEY, state varchar, mail_server_id integer REFERENCES ir_mail_server (id));
CREATE TABLE sms_sms (id serial PRIMARY KEY, state varchar NOT NULL);
CREATE TABLE snailmail_letter (id serial PRIMARY KEY, state varchar NOT NULL);
CREATE TABLE whatsapp_message (id serial PRIMARY KEY, state varchar);
CREATE TABLE mailing_mailing (id serial PRIMARY KEY, state varchar NOT NULL);
CREATE TABLE mail_message_schedule (id serial PRIMARY KEY, mail_message_id integer);
CREATE TABLE mail_scheduled_message (id serial PRIMARY KEY, body text);
CREATE TABLE queue_job (id serial PRIMARY KEY, state varchar);
CREATE TABLE payment_provider (id serial PRIMARY KEY, code varchar, state varchar);
CREATE TABLE iap_account (id serial PRIMARY KEY, account_token varchar);
CREATE TABLE ir_act_server (id serial PRIMARY KEY, name varchar, state varchar, webhook_url varchar);
CREATE TABLE account_move (id serial PRIMARY KEY, move_type varchar, state varchar);
"""

NEUTRALIZE_BASE = """
-- deactivate mail servers but activate a placeholder
UPDATE ir_mail_server SET active = false;
INSERT INTO ir_mail_server (name, smtp_port, smtp_host, smtp_encryption, active, smtp_authentication)
VALUES ('neutralization - disable emails', 1025, 'invalid', 'none', true, 'login');
UPDATE ir_cron SET active = false
 WHERE id NOT IN (SELECT res_id FROM ir_model_data WHERE model = 'ir.cron' AND name = 'autovacuum_job');
INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true')
    ON CONFLICT (key) DO UPDATE SET value = 'true';
"""


def stored_name(content: bytes) -> str:
    """The name that Odoo gives to a file."""
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return f"{sha1[:2]}/{sha1}"


def content_of(number: int) -> bytes:
    """The content of one of the attachments."""
    return f"attachment {number}\n".encode() * (number + 1)


def make_filestore(folder: Path, numbers: range = range(FILES)) -> Path:
    """A filestore with these files, and the garbage collector's list."""
    for number in numbers:
        path = folder / stored_name(content_of(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(number))
        listed = folder / "checklist" / stored_name(content_of(number))
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.touch()
    return folder


def data(version: str, rows: int) -> str:
    """The rows of a small business; ``rows`` of them in a table that makes a dump as large as wanted."""
    attachments = ", ".join(
        f"('file {number}', 'binary', '{stored_name(content_of(number))}',"
        f" '{stored_name(content_of(number))[3:]}', {len(content_of(number))})"
        # Two attachments with one content share the file.
        for number in [*range(FILES), 0]
    )
    return f"""
INSERT INTO ir_module_module (name, state, latest_version) VALUES
    ('base', 'installed', '{version}.1.3'), ('web', 'installed', '{version}.1.0'),
    ('mail', 'installed', '{version}.1.0'), ('zz_shop', 'installed', '{version}.1.0'),
    ('unused', 'uninstalled', NULL);
INSERT INTO ir_config_parameter (key, value) VALUES
    ('database.uuid', '{UUID}'), ('database.secret', '{SECRETS["database.secret"]}'),
    ('database.enterprise_code', '{SECRETS["database.enterprise_code"]}'),
    ('database.create_date', '2020-01-01 00:00:00'), ('web.base.url', 'https://shop.example.com');
INSERT INTO ir_attachment (name, type, store_fname, checksum, file_size) VALUES {attachments};
INSERT INTO ir_attachment (name, type, url) VALUES ('a link', 'url', 'https://example.com'), ('empty', 'binary', NULL);
INSERT INTO ir_attachment (name, type, url, db_datas) VALUES ('assets', 'binary', '/web/assets/1.js', 'x');
INSERT INTO res_partner (name) SELECT 'Partner ' || n FROM generate_series(1, {PARTNERS}) n;
UPDATE res_partner SET notes = E'O''Brien \\\\ "quoted"\\n\\\\.\\nline' WHERE id = 3;
INSERT INTO res_users (login, partner_id) VALUES ('admin', 1), ('demo', 2);
INSERT INTO ir_cron (cron_name, active) VALUES ('Auto-vacuum', true), ('Send mails', true), ('Old', false);
INSERT INTO ir_model_data (module, name, model, res_id) VALUES ('base', 'autovacuum_job', 'ir.cron', 1);
INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, smtp_authentication, smtp_user, smtp_pass,
    active, smtp_ssl_private_key, google_gmail_refresh_token)
    VALUES ('Shop', 'smtp.example.com', 587, 'starttls', 'login', 'shop', '{SECRETS["smtp_pass"]}', true, 'key',
    '{SECRETS["gmail_token"]}');
INSERT INTO fetchmail_server (name, active, password, microsoft_outlook_refresh_token)
    VALUES ('In', true, '{SECRETS["smtp_pass"]}', '{SECRETS["gmail_token"]}');
INSERT INTO mail_mail (state) VALUES ('outgoing'), ('outgoing'), ('sent');
INSERT INTO sms_sms (state) VALUES ('outgoing'), ('sent'), ('error');
INSERT INTO snailmail_letter (state) VALUES ('pending'), ('sent');
INSERT INTO whatsapp_message (state) VALUES ('outgoing'), ('delivered');
INSERT INTO mailing_mailing (state) VALUES ('in_queue'), ('sending'), ('done'), ('draft');
INSERT INTO mail_message_schedule (mail_message_id) VALUES (1);
INSERT INTO mail_scheduled_message (body) VALUES ('tomorrow');
INSERT INTO queue_job (state) VALUES ('pending'), ('enqueued'), ('done'), ('failed');
INSERT INTO payment_provider (code, state) VALUES ('stripe', 'enabled'), ('demo', 'test');
INSERT INTO iap_account (account_token) VALUES ('token');
INSERT INTO ir_act_server (name, state, webhook_url) VALUES ('Hook', 'webhook', 'https://hook.example.com');
INSERT INTO account_move (move_type, state) VALUES ('out_invoice', 'posted'), ('out_invoice', 'draft');
CREATE TABLE mail_message (id serial PRIMARY KEY, body text);
INSERT INTO mail_message (body) SELECT repeat(md5(n::text), 8) FROM generate_series(1, {rows}) n;
"""


def make_database(server: Postgres, name: str, version: str = "16.0", rows: int = 100) -> None:
    """A database of Odoo with this name and version, owned by the ordinary role; the same again is a quick copy."""
    wanted = f"{version} {rows}"
    comment = f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{PATTERN}'"
    found, number = server.sql(f"SELECT coalesce(({comment}), ''), current_setting('server_version_num')").split("|")
    if found != wanted:
        server.sql(f"DROP DATABASE IF EXISTS {PATTERN} WITH (FORCE)")
        server.sql(f"CREATE DATABASE {PATTERN} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'", user=ROLE)
        server.sql(SCHEMA + data(version, rows), PATTERN, user=ROLE)
        server.sql(f"COMMENT ON DATABASE {PATTERN} IS '{wanted}'")
    quoted = name.replace('"', '""')
    # A quarter of the time that a copy through the log takes, on a server that does not wait for its disk.
    strategy = "STRATEGY file_copy" if int(number) >= WITH_STRATEGY else ""
    server.sql(f'CREATE DATABASE "{quoted}" TEMPLATE {PATTERN} {strategy}', user=ROLE)


def make_addons(folder: Path, *modules: str) -> Path:
    """The code of modules, with Odoo's script in base."""
    for module in modules or ("base", "web", "mail", "zz_shop"):
        code = folder / module
        code.mkdir(parents=True, exist_ok=True)
        (code / "__manifest__.py").write_text("{'name': 'x', 'version': '1.0'}\n", encoding="utf-8")
    script = folder / "base/data/neutralize.sql"
    if script.parent.parent.exists():
        script.parent.mkdir(exist_ok=True)
        script.write_text(NEUTRALIZE_BASE, encoding="utf-8")
    return folder

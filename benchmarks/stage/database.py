# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database as large as wanted: hundreds of tables and indexes, and text that compresses like that of people."""

from __future__ import annotations

from pathlib import Path

from support.postgres.odoo import make_database
from support.postgres.server import ROLE, Postgres

GIBIBYTE = 1024**3
SECONDS = 1200
TABLES = 350
"""Small tables beside the large ones: a database with sales and accounting has 369, with 757 indexes."""

ROUND = """
INSERT INTO mail_message_large (subject, model, res_id, date, body)
SELECT 'Re: order SO' || n, (ARRAY['sale.order', 'account.move', 'res.partner', 'stock.picking'])[1 + n % 4], n / 7,
       timestamp '2021-01-01' + n * interval '37 seconds',
       (SELECT string_agg(s.line, ' ') FROM sentences s
         WHERE s.id IN (hashint4(n) & 2047, hashint4(n + 1) & 2047, hashint4(n + 2) & 2047, hashint4(n + 3) & 2047))
  FROM generate_series({first}, {first} + 49999) n;
INSERT INTO account_move_line (move_id, account_id, partner_id, date, name, debit, credit)
SELECT n / 4, hashint4(n) & 511, hashint4(n / 4) & 8191, date '2021-01-01' + n / 3000,
       'Invoice line ' || (hashint4(n) & 4095), (hashint4(n) & 65535) / 100.0, (hashint4(n + 9) & 65535) / 100.0
  FROM generate_series({first} * 6, {first} * 6 + 299999) n;
"""

LARGE = """
CREATE TABLE sentences AS SELECT n AS id, (
    SELECT string_agg(word, ' ') FROM (
        SELECT (ARRAY['order', 'delivery', 'invoice', 'the', 'and', 'customer', 'please', 'confirm', 'until', 'price',
                      'quantity', 'our', 'warehouse', 'of', 'for', 'with', 'regards', 'payment', 'shipment', 'week'])
               [1 + (hashint8(n * 100 + w) & 1023) % 20] || (ARRAY['', '', '', 's', 'ed', '.'])[1 + (n + w) % 6] AS word
          FROM generate_series(1, 40) w) words) AS line
  FROM generate_series(0, 2047) n;
CREATE UNIQUE INDEX ON sentences (id);
CREATE TABLE mail_message_large (
    id serial PRIMARY KEY, subject varchar, model varchar, res_id integer, date timestamp, body text);
CREATE INDEX ON mail_message_large (model, res_id);
CREATE TABLE account_move_line (
    id serial PRIMARY KEY, move_id integer, account_id integer, partner_id integer, date date, name varchar,
    debit numeric, credit numeric);
CREATE INDEX ON account_move_line (move_id);
CREATE INDEX ON account_move_line (partner_id, date);
DO $$ BEGIN FOR n IN 1..{tables} LOOP
    EXECUTE format('CREATE TABLE small_%s (id serial PRIMARY KEY, name varchar, partner_id integer'
                   ' REFERENCES res_partner (id))', n);
    EXECUTE format('INSERT INTO small_%s (name, partner_id) SELECT ''row '' || r,'
                   ' (SELECT array_agg(id) FROM res_partner)[1 + r %% 40] FROM generate_series(1, 50) r', n);
    EXECUTE format('CREATE INDEX ON small_%s (partner_id)', n);
END LOOP; END $$;
"""


def make_large(server: Postgres, name: str, least: int, dump: Path | None = None) -> int:
    """A database of Odoo with at least so many bytes on disk, begun as a dump of one if there is one; its bytes."""
    if dump:
        server.run("createdb", "-T", "template0", "-E", "UTF8", "--lc-collate=C", name, user=ROLE)
        server.run("pg_restore", "--no-owner", "--exit-on-error", "-d", name, str(dump), user=ROLE)
    else:
        make_database(server, name)
    server.sql(LARGE.format(tables=TABLES), name, user=ROLE, seconds=SECONDS)
    first = 1
    while (size := int(server.sql(f"SELECT pg_database_size('{name}')"))) < least:
        server.sql(ROUND.format(first=first), name, user=ROLE, seconds=SECONDS)
        first += 50_000
    server.sql("DROP TABLE sentences", name)
    server.sql("CHECKPOINT", name, seconds=SECONDS)
    return size

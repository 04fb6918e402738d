#!/usr/bin/env bash
# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes openchs.70.cdump, a genuine custom archive, and directory, the same as a dump in many files, with a PostgreSQL
# server of its own that listens on no port.
# Needs initdb, pg_ctl, createdb, psql and pg_dump on the PATH; initdb refuses to run as root.

set -euo pipefail

samples="$(cd "$(dirname "$0")" && pwd)"
server="$(mktemp -d)"
trap 'pg_ctl --pgdata "$server/data" --mode immediate --silent stop || true; rm -rf "$server"' EXIT
export PGHOST="$server" PGUSER=odoo PGDATABASE=openchs

initdb --pgdata "$server/data" --username odoo --auth trust --encoding UTF8 --locale C > "$server/log"
pg_ctl --pgdata "$server/data" --options "-c listen_addresses= -k $server" --log "$server/log" --silent --wait start
createdb openchs
psql --quiet --set ON_ERROR_STOP=1 << 'SQL'
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name text NOT NULL UNIQUE, state text, latest_version text);
CREATE TABLE res_partner (id serial PRIMARY KEY, name text NOT NULL, email text);
INSERT INTO ir_module_module (name, state, latest_version) VALUES ('base', 'installed', '7.0.1.3');
INSERT INTO res_partner (name, email) SELECT 'Partner ' || n, 'partner' || n || '@example.com' FROM generate_series(1, 100) n;
SQL
pg_dump --format custom --file "$samples/openchs.70.cdump"
rm -rf "$samples/directory"
pg_dump --format directory --file "$samples/directory"

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that all modules for Odoo's databases share."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``siteops.upgrades.odoo_database``."""

    DOCUMENTATION = r"""
options:
  database:
    description:
      - The name of the database.
    type: str
    required: true
  login_host:
    description:
      - The host of the PostgreSQL server. Without it, libpq's default is used, a socket on this host.
      - E(PGHOST) is used if the option is not set.
    type: str
  login_port:
    description:
      - The port of the server.
      - E(PGPORT) is used if the option is not set.
    type: int
  login_user:
    description:
      - The role that connects. It must own the database or be a superuser, and needs C(CREATEDB) to create or rename
        databases.
      - E(PGUSER) is used if the option is not set.
    type: str
  login_password:
    description:
      - The password of O(login_user). It reaches PostgreSQL's programs through their environment, never as an argument.
      - E(PGPASSWORD) is used if the option is not set. libpq's password file works too.
    type: str
  login_unix_socket:
    description:
      - The folder of the server's socket. It takes precedence over O(login_host).
    type: path
  ssl_mode:
    description:
      - Whether the connection must be encrypted, and the server's certificate verified.
      - E(PGSSLMODE) is used if the option is not set; then libpq's default V(prefer).
    type: str
    choices: [allow, disable, prefer, require, verify-ca, verify-full]
  pg_bin:
    description:
      - The folder of C(psql), C(pg_dump) and C(pg_restore), to choose a version. Without it, those on the C(PATH).
    type: path
requirements:
  - C(psql), C(pg_dump) and C(pg_restore) of PostgreSQL 13 or newer on the host that runs the module
notes:
  - An environment variable that is empty counts as not set.
  - Environment variables are those of the host that runs the module.
  - Run it where the server lets it in, such as on the database host with C(become_user=postgres), or on Odoo's host as
    Odoo's user.
"""

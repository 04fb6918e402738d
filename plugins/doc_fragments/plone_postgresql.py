# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that the modules for the database of a Plone instance have for a RelStorage on PostgreSQL."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``siteops.upgrades.plone_postgresql``."""

    DOCUMENTATION = r"""
options:
  database:
    description:
      - The name of the PostgreSQL database of a RelStorage, instead of a Data.fs.
    type: str
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
      - The role that connects. It must own the database or be a superuser, and needs C(CREATEDB), because a backup is
        restored to a database of its own to be verified.
      - E(PGUSER) is used if the option is not set.
    type: str
  login_password:
    description:
      - The password of O(login_user). It reaches PostgreSQL's programs and the instance's Python through their
        environment, never as an argument.
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
  - For a RelStorage, C(psql), C(pg_dump) and C(pg_restore) of PostgreSQL 13 or newer on the host that runs the module
"""

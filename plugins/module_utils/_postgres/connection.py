# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How PostgreSQL's programs reach a server: from options to the environment of those programs.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from .._core.errors import OptionError
from .._core.options import from_environment

LONGEST_NAME = 63
"""Bytes of a database's name; PostgreSQL cuts longer ones silently."""

SSL_MODES = ("allow", "disable", "prefer", "require", "verify-ca", "verify-full")
CONNECT_SECONDS = "15"


@dataclass(frozen=True)
class Connection:
    """A server, and who connects to it. What is empty is left to libpq and its own environment variables."""

    host: str = ""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    ssl_mode: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this host, as far as its name says."""
        host = self.host or os.environ.get("PGHOST", "")
        elsewhere = not self.host and (os.environ.get("PGSERVICE") or os.environ.get("PGHOSTADDR"))
        return not elsewhere and (not host or host.startswith(("/", "@")) or host in ("localhost", "127.0.0.1", "::1"))

    def environment(self) -> dict[str, str]:
        """The environment of a client program. The password is in no argument, because every user can read those."""
        # An empty variable would override the default of libpq.
        inherited = {name: value for name, value in os.environ.items() if value or not name.startswith("PG")}
        own = {
            "PGHOST": self.host,
            "PGPORT": str(self.port or ""),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGSSLMODE": self.ssl_mode,
        }
        inherited.pop("PGDATABASE", None)
        if self.host:
            # The file of a service would win over it; an address for the host may stay, which libpq connects to for it.
            inherited.pop("PGSERVICE", None)
        inherited.setdefault("PGCONNECT_TIMEOUT", CONNECT_SECONDS)
        return {
            **inherited,
            **{name: value for name, value in own.items() if value},
            "PGCLIENTENCODING": "UTF8",
            "PGAPPNAME": "siteops.upgrades",
            "LC_MESSAGES": "C",
        }


def postgres_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec that all modules for databases share; documented in the fragment ``odoo_database``."""
    return {
        "database": {"type": "str", "required": True},
        "login_host": from_environment("PGHOST", type="str"),
        "login_port": from_environment("PGPORT", type="int"),
        "login_user": from_environment("PGUSER", type="str"),
        "login_password": from_environment("PGPASSWORD", type="str", no_log=True),
        "login_unix_socket": {"type": "path"},
        "ssl_mode": from_environment("PGSSLMODE", type="str", choices=list(SSL_MODES)),
        "pg_bin": {"type": "path"},
    }


def connection_of(params: t.Mapping[str, t.Any]) -> Connection:
    """The connection that the options describe.

    :raises OptionError: the port is none.
    """
    port = params["login_port"]
    if port is not None and not 0 < port < 65536:
        raise OptionError("login_port", f"must be from 1 to 65535, not {port}.")
    return Connection(
        host=params["login_unix_socket"] or params["login_host"] or "",
        port=port,
        user=params["login_user"] or "",
        password=params["login_password"] or "",
        ssl_mode=params["ssl_mode"] or "",
    )


def database_name(value: str | None, option: str = "database") -> str:
    """The name of a database in an option.

    :raises OptionError: it is empty, too long, or one that cannot be a folder's name, which Odoo needs too.
    """
    name = value or ""
    if not name:
        raise OptionError(option, "is empty; give the name of a database.")
    if len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME:
        raise OptionError(option, f"must be at most {LONGEST_NAME} bytes long; PostgreSQL cuts longer names.")
    if "/" in name or "\0" in name or "\n" in name or name in (".", ".."):
        raise OptionError(option, "must not contain a slash or a line end, because Odoo names a folder after it.")
    if name in ("postgres", "template0", "template1"):
        raise OptionError(option, f"{name} belongs to the server itself; give the name of an Odoo database.")
    return name


def conninfo(database: str) -> str:
    """A database's name as the programs take it: a plain name that contains '=' would be read as options."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"

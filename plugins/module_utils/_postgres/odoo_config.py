# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a configuration file of Odoo says of its code and its database server, and whether that is the server meant.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import configparser
import os
import typing as t

from .._core.errors import OptionError
from .connection import Connection, is_local_host

NOT_SET = ("", "False", "None")
DEFAULT_PORT = "5432"
ELSEWHERE = {"docker", "docker-compose", "podman", "kubectl", "lxc", "incus", "ssh"}
"""Programs that start Odoo where hosts have other names."""


def read_config(path: str) -> dict[str, str]:
    """The section ``options`` of a file; empty without a path.

    :raises OptionError: it cannot be read.
    """
    if not path:
        return {}
    parser = configparser.RawConfigParser(strict=False)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, ValueError, configparser.Error) as error:
        raise OptionError(
            "config", f"the file {path} cannot be read: {getattr(error, 'strerror', '') or 'no INI'}."
        ) from error
    return dict(parser["options"]) if parser.has_section("options") else {}


def addons_path_of(path: str) -> list[str]:
    """The folders of modules that the file names.

    :raises OptionError: it cannot be read.
    """
    value = read_config(path).get("addons_path", "")
    return [os.path.expanduser(part.strip()) for part in value.split(",") if part.strip()]


def server_arguments(connection: Connection, odoo_bin: t.Sequence[str], path: str) -> list[str]:
    """The arguments with which Odoo works on the server of the task, although its configuration names another one.

    Odoo heeds libpq's variables only where its configuration is silent.

    :param odoo_bin: the program and its first arguments, one of which may name a configuration.
    :param path: the configuration; without one, Odoo reads a file of the account.
    :raises OptionError: the configuration names a server, and the task none.
    """
    if ELSEWHERE & {os.path.basename(part) for part in odoo_bin}:
        return []
    path = path or _named_in(odoo_bin) or _own_file()
    theirs = {name: value for name, value in read_config(path).items() if value.strip() not in NOT_SET}
    host, their_host = connection.effective_host, theirs.get("db_host", "").strip()
    arguments = []
    if their_host and their_host != host and not (connection.is_local and is_local_host(their_host)):
        if not host:
            raise OptionError(
                "config",
                f"db_host in {path} is {their_host}, and this task connects to the PostgreSQL of this host: Odoo would "
                "work on another database of the same name. Set 'login_host' to the server that is meant.",
            )
        arguments.append(f"--db_host={host}")
    port = str(connection.port or "") or os.environ.get("PGPORT") or DEFAULT_PORT
    if theirs.get("db_port", "").strip() not in ("", port):
        arguments.append(f"--db_port={port}")
    return arguments


def _named_in(odoo_bin: t.Sequence[str]) -> str:
    for part, following in zip(odoo_bin, (*odoo_bin[1:], "")):
        if part in ("-c", "--config"):
            return following
        if part.startswith("--config="):
            return part.partition("=")[2]
    return ""


def _own_file() -> str:
    """The file that Odoo reads where it is given none; empty if there is none."""
    named: t.Iterable[str] = (os.environ.get(name, "") for name in ("ODOO_RC", "OPENERP_SERVER"))
    usual = (os.path.expanduser(f"~/{name}") for name in (".odoorc", ".openerp_serverrc"))
    return next((path for path in (*named, *usual) if path and os.access(path, os.R_OK)), "")

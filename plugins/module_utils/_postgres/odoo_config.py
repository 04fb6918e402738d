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
from .connection import SERVICE, Connection, is_local_host

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


def config_in_use(odoo_bin: t.Sequence[str], config: str) -> str:
    """The file that Odoo will read; empty where there is none, or where it may be one of another host.

    :param odoo_bin: the program and its first arguments, one of which may name a configuration.
    :param config: that of the option; without one, Odoo reads a file of the account.
    """
    if ELSEWHERE & {os.path.basename(part) for part in odoo_bin}:
        return ""
    named = [following for part, following in zip(odoo_bin, odoo_bin[1:]) if part in ("-c", "--config")]
    named += [part.partition("=")[2] for part in odoo_bin if part.startswith("--config=")]
    named += [os.environ.get(name, "") for name in ("ODOO_RC", "OPENERP_SERVER")]
    usual = [os.path.expanduser(f"~/{name}") for name in (".odoorc", ".openerp_serverrc")]
    return config or next((path for path in (*named, *usual) if os.path.isfile(path)), "")


def server_arguments(connection: Connection, path: str) -> list[str]:
    """The arguments with which Odoo works on the server of the task, although its configuration names another one.

    Odoo heeds libpq's variables only where its configuration is silent.

    :raises OptionError: the configuration cannot be read, or names a server where the task names none.
    """
    host = connection.effective_host
    if host == SERVICE:
        return []
    theirs = {name: value for name, value in read_config(path).items() if value.strip() not in NOT_SET}
    their_host = theirs.get("db_host", "").strip()
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

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a configuration file of Odoo says of its code, and the arguments that have Odoo use the server of the task.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import configparser
import os
import typing as t

from .._core.errors import OptionError
from .database import Server

DEFAULT_PORT = "5432"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
EVERY_LOOPBACK = {"*", "0.0.0.0", "localhost", "127.0.0.1"}
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


def server_arguments(server: Server, odoo_bin: t.Sequence[str], config: str) -> list[str]:
    """The last arguments of Odoo: they name the server that psql has reached, and win over all that is said before.

    Odoo heeds libpq's variables only where no configuration names a server, and ``sudo`` drops them.

    :param odoo_bin: the program and its first arguments.
    :param config: the path of the configuration, or an empty string.
    """
    if ELSEWHERE & {os.path.basename(part) for part in odoo_bin}:
        return []
    host, port = server.reached()
    if host.startswith(("/", "@")) and _is_reached_over_tcp(server, port, config):
        # The role may log in with a password there, and over the socket only as the account of its name.
        return [f"--db_port={port}"]
    return [f"--db_host={host}", f"--db_port={port}"]


def _is_reached_over_tcp(server: Server, port: str, config: str) -> bool:
    """Whether the configuration names the server of a socket by a name of this host."""
    try:
        options = read_config(config)
    except OptionError:
        return False
    if options.get("db_host", "").strip() not in LOOPBACK:
        return False
    their_port = options.get("db_port", "").strip()
    if (DEFAULT_PORT if their_port in ("", "False") else their_port) != port:
        return False
    listening = server.value("SELECT current_setting('listen_addresses')")
    return bool(EVERY_LOOPBACK & {part.strip() for part in listening.split(",")})

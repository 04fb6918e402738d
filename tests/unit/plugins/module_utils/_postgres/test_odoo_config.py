# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo works on the server of the task, whatever its configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.connection import Connection
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.database import Server
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.odoo_config import server_arguments
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.tools import Programs

ODOO = ("/opt/odoo/odoo-bin",)
SOCKET = "/run/postgresql"


def reaching(monkeypatch: pytest.MonkeyPatch, host: str, port: str, listening: str = "localhost") -> Server:
    """A server whose psql has reached this host and port."""
    server = Server(Connection(), Programs())
    monkeypatch.setattr(server, "reached", lambda: (host, port))
    monkeypatch.setattr(server, "value", lambda _sql: listening)
    return server


@pytest.mark.parametrize("odoo_bin", [ODOO, ("/usr/bin/sudo", "-u", "odoo", *ODOO, "-c", "/etc/other.conf")])
def test_the_server_that_was_reached_is_named(odoo_bin: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for host, port in (("db.example.com", "5433"), ("127.0.0.1", "5432"), (SOCKET, "5432")):
        server = reaching(monkeypatch, host, port)
        assert server_arguments(server, odoo_bin, "") == [f"--db_host={host}", f"--db_port={port}"]


@pytest.mark.parametrize(
    ("lines", "port", "listening", "over_tcp"),
    [
        ("db_host = localhost", "5432", "localhost", True),
        ("db_host = 127.0.0.1\ndb_port = 5433", "5433", "127.0.0.1, 192.0.2.7", True),
        ("db_host = localhost\ndb_port = False", "5432", "*", True),
        ("db_host = localhost", "5432", "", False),
        ("db_host = localhost", "5432", "192.0.2.7", False),
        ("db_host = localhost", "5433", "*", False),
        ("db_host = localhost\ndb_port = 5433", "5432", "*", False),
        ("db_host = db.example.com", "5432", "*", False),
        ("db_host = /tmp/other", "5432", "*", False),
        ("db_host = False", "5432", "*", False),
        ("", "5432", "*", False),
        ("[[", "5432", "*", False),
    ],
)
def test_a_login_over_tcp_stays_one_where_it_leads_to_the_server_of_the_socket(
    lines: str, port: str, listening: str, over_tcp: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "odoo.conf"
    config.write_text(f"[options]\n{lines}\n" if lines != "[[" else lines, encoding="utf-8")
    arguments = server_arguments(reaching(monkeypatch, SOCKET, port, listening), ODOO, str(config))
    assert arguments == [*(() if over_tcp else (f"--db_host={SOCKET}",)), f"--db_port={port}"]


def test_in_a_container_hosts_have_names_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    server = reaching(monkeypatch, "127.0.0.1", "5432")
    assert server_arguments(server, ("/usr/bin/docker", "exec", "odoo", "odoo"), "") == []

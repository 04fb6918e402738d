# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How PostgreSQL's programs are told where to connect."""

from __future__ import annotations

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.connection import (
    Connection,
    connection_of,
    conninfo,
    database_name,
)

GIVEN = {
    "login_host": "db.example.com",
    "login_port": 5433,
    "login_user": "odoo",
    "login_password": "secret",
    "login_unix_socket": None,
    "ssl_mode": "require",
}


def test_the_options_become_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "")
    for name in ("PGDATABASE", "PGSERVICE", "PGHOSTADDR"):
        monkeypatch.setenv(name, "other")
    env = connection_of(GIVEN).environment()
    wanted = {"PGHOST": "db.example.com", "PGPORT": "5433", "PGUSER": "odoo", "PGPASSWORD": "secret"}
    assert {name: env.get(name) for name in wanted} == wanted
    assert env["PGSSLMODE"] == "require"
    assert not {"PGDATABASE", "PGSERVICE"} & set(env)
    assert env["PGHOSTADDR"] == "other"
    assert Connection().environment()["PGSERVICE"] == "other"


def test_what_is_empty_is_left_to_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "")
    monkeypatch.delenv("PGHOST", raising=False)
    env = Connection().environment()
    assert not {"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGSSLMODE"} & set(env)


def test_a_socket_wins_over_a_host_and_a_password_is_not_shown() -> None:
    connection = connection_of({**GIVEN, "login_unix_socket": "/run/postgresql"})
    assert connection.host == "/run/postgresql"
    assert "secret" not in repr(connection)


@pytest.mark.parametrize(
    ("host", "variable", "local"),
    [
        ("", "", True),
        ("", "/run/postgresql", True),
        ("/run/postgresql", "db.example.com", True),
        ("localhost", "", True),
        ("::1", "", True),
        ("", "db.example.com", False),
        ("192.0.2.7", "", False),
    ],
)
def test_a_server_on_this_host_is_known_by_its_name(
    host: str, variable: str, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", variable)
    for name in ("PGSERVICE", "PGHOSTADDR"):
        monkeypatch.delenv(name, raising=False)
    assert Connection(host=host).is_local == local
    monkeypatch.setenv("PGSERVICE", "shop")
    assert Connection(host=host).is_local == (local and bool(host))


@pytest.mark.parametrize("name", ["", "x" * 64, "é" * 32, "a/b", "a\nb", "..", "template1", None])
def test_names_that_cannot_be(name: str | None) -> None:
    with pytest.raises(OptionError, match="Option 'database'"):
        database_name(name)


def test_a_name_is_quoted_for_the_programs() -> None:
    assert conninfo("it's a \\ host=x") == "dbname='it\\'s a \\\\ host=x'"

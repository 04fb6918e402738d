# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo works on the server of the task, whatever its configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.connection import Connection
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.odoo_config import (
    config_in_use,
    server_arguments,
)

ODOO = ("/opt/odoo/odoo-bin",)


@pytest.fixture(autouse=True)
def no_settings_of_an_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGPORT", "ODOO_RC", "OPENERP_SERVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def written(path: Path, *lines: str) -> str:
    path.write_text("\n".join(("[options]", *lines)), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("host", "port", "lines", "arguments"),
    [
        ("", None, (), []),
        ("", None, ("db_host = False", "db_port = False"), []),
        ("", None, ("db_host = localhost", "db_port = 5432"), []),
        ("db.example.com", 5433, (), []),
        ("db.example.com", 5433, ("db_host = db.example.com", "db_port = 5433"), []),
        ("/run/postgresql", None, ("db_host = 127.0.0.1",), []),
        ("test.example.com", None, ("db_host = db.example.com",), ["--db_host=test.example.com"]),
        ("127.0.0.1", 5433, ("db_host = db.example.com",), ["--db_host=127.0.0.1"]),
        ("", 5433, ("db_port = 5432",), ["--db_port=5433"]),
        ("", None, ("db_port = 5433",), ["--db_port=5432"]),
    ],
)
def test_the_server_is_named_where_the_configuration_names_another_one(
    host: str, port: int | None, lines: tuple[str, ...], arguments: list[str], tmp_path: Path
) -> None:
    config = written(tmp_path / "odoo.conf", *lines)
    assert server_arguments(Connection(host=host, port=port), config) == arguments


@pytest.mark.parametrize("way", ["option", "argument", "variable", "account"])
def test_another_server_of_the_configuration_is_refused_where_the_task_names_none(
    way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = written(tmp_path / (".odoorc" if way == "account" else "odoo.conf"), "db_host = db.example.com")
    if way == "variable":
        monkeypatch.setenv("ODOO_RC", config)
    odoo_bin = (*ODOO, "-c", config) if way == "argument" else ODOO
    with pytest.raises(OptionError, match=r"'config'.*db\.example\.com.*'login_host'"):
        server_arguments(Connection(), config_in_use(odoo_bin, config if way == "option" else ""))


def test_names_that_cannot_be_compared_are_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = written(tmp_path / "odoo.conf", "db_host = db")
    assert config_in_use(("/usr/bin/docker", "exec", "odoo", "odoo"), config) == ""
    assert config_in_use(("bash", "-c", "exec odoo"), "") == ""
    monkeypatch.setenv("PGSERVICE", "shop")
    assert server_arguments(Connection(), config) == []
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.7")
    assert server_arguments(Connection(), config) == ["--db_host=192.0.2.7"]

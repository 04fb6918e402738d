# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles for databases, with a real PostgreSQL and the rehearsal platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.platform import Platform
from support.postgres.fake_odoo import behave, make_odoo_bin
from support.postgres.odoo import FILES, PARTNERS, UUID, make_addons
from support.postgres.server import Postgres
from support.postgres.shop import Shop, platform_beside


@pytest.fixture(scope="module")
def _running(running_postgres: Postgres) -> Iterator[Platform]:
    with platform_beside(running_postgres) as platform:
        yield platform


@pytest.fixture
def shop(postgres: Postgres, tmp_path: Path, _running: Platform) -> Shop:
    _running.reset()
    folder = tmp_path / "shop"
    folder.mkdir()
    return Shop(postgres, folder, _running)


def test_a_backup_is_made_once(shop: Shop) -> None:
    variables = {
        "odoo_backup_database": "shop",
        "odoo_backup_dest": str(shop.folder / "backups"),
        "odoo_backup_filestore": str(shop.filestore),
        "odoo_backup_keep": 1,
        "odoo_backup_if_older_than": 3600,
        "odoo_backup_pg_bin": str(shop.server.bin),
        "odoo_backup_report_dir": str(shop.folder / "reports"),
        # Of a survey that was left empty.
        "odoo_backup_format": "",
        "odoo_backup_window": None,
        "odoo_backup_login_host": "",
        "odoo_backup_login_port": None,
    }
    assert shop.unchanged_by("odoo_backup", {**variables, "odoo_backup_report_dir": ""}, "--check") == 1
    assert shop.changed("odoo_backup", variables) == 1
    assert shop.report()["database"]["counts_before"]["res_partner"] == PARTNERS
    assert shop.unchanged_by("odoo_backup", {**variables, "odoo_backup_report_dir": None}) == 0
    assert len(list((shop.folder / "backups").glob("*.zip"))) == 1
    shop.assert_nothing_secret()


def test_from_a_database_to_an_upgraded_test_database(shop: Shop) -> None:
    addons = make_addons(shop.folder / "addons")
    program = make_odoo_bin(shop.folder / "odoo", shop.server.bin / "psql")
    variables = {
        "odoo_upgrade_database": "shop",
        "odoo_upgrade_target": "17",
        "odoo_upgrade_dest": str(shop.folder / "work/shop-17"),
        "odoo_upgrade_request_file": str(shop.folder / "work/shop.json"),
        "odoo_upgrade_wait_interval": 1,
        "odoo_upgrade_wait_timeout": 60,
        "odoo_upgrade_pg_bin": str(shop.server.bin),
        "odoo_upgrade_dump": "",
        "odoo_upgrade_contract": None,
        "odoo_test_copy_database": "shop_test",
        "odoo_test_copy_filestore_dest": str(shop.stores / "shop_test"),
        "odoo_test_copy_filestore_sources": [str(shop.filestore)],
        "odoo_test_copy_addons_path": [str(addons)],
        "odoo_test_copy_odoo_bin": str(program),
        "odoo_test_copy_base_url": "https://test.example.com",
        "odoo_test_copy_pg_bin": str(shop.server.bin),
        "odoo_test_copy_report_dir": str(shop.folder / "reports"),
    }
    behave(program, "activates")
    shop.changed("odoo_test_upgrade", variables)
    info = shop.done("odoo_database_info", database="shop_test", filestore=str(shop.stores / "shop_test"))
    assert (info["version"], info["neutralized"], info["counts"]["res_partner"]) == ("17.0", True, PARTNERS)
    assert (info["filestore"]["needed"], info["filestore"]["missing"]) == (FILES, 0)
    assert info["open_work"]["active_crons"] == 1
    assert info["parameters"]["database.uuid"] != UUID
    assert shop.done("odoo_database_info", database="shop")["version"] == "16.0"
    database = shop.report()["database"]
    assert (database["version_after"], database["modules_lost"]) == ("17.0", [])
    assert database["counts_before"]["res_partner"] == database["counts_after"]["res_partner"] == PARTNERS
    behave(program)
    shop.server.sql("DELETE FROM account_move", "shop")
    assert shop.changed("odoo_test_upgrade", variables) == 0
    shop.assert_nothing_secret()

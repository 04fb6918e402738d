# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles for databases, with a real PostgreSQL and the rehearsal platform."""

from __future__ import annotations

import json

import pytest

from support.postgres.fake_odoo import behave, make_odoo_bin
from support.postgres.odoo import FILES, PARTNERS, UUID, make_addons
from support.postgres.shop import Shop
from support.postgres.shop_fixtures import platform_of_databases, shop

__all__ = ["platform_of_databases", "shop"]


@pytest.mark.main
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
    wrong = {**variables, "odoo_backup_report_dir": "", "odoo_backup_dest": "/nowhere/at/all"}
    changed, said = shop.changed_beside_refused("odoo_backup", variables, wrong)
    assert changed == 1
    assert "Option 'dest': there is no folder /nowhere/at. In the role odoo_backup: odoo_backup_dest." in said
    assert shop.report()["database"]["counts_before"]["res_partner"] == PARTNERS
    assert shop.unchanged_by("odoo_backup", {**variables, "odoo_backup_report_dir": None}) == 0
    assert len(list((shop.folder / "backups").glob("*.zip"))) == 1
    shop.assert_nothing_secret()


@pytest.mark.main
def test_from_a_database_to_an_upgraded_test_database(shop: Shop) -> None:
    addons = make_addons(shop.folder / "addons")
    program = make_odoo_bin(shop.folder / "odoo", shop.server.bin / "psql")
    variables = {
        "odoo_upgrade_database": "shop",
        "odoo_upgrade_target": "17",
        "odoo_upgrade_dest": str(shop.folder / "work/shop-17") + "/",
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


def test_a_dump_becomes_a_test_database_with_files_of_its_own(shop: Shop) -> None:
    addons = make_addons(shop.folder / "addons")
    dump, store = shop.folder / "work/shop.dump", shop.stores / "shop_test"
    shop.done("odoo_database_dump", database="shop", dest=str(dump), pg_bin=str(shop.server.bin))
    role = shop.role("odoo_test_copy")
    variables = {
        "odoo_test_copy_src": str(dump),
        "odoo_test_copy_database": "shop_test",
        "odoo_test_copy_filestore_dest": str(store),
        # As a survey sends a list.
        "odoo_test_copy_filestore_sources": str(shop.filestore),
        "odoo_test_copy_link": False,
        "odoo_test_copy_addons_path": [str(addons)],
        "odoo_test_copy_pg_bin": str(shop.server.bin),
    }
    assert shop.unchanged_by(role, variables, "--check") == 2
    wrong = {"missing_scripts": "maybe", "on_skew": "skip", "jobs": 0, "link": "perhaps"}
    refused = {**variables, **{f"odoo_test_copy_{name}": value for name, value in wrong.items()}}
    _changed, said = shop.changed_beside_refused(role, variables, refused)
    assert [name for name in wrong if f"odoo_test_copy_{name} must be" not in said] == []
    assert "Nothing was changed." in said
    info = shop.done("odoo_database_info", database="shop_test", filestore=str(store))
    assert (info["version"], info["neutralized"], info["filestore"]["missing"]) == ("16.0", True, 0)
    files = [path for path in store.glob("[0-9a-f][0-9a-f]/*") if path.is_file()]
    assert (len(files), {path.stat().st_nlink for path in files}) == (FILES, {1})


def test_a_cut_over_with_wrong_values_stops_no_service(shop: Shop) -> None:
    wrong = {"aim": "rehearsal", "on_skew": "skip", "jobs": "all", "login_url": "example.com", "terminate": "maybe"}
    variables = shop.cutover(odoo_cutover_report_dir="")
    said = shop.refused_play("odoo_cutover", {**variables, **{f"odoo_cutover_{name}": wrong[name] for name in wrong}})
    assert [name for name in wrong if f"odoo_cutover_{name} must be" not in said] == []
    assert "Nothing was changed." in said
    assert shop.services() == []


def test_a_cut_over_does_not_go_on_with_a_dump_that_is_older_than_the_database(shop: Shop) -> None:
    counted = shop.done("odoo_database_info", database="shop")
    work = shop.folder / "work"
    (work / "shop.cutover.json").write_text('{"attempt": "shop-1", "stage": "verified"}', encoding="utf-8")
    (work / "shop-1.dump.baseline.json").write_text(json.dumps(counted), encoding="utf-8")
    variables = shop.cutover(odoo_cutover_report_dir="")
    assert shop.unchanged_by("odoo_cutover", variables, "--check") == 0
    shop.server.sql("DELETE FROM account_move", "shop")
    with shop.session("shop"):
        said = shop.refused_play("odoo_cutover", variables)
    assert "Somebody is connected to it (psql). The numbers of its rows are not those of then." in said
    assert f"remove {work}/shop.cutover.json, drop shop_upgraded" in said
    assert shop.services() == []

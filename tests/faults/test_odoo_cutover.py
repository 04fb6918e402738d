# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole cut-over and its way back, and one that fails before the swap: the old database and its service are back."""

from __future__ import annotations

from support.postgres.fake_odoo import behave
from support.postgres.fake_web import web
from support.postgres.odoo import FILES, UUID
from support.postgres.shop import Shop
from support.postgres.shop_fixtures import platform_of_databases, shop

__all__ = ["platform_of_databases", "shop", "web"]


def test_a_cut_over_and_the_way_back(shop: Shop, web: str) -> None:
    """The way back ends connections, and the attempt that a failed one would go on with."""
    variables = shop.cutover(odoo_cutover_login_url=web, odoo_cutover_web_password="right")
    shop.changed("odoo_cutover", variables)
    assert shop.services() == ["stop16", "start17"]
    assert shop.versions() == {"shop": "17.0", "shop_before": "16.0"}
    info = shop.done("odoo_database_info", database="shop", filestore=str(shop.filestore))
    assert (info["filestore"]["needed"], info["filestore"]["missing"]) == (FILES, 0)
    assert (info["neutralized"], info["parameters"]["database.uuid"]) == (False, UUID)
    report = shop.report()
    assert {"dump", "request", "restore", "merge", "update", "verify", "swap", "login"} <= {
        phase["name"] for phase in report["phases"]
    }
    assert report["database"]["version_after"] == "17.0"
    assert report["database"]["counts_after"]["out_invoice/posted"] == 1
    assert shop.unchanged_by("odoo_cutover", {**variables, "odoo_cutover_report_dir": ""}) == 0
    note = shop.folder / "work/shop.cutover.json"
    note.write_text('{"attempt": "shop-1", "stage": "verified"}', encoding="utf-8")
    with shop.session("shop"):
        shop.changed("odoo_cutover", {**variables, "odoo_cutover_state": "reverted"})
    assert not note.exists()
    assert shop.services() == ["stop16", "start17", "stop17", "start16"]
    assert shop.versions() == {"shop": "16.0", "shop_upgraded": "17.0"}
    shop.assert_nothing_secret()


def test_a_failure_before_the_swap_leaves_the_old_database_and_starts_its_service(shop: Shop) -> None:
    before = shop.server.sql("SELECT oid FROM pg_database WHERE datname = 'shop'")
    variables = shop.cutover()
    behave(shop.folder / "odoo/odoo-bin", "complains")
    ended = shop.play("odoo_cutover", variables)
    assert ended.status, ended.output
    assert "its log has 1 errors" in ended.words
    assert "The database shop is the one of before, and its service was started again." in ended.words
    assert "The database shop_upgraded is kept" in ended.words
    assert shop.services() == ["stop16", "start16"]
    assert shop.server.sql("SELECT oid FROM pg_database WHERE datname = 'shop' AND datallowconn") == before
    assert shop.report()["result"] == "failed"
    shop.assert_nothing_secret()

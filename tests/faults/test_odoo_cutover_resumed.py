# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cut-over that is killed around the swap, or fails after it: it is finished, or the old database is back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults import steps
from support.ansible_cli import environment
from support.module_runner import ModuleRunner
from support.postgres.odoo import make_database, make_filestore
from support.postgres.shop import Shop
from support.postgres.shop_fixtures import platform_of_databases, shop

__all__ = ["platform_of_databases", "shop"]

MOST_STEPS = 100


@pytest.fixture(scope="module")
def killing() -> Iterator[ModuleRunner]:
    """Runs modules that are killed at a step."""
    with ModuleRunner(steps.__name__) as runner:
        yield runner


def failed(shop: Shop, **more: object) -> str:
    """What a cut-over said that failed."""
    ended = shop.play("odoo_cutover", shop.cutover(**more))
    assert ended.status, ended.output
    assert "Traceback" not in ended.output
    return ended.words


def verified(shop: Shop) -> Path:
    """Leave what a cut-over leaves that is killed before the swap; returns the path of its note."""
    make_database(shop.server, "shop_upgraded", version="17.0")
    make_filestore(shop.stores / "shop_upgraded")
    note = shop.folder / "work/shop.cutover.json"
    note.write_text(json.dumps({"attempt": "shop-20261128T200000Z", "stage": "verified"}), encoding="utf-8")
    return note


def kill_inside_of_swap(shop: Shop, killing: ModuleRunner) -> None:
    """Have a swap killed when the databases are exchanged and their folders are not, which the journal says."""
    options = {
        **shop.server.options,
        **{"database": "shop", "upgraded": "shop_upgraded", "keep_as": "shop_before"},
        "filestore_dir": str(shop.stores),
    }
    journal = shop.stores / ".siteops-swap-shop.json"
    for step in range(MOST_STEPS):
        with contextlib.suppress(AssertionError):
            killing.run(
                "odoo_database_swap",
                options,
                env=environment(),
                kill_at=step,
                count_in=str(shop.folder / "steps"),
            )
        if journal.exists() and "shop_before" in shop.server.databases():
            assert (shop.stores / "shop_upgraded").is_dir()
            return
    raise AssertionError("no step of the swap lies between databases and folders")


def test_a_cut_over_that_is_killed_is_finished_and_taken_back(shop: Shop, killing: ModuleRunner) -> None:
    """Inside of the swap; then before the new service is started; then the way back fails, and is gone again."""
    note = verified(shop)
    variables = shop.cutover(odoo_cutover_report_dir="")
    kill_inside_of_swap(shop, killing)
    assert shop.versions() == {"shop": "17.0", "shop_before": "16.0"}

    def with_command(verb: str, command: str) -> dict[str, object]:
        service = variables["odoo_cutover_upgraded_service"]
        shell, option, before = service[verb]
        return {
            **variables,
            "odoo_cutover_upgraded_service": {**service, verb: [shell, option, f"{before}; {command}"]},
        }

    shop.killed_play("odoo_cutover", with_command("start_command", "sleep 600"), "start17")
    assert shop.versions() == {"shop": "17.0", "shop_before": "16.0"}
    assert note.exists()
    shop.changed("odoo_cutover", variables)
    assert shop.services() == ["stop16", "start17", "start17"]
    assert not note.exists()

    in_the_way = shop.stores / "shop_upgraded"
    sabotaged = with_command("stop_command", f"mkdir {in_the_way}")
    said = failed(shop, **{**sabotaged, "odoo_cutover_state": "reverted"})
    assert "there is a folder" in said
    assert "The database shop is the upgraded one, and its service was started again." in said
    assert shop.services()[3:] == ["stop17", "start17"]
    assert shop.versions() == {"shop": "17.0", "shop_before": "16.0"}
    in_the_way.rmdir()
    shop.changed("odoo_cutover", {**variables, "odoo_cutover_state": "reverted"})
    assert shop.services()[5:] == ["stop17", "start16"]
    assert shop.versions() == {"shop": "16.0", "shop_upgraded": "17.0"}


def test_a_failure_after_the_swap_swaps_back(shop: Shop) -> None:
    """In a run that goes on where an earlier one had verified the upgraded database."""
    verified(shop)
    said = failed(shop, odoo_cutover_login_url="http://127.0.0.1:1")
    assert "the login failed" in said
    assert "The database shop is the one of before, and its service was started again." in said
    assert shop.services() == ["stop16", "start17", "stop17", "start16"]
    assert shop.versions() == {"shop": "16.0", "shop_upgraded": "17.0"}
    assert shop.server.sql("SELECT datallowconn FROM pg_database WHERE datname = 'shop'") == "t"

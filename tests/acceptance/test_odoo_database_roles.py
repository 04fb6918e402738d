# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles for databases, with a real PostgreSQL and the rehearsal platform."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import PlaybookRun, run_playbook
from support.platform import SAMPLE_CONTRACT, Platform
from support.postgres.fake_odoo import behave, make_odoo_bin
from support.postgres.odoo import FILES, PARTNERS, SECRETS, UUID, make_addons, make_database, make_filestore
from support.postgres.runs import Databases
from support.postgres.server import PASSWORD, ROLE, Postgres


@pytest.fixture(scope="module")
def _running(running_postgres: Postgres) -> Iterator[Platform]:
    # The platform turns archives into SQL with the programs of the server's version.
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{running_postgres.bin}:{before}"
    try:
        with Platform(stage_seconds=0, ssh_server="asyncssh") as platform:
            yield platform
    finally:
        os.environ["PATH"] = before


class Shop(Databases):
    """A database with its filestore, and playbooks that run for it."""

    def __init__(self, server: Postgres, folder: Path, platform: Platform) -> None:
        super().__init__(server, folder)
        make_database(server, "shop")
        server.sql(
            f"UPDATE ir_config_parameter SET value = '{SAMPLE_CONTRACT}' WHERE key = 'database.enterprise_code'", "shop"
        )
        self.platform = platform
        self.stores = folder / "filestore"
        self.stores.mkdir()
        self.filestore = make_filestore(self.stores / "shop")
        for name in ("backups", "work", "reports"):
            (folder / name).mkdir()

    def play(self, playbook: str, variables: dict[str, Any], *flags: str) -> PlaybookRun:
        inventory = self.folder.parent / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"shop": variables}}}), encoding="utf-8")
        connection = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.server.port),
            "PGUSER": ROLE,
            "PGPASSWORD": PASSWORD,
            "ODOO_UPGRADE_API_URL": self.platform.service_url,
            "ODOO_UPGRADE_CA_PATH": str(self.platform.ca_path),
        }
        ended = run_playbook(f"siteops.upgrades.{playbook}", "-i", str(inventory), "-v", *flags, env=connection)
        self.outputs.append(ended.output)
        return ended

    def changed(self, playbook: str, variables: dict[str, Any], *flags: str) -> int:
        """How many tasks of a run that ended well changed something."""
        ended = self.play(playbook, variables, *flags)
        assert ended.status == 0, ended.output
        assert "Traceback" not in ended.output
        return ended.recap["shop"]["changed"]

    def unchanged_by(self, playbook: str, variables: dict[str, Any], *flags: str) -> int:
        """The same, of a run that writes nothing."""
        before = self.state()
        count = self.changed(playbook, variables, *flags)
        assert self.state() == before
        return count

    def assert_nothing_secret(self) -> None:
        reports = [path.read_text(encoding="utf-8") for path in (self.folder / "reports").iterdir()]
        secrets = (PASSWORD, SAMPLE_CONTRACT, *SECRETS.values())
        for output in [*self.outputs, *reports]:
            assert [secret for secret in secrets if secret in output] == []

    def report(self) -> dict[str, Any]:
        """The newest report."""
        return json.loads(max((self.folder / "reports").iterdir()).read_text(encoding="utf-8"))


@pytest.fixture
def shop(postgres: Postgres, tmp_path: Path, _running: Platform) -> Shop:
    _running.reset()
    folder = tmp_path / "shop"
    folder.mkdir()
    return Shop(postgres, folder, _running)


def test_a_backup_is_made_once_and_the_oldest_removed(shop: Shop) -> None:
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
    (first,) = (shop.folder / "backups").glob("*.zip")
    assert shop.changed("odoo_backup", {**variables, "odoo_backup_if_older_than": ""}) == 1
    (second,) = (shop.folder / "backups").glob("*.zip")
    assert first != second
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
    assert shop.unchanged_by("odoo_test_upgrade", variables, "--check") == 5
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

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Odoo database with its filestore is cut over to its upgraded version on a real PostgreSQL, and back."""

from __future__ import annotations

import os
import pathlib
import shutil

from support.demo.terminal import Shown, Terminal
from support.platform import SAMPLE_CONTRACT, Platform
from support.postgres.odoo import FILES, make_database, make_filestore
from support.postgres.server import PASSWORD, ROLE, Postgres, newest_bin, running

TITLE = "Cut an Odoo database over to its upgraded version, and back"
PLAYBOOK = "siteops.upgrades.odoo_cutover"


class Demonstration:
    """The steps in order; leaves no server behind, however it ends."""

    def __init__(self, terminal: Terminal, folder: pathlib.Path) -> None:
        """``folder`` is private to this demonstration and goes with it."""
        self._terminal = terminal
        self._folder = folder / "database"
        self._inventory = self._folder / "databases.yml"
        self._stores = self._folder / "filestore"
        self._services = self._folder / "services.log"

    def run(self) -> None:
        """Raise DemonstrationError for the first promise that is not kept."""
        missing = [name for name in ("rsync", "ssh", "ssh-keygen") if not shutil.which(name)]
        if missing:
            self._terminal.say(f"Left out, because {' and '.join(missing)} is not installed here.")
            return
        (self._folder / "work").mkdir(parents=True)
        before = os.environ["PATH"]
        with running(newest_bin()) as server:
            # The platform turns archives into SQL with the programs of the server's version.
            os.environ["PATH"] = f"{server.bin}{os.pathsep}{before}"
            try:
                with Platform(stage_seconds=0.5) as platform:
                    with self._terminal.step("Start PostgreSQL and the rehearsal platform, and make a database"):
                        self._make(server)
                    self._cut_over(server, platform)
            finally:
                os.environ["PATH"] = before

    def _make(self, server: Postgres) -> None:
        make_database(server, "shop")
        server.sql(
            f"UPDATE ir_config_parameter SET value = '{SAMPLE_CONTRACT}' WHERE key = 'database.enterprise_code'", "shop"
        )
        make_filestore(self._stores / "shop")
        self._terminal.say(f"The database shop is a small Odoo 16.0 with {FILES} files in its filestore.")
        self._write_inventory(server)

    def _cut_over(self, server: Postgres, platform: Platform) -> None:
        prove, step = self._terminal.prove, self._terminal.step
        with step("See what the night would do, in check mode"):
            self._playbook(server, platform, "--check")
            prove(not platform.calls(), "the platform saw no call")
            prove(server.databases() == {"shop"}, "there is still one database")
            prove(not self._services.exists(), "no service was stopped")
        with step("Stop, dump, upgrade, restore, merge, verify, swap, start"):
            self._playbook(server, platform)
            prove(_version(server, "shop") == "17.0", "shop is Odoo 17.0 now")
            prove(server.databases() == {"shop", "shop_before"}, "the old one is kept as shop_before")
            files = [path for path in (self._stores / "shop").glob("??/*") if path.is_file()]
            prove(len(files) >= FILES, f"its filestore has {len(files)} files")
            prove(self._services.read_text(encoding="utf-8").split() == ["stop", "start"], "the service was restarted")
        with step("Run it again"):
            shown = self._playbook(server, platform)
            prove(shown.changed == 0, "the playbook reports changed=0")
        with step("Go back"):
            self._playbook(server, platform, "-e", "odoo_cutover_state=reverted")
            prove(_version(server, "shop") == "16.0", "shop is Odoo 16.0 again")
            prove(server.databases() == {"shop", "shop_upgraded"}, "the upgraded one is kept as shop_upgraded")

    def _playbook(self, server: Postgres, platform: Platform, *flags: str) -> Shown:
        command = ["ansible-playbook", "-i", str(self._inventory), PLAYBOOK, *flags]
        variables = {
            "ODOO_UPGRADE_API_URL": platform.service_url,
            "ODOO_UPGRADE_CA_PATH": str(platform.ca_path),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGUSER": ROLE,
        }
        return self._terminal.run(command, variables, {"PGPASSWORD": PASSWORD})

    def _write_inventory(self, server: Postgres) -> None:
        lines = [
            '      odoo_upgrade_target: "17.0"',
            "      odoo_upgrade_production_confirmed: true",
            "      odoo_upgrade_wait_interval: 1",
            '      odoo_cutover_database: "shop"',
            f'      odoo_cutover_filestore: "{self._stores / "shop"}"',
            f'      odoo_cutover_dest: "{self._folder / "work"}"',
            f'      odoo_cutover_pg_bin: "{server.bin}"',
            "      odoo_cutover_service:",
            f'        stop_command: ["sh", "-c", "echo stop >> {self._services}"]',
            f'        start_command: ["sh", "-c", "echo start >> {self._services}"]',
        ]
        self._inventory.write_text("---\nall:\n  hosts:\n    shop:\n" + "\n".join(lines) + "\n", encoding="utf-8")
        self._terminal.say(f"The inventory {self._inventory} describes the night:")
        for line in lines:
            self._terminal.say(f"| {line}")


def _version(server: Postgres, database: str) -> str:
    return server.sql("SELECT latest_version FROM ir_module_module WHERE name = 'base'", database)[:4]

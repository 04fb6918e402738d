# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One database with its filestore and its service, and the playbooks that back it up, copy it and cut it over."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.ansible_cli import SECONDS, PlaybookRun, run_playbook
from support.platform import SAMPLE_CONTRACT, Platform
from support.postgres.fake_odoo import make_odoo_bin
from support.postgres.odoo import SECRETS, make_database, make_filestore
from support.postgres.runs import Databases
from support.postgres.server import PASSWORD, ROLE, Postgres
from support.watched_play import WatchedPlay


@contextlib.contextmanager
def platform_beside(server: Postgres) -> Iterator[Platform]:
    """A rehearsal platform that turns archives into SQL with the programs of the server's version."""
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{server.bin}:{before}"
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
        return self.play_hosts(playbook, {"shop": variables}, *flags)

    def play_hosts(self, playbook: str, hosts: dict[str, dict[str, Any]], *flags: str) -> PlaybookRun:
        """Run a playbook for several hosts, each with variables of its own."""
        path, arguments, connection = self._command(playbook, hosts, *flags)
        ended = run_playbook(path, *arguments, env=connection)
        self.outputs.append(ended.output)
        return ended

    def killed_play(self, playbook: str, variables: dict[str, Any], word: str) -> None:
        """Kill a run, with all that it has started, once a hook of a service has written this word."""
        path, arguments, connection = self._command(playbook, {"shop": variables})
        before = self.services().count(word)
        with WatchedPlay(path, *arguments, env=connection) as play:
            give_up = time.monotonic() + SECONDS
            while self.services().count(word) == before:
                assert time.monotonic() < give_up, play.output
                time.sleep(0.05)

    def _command(
        self, playbook: str, hosts: dict[str, dict[str, Any]], *flags: str
    ) -> tuple[str, tuple[str, ...], dict[str, str]]:
        """The playbook, its arguments, and the environment of a run."""
        inventory = self.folder.parent / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        connection = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.server.port),
            "PGUSER": ROLE,
            "PGPASSWORD": PASSWORD,
            "ODOO_UPGRADE_API_URL": self.platform.service_url,
            "ODOO_UPGRADE_CA_PATH": str(self.platform.ca_path),
        }
        path = playbook if playbook.endswith(".yml") else f"siteops.upgrades.{playbook}"
        return path, ("-i", str(inventory), "-v", *flags), connection

    def changed(self, playbook: str, variables: dict[str, Any], *flags: str) -> int:
        """How many tasks of a run that ended well changed something."""
        ended = self.play(playbook, variables, *flags)
        assert ended.status == 0, ended.output
        assert "Traceback" not in ended.output
        return ended.recap["shop"]["changed"]

    def changed_beside_refused(
        self, playbook: str, variables: dict[str, Any], wrong: dict[str, Any]
    ) -> tuple[int, str]:
        """How many tasks changed something for one host, and what was said of one beside it that was refused."""
        ended = self.play_hosts(playbook, {"shop": variables, "wrong": wrong})
        assert "Traceback" not in ended.output
        done, refused = ended.recap["shop"], ended.recap["wrong"]
        assert (done["failed"], refused["failed"], refused["changed"]) == (0, 1, 0), ended.output
        return done["changed"], ended.words

    def refused_play(self, playbook: str, variables: dict[str, Any], *flags: str) -> str:
        """What a run said that failed and wrote nothing."""
        before = self.state()
        ended = self.play(playbook, variables, *flags)
        assert ended.status, ended.output
        assert "Traceback" not in ended.output
        assert self.state() == before
        return ended.words

    def unchanged_by(self, playbook: str, variables: dict[str, Any], *flags: str) -> int:
        """The same, of a run that writes nothing."""
        before = self.state()
        count = self.changed(playbook, variables, *flags)
        assert self.state() == before
        return count

    def role(self, name: str) -> str:
        """A playbook that runs one role."""
        play = {
            "hosts": "all",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable, "ansible_pipelining": True},
            "roles": [f"siteops.upgrades.{name}"],
        }
        path = self.folder.parent / f"{name}.yml"
        path.write_text(json.dumps([play]), encoding="utf-8")
        return str(path)

    def assert_nothing_secret(self) -> None:
        reports = [path.read_text(encoding="utf-8") for path in (self.folder / "reports").iterdir()]
        secrets = (PASSWORD, SAMPLE_CONTRACT, *SECRETS.values())
        for output in [*self.outputs, *reports]:
            assert [secret for secret in secrets if secret in output] == []

    def report(self) -> dict[str, Any]:
        """The newest report."""
        return json.loads(max((self.folder / "reports").iterdir()).read_text(encoding="utf-8"))

    def versions(self) -> dict[str, str]:
        """The version of Odoo by the name of the database."""
        found = {}
        for name in self.server.databases():
            allowed = self.server.sql(f"SELECT datallowconn FROM pg_database WHERE datname = '{name}'") == "t"
            self.server.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            version = self.server.sql("SELECT latest_version FROM ir_module_module WHERE name = 'base'", name)
            self.server.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
            found[name] = version[:4]
        return found

    def services(self) -> list[str]:
        """What the hooks of the service did, in order."""
        log = self.folder / "services.log"
        return log.read_text(encoding="utf-8").split() if log.exists() else []

    def cutover(self, **more: Any) -> dict[str, Any]:
        """The variables of a cut-over."""
        log = self.folder / "services.log"

        def hook(word: str) -> list[str]:
            return ["sh", "-c", f"echo {word} >> {log}"]

        program = make_odoo_bin(self.folder / "odoo", self.server.bin / "psql")
        return {
            "odoo_upgrade_target": "17",
            "odoo_upgrade_production_confirmed": True,
            "odoo_upgrade_wait_interval": 1,
            "odoo_upgrade_wait_timeout": 60,
            "odoo_cutover_database": "shop",
            "odoo_cutover_dest": str(self.folder / "work"),
            "odoo_cutover_filestore": str(self.filestore),
            "odoo_cutover_service": {"stop_command": hook("stop16"), "start_command": hook("start16")},
            "odoo_cutover_upgraded_service": {"stop_command": hook("stop17"), "start_command": hook("start17")},
            "odoo_cutover_odoo_bin": str(program),
            "odoo_cutover_pg_bin": str(self.server.bin),
            "odoo_cutover_report_dir": str(self.folder / "reports"),
            "odoo_cutover_login_wait": 1,
            **more,
        }

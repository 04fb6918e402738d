# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Odoo dump in many files goes up by rsync to today's service, is processed, comes back and is verified."""

from __future__ import annotations

import collections
import pathlib
import shutil

from support.demo.terminal import Shown, Terminal
from support.platform import SAMPLE_CONTRACT, SAMPLE_FOLDER, Platform

TITLE = "Upgrade an Odoo database with today's service"
PLAYBOOK = "siteops.upgrades.odoo_upgrade"
READS = {"request/status", "request/logs"}


class Demonstration:
    """The steps in order; leaves no platform behind, however it ends."""

    def __init__(self, terminal: Terminal, folder: pathlib.Path) -> None:
        """``folder`` is private to this demonstration and goes with it."""
        self._terminal = terminal
        self._folder = folder / "service"
        self._inventory = self._folder / "databases.yml"
        self._result = self._folder / "upgraded"

    def run(self) -> None:
        """Raise DemonstrationError for the first promise that is not kept."""
        missing = [name for name in ("rsync", "ssh", "ssh-keygen") if not shutil.which(name)]
        if missing:
            self._terminal.say(f"Left out, because {' and '.join(missing)} is not installed here.")
            return
        self._folder.mkdir()
        with Platform(stage_seconds=0.5) as platform:
            with self._terminal.step("Start the rehearsal platform, with HTTPS and rsync over ssh"):
                self._terminal.say("Odoo's own platform needs a contract; this one was checked with Odoo's own script.")
                self._write_inventory(platform)
            self._upgrade(platform)

    def _upgrade(self, platform: Platform) -> None:
        prove, step = self._terminal.prove, self._terminal.step
        with step("See what would change, in check mode"):
            self._playbook(platform, "--check")
            prove(not platform.calls(), "the platform saw no call")
        with step("Create, upload, process, poll and fetch"):
            shown = self._playbook(platform)
            calls = collections.Counter(call.call for call in platform.calls() if call.acted)
            prove(shown.changed > 0, f"the playbook reports changed={shown.changed}")
            prove(
                calls["request/create"] == calls["request/process"] == 1, "the platform saw one create and one process"
            )
            for file in SAMPLE_FOLDER.iterdir():
                same = (self._result / "upgraded.dump" / file.name).read_bytes() == file.read_bytes()
                prove(same, f"{file.name} went there and came back")
            prove(not (self._folder / "shop.json.ssh").exists(), "the ssh key of the request is gone")
        with step("Run it again"):
            before = len(platform.calls())
            shown = self._playbook(platform)
            prove(shown.changed == 0, "the playbook reports changed=0")
            prove({call.call for call in platform.calls()[before:]} <= READS, "the platform saw nothing but reads")

    def _playbook(self, platform: Platform, *flags: str) -> Shown:
        command = ["ansible-playbook", "-i", str(self._inventory), PLAYBOOK, *flags]
        variables = {"ODOO_UPGRADE_API_URL": platform.service_url, "ODOO_UPGRADE_CA_PATH": str(platform.ca_path)}
        return self._terminal.run(command, variables, {})

    def _write_inventory(self, platform: Platform) -> None:
        variables = {
            "contract": SAMPLE_CONTRACT,
            "target": platform.settings.targets[-1],
            "dump": SAMPLE_FOLDER,
            "dest": self._result,
            "request_file": self._folder / "shop.json",
            "wait_interval": 1,
        }
        lines = [f'      odoo_upgrade_{name}: "{value}"\n' for name, value in variables.items()]
        self._inventory.write_text(f"---\nall:\n  hosts:\n    shop:\n{''.join(lines)}", encoding="utf-8")
        self._terminal.say(f"The inventory {self._inventory} describes the database:")
        for line in lines:
            self._terminal.say(f"| {line.rstrip()}")

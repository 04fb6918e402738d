# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Odoo dump goes up by SFTP to the rehearsal platform, is processed, comes back and is verified."""

from __future__ import annotations

import collections
import pathlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from support.demo.terminal import Shown, Terminal
from support.platform import SAMPLE_CONTRACT, SAMPLE_DUMP, Platform

TITLE = "Upgrade an Odoo database with the database API v1"
PLAYBOOK = "siteops.upgrades.odoo_upgrade"
READS = {"status"}


class Demonstration:
    """The steps in order; leaves no platform behind, however it ends."""

    def __init__(self, terminal: Terminal, folder: pathlib.Path) -> None:
        """``folder`` is private to this demonstration and goes with it."""
        self._terminal = terminal
        self._folder = folder
        self._inventory = folder / "databases.yml"
        self._result = folder / "upgraded_openchs.dump"

    def run(self) -> None:
        """Raise DemonstrationError for the first promise that is not kept."""
        with Platform(stage_seconds=0.5) as platform:
            with self._terminal.step("Start the rehearsal platform, with HTTPS and SFTP"):
                self._terminal.say("Odoo's own platform needs a contract; this one follows its API document.")
                self._write_inventory(platform)
            self._upgrade(platform)
        self._terminal.prove(not platform.folder.exists(), "nothing is left running, and no file of the platform")

    def _upgrade(self, platform: Platform) -> None:
        prove, step = self._terminal.prove, self._terminal.step
        with step("See what would change, in check mode"):
            self._playbook(platform, "--check")
            prove(not platform.calls(), "the platform saw no call")
            prove(not (self._folder / "shop.json").exists(), "no request file was made")
        with step("Create, upload, process, poll and fetch"):
            shown = self._playbook(platform)
            calls = collections.Counter(call.call for call in platform.calls() if call.acted)
            prove(shown.changed > 0, f"the playbook reports changed={shown.changed}")
            prove(calls["create"] == calls["process"] == 1, "the platform saw one create and one process")
            sent = [call.received for call in platform.calls() if call.method == "SFTP" and call.received]
            dump, result = SAMPLE_DUMP.read_bytes(), self._result.read_bytes()
            prove(sent == [len(dump)], f"{len(dump)} bytes went up by SFTP, once")
            prove(
                result.startswith(dump) and len(result) > len(dump),
                f"{self._result.name} holds the dump and what the platform added to it: {len(result)} bytes",
            )
        with step("Run it again"):
            before = len(platform.calls())
            shown = self._playbook(platform)
            prove(shown.changed == 0, "the playbook reports changed=0")
            prove({call.call for call in platform.calls()[before:]} <= READS, "the platform saw nothing but reads")

    def _playbook(self, platform: Platform, *flags: str) -> Shown:
        command = ["ansible-playbook", "-i", str(self._inventory), PLAYBOOK, *flags]
        variables = {"ODOO_UPGRADE_API_URL": platform.api_url, "ODOO_UPGRADE_CA_PATH": str(platform.ca_path)}
        return self._terminal.run(command, variables, {})

    def _write_inventory(self, platform: Platform) -> None:
        key = self._folder / "id_ed25519"
        key.touch(mode=0o600)
        key.write_bytes(
            Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
            )
        )
        variables = {
            "contract": SAMPLE_CONTRACT,
            "email": "erp@example.com",
            "target": platform.settings.targets[-1],
            "dump": SAMPLE_DUMP,
            "dest": self._result,
            "request_file": self._folder / "shop.json",
            "transport": "sftp",
            "sftp_private_key": key,
            "sftp_host_key": platform.host_key,
            "wait_interval": 1,
        }
        lines = [f'      odoo_upgrade_{name}: "{value}"\n' for name, value in variables.items()]
        self._inventory.write_text(f"---\nall:\n  hosts:\n    shop:\n{''.join(lines)}", encoding="utf-8")
        self._terminal.say(f"The inventory {self._inventory} describes the database:")
        for line in lines:
            self._terminal.say(f"| {line.rstrip()}")

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Plone site is checked, rehearsed, upgraded, and checked again."""

from __future__ import annotations

import pathlib

from support.demo.terminal import Shown, Terminal
from support.plone import PROFILE, PloneServer, prepare_snapshot
from support.plone.cache import cache_folder

TITLE = "Upgrade a Plone site"
PLAYBOOK = "siteops.upgrades.plone_upgrade"


class Demonstration:
    """The steps in order; leaves no server behind, however it ends."""

    def __init__(self, terminal: Terminal, folder: pathlib.Path) -> None:
        """``folder`` is private to this demonstration and goes with it."""
        self._terminal = terminal
        self._inventory = folder / "sites.yml"

    def run(self) -> None:
        """Raise DemonstrationError for the first promise that is not kept."""
        with self._terminal.step("Make a real Plone"):
            self._terminal.say(f"It is installed from the package index into {cache_folder()}, once.")
            prepare_snapshot()
        server = PloneServer()
        try:
            with self._terminal.step("Start it with a site that waits for its upgrade"):
                server.reset()
                self._terminal.say(f"{server.url} runs new code on a database that claims version {PROFILE}.")
                self._write_inventory(server)
            self._upgrade(server)
        finally:
            with self._terminal.step("Stop Plone and remove its data"):
                server.close()
        self._terminal.prove(not server.running, "nothing is left running")

    def _upgrade(self, server: PloneServer) -> None:
        prove, step = self._terminal.prove, self._terminal.step
        with step("See what would change, in check mode"):
            shown = self._playbook(server, "--check", "--diff")
            methods = [request.method for request in server.requests()]
            prove(shown.changed > 0, "check mode says that something would change")
            prove(
                "GET" in methods and set(methods) == {"GET"}, f"the server saw {len(methods)} GET and no other request"
            )
        with step("Rehearse and run the upgrade"):
            server.clear_requests()
            shown = self._playbook(server)
            posts = [request for request in server.requests() if request.method != "GET"]
            prove(shown.changed > 0, f"the playbook reports changed={shown.changed}")
            prove(len(posts) == 2, "the server saw two POSTs, the rehearsal and the upgrade")
            _status, versions = server.call("GET", f"{server.url}/@upgrade")
            after = versions["versions"]
            prove(
                after["instance"] == after["fs"], f"the site itself says that it is at {after['instance']}, as its code"
            )
        with step("Run it again"):
            server.clear_requests()
            shown = self._playbook(server)
            prove(shown.changed == 0, "the playbook reports changed=0")
            prove(all(request.method == "GET" for request in server.requests()), "nothing was posted")

    def _playbook(self, server: PloneServer, *flags: str) -> Shown:
        state = server.state()
        command = ["ansible-playbook", "-i", str(self._inventory), PLAYBOOK, *flags]
        return self._terminal.run(command, {"PLONE_USERNAME": state["username"]}, {"PLONE_PASSWORD": state["password"]})

    def _write_inventory(self, server: PloneServer) -> None:
        text = f'---\nall:\n  hosts:\n    intranet:\n      plone_upgrade_url: "{server.url}"\n'
        self._inventory.write_text(text, encoding="utf-8")
        self._terminal.say(f"The inventory {self._inventory} names it:")
        for line in text.splitlines():
            self._terminal.say(f"| {line}")

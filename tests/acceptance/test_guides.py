# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guides, typed as they stand: their files, their commands, and what they say that one sees."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

from support.ansible_cli import environment
from support.guides import GUIDES, Block, blocks
from support.platform import SAMPLE_DUMP, Platform
from support.plone import ADMIN, PloneServer

GAP = "..."
SECONDS = 900
# What differs from run to run, or grows with the role, and what stands for it.
DIFFERING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r'("States passed: ).*"'), r'\1…"'),
    (re.compile(r"(?<![\w.])/[\w./-]+/"), "FOLDER/"),
    (re.compile(r"\b(ok|skipped)=\d+"), r"\1=N"),
    (re.compile(r" \*+$"), " ***"),
    (re.compile(r"\s+"), " "),
)


class Reader:
    """Somebody who types a guide into a shell, in a folder of their own."""

    def __init__(
        self, folder: Path, variables: Mapping[str, str], own: Mapping[str, str], statuses: Collection[int] = (0,)
    ) -> None:
        """``own`` are words of the guide, with those in their place; ``statuses`` are how its commands may end."""
        self._folder = folder
        self._statuses = statuses
        self._variables = environment(variables)
        self._own = own

    def follow(self, page: str) -> dict[str, str]:
        """Make the files and run the playbooks of a page; returns the last output of each command.

        What has nothing to do with Ansible, such as the installation, is left out.
        """
        outputs: dict[str, str] = {}
        last = ""
        for block in blocks(GUIDES / page):
            if block.language == "yaml":
                (self._folder / block.caption).write_text(self._with_own(block.text), encoding="utf-8")
            elif block.language == "shell":
                for command in commands(block):
                    last = outputs[command] = self._run(command)
            elif block.language == "ansible-output":
                assert_seen(block, last)
        return outputs

    def _run(self, command: str) -> str:
        ended = subprocess.run(
            shlex.split(self._with_own(command)),
            cwd=self._folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode in self._statuses, f"{command}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def _with_own(self, text: str) -> str:
        for word, own in self._own.items():
            text = text.replace(word, own)
        return text


def commands(block: Block) -> Iterator[str]:
    """The commands of a block that run a playbook."""
    return (line for line in block.text.splitlines() if line.startswith("ansible-playbook "))


def plain(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, replacement in DIFFERING:
        line = pattern.sub(replacement, line)
    return line.strip()


def assert_seen(block: Block, output: str) -> None:
    """The lines between two gaps stand together in the output, and the parts in this order."""
    seen = [plain(line) for line in output.splitlines() if line.strip()]
    position = 0
    for part in re.split(rf"^{re.escape(GAP)}$", block.text, flags=re.MULTILINE):
        wanted = [plain(line) for line in part.splitlines() if line.strip()]
        matches = (at for at in range(position, len(seen)) if seen[at : at + len(wanted)] == wanted)
        found = next(matches, None)
        assert found is not None, f"{block} says that one sees\n{part}\nbut it is not in\n{output}"
        position = found + len(wanted)


@pytest.fixture(scope="module")
def server() -> Iterator[PloneServer]:
    """One instance for this module; tests take it as ``two_sites``."""
    with PloneServer(sites=2) as started:
        yield started


@pytest.fixture
def two_sites(server: PloneServer) -> PloneServer:
    """The instance as it was when it started."""
    server.restore()
    return server


def test_the_first_plone_upgrade(two_sites: PloneServer, tmp_path: Path) -> None:
    (tmp_path / "secrets.yml").write_text(f'vault_plone_password: "{ADMIN.password}"\n', encoding="utf-8")
    credentials = {"PLONE_URL": two_sites.url, "PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
    own = {
        "https://shop.example.org": two_sites.urls[1],
        'plone_upgrade_url: "https://intranet.example.org"': f'plone_upgrade_url: "{two_sites.url}"',
        "https://intranet.example.org": two_sites.root_url,
        '"upgrader"': f'"{ADMIN.name}"',
        "--ask-vault-pass ": "",
    }
    outputs = Reader(tmp_path, credentials, own).follow("first_plone_upgrade.rst")
    assert "intranet_Plone2" in outputs["ansible-playbook -i fleet.plone_sites.yml siteops.upgrades.plone_status"]
    assert "Add-ons: siteops.testaddon" in outputs["ansible-playbook intranet.yml"]
    for url in two_sites.urls:
        versions = two_sites.call("GET", f"{url}/@upgrade")[1]["versions"]
        assert versions["instance"] == versions["fs"]


@pytest.mark.main
def test_the_first_odoo_upgrade(tmp_path: Path) -> None:
    for name in ("shop.dump", "shop-final.dump"):
        shutil.copy(SAMPLE_DUMP, tmp_path / name)
    with Platform(stage_seconds=0.2) as platform:
        variables = {"ODOO_UPGRADE_API_URL": platform.service_url, "ODOO_UPGRADE_CA_PATH": str(platform.ca_path)}
        Reader(tmp_path, variables, {}).follow("first_odoo_upgrade.rst")
        assert [call.acted for call in platform.calls("request/create")] == [True, True]
    for name in ("shop-18", "shop-final-18"):
        assert hashlib.sha256(SAMPLE_DUMP.read_bytes()).hexdigest() in (tmp_path / name / "upgrade.log").read_text()


def test_reports_of_a_run_with_a_failure(two_sites: PloneServer, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    own = {
        "https://intranet.example.org": two_sites.urls[0],
        "https://shop.example.org": two_sites.urls[1],
        "/var/lib/siteops-upgrades/reports": str(reports),
    }
    credentials = {"PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
    Reader(tmp_path, credentials, own, statuses=(0, 2)).follow("reports.rst")
    [whole] = reports.glob("intranet-*.json")
    [first, second] = [block.text for block in blocks(GUIDES / "reports.rst") if block.language == "text"]
    assert not set(map(plain, first.splitlines())) - set(map(plain, whole.read_text(encoding="utf-8").splitlines()))
    assert not set(second.split()) - set((reports / "index.md").read_text(encoding="utf-8").split())
    assert (reports / "index.html").exists()

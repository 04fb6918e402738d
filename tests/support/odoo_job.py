# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One database on its way through the role odoo_upgrade, for tests that run it against the rehearsal platform."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from support.ansible_cli import PlaybookRun, environment, playbook_command, run_module, run_playbook
from support.module_runner import ModuleRun
from support.platform import SAMPLE_CONTRACT, SQL_END, Platform
from support.processes import kill_when

PLAYBOOK = "siteops.upgrades.odoo_upgrade"
HOST = "shop"
ONCE = ("create", "upload", "process")
READS = {"status"}


def calls(platform: Platform) -> list[str]:
    """The names of the calls that the platform was asked for."""
    return [record.call for record in platform.calls()]


def calls_since(platform: Platform, count: int) -> set[str]:
    """The calls after the first ``count``."""
    return set(calls(platform)[count:])


def run_hosts(job: Job, hosts: Mapping[str, Mapping[str, Any]], *flags: str) -> PlaybookRun:
    """Run the role for several hosts in one play, each with variables of its own, given without their prefix."""
    inventory = {
        host: {**job.variables, **{f"odoo_upgrade_{name}": value for name, value in variables.items()}}
        for host, variables in hosts.items()
    }
    job.inventory.write_text(json.dumps({"all": {"hosts": inventory}}), encoding="utf-8")
    return run_playbook(PLAYBOOK, "-i", str(job.inventory), *flags)


def failures(ended: PlaybookRun) -> dict[str, str]:
    """What each host failed with, on one line."""
    return dict(re.findall(r"^fatal: \[(\w+)\]: FAILED! => (.*)", ended.output, re.MULTILINE))


def made_once(platform: Platform) -> bool:
    """Whether each call that may not be repeated was carried out exactly once."""
    return all(len([record for record in platform.calls(call) if record.acted]) == 1 for call in ONCE)


class Job:
    """One database on its way through the role: its folder, its variables, its runs."""

    def __init__(self, platform: Platform, folder: Path, host: str = HOST) -> None:
        self.platform = platform
        self.folder = folder
        self.host = host
        self.outputs: list[str] = []
        folder.mkdir(exist_ok=True)
        self.dump = folder / f"{host}.sql"
        self.dump.write_bytes(b"-- PostgreSQL database dump\n" + b"SELECT 1;\n" * 50_000 + SQL_END)
        self.dest = folder / f"{host}-upgraded.sql"
        self.request_file = folder / f"{host}.json"
        self.variables: dict[str, Any] = {
            "odoo_upgrade_api_url": platform.api_url,
            "odoo_upgrade_ca_path": str(platform.ca_path),
            "odoo_upgrade_contract": SAMPLE_CONTRACT,
            "odoo_upgrade_email": "john.doe@example.com",
            "odoo_upgrade_target": "18.0",
            "odoo_upgrade_dump": str(self.dump),
            "odoo_upgrade_dest": str(self.dest),
            "odoo_upgrade_request_file": str(self.request_file),
            "odoo_upgrade_wait_timeout": 60,
            "odoo_upgrade_wait_interval": 1,
        }
        self.inventory = folder / "inventory.json"
        self.address = platform.api_url

    @property
    def settings(self) -> dict[str, Any]:
        """The variables without their prefix."""
        return {name.removeprefix("odoo_upgrade_"): value for name, value in self.variables.items()}

    def arguments(self, *flags: str, **variables: Any) -> list[str]:
        """Arguments of ansible-playbook for one run; the variables are given without their prefix."""
        own = {**self.variables, **{f"odoo_upgrade_{name}": value for name, value in variables.items()}}
        self.inventory.write_text(json.dumps({"all": {"hosts": {self.host: own}}}), encoding="utf-8")
        return ["-i", str(self.inventory), *flags]

    def command(self, *flags: str, **variables: Any) -> list[str]:
        """The command of one run, for a caller that starts it by itself."""
        return playbook_command(PLAYBOOK, *self.arguments(*flags, **variables))

    def run(self, *flags: str, **variables: Any) -> PlaybookRun:
        """Run the playbook, and keep what it wrote."""
        return self.run_with(self.arguments(*flags, **variables))

    def run_with(self, arguments: list[str], env: Mapping[str, str] | None = None) -> PlaybookRun:
        """Run the playbook with arguments that were made before, and keep what it wrote."""
        ended = run_playbook(PLAYBOOK, *arguments, env=env)
        self.outputs.append(ended.output)
        return ended

    def counters(self, ended: PlaybookRun) -> dict[str, int]:
        """The recap of the one host, where the run ended well."""
        assert ended.status == 0, ended.output
        return ended.recap[self.host]

    def options(self, **options: Any) -> dict[str, Any]:
        """Options of a module with the connection and the request of this job."""
        shared = {
            "api_url": self.address,
            "ca_path": str(self.platform.ca_path),
            "request_file": str(self.request_file),
        }
        return {**shared, **options}

    def module(self, name: str, **options: Any) -> ModuleRun:
        """Run one module with the connection and the request of this job."""
        return run_module(name, self.options(**options))

    def create(self) -> ModuleRun:
        """Make the request in-process, as the role does; the other way to :meth:`run`, where no play is needed."""
        return self._succeeded(1)[0]

    def submit(self) -> list[ModuleRun]:
        """Make the request, send the dump and start the upgrade, in-process."""
        return self._succeeded(3)

    def complete(self) -> list[ModuleRun]:
        """Submit, wait and fetch the result, in-process."""
        return self._succeeded(5)

    def attempt(self, *flags: str, steps: int = 5) -> list[ModuleRun]:
        """Take the steps of the role in-process up to the first that fails, and keep what they wrote."""
        settings = self.settings
        given = {name: settings[name] for name in ("contract", "email", "target")}
        ways = ("transport", "sftp_private_key", "sftp_host_key")
        way: dict[str, Any] = {name: settings[name] for name in ways if name in settings}
        calls: list[tuple[str, dict[str, Any]]] = [
            ("request", {**given, "filename": self.dump.name}),
            ("upload", {"src": str(self.dump), **way}),
            ("process", {}),
            ("request_info", {"wait": True, "wait_timeout": 60, "wait_interval": 1}),
            ("download", {"dest": str(self.dest), **way}),
        ]
        runs: list[ModuleRun] = []
        for name, options in calls[:steps]:
            runs.append(run_module(f"odoo_upgrade_{name}", self.options(**options), *flags))
            self.outputs.append(runs[-1].output)
            if runs[-1].failed:
                break
        return runs

    def _succeeded(self, steps: int) -> list[ModuleRun]:
        runs = self.attempt(steps=steps)
        assert not runs[-1].failed, runs[-1].output
        return runs

    @property
    def request_id(self) -> int:
        return int(json.loads(self.request_file.read_text(encoding="utf-8"))["handle"]["id"])

    @property
    def files(self) -> set[str]:
        """What lies in the folder beside the dump and the inventory."""
        return {path.name for path in self.folder.iterdir()} - {self.dump.name, self.inventory.name}

    def assert_whole(self) -> None:
        """The result is the dump that was sent, with the platform's note about its hash."""
        sent = self.dump.read_bytes()
        fetched = self.dest.read_bytes()
        assert fetched.startswith(sent)
        assert hashlib.sha256(sent).hexdigest().encode() in fetched[len(sent) :]

    def assert_nothing_secret(self) -> None:
        """No run of the job has written a key or the contract, in any form."""
        secrets = [SAMPLE_CONTRACT, *(request.key for request in self.platform.store.all())]
        forms = {
            form
            for secret in secrets
            for form in (
                secret,
                quote(secret, safe=""),
                quote_plus(secret),
                base64.b64encode(secret.encode()).decode().rstrip("="),
            )
        }
        assert len(secrets) > 1
        for output in self.outputs:
            assert [form for form in forms if form in output] == []

    def kill_when(self, due: Callable[[], object]) -> None:
        """Start the role and kill it as soon as something is the case."""
        kill_when(due, self.command(), environment(), self.folder.parent / "killed.log")

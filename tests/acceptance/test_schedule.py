# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of extensions/schedule, run as cron and systemd run them, but for the places where their files lie."""

from __future__ import annotations

import configparser
import fcntl
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from support.ansible_cli import QUIET
from support.odoo_job import Job
from support.platform import SAMPLE_CONTRACT, Platform
from support.plone import PloneServer
from support.plone.accounts import ADMIN

SHIPPED = Path(__file__).parents[2] / "extensions/schedule"
PLAYBOOKS = ("plone_upgrade", "odoo_upgrade", "odoo_backup", "odoo_cutover")
PLACES = {
    "/etc/siteops-upgrades": "etc",
    "/var/lib/siteops-upgrades": "lib",
    "/var/log/siteops-upgrades": "log",
}
SECONDS = 900


class Host:
    """A host with the shipped files, in one folder; what the test has in the place of an example is told to `fill`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for place in PLACES.values():
            (folder / place).mkdir()
        self.reports = folder / "lib/reports"
        self.reports.mkdir()

    def here(self, text: str) -> str:
        """A text with this host's folders."""
        for place, own in PLACES.items():
            text = text.replace(place, str(self.folder / own))
        return text

    def fill(self, name: str, own: dict[str, str]) -> None:
        """Install a shipped file; each of ``own`` must be in it."""
        text = self.here((SHIPPED / name).read_text(encoding="utf-8"))
        for example, value in own.items():
            assert example in text
            text = text.replace(example, value)
        (self.folder / "etc" / name).write_text(text, encoding="utf-8")

    def install(self, playbook: str, settings: dict[str, str], inventory: dict[str, str]) -> None:
        """Install the files of a playbook, with the Ansible of the tests."""
        tools = {
            "PATH=/opt/siteops-upgrades/bin:": f"PATH={os.environ['PATH']}:",
            "/opt/siteops-upgrades/collections": os.environ["ANSIBLE_COLLECTIONS_PATH"],
        }
        quick = {"plone_upgrade": "\n    plone_upgrade_rehearsal: skip"}.get(playbook, "")
        always = {"vars:": f"vars:\n    {playbook}_wait_interval: 1{quick}", "22:00": "00:00", "Europe/Zurich": "UTC"}
        closes = {"plone_upgrade": "04:00", "odoo_upgrade": "05:00"}[playbook]
        self.fill(f"{playbook}.env", {**tools, **settings})
        self.fill(f"{playbook}.yml", {**always, closes: "24:00", **inventory})

    def from_cron(self, playbook: str) -> subprocess.CompletedProcess[str]:
        """Run the line of the crontab as cron does: with hardly any environment, and by its shell."""
        variables, lines = crontab()
        [command] = [line for line in lines if playbook in line]
        return self._run([variables["SHELL"], "-c", self.here(command)], {})

    def from_systemd(self, playbook: str) -> subprocess.CompletedProcess[str]:
        """Run the command of the service as systemd does: without a shell, in the environment of the file."""
        service = unit("siteops-upgrade@.service")["Service"]
        environment = Path(self.here(service["EnvironmentFile"]).replace("%i", playbook)).read_text(encoding="utf-8")
        settings = (line for line in environment.splitlines() if line and not line.startswith("#"))
        command = shlex.split(self.here(service["ExecStart"]).replace("%i", playbook))
        return self._run(command, dict(line.split("=", 1) for line in settings))

    def _run(self, command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        inherited = {**QUIET, "HOME": str(self.folder), "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]}
        return subprocess.run(
            command, env={**inherited, **env}, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    def log(self, playbook: str) -> str:
        return (self.folder / f"log/{playbook}.log").read_text(encoding="utf-8")

    @property
    def results(self) -> list[str]:
        """The results in the reports, in the order of their beginnings."""
        return [json.loads(path.read_text(encoding="utf-8"))["result"] for path in sorted(self.reports.iterdir())]


def unit(name: str) -> configparser.ConfigParser:
    """A unit file; a line that ends in a backslash goes on in the next."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((SHIPPED / name).read_text(encoding="utf-8").replace("\\\n", " "))
    return parser


def crontab() -> tuple[dict[str, str], list[str]]:
    """The variables and the commands of the crontab; a command stands behind five fields of time and a user."""
    lines = [
        line for line in (SHIPPED / "crontab").read_text(encoding="utf-8").splitlines() if line[:1] not in ("#", "")
    ]
    variables = dict(line.split("=", 1) for line in lines if line[0].isupper())
    return variables, [line.split(maxsplit=6)[6] for line in lines if not line[0].isupper()]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host without settings."""
    return Host(tmp_path)


@pytest.fixture
def job(platform: Platform, host: Host) -> Job:
    """One database, and its settings on the host."""
    job = Job(platform, host.folder / "work")
    connection = f"ODOO_UPGRADE_API_URL={platform.api_url}\nODOO_UPGRADE_CA_PATH={platform.ca_path}"
    settings = {"# ANSIBLE_VAULT": f"{connection}\n# ANSIBLE_VAULT"}
    inventory = {
        "/var/backups/shop.dump": str(job.dump),
        "/var/backups/shop-18": str(job.dest),
        "{{ vault_odoo_contract }}": SAMPLE_CONTRACT,
    }
    host.install("odoo_upgrade", settings, inventory)
    return job


def test_a_database_by_cron(host: Host, job: Job) -> None:
    """The first of the runs that test_run_reports shows: each is by the same line."""
    job.platform.settings.update({"stage_seconds": None})
    ended = host.from_cron("odoo_upgrade")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", ""), host.log("odoo_upgrade")
    assert json.loads((host.folder / "lib/shop.json").read_text(encoding="utf-8"))["handle"]["id"]
    assert host.results == ["changed"]
    assert "changed=3" in host.log("odoo_upgrade")


def test_a_failure_is_mailed_and_logged(host: Host, job: Job) -> None:
    job.dump.unlink()
    ended = host.from_cron("odoo_upgrade")
    assert ended.returncode == 2
    assert ended.stdout == f"odoo_upgrade ended with status 2; see {host.folder}/log/odoo_upgrade.log\n"
    assert f"odoo_upgrade_dump ({job.dump}) must exist" in host.log("odoo_upgrade")
    assert host.results == ["failed"]


@pytest.mark.parametrize("start", ["from_cron", "from_systemd"])
def test_one_run_at_a_time(start: str, host: Host, job: Job) -> None:
    with (host.folder / "lib/odoo_upgrade.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert getattr(host, start)("odoo_upgrade").returncode == 75
    assert host.results == []
    assert not job.dest.exists()


def test_sites_by_systemd(plone: PloneServer, host: Host) -> None:
    settings = {
        "PLONE_USERNAME=admin": f"PLONE_USERNAME={ADMIN.name}",
        "# PLONE_PASSWORD=": f"PLONE_PASSWORD={ADMIN.password}",
    }
    host.install(
        "plone_upgrade",
        settings,
        {"https://intranet.example.org": plone.url, "days: [sat]": "days: [mon, tue, wed, thu, fri, sat, sun]"},
    )
    assert host.from_systemd("plone_upgrade").returncode == 0, host.log("plone_upgrade")
    assert host.results == ["changed"]
    assert ADMIN.password not in host.log("plone_upgrade")


def test_the_units_are_what_systemd_takes(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("there is no systemd-analyze")
    paths = []
    for name in ("siteops-upgrade@.service", "siteops-upgrade@.timer"):
        shutil.copy(SHIPPED / name, tmp_path)
        paths += [str(tmp_path / name.replace("@", f"@{playbook}")) for playbook in PLAYBOOKS]
    verified = subprocess.run([analyze, "verify", *paths], capture_output=True, text=True, timeout=60, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_units_and_crontab_agree() -> None:
    service, timer = unit("siteops-upgrade@.service")["Service"], unit("siteops-upgrade@.timer")["Timer"]
    _variables, lines = crontab()
    for playbook, line in zip(PLAYBOOKS, lines, strict=True):
        command = " ".join(service["ExecStart"].replace("%i", playbook).split()).removeprefix("/usr/bin/")
        assert f"; {command} >/dev/null" in line
        assert service["EnvironmentFile"].replace("%i", playbook) in line
    assert service["SuccessExitStatus"] == "75"
    assert timer["OnCalendar"].endswith("Europe/Zurich")


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_settings_mean_the_same_to_systemd_and_to_a_shell(playbook: str) -> None:
    lines = (SHIPPED / f"{playbook}.env").read_text(encoding="utf-8").splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    assert all(line == shlex.quote(line) for line in settings)
    inventory = yaml.safe_load((SHIPPED / f"{playbook}.yml").read_text(encoding="utf-8"))
    assert inventory["all"]["vars"][f"{playbook}_window"]["timezone"] == "Europe/Zurich"

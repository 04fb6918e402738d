# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release over the clients of a site, and a backup as the way back where the storage cannot undo."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import PlaybookRun, run_module, run_playbook
from support.cutting_proxy import CuttingProxy, Rule, html
from support.guides import type_section
from support.plone import ADMIN, PROFILE, PloneServer
from support.plone.environment import environment_folder
from support.plone.zeo import Load, ZeoSite

HOOK = """\
- name: Note what is done, and fail where that is wanted
  ansible.builtin.shell: |
    echo '{name}' "$CLIENT" >> "{log}"
    test "{fails}" != "$CLIENT"
  environment:
    CLIENT: "{{{{ inventory_hostname }}}}"
"""

SERVICE = """\
import json, sys
from pathlib import Path
from support.plone.server import PloneServer

path = Path(sys.argv[2])
server = PloneServer.from_state(json.loads(path.read_text()))
server.stop() if sys.argv[1] == "stop" else server.start()
path.write_text(json.dumps(server.state()))
"""


def release(plone: PloneServer, as_admin: dict[str, Any], folder: Path, fails: str = "") -> tuple[PlaybookRun, str]:
    """The run with two clients, of which one may fail to be deployed, and what the hooks noted."""
    log = folder / "log"
    log.write_text("", encoding="utf-8")
    variables: dict[str, Any] = {"plone_upgrade_rehearsal": "skip", "plone_release_start_delay": 1}
    for name in ("drain", "deploy", "enable"):
        hook = folder / f"{name}.yml"
        hook.write_text(HOOK.format(name=name, log=log, fails=fails if name == "deploy" else ""), encoding="utf-8")
        variables[f"plone_release_{name}"] = str(hook)
    inventory = folder / "clients.yml"
    hosts = {
        client: {"plone_upgrade_url": plone.url.replace("127.0.0.1", host)}
        for client, host in (("one", "127.0.0.1"), ("two", "localhost"))
    }
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    env = {f"PLONE_{name.upper()}": str(value) for name, value in as_admin.items() if name != "url"}
    arguments = ("-i", str(inventory), "-e", json.dumps(variables))
    return run_playbook("siteops.upgrades.plone_release", *arguments, env=env), log.read_text(encoding="utf-8")


def version(plone: PloneServer) -> str:
    return str(plone.call("GET", f"{plone.url}/@upgrade")[1]["versions"]["instance"])


def test_a_failure_stops_before_the_next_client(plone: PloneServer, as_admin: dict[str, Any], tmp_path: Path) -> None:
    ended, log = release(plone, as_admin, tmp_path, fails="one")
    assert (ended.status, log.split()) == (2, ["drain", "one", "deploy", "one"]), ended.output
    assert version(plone) == PROFILE


def test_a_client_that_an_interrupted_release_left_stopped_is_started_in_its_turn() -> None:
    """Without a service that could start it, the release ends before a client is touched."""
    variables: dict[str, Any] = {"plone_upgrade_url": "http://127.0.0.1:9/Plone", "plone_release_start_delay": 0}
    variables.update(plone_release_start_retries=1, plone_upgrade_validate_certs=None)
    service = {"plone_release_service": {"stop_command": ["true"], "start_command": ["true"]}}
    env = {"PLONE_USERNAME": "admin", "PLONE_PASSWORD": "secret"}
    there = {**variables, **service}
    here = {**there, "ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    for given, started in ((variables, False), (there, False), (here, True)):
        arguments = ("-i", "one.invalid,", "-e", json.dumps(given))
        ended = run_playbook("siteops.upgrades.plone_release", *arguments, env=env)
        # What stops and starts a client runs on the client, not on the controller.
        unreachable = "plone_release_service" in given and not started
        assert ended.status in ((2, 4) if unreachable else (2,)), ended.output
        assert ("UNREACHABLE!" in ended.output) is unreachable, ended.output
        assert ("[Wait until the client answers]" in ended.output) is started, ended.output


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_a_release_over_two_zeo_clients_that_no_reader_notices(tmp_path: Path) -> None:
    """As the guide has it, with addresses, folders and services of the test in the places of its own."""
    folder = tmp_path / "zeo"
    folder.mkdir()
    with ZeoSite(folder) as site:
        clients = {"client1": "one", "client2": "two"}
        own = {
            **{f"http://{client}.example.org:8080/Plone": site.url(name) for client, name in clients.items()},
            "/etc/nginx/clients": str(site.balancer.clients),
            "nginx -s": f"nginx -c {site.balancer.folder}/nginx.conf -s",
            "ln -sfn /srv/plone-6.2 /srv/plone": f"ln -sfn {folder} {tmp_path}/current",
            '"upgrader"': f'"{ADMIN.name}"',
            "--ask-vault-pass ": "",
        }
        for what in ("stop", "start"):
            own[f'["sudo", "systemctl", "{what}", "plone"]'] = f'"{{{{ service.{what} }}}}"'
        (tmp_path / "secrets.yml").write_text(f'vault_plone_password: "{ADMIN.password}"\n', encoding="utf-8")
        local: dict[str, Any] = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts = {
            client: {**local, "service": {what: site.service(what, name) for what in ("stop", "start")}}
            for client, name in clients.items()
        }
        # Each look whether the client answers starts a module, so there are few.
        vars_ = {"plone_upgrade_rehearsal": "skip", "plone_release_start_delay": 8}
        reached = {"all": {"hosts": {**hosts, "balancer.example.org": local}, "vars": vars_}}
        (tmp_path / "reached.yml").write_text(json.dumps(reached), encoding="utf-8")
        pids = [(folder / name / "pid").read_text(encoding="ascii") for name in clients.values()]
        own["-i clients.yml"] = "-i clients.yml -i reached.yml -e plone_release_hosts=client1,client2"
        with Load(f"http://127.0.0.1:{site.balancer.port}/Plone/@navigation") as load:
            said = type_section("upgrade_night.rst", "Several clients", tmp_path, own)
        assert "Every client sees" in said
        assert [(folder / name / "pid").read_text(encoding="ascii") for name in clients.values()] != pids
        assert set(load.statuses) == {200}, load.statuses
        assert len(load.statuses) > 10


def test_a_backup_is_the_way_back_where_the_storage_cannot_undo(
    plone: PloneServer, as_admin: dict[str, Any], tmp_path: Path
) -> None:
    backups, var = tmp_path / "backups", plone.folder / "var"
    backups.mkdir()
    place = {"data_fs": str(var / "Data.fs"), "blobs": str(var / "blobstorage")}
    place["python"] = str(environment_folder() / "bin/python")
    assert not run_module("plone_backup", {**place, "dest": str(backups)}).failed
    script, state = tmp_path / "service.py", tmp_path / "state.json"
    script.write_text(SERVICE, encoding="utf-8")
    state.write_text(json.dumps(plone.state()), encoding="utf-8")
    command = ["env", f"PYTHONPATH={os.environ['PYTHONPATH']}", sys.executable, str(script)]
    variables = {
        "plone_upgrade_rehearsal": "skip",
        "plone_upgrade_undo_on_failure": True,
        "plone_upgrade_checks": [{"path": "/", "contains": "only the new release says this"}],
        "plone_upgrade_backup_dest": str(backups),
        "plone_upgrade_restore": place,
        "plone_upgrade_service": {
            "stop_command": [*command, "stop", str(state)],
            "start_command": [*command, "start", str(state)],
        },
    }
    before = var.joinpath("Data.fs").read_bytes()
    refused = Rule("PATCH", "@transactions", html(403), acts=False)
    with CuttingProxy(plone.root_url, refused) as proxy:
        env = {f"PLONE_{name.upper()}": str(value) for name, value in as_admin.items()}
        env["PLONE_URL"] = f"{proxy.url}/Plone"
        arguments = ("-i", "site,", "-e", json.dumps(variables))
        ended = run_playbook("siteops.upgrades.plone_upgrade", *arguments, env=env)
    plone.pid = json.loads(state.read_text(encoding="utf-8"))["pid"]
    assert ended.status == 2, ended.output
    assert "1 of 1 checks failed" in ended.words
    assert f"was restored from {backups}" in ended.words
    assert version(plone) == PROFILE
    assert var.joinpath("Data.fs").read_bytes()[: len(before)] == before
    assert var.joinpath("Data.fs.before").stat().st_size > len(before)


def test_a_restore_that_is_not_described_to_its_end_is_no_way_back(
    plone: PloneServer, as_admin: dict[str, Any], tmp_path: Path
) -> None:
    place = {"data_fs": str(tmp_path / "Data.fs"), "python": sys.executable}
    service = {"stop_command": ["true"], "start_command": ["true"]}
    hosts = {
        "no_service": {"plone_upgrade_restore": place},
        "no_data": {"plone_upgrade_restore": {**place, "data_fs": None}, "plone_upgrade_service": service},
        "no_python": {"plone_upgrade_restore": {"data_fs": "Data.fs"}, "plone_upgrade_service": service},
    }
    inventory = tmp_path / "sites.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    variables = {
        "plone_upgrade_rehearsal": "skip",
        "plone_upgrade_undo_on_failure": True,
        "plone_upgrade_backup_dest": str(tmp_path),
    }
    with CuttingProxy(plone.root_url, Rule("PATCH", "@transactions", html(403), acts=False)) as proxy:
        env = {f"PLONE_{name.upper()}": str(value) for name, value in as_admin.items()}
        env["PLONE_URL"] = f"{proxy.url}/Plone"
        arguments = ("-i", str(inventory), "-e", json.dumps(variables))
        ended = run_playbook("siteops.upgrades.plone_upgrade", *arguments, env=env)
    assert ended.status == 2, ended.output
    fatal = [line for line in ended.output.splitlines() if line.startswith("fatal: ")]
    for host in hosts:
        says = "A backup could not be restored instead either: that needs data_fs (or database) and python"
        assert [line for line in fatal if f"[{host}]" in line and says in line], ended.output
    assert not [request for request in plone.requests() if request.method == "POST"]

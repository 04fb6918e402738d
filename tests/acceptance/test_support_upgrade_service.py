# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Today's upgrade service for rehearsals: its wire forms, its strictness, and real rsync through both ssh servers."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.odoo_shop import make_key, sha256, sql_dump
from support.platform import SAMPLE_CONTRACT, Platform
from support.upgrade_service.ssh_servers import find_sshd


class Client:
    """Calls as the script makes them, with nothing of the collection in it."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform = platform
        self._folder = folder
        self._key = make_key(folder / "key")
        self._context = ssl.create_default_context(cafile=str(platform.ca_path))
        self.answer = self.call(
            "create",
            contract=SAMPLE_CONTRACT,
            target="18.0",
            aim="test",
            actuator="cli",
            env_vars=[],
            ssh_key=Path(f"{self._key}.pub").read_text(encoding="ascii"),
            api_version="0.2",
        )
        self.token = self.answer["token"]
        self.host = f"https://{self.answer['assigned_host_uri']}"

    def open(self, url: str, body: Any = None, **headers: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        return urllib.request.urlopen(urllib.request.Request(url, data, headers), context=self._context, timeout=20)

    def whole(self, name: str, base: str = "", **parameters: Any) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "method": "not_used", "params": parameters, "id": "not_used"}
        url = f"{base or self.platform.service_url}/upgrade/request/{name}"
        with self.open(url, body, **{"Content-type": "application/json"}) as answer:
            return json.load(answer)

    def call(self, name: str, base: str = "", **parameters: Any) -> dict[str, Any]:
        return self.whole(name, base, **parameters)["result"]

    def start(self, what: str) -> dict[str, Any]:
        access = self.call("transfer/start", self.host, token=self.token, transfer_type=what)
        (self._folder / "known_hosts").write_text(access["known_hosts"], encoding="ascii")
        return access

    def stop(self) -> None:
        self.call("transfer/stop", self.host, token=self.token)

    def rsync(self, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = f"-o BatchMode=yes -o UserKnownHostsFile={self._folder / 'known_hosts'}"
        shell = f"ssh -F none -p {port} {options} -i {self._key}"
        return subprocess.run(
            ["rsync", "-rlt", f"--rsh={shell}", *arguments], capture_output=True, text=True, timeout=60, check=False
        )

    def status(self) -> dict[str, Any]:
        return self.call("status", token=self.token)


@pytest.fixture
def client(service_platform: Platform, tmp_path: Path) -> Client:
    return Client(service_platform, tmp_path)


@pytest.fixture(scope="module")
def _running() -> Iterator[Platform]:
    with Platform(stage_seconds=0, ssh_server="asyncssh") as platform:
        yield platform


@pytest.fixture
def service_platform(_running: Platform) -> Platform:
    _running.reset()
    return _running


@pytest.mark.parametrize("server", ["asyncssh", "sshd"])
def test_a_dump_goes_up_and_its_result_comes_back(client: Client, tmp_path: Path, server: str) -> None:
    if server == "sshd" and not find_sshd():
        pytest.skip("there is no sshd with nss_wrapper here")
    client.platform.settings.update({"ssh_server": server})
    dump = sql_dump(tmp_path / "shop.sql", 300_000)
    access = client.start("upload")
    assert client.rsync(access["ssh_port"], str(dump), "odoo@127.0.0.1:/data/origin.sql").returncode == 0
    refused = client.rsync(access["ssh_port"], str(dump), f"odoo@127.0.0.1:{tmp_path}/other")
    assert refused.returncode
    assert "is not allowed here" in refused.stderr
    client.stop()
    assert client.call("process", client.host, token=client.token) == {"is_pg_version_compatible": True}
    while client.status()["status"] in ("pending", "progress"):
        pass
    assert client.status()["status"] == "done"
    access = client.start("download")
    out = tmp_path / "out"
    names = [access["dump_name"], "filestore", "upgrade-report.html", "upgrade.log"]
    sources = [f"odoo@127.0.0.1:/data/{name}" for name in names]
    assert client.rsync(access["ssh_port"], "--ignore-missing-args", *sources, str(out)).returncode == 0
    assert {path.name for path in out.iterdir()} == {"upgraded.zip", "upgrade-report.html", "upgrade.log"}
    assert sha256(dump) in (out / "upgrade.log").read_text(encoding="utf-8")
    sessions = [record for record in client.platform.calls("ssh") if record.acted]
    assert sessions[0].received > 300_000
    assert sessions[0].opens[0].startswith("rsync --server")


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("process", {}, "There is no dump."),
        ("transfer/start", {"transfer_type": "download"}, "No download in the state new."),
        ("status", {"more": 1}, "more"),
    ],
)
def test_what_does_not_fit_is_refused(client: Client, name: str, parameters: dict[str, Any], words: str) -> None:
    answer = client.whole(name, client.host, token=client.token, **parameters)
    assert words in json.dumps(answer)
    assert "result" not in answer or "error" in answer["result"]


def test_a_call_of_the_host_in_charge_is_refused_by_the_front(client: Client) -> None:
    answer = client.call("transfer/start", token=client.token, transfer_type="upload")
    assert answer == {"error": "transfer/start does not belong to this host."}


def test_the_log_is_read_by_bytes(client: Client) -> None:
    url = f"{client.host}/upgrade/request/logs?token={client.token}"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        client.open(url, Range="bytes=0-")
    request = client.platform.service_request()
    request.write_log("étape 1")
    with client.open(url, Range="bytes=1-") as answer:
        assert (answer.status, answer.read()) == (206, "étape 1\n".encode()[1:])
    with pytest.raises(urllib.error.HTTPError, match="416"):
        client.open(url, Range="bytes=100-")


def test_a_cut_is_counted_in_bytes_of_traffic(client: Client, tmp_path: Path) -> None:
    dump = sql_dump(tmp_path / "shop.sql", 3_000_000)
    client.platform.fault("ssh_cut", after=1_000_000)
    access = client.start("upload")
    assert client.rsync(access["ssh_port"], str(dump), "odoo@127.0.0.1:/data/origin.sql").returncode in (10, 12, 255)
    (session,) = client.platform.calls("ssh")
    assert session.received + session.sent == 1_000_000
    assert "cut" in session.events


def test_wipe_removes_what_the_contract_has(client: Client, tmp_path: Path) -> None:
    number = client.answer["request_id"]
    (client.platform.service_request().data / "origin.sql").write_text("SELECT 1;", encoding="ascii")
    assert client.call("wipe", token=client.token, contract=SAMPLE_CONTRACT) == {"wiped": [number], "failed": []}
    assert not list(client.platform.service_request().data.iterdir())
    assert client.status()["archived"] is True

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of the rehearsal platform: the commands and documents of the API's document, and how it is driven.

What each fault does to a client is shown by the tests that use it; platform/README.md says where a fact was seen.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from support.odoo_shop import make_key
from support.platform import KINDS, SAMPLE_CONTRACT, SAMPLE_DUMP, FaultError, Platform, SettingsError

SQL = b"-- Dumped from database version 9.4\nSET client_encoding = 'UTF8';\n"
NEW = {
    "contract": SAMPLE_CONTRACT,
    "email": "john.doe@example.com",
    "target": "18.0",
    "aim": "test",
    "filename": "openchs.70.cdump",
}
STATUS_KEYS = (
    "id key email target aim filename timezone state issue_stage issue status_url notes_url original_sql_url "
    "original_dump_url upgraded_sql_url upgraded_dump_url modules_url filesize database_uuid created_at estimated_time "
    "processed_at elapsed filestore customer_message database_version postgresql compressions"
)

Curl = Callable[..., bytes]
Sftp = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform(stage_seconds=None) as started:
        yield started


@pytest.fixture
def curl(platform: Platform) -> Curl:
    """Run curl with the arguments of the document; an address may be relative to the API."""

    def run(address: str, *arguments: str) -> bytes:
        url = address if address.startswith("https:") else f"{platform.api_url}/{address}"
        command = ["curl", "-sS", "--cacert", str(platform.ca_path), "--noproxy", "*", *arguments, url]
        return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout

    return run


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A private key; the public one is beside it."""
    return make_key(tmp_path / "id_ed25519")


@pytest.fixture
def sftp(platform: Platform, key_file: Path, tmp_path: Path) -> Sftp:
    """Pipe commands to the sample command of an answer of request_sftp_access, the way the document does."""
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"{platform.known_hosts_line}\n", encoding="utf-8")

    def run(access: dict[str, Any], *commands: str) -> subprocess.CompletedProcess[str]:
        program, *sample = access["sample_command"].split()
        options = ["-F", "none", "-i", str(key_file), "-o", f"UserKnownHostsFile={known_hosts}"]
        options += ["-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
        batch = "".join(f"{command}\n" for command in commands)
        command = [program, *options, "-b", "-", *sample]
        return subprocess.run(command, input=batch, capture_output=True, text=True, check=False, timeout=120)

    return run


def create(curl: Curl, **changes: str) -> tuple[dict[str, Any], str]:
    """A new request, and the parameters that name it."""
    request = json.loads(curl(f"create?{urlencode({**NEW, **changes})}"))["request"]
    return request, urlencode({"key": request["key"], "request": request["id"]})


def send(curl: Curl, parameters: str, dump: Path) -> None:
    header = "Content-Type: application/octet-stream"
    answer = curl(f"upload?{parameters}", "-H", header, "--data-binary", f"@{dump}")
    assert json.loads(answer) == {"failures": []}


def reasons(answer: bytes) -> list[str]:
    return [failure["reason"] for failure in json.loads(answer)["failures"]]


def test_the_curl_commands_of_the_document_complete_the_workflow(platform: Platform, curl: Curl) -> None:
    request, parameters = create(curl)
    assert reasons(curl(f"process?{parameters}")) == ["FILE:MISSING"]
    send(curl, parameters, SAMPLE_DUMP)
    assert reasons(curl(f"process?{parameters}")) == []
    assert reasons(curl(f"process?{parameters}")) == ["REQUEST:INVALID_STATE"]
    states = []
    for _time in range(4):
        states.append(json.loads(curl(f"status?{parameters}"))["request"]["state"])
        platform.advance(request["id"])
    assert states == ["pending", "processing", "testing", "done"]
    result = curl(request["upgraded_dump_url"])
    assert result.startswith(SAMPLE_DUMP.read_bytes())
    assert hashlib.sha256(SAMPLE_DUMP.read_bytes()).hexdigest().encode() in result
    assert curl(request["upgraded_dump_url"], "--range", "10-19") == result[10:20]
    assert [call.acted for call in platform.calls("process")] == [False, True, False]


def test_the_sftp_commands_of_the_document_complete_the_workflow(
    platform: Platform, curl: Curl, sftp: Sftp, key_file: Path, tmp_path: Path
) -> None:
    request, parameters = create(curl)
    keys = ("-F", f"ssh_keys=@{key_file}.pub")
    share = json.loads(curl(f"request_sftp_access?{parameters}", *keys))["request"]
    assert share["shared_file"] == NEW["filename"]
    dump, name = tmp_path / "big.dump", share["shared_file"]
    dump.write_bytes(SAMPLE_DUMP.read_bytes() + os.urandom(900_000))
    platform.fault("sftp_cut", after=400_001, times=2)
    assert [bool(sftp(share, f"put -a {dump} {name}").returncode) for _time in range(3)] == [True, True, False]
    assert platform.request(request["id"]).original.read_bytes() == dump.read_bytes()
    for denied in (f"put {dump} other", f"get /etc/passwd {tmp_path}/passwd", f"rm {name}", "mkdir folder", "ls /etc"):
        assert sftp(share, denied).returncode == 1, denied

    curl(f"process?{parameters}")
    for _time in range(3):
        platform.advance(request["id"])
    assert "Permission denied (publickey)" in sftp(share, "ls").stderr
    again = json.loads(curl(f"request_sftp_access?{parameters}", *keys))["request"]
    result = tmp_path / "upgraded.cdump"
    fetched = sftp(again, "ls -1", f"get upgraded_openchs.70.cdump {result}")
    assert "\nupgraded_openchs.70.cdump\n" in fetched.stdout, fetched.stderr
    assert result.read_bytes() == platform.request(request["id"]).upgraded.read_bytes()
    assert sftp(again, f"put {dump} upgraded_openchs.70.cdump").returncode == 1


@pytest.mark.parametrize("form", ("GET query", "GET form", "POST form", "POST query"))
@pytest.mark.parametrize("name", ("create", "status"))
def test_methods_take_all_documented_wire_forms(platform: Platform, curl: Curl, name: str, form: str) -> None:
    request, parameters = create(curl)
    parameters = urlencode(NEW) if name == "create" else parameters
    method, where = form.split()
    in_query = where == "query"
    answer = curl(f"{name}?{parameters}" if in_query else name, "-X", method, *(() if in_query else ("-d", parameters)))
    assert (reasons(answer), platform.calls(name)[-1].form) == ([], form)


def test_failures_and_a_status_are_those_of_the_samples(platform: Platform, curl: Curl) -> None:
    failures = json.loads(curl(f"create?{urlencode({**NEW, 'contract': 'M1-x', 'target': '5.0'})}"))["failures"]
    expected = ["16.0", "17.0", "18.0", "19.0"]
    assert failures == [
        {"expected": expected, "message": 'Invalid value "5.0"', "reason": "TARGET:INVALID", "value": "5.0"},
        {"code": "M1-x", "message": "Can not find contract M1-x", "reason": "CONTRACT:NOT_FOUND"},
    ]
    request, parameters = create(curl)
    status = json.loads(curl(f"status?{parameters}"))["request"]
    assert " ".join(request) == " ".join(status) == STATUS_KEYS
    assert request["upgraded_dump_url"] == f"{platform.origin}/database/eu1/10534/{request['key']}/upgraded/archive"
    assert reasons(curl(f"status?request={request['id']}&key=wrong")) == ["KEY:INVALID"]


@pytest.mark.parametrize("name", ("db.sql", "db.sql.gz", "db.zip"))
def test_an_upgraded_dump_is_the_upload_and_stays_valid(
    platform: Platform, curl: Curl, tmp_path: Path, name: str
) -> None:
    dump = tmp_path / name
    dump.write_bytes(gzip.compress(SQL) if name.endswith("gz") else SQL)
    if name.endswith("zip"):
        with zipfile.ZipFile(dump, "w") as archive:
            archive.writestr("dump.sql", SQL)
    request, parameters = create(curl, filename=name)
    send(curl, parameters, dump)
    platform.force_state(request["id"], "done")
    result = curl(request["upgraded_dump_url"])
    if name.endswith("zip"):
        with zipfile.ZipFile(io.BytesIO(result)) as upgraded:
            assert upgraded.testzip() is None
            assert upgraded.namelist() == ["dump.sql", "upgrade.json"]
    else:
        assert result.startswith(dump.read_bytes())
        assert (gzip.decompress(result) if name.endswith("gz") else result).startswith(SQL)
    assert curl(request["upgraded_sql_url"]).startswith(SQL)


def test_faults_and_settings_are_checked() -> None:
    wrong_faults: dict[str, dict[str, Any]] = {
        "earthquake": {},
        "cut_upload": {},
        "hang": {"colour": "red"},
        "sftp_cut": {"call": "status"},
    }
    for kind, options in wrong_faults.items():
        with pytest.raises(FaultError):
            Platform().fault(kind, **options)
    for wrong in ({"targets": "18.0"}, {"stage_seconds": "1"}, {"bytes_per_second": 0}, {"colour": "red"}):
        with pytest.raises(SettingsError):
            Platform(**wrong)


def test_a_rehearsal_is_driven_over_http_and_its_log_holds_no_secret(platform: Platform, curl: Curl) -> None:
    url = platform.control_url

    def post(path: str, document: Any) -> Any:
        return json.loads(curl(f"{url}/{path}", "-d", json.dumps(document)))

    assert json.loads(curl(url))["api_url"] == platform.api_url
    request, parameters = create(curl)
    send(curl, parameters, SAMPLE_DUMP)
    assert post(f"requests/{request['id']}/state", {"state": "done"})["history"] == ["draft", "done"]
    curl(request["upgraded_dump_url"])
    assert set(json.loads(curl(f"{url}/faults"))["kinds"]) == set(KINDS)
    assert len(post("faults", [{"kind": "reset_after", "call": "create"}])["queue"]) == 1
    with pytest.raises(subprocess.CalledProcessError):
        create(curl)
    log = curl(f"{url}/calls") + curl(f"{url}/requests")
    assert [(call["call"], call["acted"]) for call in json.loads(curl(f"{url}/calls?call=create"))["calls"]] == [
        ("create", True),
        ("create", True),
    ]
    assert b"upgraded/archive" in log
    for secret in (request["key"], SAMPLE_CONTRACT):
        assert secret.encode() not in log
        assert urlencode({"": secret})[1:].encode() not in log
    assert "there is no fault" in post("faults", {"kind": "earthquake"})["error"]
    post("reset", {})
    assert json.loads(curl(f"{url}/requests"))["requests"] == []


def test_start_and_stop_from_the_command_line(tmp_path: Path) -> None:
    state = tmp_path / "rehearsal.json"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "support.platform", *arguments, "--state", str(state)]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)

    started = run("start", "--manual", "--contract", "M1-a", "--folder", str(tmp_path / "kept"))
    try:
        described = json.loads(state.read_text(encoding="utf-8"))
        assert (described, described["contract"]) == (json.loads(started.stdout), "M1-a"), started.stderr
        assert state.stat().st_mode & 0o777 == 0o600
        files = [path for path in (tmp_path / "kept").iterdir() if path.is_file()]
        assert [path.name for path in files if path.stat().st_mode & 0o077] == ["ca.pem"]
        assert "already running" in run("start").stderr
    finally:
        stopped = run("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "the platform has stopped\n")
    assert not state.exists()

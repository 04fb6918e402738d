# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal platform is what the API document says: its commands, its documents, its states, and the faults."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import os
import random
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from support.platform import KINDS, SAMPLE_CONTRACT, SAMPLE_DUMP, FaultError, Platform, SettingsError

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SQL = b"-- Dumped from database version 9.4\nSET client_encoding = 'UTF8';\n"
NEW = {
    "contract": SAMPLE_CONTRACT,
    "email": "john.doe@example.com",
    "target": "18.0",
    "aim": "test",
    "filename": "openchs.70.cdump",
}
STATUS_KEYS = [
    "id",
    "key",
    "email",
    "target",
    "aim",
    "filename",
    "timezone",
    "state",
    "issue_stage",
    "issue",
    "status_url",
    "notes_url",
    "original_sql_url",
    "original_dump_url",
    "upgraded_sql_url",
    "upgraded_dump_url",
    "modules_url",
    "filesize",
    "database_uuid",
    "created_at",
    "estimated_time",
    "processed_at",
    "elapsed",
    "filestore",
    "customer_message",
    "database_version",
    "postgresql",
    "compressions",
]

Reply = tuple[int, http.client.HTTPMessage, bytes]


class Client:
    """The smallest client there can be: one connection for each call, nothing repeated, nothing interpreted."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._tls = ssl.create_default_context(cafile=str(platform.ca_path))

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        port = urllib.parse.urlsplit(self.platform.origin).port
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=self._tls, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def call(self, name: str, **parameters: Any) -> dict[str, Any]:
        status, _headers, body = self.send("POST", f"/database/v1/{name}", urllib.parse.urlencode(parameters), FORM)
        assert status == 200
        document: dict[str, Any] = json.loads(body)
        return document

    def reasons(self, name: str, **parameters: Any) -> list[str]:
        return [failure["reason"] for failure in self.call(name, **parameters)["failures"]]

    def create(self, **changes: str) -> dict[str, Any]:
        document = self.call("create", **{**NEW, **changes})
        assert document["failures"] == []
        request: dict[str, Any] = document["request"]
        return request

    def upload(self, request: dict[str, Any], content: bytes) -> None:
        query = urllib.parse.urlencode(access(request))
        status, _headers, body = self.send("POST", f"/database/v1/upload?{query}", content)
        assert (status, json.loads(body)) == (200, {"failures": []})

    def state(self, request: dict[str, Any]) -> str:
        return str(self.call("status", **access(request))["request"]["state"])

    def get(self, url: str, **headers: str) -> Reply:
        return self.send(
            "GET", urllib.parse.urlsplit(url).path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    def finished(self, content: bytes, **changes: str) -> dict[str, Any]:
        """A request that has gone all the way with this upload."""
        request = self.create(**changes)
        self.upload(request, content)
        self.platform.force_state(request["id"], "done")
        return request


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform(stage_seconds=None) as started:
        yield started


@pytest.fixture
def client(platform: Platform) -> Client:
    return Client(platform)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A private key; the public one is beside it."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment="john.doe")
    path = tmp_path / "id_ed25519"
    key.write_private_key(str(path))
    key.write_public_key(f"{path}.pub")
    path.chmod(0o600)
    return path


Run = Callable[..., str]


@pytest.fixture
def curl(platform: Platform) -> Run:
    """Run curl with the arguments of the document."""
    needs("curl")

    def run(*arguments: str) -> str:
        command = ["curl", "-sS", "--cacert", str(platform.ca_path), "--noproxy", "*", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    return run


Batch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def sftp(platform: Platform, key_file: Path, tmp_path: Path) -> Batch:
    """Pipe commands to the sample command of an answer of request_sftp_access, the way the document does."""
    needs("sftp")
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"{platform.known_hosts_line}\n")

    def run(access_document: dict[str, Any], *commands: str) -> subprocess.CompletedProcess[str]:
        program, *sample_arguments = access_document["sample_command"].split()
        options = ["-F", "none", "-i", str(key_file), "-o", f"UserKnownHostsFile={known_hosts}"]
        options += ["-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
        return subprocess.run(
            [program, *options, "-b", "-", *sample_arguments],
            input="".join(f"{command}\n" for command in commands),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    return run


def needs(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")


def access(request: dict[str, Any]) -> dict[str, Any]:
    return {"key": request["key"], "request": request["id"]}


def public_key(key_file: Path) -> str:
    return Path(f"{key_file}.pub").read_text()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# The commands of the document


def test_the_curl_commands_of_the_document_complete_the_workflow(platform: Platform, curl: Run, tmp_path: Path) -> None:
    url = platform.api_url
    created = json.loads(curl(f"{url}/create?{urllib.parse.urlencode(NEW)}"))
    request = created["request"]
    parameters = f"key={request['key']}&request={request['id']}"
    header = "Content-Type: application/octet-stream"
    uploaded = curl("-H", header, "--data-binary", f"@{SAMPLE_DUMP}", f"{url}/upload?{parameters}")
    assert json.loads(uploaded) == {"failures": []}
    assert json.loads(curl(f"{url}/process?{parameters}")) == {"failures": []}
    states = []
    for _time in range(4):
        states.append(json.loads(curl(f"{url}/status?{parameters}"))["request"]["state"])
        platform.advance(request["id"])
    assert states == ["pending", "processing", "testing", "done"]
    result = tmp_path / "upgraded.cdump"
    curl("-o", str(result), request["upgraded_dump_url"])
    assert result.read_bytes().startswith(SAMPLE_DUMP.read_bytes())
    assert sha256(SAMPLE_DUMP.read_bytes()).encode() in result.read_bytes()
    assert [len(platform.calls(name)) for name in ("create", "upload", "process")] == [1, 1, 1]


def test_the_sftp_commands_of_the_document_complete_the_workflow(
    platform: Platform, client: Client, curl: Run, sftp: Batch, key_file: Path, tmp_path: Path
) -> None:
    request = client.create()
    parameters = f"key={request['key']}&request={request['id']}"
    keys = f"ssh_keys=@{key_file}.pub"
    answer = json.loads(curl(f"{platform.api_url}/request_sftp_access?{parameters}", "-F", keys))
    share = answer["request"]
    assert answer["failures"] == []
    assert share["shared_file"] == NEW["filename"]

    uploaded = sftp(share, f"put {SAMPLE_DUMP} {share['shared_file']}", f"ls -l {share['shared_file']}")
    assert uploaded.returncode == 0, uploaded.stderr
    assert re.search(rf"-rw-rw-rw- .* {SAMPLE_DUMP.stat().st_size} .* openchs\.70\.cdump", uploaded.stdout)

    curl(f"{platform.api_url}/process?{parameters}")
    for _time in range(3):
        platform.advance(request["id"])
    again = json.loads(curl(f"{platform.api_url}/request_sftp_access?{parameters}", "-F", keys))["request"]
    result = tmp_path / "upgraded.cdump"
    assert again["shared_file"] == "upgraded_openchs.70.cdump"
    fetched = sftp(again, "ls -1", f"get upgraded_openchs.70.cdump {result}")
    assert fetched.returncode == 0, fetched.stderr
    assert "\nupgraded_openchs.70.cdump\n" in fetched.stdout
    assert result.read_bytes() == platform.request(request["id"]).upgraded.read_bytes()
    sessions = platform.calls("sftp")
    assert sessions[0].received == SAMPLE_DUMP.stat().st_size
    assert sessions[1].sent == result.stat().st_size


def test_an_upload_that_was_cut_three_times_is_resumed_with_put_a(
    platform: Platform, client: Client, sftp: Batch, key_file: Path, tmp_path: Path
) -> None:
    dump = tmp_path / "big.dump"
    dump.write_bytes(SAMPLE_DUMP.read_bytes() + os.urandom(1_500_000))
    request = client.create()
    share = client.call("request_sftp_access", ssh_keys=public_key(key_file), **access(request))["request"]
    platform.fault("sftp_cut", after=400_001, times=3)
    results = [sftp(share, f"put -a {dump} {share['shared_file']}").returncode for _time in range(4)]
    assert [bool(code) for code in results] == [True, True, True, False]
    assert platform.request(request["id"]).original.read_bytes() == dump.read_bytes()
    received = [session.received for session in platform.calls("sftp")]
    assert received == [400_001, 400_001, 400_001, dump.stat().st_size - 3 * 400_001]


# Wire forms


@pytest.mark.parametrize(
    ("method", "in_query", "form"),
    [
        ("POST", False, "POST form"),
        ("GET", True, "GET query"),
        ("GET", False, "GET form"),
        ("POST", True, "POST query"),
    ],
)
@pytest.mark.parametrize("name", ["create", "status", "process", "skip_test"])
def test_methods_take_all_documented_wire_forms(
    platform: Platform, client: Client, name: str, method: str, in_query: bool, form: str
) -> None:
    request = client.create()
    client.upload(request, SQL)
    if name == "skip_test":
        platform.force_state(request["id"], "testing")
    parameters = urllib.parse.urlencode(NEW if name == "create" else access(request))
    platform.log.clear()
    path = f"/database/v1/{name}"
    sent = client.send(method, f"{path}?{parameters}") if in_query else client.send(method, path, parameters, FORM)
    assert sent[0] == 200
    assert json.loads(sent[2])["failures"] == []
    assert [(call.call, call.form, call.acted) for call in platform.calls()] == [(name, form, True)]


@pytest.mark.parametrize("form", ["POST query+multipart", "POST query+form", "POST query"])
def test_ssh_keys_come_as_file_field_or_query_parameter(
    platform: Platform, client: Client, key_file: Path, form: str
) -> None:
    request = client.create()
    keys = f"# keys of the office\n\n{public_key(key_file)}"
    parameters = access(request) | ({"ssh_keys": keys} if form == "POST query" else {})
    body, headers = b"", {}
    if form == "POST query+multipart":
        part = 'Content-Disposition: form-data; name="ssh_keys"; filename="keys"\r\nContent-Type: text/plain\r\n\r\n'
        body = f"--limit\r\n{part}{keys}\r\n--limit--\r\n".encode()
        headers = {"Content-Type": "multipart/form-data; boundary=limit"}
    elif form == "POST query+form":
        body, headers = urllib.parse.urlencode({"ssh_keys": keys}).encode(), FORM
    path = f"/database/v1/request_sftp_access?{urllib.parse.urlencode(parameters)}"
    answer = json.loads(client.send("POST", path, body, headers)[2])
    user, port = f"user_{request['id']}", platform.sftp_port
    assert answer == {
        "failures": [],
        "request": {
            "hostname": "127.0.0.1",
            "sftp_port": port,
            "sftp_user": user,
            "shared_file": request["filename"],
            "request_id": request["id"],
            "sample_command": f"sftp -P {port} {user}@127.0.0.1",
        },
    }
    assert platform.calls("request_sftp_access")[0].form == form


def test_an_upload_without_a_length_is_refused(platform: Platform, client: Client) -> None:
    query = urllib.parse.urlencode(access(client.create()))
    assert client.send("POST", f"/database/v1/upload?{query}", iter([b"chunk"]))[0] == 411
    assert not platform.calls("upload")[0].acted


def test_what_is_not_there_is_answered_with_a_page(client: Client) -> None:
    assert client.send("GET", "/database/v1/list")[0] == 404
    assert client.send("GET", "/nothing")[0] == 404
    assert client.send("GET", "/database/v1/upload")[0] == 405


# Failures


def test_both_failures_of_the_sample_come_at_once(client: Client) -> None:
    answer = client.call("create", **{**NEW, "contract": "M123456-abcxyz", "target": "5.0"})
    assert answer == {
        "failures": [
            {
                "expected": ["16.0", "17.0", "18.0", "19.0"],
                "message": 'Invalid value "5.0"',
                "reason": "TARGET:INVALID",
                "value": "5.0",
            },
            {
                "code": "M123456-abcxyz",
                "message": "Can not find contract M123456-abcxyz",
                "reason": "CONTRACT:NOT_FOUND",
            },
        ]
    }


def test_failures_can_ride_on_an_error_status(platform: Platform, client: Client) -> None:
    platform.settings.update({"failure_status": 400})
    status, _headers, body = client.send("GET", "/database/v1/status?key=x&request=1")
    assert status == 400
    assert json.loads(body)["failures"][0]["reason"] == "REQUEST:NOT_FOUND"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aim": "play"}, "AIM:INVALID"),
        ({"email": "nobody"}, "EMAIL:INVALID"),
        ({"filename": "../../etc/passwd"}, "FILENAME:INVALID"),
        ({"filename": "a\r\nb"}, "FILENAME:INVALID"),
        ({"contract": ""}, "PARAMETER:MISSING"),
    ],
)
def test_create_refuses_what_makes_no_sense(client: Client, changes: dict[str, str], reason: str) -> None:
    assert client.reasons("create", **{**NEW, **changes}) == [reason]


def test_guards_refuse_what_is_out_of_turn(platform: Platform, client: Client, key_file: Path) -> None:
    request = client.create()
    own = access(request)
    assert client.reasons("status", **{**own, "key": "wrong"}) == ["KEY:INVALID"]
    assert client.reasons("status", **{**own, "request": 1}) == ["REQUEST:NOT_FOUND"]
    assert client.reasons("status") == ["PARAMETER:MISSING", "PARAMETER:MISSING"]
    assert client.reasons("process", **own) == ["FILE:MISSING"]
    assert client.reasons("skip_test", **own) == ["REQUEST:INVALID_STATE"]
    for keys in (key_file.read_text(), "no key at all", "# nothing but a comment"):
        assert client.reasons("request_sftp_access", ssh_keys=keys, **own) == ["SSH_KEYS:INVALID"]
    client.upload(request, SQL)
    assert client.reasons("process", **own) == []
    assert client.reasons("process", **own) == ["REQUEST:INVALID_STATE"]
    assert client.reasons("upload", **own) == ["PARAMETER:MISSING", "PARAMETER:MISSING"]
    late = client.send("POST", f"/database/v1/upload?{urllib.parse.urlencode(own)}", SQL)
    assert json.loads(late[2])["failures"][0]["reason"] == "REQUEST:INVALID_STATE"
    assert client.reasons("request_sftp_access", ssh_keys=public_key(key_file), **own) == ["REQUEST:INVALID_STATE"]
    assert client.get(request["upgraded_dump_url"])[0] == 404
    assert client.get(request["status_url"].replace(urllib.parse.quote(request["key"], safe="="), "wrong"))[0] == 403


# Status and states


def test_the_status_has_the_keys_of_the_sample_in_their_order(platform: Platform, client: Client) -> None:
    request = client.create(timezone="Europe/Brussels")
    assert list(request) == STATUS_KEYS
    client.upload(request, SAMPLE_DUMP.read_bytes())
    status = client.call("status", **access(request))["request"]
    assert list(status) == STATUS_KEYS
    assert status["upgraded_dump_url"] == f"{platform.origin}/database/eu1/10534/{request['key']}/upgraded/archive"
    assert status["filesize"] == "5.70 Kb"
    assert status["compressions"] == ["pgdmp_custom", "sql"]
    assert status["postgresql"].startswith("15")
    assert (status["state"], status["filestore"], status["timezone"]) == ("draft", False, "Europe/Brussels")


def test_a_request_that_is_put_back_to_draft_starts_anew(platform: Platform, client: Client) -> None:
    request = client.finished(SQL)
    platform.force_state(request["id"], "draft")
    assert client.get(request["upgraded_dump_url"])[0] == 404
    client.upload(request, SQL * 2)
    platform.force_state(request["id"], "done")
    assert client.get(request["upgraded_dump_url"])[2].startswith(SQL * 2)


def test_a_request_passes_all_states(platform: Platform, client: Client) -> None:
    request = client.create()
    client.upload(request, SQL)
    client.call("process", **access(request))
    states = [client.state(request)]
    while states[-1] != "done":
        platform.advance(request["id"])
        states.append(client.state(request))
    assert states == ["pending", "processing", "testing", "done"]
    for name in ("notes_url", "original_sql_url", "original_dump_url", "upgraded_sql_url", "modules_url", "status_url"):
        assert client.get(request[name])[0] == 200


def test_the_states_pass_by_themselves_when_time_is_set(platform: Platform, client: Client) -> None:
    platform.settings.update({"stage_seconds": 0})
    request = client.create()
    client.upload(request, SQL)
    client.call("process", **access(request))
    deadline = time.monotonic() + 20
    while client.state(request) != "done" and time.monotonic() < deadline:
        pass
    assert platform.request(request["id"]).history == ["draft", "pending", "processing", "testing", "done"]


def test_skip_test_delivers(platform: Platform, client: Client) -> None:
    request = client.create()
    client.upload(request, SQL)
    client.call("process", **access(request))
    platform.advance(request["id"])
    platform.advance(request["id"])
    assert client.reasons("skip_test", **access(request)) == []
    assert client.state(request) == "delivered"
    assert client.get(request["upgraded_dump_url"])[0] == 200


@pytest.mark.parametrize("end_state", ["invalid", "failed", "cancelled", "on_the_moon"])
def test_the_work_can_end_in_any_state(platform: Platform, client: Client, end_state: str) -> None:
    platform.settings.update({"end_state": end_state, "customer_message": "Call us."})
    request = client.create()
    client.upload(request, SQL)
    client.call("process", **access(request))
    for _time in range(3):
        platform.advance(request["id"])
    status = client.call("status", **access(request))["request"]
    assert (status["state"], status["customer_message"]) == (end_state, "Call us.")
    assert client.get(request["upgraded_dump_url"])[0] == 404


def test_an_upload_that_is_no_dump_ends_in_invalid(platform: Platform, client: Client) -> None:
    request = client.create()
    client.upload(request, b"<html>a page that was taken for a dump</html>")
    client.call("process", **access(request))
    platform.advance(request["id"])
    platform.advance(request["id"])
    status = client.call("status", **access(request))["request"]
    assert status["state"] == "invalid"
    assert "not a database dump" in status["customer_message"]


# The upgraded dump


def test_an_upgraded_custom_archive_is_the_upload_and_stays_valid(client: Client, tmp_path: Path) -> None:
    needs("pg_restore")
    request = client.finished(SAMPLE_DUMP.read_bytes())
    upgraded = tmp_path / "upgraded.cdump"
    upgraded.write_bytes(client.get(request["upgraded_dump_url"])[2])
    assert upgraded.read_bytes().startswith(SAMPLE_DUMP.read_bytes())
    for options in (["-l"], ["-f", "-"]):
        restored = subprocess.run(["pg_restore", *options, str(upgraded)], capture_output=True, text=True, check=True)
        assert "res_partner" in restored.stdout
        assert restored.stderr == ""
    assert b"partner100@example.com" in client.get(request["upgraded_sql_url"])[2]


def test_an_upgraded_gzip_dump_is_the_upload_and_stays_valid(client: Client) -> None:
    upload = gzip.compress(SQL)
    request = client.finished(upload, filename="db.sql.gz")
    upgraded = client.get(request["upgraded_dump_url"])[2]
    assert upgraded.startswith(upload)
    assert gzip.decompress(upgraded).startswith(SQL)
    assert client.get(request["upgraded_sql_url"])[2] == gzip.decompress(upgraded)
    assert client.get(request["original_sql_url"])[2] == SQL


def test_an_upgraded_sql_dump_is_the_upload_with_a_comment(client: Client) -> None:
    request = client.finished(SQL, filename="db.sql")
    upgraded = client.get(request["upgraded_dump_url"])[2]
    added = upgraded.removeprefix(SQL).decode()
    assert re.fullmatch(rf"\n-- .* target 18\.0, sha256 of the upload {sha256(SQL)}\n", added)


def test_an_upgraded_zip_holds_the_members_of_the_upload(client: Client) -> None:
    upload = zip_dump({"dump.sql": SQL, "filestore/ab/abcd": b"attachment"})
    request = client.finished(upload, filename="db.tar.gz")
    _status, headers, content = client.get(request["upgraded_dump_url"])
    with zipfile.ZipFile(io.BytesIO(content)) as upgraded:
        assert upgraded.testzip() is None
        assert upgraded.namelist() == ["dump.sql", "filestore/ab/abcd", "upgrade.json"]
        assert json.loads(upgraded.read("upgrade.json"))["sha256_of_upload"] == sha256(upload)
    assert headers["Content-Disposition"].endswith("upgraded_db.zip")
    assert client.call("status", **access(request))["request"]["filestore"] is True
    assert client.get(request["upgraded_sql_url"])[2] == SQL


def test_a_filestore_can_be_delivered_for_any_upload(platform: Platform, client: Client) -> None:
    platform.settings.update({"deliver_filestore": True})
    request = client.finished(gzip.compress(SQL), filename="db.sql.gz")
    with zipfile.ZipFile(io.BytesIO(client.get(request["upgraded_dump_url"])[2])) as upgraded:
        assert upgraded.read("dump.sql") == SQL
        assert any(name.startswith("filestore/") for name in upgraded.namelist())


def zip_dump(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


# Range


@pytest.mark.parametrize(
    ("header", "part"),
    [("bytes=0-4", slice(0, 5)), ("bytes=10-", slice(10, None)), ("bytes=-7", slice(-7, None))],
)
def test_a_range_is_a_part_of_the_same_entity(client: Client, header: str, part: slice) -> None:
    request = client.finished(SQL)
    _status, whole_headers, whole = client.get(request["upgraded_dump_url"])
    status, headers, body = client.get(request["upgraded_dump_url"], Range=header, If_Range=whole_headers["ETag"])
    start, stop, _step = part.indices(len(whole))
    assert (status, body) == (206, whole[part])
    assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    assert headers["ETag"] == whole_headers["ETag"]


@pytest.mark.parametrize("header", ["bytes=100000-", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(client: Client, header: str) -> None:
    request = client.finished(SQL)
    size = len(client.get(request["upgraded_dump_url"])[2])
    status, headers, _body = client.get(request["upgraded_dump_url"], Range=header)
    assert (status, headers["Content-Range"]) == (416, f"bytes */{size}")


@pytest.mark.parametrize(
    "headers", [{"Range": "bytes=5-", "If_Range": '"another"'}, {"Range": "bytes=0-1,4-5"}, {"Range": "lines=1-2"}]
)
def test_the_whole_file_comes_when_the_range_does_not_count(client: Client, headers: dict[str, str]) -> None:
    request = client.finished(SQL)
    status, _headers, body = client.get(request["upgraded_dump_url"], **headers)
    assert (status, body[: len(SQL)]) == (200, SQL)


def test_a_head_request_tells_the_size_only(client: Client) -> None:
    request = client.finished(SQL)
    _status, headers, body = client.get(request["upgraded_dump_url"])
    head = client.send("HEAD", urllib.parse.urlsplit(request["upgraded_dump_url"]).path)
    assert (head[0], head[1]["Content-Length"], head[2]) == (200, str(len(body)), b"")
    assert headers["Accept-Ranges"] == "bytes"


# SFTP


def test_only_the_shared_file_is_there(
    platform: Platform, client: Client, sftp: Batch, key_file: Path, tmp_path: Path
) -> None:
    request = client.create()
    share = client.call("request_sftp_access", ssh_keys=public_key(key_file), **access(request))["request"]
    name = share["shared_file"]
    assert sftp(share, "ls -1").stdout.split() == ["sftp>", "ls", "-1", name]
    for denied in (
        f"put {SAMPLE_DUMP} other.dump",
        f"get /etc/passwd {tmp_path}/passwd",
        f"rm {name}",
        f"rename {name} other",
        "mkdir folder",
        f"symlink {name} other",
        "ls /etc",
    ):
        assert sftp(share, denied).returncode == 1, denied
    assert sftp(share, f"chmod 600 {name}", f"put -p {SAMPLE_DUMP} {name}").returncode == 0
    assert sftp(share, f"get {name} {tmp_path}/back").returncode == 0
    assert (tmp_path / "back").read_bytes() == SAMPLE_DUMP.read_bytes()
    assert sorted(path.name for path in platform.request(request["id"]).folder.iterdir()) == ["original"]


def test_the_result_is_for_reading_and_access_ends_with_the_state(
    platform: Platform, client: Client, sftp: Batch, key_file: Path
) -> None:
    request = client.create()
    keys = public_key(key_file)
    share = client.call("request_sftp_access", ssh_keys=keys, **access(request))["request"]
    assert sftp(share, f"put {SAMPLE_DUMP} {share['shared_file']}").returncode == 0
    platform.force_state(request["id"], "done")
    refused = sftp(share, "ls")
    assert "Permission denied (publickey)" in refused.stderr
    share = client.call("request_sftp_access", ssh_keys=keys, **access(request))["request"]
    before = platform.request(request["id"]).upgraded.read_bytes()
    assert sftp(share, f"put {SAMPLE_DUMP} {share['shared_file']}").returncode == 1
    assert sftp(share, f"get {NEW['filename']} /dev/null").returncode == 1
    assert platform.request(request["id"]).upgraded.read_bytes() == before
    platform.end_sftp_access(request["id"])
    assert sftp(share, "ls").returncode == 255


def test_a_key_opens_its_own_request_only(platform: Platform, client: Client, sftp: Batch, key_file: Path) -> None:
    request, other = client.create(), client.create()
    share = client.call("request_sftp_access", ssh_keys=public_key(key_file), **access(request))["request"]
    another_key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    client.call("request_sftp_access", ssh_keys=another_key, **access(other))
    assert sftp(share, "ls").returncode == 0
    foreign = {"sample_command": share["sample_command"].replace(str(request["id"]), str(other["id"]))}
    nobody = {"sample_command": share["sample_command"].replace(f"user_{request['id']}", "root")}
    assert sftp(foreign, "ls").returncode == 255
    assert sftp(nobody, "ls").returncode == 255
    assert [session.acted for session in platform.calls("sftp")] == [True, False, False]


def test_sftp_faults_meet_one_connection_each(platform: Platform, client: Client, sftp: Batch, key_file: Path) -> None:
    request = client.create()
    share = client.call("request_sftp_access", ssh_keys=public_key(key_file), **access(request))["request"]
    platform.fault("sftp_refuse_connection", skip=1)
    platform.fault("sftp_refuse_authentication")
    platform.fault("sftp_other_host_key")
    platform.fault("sftp_name", name="evil name")
    # A fault that skips a connection leaves it to the next one in the queue.
    denied, refused, unknown, renamed, fine = (sftp(share, "ls -1") for _time in range(5))
    assert "Permission denied (publickey)" in denied.stderr
    assert refused.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in unknown.stderr
    assert "evil name" in renamed.stdout
    assert (renamed.returncode, fine.returncode) == (0, 0)
    assert [session.fault for session in platform.calls("sftp")] == [
        "sftp_refuse_authentication",
        "sftp_refuse_connection",
        "sftp_other_host_key",
        "sftp_name",
        None,
    ]


def test_an_sftp_session_can_hang_until_the_platform_ends(key_file: Path, tmp_path: Path) -> None:
    needs("sftp")
    batch = tmp_path / "batch"
    with Platform() as platform:
        client = Client(platform)
        request = client.create()
        share = client.call("request_sftp_access", ssh_keys=public_key(key_file), **access(request))["request"]
        platform.fault("sftp_hang", after=1000)
        batch.write_text(f"put {SAMPLE_DUMP} {share['shared_file']}\n")
        program, *sample_arguments = share["sample_command"].split()
        options = ["-F", "none", "-i", str(key_file), "-o", "StrictHostKeyChecking=no", "-o", "IdentityAgent=none"]
        options += ["-o", f"UserKnownHostsFile={tmp_path}/known_hosts", "-b", str(batch)]
        process = subprocess.Popen([program, *options, *sample_arguments], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while platform.request(request["id"]).upload_size < 1000 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.poll() is None
    assert process.wait(timeout=20) == 255


# Faults over HTTP


def test_every_fault_of_the_table_is_known_by_its_options() -> None:
    with pytest.raises(FaultError, match="there is no fault"):
        Platform().fault("earthquake")
    with pytest.raises(FaultError, match="needs after"):
        Platform().fault("cut_upload")
    with pytest.raises(FaultError, match="does not know colour"):
        Platform().fault("hang", colour="red")
    with pytest.raises(FaultError, match="cannot meet the call"):
        Platform().fault("sftp_cut", call="status", after=1)
    assert {kind.place for kind in KINDS.values()} == {"before", "after", "sftp"}


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", ["html", "json"])
def test_an_http_error_comes_as_often_as_asked(platform: Platform, client: Client, status: int, body: str) -> None:
    request = client.create()
    platform.fault("http_error", "status", times=2, status=status, body=body, retry_after=7)
    query = f"/database/v1/status?{urllib.parse.urlencode(access(request))}"
    replies = [client.send("GET", query) for _time in range(3)]
    assert [reply[0] for reply in replies] == [status, status, 200]
    assert replies[0][1]["Retry-After"] == "7"
    assert body in replies[0][1]["Content-Type"]
    assert [call.fault for call in platform.calls("status")] == ["http_error", "http_error", None]


def test_a_lost_answer_leaves_the_act_behind(platform: Platform, client: Client) -> None:
    platform.fault("reset_before", "create")
    platform.fault("reset_after", "create")
    for _time in range(2):
        with pytest.raises((OSError, http.client.HTTPException)):
            client.create()
    assert [call.acted for call in platform.calls("create")] == [False, True]
    assert len(platform.store.all()) == 1


@pytest.mark.parametrize(
    ("kind", "options", "body"),
    [
        ("empty_body", {}, b""),
        ("truncated_body", {}, None),
        ("other_json", {"document": [1]}, b"[1]"),
        ("failure", {"message": None}, b'{"failures": [{"reason": "SERVER:ERROR"}]}'),
    ],
)
def test_an_answer_can_be_spoiled(
    platform: Platform, client: Client, kind: str, options: dict[str, Any], body: bytes | None
) -> None:
    platform.fault(kind, "create", **options)
    status, _headers, received = client.send("POST", "/database/v1/create", urllib.parse.urlencode(NEW), FORM)
    assert status == 200
    if body is None:
        with pytest.raises(ValueError, match="Unterminated|Expecting|delimiter"):
            json.loads(received)
    else:
        assert received == body


def test_a_value_of_an_answer_can_be_replaced_or_removed(platform: Platform, client: Client) -> None:
    platform.fault("edit", "create", path="request.filename", value="../evil")
    platform.fault("edit", "create", path="request.key", remove=True)
    assert client.create()["filename"] == "../evil"
    assert "key" not in client.create()


def test_pages_and_redirections_come_instead_of_answers(platform: Platform, client: Client) -> None:
    platform.fault("login_page", "status")
    platform.fault("redirect", "status", location="https://localhost/elsewhere")
    platform.fault("redirect", "status")
    page, away, loop = (client.send("GET", "/database/v1/status?key=1") for _time in range(3))
    assert (page[0], page[1].get_content_type()) == (200, "text/html")
    assert (away[0], away[1]["Location"]) == (302, "https://localhost/elsewhere")
    assert loop[1]["Location"] == "/database/v1/status?key=1"


@pytest.mark.parametrize("difference", [-3, 3])
def test_a_length_can_lie(platform: Platform, client: Client, difference: int) -> None:
    request = client.finished(SQL)
    whole = client.get(request["upgraded_dump_url"])[2]
    platform.fault("content_length", "upgraded/*", difference=difference)
    if difference > 0:
        with pytest.raises(http.client.IncompleteRead):
            client.get(request["upgraded_dump_url"])
    else:
        assert client.get(request["upgraded_dump_url"])[2] == whole[:difference]


def test_transfers_can_be_cut(platform: Platform, client: Client) -> None:
    request = client.create()
    platform.fault("cut_upload", "upload", after=20)
    platform.fault("cut_download", "upgraded/archive", after=30, times=2)
    with pytest.raises((OSError, http.client.HTTPException)):
        client.upload(request, SQL)
    assert (platform.calls("upload")[0].received, platform.calls("upload")[0].acted) == (20, False)
    assert platform.request(request["id"]).upload_size == 0
    client.upload(request, SQL)
    platform.force_state(request["id"], "done")
    for _time in range(2):
        with pytest.raises((OSError, http.client.HTTPException)):
            client.get(request["upgraded_dump_url"])
    assert client.get(request["upgraded_dump_url"])[2].startswith(SQL)
    assert [call.sent for call in platform.calls("upgraded/archive")][:2] == [30, 30]


def test_ranges_can_be_ignored_refused_or_meet_another_entity(platform: Platform, client: Client) -> None:
    request = client.finished(SQL)
    etag = client.get(request["upgraded_dump_url"])[1]["ETag"]
    for kind in ("ignore_range", "refuse_range", "new_entity", "new_entity"):
        platform.fault(kind, "upgraded/archive")
    ranges = [{"Range": "bytes=5-"}] * 3 + [{"Range": "bytes=5-", "If_Range": etag}]
    ignored, refused, changed, whole = (client.get(request["upgraded_dump_url"], **headers) for headers in ranges)
    assert [reply[0] for reply in (ignored, refused, changed, whole)] == [200, 416, 206, 200]
    assert changed[1]["ETag"] != etag


def test_answers_can_be_slow(platform: Platform, client: Client) -> None:
    platform.fault("delay", "create", seconds=0.01)
    platform.fault("drip", "create", seconds=0.00001)
    platform.fault("hang", "create", seconds=0.01)
    assert client.create()["state"] == "draft"
    assert client.create()["state"] == "draft"
    with pytest.raises((OSError, http.client.HTTPException)):
        client.create()
    assert len(platform.store.all()) == 2


def test_a_line_can_be_slow_both_ways(
    platform: Platform, client: Client, sftp: Batch, key_file: Path, tmp_path: Path
) -> None:
    rate, content = 500_000, random.Random(1).randbytes(250_000)
    dump = tmp_path / "openchs.70.cdump"
    dump.write_bytes(content)
    request = client.create()
    platform.settings.update({"bytes_per_second": rate, "accept_any_dump": True})
    moves: list[Callable[[], Any]] = [lambda: client.upload(request, content)]
    opened = client.call("request_sftp_access", **access(request), ssh_keys=public_key(key_file))["request"]
    moves.append(lambda: sftp(opened, f"put {dump} {opened['shared_file']}"))
    moves.append(lambda: sftp(opened, f"get {opened['shared_file']} {tmp_path / 'back'}"))
    moves.append(lambda: client.get(request["upgraded_dump_url"]))
    for number, move in enumerate(moves):
        if number == len(moves) - 1:
            platform.force_state(request["id"], "done")
        began = time.monotonic()
        move()
        assert time.monotonic() - began >= len(content) / rate
    assert platform.request(request["id"]).original.read_bytes() == content == (tmp_path / "back").read_bytes()


# Control, log, settings, command line


def test_a_rehearsal_is_driven_over_http(platform: Platform, client: Client, curl: Run) -> None:
    url = platform.control_url

    def post(path: str, document: Any) -> Any:
        return json.loads(curl("-d", json.dumps(document), f"{url}/{path}"))

    assert json.loads(curl(url))["api_url"] == platform.api_url
    request = client.create()
    client.upload(request, SQL)
    assert post(f"requests/{request['id']}/state", {"state": "done"})["history"] == ["draft", "done"]
    assert client.get(request["upgraded_dump_url"])[0] == 200
    assert post("settings", {"targets": ["20.0"]})["targets"] == ["20.0"]
    assert client.reasons("create", **NEW) == ["TARGET:INVALID"]
    assert len(post("faults", [{"kind": "login_page"}, {"kind": "sftp_cut", "after": 5}])["queue"]) == 2
    assert set(json.loads(curl(f"{url}/faults"))["kinds"]) == set(KINDS)
    assert [call["call"] for call in json.loads(curl(f"{url}/calls?call=create"))["calls"]] == ["create", "create"]
    assert "there is no fault" in post("faults", {"kind": "earthquake"})["error"]
    assert "no setting" in post("settings", {"colour": "red"})["error"]
    assert "there is no" in post("requests/1/advance", {})["error"]
    assert request["key"] not in curl(f"{url}/requests")
    post("reset", {})
    assert json.loads(curl(f"{url}/calls"))["calls"] == []
    assert json.loads(curl(f"{url}/requests"))["requests"] == []
    assert client.reasons("create", **NEW) == []


def test_the_log_never_tells_a_secret(key_file: Path) -> None:
    lines: list[str] = []
    with Platform(on_call=lambda record: lines.append(str(record))) as platform:
        client = Client(platform)
        request = client.finished(SQL)
        client.get(request["upgraded_dump_url"], Range="bytes=0-1")
        client.send("GET", f"/database/v1/status?{urllib.parse.urlencode(access(request))}")
        client.send("GET", f"/database/eu2/1/{request['key']}/{request['key']}")
        client.reasons("create", **{**NEW, "contract": "M000000-secret"})
        told = "\n".join([*lines, json.dumps([call.as_json() for call in platform.calls()])])
    assert len(lines) == 6
    assert "upgraded/archive" in told
    for secret in (request["key"], urllib.parse.quote(request["key"]), SAMPLE_CONTRACT, "M000000-secret"):
        assert secret not in told


def test_settings_are_checked() -> None:
    numbers = {"stage_seconds": "1"}, {"failure_status": True}, {"bytes_per_second": 0}
    for wrong in ({"targets": "18.0"}, *numbers, {"colour": "red"}):
        with pytest.raises(SettingsError):
            Platform(**wrong)


def test_certificates_and_host_key_are_kept_in_a_given_folder(tmp_path: Path) -> None:
    seen = []
    for _time in range(2):
        with Platform(folder=tmp_path / "kept") as platform:
            seen.append((platform.host_key, platform.ca_path.read_bytes()))
            assert Client(platform).create()["id"] == 10534
    assert seen[0] == seen[1]
    assert seen[0][0].startswith("ecdsa-sha2-nistp256 ")
    private = [path.name for path in (tmp_path / "kept").iterdir() if path.is_file() and path.stat().st_mode & 0o077]
    assert private == ["ca.pem"]


def test_a_temporary_folder_is_removed_and_plain_http_is_possible() -> None:
    with Platform(tls=False) as platform:
        folder = platform.folder
        assert platform.api_url.startswith("http://127.0.0.1:")
        connection = http.client.HTTPConnection("127.0.0.1", urllib.parse.urlsplit(platform.origin).port, timeout=20)
        for _time in range(2):
            connection.request("GET", f"/database/v1/create?{urllib.parse.urlencode(NEW)}")
            assert json.load(connection.getresponse())["failures"] == []
        connection.close()
    assert not folder.exists()


def test_start_and_stop_from_the_command_line(tmp_path: Path) -> None:
    state = tmp_path / "rehearsal.json"
    tests = Path(__file__).parents[1]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "support.platform", *arguments, "--state", str(state)],
            env={**os.environ, "PYTHONPATH": str(tests)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    started = run("start", "--manual", "--contract", "M1-a")
    try:
        assert started.returncode == 0, started.stderr
        described = json.loads(state.read_text())
        assert described == json.loads(started.stdout)
        assert described["contract"] == "M1-a"
        assert described["settings"]["stage_seconds"] is None
        assert state.stat().st_mode & 0o777 == 0o600
        again = run("start")
        assert (again.returncode, "already running" in again.stderr) == (1, True)
    finally:
        stopped = run("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "the platform has stopped\n")
    assert not state.exists()
    assert not Path(described["folder"]).exists()
    assert f"ODOO_UPGRADE_API_URL={described['api_url']}" in Path(f"{state}.log").read_text()
    assert run("stop").stdout == "no platform is running\n"

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no server of either product sends, and what must not end in a traceback, in a hang or in a terminal."""

from __future__ import annotations

import contextlib
import struct
import typing as t
import zlib

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_client import HttpClient
from ansible_collections.siteops.upgrades.plugins.module_utils._core.text import (
    encodings_of,
    strip_control_chars,
    whole_number,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.client import OdooClient
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.status import public_document
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.client import PloneClient
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.credentials import Credentials
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.transactions import Transactions
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump_forms import DamagedError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp import SftpServer
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp_protocol import SftpBrokenError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.verify import check
from ansible_collections.siteops.upgrades.tests.unit.local_server import LocalServer, Reply, answer, document, raw

if t.TYPE_CHECKING:
    from pathlib import Path

KEY = "Aw7pItGVKFuZ_FOR3U8VFQ=="
ACCESS = '{"request": {"hostname": "h", "sftp_port": %s, "sftp_user": "u", "shared_file": %s}}'


def status(reply: Reply) -> dict[str, t.Any]:
    with LocalServer(reply) as server:
        return OdooClient(HttpClient(server.url, timeout=10), "1", KEY).status()


def json_text(text: str) -> Reply:
    return answer(text.encode(), Content_Type="application/json")


@pytest.mark.parametrize("depth", (60, 300, 600, 950, 5000, 50_000))
def test_a_document_nested_deep_is_no_answer(depth: int) -> None:
    text = f'{{"request": {{"id": 1, "state": "draft", "deep": {"[" * depth}{"]" * depth}}}}}'
    if depth > 60:
        with pytest.raises(UpgradeError):
            status(json_text(text))
    else:
        assert strip_control_chars(public_document(status(json_text(text)), KEY))["state"] == "draft"


@pytest.mark.parametrize("number", ("\xb2", "9" * 5000, "-1", "1e9", "0x10", " ", "١"))
def test_a_header_that_is_no_number_counts_for_nothing(number: str) -> None:
    assert whole_number(number) is None
    head = f"HTTP/1.1 200 OK\r\nRetry-After: {number}\r\nContent-Type: application/json\r\n".encode()
    assert status(raw(head + b'Connection: close\r\n\r\n{"request": {"state": "draft"}}'))["state"] == "draft"


@pytest.mark.parametrize("number", ("\xb2", "9" * 5000))
def test_a_length_that_is_no_number_is_no_traceback(number: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {number}\r\nConnection: close\r\n\r\n".encode("latin-1")
    with contextlib.suppress(UpgradeError):
        assert status(raw(head + b'{"request": {"state": "draft"}}'))["state"] == "draft"


@pytest.mark.parametrize(
    "key", ('"\\ud800abc"', '["x"]', '{"a": 1}', '"a\\u0000b"', '"a b"', '"ä"', "true", '""', "0.5")
)
def test_a_key_that_could_not_be_kept_is_no_key(key: str) -> None:
    told = pytest.raises(UpgradeError, match="without the id and key of a request")
    with told, LocalServer(json_text(f'{{"request": {{"id": 1, "key": {key}}}}}')) as server:
        OdooClient(HttpClient(server.url)).create({"contract": "M1"})


@pytest.mark.parametrize(
    "url", ("https://[::1", "http://]/", "ftp://h/x", "file:///etc/passwd", "javascript:1", "//h/x")
)
def test_a_result_url_that_is_none(url: str) -> None:
    with LocalServer(document({"request": {"state": "done", "upgraded_dump_url": url}})) as server:
        client = OdooClient(HttpClient(server.url, timeout=5), "1", KEY)
        with pytest.raises(UpgradeError), client.open_result("archive"):
            pass


@pytest.mark.parametrize("port", ("1e999", "NaN", "-1", '"\\u00b2"', "[]", "null", "0", "70000", "22.5"))
def test_a_port_that_is_none(port: str) -> None:
    told = pytest.raises(UpgradeError, match="without a usable host, port, user and file")
    with told, LocalServer(json_text(ACCESS % (port, '"shop.dump"'))) as server:
        OdooClient(HttpClient(server.url), "1", KEY).request_sftp_access("keys")


@pytest.mark.parametrize(
    "name", ('"../shop"', '"/etc/passwd"', '"a\\u0000b"', '".."', '"-rf"', '"a\\ud800"', '"\\u001b[2J"')
)
def test_a_shared_file_that_is_no_plain_name(name: str) -> None:
    told = pytest.raises(UpgradeError, match="without a usable host, port, user and file")
    with told, LocalServer(json_text(ACCESS % ("22", name))) as server:
        OdooClient(HttpClient(server.url), "1", KEY).request_sftp_access("keys")


@pytest.mark.parametrize("host", ("a" * 70, "a..b", ".", "xn--\xff"))
def test_an_sftp_host_that_no_name_can_be(host: str) -> None:
    pytest.importorskip("paramiko")

    class Access:
        hostname, port, user, shared_file = host, 22, "u", "f"

    server = SftpServer(Access, t.cast(t.Any, None), t.cast(t.Any, None), 2)
    with pytest.raises(SftpBrokenError, match="cannot be reached"), server.session():
        pass


@pytest.mark.parametrize("size", ("1e999", "NaN", '"7"', "{}", "[]"))
def test_the_size_of_a_transaction_that_is_no_number(size: str) -> None:
    item = f'[{{"id": "a", "time": "b", "username": "c", "description": "d", "size": {size}}}]'
    with LocalServer(json_text(item)) as server:
        client = PloneClient(HttpClient(server.url), Credentials("a", "b"))
        with pytest.raises(UpgradeError):
            Transactions(client).read()


def test_members_of_a_zip_that_share_their_bytes(tmp_path: Path) -> None:
    """42 kB of such a file unpack to 5 GB, and 10 MB to 281 TB (D. Fifield, A better zip bomb, 2019)."""
    content = b"\0" * (1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(content) + packer.flush()
    name, crc, members = b"filestore/aa/x", zlib.crc32(content), 10_000
    sizes = (crc, len(packed), len(content), len(name))
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, *sizes, 0) + name + packed
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, *sizes, 0, 0, 0, 0, 0, 0) + name
    directory = entry * members
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, members, members, len(directory), len(local), 0)
    path = tmp_path / "bomb.zip"
    path.write_bytes(local + directory + end)
    with pytest.raises(DamagedError, match="overlap"):
        check(str(path), "archive", None, {})


def test_every_spelling_of_a_key() -> None:
    found = encodings_of(KEY)
    for form in (KEY, KEY.replace("=", "%3D"), KEY.replace("=", "%3d"), "QXc3cEl0R1ZLRnVaX0ZPUjNVOFZGUT09"):
        assert form in found

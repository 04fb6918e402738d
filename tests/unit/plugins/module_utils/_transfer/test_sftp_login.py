# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a login to an SFTP server fails is said at once, with what else would go."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._transfer import ssh_offer
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp import (
    SftpIncompatibleError,
    SftpServer,
    SftpUnreachableError,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp_protocol import SftpDeniedError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_host_keys import GivenKey
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_keys import Identity, public_line

paramiko = pytest.importorskip("paramiko")


class Server(paramiko.ServerInterface):  # type: ignore[misc,name-defined]
    """Takes any key for a part of the login."""

    def __init__(self, further: str) -> None:
        self.further = further

    def get_allowed_auths(self, username: str) -> str:
        return self.further

    def check_auth_publickey(self, username: str, key: t.Any) -> int:
        return int(paramiko.AUTH_PARTIALLY_SUCCESSFUL)


@contextlib.contextmanager
def served(further: str = "publickey", kex: str = "") -> t.Iterator[tuple[SftpServer, str]]:
    """A client of a server that never lets anybody in. ``kex`` is the only key exchange that the server offers."""
    host_key = paramiko.RSAKey.generate(2048)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = listening.getsockname()[1]

        def serve() -> None:
            with contextlib.suppress(Exception):
                while True:
                    transport = paramiko.Transport(listening.accept()[0])
                    transport.add_server_key(host_key)
                    if kex:
                        transport._preferred_kex = (kex,)
                    transport.start_server(event=threading.Event(), server=Server(further))

        threading.Thread(target=serve, daemon=True).start()
        yield client(place, public_line(host_key)), str(place)


def client(place: int, host_key: str, timeout: int = 5) -> SftpServer:
    class Access:
        hostname, port, user, shared_file = "127.0.0.1", place, "user_1", "shop.dump"

    own = paramiko.RSAKey.generate(2048)
    return SftpServer(Access, Identity(public_line(own), (own,)), GivenKey(host_key), timeout)


ANY_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJGX0ztqEJGY9BYEGS1nVDp5OkffGCHvyW6wMrQoAI1x"


@pytest.mark.parametrize("further", ("keyboard-interactive", "publickey", "password,hostbased"))
def test_a_key_that_is_only_a_part_of_the_login(further: str) -> None:
    named = ", ".join(further.split(","))
    refused = pytest.raises(SftpDeniedError, match=f"more than that: {named}")
    with served(further) as (server, _place):
        session = server.session()
        with refused, session:
            pass


def test_no_algorithm_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"key exchange": ["sntrup761x25519-sha512@openssh.com"], "cipher": ["aes128-ctr"]}
    with served() as (server, place):
        port = int(place)
        found = ssh_offer.offered("127.0.0.1", port, 5)
        assert found["key exchange"]
        assert "ssh-rsa" in " ".join(found["host key"]) or "rsa-sha2-512" in found["host key"]
        monkeypatch.setattr(paramiko.Transport, "_preferred_kex", ("diffie-hellman-group1-sha1",))
        monkeypatch.setattr(
            "ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp.offered", lambda *_where: theirs
        )
        refused = pytest.raises(SftpIncompatibleError, match=r"has sntrup761.*and paramiko has .*'transport' to https")
        with served(kex="diffie-hellman-group14-sha256") as (other, _place):
            session = other.session()
            with refused, session:
                pass


def test_nothing_in_common_is_said_for_each_kind() -> None:
    ours = {"cipher": ["a", "b"], "MAC": ["c"]}
    assert ssh_offer.nothing_in_common({"cipher": ["b"], "MAC": ["c", "d"]}, ours) == ""
    assert ssh_offer.nothing_in_common({}, ours) == ""
    said = ssh_offer.nothing_in_common({"cipher": ["x", "y"], "MAC": ["d"]}, ours)
    assert said.startswith("The server offers no cipher that is known here: it has x, y, and paramiko has a, b.")
    assert said.count("The server offers no") == 2


def test_a_port_that_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    refused = pytest.raises(SftpUnreachableError, match=r"cannot be reached.*Proxies.*'transport' to https")
    with refused, client(port, ANY_KEY).session():
        pass
    assert ssh_offer.offered("127.0.0.1", port, 5) == {}


def test_a_port_that_is_of_another_protocol() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection = listening.accept()[0]
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        refused = pytest.raises(SftpUnreachableError, match=r"no SSH server answers there.*Proxies")
        with refused, client(listening.getsockname()[1], ANY_KEY).session():
            pass


def test_a_port_that_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        unreachable = pytest.raises(SftpUnreachableError, match=r"no SSH server answers there.*Proxies")
        with unreachable, client(silent.getsockname()[1], ANY_KEY, timeout=1).session():
            pass

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are not the bottleneck: nginx with TLS before a few answers of the database API, and OpenSSH's sshd."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from .link import Link

NEEDED = {
    "nginx": "nginx-light",
    "sshd": "openssh-server",
    "sftp": "openssh-client",
    "curl": "curl",
    "openssl": "openssl",
}
NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/bodies;
    client_body_in_file_only clean;
    client_body_buffer_size 1m;
    proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen {host}:{https_port} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        ssl_protocols TLSv1.3;
        location = /database/v1/upload {{
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_pass http://127.0.0.1:{api_port};
        }}
        location /database/v1/ {{ proxy_pass http://127.0.0.1:{api_port}; }}
        location /files/ {{ alias {folder}/files/; }}
    }}
}}
"""
SSHD = """\
Port {ssh_port}
ListenAddress {host}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
PasswordAuthentication no
StrictModes no
UsePAM no
MaxStartups 100
Subsystem sftp internal-sftp -d {folder}/files
"""


class ServerMissing(Exception):
    """A program that the benchmark compares with, or serves with, is not installed."""


@dataclass(frozen=True)
class Servers:
    """Where they are. ``files`` is what both of them serve; ``key`` logs in to sshd, which shows ``host_key``."""

    api_url: str
    files_url: str
    ca_path: Path
    files: Path
    key: Path
    host_key: str
    known_hosts: Path
    user: str
    host: str
    ssh_port: int


def require_programs() -> None:
    """:raises ServerMissing: names what Debian calls the packages."""
    missing = [package for program, package in NEEDED.items() if not _found(program)]
    if missing:
        raise ServerMissing(f"not installed: {', '.join(missing)}")


@contextlib.contextmanager
def serving(folder: Path, link: Link) -> Iterator[Servers]:
    """All of them on the far side of a link, until the body ends.

    :param folder: empty; best in memory, with room for what is moved.
    """
    require_programs()
    ports = dict(zip(("https_port", "ssh_port", "api_port"), _free_ports(3), strict=True))
    for name in ("files", "bodies"):
        (folder / name).mkdir()
    # nginx's worker is not root.
    for path in (folder, folder / "files", folder / "bodies"):
        path.chmod(0o777)
    _make_keys(folder, link.host)
    settings = {"folder": str(folder), "host": link.host, **{name: str(port) for name, port in ports.items()}}
    (folder / "nginx.conf").write_text(NGINX.format(**settings), encoding="utf-8")
    (folder / "sshd.conf").write_text(SSHD.format(**settings), encoding="utf-8")
    if not os.geteuid():
        Path("/run/sshd").mkdir(exist_ok=True)
    base = f"https://{link.host}:{ports['https_port']}"
    api = (sys.executable, str(Path(__file__).with_name("api.py")), str(ports["api_port"]), base, link.host)
    user = "root" if not os.geteuid() else Path.home().name
    commands = (
        (*api, str(ports["ssh_port"]), user),
        (_found("nginx"), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")),
        (_found("sshd"), "-D", "-e", "-f", str(folder / "sshd.conf")),
    )
    with contextlib.ExitStack() as stack, open(folder / "servers.log", "wb") as log:
        for command in commands:
            process = subprocess.Popen((*link.prefix, *command), stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        public = (folder / "host_key.pub").read_text(encoding="ascii").split()[:2]
        known_hosts = folder / "known_hosts"
        known_hosts.write_text(f"[{link.host}]:{ports['ssh_port']} {' '.join(public)}\n", encoding="ascii")
        servers = Servers(
            f"{base}/database/v1",
            f"{base}/files",
            folder / "ca.pem",
            folder / "files",
            folder / "key",
            " ".join(public),
            known_hosts,
            user,
            link.host,
            ports["ssh_port"],
        )
        _wait_for(servers, ports["https_port"])
        yield servers


def _make_keys(folder: Path, host: str) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert(host)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    certificate.cert_chain_pems[0].write_to_path(folder / "server.pem")
    (folder / "server.key").chmod(0o644)
    for name in ("host_key", "key"):
        subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)), check=True)
    shutil.copy(folder / "key.pub", folder / "authorized_keys")


def _wait_for(servers: Servers, https_port: int) -> None:
    deadline = time.monotonic() + 20
    context = ssl.create_default_context(cafile=str(servers.ca_path))
    while True:
        try:
            connection = http.client.HTTPSConnection(servers.host, https_port, timeout=5, context=context)
            connection.request("POST", "/database/v1/status")
            if connection.getresponse().status != 200:
                raise OSError("not ready")
            with socket.create_connection((servers.host, servers.ssh_port), timeout=5) as stream:
                if stream.recv(3) != b"SSH":
                    raise OSError("not ready")
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _found(program: str) -> str:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin") or ""


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on here; a new namespace has none in use."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _number in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]

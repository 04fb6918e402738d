# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine as a remote host: an OpenSSH server on 127.0.0.1 that lets in whoever runs the tests."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from support.free_port import free_port
from support.processes import kill_tree

SECONDS = 120


class NoServer(Exception):
    """There is no OpenSSH server here, or it does not start; says why."""


class SshHost:
    """A server with keys of its own, from the start to the end of the context. Raises NoServer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "log"

    def __enter__(self) -> SshHost:
        program = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
        if not program:
            raise NoServer("sshd is not installed")
        self._folder.mkdir(mode=0o700)
        for name in ("host_key", "user_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self._folder / name)]
            subprocess.run(command, check=True)
        self._port = free_port()
        settings = {
            "ListenAddress": f"127.0.0.1:{self._port}",
            "HostKey": self._folder / "host_key",
            "AuthorizedKeysFile": self._folder / "user_key.pub",
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "AuthenticationMethods": "publickey",
            "PermitRootLogin": "yes",
            "Subsystem": "sftp internal-sftp",
        }
        config = self._folder / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8")
        host_key = (self._folder / "host_key.pub").read_text(encoding="ascii")
        (self._folder / "known_hosts").write_text(f"[127.0.0.1]:{self._port} {host_key}", encoding="ascii")
        # It keeps itself in the foreground with -D, so it ends as any other process that was started here.
        self._server = subprocess.Popen([program, "-D", "-f", str(config), "-E", str(self._log)])
        try:
            self._wait_until_ready()
        except NoServer:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        # With the sessions, so that no client keeps a shared connection.
        kill_tree(self._server)

    @property
    def variables(self) -> dict[str, Any]:
        """What an inventory says of this host."""
        options = f"-o UserKnownHostsFile={self._folder / 'known_hosts'} -o IdentitiesOnly=yes -o IdentityAgent=none"
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self._port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self._folder / "user_key"),
            "ansible_ssh_common_args": f"-F none {options}",
            "ansible_python_interpreter": sys.executable,
        }

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + SECONDS
        while time.monotonic() < give_up:
            if self._server.poll() is not None:
                words = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
                raise NoServer(f"sshd does not start: {words.strip()}")
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise NoServer("sshd does not listen")

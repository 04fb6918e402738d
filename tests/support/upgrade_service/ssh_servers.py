# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ssh servers behind a line: a real sshd where there is one, asyncssh otherwise. Both run the real rsync."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import asyncssh

from support.free_port import free_port
from support.platform.certificates import LOOPBACK, write_private
from support.processes import kill_tree
from support.upgrade_service import rsync_command
from support.upgrade_service.line import Loop
from support.upgrade_service.rsync_command import REFUSED, CommandRefused, Rules

USER = "odoo"
_SECONDS = 120
_BLOCK = 128 * 1024
_WRAPPERS = ("/usr/lib/x86_64-linux-gnu/libnss_wrapper.so", "/usr/lib/aarch64-linux-gnu/libnss_wrapper.so")


class SshServer(Protocol):
    """One ssh server for one open transfer."""

    port: int

    def command(self, client_port: int) -> str:
        """The command that came from this port of a client; empty where none did."""

    def stop(self) -> None:
        """End the server and its sessions."""


def find_sshd() -> str | None:
    """The path of sshd, where it can let in the user `odoo`, who needs no account for that with nss_wrapper."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    return program if program and nss_wrapper() and shutil.which("rsync") else None


def nss_wrapper() -> str | None:
    return next((path for path in _WRAPPERS if os.path.exists(path)), None)


class AsyncsshServer:
    """asyncssh, which lets in `odoo` with one key and runs `rsync --server`."""

    def __init__(self, loop: Loop, rules: Rules, client_key: str, host_key: asyncssh.SSHKey) -> None:
        self._loop = loop
        self._rules = rules
        self._commands: dict[int, str] = {}
        self._client_key = asyncssh.import_public_key(client_key)
        self._server = loop.run(self._listen(host_key))
        self.port = self._server.get_port()

    def command(self, client_port: int) -> str:
        return self._commands.get(client_port, "")

    def stop(self) -> None:
        self._loop.run(self._close())

    async def _close(self) -> None:
        """In the thread of the loop, for which asyncio's servers are made."""
        self._server.close()

    async def _listen(self, host_key: asyncssh.SSHKey) -> asyncssh.SSHAcceptor:
        allowed = self._client_key

        class Server(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return True

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                return username == USER and key == allowed

        return await asyncssh.listen(
            LOOPBACK,
            0,
            server_factory=Server,
            server_host_keys=[host_key],
            process_factory=self._run,
            encoding=None,
            line_editor=False,
            login_timeout=_SECONDS,
        )

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        asked = process.command or ""
        self._commands[process.get_extra_info("peername")[1]] = asked
        try:
            command = self._rules.command(asked)
        except CommandRefused as refusal:
            process.stderr.write(f"{refusal}\n".encode())
            process.exit(REFUSED)
            return
        pipe = asyncio.subprocess.PIPE
        rsync = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
        assert rsync.stdin and rsync.stdout and rsync.stderr
        coming = asyncio.ensure_future(_pump(process.stdin, rsync.stdin, ends=True))
        going = [_pump(rsync.stdout, process.stdout), _pump(rsync.stderr, process.stderr)]
        try:
            await asyncio.gather(*going)
            process.exit(await rsync.wait())
        finally:
            # With its input at the end rsync keeps a part where it was asked to; a kill would lose it.
            coming.cancel()
            rsync.stdin.close()
            with contextlib.suppress(asyncio.TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(rsync.wait(), 5)
            if rsync.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    rsync.terminate()


async def _pump(reader: Any, writer: Any, *, ends: bool = False) -> None:
    """Carry bytes until one of the two ends is gone."""
    with contextlib.suppress(OSError, asyncssh.Error, asyncio.IncompleteReadError):
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
    if ends:
        writer.close()


class OpensshServer:
    """A real sshd, with the rules as its forced command."""

    def __init__(self, program: str, folder: Path, rules: Rules, client_key: str, host_key: asyncssh.SSHKey) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._notes = folder / "commands"
        self._notes.mkdir(exist_ok=True)
        write_private(folder / "host_key", host_key.export_private_key("openssh"))
        write_private(folder / "authorized_keys", client_key.encode())
        Rules(rules.data, rules.writes, rules.readable, rules.refused, str(self._notes)).save(folder / "rules.json")
        self.port = free_port()
        forced = shlex.join([sys.executable, "-I", rsync_command.__file__, str(folder / "rules.json")])
        settings = {
            "ListenAddress": f"{LOOPBACK}:{self.port}",
            "HostKey": folder / "host_key",
            "AuthorizedKeysFile": folder / "authorized_keys",
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "AuthenticationMethods": "publickey",
            "PermitRootLogin": "yes",
            "MaxStartups": "100",
            "ForceCommand": forced,
        }
        config = folder / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self._log = folder / "sshd.log"
        self._process = subprocess.Popen(
            [program, "-D", "-f", str(config), "-E", str(self._log)], env={**os.environ, **_names(folder)}
        )
        self._wait_until_ready()

    def command(self, client_port: int) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self._notes / str(client_port)).read_text(encoding="utf-8")
        return ""

    def stop(self) -> None:
        # The sessions end with their connections, which the line closes; rsync then keeps its part.
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        kill_tree(self._process)

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + _SECONDS
        while time.monotonic() < give_up and self._process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection((LOOPBACK, self.port), timeout=1).close()
                return
            time.sleep(0.02)
        words = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        raise RuntimeError(f"sshd does not start: {words.strip()}")


def _names(folder: Path) -> dict[str, str]:
    """The environment in which `odoo` is another name of whoever runs this, and no account of this machine changes."""
    passwd, group = folder / "passwd", folder / "group"
    own = Path("/etc/passwd").read_text(encoding="utf-8")
    passwd.write_text(f"{USER}:x:{os.geteuid()}:{os.getegid()}::{folder}:/bin/sh\n{own}", encoding="utf-8")
    group.write_text(Path("/etc/group").read_text(encoding="utf-8"), encoding="utf-8")
    return {
        "LD_PRELOAD": nss_wrapper() or "",
        "NSS_WRAPPER_PASSWD": str(passwd),
        "NSS_WRAPPER_GROUP": str(group),
    }

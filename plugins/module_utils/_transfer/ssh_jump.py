# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to an SFTP server through jump hosts: OpenSSH logs in to them and carries the bytes.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import socket
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError
from .._core.process import Running
from .._core.text import one_line
from .ssh_command import OPTION, program

JUMP = "proxyjump"
REFUSED = frozenset(
    ("localcommand", "permitlocalcommand", "proxycommand", "remotecommand", "stricthostkeychecking", "verifyhostkeydns")
)
"""Options that would run a program, or let any server be the jump host."""

LONGEST_SECONDS = 1_000_000_000
KEPT = ("HOME", "PATH", "SSH_AUTH_SOCK")


@dataclass(frozen=True)
class JumpHosts:
    """The hosts of one ``ProxyJump``, first to last, and the other options for the login to the last one."""

    hosts: tuple[str, ...]
    options: tuple[str, ...]

    def connect(self, stack: contextlib.ExitStack, host: str, port: int, timeout: int) -> JumpSocket:
        """A socket to the host behind them, open until the stack ends."""
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        with theirs:
            command = [*self._command(timeout), "-W", target, "--", _destination(self.hosts[-1])]
            running = stack.enter_context(
                Running(command, {**environment, "LC_ALL": "C"}, LONGEST_SECONDS, stdin=theirs, stdout=theirs)
            )
        ours.settimeout(timeout)
        return JumpSocket(ours, running)

    def _command(self, timeout: int) -> list[str]:
        fixed = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"ConnectTimeout={timeout}", "LogLevel=ERROR"]
        before = [f"ProxyJump={','.join(self.hosts[:-1])}"] if self.hosts[1:] else []
        words = [program("ssh"), "-F", "none"]
        for option in (*fixed, *before, *self.options):
            words += ["-o", option]
        return words


class JumpSocket(t.NamedTuple):
    """One end of the connection, and the ssh at its other end."""

    socket: socket.socket
    running: Running

    @property
    def words(self) -> str:
        """What ssh says of a failure, on one line; it ends by itself then."""
        with contextlib.suppress(Exception):
            self.running.process.wait(1)
        return one_line(self.running.said, 200).rstrip(".")


def jump_hosts(options: t.Sequence[str]) -> JumpHosts | None:
    """The jump hosts of the option ``ssh_options``, as SFTP uses it; None where it is empty.

    :raises OptionError: it holds no ProxyJump, or what SFTP cannot use.
    """
    if not options:
        return None
    values: dict[str, str] = {}
    for option in options:
        found = OPTION.fullmatch(option)
        if not found or found[1].lower() in REFUSED:
            raise OptionError(
                "ssh_options",
                "must be a list of options of ssh_config such as 'ProxyJump=gate', and none that runs a program or "
                "accepts any host key.",
            )
        values[found[1].lower()] = option
    if JUMP not in values:
        raise OptionError("ssh_options", "is used by SFTP for jump hosts only; give 'ProxyJump=gate' among them.")
    hosts = tuple(part.strip() for part in values.pop(JUMP).partition("=")[2].split(","))
    if not all(hosts) or any(part.startswith("-") for part in hosts):
        raise OptionError("ssh_options", "must name the hosts of ProxyJump, such as 'ProxyJump=user@gate:22'.")
    return JumpHosts(hosts, tuple(values.values()))


def _destination(host: str) -> str:
    """A host of ProxyJump as an argument of ssh, which takes a port in a URL only."""
    return host if host.startswith("ssh://") else f"ssh://{host}"

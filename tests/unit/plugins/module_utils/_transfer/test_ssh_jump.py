# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jump hosts are given as ssh takes them, and nothing else is."""

from __future__ import annotations

import contextlib
import os
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_jump import JumpHosts, jump_hosts

if t.TYPE_CHECKING:
    from pathlib import Path


def test_the_hosts_and_what_is_for_the_last_of_them() -> None:
    assert jump_hosts([]) is None
    assert jump_hosts(["ProxyJump=gate"]) == JumpHosts(("gate",), ())
    assert jump_hosts(["IdentityFile=~/.ssh/gate", "proxyjump=a@one:22, two"]) == JumpHosts(
        ("a@one:22", "two"), ("IdentityFile=~/.ssh/gate",)
    )


@pytest.mark.parametrize(
    ("options", "words"),
    (
        (["Port=23"], "jump hosts only"),
        (["ProxyJump gate"], "list of options"),
        (["ProxyJump=gate", "StrictHostKeyChecking=no"], "any host key"),
        (["ProxyJump=gate", "ProxyCommand=nc gate 22"], "runs a program"),
        (["ProxyJump=gate,"], "hosts of ProxyJump"),
        (["ProxyJump=-oProxyCommand=x"], "hosts of ProxyJump"),
    ),
)
def test_what_is_refused(options: list[str], words: str) -> None:
    with pytest.raises(OptionError, match=f"Option 'ssh_options': .*{words}"):
        jump_hosts(options)


def test_ssh_is_asked_to_carry_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in of ssh says how it was called, and sends back what it gets."""
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nprintf '%s ' \"$@\"\nexec cat\n")
    ssh.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with contextlib.ExitStack() as stack:
        jump = JumpHosts(("one", "a@two:2222"), ("IdentityFile=key",))
        carried = jump.connect(stack, "up.example.org", 2200, 5)
        carried.socket.sendall(b"END")
        said = b""
        while not said.endswith(b"END"):
            said += carried.socket.recv(4096)
    words = said.decode()
    assert words.startswith("-F none -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=5 ")
    assert words.endswith("-o ProxyJump=one -o IdentityFile=key -W up.example.org:2200 -- ssh://a@two:2222 END")
    assert carried.running.process.poll() is not None

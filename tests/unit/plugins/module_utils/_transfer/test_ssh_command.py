# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of a request, and an ssh command that takes nothing from the user's own configuration."""

from __future__ import annotations

import shlex
import stat
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError, UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer import ssh_command as tested
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_command import (
    SshFolder,
    checked_ssh_options,
    program,
    quiet_environment,
    ssh_command,
)

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of programs."""
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    return path


def put(programs: Path, name: str, script: str = "exit 0") -> None:
    (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    (programs / name).chmod(0o755)


@pytest.mark.parametrize(
    ("name", "packages"),
    (
        ("rsync", "rsync (Debian, Ubuntu) or rsync (Red Hat)"),
        ("ssh", "openssh-client (Debian, Ubuntu) or openssh-clients (Red Hat)"),
        ("ssh-keygen", "openssh-client (Debian, Ubuntu) or openssh (Red Hat)"),
    ),
)
def test_a_program_that_is_missing_is_named_with_its_package(name: str, packages: str, programs: Path) -> None:
    with pytest.raises(UpgradeError) as caught:
        program(name)
    assert f"The program {name} is not installed" in str(caught.value)
    assert packages in str(caught.value)
    put(programs, name)
    assert program(name) == str(programs / name)


def test_programs_see_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ODOO_UPGRADE_REQUEST_TOKEN", "SSH_AUTH_SOCK", "RSYNC_RSH", "RSYNC_PASSWORD", "HOME", "LD_PRELOAD"):
        monkeypatch.setenv(name, "secret")
    assert set(quiet_environment()) == {"PATH", "LC_ALL"}


def options_of(command: str) -> dict[str, str]:
    """What ssh uses: the first value of each option."""
    words = shlex.split(command)
    given = [words[place + 1].partition("=") for place, word in enumerate(words) if word == "-o"]
    return {name: value for name, _equal, value in reversed(given)}


def test_what_makes_it_safe_cannot_be_replaced(programs: Path) -> None:
    put(programs, "ssh")
    names = (
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/tmp/x",
        "BatchMode=no",
        "ProxyJump=gate",
        "LogLevel=DEBUG",
    )
    command = ssh_command(40022, 20, names)
    assert shlex.split(command)[:7] == [str(programs / "ssh"), "-F", "none", "-p", "40022", "-i", "key"]
    used = options_of(command)
    assert (used["StrictHostKeyChecking"], used["UserKnownHostsFile"]) == ("yes", "known_hosts")
    assert (used["GlobalKnownHostsFile"], used["IdentityAgent"]) == ("/dev/null", "none")
    assert (used["BatchMode"], used["IdentitiesOnly"], used["ForwardAgent"]) == ("yes", "yes", "no")
    assert (used["ProxyJump"], used["LogLevel"]) == ("gate", "DEBUG")
    assert int(used["ServerAliveInterval"]) * int(used["ServerAliveCountMax"]) <= 20 == int(used["ConnectTimeout"])


def test_words_are_quoted_as_rsync_reads_them(programs: Path) -> None:
    put(programs, "ssh")
    command = ssh_command(22, 20, ["ProxyCommand=nc -X 5 '%h' %p"])
    assert "'ProxyCommand=nc -X 5 ''%h'' %p'" in command


@pytest.mark.parametrize("option", ("ProxyJump=gate", "ProxyCommand=nc %h %p", "Ciphers=aes256-ctr"))
def test_an_option_of_ssh_is_taken(option: str) -> None:
    assert checked_ssh_options([option]) == (option,)


@pytest.mark.parametrize(
    "option",
    (
        *("", "ProxyJump", "ProxyJump=", "=gate", "Proxy Jump=gate", "-oProxyJump=gate", "ProxyJump gate"),
        *("ProxyJump=a\nStrictHostKeyChecking=no", "ProxyJump=a\x00b"),
        *("stricthostkeychecking=no", "UserKnownHostsFile=/dev/null", "IdentityFile=x", "Port=22", "User=root"),
        *("KnownHostsCommand=/bin/x", "RemoteCommand=x", "PermitLocalCommand=yes", "BatchMode=no"),
    ),
    ids=range(18),
)
def test_an_option_that_is_none_or_not_open_is_refused(option: str) -> None:
    with pytest.raises(OptionError, match="'ssh_options': must"):
        checked_ssh_options([option])


def test_a_key_is_private_and_new_each_time(tmp_path: Path) -> None:
    pytest.importorskip("paramiko")
    try:
        program("ssh-keygen")
    except UpgradeError:
        pytest.skip("ssh-keygen is not installed")
    folder = SshFolder(str(tmp_path / "a b.ssh"))
    first = folder.make_key()
    folder.require_key()
    assert first.startswith("ssh-rsa ")
    assert first.endswith("\n")
    assert stat.S_IMODE((tmp_path / "a b.ssh").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a b.ssh" / "key").stat().st_mode) == 0o600
    assert folder.make_key() != first
    folder.remove()
    assert not (tmp_path / "a b.ssh").exists()


@pytest.mark.parametrize(
    ("script", "says"),
    (
        ("echo no entropy >&2; exit 1", "cannot make a key in .*: no entropy"),
        ("exit 0", "No such file"),
        ("sleep 9", "An ssh key cannot be made in"),
    ),
)
def test_a_key_that_cannot_be_made(
    script: str, says: str, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tested, "KEYGEN_SECONDS", 0.3)
    put(programs, "ssh-keygen", f"PATH=/usr/bin:/bin; {script}")
    with pytest.raises(UpgradeError, match=says):
        SshFolder(str(tmp_path / "x.ssh")).make_key()


def test_a_key_that_is_gone_or_open_is_not_used(tmp_path: Path) -> None:
    folder = SshFolder(str(tmp_path))
    with pytest.raises(UpgradeError, match="is not there.*'renew: true'"):
        folder.require_key()
    (tmp_path / "key").write_text("x", encoding="ascii")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(UpgradeError, match="chmod 0600"):
        folder.require_key()
    (tmp_path / "key").chmod(0o400)
    folder.require_key()


def test_known_hosts_is_new_private_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    other = tmp_path / "other"
    other.write_text("kept", encoding="ascii")
    path.symlink_to(other)
    with pytest.raises(KeyError), SshFolder(str(tmp_path)).known_hosts("a line\n"):
        assert path.read_text(encoding="ascii") == "a line\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not path.is_symlink()
        raise KeyError
    assert not path.exists()
    assert other.read_text(encoding="ascii") == "kept"


def test_known_hosts_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    with (
        pytest.raises(UpgradeError, match="known_hosts cannot be written"),
        SshFolder(str(tmp_path / "gone")).known_hosts("x"),
    ):
        pass


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    old, new = SshFolder(str(tmp_path / "x.ssh")), SshFolder(str(tmp_path / "x.ssh.new"))
    for path, text in ((old.path, "old"), (new.path, "new")):
        (tmp_path / path).mkdir()
        (tmp_path / path / "key").write_text(text, encoding="ascii")
    old.replace_by(new)
    assert (tmp_path / "x.ssh" / "key").read_text(encoding="ascii") == "new"
    assert not (tmp_path / "x.ssh.new").exists()
    with pytest.raises(UpgradeError, match="cannot be renamed"):
        old.replace_by(new)

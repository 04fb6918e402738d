# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of one request's ssh key, and the ssh command that uses it and nothing of the user's own configuration.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError
from .._core.text import one_line

KEY, KNOWN_HOSTS = "key", "known_hosts"
DEBIAN_PACKAGES = {"rsync": "rsync", "ssh": "openssh-client", "ssh-keygen": "openssh-client"}
REDHAT_PACKAGES = {"rsync": "rsync", "ssh": "openssh-clients", "ssh-keygen": "openssh"}
KEYGEN_SECONDS = 60
ALIVE_COUNT = 4
"""Questions without an answer, each a part of the timeout, after which ssh takes a server for gone."""

OPTION = re.compile(r"([A-Za-z]+)=[^\x00-\x1f\x7f]+")
FIXED = frozenset(
    name.lower()
    for name in (
        *("BatchMode", "GlobalKnownHostsFile", "IdentitiesOnly", "IdentityAgent", "IdentityFile"),
        *("KnownHostsCommand", "LocalCommand", "PermitLocalCommand", "Port", "RemoteCommand"),
        *("StrictHostKeyChecking", "User", "UserKnownHostsFile", "VerifyHostKeyDNS"),
    )
)
"""Options of ssh that make the connection safe, or say where it goes."""


def program(name: str) -> str:
    """The path of a program that a transfer needs.

    :raises UpgradeError: it is not installed; names the package.
    """
    path = shutil.which(name)
    if path:
        return path
    raise UpgradeError(
        f"The program {name} is not installed on the host that runs the module. Install the package "
        f"{DEBIAN_PACKAGES[name]} (Debian, Ubuntu) or {REDHAT_PACKAGES[name]} (Red Hat)."
    )


def quiet_environment() -> dict[str, str]:
    """The whole environment of the programs: no secret of the module's environment, and no settings of the user."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def checked_ssh_options(options: t.Sequence[str]) -> tuple[str, ...]:
    """The option ``ssh_options``, each as ``Name=value``.

    :raises OptionError: one of them is malformed, or would undo what makes the connection safe.
    """
    for option in options:
        found = OPTION.fullmatch(option)
        if not found:
            raise OptionError("ssh_options", "must be a list of options of ssh_config such as 'ProxyJump=gate'.")
        if found[1].lower() in FIXED:
            raise OptionError("ssh_options", f"must not hold {found[1]}: the transfer sets it itself.")
    return tuple(options)


@dataclass(frozen=True)
class SshFolder:
    """The private folder of one request: its key from creation to the end, and the known_hosts of an open transfer."""

    path: str

    @property
    def has_key(self) -> bool:
        """Whether the private key is there."""
        return os.path.isfile(os.path.join(self.path, KEY))

    def make_key(self) -> str:
        """Make a new key pair in an empty folder; the public key as one line.

        :raises UpgradeError: it cannot be made.
        """
        keygen = program("ssh-keygen")
        self.remove()
        try:
            os.mkdir(self.path, 0o700)
            # RSA is the only type that the platform is known to take. The key lives for one request.
            command = [keygen, "-q", "-t", "rsa", "-b", "2048", "-N", "", "-C", "", "-f", KEY]
            ended = subprocess.run(  # pylint: disable=ansible-bad-function
                command,
                cwd=self.path,
                env=quiet_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=KEYGEN_SECONDS,
                check=False,
            )
            if ended.returncode:
                raise UpgradeError(f"ssh-keygen cannot make a key in {self.path}: {one_line(ended.stderr)}.")
            with open(os.path.join(self.path, f"{KEY}.pub"), encoding="ascii") as file:
                return file.read()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            words = getattr(error, "strerror", None) or one_line(error, 120)
            raise UpgradeError(f"An ssh key cannot be made in {self.path}: {words}.") from error

    def require_key(self) -> None:
        """:raises UpgradeError: the private key is not there, or others can read it."""
        path = os.path.join(self.path, KEY)
        if not self.has_key:
            raise UpgradeError(
                f"The private key {path}, which was made with this request, is not there. Without it no dump can be "
                "sent and no result fetched. Bring it back, or make another request with 'renew: true'."
            )
        if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
            raise UpgradeError(f"The private key {path} can be read by others. Run: chmod 0600 {path}")

    @contextlib.contextmanager
    def known_hosts(self, lines: str) -> t.Iterator[None]:
        """Have these lines in a known_hosts file of its own for the body."""
        path = os.path.join(self.path, KNOWN_HOSTS)
        try:
            _unlink(path)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(lines)
        except OSError as error:
            raise UpgradeError(f"{path} cannot be written: {error.strerror}.") from error
        try:
            yield
        finally:
            _unlink(path)

    def replace_by(self, new: SshFolder) -> None:
        """Have another folder in the place of this one.

        :raises UpgradeError: that is not possible.
        """
        self.remove()
        try:
            os.rename(new.path, self.path)
        except OSError as error:
            raise UpgradeError(f"{new.path} cannot be renamed to {self.path}: {error.strerror}.") from error

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self.path)


def ssh_command(port: int, timeout: int, options: t.Sequence[str] = ()) -> str:
    """The ssh command for rsync's ``--rsh``, for the folder of a request as working directory.

    In ssh the first value of an option counts, so what makes the connection safe comes first. The names of key and
    known_hosts are relative, because rsync and ssh each split and expand a path in a way of their own.
    """
    alive = max(1, timeout // ALIVE_COUNT)
    fixed = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": KNOWN_HOSTS,
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "VerifyHostKeyDNS": "no",
        "PreferredAuthentications": "publickey",
    }
    usual = {
        "ConnectTimeout": str(timeout),
        "ServerAliveInterval": str(alive),
        "ServerAliveCountMax": str(ALIVE_COUNT),
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ControlPath": "none",
        "PermitLocalCommand": "no",
        "Compression": "no",
        "LogLevel": "ERROR",
    }
    words = [program("ssh"), "-F", "none", "-p", str(port), "-i", KEY]
    for option in (
        *(f"{name}={value}" for name, value in fixed.items()),
        *options,
        *(f"{name}={value}" for name, value in usual.items()),
    ):
        words += ["-o", option]
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    """A word as rsync splits its ``--rsh``: within single quotes, where two of them stand for one."""
    return word if re.fullmatch(r"[\w./:=,@%+-]+", word) else "'" + word.replace("'", "''") + "'"


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)

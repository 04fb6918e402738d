# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Zope server on a copy of a database: started on a loopback port, watched, and ended by its id.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import typing as t
from dataclasses import asdict, dataclass

from .._core.clock import Deadline
from .._core.errors import OptionError, UpgradeError
from .._core.files import write_atomically
from .._core.text import one_line
from .copy_config import MINIMAL_INI, NO_MAIL, wsgi_ini_of_copy, zope_conf_of_copy
from .instance_programs import inherited_environment

STATE, LOG, SITE = "server.json", "server.log", "site"
SECONDS_TO_END = 20
MOST_BYTES = 64 * 1024
LAST_BYTES = 4000


@dataclass(frozen=True)
class ServerPlan:
    """What a server is asked for; see the options of the module."""

    folder: str
    python: str
    zope_conf: str
    wsgi_ini: str
    command: t.Sequence[str]
    environment: t.Mapping[str, str]
    port: int
    timeout: int

    @property
    def data_fs(self) -> str:
        """The Data.fs of the copy."""
        return os.path.join(self.folder, "var", "Data.fs")

    @property
    def blobs(self) -> str:
        """The folder of the blobs of the copy."""
        return os.path.join(self.folder, "var", "blobstorage")


@dataclass(frozen=True)
class Started:
    """A process, recognised by its id and the moment of its start, and where it listens."""

    pid: int
    began: str
    port: int

    @property
    def is_running(self) -> bool:
        """Whether this very process still runs."""
        return _began(self.pid) == self.began != ""

    def peak_memory(self) -> int:
        """Bytes that the process used at most."""
        with contextlib.suppress(OSError), open(f"/proc/{self.pid}/status", encoding="utf-8") as status:
            found = re.search(r"^VmHWM:\s+(\d+) kB", status.read(), re.MULTILINE)
            return int(found[1]) * 1024 if found else 0
        return 0


def start(plan: ServerPlan) -> Started:
    """Start a server on the copy, after ending one that an earlier run left behind.

    :raises UpgradeError: it did not answer in time; the message has the end of its log.
    """
    stop(plan.folder)
    if not os.path.isfile(plan.data_fs):
        raise OptionError("folder", f"there is no {plan.data_fs}; restore a backup there first.")
    port = plan.port or _free_port()
    command = _configure(plan, port)
    log = os.path.join(plan.folder, LOG)
    given = plan.environment.get("PYTHONPATH", "")
    path = os.path.join(plan.folder, SITE) + (f":{given}" if given else "")
    environment = {**inherited_environment(), **plan.environment, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        with open(log, "wb") as output:
            # It must outlive this module; run_command waits for what it starts.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                command,
                cwd=plan.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        raise UpgradeError(f"{command[0]} cannot be run: {error.strerror}.") from error
    started = Started(process.pid, _began(process.pid), port)
    write_atomically(os.path.join(plan.folder, STATE), json.dumps(asdict(started)) + "\n")
    deadline = Deadline(plan.timeout)
    while not _answers(port):
        if process.poll() is not None:
            raise UpgradeError(f"The server on the copy ended with status {process.returncode}: {_last_words(log)}")
        if deadline.passed:
            stop(plan.folder)
            raise UpgradeError(
                f"The server on the copy did not answer on port {port} within {plan.timeout} seconds ('timeout'): "
                f"{_last_words(log)}"
            )
        time.sleep(0.2)
    return started


def stop(folder: str) -> tuple[bool, int]:
    """End the server of a folder.

    :return: whether one ran, and the bytes of memory that it used at most.
    """
    started = running_in(folder)
    if not started:
        return False, 0
    peak = started.peak_memory()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(started.pid, number)
        give_up = time.monotonic() + SECONDS_TO_END
        while started.is_running and time.monotonic() < give_up:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(started.pid, os.WNOHANG)
            time.sleep(0.05)
        if not started.is_running:
            return True, peak
    raise UpgradeError(f"The server on the copy, process {started.pid}, cannot be ended.")


def running_in(folder: str) -> Started | None:
    """The server that runs on the copy in a folder."""
    try:
        with open(os.path.join(folder, STATE), encoding="utf-8") as file:
            started = Started(**json.loads(file.read(MOST_BYTES)))
    except (OSError, ValueError, TypeError):
        return None
    return started if started.is_running else None


def size_of(folder: str) -> int:
    """Bytes of the Data.fs of a copy; 0 if there is none."""
    with contextlib.suppress(OSError):
        return os.path.getsize(os.path.join(folder, "var", "Data.fs"))
    return 0


def _configure(plan: ServerPlan, port: int) -> list[str]:
    """Write the configuration of the copy.

    :return: the command that starts its server.
    """
    etc, site = (os.path.join(plan.folder, name) for name in ("etc", SITE))
    for folder in (etc, site):
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder, 0o700)
    os.makedirs(plan.blobs, 0o700, exist_ok=True)
    write_atomically(os.path.join(site, "sitecustomize.py"), NO_MAIL)
    zope_conf, wsgi_ini = os.path.join(etc, "zope.conf"), os.path.join(etc, "wsgi.ini")
    home = os.path.join(plan.folder, "var")
    if plan.zope_conf:
        conf = zope_conf_of_copy(
            _text_of(plan.zope_conf, "zope_conf"), os.path.dirname(plan.zope_conf), plan.data_fs, plan.blobs, home
        )
        write_atomically(zope_conf, conf)
        ini = _text_of(plan.wsgi_ini, "wsgi_ini") if plan.wsgi_ini else MINIMAL_INI
        write_atomically(wsgi_ini, wsgi_ini_of_copy(ini, os.path.dirname(plan.wsgi_ini), zope_conf, port))
    names = {"port": port, "data_fs": plan.data_fs, "blobs": plan.blobs, "folder": plan.folder}
    names.update(zope_conf=zope_conf, wsgi_ini=wsgi_ini)
    if not plan.command:
        return [plan.python, "-m", "Zope2.Startup.serve", wsgi_ini]
    try:
        return [part.format(**names) for part in plan.command]
    except (KeyError, IndexError, ValueError) as error:
        raise OptionError("command", f"has a place that is unknown: {error}; known are {', '.join(names)}.") from error


def _text_of(path: str, option: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise OptionError(option, f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _answers(port: int) -> bool:
    """Whether a server answers at all. It has read its whole configuration before it listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/ok")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _began(pid: int) -> str:
    """When a process started, as the kernel counts; empty if there is none, or if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _last_words(log: str) -> str:
    with contextlib.suppress(OSError), open(log, "rb") as file:
        file.seek(max(os.path.getsize(log) - LAST_BYTES, 0))
        lines = [line for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return one_line(" ".join(lines[-3:]), 600) or "its log is empty."
    return "it has no log."

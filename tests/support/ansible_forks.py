# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own commands, without the second that each of them takes to import itself, or one of its modules.

Run as a program, this is a process that has the commands imported and forks for each run. The fork has the arguments,
the streams and all else that a new process would have. Ansible reads its settings while it is imported, so there
is one such process for each set of them. It has a single thread, so that a fork is safe, and makes one run at a time.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

from support import inherited, module_forks

COMMANDS = {"ansible": "ansible.cli.adhoc", "ansible-playbook": "ansible.cli.playbook"}
USUALLY_NEEDED = (
    "ansible.executor.module_common",
    "ansible.executor.task_queue_manager",
    "ansible.plugins.action.normal",
    "ansible.plugins.connection.local",
    "ansible.plugins.strategy.linear",
)
"""What the commands import when they run."""

MOST_PARENTS = 4
"""Some tests have settings of their own, and every parent takes memory."""

Ended = subprocess.CompletedProcess[str]


class _Parent:
    """The process that forks for one set of Ansible's settings."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.making_a_run = threading.Lock()
        self._interpreter = _interpreter()
        command = [sys.executable, "-m", "support.ansible_forks"]
        self._process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.end)

    def run(self, command: Sequence[str], env: Mapping[str, str], seconds: float) -> Ended:
        assert self._process.stdin
        assert self._process.stdout
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder) / name for name in ("stdout", "stderr")]
            order = {
                "command": command,
                "inherited": {**inherited.described(), "environment": dict(env)},
                "interpreter": self._interpreter,
                "streams": list(map(str, streams)),
                "seconds": seconds,
            }
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            status = json.loads(self._process.stdout.readline())
            written = [stream.read_text(encoding="utf-8", errors="replace") for stream in streams]
        if status is None:
            raise subprocess.TimeoutExpired(command, seconds, *written)
        return Ended(command, status, *written)

    def end(self) -> None:
        """End the process, which makes no run."""
        atexit.unregister(self.end)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


_parents: OrderedDict[object, _Parent] = OrderedDict()
_finding = threading.Lock()


def run(command: Sequence[str], *, env: Mapping[str, str], seconds: float) -> Ended:
    """Run one of :data:`COMMANDS` to its end, as ``subprocess.run`` does.

    :raises subprocess.TimeoutExpired: it took longer; it was killed.
    """
    parent = _taken(env)
    if not parent:
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds, check=False)
    try:
        return parent.run(command, env, seconds)
    finally:
        parent.making_a_run.release()


def settings_of(env: Mapping[str, str]) -> tuple[object, ...]:
    """What runs must have in common to be made by one process; no more than that, for a process is dear.

    pytest changes PYTEST_CURRENT_TEST for every test, for one.
    """
    # A file of settings may lie in the present folder, or at home.
    named = sorted(item for item in env.items() if item[0].startswith(("ANSIBLE_", "HOME", "PYTHON")))
    return (os.getcwd(), *named)


def _taken(env: Mapping[str, str]) -> _Parent | None:
    """The process for this environment, to be released after the run; none where it is making another run."""
    settings = settings_of(env)
    with _finding:
        if settings not in _parents:
            idle = [key for key, parent in _parents.items() if not parent.making_a_run.locked()]
            for key in idle[: max(0, len(_parents) + 1 - MOST_PARENTS)]:
                _parents.pop(key).end()
            _parents[settings] = _Parent(env)
        _parents.move_to_end(settings)
        parent = _parents[settings]
        return parent if parent.making_a_run.acquire(blocking=False) else None


@cache
def _interpreter() -> str:
    """The stand-in that runs the modules of all runs of this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(module_forks.interpreter())


def serve(orders: IO[str], answers: IO[str]) -> None:
    """Fork for each order, and answer with the exit status, or null where the time was over."""
    for module in (*COMMANDS.values(), *USUALLY_NEEDED):
        importlib.import_module(module)
    _load_plugins()
    for line in orders:
        order = json.loads(line)
        child = os.fork()
        if not child:
            _be_command(order)
        answers.write(json.dumps(_end_of(child, order["seconds"])) + "\n")
        answers.flush()


def _load_plugins() -> None:
    """Have what every run reads first: the table of what was moved where, and the plugins that Ansible itself needs."""
    plugins = importlib.import_module("ansible.plugins.loader")
    plugins.init_plugin_loader()
    # Only ansible-galaxy can be told of further places of collections; Ansible warns where it looks for them twice.
    vars(importlib.import_module("ansible.cli"))["init_plugin_loader"] = lambda _paths: None
    for name in importlib.import_module("ansible.constants").INVENTORY_ENABLED:
        plugins.inventory_loader.get(name, class_only=True)
    for loader in (plugins.callback_loader, plugins.filter_loader, plugins.test_loader):
        list(loader.all(class_only=True))


def _end_of(child: int, seconds: float) -> int | None:
    descriptor = os.pidfd_open(child)
    try:
        in_time, _writable, _failed = select.select([descriptor], [], [], seconds)
        if not in_time:
            os.killpg(child, signal.SIGKILL)
        _process, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) if in_time else None
    finally:
        os.close(descriptor)


def _be_command(order: Mapping[str, Any]) -> NoReturn:
    """Be the process that runs the command, and end."""
    status: Any = 1
    try:
        os.setsid()
        for descriptor, path in enumerate((os.devnull, *order["streams"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), descriptor)
        inherited.take(**order["inherited"])
        sys.argv = order["command"]
        # Where nothing else is set, Ansible has its modules run by the Python that it runs with itself.
        sys.executable = order["interpreter"]
        importlib.import_module(COMMANDS[sys.argv[0]]).main()
        status = 0
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)

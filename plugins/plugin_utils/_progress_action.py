# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress lines in the output of a play while a module works.

The module runs as usual, in this worker process. A thread beside it reads the file that the module writes in its
temporary folder, and passes lines to Ansible's display, which sends them to the main process like the warnings of
workers. If anything goes wrong here, only the lines are missing.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import threading
import time
import typing as t

from ansible import constants as C
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display

from ..module_utils._core.progress import DEFAULT_INTERVAL, FILE_NAME
from ._progress_lines import WorkProgress, parsed

READ_SECONDS = 0.5
"""Pause between two reads of a file of this machine."""

REMOTE_READ_SECONDS = 15.0
"""The longest pause between two reads of a file of another machine; usually there are two reads for each line."""

JOIN_SECONDS = 0.2
"""How long the end of a task waits for a read that is under way."""

MOST_BYTES = 1000
"""No progress file is longer."""

MOST_FAILURES = 3
"""Reads in a row that may fail: a connection can break for a moment, but a refused login stays refused."""

MACHINE_CALLBACKS = ("json", "jsonl")
"""Callbacks whose standard output is for programs; with them the lines go to standard error."""

Read = t.Callable[[], bytes]


class ProgressAction(NormalAction):
    """Runs the module of its own name as Ansible would without an action plugin, and prints its progress."""

    @property
    def _interval(self) -> int:
        """Seconds between two lines, 0 for none. The module itself refuses a bad value."""
        try:
            interval = int(self._task.args.get("progress_interval", DEFAULT_INTERVAL))
        except (TypeError, ValueError):
            return 0
        silent = self._task.async_val or self._task.check_mode or self._task.no_log
        return 0 if silent else max(interval, 0)

    def _early_needs_tmp_path(self) -> bool:
        if super()._early_needs_tmp_path():
            return True
        # With pipelining, only the progress lines need the folder. A folder that another unprivileged user can write to
        # needs settings that many hosts do not have, and the lines are not worth that.
        return bool(self._interval and not (self._is_become_unprivileged() and self._is_pipelining_enabled("new")))

    def _update_module_args(self, module_name: t.Any, module_args: t.Any, *args: t.Any, **more: t.Any) -> None:
        super()._update_module_args(module_name, module_args, *args, **more)
        if self._interval and self._is_become_unprivileged():
            # Ansible does not name the folder to a user that usually cannot write to it.
            module_args["_ansible_tmpdir"] = self._connection._shell.tmpdir

    def _fixup_perms2(self, remote_paths: t.Any, *args: t.Any, **more: t.Any) -> t.Any:
        """Where an access control list lets the user of a module into its folder, let that user write there too."""
        fixed = super()._fixup_perms2(remote_paths, *args, **more)
        folder = self._connection._shell.tmpdir
        if self._interval and folder in remote_paths and self._is_become_unprivileged():
            with contextlib.suppress(Exception):
                self._remote_set_user_facl([folder], self.get_become_option("become_user"), "rwx")
        return fixed

    def _execute_module(self, *args: t.Any, **options: t.Any) -> t.Any:
        with self._progress_lines(options.get("task_vars") or {}):
            return super()._execute_module(*args, **options)

    def _progress_lines(self, task_vars: t.Mapping[str, t.Any]) -> contextlib.AbstractContextManager[t.Any]:
        """The context that prints lines; it does nothing if no lines are wanted or possible."""
        interval, folder = self._interval, self._connection._shell.tmpdir
        if not interval or not folder:
            return contextlib.nullcontext()
        host = task_vars.get("inventory_hostname", self._play_context.remote_addr)
        place = f"{host} -> {self._task.delegate_to}" if self._task.delegate_to else host
        prefix = f"[{place}] {self._task.action.rpartition('.')[2]}: "
        path = os.path.join(folder, FILE_NAME)
        if self._connection.transport == "local":
            return ProgressPrinter(prefix, interval, READ_SECONDS, lambda: _head(path))
        if self._connection.transport == "ssh":
            return ProgressPrinter(prefix, interval, min(interval / 2, REMOTE_READ_SECONDS), RemoteHead(self, path))
        return contextlib.nullcontext()


class RemoteHead:
    """Reads a file through an SSH connection of its own, which shares a multiplexed connection if there is one.

    The connection of the task is busy, and two threads cannot share it.
    """

    def __init__(self, action: ProgressAction, path: str) -> None:
        self._command = f"head -c {MOST_BYTES} {shlex.quote(path)}"
        self._connection: t.Any = None
        with contextlib.suppress(Exception):
            busy = action._connection
            loader = action._shared_loader_obj.connection_loader
            connection = loader.get(busy._load_name, action._play_context, new_stdin=None)
            connection.set_options(direct=busy.get_options())
            self._connection = connection

    def __call__(self) -> bytes:
        if not self._connection:
            raise OSError("no connection")
        _status, output, _errors = self._connection.exec_command(self._command, in_data=None, sudoable=False)
        return output


class ProgressPrinter:
    """Reads the file and prints lines, in a thread of its own, until the context ends.

    :param prefix: the beginning of each line.
    :param interval: seconds between two lines, and before the first one.
    :param pause: seconds between two reads.
    :param read: reads the file. After ``MOST_FAILURES`` failures in a row no more lines are printed; a file that does
        not exist yet is not a failure.
    """

    def __init__(self, prefix: str, interval: float, pause: float, read: Read) -> None:
        self._prefix = prefix
        self._interval = interval
        self._pause = pause
        self._read = read
        self._over = threading.Event()
        # A daemon, so that the process can end while a read hangs with the network.
        self._thread = threading.Thread(target=self._print_lines, name="progress", daemon=True)

    def __enter__(self) -> ProgressPrinter:
        self._thread.start()
        return self

    def __exit__(self, *_error: t.Any) -> None:
        self._over.set()
        self._thread.join(JOIN_SECONDS)

    def _print_lines(self) -> None:
        with contextlib.suppress(Exception):
            work, failures = WorkProgress(), 0
            next_line = time.monotonic() + self._interval
            while not self._over.wait(max(min(self._pause, next_line - time.monotonic()), 0.0)):
                try:
                    work.add(parsed(self._read()), time.monotonic())
                    failures = 0
                except FileNotFoundError:
                    failures = 0
                except Exception:
                    failures += 1
                    if failures == MOST_FAILURES:
                        return
                now = time.monotonic()
                if now < next_line:
                    continue
                next_line += self._interval * ((now - next_line) // self._interval + 1)
                line = work.line(now)
                if line and not self._over.is_set():
                    _display(f"{self._prefix}{line}")


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(MOST_BYTES)


def _display(line: str) -> None:
    callback = str(C.DEFAULT_STDOUT_CALLBACK).rpartition(".")[2]
    Display().display(line, stderr=callback in MACHINE_CALLBACKS)

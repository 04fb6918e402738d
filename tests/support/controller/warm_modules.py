# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that has imported what the modules of awx.awx need, and forks for each of them.

A set-up runs a hundred, and each would spend most of its time on the imports. What runs is what Ansible sends, with the
environment that it would have.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

SOCKET = "SITEOPS_WARM_MODULES"
PLUGINS = Path(__file__).with_name("connection_plugins")
NEEDED = (
    "ansible.module_utils.basic",
    "ansible.module_utils.urls",
    "ansible_collections.awx.awx.plugins.module_utils.controller_api",
)
TESTS = Path(__file__).parents[2]
NO_ANSWER = 250


@contextlib.contextmanager
def warm_modules(collections: Path) -> Iterator[dict[str, str]]:
    """The environment with which Ansible uses such a process, while it lives.

    ``collections`` is the folder that ``ansible_collections`` with awx.awx in it is in.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        process = subprocess.Popen([sys.executable, "-P", __file__, path, str(collections)], stdout=subprocess.PIPE)
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            python_path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
            yield {SOCKET: path, "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS), "PYTHONPATH": python_path}
        finally:
            process.terminate()
            process.wait()
            if process.stdout:
                process.stdout.close()


def run_there(path: str, script: bytes) -> tuple[int, bytes, bytes]:
    """How a script ended in a fork of the process at this socket: its exit status and both outputs."""
    with (
        socket.socket(socket.AF_UNIX) as connection,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        connection.connect(path)
        head = json.dumps({"size": len(script), "environment": dict(os.environ), "folder": os.getcwd()}).encode()
        socket.send_fds(connection, [len(head).to_bytes(8, "big")], [output.fileno(), errors.fileno()])
        connection.sendall(head + script)
        status = connection.recv(1)
        output.seek(0)
        errors.seek(0)
        return (status[0] if status else NO_ANSWER), output.read(), errors.read()


def _serve(path: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        print("ready", flush=True)
        while True:
            connection, _peer = listener.accept()
            with connection:
                if not os.fork():
                    listener.close()
                    os._exit(_answer(connection))


def _answer(connection: socket.socket) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, outputs, _flags, _address = socket.recv_fds(connection, 8, 2)
    with connection.makefile("rb") as stream:
        head = json.loads(stream.read(int.from_bytes(length, "big")))
        script = stream.read(head["size"])
    os.environ.clear()
    os.environ.update(head["environment"])
    os.chdir(head["folder"])
    for number, descriptor in enumerate(outputs, start=1):
        os.dup2(descriptor, number)
    status = _run(script)
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([status]))
    return 0


def _run(script: bytes) -> int:
    sys.argv = ["-"]
    try:
        exec(compile(script, "<stdin>", "exec"), sys.modules["__main__"].__dict__)  # noqa: S102
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[2])
    for name in NEEDED:
        importlib.import_module(name)
    _serve(sys.argv[1])

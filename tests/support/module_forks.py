# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the Python that runs Ansible's modules, without the time that Python takes to start and to import.

Nine tenths of a play's time go there. The stand-in hands its arguments and all that it inherited to a process that has
imported what modules import, and that forks a process to run what Python would have run. This process also
keeps what Python compiled, which it otherwise does again for every module, because modules come in archives. It has a
single thread, so that a fork is safe.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import hashlib
import importlib
import json
import marshal
import os
import select
import socket
import subprocess
import sys
import tempfile
import traceback
import types
import zipimport
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from support import inherited

IMPORTED = (
    *("argparse", "ast", "base64", "calendar", "csv", "ctypes", "dataclasses", "datetime", "decimal", "email.message"),
    *("fcntl", "grp", "http.client", "http.cookiejar", "inspect", "ipaddress", "locale", "logging", "mimetypes"),
    *("pathlib", "pkgutil", "platform", "pwd", "queue", "requests", "runpy", "secrets", "select", "shlex", "shutil"),
    *("ssl", "stat", "string", "subprocess", "syslog", "tempfile", "textwrap", "threading", "traceback", "typing"),
    *("urllib.request", "uuid", "zipfile"),
)
"""What modules import of Python's own library, and the one package that all of the collection's modules need."""

IMPORTED_WHERE_INSTALLED = (
    *("ansible.module_utils._internal._ansiballz._loader", "ansible.module_utils.basic", "ansible.module_utils.urls"),
    *("distro", "paramiko", "typing_extensions"),
)
"""Ansible's part of a module, which is then not that of its archive, what it takes from the system, and paramiko."""

STAND_IN = Path(__file__).with_name("stand_in_python.py")
LENGTH = 4096
STREAMS = 3


@contextlib.contextmanager
def interpreter() -> Iterator[str]:
    """The path of the stand-in while the process behind it runs."""
    with tempfile.TemporaryDirectory(prefix="module-forks-") as folder:
        program, address = Path(folder, "python"), Path(folder, "socket")
        values = f"PYTHON, ADDRESS, TESTS = {sys.executable!r}, {str(address)!r}, {str(STAND_IN.parents[1])!r}"
        text = STAND_IN.read_text(encoding="utf-8").replace('PYTHON = ADDRESS = TESTS = ""', values)
        program.write_text(f"#!{sys.executable} -IS\n{text}", encoding="utf-8")
        program.chmod(0o755)
        command = [sys.executable, "-m", "support.module_forks", folder]
        # It ends with its standard input, so also when this process is killed.
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline()
            try:
                yield str(program)
            finally:
                process.terminate()


def serve(folder: Path) -> None:
    """Fork for each stand-in that calls, until the end of the standard input."""
    for module in IMPORTED:
        importlib.import_module(module)
    for module in IMPORTED_WHERE_INSTALLED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    # Private, but its two arguments are the same in every Python from 3.8 to 3.14.
    zipimport._compile_source = kept_in(folder, zipimport._compile_source)  # type: ignore[attr-defined]
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen(128)
        print("listening", flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            stand_in, _address = listener.accept()
            with stand_in:
                if not os.fork():
                    listener.close()
                    _answer(stand_in)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    continue


def kept_in(folder: Path, compiled: Callable[[str, bytes], Any]) -> Callable[[str, bytes], Any]:
    """A function that compiles as the given one does, but each text once."""

    def look_up(path: str, source: bytes) -> Any:
        kept = folder / hashlib.sha256(source).hexdigest()
        try:
            return marshal.loads(kept.read_bytes())
        except FileNotFoundError:
            code = compiled(path, source)
            new = kept.with_name(f"{kept.name}.{os.getpid()}")
            new.write_bytes(marshal.dumps(code))
            new.replace(kept)
            return code

    return look_up


def _answer(stand_in: socket.socket) -> NoReturn:
    """Run what the stand-in was to run, tell it the exit status as a shell does, and end."""
    child = os.fork()
    if not child:
        _be_python(stand_in)
    _process, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    with contextlib.suppress(OSError):
        stand_in.sendall(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def _be_python(stand_in: socket.socket) -> NoReturn:
    """Run what the stand-in was to run, and end as Python does."""
    status: Any = 1
    try:
        _run(stand_in)
        status = 0
    except SystemExit as end:
        status = end.code
        if isinstance(status, str):
            print(status, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status & 0xFF if isinstance(status, int) else int(status is not None))


def _run(stand_in: socket.socket) -> None:
    first, streams, _flags, _address = socket.recv_fds(stand_in, LENGTH, STREAMS)
    order = json.loads(first + b"".join(iter(lambda: stand_in.recv(LENGTH), b"")))
    stand_in.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    inherited.take(**order["inherited"])
    tempfile.tempdir = None
    arguments = order["arguments"]
    script = arguments[0] if arguments else "<stdin>"
    source = Path(script).read_bytes() if arguments else sys.stdin.buffer.read()
    sys.argv = arguments or [""]
    sys.path[0] = str(Path(script).parent) if arguments else ""
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=script, __builtins__=__builtins__)
    sys.modules["__main__"] = main
    exec(compile(source, script, "exec", dont_inherit=True), main.__dict__)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))

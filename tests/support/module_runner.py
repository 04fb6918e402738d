# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules run in a process that is forked for each run: as quick as a function call, as clean as a new process.

Run as a program this is the parent of those processes. It has a single thread, so that a fork is safe, and has the
modules imported. It reads one JSON object a line and answers with one. As a program it also is one module alone, for
somebody who kills it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

MODULES = "ansible_collections.siteops.upgrades.plugins.modules"
LIBRARIES = ("paramiko", "requests")
"""What takes long to import."""

FLAGS: Mapping[str, Mapping[str, Any]] = {
    "--check": {"_ansible_check_mode": True},
    "--diff": {"_ansible_diff": True},
    "-vvvv": {"_ansible_verbosity": 4},
    "INJECT_INVOCATION": {"_ansible_inject_invocation": True},
}
"""What Ansible gives a module for its own flags, and for a setting that -vvv turns on."""

ALONE = "--alone"


class ModuleRun(NamedTuple):
    """``result`` is what the module returned; ``output`` is everything that was written to both streams."""

    result: dict[str, Any]
    output: str

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))

    @property
    def msg(self) -> str:
        return str(self.result.get("msg", ""))

    @property
    def warnings(self) -> str:
        """The warnings on one line."""
        return " ".join(" ".join(map(str, self.result.get("warnings", ()))).split())


class ModuleRunner:
    """Runs modules one after another; use it as a context manager.

    :param surroundings: names a Python module whose ``surround(order)`` is a context manager; each run happens in it.
    """

    def __init__(self, surroundings: str = "") -> None:
        self._command = [sys.executable, "-m", "support.module_runner", *filter(None, [surroundings])]

    def __enter__(self) -> ModuleRunner:
        # It lives longer than the folder for temporary files of the test that happens to start it.
        env = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
        self._parent = subprocess.Popen(
            self._command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._parent.stdin
        assert self._parent.stdout
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()

    def run(
        self, module: str, options: Mapping[str, Any], *flags: str, env: Mapping[str, str], **for_surroundings: Any
    ) -> ModuleRun:
        """Run one module to its end, in this environment and with the umask of this process."""
        assert self._parent.stdin
        assert self._parent.stdout
        own = {name: value for flag in flags for name, value in FLAGS[flag].items()}
        order = {
            **for_surroundings,
            "module": module,
            "options": {**options, **own},
            "environment": dict(env),
            "umask": _umask(),
        }
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        output = json.loads(self._parent.stdout.readline())["output"]
        start = output.find("\n{")
        if start < 0:
            raise AssertionError(f"the module returned nothing:\n{output}")
        result, _end = json.JSONDecoder().raw_decode(output[start + 1 :])
        return ModuleRun(result, output)


def command_of_module(module: str, options: Mapping[str, Any]) -> list[str]:
    """The command of a process that is this module and nothing else."""
    return [sys.executable, "-m", "support.module_runner", ALONE, module, json.dumps(dict(options))]


def _umask() -> int:
    """Without setting it for a moment: another thread might make a file meanwhile."""
    status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    return int(status.partition("\nUmask:")[2].split()[0], 8)


def serve(orders: IO[str], answers: IO[str], surroundings: str = "") -> None:
    """Fork for each order and answer with what the child wrote to both streams."""
    names = [f"{MODULES}.{module.name}" for module in pkgutil.iter_modules(importlib.import_module(MODULES).__path__)]
    for name in (*LIBRARIES, *names):
        importlib.import_module(name)
    surround = importlib.import_module(surroundings).surround if surroundings else contextlib.nullcontext
    for line in orders:
        order = json.loads(line)
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            child = os.fork()
            if not child:
                _be_module(order, output, surround)
            os.waitpid(child, 0)
            output.seek(0)
            answers.write(json.dumps({"output": output.read()}) + "\n")
            answers.flush()


def _be_module(order: Mapping[str, Any], output: IO[str], surround: Any) -> None:
    """Be a process that runs this module and ends; never returns."""
    status = 1
    try:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        os.environ.clear()
        os.environ.update(order["environment"])
        tempfile.tempdir = None
        os.umask(order["umask"])
        with surround(order):
            _run(order["module"], order["options"])
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _run(module: str, options: dict[str, Any]) -> None:
    # Only the tests' own, newest ansible-core has this.
    from ansible.module_utils.testing import patch_module_args  # noqa: PLC0415

    with patch_module_args(options):
        importlib.import_module(f"{MODULES}.{module}").main()


if __name__ == "__main__":
    if ALONE in sys.argv:
        _run(sys.argv[2], json.loads(sys.argv[3]))
    serve(sys.stdin, sys.stdout, *sys.argv[1:])

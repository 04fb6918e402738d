# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for Python that runs modules in these tests does what Python does."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import ansible_forks, module_forks
from support.ansible_cli import run_playbook

SEEN = """
import atexit, json, os, resource, sys
atexit.register(print, "at the end")
sys.stderr.write("aside")
print(json.dumps([__name__, sys.argv, sys.path[0], os.getcwd(), os.environ.get("OF_THE_CALLER"), sys.stdin.read()]))
print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_FSIZE))
"""


@pytest.fixture(scope="module")
def stand_in() -> Iterator[str]:
    """Its path."""
    with module_forks.interpreter() as program:
        yield program


def run(program: str, *arguments: str, **options: Any) -> tuple[int, str, str]:
    ended = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60, **options)
    return ended.returncode, ended.stdout, ended.stderr


def limited() -> None:
    os.umask(0o027)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 8192))


def test_a_file_runs_with_the_callers_arguments_environment_folder_and_streams(stand_in: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SEEN, encoding="utf-8")
    (tmp_path / "folder").mkdir()
    options = {
        "cwd": tmp_path / "folder",
        "env": {"OF_THE_CALLER": "seen"},
        "input": "typed",
        "preexec_fn": limited,
    }
    seen = [run(program, str(script), "one", "two words", **options) for program in (stand_in, sys.executable)]
    assert seen[0] == seen[1]
    assert seen[0][0] == 0
    assert '"seen", "typed"]' in seen[0][1]
    assert "0o27 (4096, 8192)" in seen[0][1]


@pytest.mark.parametrize(
    "script",
    (
        "print('done')",
        "import sys; sys.exit()",
        "import sys; sys.exit(3)",
        "import sys; sys.exit('this is wrong')",
        "import os; os._exit(4)",
        "print(1 / 0)",
        "print(__name__, __annotations__ if '__annotations__' in globals() else None)\nvalue: print('evaluated') = 1",
    ),
)
def test_the_standard_input_runs_and_ends_as_in_python(stand_in: str, script: str) -> None:
    status, output, errors = run(stand_in, input=script)
    expected = run(sys.executable, input=script)
    assert (status, output) == expected[:2]
    assert errors.splitlines()[-1:] == expected[2].splitlines()[-1:]


def test_what_is_no_file_is_left_to_python(stand_in: str) -> None:
    assert run(stand_in, "-c", "import sys; print(sys.executable)")[1].strip() == sys.executable


def test_one_that_is_killed_is_told_apart(stand_in: str) -> None:
    assert run(stand_in, input="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")[0] == 137


def test_an_archive_is_compiled_anew_when_its_text_changes(stand_in: str, tmp_path: Path) -> None:
    for number in (1, 2, 1):
        zipped = tmp_path / f"{number}.zip"
        made = run(
            sys.executable,
            "-c",
            f"import zipfile; zipfile.ZipFile({str(zipped)!r}, 'w').writestr('a.py', 'N = {number}')",
        )
        assert made[0] == 0
        script = f"import sys; sys.path.insert(0, {str(zipped)!r}); import a; print(a.N, a.__file__)"
        assert run(stand_in, input=script)[1] == f"{number} {zipped}/a.py\n"


def test_a_play_inherits_what_the_test_has(tmp_path: Path) -> None:
    """Also where the process that forks for it was started before."""
    task = {"ansible.builtin.copy": {"content": "x" * 5000, "dest": "{{ file }}"}}
    play = tmp_path / "play.yml"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")

    def write(name: str) -> int:
        return run_playbook(str(play), "-e", f"file={tmp_path / name}").status

    former, limits = os.umask(0o022), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        assert write("first") == 0
        assert stat.S_IMODE((tmp_path / "first").stat().st_mode) == 0o644
        os.umask(0o077)
        assert write("second") == 0
        assert stat.S_IMODE((tmp_path / "second").stat().st_mode) == 0o600
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        assert write("third") != 0
    finally:
        os.umask(former)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_only_other_settings_need_another_process() -> None:
    env = {"HOME": "/home/one", "ANSIBLE_NOCOLOR": "true", "PYTEST_CURRENT_TEST": "one", "PLONE_URL": "http://one"}
    alike = {**env, "PYTEST_CURRENT_TEST": "two", "PLONE_URL": "http://two", "XDG_STATE_HOME": "/elsewhere"}
    assert ansible_forks.settings_of(alike) == ansible_forks.settings_of(env)
    others = [{**env, name: "other"} for name in ("HOME", "ANSIBLE_NOCOLOR", "ANSIBLE_PIPELINING", "PYTHONPATH")]
    assert len({ansible_forks.settings_of(other) for other in (env, *others)}) == 5

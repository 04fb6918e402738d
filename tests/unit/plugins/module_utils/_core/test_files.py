# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that one process at a time holds."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core import files
from ansible_collections.siteops.upgrades.plugins.module_utils._core.files import BusyError, exclusive

if t.TYPE_CHECKING:
    from pathlib import Path

LONG = 60.0


@pytest.fixture(autouse=True)
def looks_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOOK_AGAIN_AFTER", 0.01)


def test_a_new_file_is_private_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with exclusive(str(path), 0, "busy") as file:
        file.write("kept")
    assert (path.read_text(encoding="utf-8"), stat.S_IMODE(path.stat().st_mode)) == ("kept", 0o600)


def test_a_second_holder_is_refused_with_the_given_words(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    refused = pytest.raises(BusyError, match="^somebody is at it$")
    with exclusive(path, 0, ""), refused, exclusive(path, 0.05, "somebody is at it"):
        raise AssertionError("two held it")
    with exclusive(path, 0, ""):
        pass


def test_a_second_holder_waits_for_the_first(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    held = threading.Event()

    def wait_for_it() -> None:
        with exclusive(path, LONG, "busy"):
            held.set()

    thread = threading.Thread(target=wait_for_it)
    with exclusive(path, 0, ""):
        thread.start()
        assert not held.wait(0.1)
    thread.join(LONG)
    assert held.is_set()


def test_who_waits_for_a_file_that_is_unlinked_holds_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    same: list[bool] = []

    def wait_for_it() -> None:
        with exclusive(str(path), LONG, "busy") as file:
            same.append(os.path.samestat(os.stat(path), os.fstat(file.fileno())))

    thread = threading.Thread(target=wait_for_it)
    with exclusive(str(path), 0, ""):
        thread.start()
        path.unlink()
    thread.join(LONG)
    assert same == [True]


def test_the_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    program = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
        "print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError), exclusive(path, 0, "busy"):
            raise AssertionError("two held it")
    finally:
        holder.kill()
        holder.communicate()
    with exclusive(path, LONG, "busy"):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious", encoding="utf-8")
    (tmp_path / "lock").symlink_to(target)
    with pytest.raises(OSError, match="lock"), exclusive(str(tmp_path / "lock"), 0, "busy"):
        raise AssertionError("followed")

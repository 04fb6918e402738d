# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of rsync: what is read of its output, and how its end is understood."""

from __future__ import annotations

import threading
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.resume import BrokenOffError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.rsync import (
    HostKeyRefused,
    Rsync,
    Run,
    silence_for,
)

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., Run]:
    """Run a script in the place of rsync."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("ODOO_UPGRADE_REQUEST_TOKEN", "secret")

    def ran(script: str, *arguments: str, silence: float = 20, **more: t.Any) -> Run:
        (programs / "rsync").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (programs / "rsync").chmod(0o755)
        return Rsync(arguments, str(tmp_path), silence=silence, **more).run()

    return ran


OUTPUT = r"""
printf '\r          32,768'
printf '\r          32768   1%%    0.00kB/s    0:00:00 (xfr#0, to-chk=5/6)'
printf '\r        1048576  50%%   99.00MB/s    0:00:00 (xfr#1, to-chk=4/6)\n'
echo '<fcsT...... shop.sql'
echo '.d..t...... ./'
echo '*deleting   old.dat'
echo 'cL+++++++++ link -> x'
echo 'Literal data: 700000 bytes'
echo 'Matched data: 348576 bytes'
"""


def test_the_output_is_read(run: t.Callable[..., Run]) -> None:
    counts: list[int] = []
    ended = run(OUTPUT, moved=counts.append)
    assert (ended.status, ended.done, ended.first, ended.moved, ended.matched) == (0, 1048576, 32768, 700000, 348576)
    assert counts == [32768, 1048576]
    assert ended.sent_files
    assert ended.changes == ["shop.sql", "old.dat", "link -> x"]


def test_without_its_figures_the_progress_says_what_moved(run: t.Callable[..., Run]) -> None:
    ended = run(r"printf '\r 100 1%% x\r 900 9%% x\n'")
    assert (ended.moved, ended.sent_files) == (800, False)


def test_it_gets_its_arguments_patterns_and_nothing_else(run: t.Callable[..., Run], tmp_path: Path) -> None:
    ended = run('pwd; echo "$1|$2"; cat; env', "a b", "$(x)", patterns="/1.dat\n/2.dat\n")
    assert ended.lines[:4] == [str(tmp_path), "a b|$(x)", "/1.dat", "/2.dat"]
    assert "secret" not in " ".join(ended.lines)


def test_patterns_that_nobody_reads_are_no_trouble(run: t.Callable[..., Run]) -> None:
    assert run("exec 0<&-; exit 3", patterns="/x\n" * 100_000).status == 3


def test_a_silent_run_is_ended(run: t.Callable[..., Run]) -> None:
    ended = run("echo begun; exec sleep 60", silence=0.2)
    assert ended.silent
    with pytest.raises(BrokenOffError, match="The upload was ended: rsync said nothing for too long"):
        ended.require_success("The upload")


def test_a_run_that_closed_its_outputs_and_stays_is_ended(run: t.Callable[..., Run]) -> None:
    assert run("exec >&- 2>&-; exec sleep 60", silence=0.2).silent


def test_it_can_be_stopped_from_another_thread(tmp_path: Path, run: t.Callable[..., Run]) -> None:
    assert run("exit 0").status == 0
    (tmp_path / "bin" / "rsync").write_text("#!/bin/sh\necho 1 1%\nexec sleep 60\n", encoding="ascii")
    begun = threading.Event()
    rsync = Rsync([], str(tmp_path), moved=lambda _count: begun.set(), silence=30)
    ended: list[Run] = []
    thread = threading.Thread(target=lambda: ended.append(rsync.run()))
    thread.start()
    assert begun.wait(20)
    rsync.stop()
    thread.join(20)
    assert ended[0].status


def test_one_that_was_stopped_before_it_began_ends_at_once(tmp_path: Path, run: t.Callable[..., Run]) -> None:
    assert run("exit 0").status == 0
    (tmp_path / "bin" / "rsync").write_text("#!/bin/sh\nexec sleep 60\n", encoding="ascii")
    rsync = Rsync([], str(tmp_path), silence=30)
    rsync.stop()
    assert rsync.run().status


def test_one_that_cannot_be_started(tmp_path: Path, run: t.Callable[..., Run]) -> None:
    run("exit 0")
    with pytest.raises(UpgradeError, match="rsync cannot be started: No such file"):
        Rsync([], str(tmp_path / "gone"), silence=1).run()


@pytest.mark.parametrize("status", (10, 12, 20, 30, 35, 255))
def test_a_connection_that_failed_is_tried_again(status: int) -> None:
    run = Run(status=status, words="ssh: connect to host h port 4: Connection refused\r\nrsync error: x.\n")
    with pytest.raises(BrokenOffError) as caught:
        run.require_success("The upload")
    assert f"exit status {status}: ssh: connect to host h port 4: Connection refused" in str(caught.value)


@pytest.mark.parametrize("status", (1, 2, 11, 23, 24))
def test_what_will_not_pass_is_a_failure(status: int) -> None:
    with pytest.raises(UpgradeError) as caught:
        Run(status=status, words="rsync: write failed: No space left on device (28)").require_success("The download")
    assert not isinstance(caught.value, BrokenOffError)
    assert "No space left on device (28)" in str(caught.value)


@pytest.mark.parametrize(
    "words",
    (
        "Host key verification failed.\nrsync: connection unexpectedly closed",
        "@@@@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n",
        "No ED25519 host key is known for [h]:4 and you have requested strict checking.",
    ),
)
@pytest.mark.parametrize("status", (12, 255))
def test_a_stranger_is_never_tried_again(words: str, status: int) -> None:
    with pytest.raises(HostKeyRefused, match="'known_hosts'") as caught:
        Run(status=status, words=words).require_success("The upload")
    assert not isinstance(caught.value, BrokenOffError)
    assert "man-in-the-middle" in str(caught.value)


def test_the_reason_is_one_line_without_what_repeats() -> None:
    run = Run(words="@@@@\nbroken pipe\n\nbroken pipe\nand more.\n")
    assert run.explanation == "broken pipe; and more"
    assert Run().explanation == "it gives no reason"
    assert len(Run(words="x" * 5000).explanation) <= 601


def test_a_big_file_may_be_read_in_silence() -> None:
    assert silence_for(0, 10) == 60
    assert silence_for(0, 100) == 400
    assert silence_for(20 * 1024 * 1024 * 3600, 10) > 7200

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runs of rsync an open transfer makes, over how many connections, and what proves that both ends agree."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer import rsync_transfer
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump import TransferStats
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.resume import BrokenOffError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.rsync import Run
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.rsync_transfer import (
    Job,
    Manner,
    OpenTransfer,
    Server,
    require_same,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_command import SshFolder

MIB = 1024 * 1024
FILES = {"toc.dat": 1000, **{f"{number}.dat": 5 * MIB for number in range(4)}}
UPLOAD = Job("The upload", True, ("/var/dump/",), "/data/origin.dump", sum(FILES.values()), FILES, ("--delete-after",))
DOWNLOAD = Job("The download", False, ("/data/upgraded.zip", "/data/filestore"), "/var/result.part/", 7)
LOST = Run(status=12, words="connection unexpectedly closed")


class Seen:
    """What a progress line is told."""

    def __init__(self) -> None:
        self.counts: list[tuple[int, int | None]] = []

    def moved(self, count: int, size: int | None) -> None:
        self.counts.append((count, size))


@dataclass
class Script:
    """Runs in the place of rsync, which end as ``answer`` says."""

    answer: t.Callable[[list[str], str], Run]
    runs: list[tuple[list[str], str]] = field(default_factory=list)
    stopped: int = 0
    lock: t.Any = field(default_factory=threading.Lock)

    def rsync(self, arguments: list[str], folder: str, **more: t.Any) -> t.Any:
        script = self

        class Fake:
            def run(self) -> Run:
                with script.lock:
                    script.runs.append((arguments, more["patterns"]))
                ended = script.answer(arguments, more["patterns"])
                if ended.done:
                    more["moved"](ended.done)
                return ended

            def stop(self) -> None:
                script.stopped += 1

        assert folder == "/run/shop.json.ssh"
        return Fake()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., Script]:
    monkeypatch.setattr(rsync_transfer, "ssh_command", lambda port, timeout, options: f"ssh -p {port}")

    def made(answer: t.Callable[[list[str], str], Run]) -> Script:
        played = Script(answer)
        monkeypatch.setattr(rsync_transfer, "Rsync", played.rsync)
        return played

    return made


def opened(connections: int = 4, **more: bool) -> tuple[OpenTransfer, TransferStats]:
    stats = TransferStats()
    manner = Manner(SshFolder("/run/shop.json.ssh"), 20, connections, 5)
    return OpenTransfer(Server("up1.odoo.com", 40022, "lines"), manner, stats, **more), stats


def test_an_upload_names_the_server_and_keeps_what_arrived(script: t.Callable[..., Script]) -> None:
    played = script(lambda _arguments, _patterns: Run(done=9, literal=9, matched=2))
    transfer, stats = opened(connections=1)
    transfer.carry(UPLOAD, t.cast("t.Any", Seen()))
    [(arguments, patterns)] = played.runs
    assert arguments[-3:] == ["--rsh=ssh -p 40022", "/var/dump/", "odoo@up1.odoo.com:/data/origin.dump"]
    assert {"--recursive", "--links", "--times", "--partial", "--delete-after"} <= set(arguments)
    assert not {"--append", "--append-verify", "--whole-file", "--inplace", "-a"} & set(arguments)
    assert patterns == ""
    assert (stats.moved, stats.resumed_from, stats.connections) == (9, 2, 1)


def test_a_download_names_the_server_before_each_source(script: t.Callable[..., Script]) -> None:
    played = script(lambda _arguments, _patterns: Run())
    opened()[0].carry(DOWNLOAD, t.cast("t.Any", Seen()))
    [(arguments, _patterns)] = played.runs
    there = "odoo@up1.odoo.com:/data/"
    assert arguments[-3:] == [f"{there}upgraded.zip", f"{there}filestore", "/var/result.part/"]


def test_the_options_of_the_official_script_are_all_that_a_plain_transfer_uses(script: t.Callable[..., Script]) -> None:
    played = script(lambda _arguments, _patterns: Run())
    opened(plain=True)[0].carry(UPLOAD, t.cast("t.Any", Seen()))
    [(arguments, _patterns)] = played.runs
    assert not {"--partial", "--stats"} & set(arguments)


def test_files_are_spread_over_the_connections(script: t.Callable[..., Script]) -> None:
    played = script(lambda _arguments, _patterns: Run(done=5 * MIB, literal=5 * MIB))
    transfer, stats = opened()
    seen = Seen()
    transfer.carry(UPLOAD, t.cast("t.Any", seen))
    assert stats.connections == 4
    names = [line.removeprefix("/") for _arguments, patterns in played.runs for line in patterns.splitlines()]
    assert sorted(names) == sorted(FILES)
    assert all("--delete-after" not in arguments and "--exclude=*" in arguments for arguments, _patterns in played.runs)
    assert seen.counts[-1] == (20 * MIB, UPLOAD.size)
    assert [count for count, _size in seen.counts] == sorted(count for count, _size in seen.counts)


@pytest.mark.parametrize(
    ("files", "connections", "expected"),
    (
        (FILES, 1, 1),
        (FILES, 2, 2),
        (FILES, 16, 5),
        ({"a.dat": 7 * MIB}, 4, 1),
        ({"a.dat": 3 * MIB, "b.dat": 3 * MIB}, 4, 1),
        ({"a.dat": 8 * MIB, "b.dat": 1}, 4, 2),
        ({"a b": 8 * MIB, "c\nd": 8 * MIB, "*": 8 * MIB, "../x": 8 * MIB}, 4, 1),
        ({}, 4, 1),
    ),
    ids=("one asked", "two asked", "as many as files", "one file", "too little", "just enough", "strange", "none"),
)
def test_how_many_connections_are_worth_it(
    files: dict[str, int], connections: int, expected: int, script: t.Callable[..., Script]
) -> None:
    played = script(lambda _arguments, _patterns: Run(done=1, literal=1))
    job = Job("The upload", True, ("/var/dump/",), "/data/origin.dump", sum(files.values()), files)
    opened(connections)[0].carry(job, t.cast("t.Any", Seen()))
    assert len(played.runs) == expected


def test_folders_of_files_are_named_too(script: t.Callable[..., Script]) -> None:
    played = script(lambda _arguments, _patterns: Run(done=1, literal=1))
    files = {"upgraded.dump/blobs/1.dat": 5 * MIB, "upgraded.dump/2.dat": 5 * MIB}
    opened()[0].carry(Job("The download", False, ("/data/upgraded.dump",), "/x/", 1, files), t.cast("t.Any", Seen()))
    patterns = {patterns for _arguments, patterns in played.runs}
    assert "/upgraded.dump/\n/upgraded.dump/blobs/\n/upgraded.dump/blobs/1.dat\n" in patterns


def only_the_first(arguments: list[str], patterns: str) -> Run:
    return Run(done=5 * MIB, literal=5 * MIB) if not patterns or "/0.dat" in patterns else LOST


def test_where_others_are_refused_one_connection_carries_the_rest(script: t.Callable[..., Script]) -> None:
    played = script(only_the_first)
    transfer, stats = opened()
    transfer.carry(UPLOAD, t.cast("t.Any", Seen()))
    assert [bool(patterns) for _arguments, patterns in played.runs] == [True] * 4 + [False]
    assert (transfer.single, stats.connections) == (True, 1)


def test_where_all_are_cut_it_has_broken_off(script: t.Callable[..., Script]) -> None:
    script(lambda _arguments, _patterns: Run(status=12, words="cut", done=3 * MIB, literal=3 * MIB))
    transfer, stats = opened()
    with pytest.raises(BrokenOffError, match="cut"):
        transfer.carry(UPLOAD, t.cast("t.Any", Seen()))
    assert (transfer.single, transfer.furthest, stats.moved) == (False, 12 * MIB, 12 * MIB)


def test_a_run_that_cannot_be_started_is_one_that_failed(script: t.Callable[..., Script]) -> None:
    def fails(_arguments: list[str], _patterns: str) -> Run:
        raise UpgradeError("rsync cannot be started: Permission denied.")

    script(fails)
    with pytest.raises(UpgradeError, match="rsync cannot be started: Permission denied"):
        opened()[0].carry(UPLOAD, t.cast("t.Any", Seen()))


def test_files_on_the_server_are_listed(script: t.Callable[..., Script]) -> None:
    lines = [
        "drwxr-x---           4096 2026/11/21 03:00:00 upgraded.dump",
        "-rw-r-----           1234 2026/11/21 03:00:00 upgraded.dump/a b.dat",
        "-rw-r-----              0 2026/11/21 03:00:00 upgraded.dump/toc.dat",
        "lrwxrwxrwx              3 2026/11/21 03:00:00 upgraded.dump/x -> y",
        "motd: welcome",
    ]
    played = script(lambda _arguments, _patterns: Run(lines=lines))
    transfer, _stats = opened()
    assert transfer.list_files("/data/upgraded.dump") == {"upgraded.dump/a b.dat": 1234, "upgraded.dump/toc.dat": 0}
    assert played.runs[0][0][-1] == "odoo@up1.odoo.com:/data/upgraded.dump"
    script(lambda _arguments, _patterns: Run(status=1, lines=lines))
    assert transfer.list_files("/data/upgraded.dump") == {}


def is_comparison(arguments: t.Sequence[str]) -> bool:
    return "--dry-run" in arguments


def is_repair(arguments: t.Sequence[str]) -> bool:
    return "--checksum" in arguments and not is_comparison(arguments)


@pytest.mark.parametrize("refused_status", (0, 12))
def test_the_same_on_both_ends(refused_status: int, script: t.Callable[..., Script]) -> None:
    """One comparison proves it; where that is refused, sizes and times have to do, with a warning."""
    played = script(lambda arguments, _patterns: Run(status=refused_status if is_comparison(arguments) else 0))
    warnings: list[str] = []
    require_same(opened()[0], UPLOAD, warnings.append)
    assert len(played.runs) == (1 if not refused_status else 2)
    assert ["does not let rsync compare" in warning for warning in warnings] == [True] * bool(refused_status)


def test_what_differs_is_repaired_once(script: t.Callable[..., Script]) -> None:
    repaired: list[bool] = []

    def answer(arguments: list[str], _patterns: str) -> Run:
        if is_repair(arguments):
            repaired.append(True)
        return Run(changes=["1.dat"] if is_comparison(arguments) and not repaired else [])

    script(answer)
    require_same(opened()[0], UPLOAD, pytest.fail)
    assert repaired == [True]


def test_what_still_differs_is_a_failure(script: t.Callable[..., Script]) -> None:
    played = script(lambda arguments, _patterns: Run(changes=["1.dat", "2.dat"] if is_comparison(arguments) else []))
    with pytest.raises(BrokenOffError, match=r"2 files differ on the two ends, such as 1\.dat"):
        require_same(opened()[0], UPLOAD, pytest.fail)
    assert sum(is_repair(arguments) for arguments, _patterns in played.runs) == 1


def test_a_comparison_that_is_refused_while_files_are_missing_proves_nothing(script: t.Callable[..., Script]) -> None:
    """rsync ends with 12 for a refused command and for a cut line alike."""
    script(lambda arguments, _patterns: LOST if is_comparison(arguments) else Run(sent_files=True))
    with pytest.raises(BrokenOffError, match="exit status 12"):
        require_same(opened()[0], UPLOAD, pytest.fail)


@pytest.mark.parametrize("status", (1, 23, 255))
def test_a_comparison_that_fails_otherwise_is_a_failure(status: int, script: t.Callable[..., Script]) -> None:
    script(lambda arguments, _patterns: Run(status=status if is_comparison(arguments) else 0))
    with pytest.raises(UpgradeError, match=f"exit status {status}"):
        require_same(opened()[0], UPLOAD, pytest.fail)

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that is read while it may change, and what its first bytes say it is."""

from __future__ import annotations

import hashlib
import os
import random
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.progress import Progress
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump import (
    MEBIBYTE,
    CheckpointPace,
    DumpChangedError,
    HashedBody,
    open_dump,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ranges import Prefix

if t.TYPE_CHECKING:
    from pathlib import Path

CONTENT = random.Random(7).randbytes(300_000)


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "shop.dump"
    file.write_bytes(CONTENT)
    return str(file)


def test_a_body_is_hashed_while_it_is_read(path: str) -> None:
    with open_dump(path, "src") as dump:
        body = HashedBody(dump, Progress(None))
        blocks = list(iter(lambda: body.read(100_000), b""))
    assert [len(block) for block in blocks] == [100_000] * 3
    assert b"".join(blocks) == CONTENT
    assert body.sha256 == hashlib.sha256(CONTENT).hexdigest()


def change_time(path: str) -> None:
    os.utime(path, (1, 1))


def truncate(path: str) -> None:
    os.truncate(path, 100)


def append(path: str) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


@pytest.mark.parametrize("change", (change_time, truncate, append))
def test_the_last_bytes_of_a_dump_that_changed_are_not_given_out(path: str, change: t.Callable[[str], None]) -> None:
    with open_dump(path, "src") as dump:
        body = HashedBody(dump, Progress(None))
        body.read(100_000)
        change(path)
        with pytest.raises(DumpChangedError):
            while body.read(100_000):
                pass
        assert body.offset < dump.size


def test_a_dump_that_was_replaced_is_sent_as_it_was(path: str) -> None:
    with open_dump(path, "src") as dump:
        os.rename(path, path + ".old")
        with open(path, "wb") as file:
            file.write(b"another")
        assert b"".join(block for _offset, block in dump.blocks(0, 70_000)) == CONTENT


@pytest.mark.parametrize("size", (0, 1, 299_999, 300_000))
def test_a_prefix_is_known_by_its_hash(path: str, size: int) -> None:
    with open_dump(path, "src") as dump:
        digest = dump.has(Prefix(size, hashlib.sha256(CONTENT[:size]).hexdigest()))
        assert digest is not None
        digest.update(CONTENT[size:])
        assert digest.hexdigest() == hashlib.sha256(CONTENT).hexdigest()
        assert dump.has(Prefix(size, hashlib.sha256(b"other").hexdigest())) is None
        assert dump.has(Prefix(300_001, hashlib.sha256(CONTENT).hexdigest())) is None


def test_what_is_no_dump_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "empty", tmp_path / "pipe", "/dev/null"):
        with pytest.raises(OptionError, match="'src'"), open_dump(str(path), "src"):
            pass


def test_checkpoints_come_often_at_first() -> None:
    pace = CheckpointPace(0)
    due = [mebibytes for mebibytes in range(1, 300) if pace.due(mebibytes * MEBIBYTE)]
    assert due[:5] == [4, 8, 16, 32, 64]
    assert all(later - earlier <= 64 for earlier, later in zip(due, due[1:]))

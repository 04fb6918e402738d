# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine remembers of a change that it posted, whatever happens to the run and to the file."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.files import BusyError
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.journal import (
    Posted,
    SiteJournal,
    clear_if_finished,
    open_journal,
)

if t.TYPE_CHECKING:
    from pathlib import Path

URL = "https://plone.example.org/Plone"
WHAT = "the upgrade from 6018"
ODD_FIELDS: tuple[dict[str, t.Any], ...] = (
    {"more": 1},
    {"posted_at": None},
    {"posted_at": "0"},
    {"believed_until": []},
    {"what": 5},
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the journals are."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "siteops.upgrades"


def post_and_die(wait_timeout: float = 60) -> str:
    """A run that posts and does not see the end; returns the path of its journal."""
    with open_journal(URL, 0) as journal:
        journal.write(Posted.now(WHAT, wait_timeout))
        return journal.path


def remembered(url: str = URL, what: str = WHAT) -> Posted | None:
    with open_journal(url, 0) as journal:
        return journal.posted(what)


def test_the_next_run_knows_what_was_posted(folder: Path) -> None:
    before = time.time()
    path = post_and_die(wait_timeout=1000)
    entry = remembered()
    assert entry is not None
    assert before <= entry.posted_at <= time.time()
    assert entry.believed_until == pytest.approx(entry.posted_at + 2000)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_short_wait_is_no_reason_to_believe_that_the_server_is_done(folder: Path) -> None:
    entry = Posted.now(WHAT, 1)
    assert entry.believed_until == entry.posted_at + 600


def test_another_change_is_not_taken_for_this_one(folder: Path) -> None:
    post_and_die()
    assert remembered(what="the upgrade from 6100") is None
    assert remembered() is not None


def test_one_site_has_one_journal_however_its_url_is_written(folder: Path) -> None:
    post_and_die()
    for url in (f"{URL}/++api++", "https://PLONE.example.org/Plone"):
        assert remembered(url) is not None
    for url in (f"{URL}2", URL.replace("https", "http"), f"{URL.replace('.org', '.org:8443')}"):
        assert remembered(url) is None


def test_nothing_stays_behind_where_the_end_was_seen(folder: Path) -> None:
    with open_journal(URL, 0) as journal:
        journal.write(Posted.now(WHAT, 60))
        journal.clear()
    assert not list(folder.iterdir())
    with pytest.raises(KeyError), open_journal(URL, 0):
        raise KeyError
    assert not list(folder.iterdir())


def test_an_entry_is_written_over(folder: Path) -> None:
    with open_journal(URL, 0) as journal:
        journal.write(Posted.now("a change with a long name " * 20, 60))
        journal.write(Posted.now(WHAT, 60))
    assert remembered() is not None


def test_a_kill_while_writing_leaves_nothing_to_believe(folder: Path) -> None:
    path = post_and_die()
    with open(path, "rb") as file:
        whole = file.read()
    for length in range(len(whole)):
        with open(path, "wb") as file:
            file.write(whole[:length])
        assert remembered() is None


@pytest.mark.parametrize(
    "content",
    (b"null", b"[]", b"{}", b'"x"', b"\xff\xfe", b"[" * 4096, b'{"posted_at": "x", "believed_until": 1, "what": "y"}')
    + tuple(json.dumps({"posted_at": 0, "believed_until": 9e12, "what": WHAT, **odd}).encode() for odd in ODD_FIELDS),
)
def test_foreign_content_is_not_believed(folder: Path, content: bytes) -> None:
    path = post_and_die()
    with open(path, "wb") as file:
        file.write(content)
    assert remembered() is None


@pytest.mark.parametrize("offset", (-100.0, 700.0, 1e9))
def test_a_clock_set_back_or_a_long_time_ends_the_belief(
    folder: Path, offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_and_die()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + offset)
    assert remembered() is None


def test_two_runs_at_once(folder: Path) -> None:
    with open_journal(URL, 0):
        with (
            pytest.raises(BusyError, match=f"is upgrading {URL}, and did not end in the 0 seconds"),
            open_journal(URL, 0),
        ):
            raise AssertionError("two had the lock")
        with open_journal(f"{URL}2", 0) as other:
            assert other.remembers


@pytest.mark.parametrize("obstacle", ("a file", "a link"))
def test_without_a_place_to_remember_the_work_goes_on(tmp_path: Path, folder: Path, obstacle: str) -> None:
    if obstacle == "a file":
        folder.parent.write_text("", encoding="utf-8")
    else:
        path = post_and_die()
        os.unlink(path)
        os.symlink(tmp_path / "elsewhere", path)
    with open_journal(URL, 0) as journal:
        assert (journal.remembers, journal.path) == (False, "")
        journal.write(Posted.now(WHAT, 60))
        assert journal.posted(WHAT) is None
        journal.clear()
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_is_said_before_anything_is_posted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: t.Any) -> t.NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UpgradeError, match="Nothing was posted, because .* cannot be written to: No space left"):
        post_and_die()
    monkeypatch.undo()
    assert remembered() is None


def test_a_journal_that_was_removed_meanwhile(folder: Path) -> None:
    """The message says what to do where the server was restarted."""
    with open_journal(URL, 0) as journal:
        os.unlink(journal.path)
    with open_journal(URL, 0) as journal:
        os.unlink(journal.path)
        with open_journal(URL, 0) as next_run:
            next_run.write(Posted.now(WHAT, 60))
        journal.clear()
    assert remembered() is not None


def test_the_home_folder_is_where_journals_are_without_a_variable(
    own_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_and_die()
    assert len(list((own_environment / ".local/state/siteops.upgrades").iterdir())) == 1


def test_advice_names_the_time_and_the_file() -> None:
    advice = SiteJournal("/x/plone-1.json").advice(Posted(0.0, 86400.0, WHAT))
    assert "nothing is posted a second time before 1970-01-02 00:00:00 UTC." in advice
    assert "remove /x/plone-1.json and run again" in advice


def test_what_is_known_to_be_done_is_forgotten(folder: Path) -> None:
    path = post_and_die()
    clear_if_finished(URL, lambda entry: entry.what != WHAT)
    assert remembered() is not None
    clear_if_finished(URL, lambda entry: entry.what == WHAT)
    assert not os.path.exists(path)


def test_nothing_is_forgotten_while_a_run_is_at_it(folder: Path) -> None:
    with open_journal(URL, 0) as journal:
        journal.write(Posted.now(WHAT, 60))
        clear_if_finished(URL, lambda _entry: True)
        assert journal.posted(WHAT) is not None


def test_to_forget_makes_no_folder(folder: Path) -> None:
    clear_if_finished(URL, lambda _entry: True)
    assert not folder.exists()


def test_a_time_beyond_every_calendar_can_be_written(folder: Path) -> None:
    assert "before 9999-12-31" in SiteJournal("path").advice(Posted(0, float("inf"), WHAT))
